//! The labels of an archive: whole numbers, one-hot rows, or words, which become the names of the classes.
//!
//! What is no single class for each input (real-valued targets, several classes, masks) is refused by its name.

use super::super::classes::LabelBytes;
use super::super::error::DataError;
use super::super::npy::{Element, Header};
use super::super::stream::Stream;

/// As many classes as labels can have.
const MAX_CLASSES: usize = 1 << 16;
/// As many classes as there are names for in a file of words.
const MAX_WORDS: usize = 4096;

/// One part's labels.
pub(super) struct Labels {
    pub(super) values: Values,
    pub(super) bytes: LabelBytes,
    pub(super) name: String,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Values {
    Numbers(Vec<i128>),
    /// The place of the one in each row, and the length of rows.
    OneHot(Vec<u16>, usize),
    Words(Vec<String>),
}

/// Reads the labels in `stream`, whose header is `header`: one for each of the `count` inputs of the array `inputs`.
pub(super) fn read(
    stream: &mut Stream,
    name: &str,
    header: &Header,
    count: u64,
    inputs: &str,
) -> Result<Labels, DataError> {
    let (n, columns) = match header.shape[..] {
        [n] | [n, 1] => (n, 1),
        [n, columns] if columns > 1 => (n, columns),
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
        return Err(stream.fault(0, format!("{n} labels for the {count} images of {inputs}")));
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
                Err(fault(
                    index,
                    format!(
                        "element {index} is {value}, which is no class: targets of regression are not supported; for classes, divide \
                         the range in all parts, for example `edges = np.quantile({name}, [0.25, 0.5, 0.75])`, \
                         `{name} = np.digitize({name}, edges)`"
                    ),
                ))
            }
        };
        Values::Numbers(rows.map(whole).collect::<Result<_, _>>()?)
    };
    Ok(Labels { values, bytes, name: name.to_owned() })
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
        notes.push(format!("labels are one-hot: {length} classes"));
    }
    let labels = parts.iter().map(|part| part.numbered(first, names.as_deref(), named.is_some()));
    let labels: Vec<Vec<u16>> = labels.collect::<Result<_, _>>()?;
    if named.is_none() && names.is_none() {
        first.check_gaps(&labels[0])?;
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
                        self.refuse(
                            index,
                            format!("label {word:?} of image {index}, but {source} has no such class"),
                        )
                    })
                };
                words.iter().enumerate().map(number).collect()
            }
        }
    }

    /// That training labels count from 0 without gaps.
    fn check_gaps(&self, labels: &[u16]) -> Result<(), DataError> {
        let Some((index, &largest)) = labels.iter().enumerate().max_by_key(|&(_, label)| label) else {
            return Ok(());
        };
        let mut seen = vec![false; usize::from(largest) + 1];
        labels.iter().for_each(|&label| seen[usize::from(label)] = true);
        let Some(missing) = seen.iter().position(|&seen| !seen) else { return Ok(()) };
        let problem = format!(
            "label {largest}, but no training image has label {missing}: labels count from 0 without gaps, or classes.txt beside the \
             archive names the classes, one a line; {}",
            number_from_zero(&self.name)
        );
        Err(self.refuse(index, problem))
    }
}

/// How to number classes from 0 without gaps.
fn number_from_zero(train: &str) -> String {
    let test = train.replace("train", "test");
    format!(
        "`c = np.unique({train}); {train} = np.searchsorted(c, {train}); {test} = np.searchsorted(c, {test})` numbers them so"
    )
}
