//! Images that are black to the eye: most often numbers from 0 to 1 became uint8 without a factor of 255.

use super::{Dataset, Images};

/// Pixels up to this value are black to the eye.
pub(super) const DARK: u8 = 15;
/// Dark images matter from one in so many.
const SOME: usize = 1000;

/// One line for each part that has black images, with a remedy.
pub(super) fn warnings(dataset: &Dataset) -> Vec<String> {
    [("training", &dataset.train), ("test", &dataset.test)]
        .into_iter()
        .filter_map(|(part, images)| warning(part, images))
        .collect()
}

fn warning(part: &str, images: &Images) -> Option<String> {
    if !images.are_pixels() {
        return None;
    }
    let all = images.len();
    let black: Vec<(u8, bool)> = (0..all)
        .filter_map(|index| {
            let pixels = images.image(index);
            let highest = pixels.iter().copied().max().filter(|&highest| highest <= DARK)?;
            Some((highest, pixels.iter().all(|&pixel| pixel == highest)))
        })
        .collect();
    // Single images of one value are a fault of another kind.
    let with_constant = black.len() * 2 >= all;
    let counted = || black.iter().filter(|(_, is_constant)| with_constant || !is_constant);
    let (count, high) = (counted().count(), counted().map(|(highest, _)| highest).max().unwrap_or(&0));
    (count > 0 && count * SOME >= all).then(|| {
        format!(
            "{count} of {all} {part} images are black but for values up to {high} of 255; if the originals are not, they were saved with a \
             wrong scale: pixels from 0 to 1 become uint8 by `(x * 255).round().astype(np.uint8)`"
        )
    })
}
