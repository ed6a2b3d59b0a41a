//! The production files of all crates, read once.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::lexer::{tokens, without_tests};

/// The packages by the folder of their sources, and their names in paths.
const PACKAGES: [(&str, &str); 10] = [
    ("runtime/src", "bomp_runtime"),
    ("runtime/c/src", "bomp"),
    ("export/src", "bomp_export"),
    ("search/src", "bomp_search"),
    ("search/experiments/src", "bomp_experiments"),
    ("firmware-sim/src", "bomp_sim"),
    ("firmware-sim/device/src", "bomp_device"),
    ("firmware-sim/firmware/src", "bomp_firmware"),
    ("firmware-sim/kernels/src", "bomp_kernels"),
    ("xtask/src", "xtask"),
];

/// A file of a package.
pub(crate) struct Source {
    /// From the root of the repository.
    pub(crate) path: String,
    /// Its package, as paths name it.
    pub(crate) package: String,
    /// The names of its module from the root of the package on.
    pub(crate) module: Vec<String>,
    /// Without what is compiled for tests.
    pub(crate) tokens: Vec<String>,
}

impl Source {
    /// The module whose folder it is the head of or lies in.
    pub(crate) fn folder(&self, all: &[Source]) -> String {
        let is_head = self.path.ends_with("mod.rs")
            || all.iter().any(|other| {
                other.package == self.package
                    && other.module.len() > self.module.len()
                    && other.module.starts_with(&self.module)
            });
        let parents = self.module.len().saturating_sub(usize::from(!is_head));
        let names = std::iter::once(&self.package).chain(&self.module[..parents]);
        names.map(String::as_str).collect::<Vec<_>>().join("::")
    }
}

/// All of them, libraries before the programs of the same package.
pub(crate) fn all() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests are in the repository");
    let mut found = Vec::new();
    for (folder, package) in PACKAGES {
        let mut tests = BTreeSet::new();
        let mut sources = Vec::new();
        read(root, &root.join(folder), (package, &[]), &mut (&mut sources, &mut tests));
        sources.retain(|source: &Source| {
            !tests.iter().any(|test: &Vec<String>| source.module.starts_with(test))
        });
        assert!(!sources.is_empty(), "{folder}: no sources");
        found.extend(sources);
    }
    found
}

type Found<'a> = (&'a mut Vec<Source>, &'a mut BTreeSet<Vec<String>>);

fn read(root: &Path, folder: &Path, (package, module): (&str, &[String]), found: &mut Found<'_>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let below = [module, std::slice::from_ref(&name)].concat();
        if path.is_dir() {
            // A program of its own has a module tree of its own, which nobody imports from.
            let below = if name == "bin" { module.to_vec() } else { below };
            read(root, &path, (package, &below), found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let module =
                if ["lib", "main", "mod"].contains(&name.as_str()) { module.to_vec() } else { below };
            let (tokens, tests) = without_tests(&tokens(&fs::read_to_string(&path).unwrap()));
            found.1.extend(tests.into_iter().map(|test| [&module[..], &[test]].concat()));
            let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            found.0.push(Source { path, package: package.to_owned(), module, tokens });
        }
    }
}
