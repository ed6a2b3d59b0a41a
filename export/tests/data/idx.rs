//! IDX files, plain and gzipped.

use std::io::Write;
use std::path::Path;

use bomp_export::data::{self, Format};
use bomp_export::ir::Shape;
use flate2::{Compression, write::GzEncoder};
use tempfile::{TempDir, tempdir};

use super::{refused, write};

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";

/// Four training images and two test images of 2x3, classes 0 and 1.
pub(super) fn files() -> [(&'static str, Vec<u8>); 4] {
    let images = |count: u8, first: u8| {
        let header = [0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 2, 0, 0, 0, 3];
        header.into_iter().chain((0..count * 6).map(|i| i.wrapping_add(first))).collect()
    };
    let labels = |labels: &[u8]| [&[0, 0, 8, 1, 0, 0, 0, labels.len() as u8], labels].concat();
    [
        (TRAIN_IMAGES, images(4, 0)),
        (TRAIN_LABELS, labels(&[0, 1, 1, 0])),
        (TEST_IMAGES, images(2, 240)),
        (TEST_LABELS, labels(&[1, 0])),
    ]
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The files of [`files`], with the named one changed; gzipped if asked.
fn folder_with(gzipped: bool, name: &str, change: impl Fn(&mut Vec<u8>)) -> TempDir {
    let folder = tempdir().unwrap();
    for (file, mut bytes) in files() {
        if file == name {
            change(&mut bytes);
        }
        put(folder.path(), file, &bytes, gzipped);
    }
    folder
}

fn put(folder: &Path, name: &str, bytes: &[u8], gzipped: bool) {
    if gzipped { write(folder, &format!("{name}.gz"), gzip(bytes)) } else { write(folder, name, bytes) }
}

#[test]
fn comes_back_exactly() {
    for gzipped in [false, true] {
        for format in [Format::Auto, Format::Idx] {
            let folder = folder_with(gzipped, "", |_| ());
            let dataset = data::load(folder.path(), format).unwrap();
            assert_eq!(dataset.shape, Shape::new(2, 3, 1));
            assert_eq!(dataset.train.pixels, (0..24).collect::<Vec<u8>>());
            assert_eq!(dataset.train.labels, [0, 1, 1, 0]);
            assert_eq!(dataset.test.image(1), [246, 247, 248, 249, 250, 251]);
            assert_eq!(dataset.test.labels, [1, 0]);
            assert_eq!(dataset.class_names, ["0", "1"]);
            assert_eq!(dataset.name, folder.path().file_name().unwrap().to_str().unwrap());
            // Computed with Python's hashlib from the definition in the documentation.
            assert_eq!(dataset.sha256, "5cee289c945238895d6f3f3b9f8fa2cdeb91efe4774c18bbd14d495fd8a7523b");
        }
    }
}

#[test]
fn one_byte_too_few_or_too_many_is_named() {
    for (name, bytes) in files() {
        for gzipped in [false, true] {
            let end = bytes.len();
            let short = folder_with(gzipped, name, |bytes| bytes.truncate(end - 1));
            refused(short.path(), Format::Auto, &[name, &format!("byte {}: the file ends here", end - 1)]);
            let long = folder_with(gzipped, name, |bytes| bytes.push(0));
            refused(long.path(), Format::Auto, &[name, &format!("byte {end}: "), "bytes follow"]);
        }
        let empty = folder_with(false, name, Vec::clear);
        refused(empty.path(), Format::Auto, &[name, "byte 0: the file ends here"]);
    }
}

#[test]
fn foreign_headers_are_named() {
    let cases: [(&str, usize, u8, &str); 7] = [
        (TRAIN_IMAGES, 0, 0x89, "byte 0: not an IDX file"),
        (TRAIN_IMAGES, 2, 0x0d, "byte 2: element type 0x0d"),
        (TEST_IMAGES, 3, 1, "byte 3: rank 1"),
        (TRAIN_LABELS, 3, 3, "byte 3: rank 3"),
        (TRAIN_IMAGES, 11, 0, "byte 8: a dimension is zero"),
        (TRAIN_LABELS, 7, 5, "byte 4: 5 labels for the 4 images"),
        (TEST_IMAGES, 11, 3, "byte 8: the images are 3x3x1, but the training images are 2x3x1"),
    ];
    for (name, at, value, message) in cases {
        let folder = folder_with(false, name, |bytes| bytes[at] = value);
        refused(folder.path(), Format::Idx, &[name, message]);
    }
    let huge = folder_with(true, TRAIN_IMAGES, |bytes| bytes[4..16].fill(0xff));
    refused(huge.path(), Format::Idx, &["byte 4: ", "more than"]);
    let large = folder_with(true, TRAIN_IMAGES, |bytes| bytes[4..8].fill(0xff));
    refused(large.path(), Format::Idx, &["byte 40: the file ends here"]);
}

#[test]
fn corrupt_gzip_is_named() {
    let (name, bytes) = (TRAIN_IMAGES, files()[0].1.clone());
    let gzipped = gzip(&bytes);
    let damage = |change: &dyn Fn(&mut Vec<u8>), message: &str| {
        let folder = folder_with(true, "", |_| ());
        let mut bytes = gzipped.clone();
        change(&mut bytes);
        write(folder.path(), &format!("{name}.gz"), bytes);
        refused(folder.path(), Format::Auto, &[name, "byte ", message]);
    };
    damage(&|bytes| bytes[0] = 0, "cannot be decompressed");
    damage(&|bytes| bytes.truncate(bytes.len() - 1), "cannot be decompressed");
    damage(&|bytes| bytes.truncate(20), "cannot be decompressed");
    // The checksum of the contents stands in the last eight bytes.
    let checksum = gzipped.len() - 8;
    damage(&|bytes| bytes[checksum] ^= 1, "checksum");
    damage(&|bytes| bytes.push(7), "cannot be decompressed");
}

#[test]
fn damage_of_a_download_is_told_from_a_name() {
    let folder = folder_with(true, "", |_| ());
    let (name, bytes) = files()[0].clone();
    let compressed = gzip(&bytes);
    write(folder.path(), &format!("{name}.gz"), &compressed[..compressed.len() / 2]);
    refused(
        folder.path(),
        Format::Auto,
        &[name, "cannot be decompressed", "download, copy or save it again"],
    );
    write(folder.path(), &format!("{name}.gz"), &bytes);
    refused(
        folder.path(),
        Format::Auto,
        &[&format!("{name}.gz"), "not gzipped", &format!("rename it to `{name}`")],
    );
    std::fs::rename(folder.path().join(format!("{name}.gz")), folder.path().join(name)).unwrap();
    data::load(folder.path(), Format::Auto).unwrap();
}

#[test]
fn a_validation_part_scores_the_trials() {
    let folder = folder_with(false, "", |_| ());
    let part = files();
    write(folder.path(), "val-images-idx3-ubyte", &part[2].1);
    refused(
        folder.path(),
        Format::Auto,
        &["val-labels-idx1-ubyte: no such file", "other files of its data set are here"],
    );
    write(folder.path(), "val-labels-idx1-ubyte.gz", gzip(&part[3].1));
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!((dataset.own_validation, dataset.train.len(), dataset.test.len()), (2, 6, 2));
    assert_eq!(dataset.train.labels, [0, 1, 1, 0, 1, 0]);
    assert!(
        dataset.notes.iter().any(|note| note.contains("val-images-idx3-ubyte, scores")),
        "{:?}",
        dataset.notes
    );
    write(folder.path(), "extra-images-idx3-ubyte", &part[2].1);
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    let note = "beside the parts, not read: `extra-images-idx3-ubyte`";
    assert!(dataset.notes.iter().any(|said| said == note), "{:?}", dataset.notes);
    for name in [TEST_IMAGES, TEST_LABELS] {
        std::fs::remove_file(folder.path().join(name)).unwrap();
    }
    let dataset = data::load(folder.path(), Format::Idx).unwrap();
    assert_eq!((dataset.own_validation, dataset.train.len(), dataset.test.len()), (0, 4, 2));
    assert!(dataset.notes.iter().any(|note| note.contains("val-images-idx3-ubyte is the test part")));
}

#[test]
fn labels_name_classes() {
    let gap = folder_with(false, TRAIN_LABELS, |bytes| bytes[9] = 3);
    refused(gap.path(), Format::Auto, &[TRAIN_LABELS, "byte 9: label 3", "no training image has label 2"]);
    let foreign = folder_with(false, TEST_LABELS, |bytes| bytes[9] = 2);
    refused(foreign.path(), Format::Auto, &[TEST_LABELS, "byte 9: label 2", "2 classes"]);
    let one = folder_with(false, TRAIN_LABELS, |bytes| bytes[8..].fill(0));
    write(one.path(), TEST_LABELS, [0, 0, 8, 1, 0, 0, 0, 2, 0, 0]);
    refused(one.path(), Format::Auto, &["fewer than two classes"]);

    let named = folder_with(false, TRAIN_LABELS, |bytes| bytes[9] = 3);
    write(named.path(), "classes.txt", "cat\n dog\r\nnewt\nox\n\n");
    let dataset = data::load(named.path(), Format::Auto).unwrap();
    assert_eq!(dataset.class_names, ["cat", "dog", "newt", "ox"]);
    write(named.path(), "classes.txt", "cat\ndog\nnewt\n");
    refused(named.path(), Format::Auto, &[TRAIN_LABELS, "byte 9: label 3", "classes.txt give 3 classes"]);
    write(named.path(), "classes.txt", "cat\n\nnewt\n");
    refused(named.path(), Format::Auto, &["classes.txt: line 2 is empty"]);
    write(named.path(), "classes.txt", [0xff, 0xfe]);
    refused(named.path(), Format::Auto, &["classes.txt: cannot be read"]);
}

#[test]
fn labels_may_begin_at_one() {
    // EMNIST's letters do.
    let folder = tempdir().unwrap();
    for (name, mut bytes) in files() {
        if name.contains("labels") {
            bytes[8..].iter_mut().for_each(|label| *label += 1);
        }
        write(folder.path(), name, bytes);
    }
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!(dataset.class_names, ["1", "2"]);
    assert_eq!((&dataset.train.labels[..], &dataset.test.labels[..]), (&[0, 1, 1, 0][..], &[1, 0][..]));
    assert!(dataset.notes.iter().any(|note| note.contains("label 1 is class 0")), "{:?}", dataset.notes);
    // Names say which label is which.
    write(folder.path(), "classes.txt", "none\na\nb\n");
    assert_eq!(data::load(folder.path(), Format::Auto).unwrap().train.labels, [1, 2, 2, 1]);
}

#[test]
fn a_missing_file_is_named() {
    for (name, _) in files() {
        let folder = folder_with(true, "", |_| ());
        std::fs::remove_file(folder.path().join(format!("{name}.gz"))).unwrap();
        refused(folder.path(), Format::Auto, &[name, "no such file", "download or copy it from"]);
    }
}

#[test]
fn a_dataset_is_held_against_what_is_expected() {
    let folder = folder_with(false, "", |_| ());
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    dataset.expect(Shape::new(2, 3, 1), 2).unwrap();
    for (shape, classes) in [(Shape::new(3, 2, 1), 2), (Shape::new(2, 3, 1), 10)] {
        let message = dataset.expect(shape, classes).unwrap_err().to_string();
        assert!(message.contains("2x3x1 with 2 classes"), "{message}");
        assert!(
            message.contains(&format!("the network is for {shape} with {classes}: name the data")),
            "{message}"
        );
    }
}
