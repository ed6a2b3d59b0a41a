//! Attacks on the loader: blobs crafted from golden models with named alterations, each with the error that it must give, and
//! damage of every kind to whole models.
//!
//! The crafted ones are made by code, so that they follow the golden models and say what they alter; none is a file.

mod crafted;
mod damage;
mod mutants;
mod target;

pub use crafted::{Attack, Refusal, attacks};
pub use damage::{Damage, damage};
pub use mutants::{Mutants, Outcome};
pub use target::{Alterable, Golden};
