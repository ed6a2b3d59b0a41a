//! Labelled images on the device, as bytes: uploaded once, then picked and converted there.

use bomp_export::candidate::Quantisation;
use bomp_export::data::{self, Images};
use bomp_export::ir::{Network, Shape};
use tch::{Device, Kind, Tensor};

use super::error::TrainError;

/// Images `[N, H, W, C]` (u8) and labels `[N]` (i64) on a device.
#[derive(Debug)]
pub struct DeviceImages {
    pub(super) pixels: Tensor,
    pub(super) labels: Tensor,
    /// A teacher's logits [2, N, CLASSES], for each image and then for each mirrored one.
    pub(super) teacher_logits: Option<Tensor>,
    /// Shape of one image.
    pub(super) shape: Shape,
    /// What a byte stands for, in the units of the data.
    pub(super) input: Quantisation,
}

impl DeviceImages {
    /// Copies `images` to `device`, where they stay.
    ///
    /// # Errors
    /// [`TrainError::Data`] without images, [`TrainError::Torch`] when they do not fit the device's memory.
    pub fn upload(images: &Images, device: Device) -> Result<Self, TrainError> {
        if images.is_empty() {
            return Err(TrainError::Data("a part of it has no images".into()));
        }
        let Shape { height, width, channels } = images.shape;
        let size = [images.len() as i64, height as i64, width as i64, channels as i64];
        let labels: Vec<i64> = images.labels.iter().map(|&label| i64::from(label)).collect();
        Ok(Self {
            pixels: Tensor::f_from_slice(&images.pixels)?.f_view(size)?.f_to_device(device)?,
            labels: Tensor::f_from_slice(&labels)?.f_to_device(device)?,
            teacher_logits: None,
            shape: images.shape,
            input: images.input,
        })
    }

    /// The same images with a teacher's `logits` [N, CLASSES] for each, and for each `mirrored` left to right.
    ///
    /// # Errors
    /// [`TrainError::Data`] unless there are as many as images, and at least as many classes as labels.
    pub fn with_teacher(self, logits: &[f32], mirrored: &[f32]) -> Result<Self, TrainError> {
        let classes = logits.len() / self.len();
        let fits = logits.len() == classes * self.len() && mirrored.len() == logits.len();
        if !fits || self.labels.max().int64_value(&[]) >= classes as i64 {
            return Err(TrainError::Data(
                "the teacher's logits are not those of its images and classes".into(),
            ));
        }
        let both = [logits, mirrored].concat();
        let logits = Tensor::f_from_slice(&both)?.f_view([2, self.len() as i64, classes as i64])?;
        Ok(Self { teacher_logits: Some(logits.f_to_device(self.device())?), ..self })
    }

    pub(super) fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// Number of images of each of `classes` classes; labels at or above it are left out.
    pub(super) fn class_counts(&self, classes: usize) -> Vec<usize> {
        let mut counts = vec![0; classes];
        for label in Vec::<i64>::try_from(&self.labels).expect("labels are integers") {
            if let Some(count) = usize::try_from(label).ok().and_then(|label| counts.get_mut(label)) {
                *count += 1;
            }
        }
        counts
    }

    /// The device that holds the images.
    #[must_use]
    pub fn device(&self) -> Device {
        self.pixels.device()
    }

    /// Another handle to the same memory, for another thread.
    pub(super) fn share(&self) -> Self {
        let teacher_logits = self.teacher_logits.as_ref().map(Tensor::shallow_clone);
        Self {
            pixels: self.pixels.shallow_clone(),
            labels: self.labels.shallow_clone(),
            teacher_logits,
            shape: self.shape,
            input: self.input,
        }
    }

    /// The images `start..end` in their order, without a copy and without a teacher's logits.
    pub(super) fn range(&self, start: usize, end: usize) -> Self {
        let part = |tensor: &Tensor| tensor.narrow(0, start as i64, (end - start) as i64);
        Self { pixels: part(&self.pixels), labels: part(&self.labels), teacher_logits: None, ..self.share() }
    }

    /// At most `count` images that stand for the whole, without a teacher's logits: spread evenly over it, unless that misses classes, as
    /// it does where the order of the classes repeats itself; then a sample stratified by class.
    pub(super) fn spread(&self, count: usize) -> Self {
        let count = count.clamp(1, self.len());
        let labels: Vec<u16> = Vec::<i64>::try_from(&self.labels)
            .expect("labels are integers")
            .into_iter()
            .map(|label| u16::try_from(label).unwrap_or(u16::MAX))
            .collect();
        let indices = representative(&labels, count);
        let indices = Tensor::from_slice(&indices).to_device(self.device());
        Self {
            pixels: self.pixels.index_select(0, &indices),
            labels: self.labels.index_select(0, &indices),
            teacher_logits: None,
            ..self.share()
        }
    }

    /// The byte that stands for 0.
    pub(super) fn zero(&self) -> u8 {
        zero_of(self.input)
    }

    /// The quantisation of a network's input in training: one step is 1/255 whatever it is in the units of the data, so that
    /// data of large and of small numbers are trained on alike.
    pub(super) fn in_training(&self) -> Quantisation {
        Quantisation { scale: Quantisation::IMAGE.scale, ..self.input }
    }

    /// That the images are what `network` takes and its classes what they are labelled with.
    pub(super) fn check(&self, network: &Network) -> Result<(), TrainError> {
        if self.shape != network.input {
            let (is, wanted) = (self.shape, network.input);
            return Err(TrainError::Data(format!("the images are {is}, the network takes {wanted}")));
        }
        let largest = self.labels.max().int64_value(&[]);
        if largest >= network.classes() as i64 {
            let classes = network.classes();
            return Err(TrainError::Data(format!("a label is {largest}, the network has {classes} classes")));
        }
        Ok(())
    }
}

/// The least share of an even spread that a class has of what it should have. Among shuffled images, none is as unlucky.
const FAIR: f64 = 0.25;
/// Images that a class should have for its share to say anything.
const ENOUGH: f64 = 8.0;

/// `count` indices into `labels`, ascending, for [`DeviceImages::spread`].
fn representative(labels: &[u16], count: usize) -> Vec<i64> {
    let even: Vec<usize> = (0..count).map(|at| at * labels.len() / count).collect();
    let classes = labels.iter().max().map_or(0, |&largest| usize::from(largest) + 1);
    let (mut all, mut spread) = (vec![0usize; classes], vec![0usize; classes]);
    labels.iter().for_each(|&label| all[usize::from(label)] += 1);
    even.iter().for_each(|&index| spread[usize::from(labels[index])] += 1);
    let part = count as f64 / labels.len() as f64;
    let misses = |(&all, &spread): (&usize, &usize)| {
        let share = all as f64 * part;
        share >= ENOUGH && (spread as f64) < FAIR * share
    };
    let chosen =
        if all.iter().zip(&spread).any(misses) { data::stratified(labels, classes, count) } else { even };
    chosen.into_iter().map(|index| index as i64).collect()
}

/// The byte that stands for 0 where bytes are elements plus 128.
pub(super) fn zero_of(input: Quantisation) -> u8 {
    (i16::from(input.zero_point) + 128) as u8
}

/// Bytes [N, H, W, C] (u8) as planes [N, C, H, W] of steps away from `zero`, the byte that stands for 0: for pixels, whose zero
/// is 0, these are 0..=255.
pub(super) fn to_planes(pixels: &Tensor, zero: u8) -> Tensor {
    let planes = pixels.permute([0, 3, 1, 2]).to_kind(Kind::Float).contiguous();
    if zero == 0 { planes } else { planes - f64::from(zero) }
}

/// Bytes [N, H, W, C] (u8) as the network's input [N, C, H, W], 255 steps being 1: for pixels 0..=1. It is what the device
/// sees, whose int8 input is the byte less 128.
pub(super) fn to_input(pixels: &Tensor, zero: u8) -> Tensor {
    to_planes(pixels, zero) * (1.0 / 255.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_even_unless_that_misses_classes() {
        // In the order of the classes and shuffled, as data usually are.
        let sorted: Vec<u16> = (0..2_560).map(|index| index / 256).collect();
        let even: Vec<i64> = (0..256).map(|at| at * 10).collect();
        assert_eq!(representative(&sorted, 256), even);
        let shuffled: Vec<u16> =
            (0..2_560u32).map(|index| (index.wrapping_mul(2_654_435_761) >> 16) as u16 % 10).collect();
        assert_eq!(representative(&shuffled, 256), even);
        // Ten classes by turns: every tenth image is of one class.
        let by_turns: Vec<u16> = (0..2_560).map(|index| index % 10).collect();
        let mut counts = [0; 10];
        representative(&by_turns, 256)
            .iter()
            .for_each(|&index| counts[by_turns[index as usize] as usize] += 1);
        assert!(counts.iter().all(|count| (25..=26).contains(count)), "{counts:?}");
        assert_eq!(representative(&by_turns, 2_560), (0..2_560).collect::<Vec<i64>>());
        assert_eq!(representative(&[3], 1), [0]);
    }
}
