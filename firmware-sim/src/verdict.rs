//! The verdict: what the device computed and used, beside what was predicted and what the host computed.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use crate::certificate::{Budget, Call, Certificate, StackBound};
pub use crate::elf::Flash;

/// Instructions of one inference, counted on every image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instructions {
    /// Of the image that took the fewest.
    pub min: u64,
    /// Over all images.
    pub mean: f64,
    /// Of the image that took the most.
    pub max: u64,
    /// `mean` over the nominal MACs.
    pub per_mac: f64,
}

impl Instructions {
    /// From the instructions of each image, at least one.
    pub(crate) fn of(counts: &[f64], macs: u64) -> Self {
        let mean = counts.iter().sum::<f64>() / counts.len().max(1) as f64;
        Self {
            min: counts.iter().copied().fold(f64::INFINITY, f64::min).round() as u64,
            mean,
            max: counts.iter().copied().fold(0.0, f64::max).round() as u64,
            per_mac: mean / macs.max(1) as f64,
        }
    }
}

/// Bytes of RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ram {
    /// Arena that the model's header asks for.
    pub arena_predicted: u64,
    /// Arena up to the last byte that an inference wrote: all of it, but for scratch that this processor's kernels leave
    /// alone. The device was refused when it offered one byte less than predicted.
    pub arena_used: u64,
    /// Variables that are not the arena: one image, the logits, the driver's own.
    pub other_static: u64,
    /// What of them is the image and the logits, which depend on the model.
    pub image_and_logits: u64,
    /// Stack, from the reset on.
    pub stack_used: u64,
    /// Sum of the three that are used.
    pub used: u64,
    /// What the board has.
    pub available: u64,
}

/// What a run on a board showed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The packed model.
    pub model: PathBuf,
    /// The board.
    pub board: String,
    /// Its processor.
    pub cpu: String,
    /// The compiler that built the firmware.
    pub compiler: String,
    /// Name of the data.
    pub dataset: String,
    /// Test images classified: all of them, or a sample stratified by class.
    pub images: usize,
    /// Test images that there are.
    pub of_images: usize,
    /// Images that the device classified correctly.
    pub device_correct: usize,
    /// Images that the host classified correctly.
    pub host_correct: usize,
    /// Whether all logits of all images are the host's, bit for bit.
    pub logits_equal: bool,
    /// Images with a logit that differs.
    pub different_images: usize,
    /// The first of them, counted from 0 among all test images.
    pub first_different_image: Option<usize>,
    /// Nominal multiply-accumulates of one inference, padding taps included.
    pub macs: u64,
    /// Instructions of one inference.
    pub instructions: Instructions,
    /// Length of the model's file in bytes.
    pub file_bytes: u64,
    /// Length of the model's section in the image.
    pub section_bytes: u64,
    /// Whether that section is the file, byte for byte.
    pub section_equals_file: bool,
    /// Flash.
    pub flash: Flash,
    /// What the firmware's kernels cannot, because the model does not need it.
    pub kernels_left_out: Vec<String>,
    /// Bytes of flash that the firmware uses when it is built with all kernels, if that was asked for.
    pub flash_of_all_kernels: Option<u64>,
    /// RAM.
    pub ram: Ram,
    /// What the image proves about itself.
    pub certificate: Certificate,
    /// What the firmware may take on this processor, the model and its arena apart.
    pub budget: Option<Budget>,
    /// Seconds of building.
    pub build_seconds: f64,
    /// Seconds of emulation.
    pub run_seconds: f64,
}

impl Verdict {
    /// Whether the device did exactly what was promised.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures().is_empty()
    }

    /// The promises that were not kept, one line each.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        if !self.logits_equal {
            let first = self.first_different_image.unwrap_or(0);
            failures.push(format!(
                "logits of {} of {} images differ from the host's, the first at image {first}",
                self.different_images, self.images
            ));
        }
        if !self.section_equals_file {
            failures.push("the model's section in the image is not the file".to_owned());
        }
        if self.ram.arena_used > self.ram.arena_predicted {
            failures.push(format!(
                "the device used {} bytes of arena, {} were predicted",
                self.ram.arena_used, self.ram.arena_predicted
            ));
        }
        failures.extend(self.certificate.failures());
        if let Some(bound) = &self.certificate.stack
            && self.ram.stack_used > bound.bytes
        {
            failures.push(format!(
                "{} bytes of stack were used, more than the bound of {}",
                self.ram.stack_used, bound.bytes
            ));
        }
        failures.extend(self.beyond_budget());
        failures
    }

    /// What the firmware takes beside the model and its arena.
    #[must_use]
    pub fn firmware(&self) -> Budget {
        Budget {
            code: self.flash.text + self.flash.rodata,
            variables: self.ram.other_static.saturating_sub(self.ram.image_and_logits),
            stack: self.certificate.stack.as_ref().map_or(0, |bound| bound.bytes),
        }
    }

    /// What has grown beyond the budget.
    fn beyond_budget(&self) -> Vec<String> {
        let (Some(budget), taken) = (self.budget, self.firmware()) else { return Vec::new() };
        let figures = [
            ("code and constants", taken.code, budget.code),
            ("variables", taken.variables, budget.variables),
            ("stack", taken.stack, budget.stack),
        ];
        let over = figures.into_iter().filter(|(_, taken, budget)| taken > budget);
        over.map(|(what, taken, budget)| {
            format!("the firmware takes {taken} bytes of {what}, {} beyond its budget", taken - budget)
        })
        .collect()
    }
}

/// The images whose logits differ: how many, and the first.
pub(crate) fn differences(device: &[i32], host: &[i32], classes: usize) -> (usize, Option<usize>) {
    let pairs = device.chunks(classes).zip(host.chunks(classes)).enumerate();
    let mut different = pairs.filter(|(_, (device, host))| device != host).map(|(image, _)| image);
    let first = different.next();
    (different.count() + usize::from(first.is_some()), first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict() -> Verdict {
        Verdict {
            model: "model.bomp".into(),
            board: "mps2-an386".into(),
            cpu: "cortex-m4".into(),
            compiler: "rustc 1.95.0".into(),
            dataset: "fashion-mnist".into(),
            images: 3,
            of_images: 10_000,
            device_correct: 2,
            host_correct: 2,
            logits_equal: true,
            different_images: 0,
            first_different_image: None,
            macs: 1_000,
            instructions: Instructions::of(&[4_000.0, 5_000.0, 9_000.0], 1_000),
            file_bytes: 900,
            section_bytes: 900,
            section_equals_file: true,
            kernels_left_out: vec!["average pooling".into()],
            flash_of_all_kernels: Some(12_000),
            flash: Flash { text: 8_000, rodata: 500, model: 900, data: 0, used: 9_400, available: 65_536 },
            ram: Ram {
                arena_predicted: 700,
                arena_used: 700,
                other_static: 100,
                image_and_logits: 80,
                stack_used: 300,
                used: 1_100,
                available: 8_192,
            },
            certificate: Certificate {
                panic_symbols: Vec::new(),
                heap_symbols: Vec::new(),
                float_symbols: Vec::new(),
                stack: Some(StackBound {
                    bytes: 400,
                    program: 300,
                    exception: 100,
                    chain: vec![Call { function: "main".into(), bytes: 300 }],
                    pointer_calls: 0,
                }),
                stack_problem: None,
            },
            budget: Some(Budget { code: 8_500, variables: 20, stack: 400 }),
            build_seconds: 1.5,
            run_seconds: 2.5,
        }
    }

    #[test]
    fn it_survives_json() {
        let text = serde_json::to_string(&verdict()).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict());
        assert_eq!(
            verdict().instructions,
            Instructions { min: 4_000, mean: 6_000.0, max: 9_000, per_mac: 6.0 }
        );
    }

    #[test]
    fn every_broken_promise_is_a_failure() {
        assert!(verdict().passed());
        let broken: [fn(&mut Verdict); 11] = [
            |v| v.logits_equal = false,
            |v| v.section_equals_file = false,
            |v| v.ram.arena_used = 701,
            |v| v.certificate.panic_symbols.push("bomp_panicked".into()),
            |v| v.certificate.heap_symbols.push("malloc".into()),
            |v| v.certificate.float_symbols.push("__aeabi_fadd".into()),
            |v| v.certificate.stack_problem = Some("`main` calls itself".into()),
            |v| v.ram.stack_used = 401,
            |v| v.flash.text += 1,
            |v| v.ram.other_static += 1,
            |v| v.budget = Some(Budget { stack: 399, ..v.firmware() }),
        ];
        for break_promise in broken {
            let mut verdict = verdict();
            break_promise(&mut verdict);
            assert_eq!(verdict.failures().len(), 1);
        }
    }

    #[test]
    fn differences_name_the_first_image() {
        assert_eq!(differences(&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 4, 5, 6], 2), (0, None));
        assert_eq!(differences(&[1, 2, 3, 4, 5, 6], &[1, 2, 3, 0, 5, 0], 2), (2, Some(1)));
    }
}
