//! The validation part.

use bomp_export::candidate::Quantisation;
use bomp_export::data::{self, DataError, Dataset, Images, SampleSize, ValidationSize};
use bomp_export::ir::Shape;
use proptest::prelude::*;

fn dataset(labels: Vec<u16>, classes: usize) -> Dataset {
    let images = |labels: Vec<u16>| Images {
        pixels: vec![0; labels.len()],
        labels,
        shape: Shape::new(1, 1, 1),
        input: Quantisation::IMAGE,
    };
    Dataset {
        name: "labels".to_owned(),
        shape: Shape::new(1, 1, 1),
        class_names: (0..classes).map(|class| class.to_string()).collect(),
        train: images(labels),
        test: images(vec![0]),
        sha256: String::new(),
        own_validation: 0,
        notes: Vec::new(),
        warnings: Vec::new(),
    }
}

#[test]
fn a_validation_part_that_came_with_the_data_is_kept() {
    let data = Dataset { own_validation: 2, ..dataset(vec![0, 1, 0, 1, 1, 0], 2) };
    for seed in 0..3 {
        let split = data::split(&data, ValidationSize::default(), seed).unwrap();
        assert_eq!((split.train_indices, split.validation_indices), (vec![0, 1, 2, 3], vec![4, 5]));
    }
    let message = data::split(&data, ValidationSize::Count(3), 1).unwrap_err().to_string();
    assert!(message.contains("validation part of 2 images; leave out --validation"), "{message}");
}

#[test]
fn does_not_change_with_the_version() {
    let data = dataset((0..30).map(|index| index % 3).collect(), 3);
    let split = data::split(&data, ValidationSize::Count(7), 42).unwrap();
    // Also computed in Python from the documentation. Frozen: a study that is resumed with a later version must score
    // its trials on the same images.
    assert_eq!(split.validation_indices, [1, 3, 11, 20, 22, 24, 27]);
    assert_ne!(data::split(&data, ValidationSize::Count(7), 43).unwrap(), split);
}

#[test]
fn absurd_sizes_are_refused() {
    let data = dataset(vec![0, 0, 1, 1], 2);
    for size in [
        ValidationSize::Count(0),
        ValidationSize::Count(4),
        ValidationSize::Count(usize::MAX),
        ValidationSize::Fraction(f64::NAN),
        ValidationSize::Fraction(1e300),
    ] {
        let error = data::split(&data, size, 1).unwrap_err();
        assert!(matches!(error, DataError::HoldOut { images: 4, .. }), "{error}");
    }
    let error = data::split(&data, ValidationSize::Count(3), 1).unwrap_err().to_string();
    assert!(error.contains("cannot hold out 3 of 4 training images: some classes have so few"), "{error}");
    assert!(error.contains("hold out at most 2, `--validation 2`"), "{error}");
    data::split(&data, ValidationSize::Count(2), 1).unwrap();
    let error = data::split(&data, ValidationSize::default(), 1).unwrap_err().to_string();
    assert!(error.contains("hold out at least 1, `--validation 1`"), "{error}");
    // Nothing fewer and nothing more helps.
    let single = dataset(vec![0, 1], 2);
    for size in [ValidationSize::default(), ValidationSize::Count(1), ValidationSize::Count(9)] {
        let error = data::split(&single, size, 1).unwrap_err().to_string();
        assert!(
            error.contains("; add images: each class needs") && !error.contains("hold out at"),
            "{error}"
        );
    }
    for text in ["", "0", "0.0", "1.0", "-1", "-0.1", "1.5", "nan", "inf", "ten"] {
        assert!(text.parse::<ValidationSize>().is_err(), "{text}");
    }
    assert_eq!("0.1".parse::<ValidationSize>().unwrap(), ValidationSize::default());
    assert_eq!("6000".parse::<ValidationSize>().unwrap(), ValidationSize::Count(6000));
}

#[test]
fn a_sample_does_not_change_with_the_version() {
    let labels: Vec<u16> = (0..30).map(|index| index % 3).collect();
    // Also computed in Python from the documentation. Frozen: figures of samples are compared across versions.
    assert_eq!(data::stratified(&labels, 3, 7), [0, 2, 6, 7, 12, 25, 29]);
    assert_eq!(data::stratified(&labels, 3, 30), (0..30).collect::<Vec<_>>());
    assert_eq!(data::stratified(&labels, 3, 99), (0..30).collect::<Vec<_>>());
}

/// Data stored class by class, the hard images of each class last: the first ones say nothing, a sample is within its interval.
#[test]
fn a_sample_stands_for_all_images_however_they_are_ordered() {
    let labels: Vec<u16> = (0..5_000).map(|index| index / 500).collect();
    let is_right = |image: usize| image % 500 < 345;
    for count in [100, 250, 1_000] {
        let sample = data::stratified(&labels, 10, count);
        assert_eq!(sample.len(), count);
        let right = sample.iter().filter(|&&image| is_right(image)).count();
        let [low, high] = bomp_export::report::wilson95(right, count);
        assert!(low < 0.69 && 0.69 < high, "{right} of {count}");
        let first = (0..count).filter(|&image| is_right(image)).count();
        let [low, high] = bomp_export::report::wilson95(first, count);
        assert!(low > 0.69 || high < 0.69 || count == 1_000, "the first {count} would do");
    }
}

#[test]
fn an_explicit_number_is_kept_and_a_default_takes_what_there_is() {
    let mut data = dataset(vec![0, 1], 2);
    data.test = data.train.subset(&[0, 1, 0, 1, 0]);
    let take = |size| data::test_sample(&data, size).map(|sample| sample.indices);
    assert_eq!(take(SampleSize::AtMost(1_000)).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(take(SampleSize::All).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(take(SampleSize::Exactly(5)).unwrap(), [0, 1, 2, 3, 4]);
    assert_eq!(take(SampleSize::AtMost(2)).unwrap().len(), 2);
    for asked in [0, 6, usize::MAX] {
        let error = take(SampleSize::Exactly(asked)).unwrap_err().to_string();
        assert!(
            error.contains(&format!("--images {asked}: labels has 5 test images; ask for 1 to 5")),
            "{error}"
        );
    }
    for text in ["0", "-3", "1e9", "", "all", "1.0"] {
        assert!(data::image_count(text).unwrap_err().contains("from 1 up"), "{text}");
    }
    assert_eq!(data::image_count("17").unwrap().get(), 17);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn is_a_fair_partition(labels in prop::collection::vec(0u16..5, 2..200), part in 1usize..100, seed: u64) {
        let (total, count) = (labels.len(), part.min(labels.len() - 1));
        let data = dataset(labels, 5);
        let Ok(split) = data::split(&data, ValidationSize::Count(count), seed) else {
            // Refused only when some class cannot give its rounded share and keep an image.
            let sizes = data.train.class_counts(5);
            prop_assert!(sizes.iter().any(|&size| size > 0 && size * count / total + 1 >= size));
            return Ok(());
        };
        prop_assert_eq!(split.validation_indices.len(), count);
        let mut all = [&split.train_indices[..], &split.validation_indices].concat();
        prop_assert!(split.train_indices.is_sorted() && split.validation_indices.is_sorted());
        all.sort_unstable();
        prop_assert_eq!(all, (0..total).collect::<Vec<_>>());
        let sizes = data.train.class_counts(5);
        let held_out = data.train.subset(&split.validation_indices).class_counts(5);
        for (size, held_out) in sizes.into_iter().zip(held_out) {
            prop_assert!(size == 0 || held_out < size);
            let share = size as f64 * count as f64 / total as f64;
            prop_assert!((held_out as f64 - share).abs() < 1.0 + 1e-9, "{} of {}: {}", held_out, size, share);
        }
    }

    #[test]
    fn a_sample_has_of_every_class_its_share(labels in prop::collection::vec(0u16..5, 1..300), part in 1usize..300) {
        let count = part.min(labels.len());
        let sample = data::stratified(&labels, 5, count);
        prop_assert_eq!(sample.len(), count);
        prop_assert!(sample.is_sorted_by(|a, b| a < b) && sample.iter().all(|&index| index < labels.len()));
        for class in 0..5 {
            let all = labels.iter().filter(|&&label| label == class).count();
            let drawn = sample.iter().filter(|&&index| labels[index] == class).count();
            let share = all as f64 * count as f64 / labels.len() as f64;
            prop_assert!(drawn <= all && (drawn as f64 - share).abs() < 1.0 + 1e-9, "{} of {}: {}", drawn, all, share);
        }
    }
}
