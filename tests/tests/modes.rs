//! Every mode and every strategy of the search, end to end with real training at tiny settings.

use std::fs;
use std::path::Path;

use bomp_tests::{refuse, succeed};
use serde_json::Value;
use tempfile::TempDir;

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&succeed("bomp-search", arguments)).expect("--json prints JSON")
}

/// A study `name` of three trials on parts of an epoch, and its state.
fn study(folder: &Path, name: &str, extra: &[&str]) -> (String, Value) {
    let study = folder.join(name).to_str().expect("temporary folders have plain names").to_owned();
    let small = ["--max-macs", "150k", "--max-ram", "16kB", "--max-size", "9kB", "--epochs", "0.03"];
    let short = ["--qaft-epochs", "0.02", "--final-epochs", "0.05", "--final-qaft-epochs", "0.02"];
    let mut arguments = vec!["run", "--study", &study];
    arguments.extend(small.into_iter().chain(short));
    if !extra.contains(&"--trials") {
        arguments.extend(["--trials", "3"]);
    }
    arguments.extend(extra);
    succeed("bomp-search", &arguments);
    let status = json(&["status", "--study", &study, "--json"]);
    (study, status)
}

fn trials(status: &Value) -> &Vec<Value> {
    status["trials"].as_array().expect("a list of trials")
}

/// Widths of all weights of a genotype, with repetitions.
fn widths(value: &Value) -> Vec<u64> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(
                |(name, value)| {
                    if name == "bits" { value.as_u64().into_iter().collect() } else { widths(value) }
                },
            )
            .collect(),
        Value::Array(values) => values.iter().flat_map(widths).collect(),
        _ => Vec::new(),
    }
}

/// The report on `studies`: one page that names them all and loads nothing, and plots as files.
fn report(folder: &Path, studies: &[String]) {
    let out = folder.join("report");
    let mut arguments = vec!["report", "--out", out.to_str().expect("temporary folders have plain names")];
    studies.iter().for_each(|study| arguments.extend(["--study", study]));
    succeed("bomp-search", &arguments);
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    for study in studies {
        let name = Path::new(study).file_name().unwrap().to_str().unwrap();
        // As the name of the study, and as its mode or strategy.
        assert!(page.matches(&format!(">{name}</td>")).count() >= 2, "{name} is not in the report");
    }
    assert!(!page.contains("src=\"http") && !page.contains("<script"), "the page loads something");
    assert!(page.matches("<svg").count() >= 4 * studies.len());
    assert!(std::fs::read(out.join("fronts.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn every_mode_finds_and_finishes_a_network() {
    let folder = TempDir::new().unwrap();
    let mut studies = Vec::new();
    for (mode, allowed, afterwards) in [
        ("qaft-mp", &[4, 5, 6, 7, 8][..], "qaft"),
        ("qaft-4", &[4], "qaft"),
        ("qaft-8", &[8], "qaft"),
        ("ptq-mp", &[4, 5, 6, 7, 8], "ptq"),
        ("ptq-8", &[8], "ptq"),
        ("float", &[8], "ptq"),
    ] {
        let (study, status) = study(folder.path(), mode, &["--mode", mode]);
        assert_eq!(status["finished"], 3, "{mode}");
        assert_eq!(status["config"]["mode"], mode);
        for trial in trials(&status) {
            let widths = widths(&trial["genotype"]);
            assert!(widths.iter().all(|width| allowed.contains(width)), "{mode}: {widths:?}");
            let float_is_scored = trial["float_correct"] == trial["correct"];
            assert!(mode != "float" || float_is_scored);
        }
        let finished = &json(&["finalise", "--study", &study, "--best", "--json"])[0];
        assert!(finished["integer_correct"].as_u64() > Some(0), "{mode}: {finished}");
        let candidate = Path::new(finished["candidate"].as_str().unwrap());
        let text = std::fs::read_to_string(candidate.join("network.json")).unwrap();
        let network: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(network["provenance"]["quantisation"], afterwards, "{mode}");
        if mode == "ptq-mp" {
            // "MP PTQ-NAS (QAFT)" of figure 5: fine-tuned after the search, beside the other.
            let tuned =
                &json(&["finalise", "--study", &study, "--best", "--quantisation", "qaft", "--json"])[0];
            assert!(tuned["candidate"].as_str().unwrap().contains("final-qaft"), "{tuned}");
            assert!(tuned["trained_images"].as_u64() > finished["trained_images"].as_u64());
        }
        studies.push(study);
    }
    report(folder.path(), &studies);
}

#[test]
fn jasq_scores_sixteen_bits_and_packs_none() {
    let folder = TempDir::new().unwrap();
    let (study, status) = study(folder.path(), "jasq", &["--mode", "jasq", "--trials", "6"]);
    assert_eq!((&status["finished"], &status["config"]["strategy"]), (&6.into(), &"evolution".into()));
    let wide = |trial: &&Value| widths(&trial["genotype"]).contains(&16);
    for trial in trials(&status) {
        assert!(widths(&trial["genotype"]).iter().all(|width| [4, 8, 16].contains(width)));
        assert!(trial["correct"].as_u64() > Some(600), "worse than chance: {trial}");
    }
    let trial = trials(&status).iter().find(wide).expect("one of six has a layer of 16 bits");
    let number = trial["number"].to_string();
    let line = refuse("bomp-search", &["finalise", "--study", &study, "--trial", &number]);
    assert!(line.contains("16-bit weights can be scored"), "{line}");
    let finished = json(&["finalise", "--study", &study, "--trial", &number, "--narrow", "--json"]);
    assert!(finished[0]["size_bytes"].as_u64() < trial["usage"]["bytes"].as_u64(), "{finished}");
    let (candidate, model) = (finished[0]["candidate"].as_str().unwrap(), folder.path().join("narrow.bomp"));
    succeed("bomp-export", &["pack", candidate, "-o", model.to_str().unwrap()]);
    assert_eq!(fs::metadata(model).unwrap().len(), finished[0]["size_bytes"].as_u64().unwrap());
}

/// The same network without and with a teacher, which is itself without one.
#[test]
fn a_packed_model_teaches_finished_networks() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (study, _) = study(folder.path(), "taught", &["--trials", "1"]);
    let preset = |distillation: &str| {
        let text = succeed("bomp-search", &["preset", "two-cores"]);
        let (trials, finals) = text.split_once("[final_training]").expect("two-cores has a final training");
        let finals = finals.replace("distillation = 0.0", &format!("distillation = {distillation}"));
        let finals =
            finals.replace("epochs = 10.0", "epochs = 0.05").replace("epochs = 3.0", "epochs = 0.02");
        let preset = path(&format!("{distillation}.toml"));
        fs::write(&preset, format!("{trials}[final_training]{finals}")).unwrap();
        preset
    };
    let (plain, taught) = (preset("0.0"), preset("0.5"));
    let [alone, with_teacher] = [path("alone"), path("with-teacher")];
    let finalise = |preset: &str, out: &str, more: &[&str]| {
        let mut arguments =
            vec!["finalise", "--study", &study, "--best", "--preset", preset, "--out", out, "--json"];
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let finish = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        json(&arguments)[0].clone()
    };
    let first = finish(finalise(&plain, &alone, &[]));
    let teacher = path("teacher.bomp");
    succeed("bomp-export", &["pack", first["candidate"].as_str().unwrap(), "-o", &teacher]);

    let arguments = finalise(&taught, &with_teacher, &["--teacher", &teacher]);
    let second = finish(arguments.clone());
    assert_eq!(finish(arguments), second);
    let network = |finished: &Value| -> Value {
        let file = Path::new(finished["candidate"].as_str().unwrap()).join("network.json");
        serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
    };
    let [first, second] = [network(&first), network(&second)];
    assert_ne!(first["weights_sha256"], second["weights_sha256"]);
    assert_eq!(first["provenance"]["teacher_sha256"], Value::Null);
    let sha256 = bomp_export::files::sha256(&fs::read(&teacher).unwrap());
    assert_eq!(second["provenance"]["teacher_sha256"], serde_json::json!([sha256]));

    let refused = |arguments: Vec<String>| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        refuse("bomp-search", &arguments)
    };
    let line = refused(finalise(&taught, &alone, &[]));
    assert!(line.contains("--teacher MODEL"), "{line}");
    let line = refused(finalise(&plain, &alone, &["--teacher", &teacher]));
    assert!(line.contains("final_training.distillation is 0"), "{line}");
    let line = refused(finalise(&taught, &alone, &["--teacher", &plain]));
    assert!(line.contains("0.0.toml"), "{line}");
}

#[test]
fn every_strategy_and_the_policies_of_a_network() {
    let folder = TempDir::new().unwrap();
    let mut studies = Vec::new();
    for strategy in ["ehvi", "paper", "evolution", "random"] {
        let extra = ["--strategy", strategy, "--initial-trials", "1", "--trials", "4"];
        let (study, status) =
            study(folder.path(), strategy, &[&extra[..], &["--policies-per-network", "2"]].concat());
        assert_eq!(status["finished"], 4, "{strategy}");
        let of = |field: &str| -> Vec<Option<u64>> {
            trials(&status).iter().map(|trial| trial[field].as_u64()).collect()
        };
        let (lead, float, cost) = (of("lead"), of("float_correct"), of("trained_images"));
        // Only `ehvi` weighs a further policy against a new network.
        if strategy != "ehvi" {
            assert_eq!(lead, [None, Some(0), None, Some(2)], "{strategy}");
        }
        // The float network is shared, and paid for once.
        for (number, lead) in lead.iter().enumerate().filter_map(|(n, lead)| Some((n, (*lead)? as usize))) {
            assert_eq!(float[number], float[lead], "{strategy}");
            assert!(cost[number] < cost[lead], "{strategy}: {cost:?}");
        }
        studies.push(study);
    }
    report(folder.path(), &studies);
}
