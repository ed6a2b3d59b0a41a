//! Networks: MobileNetV2's structure, SAME padding, where the stride falls, which slot each layer takes its bits from.

use bomp_export::ir::{Activation, Network, Op, Shape};

use super::super::genotype::Genotype;
use super::{Space, all_points, built_in, random_points, tiny};

#[test]
fn every_genotype_gives_a_valid_network() {
    for space in built_in() {
        for (height, width, channels) in [(28, 28, 1), (32, 32, 3), (5, 1, 2), (1, 1, 1)] {
            let space = space.clone().with_input(Shape::new(height, width, channels), 10).unwrap();
            for point in random_points(&space, 500) {
                let network = space.network(&space.genotype(&point));
                network.validate().unwrap();
                assert_eq!((network.input, network.classes()), (Shape::new(height, width, channels), 10));
            }
        }
    }
    let space = tiny("[8]");
    for point in all_points(&space) {
        space.network(&space.genotype(&point)).validate().unwrap();
    }
}

/// Names and output shapes of the layers that make the resolution or the channels change, of the paper's seed network.
#[test]
fn the_seed_network_has_mobilenets_shapes() {
    let space = Space::open("paper").unwrap();
    let network = space.network(&space.seed());
    let shapes = network.shapes();
    let shape = |name: &str| shapes[1 + network.layers.iter().position(|l| l.name == name).unwrap()];
    assert_eq!(shape("stem"), Shape::new(32, 32, 3));
    let projects =
        ["1.1", "2.2", "3.3", "4.4", "5.3", "6.3", "7.1"].map(|b| shape(&format!("block{b}.project")));
    let expected = [(32, 2), (32, 2), (32, 3), (32, 6), (16, 10), (16, 16), (8, 32)];
    assert_eq!(projects, expected.map(|(size, channels)| Shape::new(size, size, channels)));
    assert_eq!(shape("block4.2.expand"), Shape::new(32, 32, 36));
    assert_eq!(shape("block5.1.expand"), Shape::new(32, 32, 36));
    assert_eq!(shape("conv2"), Shape::new(8, 8, 1280));
    assert_eq!(shape("classifier"), Shape::new(1, 1, 10));
    assert!(network.layers.iter().all(|layer| !layer.name.starts_with("block1.1.expand")));
    // About 77 kB at 8 bits.
    let weights: usize =
        (0..network.layers.len()).map(|i| shapes[i + 1].channels * network.fan_in(i, &shapes)).sum();
    assert_eq!(weights, 77_310);
}

#[test]
fn extended_has_the_same_seed_network() {
    let (paper, extended) = (Space::open("paper").unwrap(), Space::open("extended").unwrap());
    let paper = paper.with_input(extended.definition().input, 10).unwrap();
    assert_eq!(paper.network(&paper.seed()), extended.network(&extended.seed()));
}

/// For every network: each block is expand, depthwise, project; an add exactly where the shape stays; ReLU6 on all but
/// the project; all repetitions with the bits of the block; the strides make up all reductions.
#[test]
fn blocks_are_inverted_bottlenecks() {
    for space in built_in() {
        for point in random_points(&space, 300) {
            let genotype = space.genotype(&point);
            let network = space.network(&genotype);
            check_blocks(&space, &genotype, &network);
        }
    }
}

fn check_blocks(space: &Space, genotype: &Genotype, network: &Network) {
    let shapes = network.shapes();
    let mut layers = network.layers.iter().enumerate().peekable();
    assert_eq!(layers.next().unwrap().1.name, "stem");
    let mut reduction = 1;
    for (index, genes) in genotype.blocks.iter().enumerate() {
        let Some(genes) = genes else { continue };
        for repetition in 1..=genes.repetitions {
            let name = |part: &str| format!("block{}.{repetition}.{part}", index + 1);
            let input = layers.peek().unwrap().0;
            if let Some(expand) = genes.expand {
                let (i, layer) = layers.next().unwrap();
                assert_eq!((&layer.name, layer.op.bits()), (&name("expand"), Some(expand.bits)));
                assert_eq!(shapes[i + 1].channels, expand.expansion * shapes[i].channels);
                assert!(matches!(layer.op, Op::Convolution { activation: Activation::Relu6, .. }));
            }
            let (i, layer) = layers.next().unwrap();
            assert_eq!((&layer.name, layer.op.bits()), (&name("depthwise"), Some(genes.depthwise.bits)));
            let Op::Depthwise { window, activation: Activation::Relu6, .. } = &layer.op else { panic!() };
            assert_eq!(window.kernel, genes.depthwise.kernel);
            assert_eq!(shapes[i + 1].height, shapes[i].height.div_ceil(window.stride));
            assert!(repetition == 1 || window.stride == 1);
            reduction *= window.stride;
            let (i, layer) = layers.next().unwrap();
            assert_eq!((&layer.name, layer.op.bits()), (&name("project"), Some(genes.project.bits)));
            assert!(matches!(layer.op, Op::Convolution { activation: Activation::Linear, .. }));
            let base = space.definition().blocks[index].filters as f64;
            assert_eq!(shapes[i + 1].channels, (genes.project.width * base).round().max(1.0) as usize);
            let added = layers.next_if(|(_, layer)| layer.op == Op::Add);
            assert_eq!(added.is_some(), window.stride == 1 && shapes[input] == shapes[i + 1]);
            if let Some((_, add)) = added {
                assert_eq!((&add.name, &add.inputs), (&name("add"), &vec![input, i + 1]));
            }
        }
    }
    let rest: Vec<&str> = layers.map(|(_, layer)| layer.name.as_str()).collect();
    let conv2: &[&str] = if genotype.conv2.is_some() { &["conv2"] } else { &[] };
    assert_eq!(rest, [conv2, &["pool", "classifier"]].concat());
    assert_eq!(reduction, 4, "block 7 is always present, so both reductions take effect");
}

/// "After bottlenecks 4 and 6": with 5 absent the first falls on 6, with 5 and 6 absent both fall on 7.
#[test]
fn reductions_fall_on_the_next_block_that_is_present() {
    for (size, small) in [(28, [14, 7]), (32, [16, 8])] {
        let space = Space::open("paper").unwrap().with_input(Shape::new(size, size, 1), 10).unwrap();
        let heights = |absent: &[usize]| {
            let mut genotype = space.seed();
            absent.iter().for_each(|&number| genotype.blocks[number - 1] = None);
            let network = space.network(&genotype);
            let shapes = network.shapes();
            let last = |number: usize| {
                let prefix = format!("block{number}.");
                network.layers.iter().rposition(|l| l.name.starts_with(&prefix)).map(|i| shapes[i + 1].height)
            };
            [last(4), last(5), last(6), last(7)]
        };
        let [half, quarter] = small;
        assert_eq!(heights(&[]), [Some(size), Some(half), Some(half), Some(quarter)]);
        assert_eq!(heights(&[5]), [Some(size), None, Some(half), Some(quarter)]);
        assert_eq!(heights(&[5, 6]), [Some(size), None, None, Some(quarter)]);
        assert_eq!(heights(&[2, 3, 4, 5, 6]), [None, None, None, Some(quarter)]);
    }
}

#[test]
fn a_reduction_that_no_block_follows_has_no_effect() {
    let space = tiny("[8]");
    let mut genotype = space.seed();
    (genotype.blocks[2], genotype.reductions_after) = (None, vec![2, 2]);
    let unreduced = space.network(&genotype);
    let index = unreduced.layers.iter().position(|layer| layer.name == "pool").unwrap();
    assert_eq!((unreduced.shapes()[index].height, unreduced.shapes()[index].width), (9, 6));
}

/// TensorFlow's SAME: an even kernel at stride 1 pads k - 1 in total, the odd one at the bottom and right; at stride 2 it
/// pads max((ceil(in / 2) - 1) * 2 + k - in, 0).
#[test]
fn even_kernels_pad_as_tensorflow_does() {
    let space = Space::open("paper").unwrap().with_input(Shape::new(28, 28, 1), 10).unwrap();
    let padding = |kernel: usize, name: &str| {
        let mut genotype = space.seed();
        genotype.blocks.iter_mut().flatten().for_each(|block| block.depthwise.kernel = kernel);
        let network = space.network(&genotype);
        match &network.layers.iter().find(|layer| layer.name == name).unwrap().op {
            Op::Depthwise { window, .. } => window.padding,
            _ => panic!("{name} is not depthwise"),
        }
    };
    assert_eq!(padding(4, "block1.1.depthwise"), [1, 1, 2, 2]);
    assert_eq!(padding(2, "block1.1.depthwise"), [0, 0, 1, 1]);
    assert_eq!(padding(4, "block5.1.depthwise"), [1, 1, 1, 1]);
    assert_eq!(padding(2, "block5.1.depthwise"), [0, 0, 0, 0]);
    assert_eq!(padding(3, "block5.1.depthwise"), [0, 0, 1, 1]);
    assert_eq!(padding(6, "block7.1.depthwise"), [2, 2, 2, 2]);
}
