//! Folders for training, validation and test, as people call them, and where data sets lie.

use std::fs;
use std::path::Path;

use bomp_export::data::{self, Dataset, Format, ValidationSize};
use tempfile::tempdir;

use super::folder::{PLAIN, grey, save};
use super::{cifar, idx, refused, write};

/// Ten images for each of two classes in a part; the first pixel counts from `first`.
fn part(folder: &Path, name: &str, first: u8) {
    for index in 0..10 {
        save(folder, &format!("{name}/a/{index}.png"), grey(first + index));
        save(folder, &format!("{name}/b/{index}.png"), grey(first + 10 + index));
    }
}

fn firsts(images: &data::Images) -> Vec<u8> {
    (0..images.len()).map(|index| images.image(index)[0]).collect()
}

fn has_note(dataset: &Dataset, part: &str) -> bool {
    dataset.notes.iter().any(|note| note.contains(part))
}

#[test]
fn parts_have_many_names() {
    for (train, validation, test) in [
        ("train", "val", "test"),
        ("Train", "Validation", "Test"),
        ("TRAINING", "valid", "Testing"),
        ("training_set", "dev", "test-set"),
        ("train_images", "val_images", "testImages"),
        ("seg_train", "seg_val", "seg_test"),
        ("train/train", "val/val", "Test/images"),
    ] {
        let folder = tempdir().unwrap();
        part(folder.path(), train, 0);
        part(folder.path(), test, 100);
        for format in [Format::Auto, PLAIN] {
            let dataset = data::load(folder.path(), format).unwrap();
            assert_eq!(firsts(&dataset.train), (0..20).collect::<Vec<u8>>(), "{train}");
            assert_eq!(firsts(&dataset.test), (100..120).collect::<Vec<u8>>(), "{test}");
            assert_eq!(dataset.own_validation, 0);
        }
        let without = data::load(folder.path(), PLAIN).unwrap();
        part(folder.path(), validation, 200);
        let dataset = data::load(folder.path(), PLAIN).unwrap();
        let split = data::split(&dataset, ValidationSize::default(), 1).unwrap();
        assert_eq!(firsts(&dataset.train.subset(&split.train_indices)), (0..20).collect::<Vec<u8>>());
        assert_eq!(firsts(&dataset.train.subset(&split.validation_indices)), (200..220).collect::<Vec<u8>>());
        assert_eq!(firsts(&dataset.test), (100..120).collect::<Vec<u8>>());
        let name = validation.split('/').next().unwrap();
        assert!(has_note(&dataset, &format!("`{name}` is the validation part, 20 images")));
        assert_ne!(dataset.sha256, without.sha256);
        // The same images without a part of their own are other data: their trials are scored on other images.
        let pixels = [without.train.pixels.clone(), dataset.train.pixels[20 * 6..].to_vec()].concat();
        assert_eq!(dataset.train.pixels, pixels);
        assert!(data::split(&dataset, ValidationSize::Fraction(0.2), 1).is_err());
    }
}

#[test]
fn a_part_that_is_absent_is_made_up_for_and_said() {
    // Training and validation alone: the validation part is kept to the end.
    let folder = tempdir().unwrap();
    part(folder.path(), "train", 0);
    part(folder.path(), "val", 100);
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!(firsts(&dataset.test), (100..120).collect::<Vec<u8>>());
    assert_eq!((dataset.train.len(), dataset.own_validation), (20, 0));
    assert!(has_note(&dataset, "no folder `test`: `val` is the test part"));

    // Training alone: a fifth of each class.
    fs::remove_dir_all(folder.path().join("val")).unwrap();
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!((dataset.train.class_counts(2), dataset.test.class_counts(2)), (vec![8, 8], vec![2, 2]));
    assert!(has_note(&dataset, "no folder `test`: 4 images, a fifth of each class"));

    // Nothing to train on.
    fs::rename(folder.path().join("train"), folder.path().join("test")).unwrap();
    refused(folder.path(), PLAIN, &["`test` is here, but no folder for training; name it `train`"]);
}

#[test]
fn unclear_parts_are_refused() {
    let folder = tempdir().unwrap();
    part(folder.path(), "train", 0);
    part(folder.path(), "test", 100);
    part(folder.path(), "Training", 50);
    refused(folder.path(), PLAIN, &["train: both this and `Training` are a training part", "rename one"]);
    fs::remove_dir_all(folder.path().join("Training")).unwrap();

    // Images nobody has sorted, as in competitions.
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    save(folder.path(), "test/1.png", grey(1));
    refused(folder.path(), PLAIN, &["test: no class folders", "rename `test`", "`unlabelled`"]);
    fs::rename(folder.path().join("test"), folder.path().join("unlabelled")).unwrap();
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert!(has_note(&dataset, "beside the parts, not read: `unlabelled`"));
    assert_eq!(dataset.test.len(), 4);

    // A validation part need not have every class, but no others.
    part(folder.path(), "test", 100);
    save(folder.path(), "val/b/1.png", grey(1));
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!((dataset.own_validation, *dataset.train.labels.last().unwrap()), (1, 1));
    save(folder.path(), "val/z/1.png", grey(1));
    refused(folder.path(), PLAIN, &["val/z: this class has no folder in the training part"]);
}

#[test]
fn classes_may_be_called_like_parts() {
    let folder = tempdir().unwrap();
    for index in 0..10 {
        save(folder.path(), &format!("train_station/{index}.png"), grey(index));
        save(folder.path(), &format!("test-tube/{index}.png"), grey(100 + index));
    }
    for format in [Format::Auto, PLAIN] {
        let dataset = data::load(folder.path(), format).unwrap();
        assert_eq!(dataset.class_names, ["test-tube", "train_station"]);
        assert_eq!((dataset.train.len(), dataset.test.len()), (16, 4));
    }
}

#[test]
fn parts_without_classes_are_never_classes() {
    for names in [
        &["train2017", "val2017"][..],
        &["train2017", "val2017", "test2017"],
        &["train1", "test1"],
        &["train_0", "train_1", "test_0", "test_1"],
        &["trainA", "trainB", "testA", "testB"],
        &["train_images", "test_images"],
        &["Train", "Test_set"],
        &["train1", "train2"],
        &["train2017", "val2017", "more"],
        &["train2017"],
    ] {
        let folder = tempdir().unwrap();
        for (index, name) in names.iter().enumerate() {
            (0..10).for_each(|i| save(folder.path(), &format!("{name}/{i}.png"), grey(20 * index as u8 + i)));
        }
        for format in [Format::Auto, PLAIN] {
            refused(folder.path(), format, &["no", "class", names[0]]);
        }
        if names.len() == 1 {
            continue;
        }
        if names[1].to_lowercase().starts_with("test_") && names.len() == 2 {
            // Names that need no number: the training part is told of.
            continue;
        }
        refused(folder.path(), Format::Auto, &["by name, these are parts of a data set", "such as `class_t"]);
        // The advice, followed.
        for name in names {
            fs::rename(folder.path().join(name), folder.path().join(format!("class_{name}"))).unwrap();
        }
        assert_eq!(data::load(folder.path(), Format::Auto).unwrap().class_names.len(), names.len());
    }
    // One class of such a name is a class.
    let folder = tempdir().unwrap();
    for (index, name) in ["train1", "trains", "tests", "bus"].iter().enumerate() {
        (0..10).for_each(|i| save(folder.path(), &format!("{name}/{i}.png"), grey(20 * index as u8 + i)));
    }
    assert_eq!(data::load(folder.path(), Format::Auto).unwrap().class_names.len(), 4);
}

#[test]
fn numbered_parts_are_to_be_called_what_they_are() {
    let folder = tempdir().unwrap();
    part(folder.path(), "train1", 0);
    part(folder.path(), "test1", 100);
    for format in [Format::Auto, PLAIN] {
        refused(
            folder.path(),
            format,
            &["parts of one data set", "rename `test1` to `test`, `train1` to `train`"],
        );
    }
    // Half of the advice is no silent division of the training part.
    fs::rename(folder.path().join("train1"), folder.path().join("train")).unwrap();
    refused(folder.path(), PLAIN, &["test1: a test part by its name; call it `test`", "`unused`"]);
    fs::rename(folder.path().join("test1"), folder.path().join("test")).unwrap();
    assert_eq!(data::load(folder.path(), Format::Auto).unwrap().test.len(), 20);
    fs::rename(folder.path().join("train"), folder.path().join("trainA")).unwrap();
    part(folder.path(), "trainB", 50);
    fs::rename(folder.path().join("test"), folder.path().join("testA")).unwrap();
    refused(
        folder.path(),
        Format::Auto,
        &["`trainB` to `train`, putting the class folders of one part together"],
    );
}

#[test]
fn classes_that_hold_parts_are_to_be_turned_around() {
    let folder = tempdir().unwrap();
    for (index, class) in ["cat", "dog"].iter().enumerate() {
        for part in ["test", "train"] {
            (0..5).for_each(|i| {
                save(folder.path(), &format!("{class}/{part}/{i}.png"), grey(50 * index as u8 + i))
            });
        }
    }
    refused(folder.path(), Format::Auto, &["turn the two levels around, `cat/test` to `test/cat`"]);
}

#[test]
fn folds_of_a_cross_validation_are_no_classes() {
    for class in ["", "a/"] {
        for names in [["fold1", "fold2", "fold3"], ["Fold_0", "Fold_1", "Fold_2"]] {
            let folder = tempdir().unwrap();
            for (fold, name) in names.iter().enumerate() {
                let of = |i: u8| grey(50 * fold as u8 + i);
                (0..10).for_each(|i| save(folder.path(), &format!("{name}/{class}{i}.png"), of(i)));
            }
            refused(folder.path(), Format::Auto, &["folds of a cross-validation", "call one of them `test`"]);
        }
    }
    // One name that is none: classes of sheets of paper.
    let folder = tempdir().unwrap();
    for (index, name) in ["fold1", "fold2", "crease"].iter().enumerate() {
        (0..10).for_each(|i| save(folder.path(), &format!("{name}/{i}.png"), grey(50 * index as u8 + i)));
    }
    assert_eq!(data::load(folder.path(), Format::Auto).unwrap().class_names.len(), 3);
}

#[test]
fn pictures_of_a_segmentation_set_without_its_labels_are_no_classes() {
    for others in [&[][..], &["imagesTs"], &["imagesTs", "imagesVa"]] {
        let folder = tempdir().unwrap();
        for name in std::iter::once("imagesTr").chain(others.iter().copied()) {
            (0..10).for_each(|i| save(folder.path(), &format!("{name}/{i}.png"), grey(i)));
        }
        refused(folder.path(), Format::Auto, &["imagesTr", "one folder for each class"]);
    }
}

#[test]
fn pictures_with_masks_are_no_classes() {
    for (pictures, masks) in [
        ("img", "gt"),
        ("imagesTr", "labelsTr"),
        ("leftImg8bit", "gtFine"),
        ("images", "masks"),
        ("JPEGImages", "SegmentationClass"),
        ("train_images", "train_masks"),
        ("inputs", "targets"),
    ] {
        let folder = tempdir().unwrap();
        for index in 0..10 {
            save(folder.path(), &format!("{pictures}/{index}.png"), grey(index));
            save(folder.path(), &format!("{masks}/{index}.png"), grey(100 + index));
        }
        refused(
            folder.path(),
            Format::Auto,
            &["detection or segmentation", "not supported", "its one class"],
        );
    }
}

#[test]
fn what_systems_leave_behind_is_passed_over() {
    let folder = tempdir().unwrap();
    part(folder.path(), "train", 0);
    part(folder.path(), "test", 100);
    let expected = data::load(folder.path(), Format::Auto).unwrap();
    for name in [
        "__MACOSX/train/a/._0.png",
        "train/__MACOSX/a/._0.png",
        "train/a/Thumbs.db",
        "train/a/thumbs.db",
        "train/b/desktop.ini",
        "train/b/.DS_Store",
        "train/b/._1.png",
        "train/b/@eaDir/1.png/SYNO.jpg",
        "test/.ipynb_checkpoints/1.png",
        "test/b/ehthumbs.db",
        "lost+found/x",
        "$RECYCLE.BIN/x",
    ] {
        write(folder.path(), name, "x");
    }
    assert_eq!(data::load(folder.path(), Format::Auto).unwrap(), expected);
    assert_eq!(data::load(folder.path(), PLAIN).unwrap(), expected);
}

#[test]
fn data_one_or_two_folders_down_are_found() {
    let folder = tempdir().unwrap();
    for (name, bytes) in idx::files() {
        write(folder.path(), &format!("torch/MNIST/raw/{name}"), bytes);
    }
    for batch in [1, 2, 3, 4, 5] {
        write(
            folder.path(),
            &format!("cifar/cifar-10-batches-bin/data_batch_{batch}.bin"),
            cifar::record(&[1], 7),
        );
    }
    write(folder.path(), "cifar/cifar-10-batches-bin/test_batch.bin", cifar::record(&[1], 7));
    part(&folder.path().join("zip/animals"), "train", 0);
    part(&folder.path().join("zip/animals"), "test", 100);
    part(&folder.path().join("classes"), "inside", 0);
    for (name, below, format) in [
        ("torch", "`MNIST/raw`", Format::Idx),
        ("cifar", "`cifar-10-batches-bin`", Format::Cifar10),
        ("zip", "`animals`", PLAIN),
        ("classes", "`inside`", PLAIN),
    ] {
        for format in [Format::Auto, format] {
            let dataset = data::load(&folder.path().join(name), format).unwrap();
            assert!(has_note(&dataset, below), "{name}: {:?}", dataset.notes);
            assert_ne!(dataset.name, "raw");
        }
    }
    // Never a guess between two.
    refused(folder.path(), Format::Auto, &["data sets in it", "name the one to use"]);
}

#[test]
fn other_tasks_are_named() {
    let folder = tempdir().unwrap();
    save(folder.path(), "images/1.png", grey(1));
    write(folder.path(), "labels/1.txt", "0 0.5 0.5 1 1");
    refused(folder.path(), Format::Auto, &["detection or segmentation", "not supported", "its one class"]);
    let folder = tempdir().unwrap();
    save(folder.path(), "train/images/1.png", grey(1));
    write(folder.path(), "train/labels/1.txt", "0 0.5 0.5 1 1");
    refused(folder.path(), Format::Auto, &["train: ", "detection or segmentation", "not supported"]);
    let folder = tempdir().unwrap();
    save(folder.path(), "1.png", grey(1));
    write(folder.path(), "labels.csv", "1.png,0.5");
    refused(folder.path(), Format::Auto, &["`1.png` lie directly", "one folder for each class"]);
}
