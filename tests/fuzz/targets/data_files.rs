//! Data sets as IDX, CIFAR-10, CIFAR-100 and npz. The first byte chooses the layout and the file; the other files are valid.
#![no_main]

use std::sync::LazyLock;

use bomp_export::data::{self, Format};
use bomp_fuzz::Folder;
use libfuzzer_sys::fuzz_target;

/// A layout and its files.
struct Layout {
    format: Format,
    folder: Folder,
    files: Vec<(&'static str, Vec<u8>)>,
}

static LAYOUTS: LazyLock<[Layout; 4]> = LazyLock::new(|| {
    let images = b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03abcdefghijkl".to_vec();
    let labels = b"\0\0\x08\x01\0\0\0\x02\0\x01".to_vec();
    let record = |labels: &[u8]| [labels, &[7; 3_072]].concat();
    let ten = [record(&[0]), record(&[9])].concat();
    let hundred = [record(&[0, 0]), record(&[19, 99])].concat();
    [
        (
            Format::Idx,
            vec![
                ("train-images-idx3-ubyte", images.clone()),
                ("train-labels-idx1-ubyte", labels.clone()),
                ("t10k-images-idx3-ubyte", images),
                ("t10k-labels-idx1-ubyte.gz", labels),
            ],
        ),
        (
            Format::Cifar10,
            vec![
                ("data_batch_1.bin", ten.clone()),
                ("data_batch_2.bin", ten.clone()),
                ("data_batch_3.bin", ten.clone()),
                ("data_batch_4.bin", ten.clone()),
                ("data_batch_5.bin", ten.clone()),
                ("test_batch.bin", ten),
                ("batches.meta.txt", b"a\nb\n".to_vec()),
            ],
        ),
        (
            Format::Cifar100,
            vec![
                ("train.bin", hundred.clone()),
                ("test.bin", hundred),
                ("fine_label_names.txt", b"a\n".to_vec()),
            ],
        ),
        (Format::Npz, vec![("set.npz", Vec::new()), ("classes.txt", b"a\nb\n".to_vec())]),
    ]
    .map(|(format, files)| Layout { format, folder: Folder::default(), files })
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, bytes)) = bytes.split_first() else { return };
    let layout = &LAYOUTS[usize::from(choice % 4)];
    let altered = usize::from(choice / 4) % layout.files.len();
    for (index, (name, valid)) in layout.files.iter().enumerate() {
        layout.folder.write(name, if index == altered { bytes } else { valid });
    }
    let Ok(dataset) = data::load(layout.folder.path(), layout.format) else { return };
    for part in [&dataset.train, &dataset.test] {
        assert_eq!(part.pixels.len(), part.labels.len() * part.shape.elements());
        assert!(part.labels.iter().all(|&label| usize::from(label) < dataset.class_names.len()));
    }
});
