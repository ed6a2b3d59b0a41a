//! The training loop: gradients of the shards of a batch on several threads, one optimiser step for all of them.
//!
//! A batch is cut into a fixed number of shards, each computed by one thread with libtorch's own threads off, and the
//! gradients are added in the order of the shards. So the weights depend on the number of shards, never on the number of
//! threads, and two threads are as fast as two trainers: the layers of these networks are too small to share out inside.
//! Nothing is copied between host and device in the loop but a loss now and then.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::Scope;

use tch::Tensor;

use super::backend::Gradient;
use super::error::{TrainError, guard};
use super::images::DeviceImages;
use super::monitor::{Monitor, Phase, Progress};
use super::objective::{Objective, STAGES};
use super::optimiser::AdamW;
use super::order::{Batch, Order};
use super::parameters::Start;
use crate::recipe::Schedule;

/// Steps between two looks at the loss.
const LOOK_EVERY: usize = 32;

/// Looks at the parameters halfway and says whether to go on.
pub(super) type HalfwayLook<'a> = dyn FnMut(&Tensor) -> Result<bool, TrainError> + 'a;

/// One training: what does not depend on what is minimised.
pub(super) struct Descent<'a> {
    pub(super) images: &'a DeviceImages,
    pub(super) schedule: &'a Schedule,
    pub(super) phase: Phase,
    pub(super) threads: usize,
    /// Parts of a batch; batch norm uses the statistics of one part.
    pub(super) shards: usize,
}

impl Descent<'_> {
    /// Minimises `objective` from `start` over the images that `order` picks, and returns the final parameters. After half
    /// of the steps `halfway` may end it.
    pub(super) fn run(
        &self,
        objective: &mut dyn Objective,
        start: &Start,
        mut order: Order,
        monitor: &mut Monitor<'_>,
        mut halfway: Option<&mut HalfwayLook<'_>>,
    ) -> Result<Tensor, TrainError> {
        let Self { images, schedule, phase, .. } = *self;
        let (batch, steps) = schedule.steps(images.len());
        let shards = self.shards.clamp(1, batch);
        let mut optimiser = AdamW::new(start, schedule.weight_decay);
        std::thread::scope(|scope| {
            let helpers: Vec<Helper> = (1..self.threads.min(shards))
                .map(|_| Helper::spawn(scope, objective.replicate(), images.share()))
                .collect();
            for step in 0..steps {
                let stages = |steps_done: usize| steps_done * STAGES / steps;
                if stages(step + 1) > stages(step)
                    && let progress = (step + 1) as f64 / steps as f64
                    && let Some(frozen) = objective.freeze(optimiser.parameters(), progress)
                {
                    optimiser.freeze(&frozen);
                }
                let (loss, gradient) = batch_gradient(
                    objective,
                    images,
                    &optimiser,
                    &order.next(batch).shards(shards),
                    &helpers,
                )?;
                optimiser.step(&gradient, schedule.rate(step, steps));
                monitor.trained_images += batch as u64;
                if (step + 1) % LOOK_EVERY == 0 || step + 1 == steps {
                    let (images, of) = (batch as u64 * (step as u64 + 1), batch as u64 * steps as u64);
                    monitor.report(Progress { phase, images, of, loss: loss.double_value(&[]) })?;
                }
                if step + 1 == steps / 2
                    && let Some(look) = &mut halfway
                    && !look(optimiser.parameters())?
                {
                    return Err(TrainError::Hopeless { trained_images: monitor.trained_images });
                }
            }
            let parameters = optimiser.parameters().copy();
            if parameters.isfinite().all().int64_value(&[]) == 0 {
                let images = batch as u64 * steps as u64;
                let what = "a weight is infinite or not a number".into();
                return Err(TrainError::Diverged { phase, images, what });
            }
            Ok(parameters)
        })
    }
}

/// Mean loss and mean gradient of the shards. Thread t of T computes the shards t, t + T, ...
fn batch_gradient(
    objective: &mut dyn Objective,
    images: &DeviceImages,
    optimiser: &AdamW,
    shards: &[Batch],
    helpers: &[Helper],
) -> Result<(Tensor, Tensor), TrainError> {
    let threads = helpers.len() + 1;
    for (index, shard) in shards.iter().enumerate() {
        if let Some(helper) = (index % threads).checked_sub(1).and_then(|helper| helpers.get(helper)) {
            helper.send(optimiser.parameters().shallow_clone(), shard.share());
        }
    }
    let own: Vec<_> = shards
        .iter()
        .step_by(threads)
        .map(|shard| gradient(objective, images, optimiser.parameters(), shard))
        .collect::<Result<_, _>>()?;
    let mut own = own.into_iter();
    let mut total: Option<(Tensor, Tensor)> = None;
    for (index, shard) in shards.iter().enumerate() {
        let (loss, gradient) = match (index % threads).checked_sub(1) {
            None => own.next().expect("each own shard has a gradient"),
            Some(helper) => helpers[helper].receive()?,
        };
        // The last shards may be smaller by one image.
        let weight = shard.len() as f64 / shards.iter().map(Batch::len).sum::<usize>() as f64;
        let (loss, gradient) = (loss * weight, gradient * weight);
        total = Some(match total {
            None => (loss, gradient),
            Some((losses, gradients)) => (losses + loss, gradients + gradient),
        });
    }
    Ok(total.expect("a batch has at least one shard"))
}

/// Loss and gradient of one shard.
fn gradient(
    objective: &mut dyn Objective,
    images: &DeviceImages,
    parameters: &Tensor,
    shard: &Batch,
) -> Gradient {
    objective.gradient(parameters, &shard.pick(images))
}

/// A thread that computes gradients until it is dropped.
struct Helper {
    tasks: Sender<(Tensor, Batch)>,
    gradients: Receiver<Gradient>,
}

impl Helper {
    fn spawn<'scope>(
        scope: &'scope Scope<'scope, '_>,
        mut objective: Box<dyn Objective>,
        images: DeviceImages,
    ) -> Self {
        let (tasks, inbox) = channel::<(Tensor, Batch)>();
        let (outbox, gradients) = channel();
        scope.spawn(move || {
            tch::set_num_threads(1);
            for (parameters, shard) in inbox {
                let result = guard(|| gradient(&mut *objective, &images, &parameters, &shard));
                if outbox.send(result).is_err() {
                    return;
                }
            }
        });
        Self { tasks, gradients }
    }

    fn send(&self, parameters: Tensor, shard: Batch) {
        // A helper that has ended is noticed when its gradient is asked for.
        let _ = self.tasks.send((parameters, shard));
    }

    fn receive(&self) -> Gradient {
        self.gradients.recv().unwrap_or_else(|_| Err(TrainError::Torch("a training thread has ended".into())))
    }
}
