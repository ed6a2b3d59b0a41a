//! Integer inference of packed mixed-precision networks on microcontrollers and on the host.
//!
//! Guarantees: no `std`, no allocation, no floating point, no `unsafe` but the assembly in `kernels/dsp/machine`.
//! Untrusted bytes never panic: [`Model::new`] accepts a blob only when every offset, shape, width and arena placement in it
//! is proven valid and no accumulator can overflow whatever the weights are; after that [`Model::run`] can neither panic,
//! read out of bounds nor loop for ever.
//!
//! This crate is the one truth for two facts: the packed format ([`blob`], documented byte by byte in `FORMAT.md`) and the
//! arithmetic ([`quant`] and [`kernels::Reference`]). Everything else in the project is compared with it.
#![no_std]
#![deny(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

#[cfg(test)]
extern crate std;

pub mod arena;
pub mod blob;
pub mod engine;
pub mod error;
mod input;
pub mod kernels;
pub mod layer;
pub mod plan;
pub mod quant;
mod records;
#[cfg(feature = "signed")]
pub mod signed;

pub use arena::Arena;
pub use engine::Model;
pub use error::{ModelError, RunError};
