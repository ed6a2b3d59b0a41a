//! The inputs of an archive: pixels where nothing is lost by taking them for pixels, else features.
//!
//! uint8 are pixels. Other numbers are pixels when each of them, in every part, is a whole number of 0 to 255 (and some are above
//! 127) or a multiple of 1/255 from 0 to 1; all else is real numbers. So no image becomes black because of its type, and no
//! feature is rounded to a pixel.

use crate::candidate::Quantisation;
use crate::ir::Shape;

use super::super::error::{DataError, Place};
use super::super::features;
use super::super::npy::{Element, Header, Integer};
use super::super::stream::Stream;
use super::layout::{Arranged, Layout, arrange, channels_last};

/// Elements that are read at a time.
const RUN: u64 = 1 << 16;
/// How far a pixel as float32 in 0..1 may be from a multiple of 1/255, in pixels.
const NEAR: f64 = 1e-3;
/// How far a float16 may be, as a part of its value.
const HALF: f64 = 1.0 / 2048.0;
/// Whole numbers from 0 to 255 are only taken for pixels if one is above this.
const DARK: f32 = 127.0;

/// One part's inputs.
pub(super) struct Inputs {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) shape: Shape,
    pub(super) count: u64,
    /// Shape of the array.
    pub(super) dimensions: Vec<u64>,
    pub(super) note: Option<String>,
    descr: String,
    values: Values,
}

enum Values {
    Bytes(Vec<u8>),
    Real(Vec<f32>, Nature),
}

/// What real numbers look like.
#[derive(Clone, Copy)]
struct Nature {
    low: f32,
    high: f32,
    whole: bool,
    /// Multiples of 1/255.
    parts_of_255: bool,
}

impl Nature {
    const NONE: Self = Self { low: f32::INFINITY, high: f32::NEG_INFINITY, whole: true, parts_of_255: true };

    fn see(&mut self, value: f32) {
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.whole &= value.fract() == 0.0;
        let pixel = f64::from(value) * 255.0;
        // What was float16 once is further off; other numbers hardly ever have the fewer digits of one.
        let was_half = value.to_bits() & 0x1fff == 0;
        let near = if was_half { NEAR + HALF * pixel.abs() } else { NEAR };
        self.parts_of_255 &= (pixel - pixel.round()).abs() < near;
    }

    fn and(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
            whole: self.whole && other.whole,
            parts_of_255: self.parts_of_255 && other.parts_of_255,
        }
    }

    /// The line that makes pixels of type uint8 of the array `name`, if its numbers may be pixels on one of the usual scales.
    fn pixel_line(self, name: &str) -> Option<String> {
        let pixels = match (self.low, self.high) {
            (0.0.., ..=1.0) => format!("({name} * 255)"),
            (-1.0.., ..=1.0) => format!("(({name} + 1) * 127.5)"),
            (0.0.., ..=255.0) => name.to_owned(),
            _ => return None,
        };
        Some(format!("`{name} = {pixels}.round().astype(np.uint8)`"))
    }

    /// The factor that makes pixels of the numbers, if nothing is lost by it.
    fn pixel_factor(self) -> Option<f32> {
        if self.low >= 0.0 && self.high <= 1.0 && self.parts_of_255 {
            Some(255.0)
        } else if self.low >= 0.0 && self.high <= 255.0 && self.high > DARK && self.whole {
            Some(1.0)
        } else {
            None
        }
    }
}

/// Reads the inputs in `stream`, whose header is `header`.
pub(super) fn read(
    stream: &mut Stream,
    name: &str,
    header: Header,
    layout: Layout,
) -> Result<Inputs, DataError> {
    // One's own element type first: its remedy may change the shape's.
    let element = readable(name, &header).map_err(|problem| stream.fault(0, problem))?;
    let arranged = arrange(name, &header.shape, layout).map_err(|problem| stream.fault(0, problem))?;
    let Arranged { count, shape, channels_first, note } = arranged;
    let length = count * shape.elements() as u64;
    let mut values = match element {
        Element::Integer(Integer { bytes: 1, signed: false, .. }) => {
            Values::Bytes(stream.bytes(length, "the pixels")?)
        }
        _ => real(stream, element, length, &header)?,
    };
    if channels_first {
        match &mut values {
            Values::Bytes(bytes) => *bytes = channels_last(bytes, shape),
            Values::Real(values, _) => *values = channels_last(values, shape),
        }
    }
    let (place, descr, dimensions) = (stream.place().clone(), header.descr, header.shape);
    Ok(Inputs { place, name: name.to_owned(), shape, count, dimensions, note, descr, values })
}

/// The element type of an array called `name`, if its elements can be inputs.
fn readable(name: &str, header: &Header) -> Result<Element, String> {
    let descr = &header.descr;
    match header.element {
        Element::Integer(Integer { signed: true, bytes: 1, .. }) => Err(format!(
            "element type {descr} can mean two things: if an element is a pixel less 128, save uint8, \
             `{name} = ({name}.astype(np.int16) + 128).astype(np.uint8)`; if it is a measured value, save \
             `{name} = {name}.astype(np.float32)`; all parts alike"
        )),
        Element::Object => Err(format!(
            "element type {descr} is Python objects: if all inputs have one shape, save \
             `{name} = np.stack([np.asarray(x, np.float32) for x in {name}])`, all parts alike, which reads 0..255 as pixels; \
             if they don't, bring them to one shape first"
        )),
        Element::Text { .. } | Element::Bytes { .. } | Element::Other => Err(format!(
            "element type {descr}, but inputs are numbers: pixels 0 to 255 as uint8, or real numbers, \
             `{name} = {name}.astype(np.float32)`, all parts alike"
        )),
        element => Ok(element),
    }
}

/// Real numbers of a type other than uint8.
fn real(stream: &mut Stream, element: Element, length: u64, header: &Header) -> Result<Values, DataError> {
    let size = element.size().unwrap_or(1);
    let start = stream.offset();
    let (mut values, mut nature) = (Vec::new(), Nature::NONE);
    let mut done = 0;
    while done < length {
        let run = RUN.min(length - done);
        let bytes = stream.bytes(run * size as u64, "the inputs")?;
        if values.try_reserve(run as usize).is_err() {
            return Err(stream.fault(start, format!("{length} inputs: more memory than there is")));
        }
        for (at, element_bytes) in bytes.chunks_exact(size).enumerate() {
            let exact = match element {
                Element::Integer(integer) => integer.value(element_bytes) as f64,
                Element::Float(float) => float.value(element_bytes),
                _ => f64::from(u8::from(element_bytes[0] != 0)),
            };
            let value = exact as f32;
            if !value.is_finite() {
                let index = done + at as u64;
                let place = start + index * size as u64;
                let remedy = if exact.is_finite() {
                    "no float32 holds it: scale the values"
                } else {
                    "inputs are finite: leave such an input out, or put a number there"
                };
                let problem =
                    format!("the element at {:?} is {exact:e}; {remedy}", position(index, &header.shape));
                return Err(stream.fault(place, problem));
            }
            nature.see(value);
            values.push(value);
        }
        done += run;
    }
    Ok(Values::Real(values, nature))
}

/// The indices of element `index` of an array.
fn position(mut index: u64, shape: &[u64]) -> Vec<u64> {
    let mut indices: Vec<u64> = shape
        .iter()
        .rev()
        .map(|&size| {
            let at = index % size.max(1);
            index /= size.max(1);
            at
        })
        .collect();
    indices.reverse();
    indices
}

/// All parts as bytes.
pub(super) struct Read {
    /// Of each part, in order.
    pub(super) bytes: Vec<Vec<u8>>,
    pub(super) input: Quantisation,
    pub(super) notes: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Reads `parts`, the training part first, as one kind of input; real numbers with the quantisation `given`, or with one made
/// for the training part.
pub(super) fn convert(parts: Vec<Inputs>, given: Option<Quantisation>) -> Result<Read, DataError> {
    let mut notes: Vec<String> = parts.iter().filter_map(|part| part.note.clone()).take(1).collect();
    let mut warnings = Vec::new();
    let natures: Vec<Option<Nature>> = parts.iter().map(Inputs::nature).collect();
    if let Some(bytes) = natures.iter().position(Option::is_none)
        && let Some((real, nature)) =
            natures.iter().enumerate().find_map(|(at, nature)| Some((at, (*nature)?)))
    {
        let (bytes, real) = (&parts[bytes], &parts[real]);
        let remedy = match nature.pixel_line(&real.name) {
            Some(line) => format!("if these are pixels on another scale, {line}"),
            None => format!("real numbers on one scale, `{0} = {0}.astype(np.float32)`", bytes.name),
        };
        let problem = format!(
            "element type {}, values from {} to {}, but {} is uint8: save all parts with one type and scale; {remedy}",
            real.descr, nature.low, nature.high, bytes.name
        );
        return Err(real.refuse(problem));
    }
    let Some(natures) = natures.into_iter().collect::<Option<Vec<_>>>() else {
        let bytes = parts.into_iter().map(Inputs::into_bytes).collect();
        return Ok(Read { bytes, input: Quantisation::IMAGE, notes, warnings });
    };
    let factors: Vec<Option<f32>> = natures.iter().map(|nature| nature.pixel_factor()).collect();
    if let Some(odd) = (1..parts.len()).find(|&part| {
        let pair = (factors[0], factors[part]);
        matches!(pair, (Some(a), Some(b)) if a != b && natures[part].high != 0.0)
    }) {
        let problem = format!(
            "the values reach from {} to {}, but those of {} from {} to {}: scale all parts alike, for example `{name} = {name} {} 255`",
            natures[odd].low,
            natures[odd].high,
            parts[0].name,
            natures[0].low,
            natures[0].high,
            if factors[0] == Some(1.0) { "*" } else { "/" },
            name = parts[odd].name
        );
        return Err(parts[odd].refuse(problem));
    }
    let all = natures.iter().fold(Nature::NONE, |all, &nature| all.and(nature));
    let (low, high) = (all.low, all.high);
    let pixels_only = given.is_none_or(|given| given == Quantisation::IMAGE);
    if let (Some(factor), true) = (all.pixel_factor(), pixels_only) {
        let unit = if factor == 1.0 { "whole numbers" } else { "multiples of 1/255" };
        notes.push(format!(
            "inputs of type {} are {unit} from {low} to {high}: read as pixels",
            parts[0].descr
        ));
        let bytes = parts.into_iter().map(|part| part.pixels(factor)).collect();
        return Ok(Read { bytes, input: Quantisation::IMAGE, notes, warnings });
    }
    let input = match given {
        Some(Quantisation::IMAGE) => {
            let name = &parts[0].name;
            let remedy = match all.pixel_line(name) {
                Some(line) => format!("if they are pixels, save {line}, all parts alike; if not, name"),
                None => "undo what was done to the pixels, or name".to_owned(),
            };
            let problem = format!(
                "the inputs are real numbers from {low} to {high}, but the model takes pixels: {remedy} the data that the model was \
                 trained on"
            );
            return Err(parts[0].refuse(problem));
        }
        Some(given) => {
            for part in &parts[1..] {
                features::check_scale(part.real(), given).map_err(|problem| part.refuse(problem))?;
            }
            warnings.extend(differences(&parts));
            given
        }
        None => {
            let train = &parts[0];
            // Advice speaks of x_train and x_test.
            let named =
                |advice: String| advice.replace("x_train", &train.name).replace("x_test", &parts[1].name);
            let made = features::calibrate(train.real()).map_err(|problem| train.refuse(named(problem)))?;
            let cut = 100.0 * features::outside(train.real(), made);
            notes.push(format!(
                "inputs of type {} are real numbers from {low} to {high}: quantised to int8 with step {:e} and zero point {}, which \
                 cuts off {cut:.2} % of the training values",
                train.descr, made.scale as f32, made.zero_point
            ));
            warnings
                .extend(features::warnings(train.real(), train.shape.channels, made).into_iter().map(named));
            for part in &parts[1..] {
                if let Err(problem) = features::check_scale(part.real(), made) {
                    // It is not this part's fault where the training values themselves get hardly a step.
                    if !features::is_outside(part.real(), made)
                        && let Some(crowded) = features::crowded(train.real(), made)
                    {
                        return Err(train.refuse(named(crowded)));
                    }
                    let problem = problem
                        .replace("the model's input", "the training part's int8 range")
                        .replace("the data that the model was trained on", &train.name);
                    return Err(part.refuse(problem));
                }
            }
            warnings.extend(differences(&parts));
            made
        }
    };
    let quantise = |part: Inputs| part.real().iter().map(|&value| features::quantise(value, input)).collect();
    Ok(Read { bytes: parts.into_iter().map(quantise).collect(), input, notes, warnings })
}

/// Of each part that is probably not on the scale of the first one, the training part, that it is not.
fn differences(parts: &[Inputs]) -> Vec<String> {
    let Some((train, others)) = parts.split_first() else { return Vec::new() };
    let difference = |part: &Inputs| {
        let said = features::differs(train.real(), part.real())?;
        Some(said.replace("x_train", &train.name).replace("x_test", &part.name))
    };
    others.iter().filter_map(difference).collect()
}

impl Inputs {
    fn refuse(&self, problem: String) -> DataError {
        DataError::Malformed { place: self.place.clone(), offset: 0, problem }
    }

    fn nature(&self) -> Option<Nature> {
        match &self.values {
            Values::Bytes(_) => None,
            Values::Real(_, nature) => Some(*nature),
        }
    }

    fn real(&self) -> &[f32] {
        match &self.values {
            Values::Bytes(_) => &[],
            Values::Real(values, _) => values,
        }
    }

    fn into_bytes(self) -> Vec<u8> {
        match self.values {
            Values::Bytes(bytes) => bytes,
            Values::Real(..) => Vec::new(),
        }
    }

    fn pixels(self, factor: f32) -> Vec<u8> {
        // `as` saturates; the values are within 0..=255 as was seen.
        self.real().iter().map(|&value| (value * factor).round() as u8).collect()
    }
}
