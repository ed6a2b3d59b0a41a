//! RAM for activations and scratch: bytes at an address that is a multiple of 4, as [`crate::Model::run`] needs them.
//!
//! In firmware a `static` of [`Arena`]; where the size is only known at run time, words seen as bytes by [`from_words`].

use core::ops::{Deref, DerefMut};

use crate::blob::{MAGIC, VERSION};

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

/// The arena size that the header of `blob` states, in bytes; `None` for anything but a model of this format version. For
/// constants, see [`crate::arena_size`]: that the rest of the blob is sound, [`crate::Model::new`] says.
#[must_use]
pub const fn stated_size(blob: &[u8]) -> Option<usize> {
    let Some(&[m0, m1, m2, m3, v0, v1, _, _, l0, l1, l2, l3, a0, a1, a2, a3]) = blob.first_chunk() else {
        return None;
    };
    let magic = u32::from_le_bytes([m0, m1, m2, m3]) == u32::from_le_bytes(MAGIC);
    let whole = u32::from_le_bytes([l0, l1, l2, l3]) as usize <= blob.len();
    if magic && u16::from_le_bytes([v0, v1]) == VERSION && whole {
        Some(u32::from_le_bytes([a0, a1, a2, a3]) as usize)
    } else {
        None
    }
}

/// The arena size of a model that is a constant, as a constant; something else than a model does not compile.
///
/// ```
/// # const BLOB: [u8; 16] = *b"BOMP\x01\0\x01\0\x10\0\0\0\xe8\x03\0\0";
/// # macro_rules! include_bytes { ($_:literal) => { &BLOB } }
/// use bomp_runtime::Arena;
/// const MODEL: &[u8] = include_bytes!("model.bomp");
/// static ARENA: Arena<{ bomp_runtime::arena_size!(MODEL) }> = Arena::new();
/// assert_eq!(ARENA.len(), 1000);
/// ```
///
/// ```compile_fail,E0080
/// const MODEL: &[u8] = b"GIF89a, certainly not a model";
/// const BYTES: usize = bomp_runtime::arena_size!(MODEL);
/// # let _ = BYTES;
/// ```
#[macro_export]
macro_rules! arena_size {
    ($model:expr) => {
        const {
            match $crate::arena::stated_size($model) {
                Some(bytes) => bytes,
                None => panic!("not a model of the format version that this runtime reads"),
            }
        }
    };
}

/// An [`Arena`] of a size of your choice for a model that is a constant: one that is too small does not compile.
///
/// ```
/// # const MODEL: &[u8] = b"BOMP\x01\0\x01\0\x10\0\0\0\xe8\x03\0\0";
/// use bomp_runtime::Arena;
/// static ARENA: Arena<1000> = bomp_runtime::arena!(MODEL, 1000);
/// # assert_eq!(ARENA.len(), 1000);
/// ```
///
/// ```compile_fail,E0080
/// # const MODEL: &[u8] = b"BOMP\x01\0\x01\0\x10\0\0\0\xe8\x03\0\0";
/// # use bomp_runtime::Arena;
/// static ARENA: Arena<999> = bomp_runtime::arena!(MODEL, 999);
/// # let _ = &ARENA;
/// ```
#[macro_export]
macro_rules! arena {
    ($model:expr, $bytes:expr) => {{
        const { assert!($bytes >= $crate::arena_size!($model), "the arena is too small for the model") };
        $crate::Arena::<{ $bytes }>::new()
    }};
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
