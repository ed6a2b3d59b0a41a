//! A packed model as C source: a header with sizes, quantisation and class names, and a source file with the bytes.
//!
//! What is written compiles as C99 or later and as C++, and depends on nothing but the compiler's own headers. Sizes are
//! preprocessor constants, so arrays can be sized by them.

mod name;

use std::fmt::Write;

use bomp_runtime::Model;

use crate::candidate::Quantisation;
use crate::evaluate::{self, EvaluateError};
use crate::{files, text};

/// Bytes on one line of the array.
const BYTES_PER_LINE: usize = 20;

/// The two files of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// `NAME.h`.
    pub header: String,
    /// `NAME.c`.
    pub source: String,
}

pub use name::check as check_name;

/// Writes `model`, whose bytes are `blob`, as the array `name`. `class_names` are in the order of the logits; where they are
/// not known, or not as many as the model has classes, each class is named by its number. `origin` is one line for the
/// header's comment.
///
/// # Errors
/// The model's header has a scale that is not a positive number.
pub fn source(
    model: &Model<'_>,
    blob: &[u8],
    name: &str,
    class_names: &[String],
    origin: &str,
) -> Result<Source, EvaluateError> {
    let upper = name.to_ascii_uppercase();
    let shape = evaluate::input_shape(model);
    let (input_scale, output_scale) = (evaluate::input_scale(model)?, evaluate::logit_scale(model)?);
    let zero_point = model.input_zero_point();
    let is_pixel =
        zero_point == Quantisation::IMAGE.zero_point && input_scale == Quantisation::IMAGE.scale as f32;
    let numbered: Vec<String> = (0..model.classes()).map(|class| class.to_string()).collect();
    let names = if class_names.len() == model.classes() { class_names } else { &numbered };
    let comment = format!(
        "/* {} Written by bomp-export {}; do not edit.\n * sha256 of the model: {} */\n",
        text::c_comment(origin),
        env!("CARGO_PKG_VERSION"),
        files::sha256(blob)
    );
    let mut header = format!("{comment}#ifndef {upper}_H\n#define {upper}_H\n\n#include <stdint.h>\n\n");
    let mut define = |what: &str, field: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = write!(header, "/* {what} */\n#define {upper}_{field} {value}\n");
    };
    define("Bytes of the packed model.", "BYTES", blob.len().to_string());
    define(
        "Bytes of RAM for activations; align the arena to 4.",
        "ARENA_BYTES",
        model.arena_size().to_string(),
    );
    define("Rows of an input.", "INPUT_HEIGHT", shape.height.to_string());
    define("Columns of an input.", "INPUT_WIDTH", shape.width.to_string());
    define("Channels of an input, innermost.", "INPUT_CHANNELS", shape.channels.to_string());
    define("Elements of an input.", "INPUT_LEN", shape.elements().to_string());
    define(
        "Real input = (element - INPUT_ZERO_POINT) * INPUT_SCALE; element = round(x / INPUT_SCALE) + INPUT_ZERO_POINT, ties to \
         even, saturated to -128..127: bomp_quantise of bomp.h.",
        "INPUT_SCALE",
        float(input_scale),
    );
    define("Element that stands for 0.", "INPUT_ZERO_POINT", format!("({zero_point})"));
    define(
        "1 where an element is an image's pixel less 128.",
        "INPUT_IS_PIXEL",
        u8::from(is_pixel).to_string(),
    );
    define("Number of classes and logits.", "CLASSES", model.classes().to_string());
    define("Real logit = logit * OUTPUT_SCALE.", "OUTPUT_SCALE", float(output_scale));
    if !is_pixel {
        header.push_str(&quantiser(name, &upper, input_scale));
    }
    let _ = write!(
        header,
        "\n#ifdef __cplusplus\nextern \"C\" {{\n#endif\n\n\
         /* The packed model, for bomp_model_check. */\n\
         extern const uint8_t {name}[{upper}_BYTES];\n\
         /* Names of the classes in the order of the logits. */\n\
         extern const char *const {name}_class_names[{upper}_CLASSES];\n\n\
         #ifdef __cplusplus\n}}\n#endif\n\n#endif\n"
    );
    let mut source = format!("{comment}#include \"{name}.h\"\n\n");
    source.push_str(
        "#if defined(__cplusplus)\n#define BOMP_ALIGNED alignas(4)\n\
         #elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n#define BOMP_ALIGNED _Alignas(4)\n\
         #else\n#define BOMP_ALIGNED\n#endif\n\n",
    );
    let _ = writeln!(source, "BOMP_ALIGNED const uint8_t {name}[{upper}_BYTES] = {{");
    for line in blob.chunks(BYTES_PER_LINE) {
        let numbers: Vec<String> = line.iter().map(u8::to_string).collect();
        let _ = writeln!(source, "  {},", numbers.join(","));
    }
    let _ = writeln!(source, "}};\n\nconst char *const {name}_class_names[{upper}_CLASSES] = {{");
    for class in names {
        let _ = writeln!(source, "  \"{}\",", text::c_literal(class));
    }
    source.push_str("};\n");
    Ok(Source { header, source })
}

/// A C function that quantises whole numbers without floating point; empty where no 31-bit factor is the step's.
fn quantiser(name: &str, upper: &str, scale: f32) -> String {
    let steps = f64::from(scale).recip();
    let shift = 30 - steps.log2().floor() as i32;
    if !(1..=62).contains(&shift) {
        return String::new();
    }
    let multiplier = (steps * 2f64.powi(shift)).round() as u64;
    format!(
        "\n/* The element of a whole number x in the units of the data (raw readings, if the network was trained on them), without floating\n \
         * point: x * {multiplier} / 2^{shift} rounded, ties to even, plus the zero point. */\n\
         static inline int8_t {name}_quantise_input(int32_t x) {{\n  \
         const uint64_t product = (x < 0 ? -(uint64_t)x : (uint64_t)x) * UINT64_C({multiplier});\n  \
         const uint64_t rest = product & ((UINT64_C(1) << {shift}) - 1), half = UINT64_C(1) << {half};\n  \
         int64_t steps = (int64_t)(product >> {shift});\n  \
         if (rest > half || (rest == half && (steps & 1))) steps++;\n  \
         steps = (x < 0 ? -steps : steps) + {upper}_INPUT_ZERO_POINT;\n  \
         return (int8_t)(steps < -128 ? -128 : steps > 127 ? 127 : steps);\n}}\n",
        half = shift - 1
    )
}

/// A float that C reads back to the same bits.
fn float(value: f32) -> String {
    format!("{value:e}f")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_c_constants_of_the_same_bits() {
        for value in [1.0 / 255.0, 1.0, 2.0, 1e-20, 0.5, 3.4e38, f32::MIN_POSITIVE] {
            let text = float(value);
            let digits = text.strip_suffix('f').unwrap();
            assert!(digits.contains(['.', 'e']), "{text} would be an integer with a wrong suffix");
            assert_eq!(digits.parse::<f32>().unwrap().to_bits(), value.to_bits());
        }
    }
}
