//! The tables of finished networks: those of each row, and those that a row was to find.

use super::Study;
use super::row::{Record, finished};
use super::rows::Final;
use anyhow::Result;
use std::fmt::Write;

/// Rows that were asked for a network: what was asked, and what came of it.
pub(super) fn targets(page: &mut String, study: &Study<'_>) -> Result<()> {
    let mut rows = study.rows.rows.iter().filter_map(|row| Some((row, row.target?))).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    page.push_str(
        "\n## What was asked, and what was found\n\n\
         The most accurate finished network of at most so many bytes, whichever row found it.\n\n\
         | at most [B] | asked | found | bytes | RAM [B] | MACs [M] | instructions on M4 [M] | model |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    let mut all: Vec<(String, Record)> = Vec::new();
    for row in &study.rows.rows {
        for &variant in &row.finals {
            let folder = study.folder_of(row, variant);
            all.extend(finished(study, row, variant)?.into_iter().map(|record| (folder.clone(), record)));
        }
    }
    for (_, target) in rows {
        let small = all.iter().filter(|(_, record)| record.size_bytes <= target.bytes);
        let Some((folder, best)) = small.max_by_key(|(_, record)| record.integer_correct) else {
            writeln!(page, "| {} | {:.2} % | none yet | | | | | |", target.bytes, 100.0 * target.accuracy)?;
            continue;
        };
        let points = 100.0 * (best.accuracy() - target.accuracy);
        writeln!(
            page,
            "| {} | {:.2} % | **{:.2} %** ({points:+.2} points) | {} | {} | {:.3} | {:.2} | [trial {}]({folder}/trial-{:04}.bomp) |",
            target.bytes,
            100.0 * target.accuracy,
            100.0 * best.accuracy(),
            best.size_bytes,
            best.ram_bytes,
            best.macs as f64 / 1e6,
            best.m4_instructions as f64 / 1e6,
            best.trial,
            best.trial,
        )?;
    }
    Ok(())
}

/// All finished networks, row by row.
pub(super) fn write(page: &mut String, study: &Study<'_>) -> Result<()> {
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
