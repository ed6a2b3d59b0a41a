//! `.npz` archives of what people have: pixels of other types, features, channels first, labels that are no plain numbers. Each is
//! read as what it is, or refused with a remedy.

use std::path::Path;

use bomp_export::candidate::Quantisation;
use bomp_export::data::{self, DataError, Dataset, Format};
use bomp_export::ir::Shape;
use tempfile::tempdir;

use super::npz::{archive, npy};
use super::{refused, write};

/// A part's arrays: element type and bytes of the inputs, those of the labels.
type Part<'a> = (&'a str, Vec<u8>, &'a str, Vec<u8>);

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Writes training and test part with inputs of `shape`, a Python tuple without the number of inputs.
fn write_parts(folder: &Path, shape: &str, count: [usize; 2], parts: [Part; 2]) {
    let [train, test] = parts;
    let mut entries = Vec::new();
    for ((name, labels), (count, part)) in
        [("x_train", "y_train"), ("x_test", "y_test")].into_iter().zip(count.into_iter().zip([train, test]))
    {
        entries.push((name, npy(part.0, &format!("({count}, {shape})"), &part.1)));
        entries.push((labels, npy(part.2, &format!("({count},)"), &part.3)));
    }
    write(folder, "set.npz", archive(&entries));
}

fn load(folder: &Path) -> Result<Dataset, DataError> {
    data::load(folder, Format::Auto)
}

/// Inputs of 4x5x2: forty values for each of three training inputs and two test inputs.
fn with_inputs(folder: &Path, descr: &str, train: Vec<u8>, test: Vec<u8>) {
    write_parts(
        folder,
        "4, 5, 2",
        [3, 2],
        [(descr, train, "|u1", vec![0, 1, 0]), (descr, test, "|u1", vec![1, 0])],
    );
}

/// Pixels, some of them light, training and test part.
fn pixels() -> [Vec<u8>; 2] {
    [(0..120u8).map(|i| i.wrapping_mul(37)).collect(), (0..80u8).map(|i| i.wrapping_mul(91)).collect()]
}

#[test]
fn pixels_of_every_type_are_the_same_data() {
    let folder = tempdir().unwrap();
    let [train, test] = pixels();
    with_inputs(folder.path(), "|u1", train.clone(), test.clone());
    let expected = load(folder.path()).unwrap();
    assert!(expected.train.are_pixels() && expected.notes.is_empty());
    type Encode = fn(u8) -> Vec<u8>;
    let encodings: [(&str, Encode); 9] = [
        ("<f4", |p| f32::from(p).to_le_bytes().into()),
        (">f8", |p| f64::from(p).to_be_bytes().into()),
        ("<f4", |p| (f32::from(p) / 255.0).to_le_bytes().into()),
        ("<f8", |p| (f64::from(p) / 255.0).to_le_bytes().into()),
        ("<i2", |p| i16::from(p).to_le_bytes().into()),
        (">u2", |p| u16::from(p).to_be_bytes().into()),
        ("<i4", |p| i32::from(p).to_le_bytes().into()),
        ("<i8", |p| i64::from(p).to_le_bytes().into()),
        ("<u8", |p| u64::from(p).to_le_bytes().into()),
    ];
    for (descr, encode) in encodings {
        let of = |pixels: &[u8]| pixels.iter().flat_map(|&pixel| encode(pixel)).collect();
        with_inputs(folder.path(), descr, of(&train), of(&test));
        let found = load(folder.path()).unwrap();
        assert_eq!(found.sha256, expected.sha256, "{descr}");
        assert_eq!(found.train, expected.train, "{descr}");
        assert!(found.notes.len() == 1 && found.notes[0].ends_with("read as pixels"), "{:?}", found.notes);
    }
    // float16 holds 0..255 exactly. 0x3c00 is 1, 0x5bf8 is 255.
    let of = |count: usize| {
        [0x5bf8u16, 0x3c00, 0, 0x3c00].iter().cycle().take(count).flat_map(|b| b.to_le_bytes()).collect()
    };
    with_inputs(folder.path(), "<f2", of(120), of(80));
    assert_eq!(load(folder.path()).unwrap().train.pixels[..4], [255, 1, 0, 1]);
    // False and true are black and white.
    with_inputs(folder.path(), "|b1", [0, 1].repeat(60), [1, 0].repeat(40));
    assert_eq!(load(folder.path()).unwrap().test.pixels[..2], [255, 0]);
}

#[test]
fn int8_is_asked_back() {
    let folder = tempdir().unwrap();
    with_inputs(folder.path(), "|i1", vec![0; 120], vec![0; 80]);
    refused(
        folder.path(),
        Format::Auto,
        &[
            "entry x_train",
            "|i1 can mean two things",
            "`x_train = (x_train.astype(np.int16) + 128).astype(np.uint8)`",
            "`x_train = x_train.astype(np.float32)`",
        ],
    );
}

/// Numbers as sensors have them.
fn readings(count: usize, unit: f32) -> Vec<f32> {
    (0..count).map(|i| (i as f32 * 12.9898).sin() * (i as f32 * 0.37).cos() * unit).collect()
}

#[test]
fn real_numbers_are_features_whatever_their_unit() {
    let folder = tempdir().unwrap();
    let mut seen = Vec::new();
    for unit in [1.0, 1e-9, 4e7] {
        let (train, test) = (readings(120, unit), readings(80, unit * 0.9));
        with_inputs(folder.path(), "<f4", floats(&train), floats(&test));
        let data = load(folder.path()).unwrap();
        let input = data.train.input;
        assert!(!data.train.are_pixels() && data.test.input == input);
        assert!(data.notes.iter().any(|note| note.contains("real numbers")), "{:?}", data.notes);
        for (images, values) in [(&data.train, &train), (&data.test, &test)] {
            for (&byte, &value) in images.pixels.iter().zip(values) {
                let error = f64::from((images.value(byte) - value).abs());
                // Half a step, or what the range cuts off.
                assert!(error <= input.scale * 0.501 || byte == 0 || byte == 255, "{value}: {error}");
            }
        }
        // The bytes say nothing of the unit, the checksum does.
        seen.push(data);
    }
    let near = seen[0].train.pixels.iter().zip(&seen[1].train.pixels).all(|(a, b)| a.abs_diff(*b) <= 1);
    assert!(near, "{:?} {:?}", seen[0].train.pixels, seen[1].train.pixels);
    assert!(seen[0].sha256 != seen[1].sha256 && seen[1].sha256 != seen[2].sha256);
}

#[test]
fn whole_numbers_beyond_pixels_are_features() {
    let folder = tempdir().unwrap();
    // Dark: 0 to 16 as scikit-learn's digits are, which would be next to black as pixels.
    for (low, high) in [(0i16, 16i16), (-300, 200), (0, 4095)] {
        let of = |count: i16| -> Vec<u8> {
            (0..count)
                .flat_map(|i| (low + (i32::from(i) * 31 % i32::from(high - low + 1)) as i16).to_le_bytes())
                .collect()
        };
        with_inputs(folder.path(), "<i2", of(120), of(80));
        let data = load(folder.path()).unwrap();
        assert!(!data.train.are_pixels(), "{low}..{high}");
        let steps = f64::from(high - low) / data.train.input.scale;
        assert!((200.0..300.0).contains(&steps), "{steps}");
    }
}

#[test]
fn a_models_own_quantisation_is_used() {
    let folder = tempdir().unwrap();
    let (train, test) = (readings(120, 1.0), readings(80, 0.5));
    with_inputs(folder.path(), "<f4", floats(&train), floats(&test));
    let model = Quantisation { scale: 0.015625, zero_point: 7 };
    let found = data::load_for(folder.path(), Format::Auto, model).unwrap();
    assert_eq!(found.test.input, model);
    let expected: Vec<u8> = test
        .iter()
        .map(|value| ((value / 0.015625).round_ties_even() + 7.0 + 128.0).clamp(0.0, 255.0) as u8)
        .collect();
    assert_eq!(found.test.pixels, expected);

    let refusal = |input| data::load_for(folder.path(), Format::Auto, input).unwrap_err().to_string();
    assert!(refusal(Quantisation::IMAGE).contains("the model takes pixels"));
    let other = Quantisation { scale: 1e-5, ..model };
    assert!(
        refusal(other).contains("entry x_test") && refusal(other).contains("lie outside"),
        "{}",
        refusal(other)
    );
    assert!(refusal(Quantisation { scale: 10.0, ..model }).contains("of its 255 steps"));

    // Whole numbers of a file of their own are real numbers for such a model, not pixels.
    let whole: Vec<f32> = (0..120).map(|i| [0.0, 255.0, 128.0][i % 3]).collect();
    with_inputs(folder.path(), "<f4", floats(&whole), floats(&whole[..80]));
    let model = Quantisation { scale: 2.0, zero_point: -128 };
    let found = data::load_for(folder.path(), Format::Auto, model).unwrap();
    assert_eq!(found.train.pixels[..3], [0, 128, 64]);
}

#[test]
fn what_is_no_number_is_found() {
    let folder = tempdir().unwrap();
    for (bad, word) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let mut train = readings(120, 1.0);
        // Input 1, row 2, column 3, channel 1.
        train[40 + 2 * 10 + 3 * 2 + 1] = bad;
        with_inputs(folder.path(), "<f4", floats(&train), floats(&readings(80, 1.0)));
        refused(folder.path(), Format::Auto, &["entry x_train", "[1, 2, 3, 1]", word, "finite"]);
    }
    let large: Vec<u8> = (0..120).flat_map(|_| 1e300f64.to_le_bytes()).collect();
    with_inputs(folder.path(), "<f8", large.clone(), large[..640].to_vec());
    refused(folder.path(), Format::Auto, &["entry x_train", "[0, 0, 0, 0]", "no float32 holds it"]);
}

#[test]
fn parts_on_different_scales_are_refused() {
    let folder = tempdir().unwrap();
    let [train, test] = pixels();
    let whole: Vec<f32> = train.iter().map(|&pixel| f32::from(pixel)).collect();
    let parts: Vec<f32> = test.iter().map(|&pixel| f32::from(pixel) / 255.0).collect();
    with_inputs(folder.path(), "<f4", floats(&whole), floats(&parts));
    refused(
        folder.path(),
        Format::Auto,
        &["entry x_test", "from 0 to 1", "x_train", "scale all parts alike"],
    );
    // Standardised training part, forgotten test part.
    let standard = readings(120, 1.0);
    with_inputs(folder.path(), "<f4", floats(&standard), floats(&whole[..80]));
    refused(folder.path(), Format::Auto, &["entry x_test", "lie outside", "training part's int8 range"]);
}

#[test]
fn parts_on_scales_that_overlap_are_warned_of() {
    let folder = tempdir().unwrap();
    let uniform = |count: usize, low: f32, high: f32| -> Vec<f32> {
        let random = |i: usize| ((i as f32 * 12.9898).sin() * 43_758.547).rem_euclid(1.0);
        (0..count).map(|i| low + (high - low) * random(i + count)).collect()
    };
    let load_parts = |train: &[f32], test: &[f32]| {
        with_inputs(folder.path(), "<f4", floats(train), floats(test));
        load(folder.path()).unwrap().warnings
    };
    let train = uniform(120, -1.0, 1.0);
    for test in [uniform(80, 0.0, 1.0), uniform(80, -0.3, 0.3), uniform(80, 0.4, 1.1)] {
        let warnings = load_parts(&train, &test);
        let said = warnings.iter().any(|warning| {
            warning.contains("the values of x_test are from") && warning.contains("with the same numbers")
        });
        assert!(said && warnings.len() == 1, "{test:?}: {warnings:?}");
    }
    // Other people's readings differ by as much.
    for test in [uniform(80, -0.8, 1.1), uniform(80, -0.7, 0.8), uniform(80, -1.1, 1.1)] {
        assert_eq!(load_parts(&train, &test), [""; 0]);
    }
    // A model's own scale does not hide it.
    let model = Quantisation { scale: 2.0 / 255.0, zero_point: 0 };
    with_inputs(folder.path(), "<f4", floats(&train), floats(&uniform(80, 0.0, 1.0)));
    let data = data::load_for(folder.path(), Format::Auto, model).unwrap();
    assert!(data.warnings[0].contains("the values of x_test are from"), "{:?}", data.warnings);
}

#[test]
fn values_that_take_the_range_are_blamed_instead_of_the_test_part() {
    let folder = tempdir().unwrap();
    let mut spiked = readings(120, 1.0);
    spiked[7] = 65_535.0;
    with_inputs(folder.path(), "<f4", floats(&spiked), floats(&readings(80, 1.0)));
    refused(
        folder.path(),
        Format::Auto,
        &["entry x_train", "a few others are far outside, up to 65535", "np.clip(x_train, "],
    );
    let far = |count| readings(count, 1.0).into_iter().map(|value| value + 30_000.0).collect::<Vec<f32>>();
    with_inputs(folder.path(), "<f4", floats(&far(120)), floats(&far(80)));
    refused(
        folder.path(),
        Format::Auto,
        &[
            "entry x_train",
            "the range must contain 0",
            "`m = x_train.mean(); x_train, x_test = x_train - m, x_test - m`",
        ],
    );
    // Nearly all 0 is no fault.
    let mut sparse = vec![0.0; 120];
    sparse[100] = 3.25;
    with_inputs(folder.path(), "<f4", floats(&sparse), floats(&sparse[40..]));
    assert_eq!(load(folder.path()).unwrap().warnings, [""; 0]);
}

#[test]
fn pixels_that_were_half_precision_are_pixels() {
    let folder = tempdir().unwrap();
    let [train, test] = pixels();
    with_inputs(folder.path(), "|u1", train.clone(), test.clone());
    let expected = load(folder.path()).unwrap();
    // The nearest number of 11 bits, as float16 and as the float32 that it becomes.
    let half = |pixel: u8| {
        let value = f32::from(pixel) / 255.0;
        f32::from_bits((value.to_bits() + 0xfff + (value.to_bits() >> 13 & 1)) & !0x1fff)
    };
    let bits =
        |value: f32| -> u16 { if value == 0.0 { 0 } else { ((value.to_bits() >> 13) - (112 << 10)) as u16 } };
    let wide = |pixels: &[u8]| floats(&pixels.iter().map(|&pixel| half(pixel)).collect::<Vec<_>>());
    let narrow =
        |pixels: &[u8]| pixels.iter().flat_map(|&pixel| bits(half(pixel)).to_le_bytes()).collect::<Vec<_>>();
    with_inputs(folder.path(), "<f2", narrow(&train), narrow(&test));
    assert_eq!(load(folder.path()).unwrap().sha256, expected.sha256);
    with_inputs(folder.path(), "<f4", wide(&train), wide(&test));
    assert_eq!(load(folder.path()).unwrap().sha256, expected.sha256);
}

#[test]
fn advice_never_makes_pixels_black() {
    let folder = tempdir().unwrap();
    let [train, test] = pixels();
    let scaled = |pixels: &[u8]| floats(&pixels.iter().map(|&p| f32::from(p) / 255.0).collect::<Vec<_>>());
    let line = |name: &str| format!("`{name} = ({name} * 255).round().astype(np.uint8)`");
    let mixed = |train: (&str, Vec<u8>), test: (&str, Vec<u8>)| {
        let parts = [(train.0, train.1, "|u1", vec![0, 1, 0]), (test.0, test.1, "|u1", vec![1, 0])];
        write_parts(folder.path(), "4, 5, 2", [3, 2], parts);
    };
    mixed(("|u1", train.clone()), ("<f4", scaled(&test)));
    refused(
        folder.path(),
        Format::Auto,
        &["entry x_test", "from 0 to 1", "one type and scale", &line("x_test")],
    );
    mixed(("<f4", scaled(&train)), ("|u1", test.clone()));
    refused(folder.path(), Format::Auto, &["entry x_train", &line("x_train")]);
    let signed =
        |pixels: &[u8]| floats(&pixels.iter().map(|&p| f32::from(p) / 127.5 - 1.0).collect::<Vec<_>>());
    mixed(("|u1", train.clone()), ("<f4", signed(&test)));
    refused(folder.path(), Format::Auto, &["`x_test = ((x_test + 1) * 127.5).round().astype(np.uint8)`"]);

    // A model of pixels, and pixels after they were resized as real numbers.
    let resized = |count| readings(count, 0.5).into_iter().map(|value| value + 0.5).collect::<Vec<f32>>();
    with_inputs(folder.path(), "<f4", floats(&resized(120)), floats(&resized(80)));
    let refusal = data::load_for(folder.path(), Format::Auto, Quantisation::IMAGE).unwrap_err().to_string();
    assert!(refusal.contains("the model takes pixels") && refusal.contains(&line("x_train")), "{refusal}");

    // Who made them black all the same is told so, by every command.
    mixed(("|u1", train), ("|u1", test.iter().map(|pixel| pixel / 255).collect()));
    let data = data::load_for(folder.path(), Format::Auto, Quantisation::IMAGE).unwrap();
    assert!(
        data.warnings[0].contains("2 of 2 test images are black but for values up to"),
        "{:?}",
        data.warnings
    );
}

#[test]
fn labels_that_only_the_test_part_has_are_not_renumbered() {
    let folder = tempdir().unwrap();
    with_labels(folder.path(), "|u1", "", &[0, 3, 6], &[3, 5]);
    refused(
        folder.path(),
        Format::Auto,
        &[
            "entry y_test",
            "label 5 of image 1",
            "3 classes of y_train",
            "k = np.isin(y_test.reshape(-1), y_train)",
            "at random",
        ],
    );
    with_labels(folder.path(), "|u1", " 3", &[1, 0, 0, 0, 1, 0, 1, 0, 0], &[1, 0, 0, 0, 0, 1]);
    refused(
        folder.path(),
        Format::Auto,
        &["label 2 of image 1", "np.isin(y_test.argmax(1), y_train.argmax(1))"],
    );
    // Columns of no class, in the middle and at the end.
    for column in [1, 2] {
        let row = |class: usize| {
            let one = if column == 1 { 2 * class } else { class };
            (0..3usize).map(move |at| u8::from(at == one))
        };
        let rows = |classes: &[usize]| classes.iter().flat_map(|&class| row(class)).collect::<Vec<u8>>();
        with_labels(folder.path(), "|u1", " 3", &rows(&[0, 1, 0]), &rows(&[1, 0]));
        refused(
            folder.path(),
            Format::Auto,
            &[
                "one-hot rows of 3",
                &format!("column {column} has no 1"),
                "`k = y_train.any(axis=0); y_train, y_test = y_train[:, k].copy()",
            ],
        );
    }
    write(folder.path(), "classes.txt", "a\nb\n");
    refused(folder.path(), Format::Auto, &["one-hot rows of 3", "2 classes"]);
}

#[test]
fn measured_whole_numbers_are_no_classes() {
    let folder = tempdir().unwrap();
    let write_labels = |of: &dyn Fn(u16) -> u16| {
        let labels = |count: u16| (0..count).flat_map(|i| of(i).to_le_bytes()).collect::<Vec<u8>>();
        let part = |count: u16| ("|u1", vec![9; usize::from(count)], "<u2", labels(count));
        write_parts(folder.path(), "1, 1", [60, 40], [part(60), part(40)]);
    };
    for of in [&(|i| i) as &dyn Fn(u16) -> u16, &|i| 7 * i + 1] {
        write_labels(of);
        refused(
            folder.path(),
            Format::Auto,
            &[
                "entry y_train",
                "60 ",
                "regression",
                "np.digitize(y_train, edges)",
                "`y_test = np.digitize(y_test, edges)`",
            ],
        );
    }
}

#[test]
fn labels_of_odd_shapes_and_without_a_value_are_told_what_to_do() {
    let folder = tempdir().unwrap();
    with_labels(folder.path(), "<f4", "", &floats(&[0.0, f32::NAN, 1.0]), &floats(&[0.0, 1.0]));
    refused(
        folder.path(),
        Format::Auto,
        &["label of image 1 is NaN", "k = ~np.isnan(y_train)", "x_train, y_train = x_train[k], y_train[k]"],
    );
    with_labels(
        folder.path(),
        "<f4",
        " 2",
        &floats(&[0.0, 1.0, f32::NAN, 0.0, 1.0, 0.0]),
        &floats(&[0.0, 1.0, 1.0, 0.0]),
    );
    refused(folder.path(), Format::Auto, &["label of image 1 is NaN"]);
    with_labels(folder.path(), "|i1", " 2", &[255, 1, 1, 255, 1, 255], &[1, 255, 255, 1]);
    refused(folder.path(), Format::Auto, &["-1 for 0", "`y_train = (y_train > 0).astype(np.uint8)`"]);
    let [train, test] = pixels();
    let with_shapes = |inputs: [&str; 2], labels: [(&str, Vec<u8>); 2]| {
        let [(shape, bytes), (test_shape, test_bytes)] = labels;
        let entries = [
            ("x_train", npy("|u1", inputs[0], &train)),
            ("y_train", npy("|u1", shape, &bytes)),
            ("x_test", npy("|u1", inputs[1], &test)),
            ("y_test", npy("|u1", test_shape, &test_bytes)),
        ];
        write(folder.path(), "set.npz", archive(&entries));
    };
    let usual = ["(3, 4, 5, 2)", "(2, 4, 5, 2)"];
    with_shapes(usual, [("(1, 3)", vec![0, 1, 0]), ("(1, 2)", vec![0, 1])]);
    refused(folder.path(), Format::Auto, &["[1, 3]", "`y_train = y_train.reshape(-1)`"]);
    with_shapes(usual, [("()", vec![0]), ("()", vec![1])]);
    refused(folder.path(), Format::Auto, &["a single label", "3 inputs"]);
    with_shapes(usual, [("(3, 1, 2)", vec![0, 1, 1, 0, 0, 1]), ("(2, 1, 2)", vec![0, 1, 1, 0])]);
    refused(folder.path(), Format::Auto, &["`y_train = y_train.reshape(len(y_train), -1)`"]);
    with_shapes(["(4, 5, 2, 3)", "(4, 5, 2, 2)"], [("(3,)", vec![0, 1, 0]), ("(2,)", vec![0, 1])]);
    refused(folder.path(), Format::Auto, &["counted last", "`x_train = np.moveaxis(x_train, -1, 0)`"]);
    with_shapes(["(3, 1, 4, 5, 2)", "(2, 1, 4, 5, 2)"], [("(3,)", vec![0, 1, 0]), ("(2,)", vec![0, 1])]);
    refused(folder.path(), Format::Auto, &["`x_train = x_train.reshape(-1, 4, 5, 2)`"]);
}

#[test]
fn a_training_part_may_be_called_nothing_but_inputs_and_labels() {
    let folder = tempdir().unwrap();
    let [train, test] = pixels();
    let entries = [
        ("X", npy("|u1", "(3, 4, 5, 2)", &train)),
        ("y", npy("|u1", "(3,)", &[0, 1, 0])),
        ("X_test", npy("|u1", "(2, 4, 5, 2)", &test)),
        ("y_test", npy("|u1", "(2,)", &[0, 1])),
    ];
    write(folder.path(), "set.npz", archive(&entries));
    let data = load(folder.path()).unwrap();
    assert_eq!((data.train.len(), data.test.len()), (3, 2));
    assert!(data.notes.iter().any(|note| note.contains("X and y are the training part")), "{:?}", data.notes);
    write(folder.path(), "set.npz", archive(&entries[..2]));
    refused(folder.path(), Format::Auto, &["X and y are not divided", "x, y = d[\"X\"], d[\"y\"]"]);
}

#[test]
fn channels_first_are_never_rows() {
    let folder = tempdir().unwrap();
    let bytes: Vec<u8> = (0..3 * 6 * 5 * 2).map(|i| i as u8).collect();
    let write = |shape: &str| {
        let part = |count: usize, labels: Vec<u8>| ("|u1", bytes[..count * 90].to_vec(), "|u1", labels);
        write_parts(folder.path(), shape, [2, 1], [part(2, vec![0, 1]), part(1, vec![1])]);
    };
    write("3, 6, 5");
    refused(
        folder.path(),
        Format::Auto,
        &[
            "entry x_train",
            "[2, 3, 6, 5]",
            "--format npz:nchw",
            "np.transpose(x_train, (0, 2, 3, 1))",
            "npz:nhwc",
        ],
    );
    let turned = data::load(folder.path(), Format::NpzNchw).unwrap();
    assert_eq!(turned.shape, Shape::new(6, 5, 3));
    assert_eq!(turned.train.image(1)[..4], [90, 120, 150, 91]);
    let kept = data::load(folder.path(), Format::NpzNhwc).unwrap();
    assert_eq!((kept.shape, kept.train.image(1)[1]), (Shape::new(3, 6, 5), 91));
    // What the message says, followed: the same images, channels last.
    write("6, 5, 3");
    assert_eq!(load(folder.path()).unwrap().shape, turned.shape);
    write("90, 1, 1");
    refused(folder.path(), Format::NpzNchw, &["90 channels of 1x1", "--format npz`"]);
}

/// Labels of three training inputs and two test inputs, of any kind.
fn with_labels(folder: &Path, descr: &str, tail: &str, train: &[u8], test: &[u8]) {
    let [pixels, others] = pixels();
    let labels = |count: usize, data: &[u8]| npy(descr, &format!("({count},{tail})"), data);
    let entries = [
        ("x_train", npy("|u1", "(3, 4, 5, 2)", &pixels)),
        ("y_train", labels(3, train)),
        ("x_test", npy("|u1", "(2, 4, 5, 2)", &others)),
        ("y_test", labels(2, test)),
    ];
    write(folder, "set.npz", archive(&entries));
}

fn text(words: &[&str], length: usize) -> Vec<u8> {
    words
        .iter()
        .flat_map(|word| word.chars().chain(std::iter::repeat('\0')).take(length).collect::<Vec<_>>())
        .flat_map(|letter| u32::from(letter).to_le_bytes())
        .collect()
}

#[test]
fn words_become_the_names_of_the_classes() {
    let folder = tempdir().unwrap();
    with_labels(folder.path(), "<U5", "", &text(&["two", "größe", "two"], 5), &text(&["größe", "two"], 5));
    let data = load(folder.path()).unwrap();
    assert_eq!(data.class_names, ["größe", "two"]);
    assert_eq!((&data.train.labels[..], &data.test.labels[..]), (&[1, 0, 1][..], &[0, 1][..]));
    with_labels(folder.path(), "|S3", "", b"cat\0\0\0dog", b"dogcat");
    refused(folder.path(), Format::Auto, &["entry y_train", "is empty"]);
    with_labels(folder.path(), "|S3", " 1", b"catox\0cat", b"ox\0cat");
    assert_eq!(load(folder.path()).unwrap().class_names, ["cat", "ox"]);
    // Numbers as words keep their order, those of letters would be 10, 9.
    with_labels(folder.path(), "<U2", "", &text(&["10", "9", "10"], 2), &text(&["9", "10"], 2));
    assert_eq!(load(folder.path()).unwrap().class_names, ["9", "10"]);
    with_labels(folder.path(), "<U2", "", &text(&["a", "b", "a"], 2), &text(&["a", "c"], 2));
    refused(folder.path(), Format::Auto, &["entry y_test", "\"c\" of image 1", "y_train has no such class"]);
    // A list of names says the order.
    write(folder.path(), "classes.txt", "c\nb\na\n");
    let data = load(folder.path()).unwrap();
    assert_eq!((data.class_names.join(" "), &data.train.labels[..]), ("c b a".to_owned(), &[2, 1, 2][..]));
    with_labels(folder.path(), "<U2", "", &0x0011_0000u32.to_le_bytes().repeat(6), &text(&["a", "c"], 2));
    refused(folder.path(), Format::Auto, &["entry y_train", "no Unicode text"]);
}

#[test]
fn one_hot_rows_are_classes() {
    let folder = tempdir().unwrap();
    for (descr, one) in [
        ("|u1", vec![1u8]),
        ("|b1", vec![1]),
        ("<f4", 1f32.to_le_bytes().into()),
        ("<i8", 1i64.to_le_bytes().into()),
    ] {
        let zero = vec![0; one.len()];
        let row = |class: usize| {
            (0..3).flat_map(|at| if at == class { one.clone() } else { zero.clone() }).collect::<Vec<_>>()
        };
        with_labels(
            folder.path(),
            descr,
            " 3",
            &[row(2), row(0), row(1)].concat(),
            &[row(1), row(2)].concat(),
        );
        let data = load(folder.path()).unwrap();
        assert_eq!((&data.train.labels[..], &data.test.labels[..]), (&[2, 0, 1][..], &[1, 2][..]), "{descr}");
        assert!(data.notes[0].contains("one-hot: 3 classes"));
    }
}

#[test]
fn what_is_no_single_class_is_named() {
    let folder = tempdir().unwrap();
    let of = |values: &[f32]| floats(values);
    let cases: [(&str, &str, Vec<u8>, &[&str]); 8] = [
        (
            "<f4",
            "",
            of(&[0.5, 1.0, 0.0]),
            &["entry y_train", "element 0 is 0.5", "regression", "np.digitize(y_train"],
        ),
        (
            "<f4",
            " 2",
            of(&[1.0, 1.0, 0.0, 1.0, 1.0, 0.0]),
            &["row 0 has 2 ones", "multi-label", "y_train[:, 0]"],
        ),
        ("<f4", " 2", of(&[0.25, 0.75, 0.0, 1.0, 1.0, 0.0]), &["probabilities", "y_train.argmax(axis=1)"]),
        ("<f4", " 2", of(&[3.0, 7.5, 0.0, 1.0, 1.0, 0.0]), &["several targets"]),
        ("|u1", " 4, 5", vec![0; 60], &["[3, 4, 5]", "segmentation"]),
        (
            "|O",
            "",
            vec![0; 30],
            &["|O", "`y_train = y_train.astype(str)`", "`y_train = y_train.astype(np.int64)`"],
        ),
        (
            "|u1",
            "",
            vec![1, 2, 3],
            &["label 3", "has label 0", "np.searchsorted(c, y_train)", "y_test = np.searchsorted(c, y_test)"],
        ),
        ("|i1", "", vec![255, 1, 1], &["label -1 of image 0", "c = np.unique(y_train)"]),
    ];
    for (descr, tail, train, parts) in cases {
        let test = train[..train.len() / 3 * 2].to_vec();
        with_labels(folder.path(), descr, tail, &train, &test);
        refused(folder.path(), Format::Auto, parts);
    }
}

#[test]
fn a_validation_part_scores_the_trials_or_is_the_test_part() {
    let folder = tempdir().unwrap();
    let part =
        |count: usize| npy("|u1", &format!("({count}, 1, 2)"), &(0..2 * count as u8).collect::<Vec<_>>());
    let labels = |labels: &[u8]| npy("|u1", &format!("({}, 1)", labels.len()), labels);
    let entries = [
        ("train_images", part(3)),
        ("train_labels", labels(&[0, 1, 0])),
        ("val_images", part(2)),
        ("val_labels", labels(&[1, 1])),
        ("test_images", part(1)),
        ("test_labels", labels(&[1])),
    ];
    write(folder.path(), "medmnist.npz", archive(&entries));
    let data = load(folder.path()).unwrap();
    assert_eq!((&data.train.labels[..], data.test.len()), (&[0, 1, 0, 1, 1][..], 1));
    assert_eq!(data.train.pixels, [0, 1, 2, 3, 4, 5, 0, 1, 2, 3]);
    assert_eq!(data.own_validation, 2);
    assert!(data.notes.iter().any(|note| note.contains("val_images, scores the trials")), "{:?}", data.notes);

    write(folder.path(), "medmnist.npz", archive(&entries[..4]));
    let data = load(folder.path()).unwrap();
    assert_eq!((data.train.len(), &data.test.labels[..]), (3, &[1, 1][..]));
    assert!(data.notes.iter().any(|note| note.contains("val_images is the test part")), "{:?}", data.notes);
    // A class of the validation part alone.
    let mut odd = entries.clone();
    odd[3].1 = labels(&[1, 2]);
    write(folder.path(), "medmnist.npz", archive(&odd));
    refused(folder.path(), Format::Auto, &["entry val_labels", "label 2", "2 classes"]);
}
