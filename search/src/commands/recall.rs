//! The recall of each class of the test images: counted in the integer runtime, image for image what the device does.

use std::cmp::Ordering;

use anyhow::{Result, anyhow};
use bomp_export::candidate::Candidate;
use bomp_export::{lower, write};
use bomp_runtime::Model;
use bomp_search::data::StudyData;
use bomp_search::train::correct_by_class;
use serde::Serialize;

/// Classes of which the terminal shows the recall.
const SHOWN: usize = 20;

/// Test images of a class and those of them that the packed network classifies correctly.
#[derive(Debug, Serialize)]
pub(super) struct ClassRecall {
    /// Name of the class.
    pub(super) class: String,
    pub(super) images: usize,
    pub(super) correct: usize,
    /// `correct` out of `images`, 0 to 1; `null` without images.
    pub(super) recall: Option<f64>,
}

/// Of each class in the order of the logits. What an earlier version finished without counting classes is counted now.
pub(super) fn of(candidate: &Candidate, loaded: &StudyData, threads: usize) -> Result<Vec<ClassRecall>> {
    let names = &loaded.dataset.class_names;
    let mut counts = candidate.provenance.class_correct.clone();
    if counts.len() != names.len() {
        let blob = write::blob(&lower::lower(candidate)?)?;
        let model = Model::new(&blob).map_err(|error| anyhow!("{error}"))?;
        counts = correct_by_class(&model, &loaded.dataset.test, threads)?;
    }
    let images = loaded.dataset.test.class_counts(names.len());
    let classes = names.iter().zip(images).zip(counts).map(|((name, images), correct)| ClassRecall {
        class: name.clone(),
        images,
        correct,
        recall: (images > 0).then(|| correct as f64 / images as f64),
    });
    Ok(classes.collect())
}

/// The recall of each class in one line, or the lowest where there are many.
pub(super) fn line(recall: &[ClassRecall]) -> String {
    let mut known: Vec<&ClassRecall> = recall.iter().filter(|class| class.recall.is_some()).collect();
    let all = known.len() <= SHOWN;
    if !all {
        known.sort_by(|a, b| a.recall.partial_cmp(&b.recall).unwrap_or(Ordering::Equal));
        known.truncate(SHOWN);
    }
    let each = |class: &&ClassRecall| {
        format!("{} {:.1} % of {}", class.class, 100.0 * class.recall.unwrap_or_default(), class.images)
    };
    let classes: Vec<String> = known.iter().map(each).collect();
    let which = if all { "recall" } else { "lowest recall" };
    format!("{which}: {}", classes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_classes_are_shortened_to_the_lowest_and_absent_ones_left_out() {
        let class = |number: usize, images: usize, correct: usize| ClassRecall {
            class: format!("c{number}"),
            images,
            correct,
            recall: (images > 0).then(|| correct as f64 / images as f64),
        };
        let few = [class(0, 394, 394), class(1, 6, 0), class(2, 0, 0)];
        assert_eq!(line(&few), "recall: c0 100.0 % of 394, c1 0.0 % of 6");
        let many: Vec<ClassRecall> = (0..30).map(|number| class(number, 100, 100 - number)).collect();
        let line = line(&many);
        assert!(line.starts_with("lowest recall: c29 71.0 % of 100, c28 "), "{line}");
        assert_eq!(line.matches("% of").count(), SHOWN);
    }
}
