//! Trials as CSV (RFC 4180) for spreadsheets and data frames: one line of names, then one for each trial.
//!
//! Guarantees: every trial has every column, empty where it has no such figure; a comma, quote or line end in a text does not
//! break its line.

use bomp_export::text;
use bomp_search::study::{Trial, TrialState};

/// The columns: accuracies in percent of the validation images, sizes in bytes, the genotype as JSON.
const COLUMNS: &str = "trial,state,accuracy_percent,float_accuracy_percent,size_bytes,ram_bytes,macs,seconds,\
                       trained_images,lead,worker,reason,genotype";

/// The trials with the line of names.
pub(crate) fn of(trials: &[Trial]) -> String {
    let lines = trials.iter().map(line);
    std::iter::once(COLUMNS.to_owned()).chain(lines).map(|line| line + "\n").collect()
}

fn line(trial: &Trial) -> String {
    let percent = |part: f64| format!("{:.4}", 100.0 * part);
    let (mut accuracy, mut float, mut seconds, mut why) = Default::default();
    let state = match &trial.state {
        TrialState::Running => "running",
        TrialState::Failed { reason } => {
            why = quoted(&text::line(reason));
            "failed"
        }
        TrialState::GivenUp(given_up) => {
            seconds = given_up.seconds.to_string();
            "given up"
        }
        TrialState::Finished(measured) => {
            accuracy = percent(measured.accuracy());
            float = percent(measured.float_accuracy());
            seconds = measured.seconds.to_string();
            "finished"
        }
    };
    let genotype = serde_json::to_string(&trial.genotype).unwrap_or_default();
    let columns: [String; 13] = [
        trial.number.to_string(),
        state.to_owned(),
        accuracy,
        float,
        trial.usage.bytes.to_string(),
        trial.usage.ram.to_string(),
        trial.usage.macs.to_string(),
        seconds,
        trial.trained_images().to_string(),
        trial.weights_from.map_or_else(String::new, |weights_from| weights_from.to_string()),
        quoted(&text::line(trial.worker.as_deref().unwrap_or_default())),
        why,
        quoted(&genotype),
    ];
    columns.join(",")
}

/// In quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_search::space::{Space, Usage};

    #[test]
    fn every_line_has_every_column() {
        let space = Space::open("micro").unwrap();
        let genotype = space.seed();
        let usage = Usage::of(&space.network(&genotype));
        let trial = |number, state| Trial {
            number,
            genotype: genotype.clone(),
            usage,
            weights_from: Some(0),
            worker: None,
            state,
        };
        let text = of(&[
            trial(0, TrialState::Running),
            trial(1, TrialState::Failed { reason: "a \"quote\", a comma".into() }),
        ]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[0].split(',').count(), 13);
        assert!(lines[1].starts_with(&format!("0,running,,,{},{},", usage.bytes, usage.ram)), "{text}");
        assert!(lines[2].contains(",\"a \"\"quote\"\", a comma\",\"{\"\"stem"), "{text}");
    }
}
