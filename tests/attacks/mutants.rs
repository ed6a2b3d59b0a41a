//! Mutants: golden models with a few random alterations and a right length and checksum. Each is refused, or it runs inside its
//! arena, within a stated number of steps, to logits that two sets of kernels agree on.
//!
//! Mutant `i` of a seed depends on both alone, so a failure is seen again from what its message says.

use std::time::Duration;

use bomp_runtime::kernels::{Dsp, Kernels, Portable, Reference};
use bomp_runtime::layer::{Op, Shape};
use bomp_runtime::{Model, RunError, arena};
use bomp_search::stream::stream;
use nix::time::{ClockId, clock_gettime};
use rand::{Rng, RngExt};

use super::target::{Alterable, Golden};

/// Every so many mutants the reference runs as well.
const REFERENCE: u64 = 64;
/// Elements on both sides of the arena and behind the logits that must stay as they are.
const GUARD: usize = 64;
/// What a guard holds.
const MARK: i8 = 0x5a;
/// Processor time that one step may take at the very most, on a busy machine, and what is allowed beyond the steps.
const STEP: Duration = Duration::from_nanos(500);
const START: Duration = Duration::from_millis(50);

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Refused when it was loaded.
    Refused,
    /// Refused when it was run: it wants more RAM than its model's device has.
    TooLarge,
    /// It ran.
    Ran {
        /// Multiply-accumulates and elements moved.
        steps: u64,
        /// What it may take by the bound.
        bound: u64,
    },
}

/// Maker of mutants.
#[derive(Clone, Debug)]
pub struct Mutants {
    goldens: [Golden; 4],
    seed: u64,
}

impl Mutants {
    /// Those of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { goldens: Golden::all(), seed }
    }

    /// Makes mutant `index` and tries it.
    ///
    /// # Panics
    /// If it does what it must not; the message begins with seed and index.
    #[must_use]
    pub fn try_one(&self, index: u64) -> Outcome {
        let golden = &self.goldens[(index % 4) as usize];
        let mut random = stream(self.seed, index, "mutant");
        let blob = mutated(golden, &mut random);
        // Inputs are random, too: half of them an image of the golden model.
        let image = if random.random() { Some(&golden.images) } else { None };
        match run(golden, &blob, index, image, &mut random) {
            Ok(outcome) => outcome,
            Err(problem) => panic!("seed {}, mutant {index} (of `{}`): {problem}", self.seed, golden.name),
        }
    }
}

/// One to four alterations, most of them of header and records.
fn mutated(golden: &Golden, random: &mut impl Rng) -> Vec<u8> {
    let mut blob = Alterable::new(&golden.blob);
    for _ in 0..random.random_range(1..=4) {
        let records = Alterable::record(blob.layers().min(golden.blob.len() / 32), 0).min(blob.end());
        let end = blob.end();
        let at = if random.random_bool(0.8) {
            random.random_range(4..records.max(5))
        } else {
            random.random_range(0..end)
        };
        let at = at.min(end - 1);
        blob = match random.random_range(0..12) {
            0..=3 => {
                let bytes = blob.clone().raw();
                blob.put(at, &[bytes[at] ^ 1 << random.random_range(0..8)])
            }
            4..=5 => blob.put(at, &[random.random()]),
            6..=7 => blob.put(at, &[*pick(&[0, 1, 2, 15, 16, 0x7f, 0x80, 0xff], random)]),
            8 if at + 2 <= end => {
                blob.put(at, &pick::<u16>(&[0, 1, 255, 256, 1_024, 0x7fff, 0xffff], random).to_le_bytes())
            }
            9 if at + 4 <= end => {
                let values = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 1 << 28, 1 << 16, 1 << 30];
                blob.put(at, &pick::<u32>(&values, random).to_le_bytes())
            }
            10 if end > 64 => {
                let count = random.random_range(1..=20.min(end - at));
                blob.without(at, count)
            }
            _ => {
                // A record or a part of one once more, somewhere else.
                let bytes = blob.clone().raw();
                let from = random.random_range(0..records.max(1));
                let count = random.random_range(1..=20.min(end - from));
                blob.with(at, &bytes[from..from + count])
            }
        };
        if blob.end() < 48 {
            break;
        }
    }
    blob.sealed()
}

fn pick<'a, T>(values: &'a [T], random: &mut impl Rng) -> &'a T {
    &values[random.random_range(0..values.len())]
}

/// Loads and runs it on a device that has the RAM of the golden model.
fn run(
    golden: &Golden,
    blob: &[u8],
    index: u64,
    image: Option<&Vec<i8>>,
    random: &mut impl Rng,
) -> Result<Outcome, String> {
    let begun = processor_time();
    let Ok(model) = Model::new(blob) else { return Ok(Outcome::Refused) };
    let ram = Model::new(&golden.blob).expect("a golden model").arena_size();
    let image: Vec<i8> = match image {
        Some(image) => image.iter().copied().cycle().take(model.input_len().min(1 << 20)).collect(),
        None => (0..model.input_len().min(1 << 20)).map(|_| random.random()).collect(),
    };
    if model.arena_size() > ram {
        let mut words = vec![0; arena::words(ram)];
        let device = &mut arena::from_words(&mut words)[..ram];
        let refused = model.run(&image, device, &mut vec![0; model.classes()]);
        let expected = match model.input_len() == image.len() {
            true => RunError::ArenaTooSmall { needed: model.arena_size() },
            false => RunError::InputLength { needed: model.input_len() },
        };
        return if refused == Err(expected) {
            Ok(Outcome::TooLarge)
        } else {
            Err(format!("it wants {} bytes of RAM and was not refused: {refused:?}", model.arena_size()))
        };
    }
    let (steps, bound) = (steps(&model), bound(blob.len(), &model));
    if steps > bound {
        return Err(format!("{steps} steps are more than the bound of {bound}"));
    }
    let first = logits::<Portable>(&model, &image, 0x3b)?;
    let taken = processor_time().saturating_sub(begun);
    // The product of two 64-bit numbers: steps fit 40 bits, so this does not overflow.
    if taken > START + Duration::from_nanos(STEP.as_nanos() as u64 * steps) {
        return Err(format!("{steps} steps took {taken:?}"));
    }
    if logits::<Dsp>(&model, &image, -3)? != first {
        return Err("the kernels of the device give other logits".into());
    }
    if index % REFERENCE < 4 && logits::<Reference>(&model, &image, 100)? != first {
        return Err("the reference gives other logits".into());
    }
    Ok(Outcome::Ran { steps, bound })
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("Linux has this clock").into()
}

/// Multiply-accumulates of one inference, and elements that it moves.
fn steps(model: &Model<'_>) -> u64 {
    let elements = |shape: Shape| shape.elements().unwrap_or(0) as u64;
    let layer = |op: Op<'_>, input: Shape, output: Shape| match op {
        Op::Convolution(_, weights) | Op::Depthwise(_, weights) | Op::Classifier(weights) => {
            elements(output) * (weights.fan_in as u64 + 1)
        }
        Op::Add { .. } => 2 * elements(output),
        Op::AveragePool { .. } => elements(input) + elements(output),
    };
    let layers = model.layers().map(|one| layer(one.op, one.input.shape, one.output.shape));
    elements(model.input_shape()) + layers.sum::<u64>()
}

/// What any valid blob of this many bytes can make an inference do at most, as SECURITY.md states it: each weight, of which a
/// byte holds at most two, meets each pixel of an output at most once, and an output lies in the arena.
fn bound(bytes: usize, model: &Model<'_>) -> u64 {
    let (bytes, arena) = (bytes as u64, model.arena_size() as u64);
    2 * bytes * (arena + 1) + 2 * arena * (model.layer_count() as u64 + 1)
}

/// The logits of kernels `K`, which must write nothing outside the arena.
fn logits<K: Kernels>(model: &Model<'_>, image: &[i8], fill: i8) -> Result<Vec<i32>, String> {
    let size = model.arena_size();
    let mut words = vec![0; arena::words(size) + 2 * GUARD / 4 + 1];
    let memory = arena::from_words(&mut words);
    memory.fill(MARK);
    let (before, rest) = memory.split_at_mut(GUARD);
    let (arena, after) = rest.split_at_mut(size);
    arena.fill(fill);
    let mut logits = vec![0; model.classes()];
    let ran = model.run_with::<K>(image, arena, &mut logits, |_, _| {});
    if ran.is_err() {
        return Err(format!("it was accepted and did not run: {ran:?}"));
    }
    if before.iter().chain(after.iter()).any(|&element| element != MARK) {
        return Err("it wrote outside the arena".into());
    }
    Ok(logits)
}
