//! In which order images are trained on, and how each is shifted and flipped: a stream of batches that depends on the seed,
//! the trial and the phase alone.
//!
//! Permutations and draws are made on the host and copied to the device once an epoch; batches are then picked, shifted
//! and flipped on the device, so that the training loop itself copies nothing.

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_chacha::ChaCha8Rng;
use tch::{Device, Kind, Tensor};

use super::images::DeviceImages;
use crate::recipe::Augmentation;

/// An endless stream of batches of indices.
#[derive(Debug)]
pub(super) struct Order {
    random: ChaCha8Rng,
    device: Device,
    augmentation: Augmentation,
    images: usize,
    position: usize,
    /// [N] indices of this epoch, and [N, 3] (rows down, columns right, mirrored or not) with augmentation.
    indices: Tensor,
    draws: Option<Tensor>,
}

/// One batch, or a part of one: which images, and how each is changed.
#[derive(Debug)]
pub(super) struct Batch {
    indices: Tensor,
    draws: Option<Tensor>,
    augmentation: Augmentation,
}

/// The images of a batch.
#[derive(Debug)]
pub(super) struct Picked {
    /// [B, H, W, C] (u8).
    pub(super) pixels: Tensor,
    /// [B].
    pub(super) labels: Tensor,
    /// A teacher's logits [B, CLASSES]; of the image or of its mirror image, but not shifted.
    pub(super) teacher_logits: Option<Tensor>,
    /// The byte that stands for 0.
    pub(super) zero: u8,
}

impl Order {
    /// For `images` images, by a random stream of the phase.
    pub(super) fn new(images: usize, device: Device, augmentation: Augmentation, random: ChaCha8Rng) -> Self {
        let indices = Tensor::zeros([0], (Kind::Int64, device));
        Self { random, device, augmentation, images, position: images, indices, draws: None }
    }

    /// The next `size` images; a new permutation begins where fewer are left.
    pub(super) fn next(&mut self, size: usize) -> Batch {
        assert!(size <= self.images, "a batch is not larger than the data");
        if self.position + size > self.images {
            self.shuffle();
        }
        let start = self.position as i64;
        self.position += size;
        Batch {
            indices: self.indices.narrow(0, start, size as i64),
            draws: self.draws.as_ref().map(|draws| draws.narrow(0, start, size as i64)),
            augmentation: self.augmentation,
        }
    }

    fn shuffle(&mut self) {
        let mut order: Vec<i64> = (0..self.images as i64).collect();
        order.shuffle(&mut self.random);
        self.indices = Tensor::from_slice(&order).to_device(self.device);
        self.position = 0;
        if !self.augmentation.is_none() {
            let shifts = 2 * self.augmentation.crop_padding as i64 + 1;
            let draws: Vec<i64> = (0..self.images)
                .flat_map(|_| {
                    let [down, right] = [(); 2].map(|()| self.random.random_range(0..shifts));
                    [down, right, i64::from(self.random.next_u32() & 1)]
                })
                .collect();
            self.draws = Some(Tensor::from_slice(&draws).view([-1, 3]).to_device(self.device));
        }
    }
}

impl Batch {
    /// Parts `count` of nearly equal size.
    pub(super) fn shards(&self, count: usize) -> Vec<Batch> {
        let indices = self.indices.tensor_split(count as i64, 0);
        let mut draws = self.draws.as_ref().map(|draws| draws.tensor_split(count as i64, 0).into_iter());
        let part = |indices| {
            let draws = draws.as_mut().and_then(Iterator::next);
            Batch { indices, draws, augmentation: self.augmentation }
        };
        indices.into_iter().map(part).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.indices.size()[0] as usize
    }

    /// Another handle to the same memory, for another thread.
    pub(super) fn share(&self) -> Batch {
        Batch {
            indices: self.indices.shallow_clone(),
            draws: self.draws.as_ref().map(Tensor::shallow_clone),
            augmentation: self.augmentation,
        }
    }

    /// The images of the batch, changed as drawn.
    pub(super) fn pick(&self, images: &DeviceImages) -> Picked {
        let pixels = images.pixels.index_select(0, &self.indices);
        let labels = images.labels.index_select(0, &self.indices);
        let mirrored = self.draws.as_ref().filter(|_| self.augmentation.flip).map(|draws| draws.select(1, 2));
        let teacher_logits = images.teacher_logits.as_ref().map(|logits| {
            let rows = match mirrored {
                Some(mirrored) => &self.indices + mirrored * images.len() as i64,
                None => self.indices.shallow_clone(),
            };
            logits.flatten(0, 1).index_select(0, &rows)
        });
        let pixels = match &self.draws {
            Some(draws) => augment(&pixels, draws, self.augmentation, images.zero()),
            None => pixels,
        };
        Picked { pixels, labels, teacher_logits, zero: images.zero() }
    }
}

/// Shifts and mirrors `pixels` [B, H, W, C] by `draws` [B, 3]; what comes from outside an image is `zero`: black, or a feature of 0.
fn augment(pixels: &Tensor, draws: &Tensor, augmentation: Augmentation, zero: u8) -> Tensor {
    let [batch, height, width, channels] =
        <[i64; 4]>::try_from(pixels.size()).expect("images are [B, H, W, C]");
    let padding = augmentation.crop_padding as i64;
    let sides = [0, 0, padding, padding, padding, padding];
    let padded = pixels.f_pad(sides, "constant", f64::from(zero)).expect("a constant around bytes");
    let options = (Kind::Int64, pixels.device());
    let rows = Tensor::arange(height, options).view([1, -1]) + draws.narrow(1, 0, 1);
    let mut columns = Tensor::arange(width, options).view([1, -1]).expand([batch, width], false);
    if augmentation.flip {
        // (width - 1) - x where the draw is 1, x where it is 0.
        let mirrored = draws.narrow(1, 2, 1);
        columns = &columns * (1 - 2 * &mirrored) + mirrored * (width - 1);
    }
    let columns = columns + draws.narrow(1, 1, 1);
    let positions = rows.unsqueeze(2) * (width + 2 * padding) + columns.unsqueeze(1);
    let positions =
        positions.view([batch, height * width, 1]).expand([batch, height * width, channels], false);
    padded.view([batch, -1, channels]).gather(1, &positions, false).view([batch, height, width, channels])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::stream;
    use bomp_export::candidate::Quantisation;
    use bomp_export::data::Images;
    use bomp_export::ir::Shape;
    use std::collections::HashSet;

    fn bytes(tensor: &Tensor) -> Vec<u8> {
        Vec::try_from(tensor.flatten(0, -1)).unwrap()
    }

    #[test]
    fn every_epoch_is_a_permutation_and_repeats_for_the_same_triple() {
        let take = |trial, purpose| {
            let mut order = Order::new(10, Device::Cpu, Augmentation::default(), stream(3, trial, purpose));
            (0..6).map(|_| Vec::<i64>::try_from(order.next(5).indices).unwrap()).collect::<Vec<_>>()
        };
        let batches = take(1, "a");
        for epoch in batches.chunks(2) {
            assert_eq!(epoch.concat().into_iter().collect::<HashSet<_>>().len(), 10);
        }
        assert_ne!(batches[0..2], batches[2..4]);
        assert_eq!(batches, take(1, "a"));
        assert_ne!(batches, take(2, "a"));
        assert_ne!(batches, take(1, "b"));
    }

    #[test]
    fn augmentation_moves_and_mirrors_whole_pixels() {
        // Two images of 3x4x2 with distinct non-zero bytes.
        let shape = Shape::new(3, 4, 2);
        let pixels: Vec<u8> = (1..=48).collect();
        let images = Images { pixels: pixels.clone(), labels: vec![0, 1], shape, input: Quantisation::IMAGE };
        let images = DeviceImages::upload(&images, Device::Cpu).unwrap();
        let images = images.with_teacher(&[0.0, 1.0, 2.0, 3.0], &[4.0, 5.0, 6.0, 7.0]).unwrap();
        let augmentation = Augmentation { crop_padding: 2, flip: true };
        let mut order = Order::new(2, Device::Cpu, augmentation, stream(1, 1, "augment"));
        let mut seen = HashSet::new();
        for _ in 0..300 {
            let batch = order.next(2);
            let indices = Vec::<i64>::try_from(&batch.indices).unwrap();
            let draws = Vec::<i64>::try_from(batch.draws.as_ref().unwrap().flatten(0, -1)).unwrap();
            let picked = batch.pick(&images);
            assert_eq!(Vec::<i64>::try_from(picked.labels).unwrap(), indices);
            let changed = bytes(&picked.pixels);
            let logits = Vec::<f32>::try_from(picked.teacher_logits.unwrap().flatten(0, -1)).unwrap();
            for (at, &index) in indices.iter().enumerate() {
                let &[down, right, mirrored] = &draws[at * 3..][..3] else { unreachable!() };
                let expected_logits =
                    [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0]][(2 * mirrored + index) as usize];
                assert_eq!(logits[at * 2..][..2], expected_logits);
                seen.insert((down, right, mirrored));
                let mut expected = Vec::new();
                for y in 0..3i64 {
                    for x in 0..4i64 {
                        let column = if mirrored == 1 { 3 - x } else { x } + right - 2;
                        let row = y + down - 2;
                        let inside = (0..3).contains(&row) && (0..4).contains(&column);
                        let from = (index * 24 + (row * 4 + column) * 2) as usize;
                        expected.extend((0..2).map(|c| if inside { pixels[from + c] } else { 0 }));
                    }
                }
                assert_eq!(changed[at * 24..][..24], expected);
            }
        }
        assert_eq!(seen.len(), 50, "every shift occurs with and without mirroring");
    }

    #[test]
    fn shards_are_the_batch() {
        let augmentation = Augmentation { crop_padding: 1, flip: false };
        let mut order = Order::new(11, Device::Cpu, augmentation, stream(1, 1, "shards"));
        let batch = order.next(11);
        let shards = batch.shards(3);
        let cat = |pick: fn(&Batch) -> &Tensor| {
            Vec::<i64>::try_from(Tensor::cat(&shards.iter().map(pick).collect::<Vec<_>>(), 0).flatten(0, -1))
                .unwrap()
        };
        assert_eq!(cat(|b| &b.indices), Vec::<i64>::try_from(&batch.indices).unwrap());
        let draws = Vec::<i64>::try_from(batch.draws.as_ref().unwrap().flatten(0, -1)).unwrap();
        assert_eq!(cat(|b| b.draws.as_ref().unwrap()), draws);
    }
}
