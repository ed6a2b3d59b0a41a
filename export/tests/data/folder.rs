//! Folders of images: which files are which part and class.

use std::fs;
use std::path::Path;

use bomp_export::data::{self, Format};
use bomp_export::ir::Shape;
use image::{DynamicImage, GrayImage, Luma, Rgb, RgbImage};
use tempfile::tempdir;

use super::{refused, write};

pub(super) const PLAIN: Format = Format::Folder { resize: None };

pub(super) fn save(folder: &Path, name: &str, image: impl Into<DynamicImage>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.into().save(path).unwrap();
}

pub(super) fn grey(value: u8) -> GrayImage {
    GrayImage::from_fn(3, 2, |x, y| Luma([value + (y * 3 + x) as u8]))
}

pub(super) fn colour(value: u8) -> RgbImage {
    RgbImage::from_fn(3, 2, |x, y| Rgb([value, x as u8, y as u8]))
}

#[test]
fn train_and_test_folders_come_back_exactly() {
    let folder = tempdir().unwrap();
    save(folder.path(), "train/zebra/1.png", colour(1));
    save(folder.path(), "train/ant/10.bmp", colour(10));
    save(folder.path(), "train/ant/09.ppm", colour(9));
    save(folder.path(), "test/ant/a.png", colour(7));
    save(folder.path(), "test/zebra/b.png", colour(8));
    write(folder.path(), "train/ant/.DS_Store", "x");
    write(folder.path(), "README.md", "where it comes from");
    for format in [Format::Auto, PLAIN] {
        let dataset = data::load(folder.path(), format).unwrap();
        assert_eq!(dataset.class_names, ["ant", "zebra"]);
        assert_eq!(dataset.shape, Shape::new(2, 3, 3));
        assert_eq!(dataset.train.labels, [0, 0, 1]);
        let values: Vec<u8> = (0..3).map(|index| dataset.train.image(index)[0]).collect();
        assert_eq!(values, [9, 10, 1]);
        assert_eq!(dataset.train.image(0), colour(9).as_raw().as_slice());
        assert_eq!(dataset.test.pixels, [colour(7).into_raw(), colour(8).into_raw()].concat());
        assert_eq!(dataset.test.labels, [0, 1]);
    }
}

#[test]
fn class_folders_alone_are_divided_once_and_for_all() {
    let folder = tempdir().unwrap();
    for index in 0..20 {
        save(folder.path(), &format!("low/{index:02}.png"), grey(index));
        save(folder.path(), &format!("train/{index:02}.png"), grey(100 + index));
    }
    let dataset = data::load(folder.path(), Format::Auto).unwrap();
    assert_eq!(dataset.class_names, ["low", "train"]);
    assert_eq!(dataset.shape, Shape::new(2, 3, 1));
    assert_eq!(dataset.train.class_counts(2), [16, 16]);
    assert_eq!(dataset.test.class_counts(2), [4, 4]);
    let mut firsts: Vec<u8> = Vec::new();
    for images in [&dataset.train, &dataset.test] {
        for index in 0..images.len() {
            let first = images.image(index)[0];
            assert_eq!(images.image(index), grey(first).as_raw().as_slice());
            assert_eq!(images.labels[index], u16::from(first >= 100));
            firsts.push(first);
        }
    }
    firsts.sort_unstable();
    assert_eq!(firsts, (0..20).chain(100..120).collect::<Vec<u8>>());
    assert_eq!(data::load(folder.path(), PLAIN).unwrap(), dataset);
}

#[test]
fn what_does_not_belong_is_named() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    for index in 0..10 {
        save(path, &format!("a/{index}.png"), grey(index));
        save(path, &format!("b/{index}.png"), grey(50 + index));
    }
    data::load(path, PLAIN).unwrap();
    let faulty = |name: &str, bytes: &[u8], parts: &[&str]| {
        write(path, name, bytes);
        refused(path, PLAIN, parts);
        fs::remove_file(path.join(name)).unwrap();
    };
    faulty("b/notes.txt", b"hello", &["b/notes.txt: not a readable image but a text", "move it out"]);
    faulty("b/boxes.xml", b"<a/>", &["b/boxes.xml: not a readable image but a table", "name of its folder"]);
    faulty("b/5x.png", b"\x89PNG\r\n\x1a\n", &["b/5x.png: not a readable image", "remove it"]);
    faulty("b/5x.png", b"", &["b/5x.png: not a readable image but an empty file", "copy it again"]);
    faulty("b/5x.png", b"<!DOCTYPE html><p>404", &["b/5x.png: not a readable image but a web page", "again"]);
    faulty("b/5x.gif", b"GIF89a\x01\0\x01\0\0\0\0", &["b/5x.gif", "a GIF image", "convert it to PNG"]);
    faulty("b/5x.tif", b"II*\0\x08\0\0\0", &["b/5x.tif", "a TIFF image", "convert it to PNG"]);
    faulty("b/5x.wav", b"RIFF\x24\0\0\0WAVEfmt ", &["b/5x.wav", "a sound", "spectrograms"]);
    faulty("stray.png", b"", &["stray.png: an image beside the class folders"]);
    faulty("b/deeper/1.png", b"", &["b/deeper: a folder inside a class's folder"]);
    fs::remove_dir(path.join("b/deeper")).unwrap();

    // Files that are no images are told of; the images are all there.
    write(path, "labels.csv", "a,b");
    let dataset = data::load(path, PLAIN).unwrap();
    assert!(dataset.notes.iter().any(|note| note.contains("not read: `labels.csv`")), "{:?}", dataset.notes);
    assert_eq!(dataset.train.len() + dataset.test.len(), 20);

    save(path, "b/7.png", colour(1));
    refused(path, PLAIN, &["b/7.png: the image is 2x3x3", "a/", "2x3x1", "--format folder:2x3x3"]);
    save(path, "b/7.png", GrayImage::new(3, 3));
    refused(path, PLAIN, &["b/7.png: the image is 3x3x1", "--format folder:2x3x1"]);
    fs::remove_file(path.join("b/7.png")).unwrap();

    fs::create_dir(path.join("c")).unwrap();
    refused(path, PLAIN, &["c: no images in this class's folder", "remove the folder"]);
    fs::remove_dir(path.join("c")).unwrap();
    save(path, "B/7.png", grey(1));
    refused(path, PLAIN, &["b: this class differs from `B` in case alone"]);
    fs::remove_dir_all(path.join("B")).unwrap();
    fs::remove_dir_all(path.join("b")).unwrap();
    refused(path, PLAIN, &["fewer than two classes"]);
}

#[test]
fn both_parts_have_the_same_classes() {
    let folder = tempdir().unwrap();
    save(folder.path(), "train/a/1.png", grey(1));
    save(folder.path(), "train/b/1.png", grey(1));
    save(folder.path(), "test/a/1.png", grey(1));
    refused(folder.path(), PLAIN, &["train/b: this class has no folder in the test part"]);
    save(folder.path(), "test/B/1.png", grey(1));
    refused(folder.path(), PLAIN, &["test/B: this class is called `b` in the training part"]);
    fs::remove_dir_all(folder.path().join("test/B")).unwrap();
    save(folder.path(), "test/b/1.png", grey(1));
    save(folder.path(), "test/c/1.png", grey(1));
    refused(folder.path(), PLAIN, &["test/c: this class has no folder in the training part"]);
    fs::remove_dir_all(folder.path().join("test")).unwrap();
    fs::create_dir(folder.path().join("test")).unwrap();
    refused(folder.path(), PLAIN, &["test: no class folders", "`unlabelled`"]);
}

#[test]
fn too_few_images_to_divide_are_refused() {
    let folder = tempdir().unwrap();
    for name in ["a/1.png", "a/2.png", "b/1.png"] {
        save(folder.path(), name, grey(1));
    }
    refused(folder.path(), PLAIN, &["cannot hold out 0 images as the test part", "`train` and `test`"]);
}
