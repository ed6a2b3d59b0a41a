//! How trials look in the terminal: one line each, the same in every command.

use bomp_export::text;
use bomp_search::report::data::Counts;
use bomp_search::study::{Objective, Trial, TrialState};

/// The heading over [`line`]s of a study with this objective.
pub(crate) fn heading(objective: Objective) -> String {
    let accuracy = match objective {
        Objective::Accuracy => "accuracy",
        Objective::BalancedAccuracy => "balanced",
    };
    format!("trial   {accuracy}    float   size [B]    RAM [B]   MACs [M]   seconds")
}

/// How many trials have finished, of how many: of those that were asked for at first, or of those that there are if a later
/// command asked for more.
pub(crate) fn finished(counts: &Counts, trials: u64) -> String {
    let Counts { asked, finished, .. } = *counts;
    if trials > asked {
        format!("{finished} of {trials} trials finished ({asked} were asked for at first)")
    } else {
        format!("{finished} of {asked} trials finished")
    }
}

/// A trial in one line; accuracies are the study's objective on the validation images, in percent.
pub(crate) fn line(trial: &Trial) -> String {
    let usage =
        format!("{:>10} {:>10} {:>10.3}", trial.usage.bytes, trial.usage.ram, trial.usage.macs as f64 / 1e6);
    let number = trial.number;
    match &trial.state {
        TrialState::Running => {
            let worker = trial.worker.as_deref().unwrap_or("nobody: interrupted");
            format!("{number:>5}    running        - {usage}         -  by {}", text::line(worker))
        }
        TrialState::Failed { reason } => {
            format!("{number:>5}     failed        - {usage}         -  {}", text::line(reason))
        }
        TrialState::GivenUp(given_up) => format!(
            "{number:>5}   given up        - {usage}  {:>8.1}  {:.2}% halfway: at most {:.2}% in the end, the front has {:.2}%",
            given_up.seconds,
            100.0 * given_up.halfway.accuracy(),
            100.0 * given_up.bound,
            100.0 * given_up.level
        ),
        TrialState::Finished(measured) => format!(
            "{number:>5}    {:>6.2}%  {:>6.2}% {usage}  {:>8.1}",
            100.0 * measured.accuracy(),
            100.0 * measured.float_accuracy(),
            measured.seconds
        ),
    }
}
