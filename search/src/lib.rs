//! Joint search of network architecture and bit widths by Bayesian optimisation, with QAFT in the loop.
//!
//! Data flow: [`space`] (what can be) -> [`bo`] (what to try next) -> `train` (how good it is, by a [`recipe`]) -> [`study`]
//! (what was found) -> [`report`] (plots and tables); [`session`] is the loop, [`proposal`] its choice, [`front`] what counts. [`ask_tell`] offers
//! [`bo`] to anybody's problem. Without the feature `torch` only what needs no libtorch is built.

pub mod ask_tell;
pub mod bo;
pub mod data;
pub mod estimate;
pub mod forecast;
pub mod front;
pub mod proposal;
pub mod quantity;
pub mod recipe;
pub mod report;
pub mod session;
pub mod space;
pub mod stream;
pub mod study;
pub mod teacher;
#[cfg(feature = "torch")]
pub mod train;
