//! `cargo xtask bench kernels`: instructions of each kernel and of whole networks on emulated
//! boards, beside the goals and the best figures that others reach, and every kernel held against
//! the reference on the device.

use crate::{programs, setup};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Count the instructions per multiply-accumulate of each kernel at 4 to 8 bits and of whole
/// networks on emulated boards, and print the code size of the kernels
#[derive(clap::Args)]
pub(super) struct Options {
    /// Boards, as `bomp-sim boards` names them
    #[arg(
        long,
        value_name = "BOARD",
        value_delimiter = ',',
        default_value = "mps2-an385,mps2-an386,mps2-an500,mps2-an505,mps3-an547"
    )]
    boards: Vec<String>,
    /// Write all counts to this file: a list of {board, layer, bits, macs, instructions}
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Compare with the counts in this file, which `--json` wrote before; fail if one has grown by more than 2 %
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// Growth of a count that `--against` lets pass, in percent.
const TOLERANCE: f64 = 2.0;

/// What `bomp-sim kernels --json` prints.
#[derive(Deserialize)]
struct Report {
    board: String,
    instructions_per_tick: f64,
    kernel_bytes: u64,
    counts: Vec<Count>,
    checks: Vec<Check>,
}

/// Instructions of one layer or network.
#[derive(Clone, Deserialize, Serialize)]
struct Count {
    board: String,
    layer: String,
    bits: u8,
    macs: u64,
    instructions: f64,
}

#[derive(Deserialize)]
struct Check {
    kernel: String,
    cases: u64,
    different: u64,
}

/// Layer, what it is, the best open 8-bit and 4-bit figures on a Cortex-M4, goal and stretch goal,
/// per MAC or element.
type Row = (&'static str, &'static str, Option<f64>, Option<f64>, f64, f64);

/// The peers' figures were measured by the same method (CMSIS-NN of July 2026 by gcc 12.2 -Ofast, CMix-NN).
const ROWS: [Row; 11] = [
    ("a", "3x3 28x28x1 -> 16", Some(10.5), Some(12.3), 6.0, 4.5),
    ("b", "3x3 28x28x3 -> 16", Some(4.83), Some(6.49), 2.4, 1.9),
    ("c", "1x1 14x14x16 -> 96", Some(3.26), Some(3.75), 2.6, 2.0),
    ("d", "1x1 14x14x96 -> 24", Some(1.86), Some(2.68), 1.85, 1.45),
    ("e", "depthwise 3x3 14x14x96", Some(8.51), Some(13.1), 4.3, 3.7),
    ("f", "depthwise 5x5 14x14x96", Some(5.06), Some(10.9), 3.2, 2.7),
    ("g", "depthwise 3x3/2 28x28x48", Some(8.79), Some(13.6), 5.2, 4.5),
    ("h", "1x1 7x7x64 -> 128", Some(2.14), Some(2.73), 1.65, 1.45),
    ("i", "dense 128 -> 10", Some(2.42), Some(5.58), 2.4, 1.9),
    ("j", "depthwise 7x7 7x7x96", Some(4.06), Some(10.3), 3.0, 2.7),
    ("add", "residual add 14x14x24", Some(81.0), None, 25.0, 15.0),
];

/// Measures on all boards.
pub(super) fn run(options: &Options) -> Result<()> {
    setup::run(&setup::Options::default())?;
    programs::build()?;
    let mut counts = Vec::new();
    let mut different = Vec::new();
    for board in &options.boards {
        let report: Report = programs::json("bomp-sim", &["kernels", "--board", board, "--json"])?;
        print(&report);
        different.extend(report.checks.iter().filter(|check| check.different > 0).map(|check| {
            format!("{board}: {} of {} cases of {}", check.different, check.cases, check.kernel)
        }));
        counts.extend(report.counts);
    }
    if let Some(path) = &options.json {
        programs::write(path, &serde_json::to_vec_pretty(&counts)?)
            .with_context(|| format!("{}: cannot be written", path.display()))?;
    }
    if let Some(path) = &options.against {
        let file = || path.display().to_string();
        let before: Vec<Count> =
            serde_json::from_slice(&std::fs::read(path).with_context(file)?).with_context(file)?;
        let (lines, grown) = compare(&before, &counts);
        println!("\n{}", lines.join("\n"));
        ensure!(grown == 0, "{grown} counts have grown by more than {TOLERANCE} %");
    }
    ensure!(different.is_empty(), "results differ from the reference: {}", different.join("; "));
    Ok(())
}

/// A line for each count that is not as it was, a sum, and how many have grown beyond the tolerance or are missing.
fn compare(before: &[Count], now: &[Count]) -> (Vec<String>, usize) {
    let (mut lines, mut equal, mut grown) = (Vec::new(), 0, 0);
    for old in before {
        let same_row =
            |new: &&Count| (&new.board, &new.layer, new.bits) == (&old.board, &old.layer, old.bits);
        let name = format!("{} {} w{}", old.board, old.layer, old.bits);
        match now.iter().find(same_row) {
            Some(new) if new.instructions == old.instructions => equal += 1,
            Some(new) => {
                let percent = 100.0 * (new.instructions / old.instructions - 1.0);
                grown += usize::from(percent > TOLERANCE);
                lines.push(format!("{name}: {} -> {} ({percent:+.2} %)", old.instructions, new.instructions));
            }
            None => {
                grown += 1;
                lines.push(format!("{name}: is not counted any more"));
            }
        }
    }
    lines.push(format!("{equal} of {} counts are equal", before.len()));
    (lines, grown)
}

fn print(report: &Report) {
    println!(
        "\n{}: {} instructions per tick by calibration, {} bytes of kernels for all widths\n",
        report.board, report.instructions_per_tick, report.kernel_bytes
    );
    let mut layers: BTreeMap<&str, Vec<&Count>> = BTreeMap::new();
    for count in &report.counts {
        layers.entry(count.layer.split("-w").next().unwrap_or(&count.layer)).or_default().push(count);
    }
    println!(
        "{:<26} {:<34} {:>6} {:>6} {:>6} {:>8}",
        "per MAC (add: per element)", "w4 to w8", "peer8", "peer4", "goal", "stretch"
    );
    let is_m4 = report.board == "mps2-an386";
    for (name, counts) in layers {
        let figures: Vec<String> =
            counts.iter().map(|c| format!("{:.2}", c.instructions / c.macs.max(1) as f64)).collect();
        let row = ROWS.iter().find(|row| row.0 == name);
        let title = row.map_or_else(|| name.to_owned(), |row| format!("{name} {}", row.1));
        print!("{title:<26} {:<34}", figures.join("   "));
        if let (Some((_, _, peer8, peer4, goal, stretch)), true) = (row, is_m4) {
            let peer = |figure: &Option<f64>| figure.map_or_else(String::new, |figure| figure.to_string());
            print!(" {:>6} {:>6} {goal:>6} {stretch:>8}", peer(peer8), peer(peer4));
        }
        if name.starts_with("found-") || counts[0].macs > 1_000_000 && counts[0].layer.contains("-w") {
            let millions: Vec<String> =
                counts.iter().map(|c| format!("{:.3}", c.instructions / 1e6)).collect();
            print!(" {} million instructions", millions.join(", "));
        }
        println!();
    }
    for check in &report.checks {
        println!(
            "{:<26} {} of {} cases differ from the reference",
            check.kernel, check.different, check.cases
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_that_grow_or_vanish_are_told() {
        let count = |layer: &str, instructions| Count {
            board: "mps2-an386".into(),
            layer: layer.into(),
            bits: 4,
            macs: 1,
            instructions,
        };
        let before = [count("a", 100.0), count("b", 100.0), count("c", 100.0), count("d", 100.0)];
        let (lines, grown) = compare(&before, &[count("a", 100.0), count("b", 101.0), count("c", 103.0)]);
        assert_eq!(grown, 2, "{lines:?}");
        assert_eq!(lines.len(), 4, "{lines:?}");
        assert_eq!(lines[3], "1 of 4 counts are equal");
    }
}
