//! Training: from a network of the IR and images to a candidate that can be packed.
//!
//! Data flow: float training -> batch-norm folding -> calibration and post-training quantisation -> QAFT -> lowering
//! (in the export crate) -> integer-exact evaluation. `trial` is the whole of it; `descent` the loop of both trainings.
//! What is computed for one network is behind the trait in `backend`: `host` on the processor, `torch` elsewhere.
//!
//! Random numbers come from [`crate::stream`] alone, never from libtorch's global generator, so trainings on several
//! threads of one process do not disturb each other.

mod backend;
mod calibrate;
mod count;
mod descent;
pub mod device;
mod error;
mod exact;
mod fake;
mod finishing;
mod float;
mod fold;
#[cfg(test)]
mod gpu_tests;
mod host;
mod images;
mod keep;
mod loss;
mod measure;
mod monitor;
mod net;
mod objective;
mod optimiser;
mod order;
mod parallel;
mod parameters;
mod qaft;
mod quantise;
mod select;
mod speed;
mod statistics;
mod torch;
mod trial;

pub use error::TrainError;
pub use finishing::{FinishError, Finisher, correct_by_class};
pub use images::DeviceImages;
pub use measure::{FloatNetworks, Measurer, Observer};
pub use monitor::{Phase, Progress, Signal};
pub use speed::Speed;
pub use trial::{Data, Judge, Run, Scored, TrainedFloat, Training};
