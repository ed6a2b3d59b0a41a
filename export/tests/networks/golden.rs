//! Golden models of version 1: every later reader of version 1 accepts them and gives the recorded logits.
//!
//! `runtime/tests/golden/v1/NAME.bomp` is the blob, `NAME.inputs` its images (int8, [H, W, C] each), `NAME.logits` their logits
//! (int32, little-endian). They stay for ever and are never written again; BOMP_GOLDEN=write adds those that are missing.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use bomp_export::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};
use bomp_export::testing::{self, Numbers};
use bomp_export::{files, lower, write};
use bomp_runtime::kernels::{Dsp, Kernels, Portable, Reference};
use bomp_runtime::layer::Op as Packed;
use bomp_runtime::{Model, arena};

/// Images of each model.
const IMAGES: usize = 8;
/// The network whose layers are wide.
const WIDE: &str = "wide";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("runtime/tests/golden/v1")
}

/// A chain of layers under construction.
struct Chain(Network);

impl Chain {
    fn of(input: Shape) -> Self {
        Self(Network { input, layers: Vec::new() })
    }

    fn push(mut self, op: Op, inputs: Vec<usize>) -> Self {
        let name = format!("layer{}", self.0.layers.len());
        self.0.layers.push(Layer { name, op, inputs });
        self
    }

    fn last(&self) -> usize {
        self.0.layers.len()
    }

    fn shape(&self) -> Shape {
        *self.0.shapes().last().unwrap()
    }

    fn convolution(self, kernel: usize, stride: usize, filters: usize, bits: u8, relu6: bool) -> Self {
        let activation = if relu6 { Activation::Relu6 } else { Activation::Linear };
        let window = Window::same(self.shape(), kernel, stride);
        let inputs = vec![self.last()];
        self.push(
            Op::Convolution { window, filters, bits: Bits::try_from(bits).unwrap(), activation },
            inputs,
        )
    }

    fn depthwise(self, kernel: usize, stride: usize, bits: u8) -> Self {
        let window = Window::same(self.shape(), kernel, stride);
        let inputs = vec![self.last()];
        let bits = Bits::try_from(bits).unwrap();
        self.push(Op::Depthwise { window, bits, activation: Activation::Relu6 }, inputs)
    }

    fn add(self, earlier: usize) -> Self {
        let inputs = vec![earlier, self.last()];
        self.push(Op::Add, inputs)
    }

    fn pool(self) -> Self {
        let inputs = vec![self.last()];
        self.push(Op::AveragePool, inputs)
    }

    fn classifier(self, classes: usize, bits: u8) -> Network {
        let inputs = vec![self.last()];
        let network = self.push(Op::Classifier { classes, bits: Bits::try_from(bits).unwrap() }, inputs).0;
        network.validate().unwrap();
        network
    }
}

/// The networks, by name.
fn networks() -> [(&'static str, Network); 4] {
    // Inverted bottlenecks as the search builds them: every width, both strides, residual adds.
    let bottlenecks = Chain::of(Shape::new(28, 28, 1))
        .convolution(3, 2, 8, 8, true)
        .depthwise(3, 1, 7)
        .convolution(1, 1, 8, 6, false)
        .add(1)
        .convolution(1, 1, 24, 4, true)
        .depthwise(5, 2, 5)
        .convolution(1, 1, 12, 4, false)
        .convolution(1, 1, 36, 5, true)
        .depthwise(7, 1, 6)
        .convolution(1, 1, 12, 8, false)
        .add(7)
        .convolution(1, 1, 40, 4, true)
        .pool()
        .classifier(10, 7);
    // Odd sizes, even kernels, a general convolution, a stride beyond the kernel, a classifier over positions.
    let odd = Chain::of(Shape::new(13, 11, 3))
        .convolution(4, 1, 7, 5, true)
        .depthwise(2, 1, 4)
        .convolution(3, 2, 9, 7, true)
        .depthwise(6, 1, 8)
        .convolution(1, 3, 5, 6, false)
        .classifier(3, 5);
    // Nothing but a classifier.
    let classifier = Chain::of(Shape::new(6, 5, 2)).classifier(4, 6);
    // Wide layers of every kind: pointwise and not, whole groups of four channels and not, depthwise in place and not.
    let wide = Chain::of(Shape::new(12, 14, 2))
        .convolution(3, 2, 10, 6, true)
        .depthwise(3, 1, 5)
        .convolution(1, 1, 10, 4, false)
        .add(1)
        .convolution(1, 1, 21, 7, true)
        .depthwise(5, 2, 8)
        .convolution(2, 1, 3, 5, true)
        .pool()
        .classifier(6, 8);
    [("bottlenecks", bottlenecks), ("odd", odd), ("classifier", classifier), (WIDE, wide)]
}

pub(super) fn logits<K: Kernels>(blob: &[u8], inputs: &[u8]) -> Vec<u8> {
    let model = Model::new(blob).unwrap();
    let mut words = vec![0x5a5a_5a5a; arena::words(model.arena_size())];
    let mut logits = vec![0; model.classes()];
    let mut bytes = Vec::new();
    for image in inputs.chunks_exact(model.input_len()) {
        let image: Vec<i8> = image.iter().map(|&byte| byte as i8).collect();
        model.run_with::<K>(&image, arena::from_words(&mut words), &mut logits, |_, _| {}).unwrap();
        bytes.extend(logits.iter().flat_map(|logit| logit.to_le_bytes()));
    }
    bytes
}

/// The blob of a network with random weights.
fn packed(name: &str, network: Network, numbers: &mut Numbers) -> Vec<u8> {
    let mut lowered = lower::lower(&testing::with_weights(network, numbers)).unwrap();
    if name == WIDE {
        testing::widen(&mut lowered, true, numbers);
    }
    write::blob(&lowered).unwrap()
}

fn add(path: &Path, blob: &[u8], numbers: &mut Numbers) {
    let elements = IMAGES * Model::new(blob).unwrap().input_len();
    let inputs: Vec<u8> = (0..elements).map(|_| numbers.within(0..=255) as u8).collect();
    files::write(&path.with_extension("inputs"), &inputs).unwrap();
    files::write(&path.with_extension("logits"), &logits::<Reference>(blob, &inputs)).unwrap();
    files::write(&path.with_extension("bomp"), blob).unwrap();
}

#[test]
fn golden_models_give_their_logits() {
    let mut kinds = BTreeSet::new();
    for (name, network) in networks() {
        let path = folder().join(name);
        let mut numbers = Numbers::new(name.len() as u64);
        let again = packed(name, network, &mut numbers);
        if !path.with_extension("bomp").exists()
            && std::env::var("BOMP_GOLDEN").is_ok_and(|value| value == "write")
        {
            add(&path, &again, &mut numbers);
        }
        let read = |extension| fs::read(path.with_extension(extension)).unwrap();
        let (blob, inputs, expected) = (read("bomp"), read("inputs"), read("logits"));
        assert!(again == blob, "{name} is packed to other bytes");
        let model = Model::new(&blob).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(inputs.len(), IMAGES * model.input_len());
        assert_eq!(logits::<Reference>(&blob, &inputs), expected, "{name}");
        assert_eq!(logits::<Portable>(&blob, &inputs), expected, "{name}");
        assert_eq!(logits::<Dsp>(&blob, &inputs), expected, "{name}");
        // Logits that are all alike would prove little.
        assert!(
            expected.chunks_exact(4 * model.classes()).collect::<BTreeSet<_>>().len() == IMAGES,
            "{name}"
        );
        for layer in model.layers() {
            let in_place = layer.input.offset == layer.output.offset;
            if let Packed::Convolution(_, weights)
            | Packed::Depthwise(_, weights)
            | Packed::Classifier(weights) = layer.op
            {
                assert_eq!(!weights.fine.is_empty(), name == WIDE, "{name}");
            }
            kinds.insert(match layer.op {
                Packed::Convolution(_, weights) => format!("convolution {}", weights.bits),
                Packed::Depthwise(_, weights) => format!("depthwise {} {in_place}", weights.bits),
                Packed::Add { .. } => "add".into(),
                Packed::AveragePool { .. } => "pool".into(),
                Packed::Classifier(weights) => format!("classifier {}", weights.bits),
            });
        }
    }
    for bits in 4..=8 {
        assert!(kinds.contains(&format!("convolution {bits}")), "{kinds:?}");
        assert!(kinds.iter().any(|kind| kind.starts_with(&format!("depthwise {bits}"))), "{kinds:?}");
    }
    assert!(kinds.contains("add") && kinds.contains("pool"), "{kinds:?}");
    assert!(kinds.iter().any(|kind| kind.starts_with("depthwise") && kind.ends_with("true")), "{kinds:?}");
}
