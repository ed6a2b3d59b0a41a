//! The validation part: held out from the training images, stratified, the same for the same data, size and seed.
//!
//! Stratified, because trials are told apart by fractions of a percent: a plain draw of 6,000 would add the noise of
//! unequal class shares to every accuracy without making it any more honest. Every class gives its exact share, rounded
//! by largest remainders, and keeps at least one image for training.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

use super::Dataset;
use super::error::DataError;

/// How many training images to hold out. Written as a fraction with a point (`0.1`) or as a number of images (`6000`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValidationSize {
    /// A part of the training images, above 0 and below 1; rounded to the nearest image.
    Fraction(f64),
    /// A number of images.
    Count(usize),
}

impl Default for ValidationSize {
    /// A tenth: 54,000 + 6,000 of Fashion-MNIST's 60,000.
    fn default() -> Self {
        ValidationSize::Fraction(0.1)
    }
}

impl fmt::Display for ValidationSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ValidationSize::Fraction(fraction) => write!(f, "{fraction}"),
            ValidationSize::Count(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for ValidationSize {
    type Err = DataError;

    fn from_str(given: &str) -> Result<Self, DataError> {
        let bad = || DataError::ValidationSize { given: given.to_owned() };
        if let Ok(count) = given.parse() {
            return if count > 0 { Ok(ValidationSize::Count(count)) } else { Err(bad()) };
        }
        match given.parse() {
            Ok(fraction) if 0.0 < fraction && fraction < 1.0 => Ok(ValidationSize::Fraction(fraction)),
            _ => Err(bad()),
        }
    }
}

/// Indices into the training images: together all of them, none twice, each list ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// For training.
    pub train_indices: Vec<usize>,
    /// For the score of a trial.
    pub validation_indices: Vec<usize>,
}

/// Holds out a validation part of the training images; data that came with one of their own keep it, whatever the seed.
///
/// # Errors
/// [`DataError::HoldOut`] when nothing would be held out, a class would be left without a training image, or `size` is not the
/// default although the data came with a validation part of their own.
pub fn split(dataset: &Dataset, size: ValidationSize, seed: u64) -> Result<Split, DataError> {
    let images = dataset.train.len();
    if dataset.own_validation > 0 {
        if size != ValidationSize::default() {
            let problem = format!(
                "the data came with a validation part of {} images; leave out --validation, or remove that part from the data",
                dataset.own_validation
            );
            return Err(DataError::HoldOut { asked: size.to_string(), images, problem });
        }
        let train = images - dataset.own_validation;
        return Ok(Split {
            train_indices: (0..train).collect(),
            validation_indices: (train..images).collect(),
        });
    }
    let count = match size {
        ValidationSize::Fraction(fraction) => (fraction * images as f64).round() as usize,
        ValidationSize::Count(count) => count,
    };
    let [train_indices, validation_indices] =
        hold_out(&dataset.train.labels, dataset.class_names.len(), count, seed, "split").map_err(
            |problem| {
                let problem = format!("{problem}; {}", remedy(dataset, count));
                DataError::HoldOut { asked: size.to_string(), images, problem }
            },
        )?;
    Ok(Split { train_indices, validation_indices })
}

/// What to do when `count` images cannot be held out: the nearest number that can.
fn remedy(dataset: &Dataset, count: usize) -> String {
    let sizes = dataset.train.class_counts(dataset.class_names.len());
    let most = sizes.iter().map(|size| size.saturating_sub(1)).sum::<usize>();
    let can = |&count: &usize| shares(&sizes, count, 1).is_some();
    // Few numbers have to be tried: nearly all below the largest one are possible.
    match (1..=count.clamp(1, most.max(1))).rev().take(1 << 12).find(|count| *count <= most && can(count)) {
        Some(possible) => {
            let bound = if possible < count { "at most" } else { "at least" };
            format!("hold out {bound} {possible}, `--validation {possible}`, or add images")
        }
        None => "add images: each class needs one to train on and, some of them, another one to hold out"
            .to_owned(),
    }
}

/// Divides the indices of `labels` into those kept and `count` held out, by the random stream of (`seed`, `purpose`).
///
/// Every index draws a 64-bit key in order; a class gives up its members with the smallest keys. So the result depends
/// on ChaCha's output alone, not on some library's shuffle.
pub(super) fn hold_out(
    labels: &[u16],
    classes: usize,
    count: usize,
    seed: u64,
    purpose: &str,
) -> Result<[Vec<usize>; 2], String> {
    if count == 0 || count >= labels.len() {
        return Err(format!("that would leave {count} and {} images", labels.len().saturating_sub(count)));
    }
    let members = members(labels, classes, seed, purpose);
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    let shares = shares(&sizes, count, 1)
        .ok_or_else(|| "some classes have so few images that none would be left to train on".to_owned())?;
    let mut kept = Vec::with_capacity(labels.len() - count);
    let mut held_out = Vec::with_capacity(count);
    for (members, share) in members.into_iter().zip(shares) {
        held_out.extend(members[..share].iter().map(|&(_, index)| index));
        kept.extend(members[share..].iter().map(|&(_, index)| index));
    }
    kept.sort_unstable();
    held_out.sort_unstable();
    Ok([kept, held_out])
}

/// `count` ascending indices into `labels`, of every class its share, by the random stream of (`seed`, `purpose`). `count` is
/// below the number of labels.
pub(super) fn draw(labels: &[u16], classes: usize, count: usize, seed: u64, purpose: &str) -> Vec<usize> {
    let members = members(labels, classes, seed, purpose);
    let sizes: Vec<usize> = members.iter().map(Vec::len).collect();
    // Without images to keep, every class can give its rounded share.
    let shares = shares(&sizes, count, 0).unwrap_or_default();
    let drawn = members.iter().zip(shares).flat_map(|(members, share)| &members[..share]);
    let mut indices: Vec<usize> = drawn.map(|&(_, index)| index).collect();
    indices.sort_unstable();
    indices
}

/// The indices of each class's labels by rising random key.
fn members(labels: &[u16], classes: usize, seed: u64, purpose: &str) -> Vec<Vec<(u64, usize)>> {
    let mut rng = stream(seed, purpose);
    let mut members: Vec<Vec<(u64, usize)>> = vec![Vec::new(); classes];
    for (index, &label) in labels.iter().enumerate() {
        members[usize::from(label)].push((rng.next_u64(), index));
    }
    members.iter_mut().for_each(|class| class.sort_unstable());
    members
}

/// How many of `count` each class gives, in proportion to `sizes`, by largest remainders (ties: the earlier class). A class
/// is not rounded up unless `kept` images of it remain; `None` where that cannot be.
fn shares(sizes: &[usize], count: usize, kept: usize) -> Option<Vec<usize>> {
    let total: usize = sizes.iter().sum();
    let exact = |size: usize| size as u128 * count as u128;
    let mut shares: Vec<usize> = sizes.iter().map(|&size| (exact(size) / total as u128) as usize).collect();
    let missing = count - shares.iter().sum::<usize>();
    let mut order: Vec<usize> =
        (0..sizes.len()).filter(|&class| shares[class] + kept < sizes[class]).collect();
    order.sort_by_key(|&class| Reverse(exact(sizes[class]) % total as u128));
    if missing > order.len() {
        return None;
    }
    for &class in &order[..missing] {
        shares[class] += 1;
    }
    Some(shares)
}

/// The random stream of a seed and a purpose: ChaCha8 keyed with SHA-256 of both.
fn stream(seed: u64, purpose: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(purpose.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}
