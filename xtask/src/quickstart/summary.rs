//! Quickstart's figures: `summary.json` and the table on the terminal.

use super::answers::{Engine, Finished, Trial, Verdict};
use super::phases::Phase;
use anyhow::{Context, Result};
use serde::Serialize;

/// `summary.json`. Counts are images, sizes bytes.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) predicted_bytes: u64,
    pub(super) file_bytes: u64,
    pub(super) elf_bytes: u64,
    pub(super) arena_predicted: u64,
    pub(super) arena_used: u64,
    pub(super) macs: u64,
    pub(super) m4_instructions: u64,
    pub(super) test_images: u64,
    pub(super) m4_images: u64,
    pub(super) tract_images: u64,
    pub(super) logits_equal: bool,
    pub(super) correct: Correct,
    /// The network that the search began with.
    pub(super) seed: Network,
    /// The best that it found at no more bytes.
    pub(super) found: Network,
    /// Every part of quickstart, in order.
    pub(super) seconds: Vec<Phase>,
}

/// Images classified correctly; `m4` of `m4_images`, `tract` of `tract_images`, the others of `test_images`.
#[derive(Debug, Serialize)]
pub(super) struct Correct {
    pub(super) float: u64,
    pub(super) integer: u64,
    pub(super) m4: u64,
    pub(super) onnxruntime: u64,
    pub(super) tract: u64,
}

/// A network as its trial scored it, and as it was finished.
#[derive(Debug, Serialize)]
pub(super) struct Network {
    pub(super) trial: u64,
    pub(super) bytes: u64,
    pub(super) validation_correct: u64,
    pub(super) validation_images: u64,
    pub(super) test_correct: u64,
    pub(super) test_images: u64,
}

impl Network {
    /// A trial with what became of it.
    ///
    /// # Errors
    /// It is not among what was finished.
    pub(super) fn new<'a>(trial: &Trial, finished: &'a [Finished]) -> Result<(Self, &'a Finished)> {
        let finished = finished.iter().find(|finished| finished.trial == trial.number);
        let finished = finished
            .with_context(|| format!("`bomp-search finalise` did not finish trial {}", trial.number))?;
        let network = Self {
            trial: trial.number,
            bytes: trial.usage.bytes,
            validation_correct: trial.correct.unwrap_or_default(),
            validation_images: trial.images.unwrap_or_default(),
            test_correct: finished.integer_correct,
            test_images: finished.test_images,
        };
        Ok((network, finished))
    }

    fn line(&self) -> String {
        let validation = percent(self.validation_correct, self.validation_images);
        let test = percent(self.test_correct, self.test_images);
        format!(
            "{} bytes; {validation} of the validation images in its trial, {test} of the test images when finished",
            self.bytes
        )
    }
}

fn percent(correct: u64, images: u64) -> String {
    format!("{:.2} %", 100.0 * correct as f64 / images.max(1) as f64)
}

impl Summary {
    /// One line for each figure.
    pub(super) fn print(&self, onnxruntime: &Engine, tract: &Engine, m4: &Verdict) {
        let accuracy =
            |correct: u64, images: u64| format!("{} ({correct} of {images})", percent(correct, images));
        let ties = |engine: &Engine, images: u64| {
            format!(
                "{} of {} classes equal ({:.3} %); {} of {} activations rounded the other way",
                engine.agreeing,
                images,
                100.0 * engine.agreement,
                engine.layers.differing,
                engine.layers.elements
            )
        };
        let parts = self.seconds.iter().map(|phase| format!("{} {:.0} s", phase.name, phase.seconds));
        let total: f64 = self.seconds.iter().map(|phase| phase.seconds).sum();
        let rows = [
            ("the network that the search began with", self.seed.line()),
            ("the network that it found", self.found.line()),
            (
                "size predicted / file / ELF section",
                format!("{} / {} / {} bytes", self.predicted_bytes, self.file_bytes, self.elf_bytes),
            ),
            ("RAM (arena) predicted / used", format!("{} / {} bytes", self.arena_predicted, self.arena_used)),
            ("stack used on the Cortex-M4", format!("{} bytes", m4.ram.stack_used)),
            ("test accuracy, float network", accuracy(self.correct.float, self.test_images)),
            ("test accuracy, integer runtime", accuracy(self.correct.integer, self.test_images)),
            ("test accuracy, Cortex-M4", accuracy(self.correct.m4, self.m4_images)),
            ("test accuracy, ONNX Runtime", accuracy(self.correct.onnxruntime, self.test_images)),
            ("test accuracy, tract", accuracy(self.correct.tract, self.tract_images)),
            (
                "logits of Cortex-M4 and host",
                if self.logits_equal { "bit-identical".into() } else { "DIFFERENT".into() },
            ),
            ("ONNX Runtime and integer runtime", ties(onnxruntime, self.test_images)),
            ("tract and integer runtime", ties(tract, self.tract_images)),
            ("multiply-accumulates", format!("{} per image", self.macs)),
            (
                "Cortex-M4 instructions",
                format!("{} per image, {:.2} per MAC", self.m4_instructions, m4.instructions.per_mac),
            ),
            ("time", format!("{total:.0} s: {}", parts.collect::<Vec<_>>().join(", "))),
        ];
        println!();
        for (name, value) in rows {
            println!("{name:<38} {value}");
        }
    }
}
