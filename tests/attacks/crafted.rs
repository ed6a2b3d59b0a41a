//! The crafted blobs. All but the files that are no blob at all have a right checksum: an attacker can compute one.
//!
//! The target is the golden model `bottlenecks`: every kind of layer, two adds, depthwise convolutions in place and apart; for
//! wide layers the golden model `wide`.

use bomp_runtime::blob::{CHANNEL_BYTES, HEADER_BYTES, MAX_LAYERS, RECORD_BYTES, VERSION};
use bomp_runtime::{ModelError, RunError};

use super::target::{Alterable, Golden};

/// How an attack must be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The model is refused when it is loaded.
    Load(ModelError),
    /// The model is valid, but wants more than a device has.
    Run(RunError),
}

/// A crafted blob.
#[derive(Clone, Debug)]
pub struct Attack {
    /// What was altered.
    pub name: &'static str,
    /// The bytes.
    pub blob: Vec<u8>,
    /// What it must give.
    pub refusal: Refusal,
}

// Fields of the header and of a record, by their offsets in FORMAT.md.
const VERSION_AT: usize = 4;
const LAYER_COUNT: usize = 6;
const TOTAL_LEN: usize = 8;
const ARENA_SIZE: usize = 12;
const INPUT_OFFSET: usize = 16;
const INPUT_HEIGHT: usize = 20;
const INPUT_CHANNELS: usize = 24;
const RESERVED: usize = 27;
const KIND: usize = 0;
const KERNEL: usize = 1;
const PADDING: usize = 2;
const STRIDE: usize = 3;
const ZERO_POINT: usize = 4;
const MIN: usize = 5;
const SHIFT: usize = 7;
const SOURCE: usize = 8;
const SOURCE_B: usize = 9;
const HEIGHT: usize = 10;
const WIDTH: usize = 12;
const CHANNELS: usize = 14;
const OFFSET: usize = 16;

// Layers of `bottlenecks` that are attacked.
const FIRST: usize = 0;
const DEPTHWISE: usize = 1;
const POINTWISE: usize = 2;
const ADD: usize = 3;
const WIDE: usize = 4;
const DOWN: usize = 5;
const SECOND_ADD: usize = 10;
const POOL: usize = 12;
const LAST: usize = 13;

/// Filters of the first layer and weights of each.
const FIRST_FILTERS: usize = 8;
const FIRST_FAN_IN: usize = 9;

const fn field(layer: usize, field: &'static str) -> Refusal {
    Refusal::Load(ModelError::BadLayer { layer: layer as u16, field })
}

const fn header(field: &'static str) -> Refusal {
    Refusal::Load(ModelError::BadHeader(field))
}

/// All of them.
///
/// # Panics
/// If the golden model is not the one that these attacks were made for.
#[must_use]
pub fn attacks() -> Vec<Attack> {
    let [golden, ..] = Golden::all();
    let target = Alterable::new(&golden.blob);
    assert_eq!(target.layers(), LAST + 1, "`bottlenecks` is frozen");
    let [.., wide] = Golden::all();
    let wide = wide_layers(&Alterable::new(&wide.blob));
    [files(&target), headers(&target), shapes(&target), layers(&target), data(&target), arena(&target), wide]
        .into_iter()
        .flatten()
        .map(|(name, blob, refusal)| Attack { name, blob, refusal })
        .collect()
}

type Case = (&'static str, Vec<u8>, Refusal);

/// The file as a whole.
fn files(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let whole = t().raw();
    let length = whole.len();
    let mismatch = |stated: u32| Refusal::Load(ModelError::LengthMismatch { stated });
    let mut stored = whole[length - 4..].to_vec();
    stored.reverse();
    vec![
        ("nothing at all", vec![], Refusal::Load(ModelError::TooShort)),
        ("a header cut off", whole[..HEADER_BYTES - 1].to_vec(), Refusal::Load(ModelError::TooShort)),
        (
            "a header that is its own checksum",
            t().without(HEADER_BYTES - 4, length - HEADER_BYTES).sealed(),
            Refusal::Load(ModelError::TooShort),
        ),
        ("another magic", t().put(0, b"BOMB").sealed(), Refusal::Load(ModelError::BadMagic)),
        ("the magic of a signature", t().put(0, b"BOMS").sealed(), Refusal::Load(ModelError::BadMagic)),
        (
            "version 0",
            t().put(VERSION_AT, &[0, 0]).sealed(),
            Refusal::Load(ModelError::UnsupportedVersion(0)),
        ),
        (
            "a version from the future",
            t().put(VERSION_AT, &(VERSION + 6).to_le_bytes()).sealed(),
            Refusal::Load(ModelError::UnsupportedVersion(VERSION + 6)),
        ),
        (
            "the version in the other byte order",
            t().put(VERSION_AT, &[0, 1]).sealed(),
            Refusal::Load(ModelError::UnsupportedVersion(256)),
        ),
        ("a length of 0", t().put(TOTAL_LEN, &[0; 4]).summed(), mismatch(0)),
        (
            "a length one too small",
            t().put(TOTAL_LEN, &(length as u32 - 1).to_le_bytes()).summed(),
            mismatch(length as u32 - 1),
        ),
        ("a length that wraps", t().put(TOTAL_LEN, &[0xff; 4]).summed(), mismatch(u32::MAX)),
        ("a byte after the checksum", [whole.clone(), vec![0]].concat(), mismatch(length as u32)),
        (
            "a byte between data and checksum",
            t().with(target.end(), &[0]).sealed(),
            Refusal::Load(ModelError::TrailingData),
        ),
        (
            "a second model behind the first",
            t().with(target.end(), &whole).sealed(),
            Refusal::Load(ModelError::TrailingData),
        ),
        (
            "the last byte of the data gone",
            t().without(target.end() - 1, 1).sealed(),
            Refusal::Load(ModelError::DataOverrun { layer: LAST as u16 }),
        ),
        (
            "no data at all",
            t().without(Alterable::record(LAST + 1, 0), target.end() - Alterable::record(LAST + 1, 0))
                .sealed(),
            Refusal::Load(ModelError::DataOverrun { layer: 0 }),
        ),
        (
            "a wrong checksum",
            t().put(target.end(), &[0; 4]).raw(),
            Refusal::Load(ModelError::ChecksumMismatch),
        ),
        (
            "a checksum in the other byte order",
            t().put(target.end(), &stored).raw(),
            Refusal::Load(ModelError::ChecksumMismatch),
        ),
    ]
}

/// The header.
fn headers(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let layers = |count: usize| t().put(LAYER_COUNT, &(count as u16).to_le_bytes()).sealed();
    vec![
        ("no layers", layers(0), header("layer_count")),
        ("more layers than allowed", layers(MAX_LAYERS + 1), header("layer_count")),
        ("as many layers as a field can say", layers(65_535), header("layer_count")),
        ("more layers than bytes", layers(MAX_LAYERS), header("layer_count")),
        // Sections overlap: what was data is a record now, and the other way round.
        ("the layer table reaches into the data", layers(LAST + 2), field(FIRST, "bias")),
        ("the data begin in the layer table", layers(LAST), field(FIRST, "bias")),
        ("a reserved byte in use", t().put(RESERVED, &[1]).sealed(), header("reserved")),
        ("an input of no rows", t().put(INPUT_HEIGHT, &[0; 2]).sealed(), header("input shape")),
        ("an input of no channels", t().put(INPUT_CHANNELS, &[0; 2]).sealed(), header("input shape")),
        ("an input of 2^48 elements", t().put(INPUT_HEIGHT, &[0xff; 6]).sealed(), header("input shape")),
        (
            "an arena of 4 GiB",
            t().put(ARENA_SIZE, &[0xff; 4]).sealed(),
            Refusal::Run(RunError::ArenaTooSmall { needed: u32::MAX as usize }),
        ),
    ]
}

/// Shapes that do not chain, of nothing, and huge.
fn shapes(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let u16_at = |layer, at, value: u16| t().layer(layer, at, &value.to_le_bytes()).sealed();
    vec![
        ("an output of no rows", u16_at(FIRST, HEIGHT, 0), field(FIRST, "output shape")),
        ("an output of no columns", u16_at(DEPTHWISE, WIDTH, 0), field(DEPTHWISE, "output shape")),
        ("an output of no channels", u16_at(POINTWISE, CHANNELS, 0), field(POINTWISE, "output shape")),
        ("no classes", u16_at(LAST, CHANNELS, 0), field(LAST, "output shape")),
        ("windows past the last row", u16_at(FIRST, HEIGHT, 15), field(FIRST, "output shape")),
        ("65,535 rows", u16_at(FIRST, HEIGHT, 65_535), field(FIRST, "output shape")),
        (
            "an output of 2^48 elements",
            t().layer(FIRST, HEIGHT, &[0xff; 6]).sealed(),
            field(FIRST, "output shape"),
        ),
        (
            "an input wider than the plan knows",
            t().put(INPUT_HEIGHT, &[0xff; 4]).sealed(),
            header("input shape"),
        ),
        (
            "a depthwise convolution of more channels",
            u16_at(DEPTHWISE, CHANNELS, 9),
            field(DEPTHWISE, "channels"),
        ),
        ("an add of other columns", u16_at(ADD, WIDTH, 13), field(ADD, "output shape")),
        (
            "an add of tensors of two shapes",
            t().layer(ADD, SOURCE, &[3]).sealed(),
            field(ADD, "output shape"),
        ),
        ("a pool that keeps rows", u16_at(POOL, HEIGHT, 7), field(POOL, "output shape")),
        ("a pool of more channels", u16_at(POOL, CHANNELS, 41), field(POOL, "output shape")),
        ("a classifier of two rows", u16_at(LAST, HEIGHT, 2), field(LAST, "output shape")),
        (
            "more filters than data",
            u16_at(FIRST, CHANNELS, 65_535),
            Refusal::Load(ModelError::DataOverrun { layer: 0 }),
        ),
        (
            "more classes than data",
            u16_at(LAST, CHANNELS, 65_535),
            Refusal::Load(ModelError::DataOverrun { layer: LAST as u16 }),
        ),
        ("fewer classes than data", u16_at(LAST, CHANNELS, 9), Refusal::Load(ModelError::TrailingData)),
        (
            "a sum of 2^18 terms",
            t().put(INPUT_CHANNELS, &65_535u16.to_le_bytes()).put(INPUT_HEIGHT, &[64, 0, 64, 0]).sealed(),
            field(FIRST, "fan-in"),
        ),
    ]
}

/// Fields of the records.
fn layers(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let byte = |layer, at, value: u8| t().layer(layer, at, &[value]).sealed();
    vec![
        ("a kind that does not exist", byte(FIRST, KIND, 0x85), field(FIRST, "kind")),
        ("the last kind of 4 bits", byte(FIRST, KIND, 0x8f), field(FIRST, "kind")),
        ("weights of 0 bits", byte(FIRST, KIND, 0x00), field(FIRST, "bits")),
        ("weights of 3 bits", byte(DEPTHWISE, KIND, 0x31), field(DEPTHWISE, "bits")),
        ("weights of 9 bits", byte(POINTWISE, KIND, 0x90), field(POINTWISE, "bits")),
        ("weights of 15 bits", byte(LAST, KIND, 0xf4), field(LAST, "bits")),
        ("an add with weights", byte(ADD, KIND, 0x82), field(ADD, "bits")),
        ("a pool with weights", byte(POOL, KIND, 0x43), field(POOL, "bits")),
        ("a kernel of no rows", byte(FIRST, KERNEL, 0x30), field(FIRST, "kernel")),
        ("a kernel of no columns", byte(DEPTHWISE, KERNEL, 0x03), field(DEPTHWISE, "kernel")),
        ("an add with a kernel", byte(ADD, KERNEL, 0x11), field(ADD, "kernel")),
        ("a classifier with a stride", byte(LAST, STRIDE, 1), field(LAST, "kernel")),
        ("a pool with padding", byte(POOL, PADDING, 0x11), field(POOL, "kernel")),
        (
            "rows of padding as high as the kernel",
            byte(DEPTHWISE, PADDING, 0x13),
            field(DEPTHWISE, "padding"),
        ),
        ("columns of padding beyond the kernel", byte(DEPTHWISE, PADDING, 0xf1), field(DEPTHWISE, "padding")),
        ("a stride of 0", byte(FIRST, STRIDE, 0), field(FIRST, "stride")),
        ("a stride of 16", byte(FIRST, STRIDE, 16), field(FIRST, "stride")),
        ("a stride of 255", byte(FIRST, STRIDE, 255), field(FIRST, "stride")),
        ("a lower bound above the upper", t().layer(FIRST, MIN, &[127, 126]).sealed(), field(FIRST, "min")),
        ("a multiplier's shift of 0", byte(FIRST, SHIFT, 0), field(FIRST, "shift")),
        ("a multiplier's shift of 48", byte(DEPTHWISE, SHIFT, 48), field(DEPTHWISE, "shift")),
        ("a multiplier's shift of 255", byte(LAST, SHIFT, 255), field(LAST, "shift")),
        ("an add's shift of 0", byte(ADD, SHIFT, 0), field(ADD, "shift")),
        ("a pool's shift of 62", byte(POOL, SHIFT, 62), field(POOL, "shift")),
        ("a source before the input", byte(DEPTHWISE, SOURCE, 2), field(DEPTHWISE, "source")),
        ("a source as far as a byte reaches", byte(LAST, SOURCE, 255), field(LAST, "source")),
        (
            "a second source of a layer that has one",
            byte(POINTWISE, SOURCE_B, 1),
            field(POINTWISE, "source_b"),
        ),
        ("a second source before the input", byte(ADD, SOURCE_B, 4), field(ADD, "source_b")),
        ("a classifier in the middle", byte(POOL, KIND, 0x44), field(POOL, "classifier")),
        ("a classifier with a zero point", byte(LAST, ZERO_POINT, 1), field(LAST, "classifier")),
        (
            "a classifier with a place in the arena",
            t().layer(LAST, OFFSET, &[4]).sealed(),
            field(LAST, "classifier"),
        ),
        (
            "no classifier at the end",
            t().layer(LAST, KIND, &[0x70, 0x11, 0, 1]).sealed(),
            field(LAST, "kind"),
        ),
    ]
}

/// Channel records, factors and weights.
fn data(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let add = data_before(&t(), ADD);
    let pool = data_before(&t(), POOL);
    vec![
        (
            "a bias one beyond its range",
            t().data(0, &((1i32 << 30) + 1).to_le_bytes()).sealed(),
            field(FIRST, "bias"),
        ),
        (
            "the smallest int32 as a bias",
            t().data((FIRST_FILTERS - 1) * CHANNEL_BYTES, &i32::MIN.to_le_bytes()).sealed(),
            field(FIRST, "bias"),
        ),
        ("a negative factor of an add", t().data(add, &(-1i32).to_le_bytes()).sealed(), field(ADD, "factor")),
        (
            "a negative second factor of an add",
            t().data(add + 4, &i32::MIN.to_le_bytes()).sealed(),
            field(ADD, "factor"),
        ),
        (
            "a negative factor of a pool",
            t().data(pool, &(-1i32).to_le_bytes()).sealed(),
            field(POOL, "factor"),
        ),
        (
            "weights that begin a channel record too early",
            t().without(Alterable::record(LAST + 1, 0), CHANNEL_BYTES).sealed(),
            // The next layer's biases are then weights' bytes.
            field(DEPTHWISE, "bias"),
        ),
        (
            "one weight too few for the first layer",
            t().without(
                Alterable::record(LAST + 1, 0) + FIRST_FILTERS * (CHANNEL_BYTES + FIRST_FAN_IN) - 1,
                1,
            )
            .sealed(),
            field(DEPTHWISE, "bias"),
        ),
    ]
}

/// Where a layer's data begin in the data section of `bottlenecks`.
fn data_before(target: &Alterable, layer: usize) -> usize {
    let blob = target.clone().raw();
    let model = bomp_runtime::Model::new(&blob).expect("a golden model");
    let bytes = |op: bomp_runtime::layer::Op<'_>| match op {
        bomp_runtime::layer::Op::Convolution(_, weights)
        | bomp_runtime::layer::Op::Depthwise(_, weights)
        | bomp_runtime::layer::Op::Classifier(weights) => bomp_runtime::blob::weighted_data_bytes(
            weights.channels.len(),
            weights.fan_in,
            weights.bits,
            !weights.fine.is_empty(),
        ),
        bomp_runtime::layer::Op::Add { .. } => bomp_runtime::blob::ADD_BYTES,
        bomp_runtime::layer::Op::AveragePool { .. } => bomp_runtime::blob::POOL_BYTES,
    };
    model.layers().take(layer).map(|layer| bytes(layer.op)).sum()
}

/// Places in the arena.
fn arena(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let overrun = |tensor: usize| Refusal::Load(ModelError::ArenaOverrun { tensor: tensor as u16 });
    let overlap = |layer: usize, tensor: usize| {
        Refusal::Load(ModelError::ArenaOverlap { layer: layer as u16, tensor: tensor as u16 })
    };
    let size = t().header_u32(ARENA_SIZE);
    let place = |layer, offset: u32| t().layer(layer, OFFSET, &offset.to_le_bytes()).sealed();
    let resized = |size: u32| t().put(ARENA_SIZE, &size.to_le_bytes()).sealed();
    // Bytes of the first layer's output, which the first add reads.
    let kept = 14 * 14 * 8;
    vec![
        ("an arena of nothing", resized(0), overrun(0)),
        (
            "an arena a byte too small",
            resized(size - 1),
            Refusal::Load(ModelError::ScratchOverrun { layer: WIDE as u16 }),
        ),
        ("an arena of the largest tensor only", resized(4_704), overrun(1)),
        ("an input beyond the arena", t().put(INPUT_OFFSET, &size.to_le_bytes()).sealed(), overrun(0)),
        ("an input whose end wraps", t().put(INPUT_OFFSET, &[0xff; 4]).sealed(), overrun(0)),
        ("an output beyond the arena", place(FIRST, size), overrun(1)),
        ("an output whose end wraps", place(POOL, u32::MAX), overrun(POOL + 1)),
        ("an output over the input that it is made from", place(FIRST, 783), overlap(FIRST, 0)),
        ("a convolution in place", place(FIRST, 0), overlap(FIRST, 0)),
        (
            "a depthwise convolution over a tensor that an add still reads",
            place(DEPTHWISE, 4_704),
            overlap(DEPTHWISE, 1),
        ),
        (
            "an output over a tensor that lives longer",
            place(POINTWISE, 4_704 - kept + 1),
            overlap(POINTWISE, 1),
        ),
        ("an add a byte beside its operand", place(ADD, 4_703), overlap(ADD, 1)),
        ("a depthwise convolution a byte beside its input", place(DOWN, 1), overlap(DOWN, DOWN)),
        (
            "a tensor that nothing reads",
            // The second add reads the first operand twice.
            t().layer(SECOND_ADD, SOURCE_B, &[3]).sealed(),
            Refusal::Load(ModelError::DeadTensor { tensor: SECOND_ADD as u16 }),
        ),
        ("an output over the input of the same layer", place(WIDE, 4_700), overlap(WIDE, WIDE)),
    ]
}

/// Layers whose factors have 26 bits: `wide` has one in every place of its kind but the adds and the pool.
fn wide_layers(target: &Alterable) -> Vec<Case> {
    let t = || target.clone();
    let byte = |layer, at, value: u8| t().layer(layer, at, &[value]).sealed();
    let (first, add, pool, last) = (0, 3, 7, 8);
    // The further bits of the factors follow the channel records of the first layer's 10 filters.
    let fine = 10 * CHANNEL_BYTES;
    vec![
        ("a wide add", byte(add, KIND, 0x0a), field(add, "kind")),
        ("a wide pool", byte(pool, KIND, 0x0b), field(pool, "kind")),
        ("a wide layer of a kind that does not exist", byte(first, KIND, 0x6d), field(first, "kind")),
        ("wide weights of 3 bits", byte(first, KIND, 0x38), field(first, "bits")),
        ("a wide layer's shift of 34", byte(first, SHIFT, 34), field(first, "shift")),
        ("a wide classifier's shift of 47", byte(last, SHIFT, 47), field(last, "shift")),
        (
            "14 further bits of a factor",
            t().data(fine, &8_192u16.to_le_bytes()).sealed(),
            field(first, "fine"),
        ),
        (
            "16 further bits of the last factor",
            t().data(fine + 18, &[0xff; 2]).sealed(),
            field(first, "fine"),
        ),
        (
            "a wide classifier that says it is narrow",
            byte(last, KIND, 0x84),
            Refusal::Load(ModelError::TrailingData),
        ),
        (
            "a wide layer without its last further bits",
            t().without(t().end() - 2, 2).sealed(),
            Refusal::Load(ModelError::DataOverrun { layer: last as u16 }),
        ),
    ]
}

const _: () = assert!(RECORD_BYTES == 20 && HEADER_BYTES == 36, "the offsets above are those of version 1");
