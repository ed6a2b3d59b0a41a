//! Circles, types and functions of the sources.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::Source;

/// Parameters that a function may have, itself not counted, and elements of a tuple among them.
const PARAMETERS: usize = 5;
const ELEMENTS: usize = 3;

/// What was found: its name, and the files that it concerns.
pub(crate) type Found = BTreeMap<String, String>;

/// Files that can be reached from each other and lie in more than one folder, which are the name.
pub(crate) fn circles(sources: &[Source], reachable: &[BTreeSet<usize>]) -> Found {
    let circle = |index: usize| {
        let together: BTreeSet<usize> =
            reachable[index].iter().copied().filter(|&other| reachable[other].contains(&index)).collect();
        let folders: BTreeSet<_> = together.iter().map(|&other| sources[other].folder(sources)).collect();
        (folders.len() > 1).then(|| (joined(folders), paths(sources, &together)))
    };
    (0..sources.len()).filter_map(circle).collect()
}

/// Names of types that are visible outside their file and declared in two files, of which one reaches the other.
pub(crate) fn repeated_types(sources: &[Source], reachable: &[BTreeSet<usize>]) -> Found {
    let mut declared: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        for name in types(&source.tokens) {
            declared.entry(name).or_default().push(index);
        }
    }
    let mut found = Found::new();
    for (name, files) in declared {
        let meets = |&file: &usize| {
            let reaches = |from: usize, to: usize| from != to && reachable[from].contains(&to);
            files.iter().any(|&other| reaches(file, other) || reaches(other, file))
        };
        let meeting: BTreeSet<usize> = files.iter().copied().filter(meets).collect();
        if !meeting.is_empty() {
            let packages: BTreeSet<_> = meeting.iter().map(|&file| sources[file].package.clone()).collect();
            found.insert(format!("{name} in {}", joined(packages)), paths(sources, &meeting));
        }
    }
    found
}

fn joined(names: BTreeSet<String>) -> String {
    names.into_iter().collect::<Vec<_>>().join(", ")
}

fn paths(sources: &[Source], files: &BTreeSet<usize>) -> String {
    joined(files.iter().map(|&file| sources[file].path.clone()).collect())
}

/// Names of the types that are declared at the top of a file for others, too.
fn types(tokens: &[String]) -> Vec<&str> {
    let (mut depth, mut found) = (0usize, Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" => depth += 1,
            "}" => depth = depth.saturating_sub(1),
            "struct" | "enum" | "trait" | "type" | "union"
                if depth == 0 && at > 0 && ["pub", ")"].contains(&tokens[at - 1].as_str()) =>
            {
                found.push(tokens[at + 1].as_str());
            }
            _ => {}
        }
    }
    found
}

/// The functions with too many parameters, or with too large a tuple among them, by the folder and the name.
pub(crate) fn long_functions(source: &Source, all: &[Source]) -> Vec<(String, String)> {
    let tokens = &source.tokens;
    let starts = (0..tokens.len()).filter(|&at| tokens[at] == "fn" && is_name(&tokens[at + 1]));
    let long = starts.filter(|&at| {
        let open = at + 2 + generics(&tokens[at + 2..]);
        let (count, largest) = parameters(&tokens[open..]);
        count > PARAMETERS || largest > ELEMENTS
    });
    let folder = source.folder(all);
    long.map(|at| (format!("{folder}: {}", tokens[at + 1]), source.path.clone())).collect()
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Tokens of the generic parameters that a list begins with.
fn generics(tokens: &[String]) -> usize {
    let mut depth = 0usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "<" => depth += 1,
            ">" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return if at == 0 && token != "<" { 0 } else { at + 1 };
        }
    }
    0
}

/// Parameters in the parentheses that `tokens` begin with, `self` not counted, and elements of the largest tuple type among them.
fn parameters(tokens: &[String]) -> (usize, usize) {
    /// An open bracket: elements before the last comma, whether something stands behind it, whether it is a tuple's.
    struct Open {
        elements: usize,
        filled: bool,
        tuple: bool,
    }
    let mut open: Vec<Open> = Vec::new();
    let (mut largest, mut itself) = (0, false);
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "(" | "[" | "<" | "{" => {
                if let Some(last) = open.last_mut() {
                    last.filled = true;
                }
                // Behind a name are the arguments of `Fn(...)`.
                let before = at.checked_sub(1).map_or("", |before| tokens[before].as_str());
                let tuple = token == "(" && at > 0 && (!is_name(before) || ["mut", "dyn"].contains(&before));
                open.push(Open { elements: 0, filled: false, tuple });
            }
            ")" | "]" | ">" | "}" => {
                let Some(Open { elements, filled, tuple }) = open.pop() else { break };
                let elements = elements + usize::from(filled);
                if open.is_empty() {
                    return (elements - usize::from(itself), largest);
                }
                if tuple {
                    largest = largest.max(elements);
                }
            }
            "," => {
                if let Some(last) = open.last_mut() {
                    last.elements += usize::from(last.filled);
                    last.filled = false;
                }
            }
            name => {
                itself |= open.len() == 1 && name == "self";
                if let Some(last) = open.last_mut() {
                    last.filled = true;
                }
            }
        }
    }
    (0, 0)
}
