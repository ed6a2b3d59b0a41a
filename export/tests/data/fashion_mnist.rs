//! The real Fashion-MNIST, which `cargo xtask setup` installs.

use bomp_export::data::{self, Format, ValidationSize};
use bomp_export::ir::Shape;

#[test]
fn is_complete_and_divides_as_documented() {
    let dataset = data::load(&data::default_folder(), Format::Auto).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(dataset.name, "fashion-mnist");
    dataset.expect(Shape::new(28, 28, 1), 10).unwrap();
    assert_eq!((dataset.train.len(), dataset.test.len()), (60_000, 10_000));
    assert_eq!(dataset.train.pixels.len(), 60_000 * 784);
    assert_eq!(dataset.train.class_counts(10), [6_000; 10]);
    assert_eq!(dataset.test.class_counts(10), [1_000; 10]);
    assert_eq!(
        (dataset.class_names[0].as_str(), dataset.class_names[9].as_str()),
        ("T-shirt/top", "Ankle boot")
    );
    // Measured with Python's gzip and hashlib on Debian's files.
    assert_eq!(dataset.sha256, "5703388fbcfe86ac7e80acd24758cf34c19e27bc328fd0cf5db6df1f1f869d5e");

    let split = data::split(&dataset, ValidationSize::default(), 1).unwrap();
    assert_eq!((split.train_indices.len(), split.validation_indices.len()), (54_000, 6_000));
    let validation = dataset.train.subset(&split.validation_indices);
    assert_eq!(validation.class_counts(10), [600; 10]);
    assert_eq!(validation.image(17), dataset.train.image(split.validation_indices[17]));
}
