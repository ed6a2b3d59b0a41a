//! The paper's claims, each set against what a study found. What is compared with what is said in `rows.toml`; the verdict
//! follows from the figures alone: a claim *holds* if it does for every repetition, it *does not hold* if for none, and is
//! *not decidable here* if the repetitions disagree or a figure is missing.

use super::Study;
use super::front::{Corner, Front};
use super::report::Searched;
use super::row::finished;
use super::rows::{Final, Row};
use anyhow::Result;
use serde::Deserialize;
use std::fmt::Write;

/// A claim, as `rows.toml` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claim {
    /// What the paper says.
    text: String,
    /// Where it says so.
    source: String,
    /// What decides.
    measure: Measure,
    /// Rows of the side that is said to be better: `ROW`, or `ROW/final-qaft` for networks fine-tuned afterwards.
    ours: Vec<String>,
    /// The row of the other side; of no use to [`Measure::LowBits`].
    #[serde(default)]
    theirs: String,
    /// What the figure is held against.
    threshold: f64,
}

/// A figure of one row, or of two.
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
pub(super) fn write(page: &mut String, study: &Study<'_>, studies: &[Searched]) -> Result<()> {
    if study.rows.claims.is_empty() {
        return Ok(());
    }
    page.push_str(
        "\n## The paper's claims\n\n\
         A claim holds if it does in every repetition, does not if in none, and is not decidable here if they disagree or a figure\n\
         is missing. Figures are those of the rows in their order; a row has one seed.\n\n\
         | claim | where | measured as | rows | against | asked | found | verdict |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for claim in &study.rows.claims {
        let figures = claim.figures(study, studies)?;
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
    /// For each of our rows its figure; `None` while there is none.
    fn figures(&self, study: &Study<'_>, studies: &[Searched]) -> Result<Vec<Option<f64>>> {
        self.ours.iter().map(|ours| self.figure(study, studies, ours)).collect()
    }

    fn figure(&self, study: &Study<'_>, studies: &[Searched], ours: &str) -> Result<Option<f64>> {
        let searched = |name: &str| studies.iter().find(|searched| searched.name == name);
        let fronts = || Ok::<_, anyhow::Error>(front(study, ours)?.zip(front(study, &self.theirs)?));
        Ok(match self.measure {
            // What no network reaches counts as missed, not as missing.
            Measure::Size => {
                fronts()?.map(|(ours, theirs)| ours.size_ratio(&theirs).unwrap_or(f64::INFINITY))
            }
            Measure::Accuracy => fronts()?.and_then(|(ours, theirs)| ours.gain(&theirs)),
            Measure::Hypervolume => {
                let corner = study.rows.corner();
                fronts()?.map(|(ours, theirs)| ours.hypervolume(corner) - theirs.hypervolume(corner))
            }
            Measure::Images => searched(ours).zip(searched(&self.theirs)).map(|(ours, theirs)| {
                let images =
                    ours.images_to(theirs.hypervolume()).map_or(f64::INFINITY, |images| images as f64);
                images / theirs.trained_images as f64
            }),
            Measure::LowBits => searched(ours).and_then(Searched::below_8_bits),
        })
    }
}

/// The front of the finished networks of `ROW` or `ROW/final-qaft`.
fn front(study: &Study<'_>, name: &str) -> Result<Option<Front>> {
    let (name, variant) =
        name.split_once('/').map_or((name, Final::Mode.name()), |(name, variant)| (name, variant));
    let row: &Row = study.rows.named(name)?;
    let Some(&variant) = row.finals.iter().find(|candidate| candidate.name() == variant) else {
        anyhow::bail!("rows.toml: a claim names {name}/{variant}, which the row does not finish");
    };
    Ok(Front::of(&finished(study, row, variant)?))
}

impl super::rows::Rows {
    /// The corner of the finished networks' hypervolumes: the searches' accuracy of reference, and the largest size that
    /// rows are limited to.
    fn corner(&self) -> Corner {
        Corner { accuracy: self.protocol.reference_accuracy / 100.0, bytes: self.corner_bytes }
    }
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
