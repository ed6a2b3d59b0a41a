//! What can be checked about pointers that C hands over, before any of them is followed.

use crate::status::BompStatus;

/// A range of addresses.
#[derive(Clone, Copy)]
pub(crate) struct Buffer {
    start: usize,
    end: usize,
}

impl Buffer {
    /// The `count` elements from `pointer` on: not null, aligned, and within the address space and Rust's limit of
    /// `isize::MAX` bytes for one object.
    pub(crate) fn of<T>(pointer: *const T, count: usize) -> Result<Self, BompStatus> {
        if pointer.is_null() {
            return Err(BompStatus::NullPointer);
        }
        if !pointer.is_aligned() {
            return Err(BompStatus::Misaligned);
        }
        let start = pointer.addr();
        let bytes = count.checked_mul(size_of::<T>()).filter(|&bytes| isize::try_from(bytes).is_ok());
        match bytes.and_then(|bytes| start.checked_add(bytes)) {
            Some(end) => Ok(Self { start, end }),
            None => Err(BompStatus::AddressRange),
        }
    }

    /// That this buffer shares no byte with any of `others`.
    pub(crate) fn is_apart_from<const N: usize>(self, others: [Self; N]) -> Result<(), BompStatus> {
        let apart = |other: Self| self.end <= other.start || other.end <= self.start;
        if others.into_iter().all(apart) { Ok(()) } else { Err(BompStatus::Overlap) }
    }
}
