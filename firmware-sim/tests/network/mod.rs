//! Networks with random weights for the tests of this crate: an inverted bottleneck in every shape that matters.

use std::path::{Path, PathBuf};

use bomp_export::candidate::Candidate;
use bomp_export::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};
use bomp_export::testing::{self, Numbers};
use bomp_export::{files, lower, write};

/// Builds a chain of layers and hands out the bit widths 4 to 8 in turn.
pub(crate) struct Builder {
    layers: Vec<Layer>,
    shape: Shape,
    input: Shape,
}

impl Builder {
    pub(crate) fn new(input: Shape) -> Self {
        Self { layers: Vec::new(), shape: input, input }
    }

    fn push(mut self, op: Op, inputs: Vec<usize>, shape: Shape) -> Self {
        self.layers.push(Layer { name: format!("layer{}", self.layers.len()), op, inputs });
        self.shape = shape;
        self
    }

    fn next_bits(&self) -> Bits {
        Bits::try_from(4 + (self.layers.len() % 5) as u8).unwrap()
    }

    pub(crate) fn convolution(
        self,
        kernel: usize,
        stride: usize,
        filters: usize,
        activation: Activation,
    ) -> Self {
        let window = Window::same(self.shape, kernel, stride);
        let (height, width) = window.output(self.shape).unwrap();
        let op = Op::Convolution { window, filters, bits: self.next_bits(), activation };
        let source = self.layers.len();
        self.push(op, vec![source], Shape::new(height, width, filters))
    }

    fn depthwise(self, kernel: usize, stride: usize) -> Self {
        let window = Window::same(self.shape, kernel, stride);
        let (height, width) = window.output(self.shape).unwrap();
        let op = Op::Depthwise { window, bits: self.next_bits(), activation: Activation::Relu6 };
        let (source, channels) = (self.layers.len(), self.shape.channels);
        self.push(op, vec![source], Shape::new(height, width, channels))
    }

    /// Expand, depthwise, project, and the residual where the shapes allow it.
    pub(crate) fn bottleneck(self, expansion: usize, kernel: usize, stride: usize, filters: usize) -> Self {
        let (start, before) = (self.layers.len(), self.shape);
        let expanded = before.channels * expansion;
        let block = self.convolution(1, 1, expanded, Activation::Relu6).depthwise(kernel, stride);
        let block = block.convolution(1, 1, filters, Activation::Linear);
        if block.shape != before {
            return block;
        }
        let end = block.layers.len();
        block.push(Op::Add, vec![start, end], before)
    }

    /// Pools and classifies into ten classes.
    pub(crate) fn classifier(self) -> Network {
        let (source, channels) = (self.layers.len(), self.shape.channels);
        let pooled = self.push(Op::AveragePool, vec![source], Shape::new(1, 1, channels));
        let op = Op::Classifier { classes: 10, bits: pooled.next_bits() };
        let done = pooled.push(op, vec![source + 1], Shape::new(1, 1, 10));
        let network = Network { input: done.input, layers: done.layers };
        network.validate().unwrap();
        network
    }
}

/// About 8 kB and 1 MMAC on 28x28x1: every bit width, even and odd kernels, both strides, residuals.
pub(crate) fn about_one_mmac() -> Network {
    Builder::new(Shape::new(28, 28, 1))
        .convolution(3, 1, 8, Activation::Relu6)
        .bottleneck(1, 3, 1, 8)
        .bottleneck(3, 4, 2, 12)
        .bottleneck(3, 5, 1, 12)
        .bottleneck(4, 2, 2, 16)
        .bottleneck(4, 7, 1, 16)
        .convolution(1, 1, 32, Activation::Relu6)
        .classifier()
}

/// For 8 KB of RAM, image and stack included.
pub(crate) fn small() -> Network {
    Builder::new(Shape::new(28, 28, 1))
        .convolution(3, 2, 6, Activation::Relu6)
        .bottleneck(2, 3, 2, 8)
        .bottleneck(3, 3, 1, 8)
        .classifier()
}

/// As [`pack`], some of the layers being wide, as imported networks have them.
pub(crate) fn pack_wide(network: Network, folder: &Path) -> PathBuf {
    let mut numbers = Numbers::new(7);
    let mut lowered = lower::lower(&testing::with_weights(network, &mut numbers)).unwrap();
    testing::widen(&mut lowered, false, &mut numbers);
    let path = folder.join("model.bomp");
    files::write(&path, &write::blob(&lowered).unwrap()).unwrap();
    path
}

/// `network` with random weights, packed into `folder`.
pub(crate) fn pack(network: Network, folder: &Path) -> (Candidate, PathBuf) {
    let candidate = testing::with_weights(network, &mut Numbers::new(7));
    let path = folder.join("model.bomp");
    files::write(&path, &write::blob(&lower::lower(&candidate).unwrap()).unwrap()).unwrap();
    (candidate, path)
}
