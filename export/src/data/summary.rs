//! A look at data before anything is trained on them: how many of what, what repeats, and what is probably a mistake.
//!
//! One pass over the pixels; beside the data it takes 24 bytes for each image. Images count as equal only if every byte is.

use std::collections::hash_map::DefaultHasher;
use std::fmt::{self, Write};
use std::hash::Hasher;

use serde::{Deserialize, Serialize};

use super::dark::{self, DARK};
use super::{Dataset, Images, Split};

/// Validation images below which an accuracy is hardly more than a guess.
const FEW: usize = 50;
/// The commonest class has so many times the training images of the rarest: the plain share of correct images hides the rare one.
const UNEQUAL: usize = 4;
/// Repeated images matter from one in so many.
const REPEATED: usize = 1000;
/// Names that a warning lists.
const NAMES: usize = 4;

/// How many images of a class there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassImages {
    /// Name of the class.
    pub name: String,
    /// Images to train on, without the validation part.
    pub training: usize,
    /// Images that score trials.
    pub validation: usize,
    /// Images of the test part.
    pub test: usize,
}

/// What a data set is, as far as counting tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the data set.
    pub name: String,
    /// Height, width and channels of every image.
    pub shape: [usize; 3],
    /// Images to train on, without the validation part.
    pub training: usize,
    /// Images that score trials.
    pub validation: usize,
    /// Images of the test part.
    pub test: usize,
    /// The smallest and the largest byte of the training part.
    pub range: [u8; 2],
    /// The classes in the order of their labels.
    pub classes: Vec<ClassImages>,
    /// Validation images of the class that is commonest there: a constant answer gets so many right.
    pub constant_answer: usize,
    /// The commonest class of the validation part.
    pub commonest: String,
    /// Test images of which an identical one is in the training or the validation part.
    pub test_seen: usize,
    /// Validation images of which an identical one is in the training part.
    pub validation_seen: usize,
    /// Images of all parts of which an identical one has another class.
    pub contradictory: usize,
    /// Images of all parts whose bytes are all equal.
    pub constant: usize,
    /// Images of all parts that are not constant and have no byte above 15.
    pub dark: usize,
    /// How the files were read where there was a choice.
    pub notes: Vec<String>,
    /// What is probably a mistake, each with a remedy.
    pub warnings: Vec<String>,
}

/// Counts everything.
#[must_use]
pub fn summarise(dataset: &Dataset, split: &Split) -> Summary {
    let classes = dataset.class_names.len();
    let counts = |indices: &[usize]| {
        let mut counts = vec![0; classes];
        indices.iter().for_each(|&index| counts[usize::from(dataset.train.labels[index])] += 1);
        counts
    };
    let training = counts(&split.train_indices);
    let validation = counts(&split.validation_indices);
    let test = dataset.test.class_counts(classes);
    let names = dataset.class_names.iter();
    let class_images =
        names.zip(&training).zip(&validation).zip(&test).map(|(((name, &training), &validation), &test)| {
            ClassImages { name: name.clone(), training, validation, test }
        });
    // Of several equally common classes the first.
    let commonest = (0..classes).rev().max_by_key(|&class| validation[class]).unwrap_or_default();
    let pixels = Pixels::of(dataset);
    let repeats = Repeats::of(dataset, split);
    let mut summary = Summary {
        name: dataset.name.clone(),
        shape: [dataset.shape.height, dataset.shape.width, dataset.shape.channels],
        training: split.train_indices.len(),
        validation: split.validation_indices.len(),
        test: dataset.test.len(),
        range: pixels.range,
        classes: class_images.collect(),
        constant_answer: validation[commonest],
        commonest: dataset.class_names[commonest].clone(),
        test_seen: repeats.test_seen,
        validation_seen: repeats.validation_seen,
        contradictory: repeats.contradictory,
        constant: pixels.constant,
        dark: pixels.dark,
        notes: dataset.notes.clone(),
        warnings: dataset.warnings.clone(),
    };
    let mut warnings = summary.find_warnings(dataset.own_validation > 0, repeats.test_in_validation);
    summary.warnings.append(&mut warnings);
    summary.warnings.append(&mut dark::warnings(dataset));
    summary
}

impl Summary {
    /// Share of the validation images, 0 to 1, that a constant answer gets right.
    #[must_use]
    pub fn constant_share(&self) -> f64 {
        self.constant_answer as f64 / self.validation.max(1) as f64
    }

    fn find_warnings(&self, has_own_validation: bool, test_in_validation: usize) -> Vec<String> {
        let mut warnings = Vec::new();
        let all = self.training + self.validation + self.test;
        let most = self.classes.iter().max_by_key(|class| class.training);
        let least = self.classes.iter().min_by_key(|class| class.training);
        if let (Some(most), Some(least)) = (most, least)
            && most.training >= UNEQUAL * least.training.max(1)
        {
            warnings.push(format!(
                "classes are unequal: {} training images of `{}`, {} of `{}`; accuracy counts images, so a network that never answers \
                 `{}` can look good: see the recall of each class, and consider `--objective balanced-accuracy --class-weights balanced`",
                most.training, most.name, least.training, least.name, least.name
            ));
        }
        let enough = self.training + self.validation >= 2 * FEW;
        if self.validation < FEW {
            let remedy = match (has_own_validation, enough) {
                (true, _) => "add images to the validation part",
                (false, true) => "hold out more with --validation, or add images",
                // What is held out is not trained on.
                (false, false) => "add images",
            };
            warnings.push(format!(
                "only {} validation images: one image is {:.1} percentage points of the accuracy by which networks are chosen; {remedy}",
                self.validation,
                100.0 / self.validation.max(1) as f64
            ));
        }
        for (part, count) in [
            ("training", (|class| class.training) as fn(&ClassImages) -> usize),
            ("validation", |class| class.validation),
            ("test", |class| class.test),
        ] {
            let absent: Vec<&ClassImages> = self.classes.iter().filter(|class| count(class) == 0).collect();
            if absent.is_empty() {
                continue;
            }
            if absent.len() + 1 == self.classes.len()
                && self.classes.len() > 2
                && self.classes.iter().map(count).sum::<usize>() >= 2 * self.classes.len()
                && (part == "test" || part == "validation" && has_own_validation)
                && let Some(only) = self.classes.iter().find(|class| count(class) > 0)
            {
                warnings.push(format!(
                    "all {part} images are of `{}`, so that always answering it is always right: data sorted by class were probably cut \
                     into parts; divide them at random",
                    only.name
                ));
                continue;
            }
            let shown: Vec<String> =
                absent.iter().take(NAMES).map(|class| format!("`{}`", class.name)).collect();
            let further = absent.len().saturating_sub(NAMES);
            let further = if further > 0 { format!(" and {further} more") } else { String::new() };
            let can_be_held_out = absent.iter().all(|class| class.training > 1);
            let remedy = match part {
                "training" if absent.iter().all(|class| class.validation > 0) => {
                    "all are in the validation part; divide training and validation images anew, at random"
                }
                "validation" if has_own_validation => "add images to the validation part",
                "validation" if can_be_held_out => "hold out more with --validation",
                _ if absent.len() == 1 => "add images of it",
                _ => "add images of them",
            };
            warnings.push(format!("no {part} images of {}{further}: {remedy}", shown.join(", ")));
        }
        let in_training = self.test_seen - test_in_validation;
        if in_training * REPEATED >= self.test.max(1) {
            warnings.push(format!(
                "{in_training} of {} test images are in the training part too, byte for byte: the test accuracy will be too good; remove them from one part",
                self.test
            ));
        }
        if test_in_validation * REPEATED >= self.test.max(1) {
            warnings.push(format!(
                "{test_in_validation} of {} test images are in the validation part too, byte for byte: networks are chosen by images that test \
                 them; remove them from one part",
                self.test
            ));
        }
        if self.validation_seen * REPEATED >= self.validation.max(1) {
            warnings.push(format!(
                "{} of {} validation images are among those trained on too, byte for byte: accuracies of trials will be too good; remove repeated images",
                self.validation_seen, self.validation
            ));
        }
        if self.contradictory * REPEATED >= all.max(1) {
            warnings.push(format!(
                "{} of {all} images have the same bytes as an image of another class: no network gets all of them right; correct their labels",
                self.contradictory
            ));
        }
        if self.constant > 0 {
            warnings.push(format!(
                "{} of {all} images have one value everywhere; look for damaged files or a wrong scale",
                self.constant
            ));
        }
        warnings
    }
}

impl fmt::Display for Summary {
    /// The short form: a few lines, without the classes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [height, width, channels] = self.shape;
        writeln!(
            f,
            "data {}: {} images of {height}x{width}x{channels} (high x wide x channels), values {} to {}, {} classes",
            self.name,
            self.training + self.validation + self.test,
            self.range[0],
            self.range[1],
            self.classes.len()
        )?;
        writeln!(
            f,
            "split: {} training, {} validation, {} test images; always answering `{}` gets {:.1} % of the validation images right",
            self.training,
            self.validation,
            self.test,
            self.commonest,
            100.0 * self.constant_share()
        )?;
        let mut repeated = String::new();
        for (count, what) in [
            (self.test_seen, "test images are in the training or validation part too"),
            (self.validation_seen, "validation images are among those trained on"),
            (self.contradictory, "images equal one of another class"),
        ] {
            if count > 0 {
                write!(repeated, "{}{count} {what}", if repeated.is_empty() { "" } else { ", " })?;
            }
        }
        if !repeated.is_empty() {
            writeln!(f, "repeated: {repeated}")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}

/// What the values of the pixels say.
struct Pixels {
    range: [u8; 2],
    constant: usize,
    dark: usize,
}

impl Pixels {
    fn of(dataset: &Dataset) -> Self {
        let mut pixels = Pixels { range: [u8::MAX, 0], constant: 0, dark: 0 };
        for (images, is_training) in [(&dataset.train, true), (&dataset.test, false)] {
            for index in 0..images.len() {
                let (low, high) = extremes(images.image(index));
                if is_training {
                    pixels.range = [pixels.range[0].min(low), pixels.range[1].max(high)];
                }
                if low == high {
                    pixels.constant += 1;
                } else if images.are_pixels() && high <= DARK {
                    pixels.dark += 1;
                }
            }
        }
        pixels
    }
}

/// The smallest and the largest byte.
fn extremes(bytes: &[u8]) -> (u8, u8) {
    bytes.iter().fold((u8::MAX, 0), |(low, high), &byte| (low.min(byte), high.max(byte)))
}

/// Which images occur more than once.
#[derive(Default)]
struct Repeats {
    test_seen: usize,
    /// Of them, those that are in a validation part of the data's own and not in the training part.
    test_in_validation: usize,
    validation_seen: usize,
    contradictory: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Training,
    Validation,
    Test,
}

impl Repeats {
    fn of(dataset: &Dataset, split: &Split) -> Self {
        let mut images: Vec<(u64, u32, Part)> = Vec::with_capacity(dataset.train.len() + dataset.test.len());
        let mut add = |images_of: &Images, index: usize, part| {
            // As many images as 32 bits count do not fit into memory.
            images.push((hash(images_of.image(index)), index as u32, part));
        };
        split.train_indices.iter().for_each(|&index| add(&dataset.train, index, Part::Training));
        split.validation_indices.iter().for_each(|&index| add(&dataset.train, index, Part::Validation));
        (0..dataset.test.len()).for_each(|index| add(&dataset.test, index, Part::Test));
        images.sort_unstable_by_key(|&(hash, _, _)| hash);
        let of = |part: Part| if part == Part::Test { &dataset.test } else { &dataset.train };
        let mut repeats = Self::default();
        for group in images.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1) {
            let (_, first, part) = group[0];
            let first = of(part).image(first as usize);
            // Different images of one hash do not occur by accident, and made on purpose they are not counted.
            let equal: Vec<_> =
                group.iter().filter(|&&(_, index, part)| of(part).image(index as usize) == first).collect();
            let has = |wanted: Part| equal.iter().any(|(_, _, part)| *part == wanted);
            let count = |wanted: Part| equal.iter().filter(|(_, _, part)| *part == wanted).count();
            if has(Part::Training) || has(Part::Validation) {
                repeats.test_seen += count(Part::Test);
            }
            if has(Part::Validation) && !has(Part::Training) && dataset.own_validation > 0 {
                repeats.test_in_validation += count(Part::Test);
            }
            if has(Part::Training) {
                repeats.validation_seen += count(Part::Validation);
            }
            let label = |&&(_, index, part): &&(u64, u32, Part)| of(part).labels[index as usize];
            if equal.iter().any(|image| label(image) != label(&equal[0])) {
                repeats.contradictory += equal.len();
            }
        }
        repeats
    }
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
