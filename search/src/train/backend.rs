//! The seam between the training pipeline and the arithmetic that it runs on: what a backend computes for a [`Net`].
//!
//! Guarantees of every backend: the same function of values and images up to rounding, and the same result each time, whatever
//! the number of threads. [`super::select`] chooses one; everything else in the pipeline is written against these types.

use std::fmt::Debug;

use tch::Tensor;

use super::error::TrainError;
use super::images::DeviceImages;
use super::loss::Loss;
use super::order::Picked;

/// Added to a variance before its root is taken; as MobileNetV2 is trained in Keras.
pub(super) const EPSILON: f64 = 1e-3;

/// A loss, and its gradient w.r.t. one flat vector of values, both on the device of the values.
pub(super) type Gradient = Result<(Tensor, Tensor), TrainError>;

/// Mean [C] and 1 / sqrt(variance + [`EPSILON`]) [C] of a batch norm's inputs in a forward pass.
pub(super) type Moments = (Tensor, Tensor);

/// Logits [N, CLASSES] of images.
pub(super) type Logits = Box<dyn FnMut(&DeviceImages) -> Tensor + Send>;

/// Forward and backward passes of one [`super::net::Net`]; `values` are its flat vector.
pub(super) trait Backend: Debug + Send {
    /// Logits [N, CLASSES].
    fn logits(&mut self, values: &Tensor, images: &DeviceImages) -> Tensor;

    /// The moments of each batch norm over `images`, in the order of the layers.
    fn moments(&mut self, values: &Tensor, images: &DeviceImages) -> Vec<Moments>;

    /// The mean loss over `images`, and its gradient w.r.t. `values`.
    fn gradient(&mut self, values: &Tensor, images: &Picked, loss: &Loss) -> Gradient;
}
