//! Which file imports which: paths in `use` and in the code, followed through the re-exports of a module's own file.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Source;

/// A name that a file takes from a path, and whether it hands it on.
struct Import {
    path: Vec<String>,
    name: String,
    exported: bool,
}

/// For each of `sources`, the indices of those that it imports from.
pub(crate) fn edges(sources: &[Source]) -> Vec<BTreeSet<usize>> {
    let modules = Modules::new(sources);
    let found = sources.iter().enumerate().map(|(index, source)| {
        let facade = source.path.ends_with("mod.rs") || source.path.ends_with("lib.rs");
        let imports = modules.imports[index].iter().filter(|import| !(facade && import.exported));
        let paths = imports.map(|import| import.path.clone()).chain(inline(&source.tokens));
        let targets = paths.filter_map(|path| modules.resolve(index, &path, 0));
        targets.filter(|&target| target != index).collect()
    });
    found.collect()
}

/// For each file what it imports from, directly or through others.
pub(crate) fn reachable(edges: &[BTreeSet<usize>]) -> Vec<BTreeSet<usize>> {
    let from = |start: &BTreeSet<usize>| {
        let (mut seen, mut open) = (BTreeSet::new(), start.iter().copied().collect::<Vec<_>>());
        while let Some(file) = open.pop() {
            if seen.insert(file) {
                open.extend(&edges[file]);
            }
        }
        seen
    };
    edges.iter().map(from).collect()
}

struct Modules<'a> {
    sources: &'a [Source],
    /// The file of each module of each crate.
    files: BTreeMap<(&'a str, &'a [String]), usize>,
    imports: Vec<Vec<Import>>,
}

impl<'a> Modules<'a> {
    fn new(sources: &'a [Source]) -> Self {
        let mut files = BTreeMap::new();
        for (index, source) in sources.iter().enumerate() {
            // A library comes before the program of the same package.
            files.entry((source.package.as_str(), source.module.as_slice())).or_insert(index);
        }
        let imports = sources.iter().map(|source| uses(&source.tokens)).collect();
        Self { sources, files, imports }
    }

    /// The file that has what `path` names in the file `from`.
    fn resolve(&self, from: usize, path: &[String], depth: usize) -> Option<usize> {
        let source = &self.sources[from];
        let (mut package, mut module) = (source.package.as_str(), source.module.clone());
        let mut rest = path;
        let is_package = |name: &str| self.sources.iter().any(|source| source.package == name);
        let child = |name: &String| {
            self.files.contains_key(&(
                package,
                [&source.module[..], std::slice::from_ref(name)].concat().as_slice(),
            ))
        };
        match rest.first()?.as_str() {
            "crate" => (module, rest) = (Vec::new(), &rest[1..]),
            "self" if rest.get(1).is_none_or(|next| next != "super") => rest = &rest[1..],
            "self" | "super" => {
                rest = if rest[0] == "self" { &rest[1..] } else { rest };
                while rest.first().is_some_and(|first| first == "super") {
                    module.pop()?;
                    rest = &rest[1..];
                }
            }
            name if is_package(name) => {
                (package, module) =
                    (self.sources.iter().find(|s| s.package == name)?.package.as_str(), Vec::new());
                rest = &rest[1..];
            }
            _ if child(&rest[0]) => {}
            _ => return None,
        }
        let mut file = *self.files.get(&(package, module.as_slice()))?;
        for (index, name) in rest.iter().enumerate() {
            module.push(name.clone());
            if let Some(&next) = self.files.get(&(package, module.as_slice())) {
                file = next;
                continue;
            }
            // An item of this file, or of where the file has it from.
            let handed_on = self.imports[file].iter().find(|import| import.exported && import.name == *name);
            if let Some(import) = handed_on.filter(|_| depth < 8) {
                let path = [&import.path[..], &rest[index + 1..]].concat();
                return self.resolve(file, &path, depth + 1).or(Some(file));
            }
            break;
        }
        Some(file)
    }
}

/// What the `use` declarations among `tokens` name.
fn uses(tokens: &[String]) -> Vec<Import> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        if token == "use" {
            let exported = at > 0 && (tokens[at - 1] == "pub" || (tokens[at - 1] == ")" && at > 2));
            tree(&tokens[at + 1..], &[], exported, &mut found);
        }
    }
    found
}

/// Reads one tree of a `use` declaration and returns how many tokens it has.
fn tree(tokens: &[String], prefix: &[String], exported: bool, found: &mut Vec<Import>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    loop {
        match tokens[at].as_str() {
            "::" => at += 1,
            "{" => {
                at += 1;
                while tokens[at] != "}" {
                    at += tree(&tokens[at..], &path, exported, found);
                    at += usize::from(tokens[at] == ",");
                }
                return at + 1;
            }
            "as" => {
                let name = tokens[at + 1].clone();
                found.push(Import { path, name, exported });
                return at + 2;
            }
            "," | ";" | "}" => {
                path.retain(|name| name != "*");
                if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
                    path.pop();
                }
                let name = path.last().cloned().unwrap_or_default();
                found.push(Import { path, name, exported });
                return at;
            }
            name => {
                path.push(name.to_owned());
                at += 1;
            }
        }
    }
}

/// Paths in the code itself, from their first name on; not those of `use` declarations.
fn inline(tokens: &[String]) -> Vec<Vec<String>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at + 1 < tokens.len() {
        let skipped_to = match tokens[at].as_str() {
            "use" => ";",
            // Where something is visible is no import.
            "pub" if tokens[at + 1] == "(" => ")",
            _ => "",
        };
        at += tokens[at..].iter().position(|token| token == skipped_to).unwrap_or(0);
        let mut path = vec![tokens[at].clone()];
        while at + 2 < tokens.len()
            && tokens[at + 1] == "::"
            && !["{", "<"].contains(&tokens[at + 2].as_str())
        {
            path.push(tokens[at + 2].clone());
            at += 2;
        }
        if path.len() > 1 {
            found.push(path);
        }
        at += 1;
    }
    found
}
