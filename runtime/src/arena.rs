//! RAM for activations and scratch: bytes at an address that is a multiple of 4, as [`crate::Model::run`] needs them.
//!
//! In firmware a `static` of [`Arena`]; where the size is only known at run time, words seen as bytes by [`from_words`].

use core::ops::{Deref, DerefMut};

/// Alignment of the arena's first byte: kernels see scratch as words.
pub const ALIGNMENT: usize = 4;

/// `BYTES` bytes of arena, aligned.
///
/// ```
/// use bomp_runtime::Arena;
/// let mut arena = Arena::<1000>::new();
/// let bytes: &mut [i8] = &mut arena;
/// assert_eq!((bytes.len(), bytes.as_ptr().addr() % 4), (1000, 0));
/// ```
#[repr(C, align(4))]
#[derive(Clone, Debug)]
pub struct Arena<const BYTES: usize>([i8; BYTES]);

impl<const BYTES: usize> Arena<BYTES> {
    /// Zeros; what is in an arena never matters.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; BYTES])
    }
}

impl<const BYTES: usize> Default for Arena<BYTES> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const BYTES: usize> Deref for Arena<BYTES> {
    type Target = [i8];

    fn deref(&self) -> &[i8] {
        &self.0
    }
}

impl<const BYTES: usize> DerefMut for Arena<BYTES> {
    fn deref_mut(&mut self) -> &mut [i8] {
        &mut self.0
    }
}

/// Words of an arena of at least `bytes` bytes.
#[must_use]
pub const fn words(bytes: usize) -> usize {
    bytes.div_ceil(ALIGNMENT)
}

/// The bytes of `words`, for instance of a `vec![0; arena::words(model.arena_size())]`.
#[must_use]
pub fn from_words(words: &mut [u32]) -> &mut [i8] {
    bytemuck::cast_slice_mut(words)
}
