//! The one network that speeds are measured on, so that they can be compared: training, evaluation, other people's engines.

use crate::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};

/// Input and output channels, expansion, kernel and stride of each bottleneck.
const BLOCKS: [(usize, usize, usize, usize, usize); 6] = [
    (8, 8, 1, 3, 2),
    (8, 8, 3, 3, 1),
    (8, 16, 3, 3, 2),
    (16, 16, 3, 3, 1),
    (16, 24, 3, 3, 1),
    (24, 24, 3, 3, 1),
];

/// 0.75 MMAC and 13 k weights on 28x28x1, every weight of `bits` bits: stem 3x3x8; six inverted bottlenecks without
/// residuals; a pointwise convolution to 64; the average; ten classes.
#[must_use]
pub fn three_quarters_mmac(bits: Bits) -> Network {
    let mut layers: Vec<Layer> = Vec::new();
    let mut shape = Shape::new(28, 28, 1);
    let mut push = |name: String, op: Op| {
        let inputs = vec![layers.len()];
        layers.push(Layer { name, op, inputs });
    };
    let convolution = |window, filters, activation| Op::Convolution { window, filters, bits, activation };
    push("stem".into(), convolution(Window::same(shape, 3, 1), 8, Activation::Relu6));
    shape.channels = 8;
    for (index, (input, output, expansion, kernel, stride)) in BLOCKS.into_iter().enumerate() {
        let name = |part: &str| format!("block{index}.{part}");
        if expansion > 1 {
            let expand = convolution(Window::pointwise(), input * expansion, Activation::Relu6);
            push(name("expand"), expand);
        }
        let window = Window::same(shape, kernel, stride);
        push(name("depthwise"), Op::Depthwise { window, bits, activation: Activation::Relu6 });
        shape = Shape::new(shape.height.div_ceil(stride), shape.width.div_ceil(stride), output);
        push(name("project"), convolution(Window::pointwise(), output, Activation::Linear));
    }
    push("conv2".into(), convolution(Window::pointwise(), 64, Activation::Relu6));
    push("pool".into(), Op::AveragePool);
    push("classifier".into(), Op::Classifier { classes: 10, bits });
    let network = Network { input: Shape::new(28, 28, 1), layers };
    debug_assert!(network.validate().is_ok());
    network
}
