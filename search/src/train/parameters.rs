//! One flat vector holds every trainable parameter of a network.
//!
//! The optimiser then is a handful of operations on one tensor, whatever the number of layers, and the gradients of two
//! shards add up with one addition. [`Layout::split`] gives the pieces as views through which gradients flow back.

use tch::{Device, Kind, Tensor};

/// Shapes of the pieces of a flat vector, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Layout {
    shapes: Vec<Vec<i64>>,
    sizes: Vec<i64>,
}

/// Values for a flat vector in the making, and which of them decay.
#[derive(Debug, Default)]
pub(super) struct Builder {
    layout: Layout,
    values: Vec<f32>,
    decays: Vec<f32>,
}

/// The start of an optimisation: values, and for each whether it decays (1 or 0).
#[derive(Debug)]
pub(super) struct Start {
    pub(super) values: Tensor,
    pub(super) decays: Tensor,
}

impl Layout {
    /// Appends a piece and returns its index.
    pub(super) fn push(&mut self, shape: &[i64]) -> usize {
        self.shapes.push(shape.to_vec());
        self.sizes.push(shape.iter().product());
        self.sizes.len() - 1
    }

    pub(super) fn len(&self) -> usize {
        self.sizes.len()
    }

    /// The pieces of `flat`, which has the length of all of them together.
    pub(super) fn split(&self, flat: &Tensor) -> Vec<Tensor> {
        let pieces = flat.split_with_sizes(&self.sizes[..], 0);
        pieces.into_iter().zip(&self.shapes).map(|(piece, shape)| piece.view(&shape[..])).collect()
    }

    /// The pieces of `values`, which has the length of all of them together.
    pub(super) fn slices<'a>(&self, mut values: &'a [f32]) -> Vec<&'a [f32]> {
        let cut = |&size: &i64| {
            let (piece, rest) = values.split_at(size as usize);
            values = rest;
            piece
        };
        self.sizes.iter().map(cut).collect()
    }
}

impl Builder {
    /// Appends a piece, to which weight decay applies or not, and returns its index.
    pub(super) fn push(&mut self, shape: &[i64], values: &[f32], decays: bool) -> usize {
        let size: i64 = shape.iter().product();
        assert_eq!(size, values.len() as i64, "a piece has as many values as its shape says");
        self.values.extend_from_slice(values);
        self.decays.resize(self.values.len(), f32::from(u8::from(decays)));
        self.layout.push(shape)
    }

    /// The layout, and the start on `device`.
    pub(super) fn build(self, device: Device) -> (Layout, Start) {
        let on_device = |values: &[f32]| Tensor::from_slice(values).to_device(device).to_kind(Kind::Float);
        let start = Start { values: on_device(&self.values), decays: on_device(&self.decays) };
        (self.layout, start)
    }
}

/// Elements of a tensor of floats, in their order.
pub(super) fn floats(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.flatten(0, -1).to_kind(Kind::Float)).expect("a float tensor")
}
