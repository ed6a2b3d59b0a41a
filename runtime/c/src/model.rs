//! `bomp_model`: a checked model in storage that belongs to C.
//!
//! The storage holds a [`Model`] and a guard over its words, so that a structure that was never filled, or was altered, is
//! told from one that was: it is refused, not followed.

use core::ffi::c_void;

use bomp_runtime::Model;

use crate::buffers::Buffer;
use crate::status::BompStatus;

/// Words of a [`BompModel`]; the last one is the guard. (The structure has the number itself, for cbindgen.)
const WORDS: usize = 12;
/// What the guard starts from: no run of equal words has it.
const GUARD: usize = 0x424F_4D50;

/// What the words hold.
#[derive(Clone, Copy)]
pub(crate) struct Checked {
    pub(crate) model: Model<'static>,
    /// The bytes that the model views.
    pub(crate) blob: &'static [u8],
}

const _: () = assert!(size_of::<Checked>() <= (WORDS - 1) * size_of::<usize>());
const _: () = assert!(align_of::<Checked>() <= align_of::<BompModel>());

/// A checked model: filled by `bomp_model_check`, read by everything else. Its words are nobody else's business; it may be
/// copied, and needs no release. It refers to the model's bytes, which must stay where they are, unchanged.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BompModel {
    words: [*const c_void; 12],
}

impl BompModel {
    /// A structure with `checked` in it.
    pub(crate) fn new(checked: Checked) -> Self {
        let mut this = Self { words: [core::ptr::null(); WORDS] };
        // SAFETY: the words are large enough and aligned for it (asserted above), and belong to `this`.
        unsafe { this.words.as_mut_ptr().cast::<Checked>().write(checked) };
        let guard = this.guard();
        if let Some(last) = this.words.last_mut() {
            *last = core::ptr::without_provenance(guard);
        }
        this
    }

    /// What [`Self::new`] wrote, if it wrote these words.
    fn get(&self) -> Result<Checked, BompStatus> {
        if self.words.last().map(|word| word.addr()) != Some(self.guard()) {
            return Err(BompStatus::NotChecked);
        }
        // SAFETY: the guard matches, so the words are those that `new` wrote: a valid `Checked`, whose bytes the caller of
        // `bomp_model_check` promised to leave in place.
        Ok(unsafe { self.words.as_ptr().cast::<Checked>().read() })
    }

    /// The model behind a pointer from C.
    ///
    /// # Safety
    /// `model` is null, misaligned, or points to a `BompModel`'s worth of readable, initialised memory.
    pub(crate) unsafe fn read(model: *const Self) -> Result<Checked, BompStatus> {
        Buffer::of(model, 1)?;
        // SAFETY: not null and aligned; readable by the caller's promise. Every bit pattern is a valid pointer value.
        unsafe { *model }.get()
    }

    /// A number that depends on each word but the last (FNV-1a on words).
    fn guard(&self) -> usize {
        let words = self.words.iter().take(WORDS - 1);
        words.fold(GUARD, |hash, word| (hash ^ word.addr()).wrapping_mul(0x0100_0193))
    }
}
