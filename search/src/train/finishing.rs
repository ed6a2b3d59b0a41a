//! A network of a study trained to the end: taken from an earlier call, or trained and held against the device's own arithmetic.
//!
//! Guarantees: what is saved has the promised size, and the packed model classifies in the integer runtime, class by class, as
//! many test images correctly as was measured; else nothing is written.

use std::path::Path;

use bomp_export::candidate::{Candidate, CandidateError, Provenance};
use bomp_export::data::Images;
use bomp_export::evaluate::{self, EvaluateError};
use bomp_export::lower::lower;
use bomp_export::write;
use bomp_runtime::Model;
use thiserror::Error;

use super::trial::{Data, Run, Training};
use super::{Progress, Signal, TrainError};
use crate::recipe::QuantisationMethod;
use crate::study::{StudyConfig, Trial};

/// How networks of a study are finished.
#[derive(Clone, Debug)]
pub struct Finisher<'a> {
    /// The study.
    pub config: &'a StudyConfig,
    /// What follows the float training.
    pub quantisation: QuantisationMethod,
    /// Images to train on, with a teacher's logits if there is one, and the test images.
    pub images: Data<'a>,
    /// The test images once more, for the integer runtime.
    pub test: &'a Images,
    /// Threads to use.
    pub threads: usize,
    /// What is known of every network beforehand.
    pub provenance: Provenance,
}

/// Why a network was not finished.
#[derive(Debug, Error)]
pub enum FinishError {
    /// The training of this trial ended without a network.
    #[error("trial {0}: {1}")]
    Training(u64, TrainError),
    /// The network of this trial is not what was promised.
    #[error("trial {0}: {1}")]
    Promise(u64, String),
    /// It cannot be saved.
    #[error(transparent)]
    Save(#[from] CandidateError),
}

impl Finisher<'_> {
    /// The finished network of a trial, which is in `folder` then.
    ///
    /// # Errors
    /// See [`FinishError`].
    pub fn finish(
        &self,
        trial: &Trial,
        folder: &Path,
        progress: &mut dyn FnMut(Progress) -> Signal,
    ) -> Result<Candidate, FinishError> {
        let provenance = Provenance { trial: trial.number, ..self.provenance.clone() };
        if let Some(candidate) = done_before(folder, &provenance) {
            return Ok(candidate);
        }
        let network = self.config.space.network(&trial.genotype);
        let run = Run { seed: self.config.seed, trial: trial.number, threads: self.threads };
        let training = Training { data: self.images, config: &self.config.final_training, run };
        let candidate = training
            .finish(&network, self.quantisation, provenance, progress)
            .map_err(|error| FinishError::Training(trial.number, error))?;
        self.confirm(&candidate, trial).map_err(|problem| FinishError::Promise(trial.number, problem))?;
        candidate.save(folder)?;
        Ok(candidate)
    }

    /// Says what is not as it was promised.
    fn confirm(&self, candidate: &Candidate, trial: &Trial) -> Result<(), String> {
        let lowered = lower(candidate).map_err(|error| error.to_string())?;
        let blob = write::blob(&lowered).map_err(|error| error.to_string())?;
        if blob.len() != trial.usage.bytes {
            return Err("the packed size is not the predicted one".into());
        }
        let model = Model::new(&blob).map_err(|error| format!("its model is refused: {error}"))?;
        let counted = correct_by_class(&model, self.test, self.threads).map_err(|error| error.to_string())?;
        let measured = &candidate.provenance;
        if counted != measured.class_correct || counted.iter().sum::<usize>() != measured.integer_correct {
            return Err(format!(
                "the runtime classifies {counted:?} test images of each class correctly, training measured {:?}",
                measured.class_correct
            ));
        }
        Ok(())
    }
}

/// Images of each class that a packed model classifies correctly in the integer runtime.
///
/// # Errors
/// See [`EvaluateError`].
pub fn correct_by_class(
    model: &Model<'_>,
    images: &Images,
    threads: usize,
) -> Result<Vec<usize>, EvaluateError> {
    let logits = evaluate::logits(model, images, threads, &|_| ())?;
    let mut counts = vec![0; model.classes()];
    for (class, &label) in evaluate::predictions(&logits, model.classes()).into_iter().zip(&images.labels) {
        counts[usize::from(label)] += usize::from(class == usize::from(label));
    }
    Ok(counts)
}

/// The network that an earlier call finished for the same trial of the same study with the same teacher.
fn done_before(folder: &Path, wanted: &Provenance) -> Option<Candidate> {
    let candidate = Candidate::load(folder).ok()?;
    let made = |provenance: &Provenance| {
        let Provenance { config_sha256, quantisation, trial, teacher_sha256, .. } = provenance.clone();
        (config_sha256, quantisation, trial, teacher_sha256)
    };
    (made(&candidate.provenance) == made(wanted)).then_some(candidate)
}
