//! The labels of an archive: whole numbers, one-hot rows, or words, which become the names of the classes.
//!
//! What is no single class for each input (real-valued targets, several classes, masks) is refused by its name.

use std::collections::HashSet;

use super::super::classes::LabelBytes;
use super::super::error::DataError;
use super::super::npy::{Element, Header};
use super::super::stream::Stream;
use super::inputs::Inputs;

/// As many classes as labels can have.
const MAX_CLASSES: usize = 1 << 16;
/// As many classes as there are names for in a file of words.
const MAX_WORDS: usize = 4096;

/// From so many different values on, labels may be measured numbers; from so many on that is said of labels with gaps.
const MEASURED: usize = 20;
const MANY: usize = 100;

/// One part's labels.
pub(super) struct Labels {
    pub(super) values: Values,
    pub(super) bytes: LabelBytes,
    pub(super) name: String,
    /// Name of the array of what is labelled.
    inputs: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Values {
    Numbers(Vec<i128>),
    /// The place of the one in each row, and the length of rows.
    OneHot(Vec<u16>, usize),
    Words(Vec<String>),
}

/// Reads the labels in `stream`, whose header is `header`: one for each of the inputs in `inputs`.
pub(super) fn read(
    stream: &mut Stream,
    name: &str,
    header: &Header,
    inputs: &Inputs,
) -> Result<Labels, DataError> {
    let count = inputs.count;
    let (n, columns) = match header.shape[..] {
        [n] | [n, 1] => (n, 1),
        [1, n] if n == count => {
            let problem =
                format!("shape {:?}, but labels are [N]: save `{name} = {name}.reshape(-1)`", header.shape);
            return Err(stream.fault(0, problem));
        }
        [n, columns] if columns > 1 => (n, columns),
        [n, 1, _] if n == count => {
            let problem = format!(
                "shape {:?}, but labels are [N], [N, 1] or one-hot [N, CLASSES]: save `{name} = {name}.reshape(len({name}), -1)`, all parts alike",
                header.shape
            );
            return Err(stream.fault(0, problem));
        }
        [] => {
            let problem = format!(
                "a single label, but {} has {count} inputs, each of which needs its own: save labels as [N], whole numbers from 0",
                inputs.name
            );
            return Err(stream.fault(0, problem));
        }
        [_, _, _, ..] => {
            let problem = format!(
                "shape {:?}, but labels are [N], [N, 1] or one-hot [N, CLASSES]: masks for segmentation are not supported",
                header.shape
            );
            return Err(stream.fault(0, problem));
        }
        _ => {
            let problem =
                format!("shape {:?}, but labels are [N], [N, 1] or one-hot [N, CLASSES]", header.shape);
            return Err(stream.fault(0, problem));
        }
    };
    let size = element_size(name, header).map_err(|problem| stream.fault(0, problem))?;
    if n != count {
        let mut problem = format!("{n} labels for the {count} images of {}", inputs.name);
        if inputs.dimensions.last() == Some(&n) {
            // As in SVHN's files for MATLAB.
            problem += &format!(
                ", whose shape is {:?}: if the inputs are counted last, save `{1} = np.moveaxis({1}, -1, 0)`, all parts alike",
                inputs.dimensions, inputs.name
            );
        } else {
            problem += ": each input needs one label, in the same order";
        }
        return Err(stream.fault(0, problem));
    }
    let stride = size as u64 * columns;
    let bytes = LabelBytes { place: stream.place().clone(), first: stream.offset(), stride };
    let total = stride.checked_mul(count).filter(|_| stride > 0 && columns <= MAX_CLASSES as u64);
    let Some(total) = total else {
        return Err(
            stream.fault(0, format!("shape {:?} of type {} is too large", header.shape, header.descr))
        );
    };
    let data = stream.bytes(total, "the labels")?;
    let rows = data.chunks_exact(stride as usize).enumerate();
    let at = |index: usize| bytes.first + index as u64 * stride;
    let fault = |index: usize, problem: String| stream.fault(at(index), problem);
    let values = if let Element::Text { .. } | Element::Bytes { .. } = header.element {
        if columns > 1 {
            let problem =
                format!("shape {:?}: several words for one input; a label is one of them", header.shape);
            return Err(stream.fault(0, problem));
        }
        let words =
            rows.map(|(index, row)| word(row, header.element).map_err(|problem| fault(index, problem)));
        Values::Words(words.collect::<Result<_, _>>()?)
    } else if columns > 1 {
        let one = |(index, row): (usize, &[u8])| {
            let values: Vec<f64> =
                row.chunks_exact(size).map(|element| number(element, header.element)).collect();
            if values.iter().any(|value| value.is_nan()) {
                return Err(fault(index, unlabelled(name, &inputs.name, index)));
            }
            place_of_one(&values, name, index).map_err(|problem| fault(index, problem))
        };
        Values::OneHot(rows.map(one).collect::<Result<_, _>>()?, columns as usize)
    } else {
        let whole = |(index, row): (usize, &[u8])| match header.element {
            Element::Integer(integer) => Ok(integer.value(row)),
            element => {
                let value = number(row, element);
                if value.fract() == 0.0 && value.abs() < 1e15 {
                    return Ok(value as i128);
                }
                if value.is_nan() {
                    return Err(fault(index, unlabelled(name, &inputs.name, index)));
                }
                Err(fault(
                    index,
                    format!(
                        "element {index} is {value}, which is no class: targets of regression are not supported; {}",
                        divide_range(name)
                    ),
                ))
            }
        };
        Values::Numbers(rows.map(whole).collect::<Result<_, _>>()?)
    };
    Ok(Labels { values, bytes, name: name.to_owned(), inputs: inputs.name.clone() })
}

/// What to do about a label that is NaN.
fn unlabelled(labels: &str, inputs: &str, index: usize) -> String {
    format!(
        "the label of image {index} is NaN, which is no class: leave out what has no label, \
         `k = ~np.isnan({labels}).reshape(len({labels}), -1).any(axis=1); {inputs}, {labels} = {inputs}[k], {labels}[k]`, all parts alike"
    )
}

/// How to make classes of measured numbers.
fn divide_range(train: &str) -> String {
    let test = train.replace("train", "test");
    let other =
        if test == train { String::new() } else { format!(", `{test} = np.digitize({test}, edges)`") };
    format!(
        "for classes, divide the range in all parts, for example `edges = np.quantile({train}, [0.25, 0.5, 0.75])`, \
         `{train} = np.digitize({train}, edges)`{other}"
    )
}

/// Bytes of an element that can be a label.
fn element_size(name: &str, header: &Header) -> Result<usize, String> {
    let problem = match header.element {
        Element::Object => {
            "is Python objects: for words save `{name} = {name}.astype(str)`, for numbers `{name} = {name}.astype(np.int64)`"
        }
        Element::Other => {
            "is none of labels: save whole numbers, `{name} = {name}.astype(np.int64)`, or words, `{name} = {name}.astype(str)`"
        }
        element => return Ok(element.size().unwrap_or(0)),
    };
    Err(format!("element type {} {}, all parts alike", header.descr, problem.replace("{name}", name)))
}

fn number(element: &[u8], kind: Element) -> f64 {
    match kind {
        Element::Integer(integer) => integer.value(element) as f64,
        Element::Float(float) => float.value(element),
        _ => f64::from(u8::from(element.first().is_some_and(|&byte| byte != 0))),
    }
}

/// Where the only one of `row` is, all else being 0.
fn place_of_one(row: &[f64], name: &str, index: usize) -> Result<u16, String> {
    let ones = row.iter().filter(|&&value| value == 1.0).count();
    let zeros = row.iter().filter(|&&value| value == 0.0).count();
    if ones + zeros == row.len() {
        return match row.iter().position(|&value| value == 1.0) {
            Some(place) if ones == 1 => Ok(place as u16),
            _ => Err(format!(
                "row {index} has {ones} ones: several labels for one input (multi-label) are not supported; one-hot rows have one 1; \
                 to tell whether an input has label 0, save `{name} = {name}[:, 0]`, all parts alike"
            )),
        };
    }
    let sum: f64 = row.iter().sum();
    if row.iter().all(|value| (0.0..=1.0).contains(value)) && (sum - 1.0).abs() < 1e-3 {
        return Err(format!(
            "row {index} holds probabilities; a label is one class: save `{name} = {name}.argmax(axis=1)`, all parts alike"
        ));
    }
    if row.iter().all(|value| value.abs() == 1.0) && ones == 1 {
        return Err(format!(
            "row {index} is one-hot with -1 for 0: save `{name} = ({name} > 0).astype(np.uint8)`, all parts alike"
        ));
    }
    Err(format!(
        "row {index} has {} numbers that are not 0 and one 1: several targets for one input are not supported; save one class for \
         each input, `{name} = {name}[:, 0]` if the first column is that",
        row.len()
    ))
}

/// A word, without the zeros that fill it up.
fn word(row: &[u8], kind: Element) -> Result<String, String> {
    let text = match kind {
        Element::Text { big_endian, .. } => {
            let letters = row.chunks_exact(4).map(|bytes| {
                let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
                char::from_u32(if big_endian { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
            });
            letters.collect::<Option<String>>().ok_or("the label is no Unicode text")?
        }
        _ => {
            String::from_utf8(row.to_vec()).map_err(|_| "the label is no UTF-8 text; save `y.astype(str)`")?
        }
    };
    let text = text.trim_end_matches('\0').trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(format!("the label {text:?} is empty or has control characters; give each input a word"));
    }
    Ok(text.to_owned())
}

/// All parts as numbers of classes.
pub(super) struct Classes {
    /// Of each part, in order.
    pub(super) labels: Vec<Vec<u16>>,
    /// The names of the classes, where labels are words.
    pub(super) names: Option<Vec<String>>,
    pub(super) notes: Vec<String>,
}

/// Numbers the classes of `parts`, the training part first. `named`: classes have names elsewhere, in this order.
pub(super) fn number_classes(parts: &[Labels], named: Option<&[String]>) -> Result<Classes, DataError> {
    let mut notes = Vec::new();
    let first = &parts[0];
    let kind = |labels: &Labels| match labels.values {
        Values::Numbers(_) => "numbers".to_owned(),
        Values::OneHot(_, length) => format!("one-hot rows of {length}"),
        Values::Words(_) => "words".to_owned(),
    };
    if let Some(other) = parts.iter().find(|part| kind(part) != kind(first)) {
        let problem = format!(
            "labels are {}, but those of {} are {}: save all parts alike",
            kind(other),
            first.name,
            kind(first)
        );
        return Err(other.refuse(0, problem));
    }
    let mut names = None;
    if let Values::Words(words) = &first.values {
        let sorted = match named {
            Some(names) => names.to_vec(),
            None => sorted(words),
        };
        if sorted.len() > MAX_WORDS {
            let problem = format!("{} different words; at most {MAX_WORDS} classes are read", sorted.len());
            return Err(first.refuse(0, problem));
        }
        if named.is_none() {
            notes.push(format!("labels are words: {} classes in the order of their names", sorted.len()));
        }
        names = Some(sorted);
    } else if let Values::OneHot(_, length) = first.values {
        if let Some(names) = named.filter(|names| names.len() != length) {
            let problem = format!(
                "one-hot rows of {length}, but classes.txt beside the archive names {} classes: it needs one line for each column",
                names.len()
            );
            return Err(first.refuse(0, problem));
        }
        notes.push(format!("labels are one-hot: {length} classes"));
    }
    if named.is_none() {
        for part in &parts[1..] {
            first.check_known(part)?;
        }
    }
    let labels = parts.iter().map(|part| part.numbered(first, names.as_deref(), named.is_some()));
    let labels: Vec<Vec<u16>> = labels.collect::<Result<_, _>>()?;
    if named.is_none() && names.is_none() {
        first.check_gaps(&labels[0])?;
        first.check_measured(&labels[0])?;
    }
    Ok(Classes { labels, names, notes })
}

/// Each word once: in the order of numbers if all are, else of letters.
fn sorted(words: &[String]) -> Vec<String> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.dedup();
    let numbers: Option<Vec<i64>> = words.iter().map(|word| word.parse().ok()).collect();
    if numbers.is_some() {
        words.sort_by_key(|word| word.parse::<i64>().unwrap_or(0));
    }
    words
}

impl Labels {
    fn refuse(&self, index: usize, problem: String) -> DataError {
        let offset = self.bytes.first + index as u64 * self.bytes.stride;
        DataError::Malformed { place: self.bytes.place.clone(), offset, problem }
    }

    fn numbered(&self, train: &Labels, names: Option<&[String]>, given: bool) -> Result<Vec<u16>, DataError> {
        match &self.values {
            Values::OneHot(places, _) => Ok(places.clone()),
            Values::Numbers(numbers) => {
                let number = |(index, &value): (usize, &i128)| {
                    u16::try_from(value).map_err(|_| {
                        let problem =
                            format!("label {value} of image {index}, but labels are 0 to {}", u16::MAX);
                        self.refuse(index, format!("{problem}; {}", number_from_zero(&train.name)))
                    })
                };
                numbers.iter().enumerate().map(number).collect()
            }
            Values::Words(words) => {
                let names = names.unwrap_or_default();
                let places: std::collections::HashMap<&str, u16> =
                    names.iter().zip(0..).map(|(name, place)| (name.as_str(), place)).collect();
                let number = |(index, word): (usize, &String)| {
                    places.get(word.as_str()).copied().ok_or_else(|| {
                        let source = if given { "classes.txt" } else { train.name.as_str() };
                        let lower = word.to_lowercase();
                        let twin = names.iter().find(|name| name.to_lowercase() == lower);
                        let remedy = match twin {
                            Some(twin) => format!(
                                "it has {twin:?}: spell classes alike, for example `{0} = np.char.lower({0})`, all parts alike",
                                self.name
                            ),
                            None if given => "add a line for it, or leave such inputs out".to_owned(),
                            None => self.leave_out(train),
                        };
                        self.refuse(
                            index,
                            format!("label {word:?} of image {index}, but {source} has no such class; {remedy}"),
                        )
                    })
                };
                words.iter().enumerate().map(number).collect()
            }
        }
    }

    /// The line that leaves out the inputs whose classes `train` does not have.
    fn leave_out(&self, train: &Labels) -> String {
        let (labels, inputs) = (&self.name, &self.inputs);
        let known = match self.values {
            Values::OneHot(..) => format!("np.isin({labels}.argmax(1), {}.argmax(1))", train.name),
            _ => format!("np.isin({labels}.reshape(-1), {})", train.name),
        };
        format!(
            "add training images of it, or leave such inputs out, `k = {known}; {inputs}, {labels} = {inputs}[k], {labels}[k]`; if data \
             sorted by class were divided, divide them at random"
        )
    }

    /// That every label of `part` occurs among these, the training labels; words are looked up later.
    fn check_known(&self, part: &Labels) -> Result<(), DataError> {
        let unknown = match (&self.values, &part.values) {
            (Values::Numbers(train), Values::Numbers(other)) => {
                let known: HashSet<i128> = train.iter().copied().collect();
                let at = other.iter().position(|label| !known.contains(label));
                at.map(|at| (at, other[at], known.len()))
            }
            (Values::OneHot(train, _), Values::OneHot(other, _)) => {
                let known: HashSet<u16> = train.iter().copied().collect();
                let at = other.iter().position(|label| !known.contains(label));
                at.map(|at| (at, i128::from(other[at]), known.len()))
            }
            _ => None,
        };
        let Some((index, label, classes)) = unknown else { return Ok(()) };
        let problem = if self.are_measured() {
            format!("label {label} of image {index} does not occur in {}, {}", self.name, self.measured())
        } else {
            format!(
                "label {label} of image {index}, but it is none of the {classes} classes of {}: {}",
                self.name,
                part.leave_out(self)
            )
        };
        Err(part.refuse(index, problem))
    }

    /// Different labels; 0 for words.
    fn different(&self) -> usize {
        match &self.values {
            Values::Numbers(numbers) => numbers.iter().collect::<HashSet<_>>().len(),
            Values::OneHot(places, _) => places.iter().collect::<HashSet<_>>().len(),
            Values::Words(_) => 0,
        }
    }

    /// Whether these are rather measured numbers than classes: there are nearly as many values as labels.
    fn are_measured(&self) -> bool {
        let Values::Numbers(numbers) = &self.values else { return false };
        let different = self.different();
        different >= MEASURED && different * 2 > numbers.len()
    }

    fn measured(&self) -> String {
        format!(
            "which has {} different values: if they are measured numbers, targets of regression are not supported; {}; if they are \
             classes, each of them needs several images",
            self.different(),
            divide_range(&self.name)
        )
    }

    /// That training labels without gaps are classes of several images.
    fn check_measured(&self, labels: &[u16]) -> Result<(), DataError> {
        if !self.are_measured() {
            return Ok(());
        }
        let problem = format!("{} labels of {}, {}", labels.len(), self.name, self.measured());
        Err(self.refuse(0, problem))
    }

    /// That training labels count from 0 without gaps.
    fn check_gaps(&self, labels: &[u16]) -> Result<(), DataError> {
        let Some((index, &largest)) = labels.iter().enumerate().max_by_key(|&(_, label)| label) else {
            return Ok(());
        };
        let one_hot = match self.values {
            Values::OneHot(_, length) => Some(length),
            _ => None,
        };
        let mut seen = vec![false; one_hot.unwrap_or(usize::from(largest) + 1)];
        labels.iter().for_each(|&label| seen[usize::from(label)] = true);
        let Some(missing) = seen.iter().position(|&seen| !seen) else { return Ok(()) };
        if one_hot.is_some() {
            let train = &self.name;
            let test = train.replace("train", "test");
            let problem = format!(
                "one-hot rows of {}, but column {missing} has no 1: leave out the columns of no class, \
                 `k = {train}.any(axis=0); {train}, {test} = {train}[:, k].copy(), {test}[:, k].copy()`, all parts alike",
                seen.len()
            );
            return Err(self.refuse(0, problem));
        }
        let different = self.different();
        let measured = if self.are_measured() || different >= MANY {
            format!(
                "; if these {different} values are measured numbers (regression), {}",
                divide_range(&self.name)
            )
        } else {
            String::new()
        };
        let problem = format!(
            "label {largest}, but no training image has label {missing}: labels count from 0 without gaps, or classes.txt beside the \
             archive names the classes, one a line; {}{measured}",
            number_from_zero(&self.name)
        );
        Err(self.refuse(index, problem))
    }
}

/// How to number classes from 0 without gaps.
fn number_from_zero(train: &str) -> String {
    let test = train.replace("train", "test");
    format!(
        "`c = np.unique({train}); {train} = np.searchsorted(c, {train}); {test} = np.searchsorted(c, {test})` numbers them so, all \
         parts alike"
    )
}
