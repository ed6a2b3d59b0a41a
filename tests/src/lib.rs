//! What the integration tests share: the project's programs, built once per test process, and how a test runs them.

#[path = "../attacks/mod.rs"]
pub mod attacks;
pub mod authority;
pub mod certificates;
pub mod databases;
pub mod faults;
pub mod flips;
pub mod former;
pub mod invented;
pub mod kills;
pub mod long;
pub mod postgres;
pub mod surroundings;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use bomp_export::candidate::{Candidate, LayerWeights, Provenance, Quantisation};
use bomp_export::ir::{Network, Shape};
use bomp_export::{lower, write};
use bomp_search::space::Space;
use rand::RngExt;

/// The folder of the workspace.
///
/// # Panics
/// Never: this package lies in the workspace's folder.
#[must_use]
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace")
}

/// Fashion-MNIST, installed by `cargo xtask setup`.
#[must_use]
pub fn fashion_mnist() -> PathBuf {
    bomp_export::data::default_folder()
}

/// Path of one of the programs `bomp-search`, `bomp-export`, `bomp-sim`, built before the first use.
///
/// Cargo builds the programs of packages with integration tests of their own, so the tests of the whole workspace are asked
/// for here: within `cargo test --workspace` they are there already. Any other build command would compile the large
/// dependencies once more, with the features that it selects.
///
/// # Panics
/// If the programs do not build.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(workspace()).args(["test", "--quiet", "--no-run", "--workspace"]);
        // What cargo says to this test about its package: a dependency's build script that reads it would be run again.
        let said = |name: &str| {
            ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"].iter().any(|about| name.starts_with(about))
        };
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(said)) {
            build.env_remove(name);
        }
        // target/PROFILE/deps/this-test: the programs lie beside `deps`.
        let test = std::env::current_exe().expect("a test knows its own path");
        let profile = test.ancestors().nth(2).expect("a test lies in target/PROFILE/deps").to_owned();
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.status().expect("cargo starts");
        assert!(status.success(), "the programs do not build");
        profile
    });
    folder.join(name)
}

/// Runs a program to its end.
///
/// # Panics
/// If it cannot be started.
#[must_use]
pub fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(program(name)).args(arguments).output().expect("the program starts")
}

/// Runs a program that must succeed and returns what it printed.
///
/// # Panics
/// If it fails; its standard error is the message.
pub fn succeed(name: &str, arguments: &[&str]) -> String {
    let output = run(name, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?} failed:\n{error}");
    String::from_utf8(output.stdout).expect("programs print UTF-8")
}

/// Runs a program that must refuse its input with exit code 2 and exactly one line of the form `error: …`; returns the line.
///
/// # Panics
/// If it succeeds, panics, prints something else or is ended by a signal.
pub fn refuse(name: &str, arguments: &[&str]) -> String {
    let output = run(name, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{name} {arguments:?}: exit code; it printed:\n{error}");
    assert!(!error.contains("panicked"), "{name} {arguments:?} panicked:\n{error}");
    let lines: Vec<&str> = error.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(lines.len(), 1, "{name} {arguments:?}: not one line of error:\n{error}");
    lines[0].to_owned()
}

/// A candidate of `network` with weights that depend only on `seed`. Its activations mean nothing, its bytes do.
///
/// # Panics
/// Never: every layer gets finite weights and plain steps.
#[must_use]
pub fn candidate_of(network: &Network, seed: u64) -> Candidate {
    let shapes = network.shapes();
    let mut random = bomp_search::stream::stream(seed, 0, "weights of a test");
    let weights = (0..network.layers.len()).map(|index| {
        let bits = network.layers[index].op.bits()?;
        let channels = shapes[index + 1].channels;
        let count = channels * network.fan_in(index, &shapes);
        let mut floats = |count: usize, range: f32| -> Vec<f32> {
            (0..count).map(|_| random.random_range(-range..=range)).collect()
        };
        let (weight, bias) = (floats(count, 0.1), floats(channels, 0.5));
        let steps = floats(channels, 0.3);
        let scale = steps.iter().map(|step| 0.1 * (1.0 + step) / bits.max_weight() as f32).collect();
        Some(LayerWeights { weight, bias, scale })
    });
    let activation = Quantisation { scale: 6.0 / 255.0, zero_point: -128 };
    let mut tensors = vec![activation; network.layers.len()];
    tensors[0] = Quantisation::IMAGE;
    let weights = weights.collect();
    Candidate { network: network.clone(), tensors, weights, provenance: Provenance::default() }
}

/// The smallest network of the space `extended` for square grey images of `side` pixels, with random weights.
///
/// # Panics
/// Never: the space takes any image of at least 8 pixels.
#[must_use]
pub fn random_candidate(side: usize, classes: usize) -> Candidate {
    let space =
        Space::open("extended").and_then(|space| space.with_input(Shape::new(side, side, 1), classes));
    let space = space.expect("the built-in space is valid");
    let mut smallest = vec![0; space.genes().len()];
    space.canonicalise(&mut smallest);
    candidate_of(&space.network(&space.genotype(&smallest)), 1)
}

/// The same, packed.
///
/// # Panics
/// If the candidate cannot be packed.
#[must_use]
pub fn random_blob(side: usize, classes: usize) -> Vec<u8> {
    let lowered = lower::lower(&random_candidate(side, classes)).expect("the candidate can be lowered");
    write::blob(&lowered).expect("the candidate can be packed")
}
