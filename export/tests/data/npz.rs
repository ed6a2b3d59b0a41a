//! `.npz` archives: NumPy's own, and ones written here with every fault.

use std::io::{Cursor, Write};
use std::path::Path;

use bomp_export::data::{self, DataError, Format};
use bomp_export::ir::Shape;
use tempfile::tempdir;
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

use super::{refused, write};

/// An array file of version 1.
pub(super) fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    npy_with(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"), data)
}

pub(super) fn npy_with(header: &str, data: &[u8]) -> Vec<u8> {
    let header = format!("{header}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

pub(super) fn archive(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in entries {
        zip.start_file(format!("{name}.npy"), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// Three training images and one test image of 1x2x1, classes 0 and 1.
pub(super) fn entries() -> [(&'static str, Vec<u8>); 4] {
    [
        ("x_train", npy("|u1", "(3, 1, 2, 1)", &[10, 11, 20, 21, 30, 31])),
        ("y_train", npy("<i4", "(3,)", &[1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0])),
        ("x_test", npy("|u1", "(1, 1, 2)", &[40, 41])),
        ("y_test", npy("|i1", "(1, 1)", &[1])),
    ]
}

/// Writes the archive with one entry replaced.
fn with(folder: &Path, name: &str, bytes: Vec<u8>) {
    let entries = entries().map(|entry| if entry.0 == name { (entry.0, bytes.clone()) } else { entry });
    write(folder, "set.npz", archive(&entries));
}

#[test]
fn numpys_own_files_come_back_exactly() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let dataset = data::load(&folder.join("numpy-compressed.npz"), Format::Auto).unwrap();
    assert_eq!(dataset.name, "numpy-compressed");
    assert_eq!(dataset.shape, Shape::new(2, 3, 2));
    assert_eq!(dataset.train.pixels, (0..72).collect::<Vec<u8>>());
    assert_eq!(dataset.train.labels, [0, 1, 2, 0, 1, 2]);
    assert_eq!(dataset.test.pixels, (0..36).map(|i| 255 - i).collect::<Vec<u8>>());
    assert_eq!(dataset.test.labels, [2, 1, 0]);
    assert_eq!(dataset.class_names, ["0", "1", "2"]);

    let dataset = data::load(&folder.join("numpy-stored.npz"), Format::Npz).unwrap();
    assert_eq!(dataset.shape, Shape::new(2, 3, 1));
    assert_eq!(dataset.train.labels, [0, 1, 1, 0]);
    assert_eq!(dataset.test.pixels, [0, 1, 2, 3, 4, 5]);
    refused(&folder, Format::Npz, &["2 .npz files here"]);
}

#[test]
fn long_headers_are_read() {
    let folder = tempdir().unwrap();
    for version in [2, 3] {
        let header = "{\"shape\": (3, 1, 2,),\n\"fortran_order\":False,'descr':'|u1'}   \n";
        let start = [b"\x93NUMPY", &[version, 0][..], &(header.len() as u32).to_le_bytes()].concat();
        with(folder.path(), "x_train", [&start[..], header.as_bytes(), &[10, 11, 20, 21, 30, 31]].concat());
        assert_eq!(data::load(folder.path(), Format::Auto).unwrap().train.image(1), [20, 21]);
    }
    let start = [&b"\x93NUMPY\x02\x00"[..], &u32::MAX.to_le_bytes()].concat();
    with(folder.path(), "x_train", start);
    refused(folder.path(), Format::Auto, &["entry x_train", "byte 8", "a header of 4294967295 bytes"]);
}

#[test]
fn every_integer_type_is_a_label() {
    let folder = tempdir().unwrap();
    for (descr, one) in [
        ("|u1", &[1][..]),
        ("|i1", &[1]),
        ("<u2", &[1, 0]),
        (">i2", &[0, 1]),
        ("<u4", &[1, 0, 0, 0]),
        (">u4", &[0, 0, 0, 1]),
        ("<i8", &[1, 0, 0, 0, 0, 0, 0, 0]),
        (">i8", &[0, 0, 0, 0, 0, 0, 0, 1]),
        ("<u8", &[1, 0, 0, 0, 0, 0, 0, 0]),
    ] {
        let zero = vec![0; one.len()];
        with(folder.path(), "y_train", npy(descr, "(3,)", &[one, &zero, one].concat()));
        let dataset = data::load(folder.path(), Format::Auto).unwrap();
        assert_eq!(dataset.train.labels, [1, 0, 1], "{descr}");
        assert_eq!(dataset.test.labels, [1]);
        assert_eq!(dataset.train.image(2), [30, 31]);
    }
}

#[test]
fn a_foreign_array_is_named() {
    let folder = tempdir().unwrap();
    let pixels = [0; 6];
    let cases: [(&str, Vec<u8>, &[&str]); 20] = [
        (
            "x_train",
            npy("<f4", "(3, 1, 2, 1)", &[0; 24]),
            &["entry x_train", "<f4", "x_test is uint8", "one type"],
        ),
        ("x_test", npy("|i1", "(1, 1, 2)", &[0; 2]), &["entry x_test", "|i1", "uint8"]),
        ("x_train", npy("|u1", "(3, 2)", &pixels), &["entry x_train", "[3, 2]", "[N, H, W]"]),
        ("x_train", npy("|u1", "(3, 0, 2)", &[]), &["entry x_train", "empty"]),
        ("x_train", npy("|u1", "(4294967296, 4294967296, 2)", &[]), &["entry x_train", "too large"]),
        ("x_train", npy("|u1", "(2305843009213693951, 1, 2)", &pixels), &["entry x_train", "byte "]),
        ("x_train", npy("|u1", "(3, 2, 1)", &pixels), &["entry x_test", "1x2x1", "2x1x1"]),
        ("x_train", npy("|u1", "(3, 1, 2)", &pixels[..5]), &["entry x_train", "the file ends here"]),
        ("x_train", npy("|u1", "(3, 1, 2)", &[0; 7]), &["entry x_train", "bytes follow"]),
        (
            "x_train",
            npy_with("{'descr': '|u1', 'fortran_order': True, 'shape': (3, 1, 2)}", &pixels),
            &["entry x_train", "ascontiguousarray"],
        ),
        (
            "x_train",
            npy_with("{'descr': [('a', '|u1')], 'fortran_order': False}", &[]),
            &["entry x_train", "byte 20", "structured"],
        ),
        (
            "x_train",
            npy_with("{'descr': '|u1', 'shape': (3, 1, 2)}", &pixels),
            &["entry x_train", "missing in the array's header"],
        ),
        ("x_train", b"\x89PNG\r\n\x1a\n".to_vec(), &["entry x_train", "byte 0", "not a NumPy array"]),
        (
            "x_train",
            [&b"\x93NUMPY\x09\x00"[..], &[0; 90]].concat(),
            &["entry x_train", "byte 6", "version 9"],
        ),
        ("y_train", npy("<c8", "(3,)", &[0; 24]), &["entry y_train", "<c8", "y_train.astype(np.int64)"]),
        ("y_train", npy("|u1", "(3, 2)", &pixels), &["entry y_train", "row 0 has 0 ones", "multi-label"]),
        ("y_train", npy("|u1", "(2,)", &[0, 1]), &["entry y_train", "2 labels for the 3 images of x_train"]),
        ("y_train", npy("|i1", "(3,)", &[0, 255, 1]), &["entry y_train", "label -1 of image 1"]),
        ("y_test", npy("<i4", "(1,)", &65_536i32.to_le_bytes()), &["entry y_test", "label 65536 of image 0"]),
        ("y_test", npy("|u1", "(1,)", &[2]), &["entry y_test", "label 2", "2 classes"]),
    ];
    for (name, bytes, parts) in cases {
        with(folder.path(), name, bytes);
        refused(folder.path(), Format::Auto, parts);
    }
    // The labels' offset is that of the element in the uncompressed array.
    with(folder.path(), "y_train", npy("<i2", "(3,)", &[0, 0, 1, 0, 255, 255]));
    let Err(DataError::Malformed { offset, place, .. }) = data::load(folder.path(), Format::Auto) else {
        panic!()
    };
    assert_eq!(offset as usize, npy("<i2", "(3,)", &[]).len() + 4);
    assert_eq!(place.entry.as_deref(), Some("y_train"));
}

#[test]
fn a_damaged_archive_is_named() {
    let folder = tempdir().unwrap();
    let whole = archive(&entries());
    write(folder.path(), "set.npz", &whole[..whole.len() - 1]);
    refused(folder.path(), Format::Auto, &["set.npz: not a sound .npz archive", "download or copy it again"]);
    write(folder.path(), "set.npz", []);
    refused(folder.path(), Format::Auto, &["set.npz: not a sound .npz archive: the file is empty", "again"]);
    // Whole, but under another name.
    write(folder.path(), "archive", &whole);
    let path = folder.path().join("archive");
    refused(&path, Format::Auto, &["archive: an .npz archive", "`--format npz`"]);
    assert_eq!(data::load(&path, Format::Npz).unwrap().train.len(), 3);

    for (missing, _) in entries() {
        let rest: Vec<_> = entries().into_iter().filter(|(name, _)| *name != missing).collect();
        write(folder.path(), "set.npz", archive(&rest));
        refused(folder.path(), Format::Auto, &[&format!("set.npz: no entry {missing}; it has "), ".npy"]);
    }

    // The first entry's checksum, in its central record, no longer fits the contents.
    let mut bytes = whole;
    let central = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    bytes[central + 16] ^= 1;
    write(folder.path(), "set.npz", bytes);
    refused(folder.path(), Format::Auto, &["entry x_train", "checksum"]);
}
