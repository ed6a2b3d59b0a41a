//! From a genotype to its network: MobileNetV2's structure (Sandler et al., "MobileNetV2: Inverted Residuals and Linear
//! Bottlenecks", 2018) with the kernels, widths, expansions, repetitions and bit widths of the genotype.
//!
//! Layers are named `stem`, `block2.1.expand`, `block2.1.depthwise`, `block2.1.project`, `block2.1.add` (block number,
//! repetition), `conv2`, `pool`, `classifier`. Convolutions pad as TensorFlow's SAME.

use bomp_export::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};

use super::definition::Definition;
use super::genotype::{BlockGenes, Conv2Genes, Genotype, StemGenes};
use super::reductions;

/// The network of a genotype of this space.
pub(super) fn network(definition: &Definition, genotype: &Genotype) -> Network {
    let present: Vec<bool> = genotype.blocks.iter().map(Option::is_some).collect();
    let strides = reductions::strides(&present, &genotype.reductions_after);
    let width = genotype.blocks.iter().flatten().next().map_or(1.0, |block| block.project.width);
    let mut chain = Chain::new(definition.input);
    chain.stem(definition, genotype.stem, width);
    for (index, genes) in genotype.blocks.iter().enumerate() {
        if let Some(genes) = genes {
            chain.block(definition, index, genes, strides[index]);
        }
    }
    chain.head(definition, genotype.conv2, genotype.classifier.bits);
    chain.network
}

/// A network that grows at its end.
pub(super) struct Chain {
    pub(super) network: Network,
    /// Shape of the last tensor.
    pub(super) shape: Shape,
}

impl Chain {
    pub(super) fn new(input: Shape) -> Self {
        Self { network: Network { input, layers: Vec::with_capacity(64) }, shape: input }
    }

    /// The first convolution; `width` is the multiplier of block 1.
    pub(super) fn stem(&mut self, definition: &Definition, genes: StemGenes, width: f64) {
        let window = Window::same(self.shape, definition.stem.kernel, genes.stride);
        self.convolution(
            "stem".into(),
            window,
            definition.stem.channels(width),
            genes.bits,
            Activation::Relu6,
        );
    }

    /// All repetitions of block `index` (from 0); the first has the given stride.
    pub(super) fn block(&mut self, definition: &Definition, index: usize, genes: &BlockGenes, stride: usize) {
        let filters = definition.blocks[index].channels(genes.project.width);
        for repetition in 1..=genes.repetitions {
            // Names are most of the cost of building a network, and tens of thousands are built for one proposal.
            let prefix = format!("block{}.{repetition}.", index + 1);
            let name = |part: &str| [&prefix, part].concat();
            let (source, input) = (self.last_tensor(), self.shape);
            if let Some(expand) = genes.expand {
                let expanded = expand.expansion * input.channels;
                self.convolution(
                    name("expand"),
                    Window::pointwise(),
                    expanded,
                    expand.bits,
                    Activation::Relu6,
                );
            }
            let stride = if repetition == 1 { stride } else { 1 };
            self.depthwise(name("depthwise"), genes.depthwise.kernel, stride, genes.depthwise.bits);
            self.convolution(
                name("project"),
                Window::pointwise(),
                filters,
                genes.project.bits,
                Activation::Linear,
            );
            if stride == 1 && filters == input.channels {
                let inputs = vec![source, self.last_tensor()];
                self.network.layers.push(Layer { name: name("add"), op: Op::Add, inputs });
            }
        }
    }

    /// What follows the blocks.
    pub(super) fn head(&mut self, definition: &Definition, conv2: Option<Conv2Genes>, classifier: Bits) {
        if let Some(genes) = conv2 {
            self.convolution(
                "conv2".into(),
                Window::pointwise(),
                genes.filters,
                genes.bits,
                Activation::Relu6,
            );
        }
        self.pool();
        self.push("classifier".into(), Op::Classifier { classes: definition.classes, bits: classifier });
    }

    /// The average over the whole map.
    pub(super) fn pool(&mut self) {
        self.push("pool".into(), Op::AveragePool);
    }

    fn convolution(
        &mut self,
        name: String,
        window: Window,
        filters: usize,
        bits: Bits,
        activation: Activation,
    ) {
        self.advance(window, filters);
        self.push(name, Op::Convolution { window, filters, bits, activation });
    }

    fn depthwise(&mut self, name: String, kernel: usize, stride: usize, bits: Bits) {
        let window = Window::same(self.shape, kernel, stride);
        self.advance(window, self.shape.channels);
        self.push(name, Op::Depthwise { window, bits, activation: Activation::Relu6 });
    }

    fn push(&mut self, name: String, op: Op) {
        let inputs = vec![self.last_tensor()];
        self.network.layers.push(Layer { name, op, inputs });
    }

    fn last_tensor(&self) -> usize {
        self.network.layers.len()
    }

    /// SAME padding: the output is ceil(input / stride).
    fn advance(&mut self, window: Window, channels: usize) {
        let Shape { height, width, .. } = self.shape;
        self.shape = Shape::new(height.div_ceil(window.stride), width.div_ceil(window.stride), channels);
    }
}
