//! How many images of each class are classified correctly.

use tch::{Kind, Tensor};

use super::backend::Logits;
use super::error::TrainError;
use super::images::DeviceImages;
use super::net::Net;
use super::parallel::map_chunks;
use super::select;

/// Those of `images` that `net` with `values` classifies correctly, of each class.
pub(super) fn correct_of(
    net: &Net,
    values: &Tensor,
    images: &DeviceImages,
    threads: usize,
) -> Result<Vec<usize>, TrainError> {
    correct(images, threads, || {
        let (mut backend, values) = (select::backend(net, values.device()), values.shallow_clone());
        Box::new(move |images: &DeviceImages| backend.logits(&values, images))
    })
}

/// Those of `images` that are classified correctly by logits, of each class. `make` makes the logits for each thread.
pub(super) fn correct(
    images: &DeviceImages,
    threads: usize,
    make: impl Fn() -> Logits,
) -> Result<Vec<usize>, TrainError> {
    let counts = map_chunks(images, threads, || {
        let mut logits = make();
        move |images: DeviceImages| right(&logits(&images), &images.labels)
    })?;
    let classes = counts.first().map_or(0, Vec::len);
    Ok((0..classes).map(|class| counts.iter().map(|part| part[class]).sum()).collect())
}

/// Rows of each class of `logits` [N, CLASSES] whose largest value, the first of equals, is at the label. A row with what is
/// not a number is wrong.
fn right(logits: &Tensor, labels: &Tensor) -> Vec<usize> {
    // argmax leaves open which of equal values it names.
    let largest = logits.amax([1i64].as_slice(), true);
    let classes = logits.size()[1];
    let candidates = Tensor::arange(classes, (Kind::Int64, logits.device()));
    let first =
        candidates.where_self(&logits.eq_tensor(&largest), &Tensor::from(classes).to_device(logits.device()));
    let first = first.amin([1i64].as_slice(), false);
    let right = labels.masked_select(&first.eq_tensor(labels));
    let counts = Vec::<i64>::try_from(right.bincount(None::<&Tensor>, classes)).expect("counts are integers");
    counts.into_iter().map(|count| count as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_counts_and_what_is_not_a_number_is_wrong() {
        let nan = f32::NAN;
        let logits = [[2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [0.0, 1.0, 3.0], [0.0, nan, 3.0], [nan, nan, nan]];
        let logits = Tensor::from_slice2(&logits);
        assert_eq!(right(&logits, &Tensor::from_slice(&[0i64, 1, 2, 2, 0])), [1, 0, 1]);
    }
}
