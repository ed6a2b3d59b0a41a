//! The tables of the finished networks of each experiment.

use std::fmt::Write;

use anyhow::Result;

use crate::study::{Final, Study};

/// All finished networks, experiment by experiment.
pub(crate) fn write(page: &mut String, study: &Study) -> Result<()> {
    if study.definition.final_networks == 0 {
        return Ok(());
    }
    page.push_str("\n## Finished networks\n");
    for experiment in &study.definition.experiments {
        for &variant in &experiment.finals {
            let mut records = study.records(experiment, variant)?;
            if records.is_empty() {
                continue;
            }
            records.sort_by_key(|record| record.size_bytes);
            let folder =
                format!("../tests/studies/{}/{}/{}", study.options.preset, experiment.name, variant.name());
            write!(
                page,
                "\n### {}: {}{}\n\n| trial | bytes | accuracy | float | RAM [B] | MACs [M] | instructions on M4 [M] | trained images [M] |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
                experiment.name,
                experiment.question,
                if variant == Final::Qaft && experiment.finals.len() > 1 {
                    ", fine-tuned afterwards"
                } else {
                    ""
                }
            )?;
            for record in &records {
                writeln!(
                    page,
                    "| [{trial}]({folder}/trial-{trial:04}.bomp) | {} | {} | {:.2} % | {} | {:.2} |",
                    record.size_bytes,
                    record.shown(""),
                    100.0 * record.float_correct as f64 / record.test_images as f64,
                    record.costs(),
                    record.trained_images as f64 / 1e6,
                    trial = record.trial,
                )?;
            }
        }
    }
    Ok(())
}
