//! [`Model`]: a checked view of a blob, and the loop that runs its layers in place from flash.

use core::marker::PhantomData;
use core::ops::Range;

use crate::arena::ALIGNMENT;
use crate::blob::{
    CHECKSUM_BYTES, HEADER_BYTES, Header, MAGIC, MAX_BLOB, MAX_LAYERS, RECORD_BYTES, Record, VERSION,
    checksum,
};
use crate::error::{ModelError, RunError};
use crate::kernels::{Kernels, Native, Needs, broken_invariant};
use crate::layer::{Layer, Op, Shape, Tensor};
use crate::plan::{self, range};
use crate::records::{Records, check_channels};

/// A valid network over the bytes of its blob.
///
/// ```
/// use bomp_runtime::Model;
/// # fn classify(blob: &[u8], image: &[i8]) -> Result<(), Box<dyn core::error::Error>> {
/// let model = Model::new(blob)?;
/// let mut arena = bomp_runtime::Arena::<20_000>::new();
/// let mut logits = [0; 10];
/// model.run(image, &mut arena, &mut logits)?;
/// let class = bomp_runtime::engine::argmax(&logits);
/// # Ok(()) }
/// # assert!(classify(b"BOMP", &[]).is_err());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Model<'a, K = Native> {
    records: Records<'a>,
    data: &'a [u8],
    kernels: PhantomData<K>,
}

impl<'a> Model<'a> {
    /// [`Self::load`] with the kernels that suit the processor, [`Native`], all of them.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn new(blob: &'a [u8]) -> Result<Self, ModelError> {
        Self::load(blob)
    }
}

impl<'a, K: Kernels> Model<'a, K> {
    /// Checks `blob` completely and views it. Cost: one pass over the bytes for the checksum and one over the layers.
    ///
    /// `K` are the kernels that it will run with. With [`crate::kernels::NativeFor`] they may be those that one model needs,
    /// which makes the program smaller; a model that needs more is refused.
    ///
    /// ```
    /// use bomp_runtime::{Model, kernels::{Needs, NativeFor}};
    /// // What a build script writes: `Model::new(&blob)?.needs().bits()`.
    /// const NEEDS: u32 = Needs::CONVOLUTION.union(Needs::width(4)).union(Needs::classifier_width(4)).bits();
    /// # fn load(blob: &[u8]) -> Result<(), bomp_runtime::ModelError> {
    /// let model = Model::<NativeFor<NEEDS>>::load(blob)?;
    /// # let _ = model; Ok(()) }
    /// # assert!(load(b"BOMP").is_err());
    /// ```
    ///
    /// # Errors
    /// The first thing that is wrong; see [`ModelError`]. A model that is not exactly right is refused.
    pub fn load(blob: &'a [u8]) -> Result<Self, ModelError> {
        let (header, rest) = blob.split_at_checked(HEADER_BYTES).ok_or(ModelError::TooShort)?;
        let header: &Header = bytemuck::try_from_bytes(header).map_err(|_| ModelError::TooShort)?;
        if header.magic != MAGIC {
            return Err(ModelError::BadMagic);
        }
        let version = u16::from_le_bytes(header.version);
        if version != VERSION {
            return Err(ModelError::UnsupportedVersion(version));
        }
        let stated = u32::from_le_bytes(header.total_len);
        if stated as usize != blob.len() || blob.len() > MAX_BLOB {
            return Err(ModelError::LengthMismatch { stated });
        }
        let (checked, stored) = blob.split_last_chunk::<CHECKSUM_BYTES>().ok_or(ModelError::TooShort)?;
        if checksum(checked) != u32::from_le_bytes(*stored) {
            return Err(ModelError::ChecksumMismatch);
        }
        let body = rest.split_last_chunk::<CHECKSUM_BYTES>().ok_or(ModelError::TooShort)?.0;
        let layer_count = usize::from(u16::from_le_bytes(header.layer_count));
        if !(1..=MAX_LAYERS).contains(&layer_count) {
            return Err(ModelError::BadHeader("layer_count"));
        }
        if header.reserved != 0 {
            return Err(ModelError::BadHeader("reserved"));
        }
        let (records, data) =
            body.split_at_checked(layer_count * RECORD_BYTES).ok_or(ModelError::BadHeader("layer_count"))?;
        let layers: &[Record] = bytemuck::try_cast_slice(records).map_err(|_| ModelError::TooShort)?;
        let model = Self { records: Records { header, layers }, data, kernels: PhantomData };
        model.check()?;
        Ok(model)
    }

    // Its stack must not become that of the program, which lasts.
    #[inline(never)]
    fn check(&self) -> Result<(), ModelError> {
        if self.input_len() == 0 {
            return Err(ModelError::BadHeader("input shape"));
        }
        let mut data = self.data;
        for index in 0..self.records.len() {
            let decoded = self.records.decode(index, data);
            // By reference, so that the layer is not copied: this runs on devices.
            let (layer, rest) = decoded.as_ref().map_err(|&error| error)?;
            data = rest;
            check_channels(index, layer)?;
            let missing = match K::OFFERS {
                Needs::EVERYTHING => Needs::NOTHING,
                offers => self.needs_of(index, layer).without(offers),
            };
            if missing != Needs::NOTHING {
                return Err(ModelError::MissingKernel { layer: index as u16, missing });
            }
        }
        if !data.is_empty() {
            return Err(ModelError::TrailingData);
        }
        plan::check(self.records)
    }

    fn needs_of(&self, index: usize, layer: &Layer<'_>) -> Needs {
        self.records.geometry(index).map_or(Needs::EVERYTHING, |geometry| Needs::of(&geometry, layer))
    }

    /// What the layers need of the kernels.
    #[must_use]
    pub fn needs(&self) -> Needs {
        let layers = self.layers().enumerate();
        layers.fold(Needs::NOTHING, |needs, (index, layer)| needs.union(self.needs_of(index, &layer)))
    }

    /// Bytes of RAM that [`Self::run`] needs for activations and scratch.
    #[must_use]
    pub fn arena_size(&self) -> usize {
        u32::from_le_bytes(self.records.header.arena_size) as usize
    }

    /// Shape of the input, elements [H, W, C].
    #[must_use]
    pub fn input_shape(&self) -> Shape {
        self.input().shape
    }

    /// Number of elements of the input.
    #[must_use]
    pub fn input_len(&self) -> usize {
        self.input_shape().elements().unwrap_or(0)
    }

    /// Zero point of the input: real value = (element - zero point) * scale.
    #[must_use]
    pub fn input_zero_point(&self) -> i8 {
        self.records.header.input_zero_point
    }

    /// IEEE 754 binary32 bits of the input's scale. The runtime itself never computes with it.
    #[must_use]
    pub fn input_scale_bits(&self) -> u32 {
        u32::from_le_bytes(self.records.header.input_scale)
    }

    /// IEEE 754 binary32 bits of the logits' scale: real logit = logit * scale.
    #[must_use]
    pub fn output_scale_bits(&self) -> u32 {
        u32::from_le_bytes(self.records.header.output_scale)
    }

    /// Number of classes, which is the number of logits.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.records.tensor(self.records.len()).map_or(0, |logits| logits.shape.channels)
    }

    /// Number of layers.
    #[must_use]
    pub fn layer_count(&self) -> usize {
        self.records.len()
    }

    /// The layers in execution order.
    pub fn layers(&self) -> impl Iterator<Item = Layer<'a>> {
        let Self { records, mut data, .. } = *self;
        (0..records.len()).map_while(move |index| {
            let (layer, rest) = records.decode(index, data).ok()?;
            data = rest;
            Some(layer)
        })
    }

    fn input(&self) -> Tensor {
        const NONE: Tensor =
            Tensor { shape: Shape { height: 0, width: 0, channels: 0 }, zero_point: 0, offset: 0 };
        self.records.tensor(0).unwrap_or(NONE)
    }

    /// Classifies one image.
    ///
    /// `input` has [`Self::input_len`] elements [H, W, C]; `arena` at least [`Self::arena_size`] bytes at a
    /// multiple of 4 (see [`crate::Arena`]), whatever is in them; `logits` [`Self::classes`] elements.
    ///
    /// # Errors
    /// A slice of the wrong length or alignment. Nothing is computed then.
    pub fn run(&self, input: &[i8], arena: &mut [i8], logits: &mut [i32]) -> Result<(), RunError> {
        self.execute::<K>(input, arena, logits, |_, _| {})
    }

    /// As [`Self::run`], with kernels of choice, which must be all of their set: else this does not compile. Calls
    /// `observe(layer, output)` after each layer but the classifier.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn run_with<W: Kernels>(
        &self,
        input: &[i8],
        arena: &mut [i8],
        logits: &mut [i32],
        observe: impl FnMut(usize, &[i8]),
    ) -> Result<(), RunError> {
        const { assert!(W::OFFERS.contains(Needs::EVERYTHING), "the model was not checked for these kernels") };
        self.execute::<W>(input, arena, logits, observe)
    }

    fn execute<W: Kernels>(
        &self,
        input: &[i8],
        arena: &mut [i8],
        logits: &mut [i32],
        mut observe: impl FnMut(usize, &[i8]),
    ) -> Result<(), RunError> {
        if input.len() != self.input_len() {
            return Err(RunError::InputLength { needed: self.input_len() });
        }
        if logits.len() != self.classes() {
            return Err(RunError::OutputLength { needed: self.classes() });
        }
        let needed = self.arena_size();
        let arena = arena.get_mut(..needed).ok_or(RunError::ArenaTooSmall { needed })?;
        if arena.as_ptr().addr() % ALIGNMENT != 0 {
            return Err(RunError::ArenaMisaligned);
        }
        for (place, &element) in arena.get_mut(range(self.input())).unwrap_or(&mut []).iter_mut().zip(input) {
            *place = element;
        }
        for (index, layer) in self.layers().enumerate() {
            // No scratch is put behind everything, where it meets no tensor.
            let scratch = plan::scratch(self.records, index).filter(|scratch| !scratch.is_empty());
            self.run_layer::<W>(&layer, arena, scratch.unwrap_or(needed..needed), logits);
            if let (Some(output), false) =
                (arena.get(range(layer.output)), matches!(layer.op, Op::Classifier(_)))
            {
                observe(index, output);
            }
        }
        Ok(())
    }

    /// Every range of bytes is inside `arena`, and those that a kernel gets as slices are disjoint: the blob was checked.
    fn run_layer<W: Kernels>(
        &self,
        layer: &Layer<'a>,
        arena: &mut [i8],
        scratch: Range<usize>,
        logits: &mut [i32],
    ) {
        let (source, target) = (range(layer.input), range(layer.output));
        match layer.op {
            Op::Classifier(_) => {
                let Ok([input, scratch]) = arena.get_disjoint_mut([source, scratch]) else {
                    return broken_invariant();
                };
                W::classifier(layer, input, logits, words(scratch));
            }
            Op::Add { b, scale } if W::OFFERS.contains(Needs::ADD) => {
                // The first operand is moved to the output's place unless it is there; unless it is the second operand
                // that is there, then the roles change, which the symmetric arithmetic allows.
                let Some(second) = self.records.tensor(b) else { return broken_invariant() };
                let (other, scale) = if second.offset == layer.output.offset && source != target {
                    (source, scale.swapped())
                } else {
                    if source != target {
                        copy_within(arena, source, target.clone());
                    }
                    (range(second), scale)
                };
                if other == target && W::OFFERS.contains(Needs::ADD_TO_SELF) {
                    if let Ok([place, scratch]) = arena.get_disjoint_mut([target, scratch]) {
                        W::add_to_self(layer.quantisation, scale, place, words(scratch));
                    }
                } else if let Ok([other, place, scratch]) = arena.get_disjoint_mut([other, target, scratch]) {
                    W::add_assign(layer.quantisation, scale, place, other, words(scratch));
                } else {
                    broken_invariant();
                }
            }
            Op::Depthwise(..) if source.start == target.start && W::OFFERS.contains(Needs::DEPTHWISE) => {
                let Ok([place, scratch]) = arena.get_disjoint_mut([source, scratch]) else {
                    return broken_invariant();
                };
                W::depthwise_in_place(layer, place, words(scratch));
            }
            Op::Convolution(..) | Op::Depthwise(..) | Op::AveragePool { .. } | Op::Add { .. } => {
                let Ok([input, output, scratch]) = arena.get_disjoint_mut([source, target, scratch]) else {
                    return broken_invariant();
                };
                let scratch = words(scratch);
                match layer.op {
                    Op::Convolution(..) if W::OFFERS.contains(Needs::CONVOLUTION) => {
                        W::convolution(layer, input, output, scratch);
                    }
                    Op::Depthwise(..) if W::OFFERS.contains(Needs::DEPTHWISE) => {
                        W::depthwise(layer, input, output, scratch);
                    }
                    Op::AveragePool { .. } if W::OFFERS.contains(Needs::AVERAGE_POOL) => {
                        W::average_pool(layer, input, output, scratch);
                    }
                    // Kinds that the kernels do not offer, which `load` refuses, and those that are dealt with above.
                    Op::Convolution(..)
                    | Op::Depthwise(..)
                    | Op::AveragePool { .. }
                    | Op::Add { .. }
                    | Op::Classifier(_) => broken_invariant(),
                }
            }
        }
    }
}

/// Scratch as the kernels see it; it begins at a multiple of 4, unless it is empty.
fn words(scratch: &mut [i8]) -> &mut [u32] {
    bytemuck::try_cast_slice_mut(scratch).unwrap_or(&mut [])
}

/// Copies `source` to `target`, which is as long and may overlap it. Without a panic, which a slice's own method has.
fn copy_within(arena: &mut [i8], source: Range<usize>, target: Range<usize>) {
    let forwards = target.start < source.start;
    let mut move_one = |(from, to): (usize, usize)| {
        let value = arena.get(from).copied().unwrap_or(0);
        if let Some(place) = arena.get_mut(to) {
            *place = value;
        }
    };
    let pairs = source.zip(target);
    if forwards { pairs.for_each(&mut move_one) } else { pairs.rev().for_each(&mut move_one) }
}

/// Index of the largest logit, the first of equals.
#[must_use]
pub fn argmax(logits: &[i32]) -> usize {
    let mut best = (0, i32::MIN);
    for (class, &logit) in logits.iter().enumerate() {
        if logit > best.1 {
            best = (class, logit);
        }
    }
    best.0
}
