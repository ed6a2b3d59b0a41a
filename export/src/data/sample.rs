//! Which images a check looks at when it does not look at all: a stratified sample with a fixed seed, never the first ones.
//!
//! Data are often stored class by class, or easy images first; the first N of them say nothing of the rest. A sample has of
//! every class its share, rounded by largest remainders, and the same images whenever the labels and the number are the same.

use std::num::NonZeroUsize;

use super::error::DataError;
use super::split::draw;
use super::{Dataset, Images};

/// Seed of every sample.
const SEED: u64 = 1;

/// How many images are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SampleSize {
    /// All.
    All,
    /// So many, or all if there are fewer: a default.
    AtMost(usize),
    /// So many, or an error if there are fewer: the user's own number.
    Exactly(usize),
}

impl SampleSize {
    /// The user's number, or else this default.
    #[must_use]
    pub fn new(asked: Option<NonZeroUsize>, otherwise: SampleSize) -> Self {
        asked.map_or(otherwise, |count| SampleSize::Exactly(count.get()))
    }
}

/// Reads the value of `--images`.
///
/// # Errors
/// One line that says what to write instead.
pub fn image_count(text: &str) -> Result<NonZeroUsize, String> {
    text.parse().map_err(|_| "write a whole number of images from 1 up, or leave the option out".to_owned())
}

/// Test images for a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The images, in the order of the data.
    pub images: Images,
    /// Where each of them is among all test images, ascending.
    pub indices: Vec<usize>,
    /// How many test images there are.
    pub of: usize,
}

impl Sample {
    /// Whether it is all test images.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.indices.len() == self.of
    }

    /// `all 10000 test images`, or `a sample of 100 of the 10000 test images, stratified by class`.
    #[must_use]
    pub fn describe(&self) -> String {
        describe(self.indices.len(), self.of)
    }
}

/// What [`Sample::describe`] says of `count` images of `of`.
#[must_use]
pub fn describe(count: usize, of: usize) -> String {
    if count == of {
        format!("all {of} test images")
    } else {
        format!("a sample of {count} of the {of} test images, stratified by class")
    }
}

/// Test images of `dataset` for a check.
///
/// # Errors
/// [`DataError::SampleSize`] when more are asked for than there are, or none.
pub fn test_sample(dataset: &Dataset, size: SampleSize) -> Result<Sample, DataError> {
    let (test, of) = (&dataset.test, dataset.test.len());
    let count = match size {
        SampleSize::All => of,
        SampleSize::AtMost(most) => most.min(of),
        SampleSize::Exactly(count) => count,
    };
    if count == 0 || count > of {
        return Err(DataError::SampleSize { asked: count, data: dataset.name.clone(), images: of });
    }
    if count == of {
        return Ok(Sample { images: test.clone(), indices: (0..of).collect(), of });
    }
    let indices = stratified(&test.labels, dataset.class_names.len(), count);
    Ok(Sample { images: test.subset(&indices), indices, of })
}

/// `count` ascending indices into `labels`, all below `classes`: of every class its share. All of them where `count` is not
/// smaller than their number.
#[must_use]
pub fn stratified(labels: &[u16], classes: usize, count: usize) -> Vec<usize> {
    if count >= labels.len() {
        return (0..labels.len()).collect();
    }
    draw(labels, classes, count, SEED, "sample")
}
