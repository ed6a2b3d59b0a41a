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

/// The packages outside of the workspace lock what ours need: otherwise they stop building when a dependency is added.
#[test]
fn every_lock_file_knows_our_dependencies() {
    let packages = |lock: &str| -> std::collections::BTreeMap<String, BTreeSet<String>> {
        let text = std::fs::read_to_string(workspace().join(lock)).unwrap();
        let ours = text.split("[[package]]").filter(|package| package.contains("\nname = \"bomp-"));
        let quoted =
            |line: &str| line.split('"').nth(1).map(|name| name.split(' ').next().unwrap_or(name).to_owned());
        let read = ours.filter_map(|package| {
            let name = package.lines().find(|line| line.starts_with("name = ")).and_then(quoted)?;
            Some((name, package.lines().filter(|line| line.starts_with(" \"")).filter_map(quoted).collect()))
        });
        read.collect()
    };
    let own = packages("Cargo.lock");
    assert!(own["bomp-search"].contains("tch"), "{own:?}");
    let mut compared = 0;
    for lock in
        ["tests/fuzz/Cargo.lock", "firmware-sim/firmware/Cargo.lock", "firmware-sim/samples/rust/Cargo.lock"]
    {
        for (name, dependencies) in packages(lock) {
            // Dependencies of tests are locked where the tests are.
            let Some(known) = own.get(&name) else { continue };
            assert!(dependencies.is_subset(known), "{lock}: {name}: {:?}", dependencies.difference(known));
            compared += 1;
        }
    }
    assert!(compared >= 5, "{compared}");
    // Targets of fuzzing do without what is optional.
    let manifest = std::fs::read_to_string(workspace().join("search/Cargo.toml")).unwrap();
    let left_out = |name: &str| {
        name == "proptest"
            || manifest
                .lines()
                .any(|line| line.starts_with(&format!("{name} =")) && line.contains("optional"))
    };
    let fuzzed = packages("tests/fuzz/Cargo.lock");
    let missing: Vec<_> =
        own["bomp-search"].difference(&fuzzed["bomp-search"]).filter(|name| !left_out(name)).collect();
    assert!(
        missing.is_empty(),
        "tests/fuzz/Cargo.lock lacks {missing:?}: `cargo metadata` in tests/fuzz adds them"
    );
}
