//! What a user has built is not built a second time: `cargo xtask test` after `cargo xtask quickstart` takes every dependency as it
//! is, and so does xtask itself. Cargo builds a dependency again as soon as one feature of anything below it differs.

use std::collections::BTreeSet;
use std::process::Command;

use bomp_tests::workspace;
use serde_json::Value;

/// What cargo would do: a text for each thing it compiles or runs, with everything that makes two of them different.
fn units(arguments: &[&str]) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(arguments).args(["--release", "--offline", "--unit-graph", "-Z", "unstable-options"]);
    // Cargo has the option but does not promise its format; nothing is compiled.
    let output = cargo.env("RUSTC_BOOTSTRAP", "1").current_dir(workspace()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let graph: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(graph["version"], 1, "cargo has another format now: adapt this test");
    let units = graph["units"].as_array().unwrap();
    let mut known: Vec<Option<u64>> = vec![None; units.len()];
    for unit in 0..units.len() {
        identity(units, unit, &mut known);
    }
    let text = |(unit, identity): (&Value, &Option<u64>)| {
        format!("{} {} {} {:x}", unit["pkg_id"], unit["mode"], unit["features"], identity.unwrap_or_default())
    };
    units.iter().zip(&known).map(text).collect()
}

/// A number that two units share if they are alike, what they depend on included.
fn identity(units: &[Value], unit: usize, known: &mut Vec<Option<u64>>) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    if let Some(identity) = known[unit] {
        return identity;
    }
    let description = &units[unit];
    let mut below: Vec<u64> = Vec::new();
    for dependency in description["dependencies"].as_array().unwrap() {
        below.push(identity(units, dependency["index"].as_u64().unwrap() as usize, known));
    }
    below.sort_unstable();
    let mut hasher = DefaultHasher::new();
    for field in ["pkg_id", "target", "profile", "platform", "mode", "features"] {
        description[field].to_string().hash(&mut hasher);
    }
    below.hash(&mut hasher);
    *known[unit].insert(hasher.finish())
}

#[test]
fn tests_build_no_dependency_again() {
    let programs =
        ["build", "--workspace", "--bin", "bomp-search", "--bin", "bomp-export", "--bin", "bomp-sim"];
    let built = units(&programs);
    assert!(built.iter().any(|unit| unit.contains("tract-core")) && built.len() > 300, "{built:?}");
    let again: Vec<_> = built.difference(&units(&["test", "--workspace", "--no-run"])).cloned().collect();
    assert!(again.is_empty(), "built once for the programs and once for the tests: {again:#?}");
    // As the alias in .cargo/config.toml starts it.
    let xtask = units(&["build", "--bin", "xtask"]);
    let apart: Vec<_> = xtask.difference(&built).filter(|unit| unit.contains("registry")).cloned().collect();
    assert!(apart.is_empty(), "built once for xtask and once for the programs: {apart:#?}");
}
