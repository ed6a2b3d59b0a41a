//! Labelled images on the device, as bytes: uploaded once, then picked and converted there.

use bomp_export::data::Images;
use bomp_export::ir::{Network, Shape};
use tch::{Device, Kind, Tensor};

use super::error::TrainError;

/// Images [N, H, W, C] (u8) and labels [N] (i64) on a device.
#[derive(Debug)]
pub struct DeviceImages {
    pub(super) pixels: Tensor,
    pub(super) labels: Tensor,
    /// A teacher's logits [2, N, CLASSES], for each image and then for each mirrored one.
    pub(super) opinions: Option<Tensor>,
    /// Shape of one image.
    pub(super) shape: Shape,
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
            opinions: None,
            shape: images.shape,
        })
    }

    /// The same images with a teacher's `logits` [N, CLASSES] for each, and for each `mirrored` left to right.
    ///
    /// # Errors
    /// [`TrainError::Data`] unless there are as many as images, and at least as many classes as labels.
    pub fn with_opinions(self, logits: &[f32], mirrored: &[f32]) -> Result<Self, TrainError> {
        let classes = logits.len() / self.len();
        let fits = logits.len() == classes * self.len() && mirrored.len() == logits.len();
        if !fits || self.labels.max().int64_value(&[]) >= classes as i64 {
            return Err(TrainError::Data(
                "the teacher's logits are not those of its images and classes".into(),
            ));
        }
        let both = [logits, mirrored].concat();
        let opinions = Tensor::f_from_slice(&both)?.f_view([2, self.len() as i64, classes as i64])?;
        Ok(Self { opinions: Some(opinions.f_to_device(self.device())?), ..self })
    }

    /// Number of images.
    pub(super) fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// The device that holds the images.
    #[must_use]
    pub fn device(&self) -> Device {
        self.pixels.device()
    }

    /// Another handle to the same memory, for another thread.
    pub(super) fn share(&self) -> Self {
        let opinions = self.opinions.as_ref().map(Tensor::shallow_clone);
        Self {
            pixels: self.pixels.shallow_clone(),
            labels: self.labels.shallow_clone(),
            opinions,
            shape: self.shape,
        }
    }

    /// The images `start..end` in their order, without a copy and without opinions.
    pub(super) fn range(&self, start: usize, end: usize) -> Self {
        let part = |tensor: &Tensor| tensor.narrow(0, start as i64, (end - start) as i64);
        Self { pixels: part(&self.pixels), labels: part(&self.labels), opinions: None, shape: self.shape }
    }

    /// At most `count` images spread evenly over the whole, without opinions.
    pub(super) fn spread(&self, count: usize) -> Self {
        let count = count.clamp(1, self.len()) as i64;
        let indices = Tensor::arange(count, (Kind::Int64, self.device())) * self.len() as i64;
        let indices = indices.divide_scalar_mode(count, "floor");
        Self {
            pixels: self.pixels.index_select(0, &indices),
            labels: self.labels.index_select(0, &indices),
            opinions: None,
            shape: self.shape,
        }
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

/// Pixels [N, H, W, C] (u8) as planes [N, C, H, W] of 0..=255.
pub(super) fn to_planes(pixels: &Tensor) -> Tensor {
    pixels.permute([0, 3, 1, 2]).to_kind(Kind::Float).contiguous()
}

/// Pixels [N, H, W, C] (u8) as the network's input [N, C, H, W] in 0..=1, which is what the device sees: its int8 input
/// is the pixel less 128 with step 1/255 and zero point -128.
pub(super) fn to_input(pixels: &Tensor) -> Tensor {
    to_planes(pixels) * (1.0 / 255.0)
}
