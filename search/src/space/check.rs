//! Which definitions are accepted: exactly those of which every genotype gives a network that can be packed.
//!
//! Bounds are taken over all genotypes at once (the widest tensors at the finest resolution), so a space is refused
//! rather than some of its networks.

use bomp_export::ir::Shape;
use bomp_runtime::blob::MAX_LAYERS;
use bomp_runtime::quant::MAX_FAN_IN;

use super::definition::{Choice, Definition, Value, list};

/// Largest height, width and number of channels of a tensor.
const MAX_SIZE: usize = 65_535;
/// Largest number of elements of a tensor.
const MAX_ELEMENTS: usize = 1 << 28;
/// Largest kernel and stride.
const MAX_WINDOW: usize = 15;
/// More blocks would make the exact cardinality, a sum over the sets of present blocks, slow.
const MAX_BLOCKS: usize = 16;
/// Three reductions on one block make a stride of 8, four would exceed [`MAX_WINDOW`].
const MAX_REDUCTIONS: usize = 3;
const MAX_REPETITIONS: usize = 50;

/// A field and what is wrong with it.
pub(super) type Problem = (String, String);

/// Accepts or refuses a definition.
pub(super) fn check(definition: &Definition) -> Result<(), Problem> {
    if definition.name.trim().is_empty() {
        return fail("name", "is empty: give the space a name");
    }
    size("classes", definition.classes, 2..=MAX_SIZE)?;
    let Shape { height, width, channels } = definition.input;
    size("input.height", height, 1..=MAX_SIZE)?;
    size("input.width", width, 1..=MAX_SIZE)?;
    size("input.channels", channels, 1..=MAX_SIZE)?;
    choice("bits", &definition.bits, |_| true, "4 to 8, or 16")?;
    check_stem(definition)?;
    if !(1..=MAX_BLOCKS).contains(&definition.blocks.len()) {
        return fail("blocks", format!("there are {}, give 1 to {MAX_BLOCKS}", definition.blocks.len()));
    }
    for number in 1..=definition.blocks.len() {
        check_block(definition, number)?;
    }
    choice("conv2.filters", &definition.conv2.filters, |f| f <= MAX_SIZE, "0 (absent) to 65535")?;
    check_reductions(definition)?;
    check_tensors(definition)
}

fn check_stem(definition: &Definition) -> Result<(), Problem> {
    let stem = &definition.stem;
    size("stem.filters", stem.filters, 1..=MAX_SIZE)?;
    size("stem.kernel", stem.kernel, 1..=MAX_WINDOW)?;
    let fan_in = stem.kernel * stem.kernel * definition.input.channels;
    if fan_in > MAX_FAN_IN {
        let problem =
            format!("{fan_in} weights for one filter could overflow int32, use at most {MAX_FAN_IN}");
        return fail("stem.kernel", problem);
    }
    choice("stem.stride", &stem.stride, |s| (1..=MAX_WINDOW).contains(&s), "1 to 15")
}

fn check_block(definition: &Definition, number: usize) -> Result<(), Problem> {
    let block = &definition.blocks[number - 1];
    let field = |name: &str| format!("block {number}, {name}");
    size(&field("filters"), block.filters, 1..=MAX_SIZE)?;
    choice(&field("kernel"), &block.kernel, |k| (1..=MAX_WINDOW).contains(&k), "1 to 15")?;
    choice(&field("width"), &block.width, |w| w > 0.0 && w <= 1000.0, "above 0 and at most 1000")?;
    choice(&field("expansion"), &block.expansion, |e| (1..=MAX_SIZE).contains(&e), "1 or more")?;
    let least = usize::from(number == 1);
    let range =
        format!("{least} to {MAX_REPETITIONS} (block 1 is always present: the stem takes its width from it)");
    choice(&field("repetitions"), &block.repetitions, |n| (least..=MAX_REPETITIONS).contains(&n), &range)
}

fn check_reductions(definition: &Definition) -> Result<(), Problem> {
    let (reductions, blocks) = (&definition.reductions, definition.blocks.len());
    if reductions.len() > MAX_REDUCTIONS {
        return fail("reductions", format!("there are {}, give at most {MAX_REDUCTIONS}", reductions.len()));
    }
    for (index, positions) in reductions.iter().enumerate() {
        let range = format!("0 to {}, the numbers of the blocks that another one follows", blocks - 1);
        choice(&format!("reduction {}", index + 1), positions, |position| position < blocks, &range)?;
    }
    Ok(())
}

/// Bounds over all networks: channels, elements, layers and the sum of the pool.
fn check_tensors(definition: &Definition) -> Result<(), Problem> {
    let stride = definition.stem.stride.choices[0];
    let (height, width) = (definition.input.height.div_ceil(stride), definition.input.width.div_ceil(stride));
    let mut channels = greatest(&definition.blocks[0].width, |w| definition.stem.channels(w));
    let mut layers = 4;
    for (index, block) in definition.blocks.iter().enumerate() {
        let outputs = greatest(&block.width, |w| block.channels(w));
        let repeated = if block.repetitions.choices.iter().any(|&n| n > 1) { outputs } else { 1 };
        let widest = channels.max(repeated).saturating_mul(greatest(&block.expansion, |e| e));
        if widest > MAX_SIZE || outputs > MAX_SIZE || height * width * widest.max(outputs) > MAX_ELEMENTS {
            let problem =
                format!("a tensor of {height}x{width}x{} would be too large: lower it", widest.max(outputs));
            return fail(format!("block {}, width or expansion", index + 1), problem);
        }
        channels = channels.max(outputs);
        layers += 4 * greatest(&block.repetitions, |n| n);
    }
    let filters = greatest(&definition.conv2.filters, |f| f);
    if definition.input.elements() > MAX_ELEMENTS || height * width * filters.max(channels) > MAX_ELEMENTS {
        return fail(
            "input",
            format!("tensors above {MAX_ELEMENTS} elements would arise: use smaller images"),
        );
    }
    if layers > MAX_LAYERS {
        return fail("repetitions", format!("up to {layers} layers: lower them to stay within {MAX_LAYERS}"));
    }
    // Only if the last block is always there does every reduction take effect.
    let certain = definition.blocks.last().is_some_and(|block| !block.is_optional());
    let halvings = if certain { definition.reductions.len() } else { 0 };
    let pooled = height.div_ceil(1 << halvings) * width.div_ceil(1 << halvings);
    if pooled > MAX_FAN_IN {
        let problem = format!("the pool would sum {pooled} values, at most {MAX_FAN_IN}: use smaller images");
        return fail("input", problem);
    }
    let free = definition.bits.choices.len() > 1
        || [&definition.stem.stride, &definition.conv2.filters].iter().any(|c| c.choices.len() > 1)
        || definition.reductions.iter().any(|c| c.choices.len() > 1)
        || definition.blocks.iter().any(|block| {
            block.width.choices.len() > 1
                || [&block.kernel, &block.expansion, &block.repetitions].iter().any(|c| c.choices.len() > 1)
        });
    if free { Ok(()) } else { fail("choices", "the space has a single network: give a gene a second choice") }
}

fn greatest<T: Copy>(choice: &Choice<T>, of: impl Fn(T) -> usize) -> usize {
    choice.choices.iter().map(|&value| of(value)).max().unwrap_or(0)
}

fn size(field: &str, value: usize, range: std::ops::RangeInclusive<usize>) -> Result<(), Problem> {
    if range.contains(&value) {
        return Ok(());
    }
    fail(field, format!("is {value}, give {} to {}", range.start(), range.end()))
}

fn choice<T: Value>(
    field: &str,
    choice: &Choice<T>,
    legal: impl Fn(T) -> bool,
    range: &str,
) -> Result<(), Problem> {
    if choice.choices.is_empty() {
        return fail(field, "has no choices: give at least one");
    }
    if let Some(value) = choice.choices.iter().find(|&&value| !legal(value)) {
        return fail(field, format!("the choice {} is not possible, give {range}", value.text()));
    }
    if !choice.choices.is_sorted_by(|a, b| a < b) {
        return fail(field, format!("the choices {} must ascend without repetition", list(&choice.choices)));
    }
    if !choice.choices.contains(&choice.seed) {
        return fail(
            field,
            format!("the seed {} must be one of the choices {}", choice.seed.text(), list(&choice.choices)),
        );
    }
    Ok(())
}

fn fail(field: impl Into<String>, problem: impl Into<String>) -> Result<(), Problem> {
    Err((field.into(), problem.into()))
}
