//! Sixteen images at once through a packed model: the integers of [`bomp_runtime::kernels::Reference`], as fast as the
//! processor's vectors allow.
//!
//! A device runs one image and unpacks weights as it goes; a host has many images and memory. So here the weights are
//! unpacked once, and the images lie side by side in the lanes of a vector: every layer, whatever its shape, is then made of
//! the same few operations without a remainder. Tests hold the logits against the reference, bit for bit, for every
//! instruction set that the machine has.

mod isa;
mod layers;
mod prepare;
mod requantise;

use bomp_runtime::Model;

pub(crate) use prepare::Prepared;

/// Images in a block.
pub(crate) const LANES: usize = 16;

/// Two neighbouring channels of one position, of all images: [image][channel]. The second channel of the last pair of an
/// odd number means nothing, and its weights are 0.
pub(crate) type Pairs = [i16; 2 * LANES];

/// The instruction sets, fastest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum InstructionSet {
    /// What the compiler makes of plain loops.
    Plain,
    /// SSE2, which every x86-64 has.
    Sse2,
    /// AVX2.
    Avx2,
    /// AVX-512 with VNNI.
    Avx512,
}

impl InstructionSet {
    /// Those that this machine has.
    pub(crate) fn available() -> Vec<Self> {
        let mut sets = vec![Self::Plain];
        #[cfg(target_arch = "x86_64")]
        {
            sets.push(Self::Sse2);
            if is_x86_feature_detected!("avx2") {
                sets.push(Self::Avx2);
            }
            let wide = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            if wide {
                sets.push(Self::Avx512);
            }
        }
        sets
    }
}

/// The memory of one block.
pub(crate) struct Block<'a> {
    prepared: &'a Prepared,
    /// Tensors that live at the same time have different buffers.
    buffers: Vec<Vec<Pairs>>,
}

impl<'a> Block<'a> {
    /// Bytes of its buffers: up to 64 for each byte of the device's arena.
    pub(crate) fn bytes(prepared: &Prepared) -> usize {
        let pairs = prepared.buffers.iter().fold(0usize, |pairs, &buffer| pairs.saturating_add(buffer));
        pairs.saturating_mul(size_of::<Pairs>())
    }

    pub(crate) fn new(prepared: &'a Prepared) -> Self {
        let buffers = prepared.buffers.iter().map(|&length| vec![[0; 2 * LANES]; length]).collect();
        Self { prepared, buffers }
    }

    /// Classifies up to [`LANES`] images, whose elements [H, W, C] `image` gives: logits [N, CLASSES].
    pub(crate) fn run(&mut self, count: usize, image: impl Fn(usize, &mut [i8]), logits: &mut [i32]) {
        let prepared = self.prepared;
        let channels = prepared.input.channels;
        let mut elements = vec![0; prepared.input.elements().unwrap_or(0)];
        let pairs = channels.div_ceil(2);
        let buffer = &mut self.buffers[prepared.slots[0]];
        for lane in 0..count.min(LANES) {
            image(lane, &mut elements);
            for (position, values) in elements.chunks_exact(channels).enumerate() {
                for (pair, values) in values.chunks(2).enumerate() {
                    let place = &mut buffer[position * pairs + pair];
                    for (channel, &value) in values.iter().enumerate() {
                        place[2 * lane + channel] = value.into();
                    }
                }
            }
        }
        let mut sums = vec![[0; LANES]; prepared.classes];
        prepared.run(&mut self.buffers, &mut sums);
        for (lane, logits) in logits.chunks_exact_mut(prepared.classes).take(count).enumerate() {
            for (logit, sums) in logits.iter_mut().zip(&sums) {
                *logit = sums[lane];
            }
        }
    }
}

/// The model for the fastest instruction set of this machine.
pub(crate) fn prepare(model: &Model<'_>) -> Prepared {
    let fastest = InstructionSet::available().into_iter().max().unwrap_or(InstructionSet::Plain);
    Prepared::new(model, fastest)
}

#[cfg(test)]
mod tests;
