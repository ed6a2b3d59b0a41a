//! Random valid networks: chains of convolutions, inverted bottlenecks and adds of any earlier tensor of equal shape.

use super::Numbers;
use crate::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};

/// Upper bounds of a random network.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Rows and columns of the input.
    pub side: usize,
    /// Channels of a tensor.
    pub channels: usize,
    /// Layers before the pool and the classifier; a bottleneck counts its own.
    pub layers: usize,
}

impl Limits {
    /// Small enough for thousands of networks a second.
    pub const SMALL: Self = Self { side: 9, channels: 12, layers: 8 };
    /// As deep as the networks of the search spaces.
    pub const LARGE: Self = Self { side: 28, channels: 48, layers: 30 };
}

struct Builder<'a> {
    numbers: &'a mut Numbers,
    layers: Vec<Layer>,
    shapes: Vec<Shape>,
}

pub(super) fn network(numbers: &mut Numbers, limits: &Limits) -> Network {
    let input = Shape::new(
        numbers.within(1..=limits.side),
        numbers.within(1..=limits.side),
        numbers.within(1..=limits.channels.min(4)),
    );
    let layers = numbers.within(0..=limits.layers);
    let mut builder = Builder { numbers, layers: Vec::new(), shapes: vec![input] };
    while builder.layers.len() < layers {
        match builder.numbers.within(0..=5) {
            0 | 1 => builder.convolution(limits.channels),
            2 => builder.depthwise(),
            3 => builder.add(),
            _ => builder.bottleneck(limits.channels),
        }
    }
    if builder.numbers.within(0..=3) > 0 {
        builder.push(Op::AveragePool, vec![]);
        if builder.numbers.one_in(3) {
            builder.convolution(limits.channels);
        }
    }
    let op = Op::Classifier { classes: builder.numbers.within(2..=12), bits: builder.bits() };
    builder.push(op, vec![]);
    let network = Network { input, layers: builder.layers };
    if let Err(error) = network.validate() {
        panic!("the generator made an invalid network: {error}");
    }
    network
}

impl Builder<'_> {
    fn tip(&self) -> (usize, Shape) {
        (self.shapes.len() - 1, self.shapes[self.shapes.len() - 1])
    }

    /// Adds a layer that reads the newest tensor and then those of `others`.
    fn push(&mut self, op: Op, others: Vec<usize>) {
        let (tip, shape) = self.tip();
        let mut inputs = vec![tip];
        inputs.extend(others);
        let output = match &op {
            Op::Convolution { window, filters, .. } => windowed(window, shape, *filters),
            Op::Depthwise { window, .. } => windowed(window, shape, shape.channels),
            Op::Add => shape,
            Op::AveragePool => Shape::new(1, 1, shape.channels),
            Op::Classifier { classes, .. } => Shape::new(1, 1, *classes),
        };
        let name = format!("layer{}", self.layers.len());
        self.layers.push(Layer { name, op, inputs });
        self.shapes.push(output);
    }

    fn bits(&mut self) -> Bits {
        let bits = self.numbers.within(usize::from(Bits::MIN.get())..=usize::from(Bits::MAX.get()));
        Bits::try_from(bits as u8).unwrap_or(Bits::MAX)
    }

    fn activation(&mut self) -> Activation {
        if self.numbers.one_in(2) { Activation::Linear } else { Activation::Relu6 }
    }

    /// SAME padding, or any padding that leaves an output.
    fn window(&mut self) -> Window {
        let (_, shape) = self.tip();
        let (kernel, stride) = (self.numbers.within(1..=7), self.numbers.within(1..=3));
        let mut padding = || self.numbers.within(0..=kernel - 1);
        let any = Window { kernel, stride, padding: [padding(), padding(), padding(), padding()] };
        let roomy = any.output(shape).is_some_and(|(height, width)| height * width <= 1_024);
        if roomy && !self.numbers.one_in(3) { any } else { Window::same(shape, kernel, stride) }
    }

    fn convolution(&mut self, channels: usize) {
        let window = if self.numbers.one_in(3) { Window::pointwise() } else { self.window() };
        let filters = self.numbers.within(1..=channels);
        let (bits, activation) = (self.bits(), self.activation());
        self.push(Op::Convolution { window, filters, bits, activation }, vec![]);
    }

    fn depthwise(&mut self) {
        let (window, bits, activation) = (self.window(), self.bits(), self.activation());
        self.push(Op::Depthwise { window, bits, activation }, vec![]);
    }

    /// The newest tensor and any of equal shape, itself included.
    fn add(&mut self) {
        let (tip, shape) = self.tip();
        let alike: Vec<usize> = (0..=tip).filter(|&tensor| self.shapes[tensor] == shape).collect();
        let other = alike[self.numbers.within(0..=alike.len() - 1)];
        self.push(Op::Add, vec![other]);
        if self.numbers.one_in(2) {
            // The other order of the operands.
            if let Some(layer) = self.layers.last_mut() {
                layer.inputs.reverse();
            }
        }
    }

    /// Expand, depthwise, project, and the residual.
    fn bottleneck(&mut self, channels: usize) {
        let (start, shape) = self.tip();
        let relu6 = Activation::Relu6;
        let (filters, bits) = (self.numbers.within(1..=channels), self.bits());
        let window = Window::pointwise();
        self.push(Op::Convolution { window, filters, bits, activation: relu6 }, vec![]);
        let (kernel, bits) = (self.numbers.within(1..=7), self.bits());
        self.push(Op::Depthwise { window: Window::same(shape, kernel, 1), bits, activation: relu6 }, vec![]);
        let bits = self.bits();
        let project =
            Op::Convolution { window, filters: shape.channels, bits, activation: Activation::Linear };
        self.push(project, vec![]);
        self.push(Op::Add, vec![start]);
    }
}

fn windowed(window: &Window, input: Shape, channels: usize) -> Shape {
    let (height, width) = window.output(input).unwrap_or((0, 0));
    Shape { height, width, channels }
}
