//! The fenced blocks and the commands in backticks of every document that git tracks.

use std::path::PathBuf;
use std::process::Command;

use bomp_tests::workspace;

/// A document, with paths as `docs/workers.md`.
pub(crate) struct Document {
    pub(crate) path: PathBuf,
    pub(crate) blocks: Vec<Block>,
    /// What stands in single backticks, with its place.
    pub(crate) spans: Vec<(String, String)>,
}

/// A fenced block.
pub(crate) struct Block {
    /// File and line of the fence.
    pub(crate) place: String,
    /// The first word after the fence. Where there is none, a block with a command of this project is a shell's, another one text.
    pub(crate) language: String,
    /// The second word: a file's name.
    pub(crate) name: Option<String>,
    pub(crate) text: String,
}

/// All of them but the change log, which speaks of the past.
pub(crate) fn documents() -> Vec<Document> {
    let output = Command::new("git").args(["ls-files", "*.md"]).current_dir(workspace()).output().unwrap();
    let names = String::from_utf8(output.stdout).unwrap();
    let mut names: Vec<&str> = names.lines().filter(|name| *name != "CHANGELOG.md").collect();
    if names.is_empty() {
        // A copy of the sources without git's folder.
        names =
            vec!["README.md", "CONTRIBUTING.md", "docs/ask-tell.md", "docs/firmware.md", "docs/workers.md"];
        names.extend(["docs/gpu.md", "docs/report.md", "firmware-sim/samples/README.md"]);
    }
    names.into_iter().map(read).collect()
}

fn read(name: &str) -> Document {
    let text =
        std::fs::read_to_string(workspace().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut document = Document { path: PathBuf::from(name), blocks: Vec::new(), spans: Vec::new() };
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        let place = format!("{name}:{}", number + 1);
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(info), None) => {
                let mut words = info.split_whitespace().map(str::to_owned);
                let language = words.next().unwrap_or_default();
                open = Some(Block { place, language, name: words.next(), text: String::new() });
            }
            (Some(_), Some(_)) => document.blocks.extend(open.take().map(named)),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {
                let spans = line.split('`').skip(1).step_by(2).map(|span| (place.clone(), span.to_owned()));
                document.spans.extend(spans);
            }
        }
    }
    assert!(open.is_none(), "{name}: the last block does not end");
    document
}

fn named(mut block: Block) -> Block {
    if block.language.is_empty() {
        let ours = |line: &str| ["bomp-", "cargo "].iter().any(|start| line.starts_with(start));
        block.language = if block.text.lines().any(ours) { "sh" } else { "text" }.to_owned();
    }
    block
}
