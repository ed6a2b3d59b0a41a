//! What a study's figures mean where they are bad, and what to do about it, in words.

use super::SurrogateSummary;
use crate::bo::preference::Preference;
use crate::study::{StudyConfig, Trial};

/// Standard deviations of the count of correct answers that a network has to be above a constant answer, to be better than it
/// by more than luck. Many networks were counted, so it is more than the usual two.
const CLEARLY: f64 = 3.0;
/// Predictions from which a surrogate is judged.
const LEAST_PREDICTIONS: usize = 10;
/// The part of the variance of the accuracies below which a surrogate explains hardly anything. With 40 trials it finds up to a
/// quarter in mere luck, and more than nine tenths where size and work decide.
const HARDLY_ANYTHING: f64 = 0.3;

/// What is to be said of the accuracies in `trials`: that no network counts, or that none is better than a constant answer.
#[must_use]
pub fn of_accuracies(config: &StudyConfig, trials: &[Trial]) -> Option<String> {
    let measured = || trials.iter().filter_map(Trial::measured);
    let best = measured().max_by(|a, b| a.accuracy().total_cmp(&b.accuracy()))?;
    let (accuracy, least) = (best.accuracy(), config.least_accuracy());
    if let Some(share) = config.constant_answer() {
        let deviation = (share * (1.0 - share) / best.images.max(1) as f64).sqrt();
        if accuracy <= share + CLEARLY * deviation {
            return Some(format!(
                "no network is clearly better than a constant answer: the best has {}, always answering the same class gets {} of \
                 the {} validation images. Train longer (--epochs), try another --learning-rate, and check the labels of the \
                 data",
                percent(accuracy),
                percent(share),
                best.images
            ));
        }
    }
    if accuracy > least {
        return None;
    }
    let steps = Preference::High.steps(config.constant_answer().unwrap_or(0.0), accuracy);
    let lower = steps.last().map_or(0.0, |&(from, _)| (100.0 * from.min(accuracy)).floor());
    Some(format!(
        "hypervolume 0: no network is above the reference accuracy of {}, the best has {}, so the search has nothing to go by. Start \
         a new study with --reference-accuracy {lower}, or train longer (--epochs)",
        percent(least),
        percent(accuracy)
    ))
}

/// What is to be said of a surrogate that predicts accuracies hardly better than their mean does.
#[must_use]
pub fn of_surrogate(summary: &SurrogateSummary) -> Option<String> {
    (summary.predictions.len() >= LEAST_PREDICTIONS && summary.explained < HARDLY_ANYTHING).then(|| {
        format!(
            "the surrogate explains hardly anything: predicting each of {} trials from the others, it explains {:.0} % of the variance of their \
             accuracies, so proposals are hardly better than random ones. Longer training (--epochs) and more validation images \
             (--validation) make accuracies less a matter of luck; more trials (resume --trials) tell it more",
            summary.predictions.len(),
            100.0 * summary.explained.max(0.0)
        )
    })
}

fn percent(accuracy: f64) -> String {
    format!("{:.2} %", 100.0 * accuracy)
}
