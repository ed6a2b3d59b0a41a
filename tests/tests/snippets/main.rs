//! Every fenced block of README and docs, and every command in backticks, is compiled, run or parsed by what it is meant for: a
//! renamed option, function or field fails here.
//!
//! A block names its language after the fence, one of those that are checked here; what is no code says `text`. Rust blocks with a
//! file's name after the language make one project for each document; one without is a project by itself. C blocks are whole files.

mod c;
mod markdown;
mod rust;
mod shell;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use bomp_tests::{program, workspace};
use serde_json::Value;
use yaml_rust2::{Yaml, YamlLoader};

use markdown::{Block, documents};

const PROGRAMS: [&str; 3] = ["bomp-search", "bomp-export", "bomp-sim"];

/// What else shell blocks may call: programs of the machine, whose options are not ours to check.
const OTHERS: [&str; 11] = [
    ".ci/run",
    "cargo build",
    "cargo package",
    "cp",
    "export",
    "make",
    "mkdir",
    "rustup",
    "sed",
    "socat",
    "tar",
];

#[test]
fn every_block_says_what_it_is() {
    const LANGUAGES: [&str; 7] = ["sh", "rust", "c", "python", "json", "yaml", "text"];
    let documents = documents();
    let blocks: Vec<&Block> = documents.iter().flat_map(|document| &document.blocks).collect();
    assert!(blocks.len() > 10, "only {} blocks were found", blocks.len());
    for block in blocks {
        assert!(
            LANGUAGES.contains(&block.language.as_str()),
            "{}: name the block's language, one of {}, after its fence",
            block.place,
            LANGUAGES.join(", ")
        );
    }
}

#[test]
fn every_command_parses() {
    let mut checked = 0;
    for document in documents() {
        for block in document.blocks.iter().filter(|block| block.language == "sh") {
            let mut bash = Command::new("bash");
            let output = fed(bash.arg("-n"), block.text.as_bytes());
            assert!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
            for command in shell::commands(&block.text) {
                checked += usize::from(parses(&block.place, &command));
            }
        }
        for (place, span) in &document.spans {
            if !PROGRAMS.iter().any(|name| span.starts_with(&format!("{name} ")))
                && !span.starts_with("cargo xtask ")
            {
                continue;
            }
            for command in shell::commands(&shell::usage(span)) {
                checked += usize::from(parses(place, &command));
            }
        }
        for block in document.blocks.iter().filter(|block| block.language == "yaml") {
            for command in containers(block) {
                checked += usize::from(parses(&block.place, &command));
            }
        }
    }
    assert!(checked > 60, "only {checked} commands were found");
}

/// Whether the command is one of this project's. Those must take their arguments: followed by `--help`, a program judges every
/// option and value before it, and does nothing.
fn parses(place: &str, words: &[String]) -> bool {
    let (name, arguments) = (&words[0], &words[1..]);
    let mut command = if PROGRAMS.contains(&name.as_str()) {
        Command::new(program(name))
    } else if name == "cargo" && arguments.first().is_some_and(|word| word == "xtask") {
        Command::new(env!("CARGO"))
    } else {
        let known = OTHERS.iter().any(|known| words.join(" ").starts_with(known));
        assert!(known, "{place}: `{}`: no program that this test knows", words.join(" "));
        return false;
    };
    let output = command.args(arguments).arg("--help").current_dir(workspace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{place}: `{}`: {said}", words.join(" "));
    true
}

/// The commands of the containers of a Kubernetes job.
fn containers(block: &Block) -> Vec<Vec<String>> {
    let parsed =
        YamlLoader::load_from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
    let words = |list: &Yaml| -> Vec<String> {
        let word = |word: &Yaml| word.as_str().expect("arguments are texts; quote numbers").to_owned();
        list.as_vec().into_iter().flatten().map(word).collect()
    };
    let containers =
        parsed[0]["spec"]["template"]["spec"]["containers"].as_vec().expect("a job has containers");
    containers
        .iter()
        .map(|container| [words(&container["command"]), words(&container["args"])].concat())
        .collect()
}

#[test]
fn rust_blocks_compile() {
    let mut projects = 0;
    for document in documents() {
        let rust: Vec<&Block> = document.blocks.iter().filter(|block| block.language == "rust").collect();
        let (named, alone): (Vec<&Block>, Vec<&Block>) =
            rust.into_iter().partition(|block| block.name.is_some());
        let mut all: Vec<Vec<&Block>> = alone.into_iter().map(|block| vec![block]).collect();
        all.extend((!named.is_empty()).then_some(named));
        for project in all {
            rust::compile(&project);
            projects += 1;
        }
    }
    assert!(projects >= 2, "only {projects} projects were found");
}

#[test]
fn c_blocks_compile() {
    let mut blocks = 0;
    for document in documents() {
        for block in document.blocks.iter().filter(|block| block.language == "c") {
            c::compile(block);
            blocks += 1;
        }
    }
    assert!(blocks >= 2, "only {blocks} blocks were found");
}

#[test]
fn python_blocks_are_python() {
    for document in documents() {
        for block in document.blocks.iter().filter(|block| block.language == "python") {
            let mut python = Command::new("python3");
            let output = fed(
                python.args(["-c", "import ast, sys; ast.parse(sys.stdin.read())"]),
                block.text.as_bytes(),
            );
            assert!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// The recipe of the samples' README makes a project that needs nothing of the checkout.
#[test]
fn the_rust_sample_builds_outside_the_checkout() {
    let documents = documents();
    let samples =
        documents.iter().find(|document| document.path.ends_with("firmware-sim/samples/README.md")).unwrap();
    let recipe = samples.blocks.iter().find(|block| block.text.contains("cargo package")).unwrap();
    rust::follow(recipe);
}

#[test]
fn json_blocks_are_json_and_problems_are_problems() {
    let mut problems = 0;
    for document in documents() {
        for block in document.blocks.iter().filter(|block| block.language == "json") {
            let value: Value =
                serde_json::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
            if value.get("parameters").is_some() {
                solves(block);
                problems += 1;
            }
        }
    }
    assert!(problems > 0, "docs/ask-tell.md has a problem");
}

/// The optimiser takes the problem and answers the first question.
fn solves(block: &Block) {
    let folder = tempfile::tempdir().unwrap();
    let space = folder.path().join("space.json");
    std::fs::write(&space, &block.text).unwrap();
    let mut search = Command::new(program("bomp-search"));
    search.args(["ask-tell", "--space", space.to_str().unwrap()]);
    let known = block.text.contains("\"known\":true");
    let mut child = search.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"{\"ask\":2}\n").unwrap();
    let answers = std::io::BufReader::new(child.stdout.take().unwrap());
    for line in std::io::BufRead::lines(answers) {
        let answer: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if let Some(asked) = answer["cost"].as_array().filter(|_| known) {
            let costs: Vec<f64> =
                asked.iter().enumerate().map(|(at, _)| 1.0 + 0.1 * (at % 4) as f64).collect();
            writeln!(input, "{}", serde_json::json!({ "cost": costs })).unwrap();
            continue;
        }
        assert_eq!(answer["trials"].as_array().map(Vec::len), Some(2), "{}: {answer}", block.place);
        break;
    }
    drop(input);
    let _ = child.wait();
}

/// Runs a command with an input.
fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

/// A path as the commands of the documents are given it.
fn text(path: &Path) -> &str {
    path.to_str().expect("temporary folders have plain names")
}
