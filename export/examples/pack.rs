//! From a network in code to a packed model: what it costs, before it has weights, and the bytes that firmware embeds.
//! `cargo run --release --workspace --example pack -- MODEL.bomp` writes them to a file.
//!
//! The weights are made up here; those of a trained network come from `Candidate::load`. `cargo test` runs it.

use std::error::Error;

use bomp_export::candidate::{Candidate, LayerWeights, Provenance, Quantisation};
use bomp_export::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};
use bomp_export::{arena, cost, files, layout, lower, write};

fn main() -> Result<(), Box<dyn Error>> {
    let blob = pack()?;
    match std::env::args().nth(1) {
        Some(path) => files::write(path.as_ref(), &blob)?,
        None => println!("no file was named; nothing is written"),
    }
    Ok(())
}

fn pack() -> Result<Vec<u8>, Box<dyn Error>> {
    let layer = |name: &str, op, input| Layer { name: name.into(), op, inputs: vec![input] };
    let input = Shape::new(28, 28, 1);
    let stem = Op::Convolution {
        window: Window::same(input, 3, 2),
        filters: 8,
        bits: Bits::try_from(4)?,
        activation: Activation::Relu6,
    };
    // Tensor 0 is the image, tensor n the output of layer n - 1.
    let network = Network {
        input,
        layers: vec![
            layer("stem", stem, 0),
            layer("pool", Op::AveragePool, 1),
            layer("classifier", Op::Classifier { classes: 10, bits: Bits::MAX }, 2),
        ],
    };
    let planned = layout::blob_bytes(&network);
    println!("{planned} B of flash, {} MACs", cost::macs(&network));
    println!("{} B of RAM for activations", arena::ArenaPlan::of(&network).size);

    let weights = |outputs: usize, inputs: usize, scale: f32| {
        let weight = (0..outputs * inputs).map(|index| scale * ((index * 7 % 15) as f32 - 7.0)).collect();
        Some(LayerWeights { weight, bias: vec![0.0; outputs], scale: vec![scale; outputs] })
    };
    let activations = Quantisation { scale: 0.02, zero_point: -128 };
    let candidate = Candidate {
        tensors: vec![Quantisation::IMAGE, activations, activations],
        weights: vec![weights(8, 9, 0.05), None, weights(10, 8, 0.01)],
        provenance: Provenance::default(),
        network,
    };
    let blob = write::blob(&lower::lower(&candidate)?)?;
    assert_eq!(blob.len(), planned, "the size is known before there are weights");
    Ok(blob)
}

#[test]
fn what_it_packs_runs() {
    let blob = pack().unwrap();
    let model = bomp_runtime::Model::new(&blob).unwrap();
    let (mut arena, mut logits) = (vec![0; model.arena_size()], vec![0; model.classes()]);
    let image: Vec<i8> = (0..model.input_len()).map(|index| index as i8).collect();
    model.run(&image, &mut arena, &mut logits).unwrap();
    assert!(logits.iter().any(|logit| *logit != logits[0]), "{logits:?}");
}
