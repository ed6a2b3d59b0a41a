//! How much a file may ask for: numbers that are made of its constants while it is imported, in proportion to its length.
//!
//! A few bytes can ask for much: an identity for each pair of channels, a group spelled out as a whole convolution, a
//! thousand nodes that read one constant. Each number that is made is taken from the budget before there is memory for it, so
//! that memory and time are bounded together.

use std::cell::Cell;

/// Numbers for a file of any length: a classifier of the identity for 1,448 channels.
const ALWAYS: usize = 1 << 21;
/// Numbers for each byte of the file. An ordinary network takes 5 for each byte of its weights; one whose kernels are all
/// spelled out 30 times larger takes 60.
const PER_BYTE: usize = 64;

/// What is left.
pub(super) struct Budget {
    left: Cell<usize>,
    most: usize,
}

impl Budget {
    /// Of a file of `bytes` bytes.
    pub(super) fn of(bytes: usize) -> Self {
        let most = bytes.saturating_mul(PER_BYTE).saturating_add(ALWAYS);
        Self { left: Cell::new(most), most }
    }

    /// Takes as many numbers as the product of `sizes` says.
    pub(super) fn take(&self, sizes: &[usize]) -> Result<(), String> {
        let count = sizes.iter().try_fold(1usize, |count, &size| count.checked_mul(size));
        match count.and_then(|count| self.left.get().checked_sub(count)) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(format!(
                "with it, the weights of the file take more than {} numbers, which is the most for a file of its length: use \
                 fewer groups and smaller dilations, and let no two layers share weights",
                self.most
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_and_nothing_overflows() {
        let budget = Budget::of(1);
        assert!(budget.take(&[usize::MAX, 2]).is_err());
        assert!(budget.take(&[ALWAYS, 1]).is_ok());
        assert!(budget.take(&[PER_BYTE + 1]).is_err());
        assert!(budget.take(&[PER_BYTE]).is_ok());
        assert!(budget.take(&[1]).unwrap_err().contains("fewer groups"));
        assert!(budget.take(&[usize::MAX, 0]).is_ok());
        assert!(Budget::of(usize::MAX).take(&[1 << 40]).is_ok());
    }
}
