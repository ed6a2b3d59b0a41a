//! What is known of a network before it is trained and says most of how accurate it will be.
//!
//! On 600 trials of six searches of Fashion-MNIST, a model of these quantities, fitted to one search, ranks the trials of the
//! others far better than a model of the genes does (CHANGELOG has the figures).

use bomp_export::cost::layer_macs;
use bomp_export::ir::{Network, Op};

/// log10 of the MACs, log10 of the weights, log2 of the number of convolutions, mean of the log2 of their output channels, log2 of
/// the fewest values that one of them hands on, log2 of the classifier's inputs, log2 of the pixels in one row of the receptive
/// field, mean width of the weights in bits.
pub(super) fn features(network: &Network) -> Vec<f64> {
    let shapes = network.shapes();
    let (mut weights, mut bits, mut layers, mut channels) = (0.0, 0.0, 0.0, 0.0);
    let (mut narrowest, mut field, mut step, mut inputs) = (f64::INFINITY, 1.0, 1.0, 1.0);
    for (index, layer) in network.layers.iter().enumerate() {
        let output = shapes[index + 1];
        let Some(width) = layer.op.bits() else { continue };
        let own = (network.fan_in(index, &shapes) * output.channels) as f64;
        weights += own;
        bits += own * f64::from(width.get());
        match &layer.op {
            Op::Convolution { window, .. } | Op::Depthwise { window, .. } => {
                layers += 1.0;
                channels += (output.channels as f64).log2();
                narrowest = f64::min(narrowest, output.elements() as f64);
                field += (window.kernel - 1) as f64 * step;
                step *= window.stride as f64;
            }
            _ => inputs = shapes[layer.inputs[0]].elements() as f64,
        }
    }
    let macs: u64 = layer_macs(network).iter().sum();
    let layers = f64::max(layers, 1.0);
    vec![
        (macs as f64).log10(),
        weights.log10(),
        layers.log2(),
        channels / layers,
        narrowest.log2(),
        inputs.log2(),
        field.log2(),
        bits / weights,
    ]
}

#[cfg(test)]
mod tests {
    use bomp_export::ir::{Activation, Bits, Layer, Shape, Window};

    use super::*;

    #[test]
    fn features_of_a_network_counted_by_hand() {
        let input = Shape::new(8, 8, 1);
        let (four, eight) = (Bits::MIN, Bits::MAX);
        let activation = Activation::Relu6;
        let layer = |name: &str, op, input: usize| Layer { name: name.to_owned(), op, inputs: vec![input] };
        let network = Network {
            input,
            layers: vec![
                layer(
                    "stem",
                    Op::Convolution {
                        window: Window::same(input, 3, 2),
                        filters: 4,
                        bits: eight,
                        activation,
                    },
                    0,
                ),
                layer(
                    "depthwise",
                    Op::Depthwise { window: Window::same(Shape::new(4, 4, 4), 3, 2), bits: four, activation },
                    1,
                ),
                layer(
                    "project",
                    Op::Convolution { window: Window::pointwise(), filters: 2, bits: four, activation },
                    2,
                ),
                layer("pool", Op::AveragePool, 3),
                layer("classifier", Op::Classifier { classes: 10, bits: eight }, 4),
            ],
        };
        // Weights 36, 36, 8 and 20; outputs 4 x 4 x 4, 2 x 2 x 4, 2 x 2 x 2; steps of 2 and 4 pixels after the first two.
        let macs: f64 = 16.0 * 36.0 + 4.0 * 36.0 + 4.0 * 8.0 + 20.0;
        let bits = (36.0 * 8.0 + 44.0 * 4.0 + 20.0 * 8.0) / 100.0;
        let expected =
            [macs.log10(), 2.0, 3f64.log2(), 5.0 / 3.0, 3.0, 1.0, f64::log2(1.0 + 2.0 + 2.0 * 2.0), bits];
        assert_eq!(features(&network), expected);
    }
}
