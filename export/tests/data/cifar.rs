//! CIFAR-10 and CIFAR-100 in the binary layout of the authors' page.

use bomp_export::data::{self, Format};
use bomp_export::ir::Shape;
use tempfile::{TempDir, tempdir};

use super::{refused, write};

/// A record: the labels, then three planes of 1,024 bytes that start at different values.
pub(super) fn record(labels: &[u8], seed: u8) -> Vec<u8> {
    let planes = (0..3 * 1024u32).map(|i| (i % 251) as u8 ^ seed);
    labels.iter().copied().chain(planes).collect()
}

/// The value of [`record`] at a row, column and channel.
fn pixel(seed: u8, row: usize, column: usize, channel: usize) -> u8 {
    ((channel * 1024 + row * 32 + column) % 251) as u8 ^ seed
}

fn cifar10() -> TempDir {
    let folder = tempdir().unwrap();
    for batch in 1..=5u8 {
        let bytes = [record(&[batch], batch), record(&[9 - batch], 100 + batch)].concat();
        write(folder.path(), &format!("data_batch_{batch}.bin"), bytes);
    }
    write(folder.path(), "test_batch.bin", record(&[0], 77));
    folder
}

fn cifar100() -> TempDir {
    let folder = tempdir().unwrap();
    write(folder.path(), "train.bin", [record(&[19, 99], 1), record(&[0, 5], 2)].concat());
    write(folder.path(), "test.bin", record(&[3, 42], 3));
    folder
}

#[test]
fn cifar10_comes_back_exactly() {
    let folder = cifar10();
    write(
        folder.path(),
        "batches.meta.txt",
        "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n",
    );
    for format in [Format::Auto, Format::Cifar10] {
        let dataset = data::load(folder.path(), format).unwrap();
        assert_eq!(dataset.shape, Shape::new(32, 32, 3));
        assert_eq!(dataset.train.labels, [1, 8, 2, 7, 3, 6, 4, 5, 5, 4]);
        assert_eq!(dataset.test.labels, [0]);
        assert_eq!(dataset.class_names[9], "truck");
        let seeds = [1, 101, 2, 102, 3, 103, 4, 104, 5, 105];
        for (index, seed) in seeds.into_iter().enumerate() {
            for (position, &value) in dataset.train.image(index).iter().enumerate() {
                let (row, column, channel) = (position / 96, position / 3 % 32, position % 3);
                assert_eq!(value, pixel(seed, row, column, channel), "{index} {row} {column} {channel}");
            }
        }
        assert_eq!(dataset.test.image(0)[..3], [0, 1024, 2048].map(|i: usize| (i % 251) as u8 ^ 77));
    }
}

#[test]
fn cifar100_takes_the_fine_label() {
    let folder = cifar100();
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!(dataset.train.labels, [99, 5]);
    assert_eq!(dataset.test.labels, [42]);
    assert_eq!(dataset.class_names.len(), 100);
    assert_eq!(dataset.train.image(1)[95], pixel(2, 0, 31, 2));
    write(folder.path(), "fine_label_names.txt", "apple\n");
    refused(folder.path(), Format::Cifar100, &["fine_label_names.txt: 1 class names", "100 classes"]);
}

#[test]
fn damage_is_named() {
    let folder = cifar10();
    let good = [record(&[1], 1), record(&[8], 101)].concat();
    write(folder.path(), "data_batch_3.bin", &good[..good.len() - 1]);
    refused(
        folder.path(),
        Format::Auto,
        &["data_batch_3.bin, byte 6145: ", "3072 bytes into a record of 3073"],
    );
    write(folder.path(), "data_batch_3.bin", [&good[..], &[0]].concat());
    refused(folder.path(), Format::Auto, &["data_batch_3.bin, byte 6147: ", "1 bytes into a record"]);
    write(folder.path(), "data_batch_3.bin", []);
    refused(folder.path(), Format::Auto, &["data_batch_3.bin, byte 0: "]);
    write(folder.path(), "data_batch_3.bin", [record(&[1], 1), record(&[10], 1)].concat());
    refused(folder.path(), Format::Auto, &["data_batch_3.bin, byte 3073: label 10", "0 to 9"]);
    std::fs::remove_file(folder.path().join("data_batch_3.bin")).unwrap();
    refused(folder.path(), Format::Auto, &["data_batch_3.bin: no such file", "binary version of CIFAR-10"]);

    let folder = cifar100();
    write(folder.path(), "test.bin", [record(&[3, 42], 3), record(&[20, 1], 3)].concat());
    refused(folder.path(), Format::Auto, &["test.bin, byte 3074: label 20", "0 to 19"]);
    write(folder.path(), "test.bin", record(&[3, 100], 3));
    refused(folder.path(), Format::Auto, &["test.bin, byte 1: label 100", "0 to 99"]);
    // Files of the other layout are not a whole number of records.
    write(folder.path(), "test.bin", record(&[3], 3));
    refused(folder.path(), Format::Auto, &["test.bin, byte 3073: ", "record of 3074"]);
    std::fs::remove_file(folder.path().join("test.bin")).unwrap();
    refused(folder.path(), Format::Auto, &["test.bin: no such file", "binary version of CIFAR-100"]);
}
