//! The QDQ file of a random network, in two engines that had no part in it, against the integer runtime.

use bomp_export::engines::{self, Elements, Engine, OnnxRuntime, Tensor, Tract};
use bomp_export::lower::Parameters;
use bomp_export::onnx::{self, Document};
use bomp_export::validate::{self, LayerDifference};
use prost::Message;

use super::*;

fn each_engine() -> [Box<dyn Engine>; 2] {
    let onnxruntime = OnnxRuntime::find().unwrap_or_else(|error| panic!("{error}"));
    [Box::new(onnxruntime), Box::new(Tract)]
}

fn file(packed: &Packed) -> Vec<u8> {
    onnx::model(&packed.lowered, &packed.candidate.provenance, &packed.blob).unwrap()
}

fn layers(blob: &[u8], file: &[u8], engine: &dyn Engine, seed: u64) -> Vec<LayerDifference> {
    let model = Model::new(blob).unwrap();
    let document = Document::parse(file).unwrap();
    let images = testing::images(evaluate::input_shape(&model), 12, model.classes(), &mut Numbers::new(seed));
    let indices: Vec<usize> = (0..images.len()).collect();
    validate::compare_layers(&model, &document, engine, &images, &indices, &|_| {})
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"))
}

#[test]
fn every_layer_agrees_on_equal_inputs() {
    for engine in each_engine() {
        let (mut elements, mut differing) = (0, 0);
        for seed in 0..150 {
            let packed = packed(seed, &Limits::SMALL);
            for layer in layers(&packed.blob, &file(&packed), engine.as_ref(), seed) {
                assert!(layer.rounding_only, "{}, seed {seed}: {layer:?}", engine.name());
                elements += layer.elements;
                differing += layer.differing;
            }
        }
        // Ties of adds and pools, and float32; convolutions have no ties (`lower`).
        assert!(differing * 2_000 < elements, "{}: {differing} of {elements} differ", engine.name());
    }
}

#[test]
fn whole_networks_agree() {
    for engine in each_engine() {
        let (mut images_compared, mut agreeing) = (0, 0);
        for seed in 0..60 {
            let packed = packed(seed, &Limits::SMALL);
            let model = Model::new(&packed.blob).unwrap();
            let numbers = &mut Numbers::new(seed);
            // Not a multiple of the batch.
            let images = testing::images(packed.candidate.network.input, 73, model.classes(), numbers);
            let integer = evaluate::logits(&model, &images, 1, &|_| {}).unwrap();
            let float =
                engines::logits(engine.as_ref(), &file(&packed), &images, model.classes(), 2, &|_| {})
                    .unwrap();
            let comparison = validate::compare_logits(&model, &images.labels, &integer, &float).unwrap();
            images_compared += images.len();
            agreeing += comparison.agreeing;
        }
        assert!(
            agreeing * 1_000 >= images_compared * 999,
            "{}: {agreeing} of {images_compared}",
            engine.name()
        );
    }
}

#[test]
fn any_batch_gives_the_same_logits() {
    let packed = packed(8, &Limits::SMALL);
    let model = Model::new(&packed.blob).unwrap();
    let shape = packed.candidate.network.input;
    let image: Vec<f32> = (0..shape.elements()).map(|at| at as f32 / shape.elements() as f32).collect();
    for engine in each_engine() {
        let logits = |batch: usize| {
            let tensor = Tensor {
                shape: vec![batch, shape.channels, shape.height, shape.width],
                elements: Elements::Float(image.repeat(batch)),
            };
            match engine.load(&file(&packed), batch).unwrap().run(&[tensor]).unwrap().elements {
                Elements::Float(values) => values,
                Elements::Int8(_) => panic!("logits are floats"),
            }
        };
        let one = logits(1);
        assert_eq!(one.len(), model.classes());
        assert_eq!(logits(3), one.repeat(3), "{}", engine.name());
    }
}

/// The messages here are a part of ONNX's; tract has all of them. What they cannot express, both would lose.
#[test]
fn complete_messages_read_the_same_file() {
    for seed in 0..20 {
        let file = file(&packed(seed, &Limits::SMALL));
        let complete = tract_onnx::pb::ModelProto::decode(file.as_slice()).unwrap();
        assert_eq!(complete.encode_to_vec(), file, "seed {seed}: a field has another number or type");
        let opset = &complete.opset_import[0];
        assert_eq!((opset.domain.as_str(), opset.version), ("", onnx::OPSET));
    }
}

/// The file holds the blob's integers: one weight changed in the blob is found, in its layer and in no other.
#[test]
fn one_changed_weight_is_found_in_its_layer() {
    for engine in each_engine() {
        let mut found = 0;
        for seed in 0..40 {
            let sound = packed(seed, &Limits::SMALL);
            let mut lowered = sound.lowered.clone();
            let layers_with_weights: Vec<usize> = (0..lowered.parameters.len())
                .filter(|&at| lowered.network.layers[at].op.bits().is_some())
                .collect();
            let changed = layers_with_weights[seed as usize % layers_with_weights.len()];
            let limit = lowered.network.layers[changed].op.bits().unwrap().max_weight() as i8;
            let Parameters::Weighted(weights) = &mut lowered.parameters[changed] else { unreachable!() };
            weights.weights[0] = if weights.weights[0] > 0 { -limit } else { limit };
            let blob = write::blob(&lowered).unwrap();
            let layers = layers(&blob, &file(&sound), engine.as_ref(), seed);
            let wrong: Vec<usize> = (0..layers.len()).filter(|&at| !layers[at].rounding_only).collect();
            assert!(wrong.is_empty() || wrong == [changed], "seed {seed}: {wrong:?} instead of {changed}");
            found += wrong.len();
        }
        // A few hide: the channel is saturated on all twelve images.
        assert!(found >= 36, "{}: only {found} of 40 changes were found", engine.name());
    }
}
