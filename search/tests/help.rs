//! Every command of `bomp-search` explains itself, with units where it takes an amount, and refuses what it does not know.

use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bomp-search")).args(arguments).output().expect("the program starts")
}

fn help(command: &str) -> String {
    let output = run(&[command, "--help"]);
    assert!(output.status.success(), "{command} --help");
    String::from_utf8(output.stdout).expect("help is UTF-8")
}

#[test]
fn every_command_has_help_with_units() {
    let all = run(&["--help"]);
    let all = String::from_utf8_lossy(&all.stdout).into_owned();
    for (command, words) in [
        (
            "data",
            &[
                "[PATH]",
                "npz:nchw",
                "npz:nhwc",
                "folder:HxWxC",
                ":crop",
                ":stretch",
                "--validation",
                "--json",
            ][..],
        ),
        (
            "run",
            &[
                "--study <STUDY>",
                "postgres://",
                "1 kB = 1000 bytes",
                "--max-macs <COUNT>",
                "<EPOCHS>",
                "PERCENT",
                "cuda",
                "--workers <N>",
                "<SECONDS>",
            ][..],
        ),
        ("resume", &["--study <STUDY>", "--trials <N>", "--workers <N>"]),
        ("worker", &["--study <STUDY>", "postgres://", "--grace <SECONDS>", "--json"]),
        ("status", &["--study <STUDY>", "--json"]),
        ("pareto", &["--study <STUDY>", "--json"]),
        ("salvage", &["--study <STUDY>", "--into <STUDY>", "--config <FILE>"]),
        ("finalise", &["--study <STUDY>", "--best", "--json"]),
        ("report", &["--study <STUDY>", "--json"]),
        ("ask-tell", &["--space <FILE>", "--seed <N>", "--strategy", "ehvi"]),
    ] {
        assert!(all.contains(command), "{command} is not listed");
        let text = help(command);
        for word in words {
            assert!(text.contains(word), "{command}: `{word}` is not in its help:\n{text}");
        }
    }
}

#[test]
fn what_it_does_not_know_is_a_usage_error() {
    for arguments in [&["dance"][..], &["run"], &["run", "--study", "x", "--colour", "red"], &["status"]] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: "), "{arguments:?}");
    }
}
