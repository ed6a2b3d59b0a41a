//! What the structure of the code guarantees, measured over the production files of all crates: files of different folders do
//! not import each other in a circle, no two types of one name meet on a path of imports, and functions take few parameters.
//!
//! What does not hold yet is listed in `exceptions.rs` with the reason. A line there that is no longer needed fails, too.

mod exceptions;
mod imports;
mod items;
mod lexer;
mod sources;

use std::collections::BTreeSet;

use exceptions::{CIRCLES, FUNCTIONS, TYPES};
use items::Found;

/// Fails with what was `found` and is not excepted, and with exceptions of what is not there.
fn compare(found: &Found, excepted: &[(&str, &str)], rule: &str) {
    let listed: BTreeSet<&str> = excepted.iter().map(|(name, _)| *name).collect();
    let new = found.iter().filter(|(name, _)| !listed.contains(name.as_str()));
    let new: String = new.map(|(name, files)| format!("  {name} ({files})\n")).collect();
    let gone: Vec<&&str> = listed.iter().filter(|name| !found.contains_key(**name)).collect();
    assert!(new.is_empty(), "{rule}:\n{new}");
    assert!(gone.is_empty(), "{rule}: these exceptions in exceptions.rs are not needed any more: {gone:#?}");
    assert!(excepted.iter().all(|(_, reason)| !reason.is_empty()), "an exception has a reason");
}

#[test]
fn files_of_different_folders_do_not_import_each_other_in_a_circle() {
    let sources = sources::all();
    let edges = imports::edges(&sources);
    assert!(edges.iter().map(BTreeSet::len).sum::<usize>() > sources.len(), "imports are not recognised");
    let circles = items::circles(&sources, &imports::reachable(&edges));
    compare(&circles, CIRCLES, "files of different folders import each other in a circle");
}

#[test]
fn no_two_types_of_one_name_meet_on_a_path_of_imports() {
    let sources = sources::all();
    let reachable = imports::reachable(&imports::edges(&sources));
    let found = items::repeated_types(&sources, &reachable);
    compare(&found, TYPES, "a type's name is there twice on one path of imports");
}

#[test]
fn functions_have_at_most_five_parameters_and_tuples_of_three() {
    let sources = sources::all();
    let found = sources.iter().flat_map(|source| items::long_functions(source, &sources)).collect();
    compare(
        &found,
        FUNCTIONS,
        "a function has more than five parameters, or one that is a tuple of more than three",
    );
}

/// The measures themselves, on a package made for it: a circle, a name twice and long functions are found, and nothing else.
#[test]
fn what_is_wrong_is_found() {
    let source = |path: &str, module: &[&str], text: &str| {
        let (tokens, _) = lexer::without_tests(&lexer::tokens(text));
        let module = module.iter().map(ToString::to_string).collect();
        sources::Source { path: path.to_owned(), package: "made".to_owned(), module, tokens }
    };
    let sources = [
        source("lib.rs", &[], "mod a; mod b; pub use a::A;"),
        source("a/mod.rs", &["a"], "mod inner; pub use inner::A;"),
        source("a/inner.rs", &["a", "inner"], "// use crate::c;\nuse crate::b::{self, B as Other}; pub struct A<'a>(&'a str);"),
        source("b/mod.rs", &["b"], "mod inline { use super::B; use super::super::a; } pub fn b() { let _ = \"crate::c\"; } pub struct B(crate::A); pub(crate) enum A { X }"),
        source("c/mod.rs", &["c"], "use crate::A; #[cfg(test)] mod tests { use crate::b; }
            fn five(&self, a: A, b: Fn(u8, u8) -> u8, c: Map<u8, u8>, d: (u8, (u8, u8)), e: u8) {}
            fn six<T: Fn(A)>(a: A, b: u8, c: u8, d: u8, e: u8, f: u8) {} fn four(t: &mut (u8, u8, u8, u8)) {}"),
    ];
    let edges = imports::edges(&sources);
    let expected =
        [&[][..], &[], &[3], &[1, 2], &[2]].map(|edges| edges.iter().copied().collect::<BTreeSet<usize>>());
    assert_eq!(edges, expected);
    let reachable = imports::reachable(&edges);
    let pairs = |found: Found| found.into_iter().map(|(a, b)| format!("{a} ({b})")).collect::<Vec<_>>();
    assert_eq!(pairs(items::circles(&sources, &reachable)), ["made::a, made::b (a/inner.rs, b/mod.rs)"]);
    assert_eq!(pairs(items::repeated_types(&sources, &reachable)), ["A in made (a/inner.rs, b/mod.rs)"]);
    let long = sources.iter().flat_map(|source| items::long_functions(source, &sources)).collect();
    assert_eq!(pairs(long), ["made::c: four (c/mod.rs)", "made::c: six (c/mod.rs)"]);
}
