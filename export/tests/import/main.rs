//! Networks that other tools have quantised: what is imported computes what ONNX Runtime computes, what cannot be is told.
#![cfg(feature = "engines")]

mod builder;
mod int4;
mod refusals;

use std::path::PathBuf;

use bomp_export::data::{self, Format, Images};
use bomp_export::engines::{self, OnnxRuntime};
use bomp_export::import::{Imported, import};
use bomp_export::ir::{Op, Shape};
use bomp_export::onnx::proto::DataType;
use bomp_export::testing::{self, Limits, Numbers};
use bomp_export::validate::{LogitComparison, compare_logits};
use bomp_export::{evaluate, lower, onnx, write};
use bomp_runtime::Model;

use builder::{Builder, int, ints};

/// A file that another tool has written; tests/onnx/recipe.py says how.
fn file(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/onnx").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The imported network beside ONNX Runtime with the file itself.
fn compare(file: &[u8], imported: &Imported, images: &Images) -> LogitComparison {
    let blob = write::blob(&imported.lowered).unwrap();
    let model = Model::new(&blob).unwrap();
    let integer = evaluate::logits(&model, images, 2, &|_| {}).unwrap();
    let engine = OnnxRuntime::find().unwrap();
    let float = engines::logits(&engine, file, images, model.classes(), 2, &|_| {}).unwrap();
    compare_logits(&model, &images.labels, &integer, &float).unwrap()
}

fn test_images() -> Images {
    data::load(&data::default_folder(), Format::Auto).unwrap().test
}

#[test]
fn onnxruntimes_static_quantiser_as_it_comes() {
    let file = file("ort-small.onnx");
    let imported = import(&file).unwrap();
    let comparison = compare(&file, &imported, &test_images());
    assert!(comparison.agreement >= 0.999, "{} of 10,000: {:?}", comparison.agreeing, comparison.logits);
    assert!(comparison.accuracy.fraction > 0.88, "the network itself is poor: {}", comparison.accuracy);
}

#[test]
fn onnxruntimes_static_quantiser_per_channel() {
    let file = file("ort-per-channel.onnx");
    let imported = import(&file).unwrap();
    let comparison = compare(&file, &imported, &test_images());
    assert!(comparison.agreement >= 0.999, "{} of 10,000: {:?}", comparison.agreeing, comparison.logits);
    assert!(comparison.accuracy.fraction > 0.85, "the network itself is poor: {}", comparison.accuracy);
    let worst = imported.layers.iter().map(|layer| layer.factor_error).fold(0.0, f64::max);
    assert!(0.0 < worst && worst <= 0.5f64.powi(26), "{worst}");
    // 11 convolutions, of which one has groups, 2 adds, a pool, 2 fully connected layers.
    assert_eq!(imported.lowered.network.layers.len(), 16);
}

#[test]
fn onnxruntimes_static_quantiser_symmetric_per_tensor() {
    let file = file("ort-symmetric.onnx");
    let imported = import(&file).unwrap();
    let comparison = compare(&file, &imported, &test_images());
    assert!(comparison.agreement >= 0.999, "{} of 10,000: {:?}", comparison.agreeing, comparison.logits);
    // ReLU and ReLU6 are nodes with quantisers of their own there, and become bounds all the same.
    assert_eq!(imported.lowered.network.layers.len(), 16);
}

#[test]
fn brevitas_with_narrow_weights() {
    let file = file("brevitas.onnx");
    let imported = import(&file).unwrap();
    let bits: Vec<Option<u8>> = imported.layers.iter().map(|layer| layer.bits).collect();
    assert_eq!(bits, [Some(8), Some(4), Some(4), Some(5), Some(4), Some(6)]);
    let free = bomp_export::import::with_free_batch(&file).unwrap();
    let comparison = compare(&free, &imported, &test_images());
    assert!(comparison.agreement >= 0.999, "{} of 10,000: {:?}", comparison.agreeing, comparison.logits);
}

/// This program's own files come back as the same network, integer for integer. Steps in ONNX are float32, so the factors of
/// adds and pools, which have 31 bits, differ in their last ones.
#[test]
fn what_was_exported_is_imported_unchanged() {
    let mut equal = 0;
    for seed in 0..40 {
        let candidate = testing::candidate(seed, &Limits::SMALL);
        let lowered = lower::lower(&candidate).unwrap();
        let blob = write::blob(&lowered).unwrap();
        for containers in [onnx::Containers::Int8, onnx::Containers::Int4] {
            let file = onnx::with_containers(&lowered, &candidate.provenance, &blob, containers).unwrap();
            let imported = import(&file).unwrap();
            let names = |lowered: &lower::Lowered| -> Vec<String> {
                lowered.network.layers.iter().map(|layer| layer.name.clone()).collect()
            };
            assert_eq!(names(&imported.lowered), names(&lowered));
            let again = write::blob(&imported.lowered).unwrap();
            assert!(again.len() <= blob.len(), "seed {seed}");
            let (model, other) = (Model::new(&blob).unwrap(), Model::new(&again).unwrap());
            for (own, imported) in lowered.parameters.iter().zip(&imported.lowered.parameters) {
                let (lower::Parameters::Weighted(own), lower::Parameters::Weighted(imported)) =
                    (own, imported)
                else {
                    continue;
                };
                assert_eq!(imported.weights, own.weights, "seed {seed}");
                // A bias is an integer times a float32 step: it comes back within float32's precision.
                for (&own, &imported) in own.folded_biases.iter().zip(&imported.folded_biases) {
                    let tolerance = 1.max(own.unsigned_abs() >> 22);
                    assert!(own.abs_diff(imported) <= tolerance, "seed {seed}: {own} became {imported}");
                }
                // The factors of its own files have 13 bits, so no layer becomes wide.
                assert_eq!(
                    (&imported.multipliers, &imported.fine, imported.base_shift),
                    (&own.multipliers, &own.fine, own.base_shift),
                    "seed {seed}"
                );
            }
            assert_eq!(imported.lowered.outputs, lowered.outputs, "seed {seed}");
            let images =
                testing::images(candidate.network.input, 5, model.classes(), &mut Numbers::new(seed));
            let logits = |model: &Model<'_>| evaluate::logits(model, &images, 1, &|_| {}).unwrap();
            equal += usize::from(logits(&other) == logits(&model));
        }
    }
    assert!(equal >= 76, "bit-identical logits for {equal} of 80 files");
}

/// A random convolution between a quantised image and a classifier.
fn random_convolution(numbers: &mut Numbers) -> (Vec<u8>, Shape, usize) {
    let channels = [1, 2, 3, 4, 6][numbers.within(0..=4)];
    let shape = Shape::new(numbers.within(5..=11), numbers.within(5..=11), channels);
    let divisors: Vec<usize> = (1..=channels).filter(|group| channels % group == 0).collect();
    let group = divisors[numbers.within(0..=divisors.len() - 1)];
    let filters = group * numbers.within(1..=3);
    let kernel = [numbers.within(1..=4), numbers.within(1..=4)];
    // A reach of at most 5, the smallest image.
    let dilations = kernel.map(|kernel| if kernel <= 3 { numbers.within(1..=2) } else { 1 });
    let reach = [0, 1].map(|axis| (kernel[axis] - 1) * dilations[axis] + 1);
    let stride = numbers.within(1..=3);
    let padding: [usize; 4] = std::array::from_fn(|side| {
        let most = (reach[side % 2] - 1).min(reach[0].max(reach[1]) - 1);
        if most == 0 { 0 } else { numbers.within(0..=most.min(2)) }
    });
    let mut builder = Builder::new([channels, shape.height, shape.width], numbers.one_in(2));
    let mut value = builder.quantised("x", 1.0 / 255.0, -128);
    let integer = |numbers: &mut Numbers| numbers.within(0..=254) as i32 as i16 as i8 as i32;
    let integers = |count: usize, numbers: &mut Numbers| -> Vec<i8> {
        (0..count).map(|_| integer(numbers) as i8).collect()
    };
    let steps = |count: usize, numbers: &mut Numbers| -> Vec<f32> {
        let count = if numbers.one_in(3) { 1 } else { count };
        (0..count).map(|_| 0.0005 + 0.003 * numbers.unit() as f32).collect()
    };
    let fan_in = channels / group * kernel[0] * kernel[1];
    let weights = integers(filters * fan_in, numbers);
    let scales = steps(filters, numbers);
    let weights =
        builder.weights("w", &[filters, channels / group, kernel[0], kernel[1]], &weights, &scales, 0);
    let bias: Vec<f32> = (0..filters).map(|_| numbers.normal() as f32 * 0.3).collect();
    let bias = builder.floats("b", &[filters], &bias);
    let attributes = vec![
        int("group", group as i64),
        ints("kernel_shape", &kernel),
        ints("dilations", &dilations),
        ints("strides", &[stride; 2]),
        ints("pads", &padding),
    ];
    value = builder.node("Conv", "conv", &[&value, &weights, &bias], attributes);
    if numbers.one_in(2) {
        value = builder.node("Relu", "relu", &[&value], vec![]);
    }
    value = builder.quantised(&value, 0.01, if numbers.one_in(2) { -128 } else { 3 });
    if numbers.one_in(3) {
        // An activation between two quantisers of different steps: a layer of its own.
        value = builder.node("Relu", "late", &[&value], vec![]);
        value = builder.quantised(&value, 0.013, -100);
    }
    // A fully connected layer over the whole image, hidden, then one of ten classes.
    let size =
        |axis: usize, size: usize| (size + padding[axis] + padding[axis + 2] - reach[axis]) / stride + 1;
    let pixels = size(0, shape.height) * size(1, shape.width);
    value = builder.node("Flatten", "flatten", &[&value], vec![int("axis", 1)]);
    let hidden = integers(12 * filters * pixels, numbers);
    let scales = steps(12, numbers);
    let weights = builder.weights("h", &[12, filters * pixels], &hidden, &scales, 0);
    value = builder.node("Gemm", "hidden", &[&value, &weights], vec![int("transB", 1)]);
    value = builder.quantised(&value, 0.02, -4);
    let last = integers(12 * 10, numbers);
    let scales = steps(10, numbers);
    let weights = builder.weights("l", &[12, 10], &last, &scales, 1);
    value = builder.node("MatMul", "last", &[&value, &weights], vec![]);
    let bias: Vec<f32> = (0..10).map(|_| numbers.normal() as f32 * 0.1).collect();
    let bias = builder.floats("lb", &[10], &bias);
    value = builder.node("Add", "last_bias", &[&value, &bias], vec![]);
    (builder.finish(&value, 10), shape, pixels)
}

#[test]
fn convolutions_of_any_shape_compute_what_onnxruntime_computes() {
    let mut numbers = Numbers::new(11);
    let mut compared = 0;
    for case in 0..60 {
        let (file, shape, _) = random_convolution(&mut numbers);
        let imported = match import(&file) {
            Ok(imported) => imported,
            // Padding that the square kernel has no room for, or a window that lies outside: told, not computed wrongly.
            Err(error) => {
                let text = error.to_string();
                assert!(text.contains("padding") || text.contains("window"), "case {case}: {text}");
                continue;
            }
        };
        let images = testing::images(shape, 20, 10, &mut numbers);
        let comparison = compare(&file, &imported, &images);
        // A step of a hidden element is worth up to 127 steps of a weight here; roundings of single elements may differ.
        assert!(comparison.logits.mean < 0.01, "case {case}: {:?}", comparison.logits);
        compared += 1;
    }
    assert!(compared > 40, "only {compared} of 60 were compared");
}

#[test]
fn asymmetric_weights_are_recentred_and_told() {
    let mut builder = Builder::new([1, 6, 6], true);
    let value = builder.quantised("x", 1.0 / 255.0, -128);
    let weights: Vec<u8> = (0..2 * 36).map(|at| (at * 37 % 256) as u8).collect();
    let integers =
        builder.constant("w", DataType::Uint8, &[36, 2], [&weights[..36], &weights[36..]].concat());
    let scale = builder.floats("w/scale", &[], &[0.002]);
    let zero = builder.constant("w/zero", DataType::Uint8, &[], vec![100]);
    let real = builder.node("DequantizeLinear", "w/dq", &[&integers, &scale, &zero], vec![]);
    let flat = builder.node("Flatten", "flat", &[&value], vec![int("axis", 1)]);
    let value = builder.node("MatMul", "dense", &[&flat, &real], vec![]);
    let softmax = builder.node("Softmax", "softmax", &[&value], vec![]);
    let file = builder.finish(&softmax, 2);
    let imported = import(&file).unwrap();
    assert!(imported.layers[0].weights_changed > 0.0 && imported.layers[0].weights_changed <= 0.62);
    assert!(imported.notes.iter().any(|note| note.contains("Softmax")), "{:?}", imported.notes);
    assert!(imported.notes.iter().any(|note| note.contains("more than 8 bits")), "{:?}", imported.notes);
    assert!(matches!(imported.lowered.network.layers[0].op, Op::Classifier { classes: 2, .. }));
}
