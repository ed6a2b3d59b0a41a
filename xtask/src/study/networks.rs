//! The tables of the finished networks of each row.

use super::Study;
use super::row::{Record, finished};
use super::rows::Final;
use anyhow::Result;
use std::fmt::Write;

/// All finished networks, row by row.
pub(super) fn write(page: &mut String, study: &Study<'_>) -> Result<()> {
    if study.rows.final_networks == 0 {
        return Ok(());
    }
    page.push_str("\n## Finished networks\n");
    for row in &study.rows.rows {
        for &variant in &row.finals {
            let mut records = finished(study, row, variant)?;
            if records.is_empty() {
                continue;
            }
            records.sort_by_key(|record| record.size_bytes);
            let folder = study.folder_of(row, variant);
            write!(
                page,
                "\n### {}: {}{}\n\n| trial | bytes | accuracy | float | RAM [B] | MACs [M] | instructions on M4 [M] | trained images [M] |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
                row.name,
                row.question,
                if variant == Final::Qaft && row.finals.len() > 1 { ", fine-tuned afterwards" } else { "" }
            )?;
            for record in &records {
                line(page, &folder, record)?;
            }
        }
    }
    Ok(())
}

fn line(page: &mut String, folder: &str, record: &Record) -> Result<()> {
    let [low, high] = record.interval95;
    writeln!(
        page,
        "| [{trial}]({folder}/trial-{trial:04}.bomp) | {} | {:.2} % ({:.2} to {:.2}) | {:.2} % | {} | {:.3} | {:.2} | {:.2} |",
        record.size_bytes,
        100.0 * record.accuracy(),
        100.0 * low,
        100.0 * high,
        100.0 * record.float_correct as f64 / record.test_images as f64,
        record.ram_bytes,
        record.macs as f64 / 1e6,
        record.m4_instructions as f64 / 1e6,
        record.trained_images as f64 / 1e6,
        trial = record.trial,
    )?;
    Ok(())
}
