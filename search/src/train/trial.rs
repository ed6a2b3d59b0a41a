//! A network from start to end: float training, folding, calibration, quantisation, QAFT, integer-exact accuracy.
//!
//! [`Training::train_float`] and then [`Training::score`] are a trial of the search, in two steps because several policies of
//! bit widths can share a float network; [`Training::finish`] trains a chosen network for good and counts test images, once.
//! All are the same pipeline with other schedules. A failure is an error of this one network.

use std::time::Instant;

use bomp_export::candidate::{Candidate, Provenance};
use bomp_export::ir::{Bits, Layer, Network};
use bomp_export::lower::lower;
use tch::Tensor;

use super::descent::{Descent, HalfwayLook};
use super::error::{TrainError, guard};
use super::exact::ExactNet;
use super::float::initialise;
use super::fold::{Folded, fold};
use super::images::DeviceImages;
use super::loss::Loss;
use super::monitor::{Monitor, Phase, Progress, Signal};
use super::objective::{FloatObjective, Objective, QaftObjective};
use super::order::Order;
use super::parameters::Start;
use super::qaft::QaftNet;
use super::quantise::{Quantised, quantise};
use crate::recipe::{QuantisationMethod, Schedule, TrainConfig};
use crate::stream::stream;
use crate::study::{Halfway, balanced_accuracy};

/// Images of the validation part that a look at a half-trained network counts, at most.
const HALFWAY_IMAGES: usize = 2_000;

/// What identifies a training: its random numbers depend on seed and trial alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Seed of the study.
    pub seed: u64,
    /// Number of the trial.
    pub trial: u64,
    /// Threads to use; they change the time it takes and nothing else.
    pub threads: usize,
}

/// The images of a training and those that it is judged by.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Images to train on.
    pub train: &'a DeviceImages,
    /// Images to count: they influence nothing.
    pub held_out: &'a DeviceImages,
}

/// Whether a half-trained network is worth going on with.
pub type Judge<'a> = dyn FnMut(Halfway) -> bool + 'a;

/// A trained float network, batch norms folded: what several policies of bit widths can share.
#[derive(Debug)]
pub struct TrainedFloat {
    pub(super) folded: Folded,
    /// Held-out images that it classifies correctly.
    pub correct: usize,
    /// The same of each class, `[CLASSES]`.
    pub class_correct: Vec<usize>,
    /// Held-out images.
    pub images: usize,
    /// What was seen halfway, if somebody looked.
    pub halfway: Option<Halfway>,
    /// Images trained on.
    pub trained_images: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// What a policy of bit widths measured.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// Held-out images that the device would classify correctly.
    pub correct: usize,
    /// The same of each class, `[CLASSES]`.
    pub class_correct: Vec<usize>,
    /// Images trained on for this, the float network's not included.
    pub trained_images: u64,
    /// Wall-clock seconds.
    pub seconds: f64,
}

/// How the networks of one study are trained: everything but the network.
#[derive(Clone, Copy, Debug)]
pub struct Training<'a> {
    /// The images.
    pub data: Data<'a>,
    /// The recipe.
    pub config: &'a TrainConfig,
    /// Where random numbers come from, and how many threads there are.
    pub run: Run,
}

impl Training<'_> {
    /// Trains the float network of `network`. With a `judge`, the training is given up halfway where it says so.
    ///
    /// # Errors
    /// [`TrainError::Stopped`] when `progress` says so, [`TrainError::Hopeless`] when `judge` does; anything else is a failed
    /// trial.
    pub fn train_float(
        &self,
        network: &Network,
        judge: Option<&mut Judge<'_>>,
        progress: &mut dyn FnMut(Progress) -> Signal,
    ) -> Result<TrainedFloat, TrainError> {
        let started = Instant::now();
        let mut pipeline = Pipeline::new(*self, progress);
        let (folded, halfway, class_correct) = alone(|| {
            pipeline.check(network)?;
            let (folded, halfway) = pipeline.float(network, judge)?;
            let correct = folded.correct(self.data.held_out, self.run.threads)?;
            Ok((folded, halfway, correct))
        })?;
        Ok(TrainedFloat {
            folded,
            correct: class_correct.iter().sum(),
            class_correct,
            images: self.data.held_out.len(),
            halfway,
            trained_images: pipeline.monitor.trained_images,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Scores the bit widths of `network`, whose float network is `float`.
    ///
    /// # Errors
    /// As [`Self::train_float`].
    pub fn score(
        &self,
        network: &Network,
        float: &TrainedFloat,
        quantisation: QuantisationMethod,
        progress: &mut dyn FnMut(Progress) -> Signal,
    ) -> Result<Scored, TrainError> {
        let started = Instant::now();
        let mut pipeline = Pipeline::new(*self, progress);
        let class_correct = alone(|| {
            if quantisation == QuantisationMethod::None {
                return Ok(float.class_correct.clone());
            }
            let folded = float.folded.with_policy(network);
            let quantised = pipeline.quantise(&folded, quantisation)?;
            pipeline.score(&quantised, self.data.held_out)
        })?;
        Ok(Scored {
            correct: class_correct.iter().sum(),
            class_correct,
            trained_images: pipeline.monitor.trained_images,
            seconds: started.elapsed().as_secs_f64(),
        })
    }

    /// Trains `network` for good and counts the held-out images, which are those of the test, once. `provenance` says what is
    /// known beforehand; figures are added to it.
    ///
    /// # Errors
    /// As [`Self::train_float`], and where no device could run the network.
    pub fn finish(
        &self,
        network: &Network,
        quantisation: QuantisationMethod,
        provenance: Provenance,
        progress: &mut dyn FnMut(Progress) -> Signal,
    ) -> Result<Candidate, TrainError> {
        let held_out = self.data.held_out;
        let mut pipeline = Pipeline::new(*self, progress);
        let (candidate, float_correct, class_correct) = alone(|| {
            network.validate()?;
            pipeline.check(network)?;
            let (folded, _) = pipeline.float(network, None)?;
            let float_correct = folded.correct(held_out, self.run.threads)?;
            let quantised = pipeline.quantise(&folded, quantisation)?;
            let candidate = pipeline.candidate(&quantised)?;
            let class_correct = pipeline.correct(&candidate, held_out)?;
            Ok((candidate, float_correct, class_correct))
        })?;
        let provenance = Provenance {
            test_images: held_out.len(),
            float_correct: float_correct.iter().sum(),
            integer_correct: class_correct.iter().sum(),
            class_images: held_out.class_counts(network.classes()),
            class_correct,
            trained_images: pipeline.monitor.trained_images,
            ..provenance
        };
        Ok(Candidate { provenance, ..candidate })
    }
}

/// Runs `work` with libtorch's own threads off, as [`super::descent`] divides the work itself, and its panics caught.
pub(super) fn alone<T>(work: impl FnOnce() -> Result<T, TrainError>) -> Result<T, TrainError> {
    let before = tch::get_num_threads();
    tch::set_num_threads(1);
    let result = guard(work);
    tch::set_num_threads(before);
    result
}

/// The steps of a training, and how far it is.
pub(super) struct Pipeline<'a> {
    training: Training<'a>,
    pub(super) monitor: Monitor<'a>,
}

impl<'a> Pipeline<'a> {
    pub(super) fn new(training: Training<'a>, progress: &'a mut dyn FnMut(Progress) -> Signal) -> Self {
        Self { training, monitor: Monitor::new(progress) }
    }

    pub(super) fn check(&self, network: &Network) -> Result<(), TrainError> {
        network.validate_shapes()?;
        self.training.config.check()?;
        self.training.data.train.check(network)?;
        self.training.data.held_out.check(network)?;
        if self.training.data.held_out.input != self.training.data.train.input {
            return Err(TrainError::Data("its parts are quantised differently".into()));
        }
        Ok(())
    }

    pub(super) fn loss(&self, schedule: &Schedule, network: &Network) -> Loss {
        let TrainConfig { distillation, class_weights, .. } = *self.training.config;
        let class_weights = class_weights.of(&self.training.data.train.class_counts(network.classes()));
        Loss {
            label_smoothing: schedule.label_smoothing,
            distillation,
            class_weights: class_weights.map(Into::into),
        }
    }

    /// Trains the float network from scratch and folds its batch norms.
    fn float(
        &mut self,
        network: &Network,
        judge: Option<&mut Judge<'_>>,
    ) -> Result<(Folded, Option<Halfway>), TrainError> {
        let Data { train, held_out } = self.training.data;
        let (schedule, threads) = (&self.training.config.float, self.training.run.threads);
        let mut random = stream(self.training.run.seed, self.training.run.trial, "initial weights");
        let (net, start) = initialise(network, train.device(), &mut random);
        let mut objective = FloatObjective::new(net.clone(), self.loss(schedule, network), train.device());
        let mut halfway = None;
        let parameters = match judge {
            None => self.descend(&mut objective, &start, (schedule, Phase::Float), None)?,
            Some(judge) => {
                let sample = held_out.spread(HALFWAY_IMAGES);
                let mut look = |parameters: &Tensor| {
                    let correct = fold(&net, parameters, train, threads)?.correct(&sample, threads)?;
                    let images = sample.class_counts(correct.len());
                    let counts = correct.iter().zip(&images).map(|(&c, &n)| (c as u64, n as u64));
                    let seen = Halfway {
                        correct: correct.iter().sum::<usize>() as u64,
                        images: sample.len() as u64,
                        balanced_accuracy: Some(balanced_accuracy(counts)),
                    };
                    halfway = Some(seen);
                    Ok(judge(seen))
                };
                self.descend(&mut objective, &start, (schedule, Phase::Float), Some(&mut look))?
            }
        };
        Ok((fold(&net, &parameters, train, threads)?, halfway))
    }

    /// Quantises a folded network to the bit widths of its layers, and fine-tunes it if that is asked for.
    fn quantise(
        &mut self,
        folded: &Folded,
        quantisation: QuantisationMethod,
    ) -> Result<Quantised, TrainError> {
        let schedule = &self.training.config.qaft;
        let quantised = quantise(folded, self.training.data.train)?;
        if quantisation != QuantisationMethod::Qaft {
            return Ok(quantised);
        }
        let (net, start) = QaftNet::new(&quantised, folded);
        let mut objective =
            QaftObjective::new(net, self.loss(schedule, &folded.network), self.training.data.train.device());
        let parameters = self.descend(&mut objective, &start, (schedule, Phase::Qaft), None)?;
        objective.net.finish(&parameters, &quantised, self.training.data.train, self.training.run.threads)
    }

    /// The candidate to lower and pack, for inputs in the units of the data.
    fn candidate(&self, quantised: &Quantised) -> Result<Candidate, TrainError> {
        quantised.candidate().with_input_scale(self.training.data.train.input.scale).ok_or_else(|| {
            let problem = "are features, and the network's input goes into a layer without weights: use a space whose \
                           first layer is a convolution";
            TrainError::Data(problem.into())
        })
    }

    /// Those of `images` that `quantised` classifies correctly, of each class: as the device would, where there is an integer
    /// form to be exact about.
    pub(super) fn score(
        &self,
        quantised: &Quantised,
        images: &DeviceImages,
    ) -> Result<Vec<usize>, TrainError> {
        let wide = |layer: &Layer| layer.op.bits() == Some(Bits::WIDE);
        if quantised.network.layers.iter().any(wide) {
            return quantised.correct(images, self.training.run.threads);
        }
        self.correct(&self.candidate(quantised)?, images)
    }

    /// Those of `images` that the device classifies correctly, of each class.
    fn correct(&self, candidate: &Candidate, images: &DeviceImages) -> Result<Vec<usize>, TrainError> {
        ExactNet::new(&lower(candidate)?).correct(images, self.training.run.threads)
    }

    pub(super) fn descend(
        &mut self,
        objective: &mut dyn Objective,
        start: &Start,
        (schedule, phase): (&Schedule, Phase),
        halfway: Option<&mut HalfwayLook<'_>>,
    ) -> Result<Tensor, TrainError> {
        let Self { training: Training { data: Data { train: images, .. }, config, run }, monitor } = self;
        let purpose = match phase {
            Phase::Float => "float",
            Phase::Qaft => "qaft",
        };
        let random = stream(run.seed, run.trial, purpose);
        let order = Order::new(images.len(), images.device(), config.augmentation, random);
        let descent = Descent { images, schedule, phase, threads: run.threads, shards: config.shards };
        descent.run(objective, start, order, monitor, halfway)
    }
}
