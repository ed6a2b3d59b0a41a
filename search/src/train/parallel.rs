//! The same work on chunks of images, on several threads: evaluation, calibration and the statistics of batch norms.

use tch::no_grad;

use super::error::{TrainError, guard};
use super::images::DeviceImages;

/// Images that go through a network at once outside training.
pub(super) const CHUNK: usize = 128;

/// Applies a function to consecutive chunks of at most [`CHUNK`] images and returns the results in order, whatever the
/// number of threads. `make` makes the function once for each thread; it runs without gradients.
pub(super) fn map_chunks<T, F>(
    images: &DeviceImages,
    threads: usize,
    make: impl Fn() -> F,
) -> Result<Vec<T>, TrainError>
where
    T: Send,
    F: FnMut(DeviceImages) -> T + Send,
{
    let starts: Vec<usize> = (0..images.len()).step_by(CHUNK).collect();
    let threads = threads.clamp(1, starts.len());
    let run = |mut work: F, images: DeviceImages, thread: usize| {
        guard(|| {
            no_grad(|| {
                let own = starts.iter().skip(thread).step_by(threads);
                Ok(own.map(|&start| work(images.range(start, (start + CHUNK).min(images.len())))).collect())
            })
        })
    };
    let parts: Vec<Result<Vec<T>, TrainError>> = std::thread::scope(|scope| {
        let helpers: Vec<_> = (1..threads)
            .map(|thread| {
                let (work, images, run) = (make(), images.share(), &run);
                scope.spawn(move || {
                    tch::set_num_threads(1);
                    run(work, images, thread)
                })
            })
            .collect();
        let own = run(make(), images.share(), 0);
        let lost = || Err(TrainError::Torch("an evaluation thread has ended".into()));
        let others = helpers.into_iter().map(|helper| helper.join().unwrap_or_else(|_| lost()));
        std::iter::once(own).chain(others).collect()
    });
    let mut parts: Vec<_> =
        parts.into_iter().map(|part| part.map(Vec::into_iter)).collect::<Result<_, _>>()?;
    let in_order = (0..starts.len()).map(|index| parts[index % threads].next());
    Ok(in_order.map(|result| result.expect("every chunk has a result")).collect())
}
