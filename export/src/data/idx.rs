//! The IDX layout of MNIST and Fashion-MNIST: four files, plain or gzipped, of unsigned bytes.
//!
//! A file is two zero bytes, the element type (8: unsigned byte), the rank, each dimension as a big-endian 32-bit
//! number, then the elements, row by row. Images have rank 3 `[N, H, W]`, labels rank 1 `[N]`.
//! Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".

use std::fs;
use std::path::{Path, PathBuf};

use crate::candidate::Quantisation;
use crate::ir::Shape;

use super::classes::{CLASSES_FILE, LabelBytes, class_names};
use super::error::DataError;
use super::stream::Stream;
use super::{Dataset, Images, SETUP};

/// The names of the image and label file of the training and the test part. Each may have something before it, such as
/// `emnist-digits-`, a dot instead of its second dash, and `.gz` behind it; the test part may be called `test`.
const PARTS: [(&str, &str); 2] = [
    ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
];

/// What a validation part may be called.
const VALIDATION: [(&str, &str); 4] = [
    ("val-images-idx3-ubyte", "val-labels-idx1-ubyte"),
    ("valid-images-idx3-ubyte", "valid-labels-idx1-ubyte"),
    ("validation-images-idx3-ubyte", "validation-labels-idx1-ubyte"),
    ("dev-images-idx3-ubyte", "dev-labels-idx1-ubyte"),
];

const UNSIGNED_BYTE: u8 = 8;

/// [`Dataset::sha256`] of Fashion-MNIST (Xiao, Rasul, Vollgraf 2017), by which it is told from MNIST, whose files have
/// the same names and shapes.
const FASHION_MNIST_SHA256: &str = "5703388fbcfe86ac7e80acd24758cf34c19e27bc328fd0cf5db6df1f1f869d5e";
const FASHION_MNIST_CLASSES: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

/// True when at least one of the four files is in `folder`.
pub(super) fn is_here(folder: &Path) -> bool {
    PARTS.iter().flat_map(|(images, labels)| [images, labels]).any(|name| !find(folder, name).is_empty())
}

/// Reads the four files of `folder`, and two of a validation part if they are there.
pub(super) fn load(folder: &Path) -> Result<Dataset, DataError> {
    let validation = VALIDATION.into_iter().find(|names| has(folder, *names));
    // As everywhere, a validation part without a test part is that.
    let stand_in = validation.filter(|_| !has(folder, PARTS[1]));
    let validation = validation.filter(|_| stand_in.is_none());
    let test_names = stand_in.unwrap_or(PARTS[1]);
    let (mut train, train_labels) = load_part(folder, PARTS[0], None)?;
    let (mut test, test_labels) = load_part(folder, test_names, Some(train.shape))?;
    let mut own = validation.map(|names| load_part(folder, names, Some(train.shape))).transpose()?;
    let parts: Vec<&Images> =
        [&train, &test].into_iter().chain(own.as_ref().map(|(images, _)| images)).collect();
    let first = first_label(folder, &parts);
    let own_labels = own.iter_mut().flat_map(|(images, _)| &mut images.labels);
    for label in train.labels.iter_mut().chain(&mut test.labels).chain(own_labels) {
        *label -= first;
    }
    if let Some((images, labels)) = &own {
        class_names(folder, (&train, &train_labels), (images, labels))?;
    }
    let mut named = class_names(folder, (&train, &train_labels), (&test, &test_labels))?;
    if first > 0 {
        named.names = (0..named.names.len()).map(|class| (class + usize::from(first)).to_string()).collect();
    }
    let mut dataset = match own {
        Some((own, _)) => Dataset::assemble_with_validation(folder, named.names, train, own, test)?,
        None => Dataset::assemble(folder, named.names, train, test)?,
    };
    if let Some((images, _)) = validation {
        dataset.notes.push(format!("the validation part of the data, {images}, scores the trials"));
    }
    if let Some((images, _)) = stand_in {
        dataset.notes.push(format!(
            "there is no test part: {images} is the test part, and validation images are held out of {}",
            PARTS[0].0
        ));
    }
    let names = [PARTS[0], test_names].into_iter().chain(validation);
    let unread = unread(folder, &names.flat_map(|(images, labels)| [images, labels]).collect::<Vec<_>>());
    if !unread.is_empty() {
        dataset.notes.push(format!("beside the parts, not read: {}", unread.join(", ")));
    }
    if first > 0 {
        dataset.notes.push(format!(
            "labels begin at {first}: label {first} is class 0 on the device; classes are named by their labels"
        ));
    }
    if find(folder, PARTS[0].0).iter().any(|path| is_emnist(path)) {
        dataset.warnings.push(
            "EMNIST's files have rows and columns swapped, and the images are taken as they are: a device has to swap \
             them too"
                .to_owned(),
        );
    }
    if dataset.sha256 == FASHION_MNIST_SHA256 {
        dataset.name = "fashion-mnist".to_owned();
        if !named.given {
            dataset.class_names = FASHION_MNIST_CLASSES.map(str::to_owned).to_vec();
        }
    }
    Ok(dataset)
}

/// The files of `folder` that are called `name` in one of its spellings, in the order of their names; a file that is there both
/// plain and gzipped counts once, plain.
fn find(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = spelled(folder);
    found.retain(|(spelled, _)| is_called(spelled, name));
    // Plain is before gzipped.
    found.sort_unstable();
    found.dedup_by(|later, earlier| later.0 == earlier.0);
    found.into_iter().map(|(_, path)| path).collect()
}

/// The files of `folder`, and their names in one spelling.
fn spelled(folder: &Path) -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let spelled = entry.file_name().to_string_lossy().to_lowercase();
        let spelled = spelled.strip_suffix(".gz").unwrap_or(&spelled).replace('.', "-");
        if !spelled.starts_with('-') && !path.is_dir() {
            files.push((spelled, path));
        }
    }
    files
}

fn is_called(spelled: &str, name: &str) -> bool {
    spelled.ends_with(name) || spelled.ends_with(&name.replace("t10k", "test"))
}

/// The IDX files of `folder` that have none of `names`, quoted.
fn unread(folder: &Path, names: &[&str]) -> Vec<String> {
    let is_idx =
        |spelled: &str| ["-idx3-ubyte", "-idx1-ubyte"].iter().any(|ending| spelled.ends_with(ending));
    let mut files = spelled(folder);
    files.retain(|(spelled, _)| is_idx(spelled) && !names.iter().any(|name| is_called(spelled, name)));
    files.sort_unstable();
    files.iter().map(|(_, path)| format!("`{}`", path.file_name().unwrap_or_default().display())).collect()
}

/// True when the images or the labels of a part are in `folder`.
fn has(folder: &Path, (images, labels): (&str, &str)) -> bool {
    !find(folder, images).is_empty() || !find(folder, labels).is_empty()
}

fn is_emnist(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().starts_with("emnist"))
}

/// The smallest label, from which classes are counted, as EMNIST's letters begin at 1; 0 where a file names the classes.
fn first_label(folder: &Path, parts: &[&Images]) -> u16 {
    if folder.join(CLASSES_FILE).exists() {
        return 0;
    }
    parts.iter().flat_map(|images| &images.labels).copied().min().unwrap_or_default()
}

fn load_part(
    folder: &Path,
    (images, labels): (&str, &str),
    expected: Option<Shape>,
) -> Result<(Images, LabelBytes), DataError> {
    let open = |name: &str| match &find(folder, name)[..] {
        [] => {
            let remedy = if PARTS.into_iter().chain(VALIDATION).any(|part| has(folder, part)) {
                "other files of its data set are here: download or copy it from where they came from"
            } else {
                SETUP
            };
            Err(DataError::Missing { path: folder.join(name), remedy })
        }
        [path] => Stream::open(path),
        [one, other, ..] => Err(DataError::Unusable {
            path: other.clone(),
            problem: format!(
                "`{}` is here too; put the four files of the data set to use into a folder of their own",
                one.file_name().unwrap_or_default().display()
            ),
        }),
    };

    let mut stream = open(images)?;
    let [count, height, width] = dimensions(&mut stream, "images")?;
    let shape = Shape::new(height as usize, width as usize, 1);
    if let Some(expected) = expected.filter(|&expected| expected != shape) {
        return Err(
            stream.fault(8, format!("the images are {shape}, but the training images are {expected}"))
        );
    }
    let length = u64::from(count) * u64::from(height);
    let Some(length) = length.checked_mul(u64::from(width)) else {
        return Err(stream.fault(4, format!("{count} images of {shape} are more than a file can hold")));
    };
    let pixels = stream.bytes(length, "the pixels")?;
    stream.end()?;

    let mut stream = open(labels)?;
    let [labels_count] = dimensions(&mut stream, "labels")?;
    if labels_count != count {
        return Err(stream.fault(4, format!("{labels_count} labels for the {count} images of {images}")));
    }
    let label_bytes = LabelBytes { place: stream.place().clone(), first: stream.offset(), stride: 1 };
    let labels = stream.bytes(u64::from(count), "the labels")?.into_iter().map(u16::from).collect();
    stream.end()?;

    Ok((Images { pixels, labels, shape, input: Quantisation::IMAGE }, label_bytes))
}

/// Reads the header; `RANK` dimensions of unsigned bytes, none of them zero, are demanded.
fn dimensions<const RANK: usize>(stream: &mut Stream, what: &str) -> Result<[u32; RANK], DataError> {
    let magic = stream.bytes(4, "the magic number and the dimensions")?;
    if magic[..2] != [0, 0] {
        return Err(stream.fault(
            0,
            format!("not an IDX file: starts with {magic:02x?} instead of [00, 00, 08, {RANK:02x}]"),
        ));
    }
    if magic[2] != UNSIGNED_BYTE {
        return Err(stream
            .fault(2, format!("element type {:#04x}, but only unsigned bytes (0x08) are read", magic[2])));
    }
    if usize::from(magic[3]) != RANK {
        return Err(stream.fault(3, format!("rank {}, but {what} have rank {RANK}", magic[3])));
    }
    let mut dimensions = [0; RANK];
    for dimension in &mut dimensions {
        *dimension = stream.be_u32("the dimensions")?;
        if *dimension == 0 {
            return Err(stream.fault(stream.offset() - 4, "a dimension is zero"));
        }
    }
    Ok(dimensions)
}
