//! Which array of an archive is what: Keras' and NumPy's `x_train`, MedMNIST's `train_images`, and what else is common.
//!
//! A name is one word for a part and one for a role, in any case and order, with or without signs between them. Two arrays for
//! the same thing are refused, never chosen from.

use std::path::Path;

use super::super::error::DataError;

const INPUTS: &[&str] = &[
    "x", "images", "image", "imgs", "img", "data", "features", "inputs", "input", "samples", "signals",
    "signal",
];
const LABELS: &[&str] =
    &["y", "labels", "label", "targets", "target", "classes", "class", "outputs", "output"];
const PARTS: [(Part, &[&str]); 3] = [
    (Part::Train, &["train", "training", "tr"]),
    (Part::Validation, &["val", "valid", "validation", "dev", "va"]),
    (Part::Test, &["test", "testing", "te"]),
];
/// As many entries as an error message lists.
const MAX_NAMES: usize = 12;

/// A part of the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Test,
}

/// The names of a part's arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) inputs: String,
    pub(super) labels: String,
}

/// The names of all arrays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) train: Pair,
    /// Beside a test part only.
    pub(super) validation: Option<Pair>,
    pub(super) test: Pair,
    /// Whether the test part is called a validation part, as there is no other.
    pub(super) test_is_validation: bool,
    /// Whether nothing but the names of the other parts says that the training part is that: `X` beside `X_test`.
    pub(super) train_is_bare: bool,
}

impl Names {
    /// Finds the arrays among `entries`, the names of an archive's files, in their order.
    pub(super) fn find(path: &Path, entries: &[String]) -> Result<Names, DataError> {
        let arrays: Vec<&str> = entries.iter().filter_map(|entry| entry.strip_suffix(".npy")).collect();
        let missing = |entry: &str| {
            let mut found: Vec<&str> = entries.iter().map(String::as_str).take(MAX_NAMES).collect();
            found.sort_unstable();
            let found = if found.is_empty() { "no entries".to_owned() } else { found.join(", ") };
            DataError::MissingEntry { path: path.to_owned(), entry: entry.to_owned(), found }
        };
        let one = |part: Part, inputs: bool| {
            let mut names = arrays.iter().filter(|name| meaning(name) == Some((part, inputs)));
            match (names.next(), names.next()) {
                (Some(first), Some(second)) => Err(DataError::Unusable {
                    path: path.to_owned(),
                    problem: format!(
                        "{first} and {second} are two entries for one thing; save only one of them"
                    ),
                }),
                (first, _) => Ok(first.map(|&name| name.to_owned())),
            }
        };
        let pair = |part: Part| -> Result<Option<Pair>, DataError> {
            Ok(match (one(part, true)?, one(part, false)?) {
                (Some(inputs), Some(labels)) => Some(Pair { inputs, labels }),
                (None, None) => None,
                (Some(inputs), None) => return Err(missing(&counterpart(&inputs, true))),
                (None, Some(labels)) => return Err(missing(&counterpart(&labels, false))),
            })
        };
        let (train, validation, test) = (pair(Part::Train)?, pair(Part::Validation)?, pair(Part::Test)?);
        let bare = undivided(&arrays).filter(|_| train.is_none() && (validation.is_some() || test.is_some()));
        let train_is_bare = bare.is_some();
        let bare = bare.map(|(x, y)| Pair { inputs: x.to_owned(), labels: y.to_owned() });
        match (train.or(bare), validation, test) {
            (Some(train), validation, Some(test)) => {
                Ok(Names { train, validation, test, test_is_validation: false, train_is_bare })
            }
            (Some(train), Some(test), None) => {
                Ok(Names { train, validation: None, test, test_is_validation: true, train_is_bare })
            }
            (Some(train), None, None) => Err(DataError::Unusable {
                path: path.to_owned(),
                problem: format!("there is no test part; {}", divide(path, &train.inputs, &train.labels)),
            }),
            _ => match undivided(&arrays) {
                Some((x, y)) => Err(DataError::Unusable {
                    path: path.to_owned(),
                    problem: format!(
                        "{x} and {y} are not divided into a training and a test part; {}",
                        divide(path, x, y)
                    ),
                }),
                None => match unnamed(&arrays) {
                    Some(problem) => Err(DataError::Unusable { path: path.to_owned(), problem }),
                    None => Err(missing("x_train")),
                },
            },
        }
    }
}

/// How to divide the arrays called `x` and `y` of the archive at `path`.
fn divide(path: &Path, x: &str, y: &str) -> String {
    let file = path.file_name().unwrap_or_default().display();
    format!(
        "divide the data at random, one fifth for the test: `d = np.load(\"{file}\"); x, y = d[\"{x}\"], d[\"{y}\"]; \
         i = np.random.default_rng(0).permutation(len(x)); n = len(x) // 5; np.savez(\"divided.npz\", x_train=x[i[n:]], y_train=y[i[n:]], \
         x_test=x[i[:n]], y_test=y[i[:n]])`"
    )
}

/// What to save instead of arrays without names of their own, or of inputs without labels.
fn unnamed(arrays: &[&str]) -> Option<String> {
    if arrays.len() > 1 && arrays.iter().all(|name| name.starts_with("arr_")) {
        return Some(format!(
            "the {} arrays were saved without names, so nothing says which is what; save them with their names, \
             `np.savez(\"data.npz\", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)`",
            arrays.len()
        ));
    }
    let is = |words: &[&str]| arrays.iter().find(|name| words.contains(&name.to_lowercase().as_str()));
    if is(LABELS).is_some() {
        return None;
    }
    let only = is(INPUTS).or(arrays.first().filter(|name| arrays.len() == 1 && name.starts_with("arr_")))?;
    Some(format!(
        "there are inputs, {only}, but no labels; save the class of each input with it, \
         `np.savez(\"data.npz\", x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)`"
    ))
}

/// The part that a name speaks of, and whether it is that of inputs.
fn meaning(name: &str) -> Option<(Part, bool)> {
    let letters: String = name.to_lowercase().chars().filter(|letter| letter.is_alphanumeric()).collect();
    let part = |word: &str| PARTS.iter().find(|(_, words)| words.contains(&word)).map(|&(part, _)| part);
    let role = |word: &str| match (INPUTS.contains(&word), LABELS.contains(&word)) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    };
    letters.char_indices().find_map(|(at, _)| {
        let (first, second) = letters.split_at(at);
        part(first).zip(role(second)).or_else(|| part(second).zip(role(first)))
    })
}

/// What the other array beside `name` would be called: `labels` beside `images`, `y` beside `x`.
fn counterpart(name: &str, inputs: bool) -> String {
    let (own, other) = if inputs { (INPUTS, "labels") } else { (LABELS, "images") };
    let word = own.iter().find(|word| word.len() > 1 && name.contains(*word));
    match (word, inputs) {
        (Some(word), _) => name.replacen(word, other, 1),
        (None, true) => name.replace('x', "y").replace('X', "Y"),
        (None, false) => name.replace('y', "x").replace('Y', "X"),
    }
}

/// An archive's only two arrays that speak of no part: inputs and labels.
fn undivided<'a>(arrays: &[&'a str]) -> Option<(&'a str, &'a str)> {
    let only = |words: &[&str]| {
        let mut found = arrays.iter().filter(|name| words.contains(&name.to_lowercase().as_str()));
        found.next().copied().filter(|_| found.next().is_none())
    };
    only(INPUTS).zip(only(LABELS)).or(match arrays {
        &["arr_0", "arr_1"] => Some(("arr_0", "arr_1")),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &[&str]) -> Result<Names, String> {
        let entries: Vec<String> = names.iter().map(|name| format!("{name}.npy")).collect();
        Names::find(Path::new("d.npz"), &entries).map_err(|error| error.to_string())
    }

    #[test]
    fn usual_names_are_understood() {
        for names in [
            ["x_train", "y_train", "x_test", "y_test"],
            ["X_train", "Y_train", "X_test", "Y_test"],
            ["train_images", "train_labels", "test_images", "test_labels"],
            ["train_x", "train_y", "test_x", "test_y"],
            ["xTrain", "yTrain", "xTest", "yTest"],
            ["TRAINING_DATA", "training.target", "testing data", "testing-target"],
            ["x_tr", "y_tr", "x_te", "y_te"],
        ] {
            let [train, labels, test, test_labels] = names;
            let pair = |inputs: &str, labels: &str| Pair { inputs: inputs.into(), labels: labels.into() };
            let expected = Names {
                train: pair(train, labels),
                validation: None,
                test: pair(test, test_labels),
                test_is_validation: false,
                train_is_bare: false,
            };
            assert_eq!(find(&names), Ok(expected));
        }
        let medmnist = [
            "train_images",
            "val_images",
            "test_images",
            "train_labels",
            "val_labels",
            "test_labels",
            "notes",
        ];
        let found = find(&medmnist).unwrap();
        assert_eq!(found.validation.map(|pair| pair.labels).as_deref(), Some("val_labels"));
        assert_eq!(found.test.inputs, "test_images");
        let found = find(&["x_train", "y_train", "x_val", "y_val"]).unwrap();
        assert!(found.test_is_validation && found.test.inputs == "x_val" && found.validation.is_none());
        // Nothing says what `X` is but `X_test`, which does.
        let found = find(&["X", "y", "X_test", "y_test"]).unwrap();
        assert!(found.train_is_bare && found.train.inputs == "X" && found.train.labels == "y");
        assert!(find(&["X", "y", "x_val", "y_val"]).unwrap().test_is_validation);
        assert!(!find(&["data", "target", "x_train", "y_train", "x_test", "y_test"]).unwrap().train_is_bare);
    }

    #[test]
    fn what_is_missing_or_double_is_named() {
        for (names, parts) in [
            (&["x_train", "x_test", "y_test"][..], &["no entry y_train"][..]),
            (&["train_images", "train_labels", "test_images"], &["no entry test_labels"]),
            (&["y_train", "x_test", "y_test"], &["no entry x_train"]),
            (
                &["x_train", "X_train", "y_train", "x_test", "y_test"],
                &["x_train and X_train", "save only one"],
            ),
            (
                &["x_train", "y_train"],
                &["no test part", "x, y = d[\"x_train\"], d[\"y_train\"]", "x_train=x[i[n:]]"],
            ),
            (&["data", "target"], &["data and target", "permutation(len(x))"]),
            (&["arr_0", "arr_1"], &["arr_0 and arr_1", "x_test=x[i[:n]]"]),
            (&["arr_0", "arr_1", "arr_2", "arr_3"], &["4 arrays were saved without names", "np.savez"]),
            (&["arr_0"], &["arr_0, but no labels", "np.savez"]),
            (&["inputs", "outputs"], &["inputs and outputs are not divided", "d[\"outputs\"]"]),
            (&["signals", "labels"], &["signals and labels are not divided", "d[\"signals\"]"]),
            (&["images"], &["inputs, images, but no labels", "np.savez"]),
            (
                &["foo", "bar"],
                &["no entry x_train; it has bar.npy, foo.npy", "np.savez(\"data.npz\", x_train"],
            ),
        ] {
            let message = find(names).unwrap_err();
            for part in parts {
                assert!(message.contains(part), "{message}");
            }
        }
    }
}
