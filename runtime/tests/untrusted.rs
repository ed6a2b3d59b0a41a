//! Untrusted bytes: every corruption of a valid blob is refused or runs without a panic, and each kind of damage has its
//! own error. The blob is written by hand here, byte by byte after FORMAT.md, so the writer is not trusted either.

use bomp_runtime::blob::{Channel, HEADER_BYTES, RECORD_BYTES, checksum, weighted_data_bytes};
use bomp_runtime::kernels::{Dsp, Kernels, Needs, Portable, Reference};
use bomp_runtime::quant::{Multiplier, pack};
use bomp_runtime::{Arena, Model, ModelError, RunError, arena};
use proptest::prelude::*;

/// Bit of the first byte of a record that makes a layer wide.
const WIDE: u8 = 8;

/// One layer record after FORMAT.md.
struct Row {
    kind_bits: u8,
    kernel: u8,
    padding: u8,
    stride: u8,
    quantisation: [i8; 3],
    shift: u8,
    source: [u8; 2],
    shape: [u16; 3],
    offset: u32,
}

/// 4x4x2 -> depthwise 3x3 (4 bit) -> add with its input -> convolution 1x1 to 3 (5 bit) -> pool -> classifier of 4 (8 bit).
fn blob() -> Vec<u8> {
    blob_with(false)
}

/// The same with wide layers if asked for.
fn blob_with(wide: bool) -> Vec<u8> {
    let kind = if wide { WIDE } else { 0 };
    let rows = [
        Row {
            kind_bits: kind | 1 | 4 << 4,
            kernel: 0x33,
            padding: 0x11,
            stride: 1,
            quantisation: [-5, -128, 127],
            shift: 16,
            source: [0, 0],
            shape: [4, 4, 2],
            offset: 32,
        },
        Row {
            kind_bits: 2,
            kernel: 0,
            padding: 0,
            stride: 0,
            quantisation: [2, -128, 127],
            shift: 31,
            source: [1, 0],
            shape: [4, 4, 2],
            offset: 0,
        },
        Row {
            kind_bits: kind | 5 << 4,
            kernel: 0x11,
            padding: 0,
            stride: 1,
            quantisation: [-128, -128, 127],
            shift: 14,
            source: [0, 0],
            shape: [4, 4, 3],
            offset: 32,
        },
        Row {
            kind_bits: 3,
            kernel: 0,
            padding: 0,
            stride: 0,
            quantisation: [-128, -128, 127],
            shift: 34,
            source: [0, 0],
            shape: [1, 1, 3],
            offset: 0,
        },
        Row {
            kind_bits: kind | 4 | 8 << 4,
            kernel: 0,
            padding: 0,
            stride: 0,
            quantisation: [0, 0, 0],
            shift: 12,
            source: [0, 0],
            shape: [1, 1, 4],
            offset: 0,
        },
    ];
    let mut data = Vec::new();
    let weighted = |data: &mut Vec<u8>, channels: usize, fan_in: usize, bits: u8| {
        for channel in 0..channels {
            data.extend_from_slice(bytemuck::bytes_of(&Channel::new(
                channel as i32 * 100 - 50,
                Multiplier(0x1234),
            )));
        }
        for channel in 0..if wide { channels as u16 } else { 0 } {
            data.extend_from_slice(&(channel * 2_000 + 1_191).to_le_bytes());
        }
        let weights = (0..channels * fan_in).map(|i| ((i * 37 % 256) as u8 as i8) >> (8 - bits));
        pack(weights, bits, |byte| data.push(byte));
    };
    weighted(&mut data, 2, 9, 4);
    data.extend([1i32 << 29, 1 << 30].map(i32::to_le_bytes).concat());
    weighted(&mut data, 3, 2, 5);
    data.extend((1i32 << 30).to_le_bytes());
    weighted(&mut data, 4, 3, 8);

    let mut bytes = b"BOMP".to_vec();
    let total = HEADER_BYTES + rows.len() * RECORD_BYTES + data.len() + 4;
    bytes.extend(1u16.to_le_bytes());
    bytes.extend((rows.len() as u16).to_le_bytes());
    bytes.extend((total as u32).to_le_bytes());
    // Tensors end at 80; the 44 words of scratch of the depthwise convolution lie behind its tensors, at 64.
    bytes.extend(240u32.to_le_bytes());
    bytes.extend(0u32.to_le_bytes());
    bytes.extend([4u16, 4, 2].map(u16::to_le_bytes).concat());
    bytes.extend([0x80, 0]);
    bytes.extend(0.5f32.to_le_bytes());
    bytes.extend(0.25f32.to_le_bytes());
    rows.iter().for_each(|row| append(&mut bytes, row));
    bytes.extend(data);
    seal(&mut bytes, true);
    bytes
}

/// Writes a record.
fn append(bytes: &mut Vec<u8>, row: &Row) {
    bytes.extend([row.kind_bits, row.kernel, row.padding, row.stride]);
    bytes.extend(row.quantisation.map(|value| value as u8));
    bytes.extend([row.shift, row.source[0], row.source[1]]);
    bytes.extend(row.shape.map(u16::to_le_bytes).concat());
    bytes.extend(row.offset.to_le_bytes());
}

/// Makes the checksum (and the length, when asked) right again after an edit. `grown` appends the checksum.
fn seal(bytes: &mut Vec<u8>, grown: bool) {
    if !grown {
        bytes.truncate(bytes.len() - 4);
    }
    let sum = checksum(bytes);
    bytes.extend(sum.to_le_bytes());
}

fn edited(at: usize, value: u8) -> Vec<u8> {
    edit(blob(), at, value)
}

fn edit(mut bytes: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    bytes[at] = value;
    seal(&mut bytes, false);
    bytes
}

fn record(layer: usize, field: usize) -> usize {
    HEADER_BYTES + layer * RECORD_BYTES + field
}

fn run(bytes: &[u8], input: &[i8]) -> Option<Vec<i32>> {
    let model = Model::new(bytes).ok()?;
    // A mutant may ask for more RAM than the test wants to spend; it was accepted without a panic.
    if model.arena_size() > 1 << 20 || model.input_len() > 1 << 16 {
        return None;
    }
    let input: Vec<i8> = input.iter().copied().cycle().take(model.input_len()).collect();
    let mut words = vec![0x5555_5555; arena::words(model.arena_size())];
    let arena = arena::from_words(&mut words);
    let mut logits = vec![0; model.classes()];
    model.run(&input, arena, &mut logits).ok()?;
    let mut expected = vec![0; model.classes()];
    arena.fill(-1);
    model.run_with::<Reference>(&input, arena, &mut expected, |_, _| {}).ok()?;
    assert_eq!(logits, expected);
    Some(logits)
}

/// What [`blob`] needs: a depthwise convolution of 3x3 at stride 1, an add, a gathered convolution of 5 bits to 3 channels, a
/// pool, and a classifier with a fan-in of 3.
const NEEDS: Needs = Needs::DEPTHWISE
    .union(Needs::depthwise_loop(2, 1))
    .union(Needs::ADD)
    .union(Needs::CONVOLUTION)
    .union(Needs::GATHER)
    .union(Needs::width(5))
    .union(Needs::RARE_FACTOR)
    .union(Needs::AVERAGE_POOL)
    .union(Needs::ODD_CLASSIFIER);

/// Loads and runs with the kernels of one set; an error tells what is missing.
fn run_on<K: Kernels>(bytes: &[u8]) -> Result<Vec<i32>, ModelError> {
    let model = Model::<K>::load(bytes)?;
    let mut arena = Arena::<240>::new();
    let mut logits = vec![0; 4];
    let input: Vec<i8> = (0..32).map(|i| (i * 29) as i8).collect();
    model.run(&input, &mut arena, &mut logits).unwrap();
    Ok(logits)
}

#[test]
fn a_model_that_needs_a_missing_kernel_is_refused() {
    let bytes = blob();
    assert_eq!(Model::new(&bytes).unwrap().needs(), NEEDS);
    let expected = run_on::<Reference>(&bytes).unwrap();
    // With exactly what it needs, and not without any part of it.
    assert_eq!(run_on::<Dsp<{ NEEDS.bits() }>>(&bytes).unwrap(), expected);
    assert_eq!(run_on::<Portable<{ NEEDS.bits() }>>(&bytes).unwrap(), expected);
    macro_rules! refused {
        ($($layer:literal: $part:expr),* $(,)?) => {$(
            let error = ModelError::MissingKernel { layer: $layer, missing: $part };
            assert_eq!(run_on::<Dsp<{ NEEDS.without($part).bits() }>>(&bytes), Err(error));
            assert_eq!(run_on::<Portable<{ NEEDS.without($part).bits() }>>(&bytes), Err(error));
            let name = $part.names().next().unwrap();
            assert_eq!(error.to_string(), format!("layer {} needs what this build was made without: {name}", $layer));
        )*};
    }
    refused!(
        0: Needs::DEPTHWISE,
        0: Needs::depthwise_loop(2, 1),
        1: Needs::ADD,
        2: Needs::CONVOLUTION,
        2: Needs::GATHER,
        2: Needs::width(5),
        2: Needs::RARE_FACTOR,
        3: Needs::AVERAGE_POOL,
        4: Needs::ODD_CLASSIFIER,
    );
    // Damage is still told as damage, and a kernel that is not there never runs.
    assert_eq!(run_on::<Dsp<0>>(&edited(0, b'X')), Err(ModelError::BadMagic));
}

#[test]
fn the_blob_itself_is_accepted_and_runs() {
    let bytes = blob();
    let model = Model::new(&bytes).unwrap();
    assert_eq!(
        (model.arena_size(), model.input_len(), model.classes(), model.layer_count()),
        (240, 32, 4, 5)
    );
    assert_eq!(f32::from_bits(model.input_scale_bits()), 0.5);
    assert_eq!(f32::from_bits(model.output_scale_bits()), 0.25);
    assert!(run(&bytes, &[1, -7, 100]).is_some());
    let mut arena = Arena::<241>::new();
    let mut logits = [0; 4];
    assert_eq!(
        model.run(&[0; 32], &mut arena[..239], &mut logits),
        Err(RunError::ArenaTooSmall { needed: 240 })
    );
    assert_eq!(model.run(&[0; 32], &mut arena[1..], &mut logits), Err(RunError::ArenaMisaligned));
    assert_eq!(model.run(&[0; 31], &mut arena, &mut logits), Err(RunError::InputLength { needed: 32 }));
    assert_eq!(model.run(&[0; 32], &mut arena, &mut logits[..3]), Err(RunError::OutputLength { needed: 4 }));
}

#[test]
fn each_damage_has_its_error() {
    let bad = |layer, field| ModelError::BadLayer { layer, field };
    let cases: Vec<(&str, Vec<u8>, ModelError)> = vec![
        ("empty", vec![], ModelError::TooShort),
        (
            "header only",
            blob()[..HEADER_BYTES].to_vec(),
            ModelError::LengthMismatch { stated: blob().len() as u32 },
        ),
        ("magic", edited(0, b'X'), ModelError::BadMagic),
        ("version", edited(4, 2), ModelError::UnsupportedVersion(2)),
        ("no layers", edited(6, 0), ModelError::BadHeader("layer_count")),
        ("more layers than bytes", edited(6, 200), ModelError::BadHeader("layer_count")),
        (
            "truncated",
            blob()[..blob().len() - 1].to_vec(),
            ModelError::LengthMismatch { stated: blob().len() as u32 },
        ),
        ("trailing", [blob(), vec![0]].concat(), ModelError::LengthMismatch { stated: blob().len() as u32 }),
        ("reserved", edited(27, 1), ModelError::BadHeader("reserved")),
        ("input shape", edited(20, 0), ModelError::BadHeader("input shape")),
        ("small arena", edited(12, 79), ModelError::ArenaOverrun { tensor: 3 }),
        ("no room for scratch", edited(12, 239), ModelError::ScratchOverrun { layer: 0 }),
        ("unknown kind", edited(record(0, 0), 5 | 4 << 4), bad(0, "kind")),
        ("a wide add", edited(record(1, 0), WIDE | 2), bad(1, "kind")),
        ("a wide pool", edited(record(3, 0), WIDE | 3), bad(3, "kind")),
        (
            "a wide layer of narrow data",
            edited(record(4, 0), WIDE | 4 | 8 << 4),
            ModelError::DataOverrun { layer: 4 },
        ),
        ("3 bits", edited(record(0, 0), 1 | 3 << 4), bad(0, "bits")),
        ("9 bits", edited(record(0, 0), 1 | 9 << 4), bad(0, "bits")),
        ("bits of an add", edited(record(1, 0), 2 | 4 << 4), bad(1, "bits")),
        ("kernel height 0", edited(record(0, 1), 0x30), bad(0, "kernel")),
        ("kernel of an add", edited(record(1, 1), 0x11), bad(1, "kernel")),
        ("padding beyond the kernel", edited(record(0, 2), 0x13), bad(0, "padding")),
        ("stride 0", edited(record(0, 3), 0), bad(0, "stride")),
        ("stride past the image", edited(record(0, 3), 2), bad(0, "output shape")),
        (
            "min over max",
            edited(record(0, 6), 0x80 - 1).tap(|b| b[record(0, 5)] = 127).tap(|b| b[record(0, 6)] = 126),
            bad(0, "min"),
        ),
        ("shift 0", edited(record(0, 7), 0), bad(0, "shift")),
        ("shift 48", edited(record(0, 7), 48), bad(0, "shift")),
        ("shift of an add", edited(record(1, 7), 62), bad(1, "shift")),
        ("source before the input", edited(record(0, 8), 1), bad(0, "source")),
        ("second source without need", edited(record(0, 9), 1), bad(0, "source_b")),
        ("second source before the input", edited(record(1, 9), 2), bad(1, "source_b")),
        ("channels of a depthwise", edited(record(0, 14), 3), bad(0, "channels")),
        ("shape of an add", edited(record(1, 10), 3), bad(1, "output shape")),
        ("shape of a pool", edited(record(3, 10), 2), bad(3, "output shape")),
        ("classifier in the middle", edited(record(3, 0), 4 | 8 << 4), bad(3, "classifier")),
        ("no classifier at the end", edited(record(4, 0), 3), bad(4, "output shape")),
        ("classifier with a place", edited(record(4, 16), 1), bad(4, "classifier")),
        ("more weights than data", edited(record(4, 14), 5), ModelError::DataOverrun { layer: 4 }),
        ("fewer weights than data", edited(record(4, 14), 3), ModelError::TrailingData),
        ("overlap", edited(record(0, 16), 31), ModelError::ArenaOverlap { layer: 0, tensor: 0 }),
        (
            "dead tensor",
            edited(record(2, 8), 1).tap(|b| b[record(2, 16)] = 64).tap(|b| b[12] = 112),
            ModelError::DeadTensor { tensor: 2 },
        ),
    ];
    for (name, bytes, expected) in cases {
        assert_eq!(Model::new(&bytes).err(), Some(expected), "{name}");
    }
    let mut flipped = blob();
    flipped[60] ^= 1;
    assert_eq!(Model::new(&flipped).err(), Some(ModelError::ChecksumMismatch));
    let bias = HEADER_BYTES + 5 * RECORD_BYTES;
    assert_eq!(Model::new(&edited(bias + 3, 0x7f)).err(), Some(bad(0, "bias")));
}

#[test]
fn wide_layers_are_checked_as_strictly() {
    let sound = blob_with(true);
    let bytes = |wide| weighted_data_bytes(3, 2, 5, wide);
    assert_eq!((bytes(false), bytes(true)), (3 * 6 + 4, 3 * 8 + 4));
    // 2 bytes for each of the 2, 3 and 4 channels.
    assert_eq!(sound.len(), blob().len() + 2 * 9);
    let logits = |blob: &[u8]| run(&edit(blob.to_vec(), record(4, 7), 6), &[1, -7, 100]).unwrap();
    assert_ne!(logits(&sound), logits(&blob()), "the further bits do something");
    let bad = |layer, field| ModelError::BadLayer { layer, field };
    // After two channel records of the first layer come its further bits: 1,191 and 3,191.
    let fine = HEADER_BYTES + 5 * RECORD_BYTES + 2 * 6;
    assert_eq!(sound[fine..fine + 4], [0xa7, 0x04, 0x77, 0x0c]);
    let error = |at, value| Model::new(&edit(sound.clone(), at, value)).err();
    assert_eq!(error(fine + 3, 0x1f), None);
    assert_eq!(error(fine + 3, 0x20), Some(bad(0, "fine")));
    assert_eq!(error(fine + 1, 0xff), Some(bad(0, "fine")));
    assert_eq!(error(record(0, 7), 33), None);
    assert_eq!(error(record(0, 7), 34), Some(bad(0, "shift")));
    assert_eq!(error(record(4, 7), 34), Some(bad(4, "shift")));
    assert_eq!(error(record(4, 7), 0), Some(bad(4, "shift")));
    assert_eq!(error(record(4, 0), 4 | 8 << 4), Some(ModelError::TrailingData));
    assert_eq!(error(record(4, 14), 5), Some(ModelError::DataOverrun { layer: 4 }));
    assert_eq!(error(fine - 9, 0x7f), Some(bad(0, "bias")));
    for bit in 0..sound.len() * 8 {
        let mut damaged = sound.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::new(&damaged).is_err(), "bit {bit}");
    }
}

/// The largest accumulators times the largest factors, shifted by the most and by the least: no overflow, which every build
/// of this project would turn into a panic, and the result that 128 bits give.
#[test]
fn the_largest_sums_times_the_largest_factors_do_not_overflow() {
    let sound = blob_with(true);
    let end = sound.len() - 4;
    for (shift, bias) in [1, 33].into_iter().flat_map(|shift| [(shift, 1i32 << 30), (shift, -(1 << 30))]) {
        for weight in [0x00, 0xff] {
            let mut bytes = sound.clone();
            bytes[record(4, 7)] = shift;
            let data = end - 4 * (6 + 2 + 3);
            for channel in 0..4 {
                bytes[data + 6 * channel..][..4].copy_from_slice(&bias.to_le_bytes());
                bytes[data + 6 * channel + 4..][..2].copy_from_slice(&[0xff; 2]);
                bytes[data + 24 + 2 * channel..][..2].copy_from_slice(&8_191u16.to_le_bytes());
            }
            bytes[data + 32..end].fill(weight);
            seal(&mut bytes, false);
            let input: i8 = -128;
            let logits = run(&bytes, &[input]).expect("accepted");
            // Three taps whose inputs are known to lie within int8.
            let (low, high) = (i128::from(bias) - 3 * (1 << 14), i128::from(bias) + 3 * (1 << 14));
            let scaled = |sum: i128| {
                let shift = u32::from(shift) + 15 + 13;
                let value = (sum * ((1 << 26) - 1) + (1 << (shift - 1))) >> shift;
                value.clamp(i32::MIN.into(), i32::MAX.into())
            };
            for logit in logits {
                assert!((scaled(low)..=scaled(high)).contains(&i128::from(logit)), "{shift} {bias}: {logit}");
            }
        }
    }
}

/// An edit in the middle of an expression; the checksum is made right again.
trait Tap {
    fn tap(self, edit: impl FnOnce(&mut Vec<u8>)) -> Self;
}

impl Tap for Vec<u8> {
    fn tap(mut self, edit: impl FnOnce(&mut Vec<u8>)) -> Self {
        edit(&mut self);
        seal(&mut self, false);
        self
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn a_sealed_mutant_never_panics(
        edits in proptest::collection::vec((0usize..220, any::<u8>()), 1..4),
        input in proptest::collection::vec(any::<i8>(), 32),
        wide: bool,
    ) {
        let mut bytes = blob_with(wide);
        let end = bytes.len() - 4;
        for (at, value) in edits {
            bytes[at % end] = value;
        }
        seal(&mut bytes, false);
        run(&bytes, &input);
    }

    #[test]
    fn random_bytes_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..300), fix in any::<bool>()) {
        if fix && bytes.len() > HEADER_BYTES + 4 {
            bytes[..6].copy_from_slice(b"BOMP\x01\x00");
            let length = (bytes.len() as u32).to_le_bytes();
            bytes[8..12].copy_from_slice(&length);
            seal(&mut bytes, false);
        }
        run(&bytes, &[1]);
    }
}

#[test]
fn every_single_bit_flip_is_refused() {
    let bytes = blob();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Model::new(&damaged).is_err(), "bit {bit}");
    }
}

#[test]
fn a_tensor_of_more_elements_than_allowed_is_never_placed() {
    let row = |kind_bits, kernel, stride, quantisation, shape, offset| Row {
        kind_bits,
        kernel,
        padding: 0,
        stride,
        quantisation,
        shift: 12,
        source: [0, 0],
        shape,
        offset,
    };
    // 2^28 elements are made 2^29, and those few again, so that every shape chains.
    let any = [-128, -128, 127];
    let rows = [
        row(4 << 4, 0x11, 1, any, [16_384, 16_384, 2], 0),
        row(4 << 4, 0x11, 15, any, [1_093, 1_093, 1], 0),
        row(4 << 4, 0x11, 15, any, [73, 73, 1], 0),
        row(4 | 4 << 4, 0, 0, [0, 0, 0], [1, 1, 1], 0),
    ];
    let data: usize = [(2, 1), (1, 2), (1, 1), (1, 73 * 73)]
        .map(|(channels, fan_in)| weighted_data_bytes(channels, fan_in, 4, false))
        .iter()
        .sum();
    let mut bytes = blob()[..HEADER_BYTES].to_vec();
    let total = HEADER_BYTES + rows.len() * RECORD_BYTES + data + 4;
    bytes[6..8].copy_from_slice(&(rows.len() as u16).to_le_bytes());
    bytes[8..12].copy_from_slice(&(total as u32).to_le_bytes());
    bytes[12..16].copy_from_slice(&(1u32 << 31).to_le_bytes());
    bytes[20..26].copy_from_slice(&[16_384u16, 16_384, 1].map(u16::to_le_bytes).concat());
    rows.iter().for_each(|row| append(&mut bytes, row));
    bytes.extend(vec![0; data]);
    seal(&mut bytes, true);
    assert_eq!(Model::new(&bytes).err(), Some(ModelError::ArenaOverlap { layer: 0, tensor: 0 }));
}
