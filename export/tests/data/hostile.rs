//! No bytes make a loader panic, whatever the layout: random files, and sound ones with random damage.

use std::io::Cursor;

use bomp_export::data::{self, Format};
use bomp_export::ir::Shape;
use image::{ImageFormat, Rgb, RgbImage};
use proptest::prelude::*;
use tempfile::tempdir;

use super::{idx, npz, write};

/// Random bytes, often with a beginning that gets past the first check.
fn junk() -> impl Strategy<Value = Vec<u8>> {
    let start = prop::sample::select(vec![
        &b""[..],
        b"\0\0\x08\x03",
        b"\0\0\x08\x01\0\0\0\x02",
        b"\x1f\x8b\x08\0",
        b"PK\x03\x04",
        b"PK\x05\x06",
        b"\x93NUMPY\x01\0\x40\0{'descr': '|u1', 'shape': (",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\xff\xd8\xff\xe0",
        b"BM",
        b"P6 ",
    ]);
    (start, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(start, rest)| [start, &rest].concat())
}

/// Overwrites, inserts or removes bytes somewhere.
fn damage(mut bytes: Vec<u8>, edits: &[(prop::sample::Index, u8, u8)]) -> Vec<u8> {
    for (at, kind, value) in edits {
        let at = at.index(bytes.len() + 1);
        match kind % 4 {
            0 => bytes.insert(at, *value),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            _ if at < bytes.len() => bytes[at] = *value,
            _ => {}
        }
    }
    bytes
}

fn edits() -> impl Strategy<Value = Vec<(prop::sample::Index, u8, u8)>> {
    prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 0..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn random_files(junk in prop::collection::vec(junk(), 6)) {
        let folder = tempdir().unwrap();
        let idx = idx::files().map(|(name, _)| name);
        let batches = [1, 2, 3, 4, 5].map(|batch| format!("data_batch_{batch}.bin"));
        let cifar10 = batches.iter().map(String::as_str).chain(["test_batch.bin"]).collect();
        let scaled = Format::Folder { resize: Some(Shape::new(8, 8, 3).into()) };
        let layouts: [(Format, Vec<&str>); 5] = [
            (Format::Idx, idx.to_vec()),
            (Format::Cifar10, cifar10),
            (Format::Cifar100, vec!["train.bin", "test.bin", "fine_label_names.txt"]),
            (Format::Npz, vec!["set.npz", "classes.txt"]),
            (scaled, vec!["train/a/1.png", "train/b/1.jpg", "test/a/1.bmp", "test/b/1.ppm"]),
        ];
        for (format, names) in layouts {
            let folder = folder.path().join(format.to_string().replace(':', "-"));
            for (name, bytes) in names.iter().zip(&junk) {
                write(&folder, name, bytes);
            }
            let _ = data::load(&folder, format);
            let _ = data::load(&folder, Format::Auto);
        }
    }

    #[test]
    fn damaged_idx(edits in edits(), which in 0usize..4, gzipped: bool) {
        let folder = tempdir().unwrap();
        for (index, (name, mut bytes)) in idx::files().into_iter().enumerate() {
            let name = if gzipped { format!("{name}.gz") } else { name.to_owned() };
            if gzipped {
                bytes = idx::gzip(&bytes);
            }
            write(folder.path(), &name, if index == which { damage(bytes, &edits) } else { bytes });
        }
        let _ = data::load(folder.path(), Format::Auto);
    }

    #[test]
    fn damaged_npz(edits in edits(), inner: bool, which in 0usize..4) {
        let folder = tempdir().unwrap();
        let mut entries = npz::entries();
        if inner {
            entries[which].1 = damage(entries[which].1.clone(), &edits);
        }
        let mut bytes = npz::archive(&entries);
        if !inner {
            bytes = damage(bytes, &edits);
        }
        write(folder.path(), "set.npz", bytes);
        let _ = data::load(folder.path(), Format::Auto);
    }

    #[test]
    fn damaged_images(edits in edits(), kind in 0usize..5) {
        let kind = [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::Bmp, ImageFormat::Pnm, ImageFormat::WebP][kind];
        let folder = tempdir().unwrap();
        let image = RgbImage::from_fn(9, 7, |x, y| Rgb([x as u8 * 20, y as u8 * 30, 5]));
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, kind).unwrap();
        for name in ["train/a/1", "train/b/1", "test/a/1", "test/b/1"] {
            write(folder.path(), name, damage(bytes.get_ref().clone(), &edits));
        }
        for resize in [None, Some(Shape::new(5, 5, 1).into())] {
            if let Err(error) = data::load(folder.path(), Format::Folder { resize }) {
                prop_assert!(!error.to_string().contains("decoder failed"), "{}", error);
            }
        }
    }

    #[test]
    fn random_array_headers(text in "[{}()',: 0-9a-z<|_]{0,80}", data in prop::collection::vec(any::<u8>(), 0..20)) {
        let folder = tempdir().unwrap();
        let header = [b"\x93NUMPY\x01\0", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), &data].concat();
        write(folder.path(), "set.npz", npz::archive(&[("x_train", header)]));
        prop_assert!(data::load(folder.path(), Format::Npz).is_err());
    }
}
