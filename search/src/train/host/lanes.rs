//! The layout of tensors on the host: [C, H * W, N], images innermost, in groups of sixteen.
//!
//! With the images innermost every operation of a network is the same arithmetic on sixteen images at once, whatever the
//! number of channels, the kernel, the stride and the padding: padding is left out instead of being multiplied, and a
//! row of a channel is one run of memory. The last group is filled up with lanes that hold no image; they are zero
//! wherever they could reach a sum.

use fearless_simd::{Select, Simd, SimdBase, SimdFloat, f32x16};

/// Images in a group.
pub(super) const LANES: usize = 16;

/// One element of sixteen images.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub(super) struct Lanes(pub(super) [f32; LANES]);

impl Lanes {
    pub(super) const ZERO: Self = Self([0.0; LANES]);

    #[inline(always)]
    pub(super) fn load<S: Simd>(&self, simd: S) -> f32x16<S> {
        f32x16::load_array_ref(simd, &self.0)
    }

    #[inline(always)]
    pub(super) fn store<S: Simd>(&mut self, value: f32x16<S>) {
        value.store_slice(&mut self.0);
    }

    /// Sum of the lanes, always in the same order.
    pub(super) fn total(&self) -> f64 {
        self.0.iter().map(|&value| f64::from(value)).sum()
    }
}

/// How many images there are, and which lanes hold none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) images: usize,
    /// Groups of sixteen images.
    pub(super) groups: usize,
    /// For the last group, 1 in lanes that hold an image and 0 elsewhere; `None` when all do.
    last: Option<Lanes>,
}

impl Batch {
    pub(super) fn new(images: usize) -> Self {
        let groups = images.div_ceil(LANES);
        let last = (!images.is_multiple_of(LANES)).then(|| {
            let mut mask = Lanes::ZERO;
            mask.0[..images % LANES].fill(1.0);
            mask
        });
        Self { images, groups, last }
    }

    /// Sets the lanes without an image to zero in `run`, whose first element has position `first` in its channel.
    #[inline(always)]
    pub(super) fn clear(&self, run: &mut [Lanes], first: usize) {
        let Some(mask) = &self.last else { return };
        let skip = self.groups - 1 - first % self.groups;
        for lanes in run.iter_mut().skip(skip).step_by(self.groups) {
            for (value, keep) in lanes.0.iter_mut().zip(mask.0) {
                // A factor of 0 would keep what is not a number.
                *value = if keep == 0.0 { 0.0 } else { *value };
            }
        }
    }
}

/// What a stored tensor means: min(max(stored * scale + shift, low), high), rounded where there are steps; scale and shift of
/// each channel.
///
/// The normalisation of a batch norm, its ReLU6 and its rounding are known only when a whole layer has been computed; they
/// are applied wherever the tensor is read, which costs less than another pass over memory.
#[derive(Clone, Debug)]
pub(super) struct View {
    pub(super) scale: Vec<f32>,
    pub(super) shift: Vec<f32>,
    pub(super) low: f32,
    pub(super) high: f32,
    /// Steps of a unit, and units of a step.
    pub(super) steps: Option<[f32; 2]>,
}

impl View {
    /// Stored as it is meant.
    pub(super) fn plain(channels: usize) -> Self {
        Self { scale: vec![1.0; channels], shift: vec![0.0; channels], ..Self::default() }
    }

    #[inline(always)]
    pub(super) fn of<S: Simd>(&self, simd: S, channel: usize) -> ChannelView<S> {
        ChannelView {
            scale: f32x16::splat(simd, self.scale[channel]),
            shift: f32x16::splat(simd, self.shift[channel]),
            low: f32x16::splat(simd, self.low),
            high: f32x16::splat(simd, self.high),
            steps: self.steps.map(|steps| steps.map(|value| f32x16::splat(simd, value))),
        }
    }
}

impl Default for View {
    fn default() -> Self {
        Self { scale: vec![], shift: vec![], low: f32::NEG_INFINITY, high: f32::INFINITY, steps: None }
    }
}

/// A [`View`] of one channel.
#[derive(Clone, Copy)]
pub(super) struct ChannelView<S: Simd> {
    scale: f32x16<S>,
    shift: f32x16<S>,
    low: f32x16<S>,
    high: f32x16<S>,
    steps: Option<[f32x16<S>; 2]>,
}

impl<S: Simd> ChannelView<S> {
    #[inline(always)]
    pub(super) fn read(self, stored: f32x16<S>) -> f32x16<S> {
        // In this order x86 hands on what is not a number.
        let within = self.high.min(self.low.max(stored.mul_add(self.scale, self.shift)));
        match self.steps {
            Some([steps, step]) => (within * steps).round_ties_even() * step,
            None => within,
        }
    }

    /// `gradient` where the value read is within the bounds, 0 where it was cut off.
    #[inline(always)]
    pub(super) fn pass(self, read: f32x16<S>, gradient: f32x16<S>) -> f32x16<S> {
        let within = read.simd_gt(self.low) & read.simd_lt(self.high);
        within.select(gradient, f32x16::splat(self.low.simd, 0.0))
    }

    #[inline(always)]
    pub(super) fn read_run(self, from: &[Lanes], to: &mut [Lanes]) {
        let simd = self.low.simd;
        for (from, to) in from.iter().zip(to) {
            to.store(self.read(from.load(simd)));
        }
    }
}
