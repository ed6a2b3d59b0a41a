//! Exhaustive damage: every single bit flipped, and every truncation, as it is and with length and checksum made right.

use std::ops::Range;

use bomp_runtime::Model;
use bomp_runtime::blob::CHECKSUM_BYTES;

use super::target::{Alterable, Golden};

/// What was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bits flipped, one at a time.
    pub flips: u64,
    /// Truncations.
    pub truncations: u64,
    /// Truncations with length and checksum made right.
    pub sealed_truncations: u64,
    /// How many of all were accepted; must be none.
    pub accepted: u64,
}

/// Damages the bytes `which` of a model: flips their bits, and cuts the file before each.
#[must_use]
pub fn damage(golden: &Golden, which: Range<usize>) -> Damage {
    let mut done = Damage::default();
    let mut blob = golden.blob.clone();
    for at in which {
        for bit in 0..8 {
            blob[at] ^= 1 << bit;
            done.flips += 1;
            done.accepted += u64::from(Model::new(&blob).is_ok());
            blob[at] ^= 1 << bit;
        }
        done.truncations += 1;
        done.accepted += u64::from(Model::new(&blob[..at]).is_ok());
        if at >= CHECKSUM_BYTES && at + 1 < blob.len() {
            done.sealed_truncations += 1;
            let sealed = Alterable::new(&blob[..=at]).sealed();
            done.accepted += u64::from(Model::new(&sealed).is_ok());
        }
    }
    done
}

impl std::ops::AddAssign for Damage {
    fn add_assign(&mut self, other: Self) {
        self.flips += other.flips;
        self.truncations += other.truncations;
        self.sealed_truncations += other.sealed_truncations;
        self.accepted += other.accepted;
    }
}
