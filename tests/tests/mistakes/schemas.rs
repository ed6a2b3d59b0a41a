//! What `bomp-search` prints with `--json` is what the files in `search/schemas` say, and every command that has `--json` has one.

use std::fs;

use bomp_export::testing::schema::check;
use bomp_tests::{succeed, workspace};
use serde_json::Value;

use super::made::made;

fn schema(command: &str) -> Value {
    let path = workspace().join("search/schemas").join(command).with_extension("json");
    let text = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn every_command_with_json_has_a_schema() {
    let help = succeed("bomp-search", &["--help"]);
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands = commands.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
    let mut seen = 0;
    for command in commands.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help") {
        let help = succeed("bomp-search", &[command, "--help"]);
        // Others name the option of another command.
        if help.lines().any(|line| line.trim_start().starts_with("--json")) {
            let title = schema(command)["title"].as_str().unwrap().to_owned();
            assert!(
                title.starts_with(&format!("bomp-search {command}")) && title.contains("--json"),
                "{title}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 9, "{help}");
}

#[test]
fn json_fits_its_schema() {
    let (study, data, out) = (made().at("study"), made().at("data.npz"), made().at("schemas-report"));
    let finished = made().at("schemas-final");
    for arguments in [
        &["status", &study][..],
        &["pareto", &study],
        &["report", &study, "--out", &out],
        &["preset", "two-cores"],
        &["preset", "paper-cifar10"],
        &["preset"],
        &["space"],
        &["space", "micro"],
        &["space", "paper"],
        &["data", &data],
        &["finalise", &study, "--best", "--preset", "two-cores", "--out", &finished],
    ] {
        let printed = succeed("bomp-search", &[arguments, &["--json"]].concat());
        let printed: Value = serde_json::from_str(&printed).unwrap();
        check(&schema(arguments[0]), &printed, arguments[0]);
    }
    let search = made().at("schemas-study");
    let run = ["run", &search, "--data", &data, "--space", "micro", "--trials", "2", "--epochs", "0.2"];
    let short = ["--qaft-epochs", "0.1", "--batch", "8", "--json"];
    let events = succeed("bomp-search", &[&run[..], &short].concat());
    let planned = made().at("schemas-planned");
    let cost = ["run", &planned, "--data", &data, "--space", "micro", "--trials", "2", "--dry-run", "--json"];
    check(&schema("dry-run"), &serde_json::from_str(&succeed("bomp-search", &cost)).unwrap(), "dry-run");
    let more = succeed("bomp-search", &["resume", &search, "--trials", "3", "--json"]);
    let helped = succeed("bomp-search", &["worker", &search, "--trials", "4", "--json"]);
    for (command, lines) in [("run", events), ("resume", more), ("worker", helped)] {
        assert!(lines.lines().any(|line| line.contains("\"ended\"")), "{command}: {lines}");
        for line in lines.lines() {
            check(&schema(command), &serde_json::from_str(line).unwrap(), command);
        }
    }
    // A schema that anything fits would prove nothing.
    let mut status: Value =
        serde_json::from_str(&succeed("bomp-search", &["status", &study, "--json"])).unwrap();
    status["trials"][0]["usage"]["bytes"] = "many".into();
    assert!(std::panic::catch_unwind(|| check(&schema("status"), &status, "status")).is_err());
}
