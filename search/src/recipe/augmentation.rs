//! Random changes of training images.

use serde::{Deserialize, Serialize};

/// Changes of a training image that keep its class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Black pixels added on each side before a random crop back to the image's size; 0: no shift.
    pub crop_padding: usize,
    /// Whether half of the images are mirrored left to right.
    pub flip: bool,
}

impl Augmentation {
    /// Whether images stay as they are.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}
