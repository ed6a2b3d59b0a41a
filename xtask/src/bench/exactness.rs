//! `cargo xtask bench exactness`: every kernel at every width against the reference on the host, as
//! many generated cases as wanted. On the boards `cargo xtask bench kernels` does the same with
//! fewer.

use crate::workspace;
use anyhow::Result;

/// Compare every kernel at every bit width with the reference on the host, bit for bit
#[derive(clap::Args)]
pub(super) struct Options {
    /// Number of generated cases for each kernel and bit width
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    cases: u32,
}

/// Runs the kernels' tests with that many cases.
pub(super) fn run(options: &Options) -> Result<()> {
    let cases = options.cases.to_string();
    let arguments =
        ["test", "--release", "--package", "bomp-runtime", "--lib", "kernels::tests", "--", "--nocapture"];
    workspace::cargo_with(&arguments, &[("PROPTEST_CASES", &cases)])
}
