//! The paper's claims, each set against what a study found. What is compared with what is said in `study.toml`; the verdict
//! follows from the figures alone: a claim *holds* if it does for every repetition, it *does not hold* if for none, and is
//! *not decidable here* if the repetitions disagree or a figure is missing.

use std::fmt::Write;

use anyhow::{Context, Result};
use bomp_search::bo::pareto::{Front, Reference};
use bomp_search::front::objectives;
use bomp_search::quantity::Percent;
use bomp_search::report::data::StudyReport;
use serde::Deserialize;

use crate::compare;
use crate::record::Record;
use crate::searches::{below_8_bits, hypervolume, images_to};
use crate::study::{Final, Study};

/// A claim, as `study.toml` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    /// What the paper says.
    text: String,
    /// Where it says so.
    source: String,
    /// What decides.
    measure: Measure,
    /// Experiments of the side that is said to be better: `NAME`, or `NAME/final-qaft` for networks fine-tuned afterwards.
    ours: Vec<String>,
    /// The experiment of the other side; of no use to [`Measure::LowBits`].
    #[serde(default)]
    theirs: String,
    /// What the figure is held against.
    threshold: f64,
}

/// A figure of one experiment, or of two.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Measure {
    /// Finished networks: bytes over theirs at no less accuracy (at most the threshold).
    Size,
    /// Finished networks: accuracy less theirs at no more bytes (at least the threshold).
    Accuracy,
    /// Finished networks: hypervolume less theirs (above the threshold).
    Hypervolume,
    /// Searches: part of their trained images after which their hypervolume was reached (at most the threshold).
    Images,
    /// Searches: part of the networks of the front that have a layer below 8 bits (at least the threshold).
    LowBits,
}

impl Measure {
    fn holds(self, figure: f64, threshold: f64) -> bool {
        match self {
            Self::Size | Self::Images => figure <= threshold,
            Self::Accuracy | Self::LowBits => figure >= threshold,
            Self::Hypervolume => figure > threshold,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Size => "bytes over theirs at no less accuracy",
            Self::Accuracy => "accuracy less theirs at no more bytes",
            Self::Hypervolume => "hypervolume of the finished less theirs",
            Self::Images => "trained images to their hypervolume over theirs",
            Self::LowBits => "part of the front with a layer below 8 bits",
        }
    }

    fn threshold(self, threshold: f64) -> String {
        let value = self.show(threshold);
        match self {
            Self::Size | Self::Images => format!("at most {value}"),
            Self::Accuracy | Self::LowBits => format!("at least {value}"),
            Self::Hypervolume => format!("above {value}"),
        }
    }

    fn show(self, figure: f64) -> String {
        match self {
            _ if figure.is_infinite() => "never".into(),
            Self::Size => format!("{figure:.2}"),
            Self::Accuracy => format!("{:+.2} points", 100.0 * figure),
            Self::Hypervolume => format!("{figure:+.4}"),
            Self::Images | Self::LowBits => format!("{:.0} %", 100.0 * figure),
        }
    }
}

/// Writes the claims and their verdicts.
pub(crate) fn write(page: &mut String, study: &Study, searches: &[StudyReport]) -> Result<()> {
    if study.definition.claims.is_empty() {
        return Ok(());
    }
    page.push_str(
        "\n## The paper's claims\n\n\
         A claim holds if it does in every repetition, does not if in none, and is not decidable here if they disagree or a figure\n\
         is missing. Figures are those of the experiments in their order; an experiment has one seed.\n\n\
         | claim | where | measured as | experiments | against | target | found | verdict |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for claim in &study.definition.claims {
        let figures = claim.figures(study, searches)?;
        let shown: Vec<String> = figures
            .iter()
            .map(|figure| figure.map_or_else(|| "missing".into(), |figure| claim.measure.show(figure)))
            .collect();
        writeln!(
            page,
            "| {} | {} | {} | {} | {} | {} | {} | **{}** |",
            claim.text,
            claim.source,
            claim.measure.name(),
            claim.ours.join(", "),
            claim.theirs,
            claim.measure.threshold(claim.threshold),
            shown.join(", "),
            verdict(claim.measure, claim.threshold, &figures)
        )?;
    }
    Ok(())
}

fn verdict(measure: Measure, threshold: f64, figures: &[Option<f64>]) -> &'static str {
    let held: Vec<bool> = figures.iter().flatten().map(|&figure| measure.holds(figure, threshold)).collect();
    match (
        held.len() == figures.len() && !held.is_empty(),
        held.iter().all(|&holds| holds),
        held.contains(&true),
    ) {
        (true, true, _) => "holds",
        (true, _, false) => "does not hold",
        _ => "not decidable here",
    }
}

impl Claim {
    /// For each of our experiments its figure; `None` while there is none.
    fn figures(&self, study: &Study, searches: &[StudyReport]) -> Result<Vec<Option<f64>>> {
        self.ours.iter().map(|ours| self.figure(study, searches, ours)).collect()
    }

    fn figure(&self, study: &Study, searches: &[StudyReport], ours: &str) -> Result<Option<f64>> {
        let search = |name: &str| searches.iter().find(|search| search.name == name);
        let (ours_searched, theirs_searched) = (search(ours), search(&self.theirs));
        let both = |front: &dyn Fn(&[Record]) -> Option<Front>| {
            let of = |name: &str| Ok::<_, anyhow::Error>(front(&finished(study, name)?));
            Ok::<_, anyhow::Error>(of(ours)?.zip(of(&self.theirs)?))
        };
        Ok(match self.measure {
            // What no network reaches counts as missed, not as missing.
            Measure::Size => both(&compare::whole)?
                .map(|(ours, theirs)| compare::size_ratio(&ours, &theirs).unwrap_or(f64::INFINITY)),
            Measure::Accuracy => {
                both(&compare::whole)?.and_then(|(ours, theirs)| compare::gain(&ours, &theirs))
            }
            Measure::Hypervolume => {
                let corner = corner(study)?;
                both(&|records| compare::front(records, corner))?
                    .map(|(ours, theirs)| ours.hypervolume() - theirs.hypervolume())
            }
            Measure::Images => ours_searched.zip(theirs_searched).map(|(ours, theirs)| {
                let images =
                    images_to(ours, hypervolume(theirs)).map_or(f64::INFINITY, |images| images as f64);
                images / theirs.trained_images as f64
            }),
            Measure::LowBits => ours_searched.and_then(below_8_bits),
        })
    }
}

/// The finished networks of `NAME` or `NAME/final-qaft`.
fn finished(study: &Study, name: &str) -> Result<Vec<Record>> {
    let (name, variant) = name.split_once('/').unwrap_or((name, Final::Mode.name()));
    let experiment = study.named(name)?;
    let Some(&variant) = experiment.finals.iter().find(|candidate| candidate.name() == variant) else {
        anyhow::bail!("study.toml: a claim names {name}/{variant}, which the experiment does not finish");
    };
    study.records(experiment, variant)
}

/// The corner of the finished networks' hypervolumes: the searches' accuracy of reference, and the largest size that
/// experiments are limited to.
fn corner(study: &Study) -> Result<Reference> {
    let accuracy = study.protocol.reference_accuracy.map(Percent::get);
    let accuracy = accuracy.context("preset.toml: claims need a reference_accuracy")?;
    let corner = objectives(accuracy / 100.0, study.definition.corner_bytes);
    Ok(Reference { value: corner.value, cost: corner.cost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_all_repetitions_to_agree() {
        let of = |figures: &[Option<f64>]| verdict(Measure::Images, 0.25, figures);
        assert_eq!(of(&[Some(0.2), Some(0.25), Some(0.1)]), "holds");
        assert_eq!(of(&[Some(0.2), Some(0.3), Some(0.1)]), "not decidable here");
        assert_eq!(of(&[Some(0.26), Some(f64::INFINITY)]), "does not hold");
        assert_eq!(of(&[Some(0.2), None]), "not decidable here");
        assert_eq!(of(&[]), "not decidable here");
        assert_eq!(verdict(Measure::Hypervolume, 0.0, &[Some(0.0)]), "does not hold");
        assert_eq!(verdict(Measure::Accuracy, 0.01, &[Some(0.012)]), "holds");
    }
}
