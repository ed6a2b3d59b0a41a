//! Mistakes with `bomp-search`.

use std::fs;

use super::made::made;
use super::{Row, hold, understood};

#[test]
fn options_and_values() {
    const ROWS: &[Row] = &[
        ("run --trails 5 {new}", &["--trails"], &["--trials"]),
        ("run", &["STUDY"], &["bomp-search run"]),
        ("statsu {study}", &["statsu"], &["status"]),
        ("pack {candidate}", &["pack"], &["bomp-export"]),
        ("boards", &["boards"], &["bomp-sim"]),
        ("status {study} --trials 5", &["--trials"], &["run, resume"]),
        ("status {study} {study}", &["study"], &["write bomp-search status"]),
        ("run {new} --strategy bayes", &["bayes"], &["ehvi"]),
        ("run {new} --mode int8", &["int8"], &["ptq-8"]),
        ("run {new} --early-stopping maybe", &["--early-stopping", "maybe"], &["yes or no"]),
        ("run {new} --flip sometimes", &["--flip", "sometimes"], &["yes or no"]),
        ("run {new} --epochs -1", &["--epochs", "-1"], &["from 0.001 to 100000"]),
        ("run {new} --epochs ten", &["--epochs", "ten"], &["from 0.001 to 100000"]),
        ("run {new} --epochs 1e9", &["--epochs", "1e9"], &["from 0.001 to 100000"]),
        ("run {new} --learning-rate -0.1", &["--learning-rate", "-0.1"], &["0.01"]),
        ("run {new} --trials -3", &["--trials", "-3"], &["from 1 to 1000000"]),
        ("run {new} --trials 1e3", &["--trials", "1e3"], &["digits alone"]),
        ("run {new} --seed -1", &["--seed", "-1"], &["from 0 to"]),
        ("run {new} --batch 1", &["--batch", "1"], &["from 2 to 65536"]),
        ("run {new} --threads 0", &["--threads", "0"], &["from 1 to 1024"]),
        ("run {new} --workers 0", &["--workers", "0"], &["from 1 to 1024"]),
        ("run {new} --crop-padding 100", &["--crop-padding", "100"], &["from 0 to 64"]),
        ("run {new} --grace 0", &["--grace", "0"], &["0.1 to 86400"]),
        ("run {new} --reference-size log", &["--reference-size", "log"], &["for example 8"]),
        ("run {new} --epochs", &["--epochs"], &["a value is required"]),
        ("run {new} --seed 1 --seed 2", &["--seed"], &["multiple times"]),
        ("run {new} --max-size 20kb", &["--max-size", "20kb"], &["bits or bytes?", "10kB"]),
        ("run {new} --max-size 1,5MB", &["--max-size", "1,5MB"], &["a point before a fraction"]),
        ("run {new} --max-size -5kB", &["--max-size", "-5kB"], &["at least 1"]),
        ("run {new} --max-size 10~bananas", &["bananas"], &["KiB", "10kB"]),
        ("run {new} --max-macs 2m", &["--max-macs", "2m"], &["M a million"]),
        ("run {new} --max-ram STM32L072", &["STM32L072", "microbit"], &["data sheet", "16KiB"]),
        ("run {new} --max-ram Micro-Bit", &["Micro-Bit"], &["microbit"]),
        ("run {new} --device gpu", &["gpu"], &["cuda"]),
        ("run {new} --validation 10%", &["10%"], &["0.1"]),
        ("run {new} --space {space.toml}", &["space.toml", "clases"], &["classes"]),
        ("run {new} --space tiny", &["tiny"], &["micro", "small"]),
        ("space tiny", &["tiny"], &["micro", "small"]),
        ("preset three-cores", &["three-cores"], &["two-cores"]),
        ("run {new} --preset {based.toml}", &["based.toml", "training.float.epoch"], &["epochs"]),
        ("run {new} --preset {circle.toml}", &["circle.toml", "based_on"], &["circle"]),
        ("completions tcsh", &["tcsh"], &["bash, zsh, fish"]),
        ("ask-tell --space {space.toml}", &["space.toml"], &["docs/ask-tell.md"]),
        ("ask-tell --space {absent.json}", &["absent.json"], &["docs/ask-tell.md"]),
        ("run {new} --preset {own-space.toml}", &["own-space.toml"], &["give it to --space"]),
        ("run {new} --space {own-preset.toml}", &["own-preset.toml"], &["give it to --preset"]),
        ("run {new} --preset {bare.toml}", &["bare.toml"], &["begin with `based_on"]),
        ("run {new} --max-flash 10kB", &["--max-flash"], &["`bomp-search run --max-size`"]),
        ("run {new} --budget 10kB", &["--budget"], &["`bomp-search run --max-size`"]),
        ("search {new}", &["search"], &["`bomp-search run` starts a search"]),
        ("data --data {data.npz}", &["--data"], &["without --data"]),
        ("status {study} --json --csv", &["--json", "--csv"], &["cannot be used with"]),
    ];
    hold("bomp-search", ROWS);
    assert!(!fs::exists(made().at("new")).unwrap(), "a refused study was made");
}

#[test]
fn studies_and_their_places() {
    const ROWS: &[Row] = &[
        ("run --study {notes.txt}", &["notes.txt"], &["a study is a folder"]),
        ("status {notes.txt}", &["notes.txt"], &["a study is a folder"]),
        ("status {study/study.sqlite}", &["study.sqlite"], &["named by its folder"]),
        ("status {nowhere}", &["nowhere"], &["bomp-search run"]),
        ("status {full}", &["full", "no study"], &["bomp-search run", "full-study"]),
        ("status {study/workers}", &["workers"], &["study/workers: it belongs to the study", "name that"]),
        ("status {}", &["no study here"], &["such as"]),
        ("run --study {set/study} --data {set}", &["set", "data"], &["name a folder outside"]),
        ("run --study {set} --data {set}", &["set", "data"], &["name a folder outside"]),
        ("run --study {holder} --data {holder/inner/images.npz}", &["images.npz"], &["name another folder"]),
        ("run --study {full} --data {data.npz}", &["notes.txt", "not empty"], &["name a new one"]),
        ("run --study {study} --data {data.npz}", &["study", "already"], &["resume"]),
        ("run --study /proc/bomp --data {data.npz}", &["/proc/bomp"], &["name"]),
        ("status https://example.org/study", &["the study"], &["postgres://USER@HOST"]),
        ("status mysql://nas@db/nas", &["the study"], &["postgres://USER@HOST"]),
        ("status host=db~user=nas~dbname=nas", &["the study"], &["postgres://USER@HOST"]),
        ("status postgres:nas@db/nas", &["the study"], &["postgres://USER@HOST"]),
        ("status postgres://nas@db/nas?study=..", &["study=NAME"], &["a letter or a digit"]),
        ("status postgres://nas@db/nas?study=my~study", &["study=NAME"], &["letters, digits"]),
        ("status postgres://nas@db/nas?colour=red", &["postgres://"], &["PGPASSWORD"]),
        ("status postgres:///nas?study=a", &["no host"], &["postgres://USER@HOST"]),
        ("salvage postgres://nas@db/nas --into {new}", &["postgres://"], &["folders"]),
        ("resume {study} --trials 1", &["2 trials already"], &["1 asked for"]),
        ("resume {study} --data {nowhere}", &["nowhere"], &["--data"]),
        ("finalise {study} --trial 99", &["trial 99"], &["does not exist"]),
        ("finalise {study} --trial 1-3", &["1-3"], &["such as 3,4"]),
        ("finalise {study} --trial 0,99", &["trial 99"], &["does not exist"]),
        ("finalise {study} --preset two-cores", &["--out"], &["bomp-search finalise"]),
        ("finalise {study} --quantisation none", &["none"], &["ptq or qaft"]),
        ("finalise {study} --teacher {model.bomp}", &["--teacher"], &["0.9"]),
        ("report {study} --out {notes.txt}", &["notes.txt"], &["name another place"]),
        ("import {list.json} {new}", &["list.json"], &["bomp-search status --json"]),
        ("import {model.bomp} {new}", &["model.bomp"], &["bomp-search status --json"]),
        ("import {nowhere.json} {new}", &["nowhere.json"], &["name a file that is there"]),
    ];
    hold("bomp-search", ROWS);
    for folder in ["set", "holder", "full"] {
        let there = fs::read_dir(made().at(folder)).unwrap().count();
        assert_eq!(there, 1, "a refused study left something in {folder}");
    }
}

#[test]
fn what_is_meant_is_done() {
    understood(
        "bomp-search",
        &[
            ("status {study}", "2 of 2 trials"),
            ("status --study {study}", "2 of 2 trials"),
            ("status {study} --quiet", "2 of 2 trials"),
            ("status {study} --csv", "trial,state,accuracy_percent"),
            ("pareto {study} --csv", "genotype"),
            ("preset two-cores", "[training]"),
            ("space micro", "[stem]"),
            ("space micro --json", "\"reductions\""),
            ("space", "extended"),
            ("completions bash", "bomp-search"),
            ("completions zsh", "#compdef bomp-search"),
            ("completions fish", "complete -c bomp-search"),
            ("finalize --help", "front"),
        ],
    );
    let data = made().at("data.npz");
    for (name, extra) in [
        ("a", &["--max-size", "10", "kB", "--flip", "yes", "--early-stopping", "no"][..]),
        ("b", &["--max-size", "10KB", "--flip", "--early-stopping", "on"]),
        ("c", &["--max-size", "10 kB", "--flip=off", "--early-stopping=false"]),
        ("d", &["--max-size", "10k", "--max-ram", "1MB", "--quiet"]),
    ] {
        let study = made().at(&format!("meant-{name}"));
        let run = ["run", &study, "--data", &data, "--space", "micro", "--trials", "1", "--epochs", "0.1"];
        bomp_tests::succeed(
            "bomp-search",
            &[&run[..], &["--qaft-epochs", "0.1", "--batch", "8"], extra].concat(),
        );
        let status = bomp_tests::succeed("bomp-search", &["status", &study, "--json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        assert_eq!(status["config"]["limits"]["max_size"], 10_000, "{name}");
        assert_eq!(status["config"]["early_stopping"], name == "b", "{name}");
        assert_eq!(
            status["config"]["training"]["augmentation"]["flip"],
            name == "a" || name == "b",
            "{name}"
        );
    }
    let finalise = ["finalise", &made().at("study"), "--trial", "0,1", "--json", "--quiet", "--out"];
    let out = made().at("both");
    let presets = ["--preset", "two-cores"];
    let finished = bomp_tests::succeed("bomp-search", &[&finalise[..], &[&out], &presets].concat());
    let finished: serde_json::Value = serde_json::from_str(&finished).unwrap();
    assert_eq!(finished.as_array().map(Vec::len), Some(2));
}
