//! What can go wrong between a model file and a verdict. Each message is one line with the remedy.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use bomp_export::board::UnknownBoard;
use bomp_export::data::{DataError, ModelDataError};
use bomp_export::evaluate::EvaluateError;

/// Why there is no verdict.
#[derive(Debug, Error)]
pub enum SimError {
    /// A name that no board has.
    #[error(transparent)]
    UnknownBoard(#[from] UnknownBoard),
    /// A file or folder could not be read, written or made.
    #[error("{path}: {cause}")]
    File {
        /// The file or folder.
        path: PathBuf,
        /// The operating system's reason.
        cause: io::Error,
    },
    /// The runtime refuses the model.
    #[error("{path}: {problem}")]
    Model {
        /// The model's file.
        path: PathBuf,
        /// What it is instead, or what the runtime says, and the remedy.
        problem: String,
    },
    /// The model's file cannot be read.
    #[error("{0}")]
    Unreadable(String),
    /// The images cannot be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The data are not what the model was made for.
    #[error(transparent)]
    ModelData(#[from] ModelDataError),
    /// The images are not what the model takes.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// The device protocol sends pixels, which only one quantisation of the input makes elements of.
    #[error(
        "{path}: its input is not pixel - 128, and the data are pixels, which is what the device protocol sends less 128; name data \
         of real numbers with `--data`, an .npz of float32"
    )]
    InputQuantisation {
        /// The model's file.
        path: PathBuf,
    },
    /// The labels are not the model's classes.
    #[error(
        "{data}: {classes} classes, but the model tells {model} apart; name the data that it was made for with `--data`"
    )]
    Classes {
        /// Name of the data.
        data: String,
        /// Classes of the data.
        classes: usize,
        /// Classes of the model.
        model: usize,
    },
    /// The model does not fit the board.
    #[error("the model does not fit {board}: {by} bytes too many for its {memory} of {length} bytes{note}")]
    TooLarge {
        /// The board.
        board: &'static str,
        /// `flash` or `RAM`.
        memory: &'static str,
        /// Size of the memory in bytes.
        length: u32,
        /// Bytes too many.
        by: u64,
        /// What is not counted in `by`, with a leading separator, or nothing.
        note: &'static str,
    },
    /// Nothing on this machine compiles for the board.
    #[error(
        "no Rust toolchain for {target} on this machine ({why}): run `cargo xtask setup`, or `rustup target add {target}`"
    )]
    NoToolchain {
        /// Rust's target.
        target: &'static str,
        /// What was looked for and not found.
        why: String,
    },
    /// A program is not there or cannot be started.
    #[error("{program} cannot be started ({cause}): run `cargo xtask setup`")]
    Program {
        /// The program.
        program: String,
        /// The operating system's reason.
        cause: io::Error,
    },
    /// The firmware did not build.
    #[error("the firmware cannot be built for {board}:\n{output}")]
    Build {
        /// The board.
        board: &'static str,
        /// What the compiler said.
        output: String,
    },
    /// The linked image is not what it must be.
    #[error("{path}: {problem}; this is a defect of the firmware, please report it")]
    Elf {
        /// The image.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The firmware ended with an error.
    #[error("the firmware on {board} gave up with exit code {code}: {message}")]
    Device {
        /// The board.
        board: &'static str,
        /// Exit code of the emulator.
        code: String,
        /// What the firmware or the emulator said.
        message: String,
    },
    /// What the firmware wrote is not what was agreed on.
    #[error("{path}: {problem}; the folder is kept with `--keep`")]
    Report {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// No image was finished for too long.
    #[error(
        "the firmware on {board} finished no image in {seconds} s after {done} images; a larger `--timeout` waits longer"
    )]
    Stalled {
        /// The board.
        board: &'static str,
        /// How long was waited.
        seconds: u64,
        /// Images that were finished.
        done: usize,
    },
    /// The caller asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

impl SimError {
    /// Whether what was asked for is wrong, rather than the machine or the firmware.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::UnknownBoard(_)
                | Self::File { .. }
                | Self::Model { .. }
                | Self::Unreadable(_)
                | Self::Data(_)
                | Self::ModelData(_)
                | Self::Evaluate(_)
                | Self::InputQuantisation { .. }
                | Self::Classes { .. }
                | Self::TooLarge { .. }
        )
    }
}
