//! From a finished network to what firmware embeds: exact accounting, integer lowering, the packed blob, QDQ ONNX, and
//! validation against other engines.
//!
//! Data flow: [`ir`] -> [`layout`], [`arena`], [`cost`] (before any weight exists); [`candidate`] -> [`lower`] ->
//! [`mod@write`] -> blob.

pub mod arena;
pub mod board;
pub mod c_header;
pub mod candidate;
pub mod command_line;
pub mod cost;
pub mod data;
#[cfg(feature = "engines")]
pub mod engines;
pub mod evaluate;
pub mod files;
pub mod import;
pub mod ir;
pub mod kind;
pub mod layout;
pub mod lower;
pub mod onnx;
pub mod output;
pub mod report;
pub mod sidecar;
pub mod sign;
#[cfg(feature = "testing")]
pub mod testing;
pub mod text;
#[cfg(feature = "engines")]
pub mod validate;
pub mod write;
