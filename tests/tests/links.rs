//! Every link of the documentation leads somewhere: relative paths exist, anchors are headings, paths in backticks are files of the
//! tree, and every page of `docs` is a chapter of the book.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use bomp_tests::workspace;

/// Documents outside `docs`.
const OTHERS: [&str; 8] = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "CHANGELOG.md",
    "runtime/FORMAT.md",
    "firmware-sim/samples/README.md",
    "firmware-sim/networks/README.md",
    "tests/vectors/eight-kilobytes/README.md",
];

/// What registries show of packages: no chapters.
const PACKAGES: [&str; 2] = ["runtime/README.md", "firmware-sim/device/README.md"];

/// Folders in which a path in backticks begins.
const FOLDERS: [&str; 7] = ["docs", "export", "firmware-sim", "runtime", "search", "tests", "xtask"];

/// What the tests read of a document.
struct Document {
    /// Relative to the workspace.
    path: PathBuf,
    /// Targets of links and images, with the number of their line.
    links: Vec<(usize, String)>,
    /// What is in single backticks, with the number of its line.
    spans: Vec<(usize, String)>,
    /// Anchors of the headings, as GitHub and mdBook form them.
    anchors: BTreeSet<String>,
}

fn documents() -> Vec<Document> {
    let mut names: Vec<PathBuf> = OTHERS.iter().chain(&PACKAGES).map(PathBuf::from).collect();
    names.extend(pages(Path::new("docs")));
    names.into_iter().map(read).collect()
}

/// Markdown files in a folder and those below it, in order.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(workspace().join(folder)).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    entries.sort();
    for name in entries {
        let path = folder.join(name);
        if workspace().join(&path).is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    found
}

fn read(path: PathBuf) -> Document {
    let text = std::fs::read_to_string(workspace().join(&path)).unwrap();
    let mut document = Document { path, links: Vec::new(), spans: Vec::new(), anchors: BTreeSet::new() };
    let mut repeated: BTreeMap<String, usize> = BTreeMap::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            continue;
        }
        if fenced {
            continue;
        }
        if line.starts_with('#') {
            let slug = slug(line.trim_start_matches('#').trim());
            let times = repeated.entry(slug.clone()).or_default();
            document.anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
            *times += 1;
        }
        // Links in backticks are code.
        let parts: Vec<&str> = line.split('`').collect();
        document.spans.extend(parts.iter().skip(1).step_by(2).map(|span| (number, (*span).to_owned())));
        let prose = parts.iter().step_by(2).copied().collect::<Vec<_>>().join("code");
        for link in prose.split("](").skip(1) {
            let (target, _) = link.split_once(')').expect("a link ends on its line");
            document.links.push((number, target.to_owned()));
        }
    }
    document
}

/// A heading as an anchor: lower case, spaces as hyphens, without punctuation.
fn slug(heading: &str) -> String {
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || [' ', '-', '_'].contains(letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter.to_ascii_lowercase() }).collect()
}

/// `target` as seen from the file `from`, relative to the workspace; `None` if it leads out of it.
fn resolve(from: &Path, target: &str) -> Option<PathBuf> {
    let mut path = from.parent()?.to_path_buf();
    for component in Path::new(target).components() {
        match component {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path)
}

#[test]
fn every_link_resolves() {
    let documents = documents();
    let mut checked = 0;
    let mut broken = Vec::new();
    for document in &documents {
        for (line, link) in &document.links {
            if link.contains("://") {
                continue;
            }
            checked += 1;
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path =
                if target.is_empty() { Some(document.path.clone()) } else { resolve(&document.path, target) };
            let place = format!("{}:{line}: {link}", document.path.display());
            let Some(path) = path.filter(|path| workspace().join(path).exists()) else {
                broken.push(format!("{place}: no such file"));
                continue;
            };
            let page = documents.iter().find(|other| other.path == path);
            if !anchor.is_empty() && !page.is_some_and(|page| page.anchors.contains(anchor)) {
                broken.push(format!("{place}: no such heading"));
            }
        }
    }
    assert!(checked > 100, "only {checked} links were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A file that is renamed is renamed in the documentation, too. The change log speaks of the past.
#[test]
fn every_path_in_backticks_exists() {
    let mut checked = 0;
    let mut broken = Vec::new();
    for document in documents().iter().filter(|document| document.path != Path::new("CHANGELOG.md")) {
        for (line, span) in &document.spans {
            let plain = span.chars().all(|letter| letter.is_alphanumeric() || "/._-".contains(letter));
            let first = span.split_once('/').map(|(first, _)| first);
            if !plain || !first.is_some_and(|first| FOLDERS.contains(&first)) {
                continue;
            }
            // What a build makes is not in the tree.
            if ["target", "artifacts"].iter().any(|made| span.split('/').any(|part| part == *made)) {
                continue;
            }
            checked += 1;
            if !workspace().join(span).exists() {
                broken.push(format!("{}:{line}: `{span}`: no such file", document.path.display()));
            }
        }
    }
    assert!(checked > 100, "only {checked} paths were found");
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_page_is_a_chapter() {
    let summary = read(PathBuf::from("docs/SUMMARY.md"));
    let chapters: Vec<PathBuf> =
        summary.links.iter().filter_map(|(_, link)| resolve(&summary.path, link)).collect();
    let unique: BTreeSet<&PathBuf> = chapters.iter().collect();
    assert_eq!(unique.len(), chapters.len(), "docs/SUMMARY.md: a chapter is listed twice");
    for page in pages(Path::new("docs")).iter().chain(&OTHERS.map(PathBuf::from)) {
        assert!(unique.contains(page), "docs/SUMMARY.md: {} is missing", page.display());
    }
}

#[test]
fn headings_become_anchors() {
    assert_eq!(slug("What `a_b` costs: the 2nd, in bytes"), "what-a_b-costs-the-2nd-in-bytes");
    assert_eq!(resolve(Path::new("docs/a.md"), "../b/./c.md"), Some(PathBuf::from("b/c.md")));
    assert_eq!(resolve(Path::new("a.md"), "../b.md"), None);
}
