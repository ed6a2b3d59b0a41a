//! What a look at data shows.

use bomp_export::candidate::Quantisation;
use bomp_export::data::{self, Dataset, Images, Split, Summary, ValidationSize, summarise};
use bomp_export::ir::Shape;

const SHAPE: Shape = Shape::new(2, 3, 1);

/// An image that no other number has.
fn image(number: u16) -> [u8; 6] {
    let [high, low] = number.to_be_bytes();
    [high, low, 255, 0, 3, 4]
}

fn images(list: &[([u8; 6], u16)]) -> Images {
    Images {
        pixels: list.iter().flat_map(|(pixels, _)| *pixels).collect(),
        labels: list.iter().map(|&(_, label)| label).collect(),
        shape: SHAPE,
        input: Quantisation::IMAGE,
    }
}

fn dataset(train: &[([u8; 6], u16)], test: &[([u8; 6], u16)]) -> Dataset {
    Dataset {
        name: "made".to_owned(),
        shape: SHAPE,
        class_names: ["cat", "dog"].map(str::to_owned).to_vec(),
        train: images(train),
        test: images(test),
        sha256: String::new(),
        own_validation: 0,
        notes: vec!["as it is".to_owned()],
        warnings: Vec::new(),
    }
}

/// `count` different images of alternating classes, from `first`.
fn alternating(first: u16, count: u16) -> Vec<([u8; 6], u16)> {
    (first..first + count).map(|number| (image(number), number % 2)).collect()
}

fn look(dataset: &Dataset) -> Summary {
    summarise(dataset, &data::split(dataset, ValidationSize::Count(dataset.train.len() / 4), 1).unwrap())
}

fn warned(summary: &Summary, parts: &[&str]) {
    let fits = |warning: &&String| parts.iter().all(|part| warning.contains(part));
    assert_eq!(summary.warnings.iter().filter(fits).count(), 1, "{parts:?} in {:#?}", summary.warnings);
}

#[test]
fn sound_data_are_counted_without_a_warning() {
    let summary = look(&dataset(&alternating(0, 240), &alternating(1000, 30)));
    assert_eq!(summary.shape, [2, 3, 1]);
    assert_eq!((summary.training, summary.validation, summary.test), (180, 60, 30));
    assert_eq!(summary.range, [0, 255]);
    let counts = |class: usize| {
        let class = &summary.classes[class];
        (class.name.as_str(), class.training, class.validation, class.test)
    };
    assert_eq!((counts(0), counts(1)), (("cat", 90, 30, 15), ("dog", 90, 30, 15)));
    assert_eq!((summary.constant_answer, summary.commonest.as_str()), (30, "cat"));
    assert!((summary.constant_share() - 0.5).abs() < 1e-12);
    assert_eq!(
        [summary.test_seen, summary.validation_seen, summary.contradictory, summary.constant, summary.dark],
        [0; 5]
    );
    assert_eq!(summary.warnings, [""; 0]);
    let text = summary.to_string();
    for part in [
        "270 images of 2x3x1",
        "values 0 to 255",
        "180 training, 60 validation, 30 test",
        "50.0 %",
        "note: as it is",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

#[test]
fn unequal_and_absent_classes_are_warned_of() {
    let train: Vec<_> = (0..400).map(|number| (image(number), u16::from(number >= 394))).collect();
    let data = dataset(&train, &alternating(1000, 30));
    let summary = look(&data);
    warned(
        &summary,
        &["unequal", "of `cat`", "of `dog`", "--objective balanced-accuracy --class-weights balanced"],
    );
    assert_eq!(summary.commonest, "cat");
    assert!(summary.constant_share() > 0.97);
    let split = Split { train_indices: (60..400).collect(), validation_indices: (0..60).collect() };
    warned(&summarise(&data, &split), &["no validation images of `dog`", "--validation"]);
    let own = Dataset { own_validation: 60, ..data };
    warned(&summarise(&own, &split), &["no validation images of `dog`: add images to the validation part"]);
    warned(&look(&dataset(&alternating(0, 240), &[(image(2000), 0)])), &["no test images of `dog`: add"]);
}

#[test]
fn few_validation_images_are_warned_of() {
    let summary = look(&dataset(&alternating(0, 160), &alternating(1000, 30)));
    warned(&summary, &["only 40 validation images", "2.5 percentage points", "--validation"]);
    // Of fewer images than that nothing more can be held out.
    let few = look(&dataset(&alternating(0, 60), &alternating(1000, 30)));
    warned(&few, &["only 15 validation images", "chosen; add images"]);
    let own = Dataset { own_validation: 40, ..dataset(&alternating(0, 160), &alternating(1000, 30)) };
    let own = look_own(&own);
    assert!(own.warnings[0].ends_with("chosen; add images to the validation part"), "{:?}", own.warnings);
}

fn look_own(dataset: &Dataset) -> Summary {
    summarise(dataset, &data::split(dataset, ValidationSize::default(), 1).unwrap())
}

#[test]
fn a_split_that_was_cut_by_class_is_named() {
    // Three classes; a validation part of one of them, and a class that is nowhere else.
    let named = |train: &[([u8; 6], u16)], test: &[([u8; 6], u16)], own_validation| Dataset {
        class_names: ["cat", "dog", "eel"].map(str::to_owned).to_vec(),
        own_validation,
        ..dataset(train, test)
    };
    let of = |first: u16, count: u16, classes: &[u16]| -> Vec<([u8; 6], u16)> {
        (0..count).map(|i| (image(first + i), classes[usize::from(i) % classes.len()])).collect()
    };
    let cut = [of(0, 120, &[0, 1]), of(500, 60, &[2])].concat();
    let summary = look_own(&named(&cut, &of(1000, 60, &[0]), 60));
    warned(&summary, &["no training images of `eel`: all are in the validation part", "anew, at random"]);
    warned(&summary, &["all validation images are of `eel`", "sorted by class"]);
    warned(&summary, &["all test images are of `cat`", "sorted by class"]);
    // Too few of a class to hold one out.
    let rare = [of(0, 200, &[0, 1]), of(500, 1, &[2])].concat();
    warned(
        &look(&named(&rare, &of(1000, 60, &[0, 1, 2]), 0)),
        &["no validation images of `eel`: add images of it"],
    );
}

#[test]
fn a_validation_part_equal_to_the_test_part_is_named() {
    let train = [alternating(0, 120), alternating(1000, 60)].concat();
    let data = Dataset { own_validation: 60, ..dataset(&train, &alternating(1000, 60)) };
    let summary = look_own(&data);
    warned(&summary, &["60 of 60 test images are in the validation part too"]);
    assert!(!summary.warnings.iter().any(|warning| warning.contains("in the training part")));
    assert_eq!(summary.test_seen, 60);
}

#[test]
fn repeated_images_are_counted_where_they_matter() {
    let mut train = alternating(0, 240);
    let split = Split { train_indices: (0..180).collect(), validation_indices: (180..240).collect() };
    // Three test images that were trained on, one that trials were scored by, twice in the test part; two validation images
    // that were trained on; a pair of two classes.
    let mut test = alternating(1000, 30);
    for (at, from) in [(0, 10), (1, 11), (2, 12), (3, 200), (4, 200)] {
        test[at] = train[from];
    }
    train[190] = train[20];
    train[191] = train[21];
    train[31] = (train[30].0, 1 - train[30].1);
    let summary = summarise(&dataset(&train, &test), &split);
    assert_eq!((summary.test_seen, summary.validation_seen, summary.contradictory), (5, 2, 2));
    warned(&summary, &["5 of 30 test images", "byte for byte"]);
    warned(&summary, &["2 of 60 validation images"]);
    warned(&summary, &["2 of 270 images have the same bytes as an image of another class", "labels"]);
}

#[test]
fn flat_and_dark_images_are_warned_of() {
    let mut train = alternating(0, 240);
    train[5].0 = [7; 6];
    train[6].0 = [0, 1, 1, 0, 1, 1];
    let summary = look(&dataset(&train, &alternating(1000, 30)));
    assert_eq!((summary.constant, summary.dark), (1, 1));
    warned(&summary, &["1 of 270 images have one value everywhere"]);
    warned(
        &summary,
        &[
            "1 of 240 training images are black but for values up to 1 of 255",
            "(x * 255).round().astype(np.uint8)",
        ],
    );
}

#[test]
fn many_equal_images_are_no_trouble() {
    // Of the size of MNIST, half of them all alike: compared in pairs, they would take hours.
    let size = 28 * 28;
    let mut pixels = vec![0u8; 70_000 * size];
    for (index, image) in pixels.chunks_mut(size).enumerate().skip(35_000) {
        image[..8].copy_from_slice(&(index as u64).to_le_bytes());
        image[100] = 255;
    }
    let shape = Shape::new(28, 28, 1);
    let labels: Vec<u16> = (0..70_000u32).map(|index| (index % 2) as u16).collect();
    let part = |range: std::ops::Range<usize>| Images {
        pixels: pixels[range.start * size..range.end * size].to_vec(),
        labels: labels[range].to_vec(),
        shape,
        input: Quantisation::IMAGE,
    };
    let data = Dataset {
        shape,
        train: part(0..60_000),
        test: part(60_000..70_000),
        ..dataset(&alternating(0, 8), &[])
    };
    let split = data::split(&data, ValidationSize::default(), 1).unwrap();
    let summary = summarise(&data, &split);
    assert_eq!(summary.constant, 35_000);
    assert!(summary.test_seen == 0 && summary.validation_seen > 3_000);
}
