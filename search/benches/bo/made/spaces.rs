//! Hyper-parameters and networks given by numbers.

use bomp_search::bo::pareto::{Objectives, Reference};
use bomp_search::stream::stream;
use rand::RngExt;

use super::{Chance, Made, Parameter, Told, luck};

/// All of them.
pub(super) fn all() -> Vec<Made> {
    vec![classifier(), perceptron(true), perceptron(false), cliff(), noisy(), tight(), nested()]
}

/// A perceptron of two layers with its training: a skewed error over several decades, told in natural units.
fn perceptron(known: bool) -> Made {
    const RATES: [f64; 6] = [5e-4, 1e-3, 5e-3, 1e-2, 5e-2, 1e-1];
    const UNITS: [f64; 6] = [16.0, 32.0, 64.0, 128.0, 256.0, 512.0];
    const BATCHES: [f64; 4] = [8.0, 16.0, 32.0, 64.0];
    const DROPOUTS: [f64; 3] = [0.0, 0.3, 0.6];
    Made {
        name: if known { "perceptron-size" } else { "perceptron-time" },
        character: "hyper-parameters of a perceptron, error on a log scale, ordinal numbers without a scale",
        parameters: vec![
            Parameter::nominal("activation1", 2),
            Parameter::nominal("activation2", 2),
            Parameter::nominal("schedule", 2),
            Parameter::ordinal("rate", &RATES),
            Parameter::ordinal("batch", &BATCHES),
            Parameter::ordinal("dropout1", &DROPOUTS),
            Parameter::ordinal("dropout2", &DROPOUTS),
            Parameter::ordinal("units1", &UNITS),
            Parameter::ordinal("units2", &UNITS),
        ],
        told: Told::Error,
        known,
        limit: None,
        reference: Reference { value: 0.0, cost: if known { 5.6 } else { 2.9 } },
        least: 1.0,
        chance: Chance { value: 0.04, cost: 0.03, failure: 0.0 },
        formula: Box::new(move |p| {
            let at = |d: usize| usize::from(p[d]);
            let (rate, batch) = (RATES[at(3)].ln(), BATCHES[at(4)].ln());
            let (units1, units2) = (UNITS[at(7)], UNITS[at(8)]);
            let cosine = at(2) == 0;
            let best_rate = (2e-3f64).ln() + 0.5 * (batch - 2.0) + if cosine { 0.4 } else { 0.0 };
            let off = rate - best_rate;
            // Too fast is far worse than too slow.
            let rate_loss = if off > 0.0 { 0.16 * off * off } else { 0.05 * off * off };
            let drop = 0.55 * DROPOUTS[at(5)] * (1.3 - 0.1 * units1.log2())
                + 0.4 * DROPOUTS[at(6)] * (1.3 - 0.1 * units2.log2());
            let capacity = 0.28 * (units1.log2() - 4.0) + 0.2 * (units2.log2() - 4.0);
            let tanh = if at(0) == 1 { 0.1 } else { 0.0 } + if at(1) == 1 { -0.05 } else { 0.0 };
            let value = 2.1 * (1.0 - (-0.9 * capacity - 0.45).exp()) - rate_loss - drop - tanh
                + if cosine { 0.12 } else { 0.0 }
                + 0.15 * (luck(p, 4) - 0.5);
            let weights = 10.0 * units1 + units1 * units2 + units2;
            let cost = if known {
                weights.log10()
            } else {
                ((3.0 + weights / 9000.0) * 60.0 / BATCHES[at(4)].sqrt()).log10()
            };
            Some(Objectives { value: value.max(-1.0), cost })
        }),
    }
}

/// Five numbers of ten levels over many decades each; accuracies from chance level up, seconds as noisy as seconds are.
fn classifier() -> Made {
    let decades = |from: f64, to: f64| -> Vec<f64> {
        (0..10).map(|i| 10f64.powf(from + (to - from) * f64::from(i) / 9.0)).collect()
    };
    Made {
        name: "classifier-time",
        character: "hyper-parameters over decades, balanced accuracy, measured seconds",
        parameters: vec![
            Parameter::ordinal("alpha", &decades(-8.0, 0.0)),
            Parameter::ordinal("batch", &[4.0, 6.0, 10.0, 16.0, 25.0, 40.0, 64.0, 101.0, 161.0, 256.0]),
            Parameter::ordinal("depth", &[1.0, 2.0, 3.0]),
            Parameter::ordinal("rate", &decades(-5.0, 0.0)),
            Parameter::ordinal("width", &[16.0, 25.0, 40.0, 64.0, 101.0, 161.0, 256.0, 406.0, 645.0, 1024.0]),
        ],
        told: Told::Accuracy,
        known: false,
        limit: None,
        reference: Reference { value: 0.5, cost: 1.8 },
        least: -0.5,
        chance: Chance { value: 0.01, cost: 0.04, failure: 0.0 },
        formula: Box::new(|p| {
            let x = |d: usize| f64::from(p[d]) / 9.0;
            let depth = f64::from(p[2]);
            let best_rate = 0.42 + 0.25 * (x(1) - 0.5) - 0.05 * depth;
            let off = 4.5 * (x(3) - best_rate);
            let trained = if off > 0.0 { (-0.8 * off * off).exp() } else { (-0.25 * off * off).exp() };
            let capacity = 1.0 - 0.45 * (-2.5 * x(4) - 0.8 * depth).exp();
            let decay = 0.08 * (x(0) - 0.6).max(0.0);
            let value = 0.33 + 0.6 * trained * capacity - decay + 0.012 * (luck(p, 5) - 0.5);
            let cost = 0.2 - 0.7 * x(1) + 0.25 * depth + 1.1 * x(4) * x(4) + 0.2 * (x(3) - 0.5).powi(2);
            Some(Objectives { value, cost })
        }),
    }
}

/// Two in three trainings end at chance exactly, beyond a cliff that several parameters place together.
fn cliff() -> Made {
    const STEPS: [f64; 8] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
    Made {
        name: "cliff",
        character: "trainings diverge to chance level beyond a cliff, the best ones close to it",
        parameters: (0..8)
            .map(|i| match i {
                6 | 7 => Parameter::nominal(format!("kind{i}"), 4),
                _ => Parameter::ordinal(format!("x{i}"), &STEPS),
            })
            .collect(),
        told: Told::Accuracy,
        known: true,
        limit: None,
        reference: Reference { value: 5.0, cost: 2.0 },
        least: 0.0,
        chance: Chance { value: 0.3, ..Chance::default() },
        formula: Box::new(|p| {
            let x: Vec<f64> = p.iter().map(|&level| f64::from(level) / 7.0).collect();
            let stress = x[0] + 0.7 * x[1] + 0.5 * (1.0 - x[2]) + if p[6] == 2 { -0.35 } else { 0.0 };
            let cost = 0.3 + 0.9 * x[3] + 0.6 * x[4] + 0.1 * x[1];
            if stress > 0.95 {
                return Some(Objectives { value: 10.0, cost });
            }
            let kind = [0.0, 6.0, 3.0, 1.0][usize::from(p[7])];
            let value = 35.0 + 25.0 * stress + 14.0 * x[3] + 10.0 * x[4] * (1.0 - 0.4 * x[5]) + kind
                - 12.0 * (x[5] - 0.4).powi(2);
            Some(Objectives { value, cost })
        }),
    }
}

/// Twenty mixed parameters of which six matter, under noise of a third of the spread.
fn noisy() -> Made {
    Made {
        name: "noisy",
        character: "mixed parameters, most without effect, under strong noise",
        parameters: (0..20)
            .map(|i| match i % 2 {
                0 => Parameter::nominal(format!("n{i}"), 3 + (i % 3) as u16),
                _ => Parameter::ordinal(format!("o{i}"), &[1.0, 2.0, 4.0, 8.0, 16.0]),
            })
            .collect(),
        told: Told::Accuracy,
        known: true,
        limit: None,
        reference: Reference { value: 40.0, cost: 1.0 },
        least: 0.0,
        chance: Chance { value: 2.0, ..Chance::default() },
        formula: Box::new(|p| {
            let x = |d: usize| f64::from(p[d]);
            let hit = |d: usize, level: u16| f64::from(u8::from(p[d] == level));
            let cost = 0.05 + 0.12 * x(1) + 0.08 * x(3) + 0.03 * x(5) + 0.05 * hit(0, 2);
            let value = 50.0 + 3.0 * x(1) + 2.0 * x(3) * hit(0, 1).max(0.4) + 7.0 * hit(2, 1)
                - 1.2 * (x(7) - 2.0).powi(2)
                + 4.0 * hit(4, 0) * hit(6, 2)
                - 5.0 * hit(8, 1);
            Some(Objectives { value, cost })
        }),
    }
}

/// Layers' widths under a limit that one random point in some hundreds observes.
fn tight() -> Made {
    Made {
        name: "tight",
        character: "widths and kernels under a limit that one random point in hundreds observes",
        parameters: (0..14)
            .map(|i| match i % 2 {
                0 => Parameter::ordinal(format!("width{}", i / 2), &[4.0, 8.0, 16.0, 32.0, 64.0, 128.0]),
                _ => Parameter::ordinal(format!("kernel{}", i / 2), &[1.0, 3.0, 5.0, 7.0]),
            })
            .collect(),
        told: Told::Accuracy,
        known: true,
        limit: Some(4.0),
        reference: Reference { value: 60.0, cost: 4.0 },
        least: 2.5,
        chance: Chance { value: 0.4, ..Chance::default() },
        formula: Box::new(|p| {
            let width = |l: usize| 4.0 * 2f64.powi(i32::from(p[2 * l]));
            let kernel = |l: usize| 2.0 * f64::from(p[2 * l + 1]) + 1.0;
            let layer =
                |l: usize| kernel(l).powi(2) * width(l) + if l > 0 { width(l - 1) * width(l) } else { 0.0 };
            let size: f64 = (0..7).map(layer).sum::<f64>() + 10.0 * width(6);
            let narrowest = (0..7).map(width).fold(f64::INFINITY, f64::min);
            let capacity: f64 = (0..7).map(|l| (0.5 + 0.08 * l as f64) * width(l).log2()).sum();
            let sight: f64 = (0..7).map(|l| (kernel(l) - 1.0) * (1.0 - 0.1 * l as f64)).sum();
            let value = 93.0 - 40.0 * (-0.16 * capacity).exp() - 0.02 * (sight - 14.0).powi(2).min(300.0)
                + 1.2 * narrowest.log2();
            Some(Objectives { value, cost: size.log10() })
        }),
    }
}

/// Blocks of which the first say how many of the others there are: most parameters are often without effect.
fn nested() -> Made {
    let mut rng = stream(0, 0, "nested");
    let taste: Vec<[f64; 3]> = (0..8).map(|_| [0.0; 3].map(|_: f64| 2.5 * rng.random::<f64>())).collect();
    let block = |b: usize| {
        [
            Parameter::nominal(format!("op{b}"), 3),
            Parameter::ordinal(format!("width{b}"), &[8.0, 12.0, 16.0, 24.0, 32.0]),
            Parameter::ordinal(format!("kernel{b}"), &[3.0, 5.0, 7.0]),
        ]
    };
    let depth = Parameter::ordinal("depth", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
    Made {
        name: "nested",
        character: "up to eight blocks; parameters of absent blocks have no effect",
        parameters: std::iter::once(depth).chain((0..8).flat_map(block)).collect(),
        told: Told::Accuracy,
        known: true,
        limit: None,
        reference: Reference { value: 45.0, cost: 2.3 },
        least: 0.3,
        chance: Chance { value: 0.4, ..Chance::default() },
        formula: Box::new(move |p| {
            let depth = usize::from(p[0]) + 1;
            let (mut gain, mut size, mut before) = (0.0, 0.0, 1.0);
            for (b, block) in p[1..].chunks(3).take(depth).enumerate() {
                let width = [8.0, 12.0, 16.0, 24.0, 32.0][usize::from(block[1])];
                let kernel = [9.0, 25.0, 49.0][usize::from(block[2])];
                gain += taste[b][usize::from(block[0])] * 0.35
                    + 0.9 * (width / 8.0f64).ln()
                    + 0.25 * f64::from(block[2])
                    + 0.6;
                size += match block[0] {
                    0 => before * width * kernel / 9.0,
                    1 => before * (width + kernel),
                    _ => 0.5 * before * width + kernel,
                };
                before = width;
            }
            let value = 78.0 - 42.0 * (-0.16 * gain).exp() - 0.5 * (depth as f64 - 5.0).max(0.0).powi(2);
            Some(Objectives { value, cost: (size / 50.0 + 1.0).log10() })
        }),
    }
}
