//! The page of results: what a study found, row by row, written from its records and from `bomp-search report --json`. No
//! figure in it is typed by hand.

use super::report::{Report, Searched};
use super::{Study, champions, claims, networks};
use crate::programs::{json, text, write as write_file};
use crate::workspace;
use anyhow::{Context, Result};
use std::fmt::Write;
use std::path::Path;

/// The plots that the page shows, kept beside the study's records.
const PLOTS: [(&str, &str); 5] = [
    ("fronts-finished", "Fronts of the finished networks"),
    ("hypervolume-images", "Hypervolume against trained images, all searches from one corner"),
    ("fronts", "Fronts of the candidates, as the searches saw them"),
    ("study1-scatter", "The first row: every candidate, and the finished networks"),
    ("study1-bits", "The first row: bit widths of the networks of its front"),
];

/// Writes the page that `rows.toml` names, and keeps the page of plots beside the records.
pub(super) fn write(study: &Study<'_>) -> Result<()> {
    // Rows with limits of their own have another corner, from which the others would look alike.
    let some_alike = study.rows.rows.iter().any(|row| row.limits.is_none());
    let shown = study.rows.rows.iter().filter(|row| !some_alike || row.limits.is_none());
    let folders: Vec<_> = shown.map(|row| study.work.join(&row.name)).collect();
    let there: Vec<_> = folders.iter().filter(|folder| folder.join("study.sqlite").is_file()).collect();
    let plots = study.work.join("report");
    let mut arguments = vec!["report", "--json", "--out", text(&plots)?];
    for folder in &there {
        arguments.extend(["--study", text(folder)?]);
    }
    let Report { studies } = json("bomp-search", &arguments)?;
    let name = &study.options.preset;
    let mut page = format!(
        "# {1}\n\n\
         Written by `cargo xtask study --preset {0}`, which repeats it or goes on with it. Protocol and rows:\n\
         [tests/studies/{0}](../tests/studies/{0}). 1 kB = 1000 bytes. Accuracies of finished networks are those of the packed\n\
         model in the integer runtime, on all test images, with the 95 % interval of Wilson; the test images were counted once for\n\
         each, after everything about it was settled. Every network has run on an emulated Cortex-M4 with the host's logits.\n",
        name, study.rows.title
    );
    if !study.rows.note.is_empty() {
        write!(page, "\n{}\n", study.rows.note.trim())?;
    }
    champions::write(&mut page, study)?;
    let kept = format!("tests/studies/{name}/report");
    for (plot, title) in PLOTS {
        if keep(study, &plots, &format!("{plot}.svg"))? {
            write!(page, "\n![{title}](../{kept}/{plot}.svg)\n")?;
        }
    }
    if keep(study, &plots, "report.html")? {
        write!(
            page,
            "\nAll plots, the bit widths of each front among them: [report.html](../{kept}/report.html).\n"
        )?;
    }
    claims::write(&mut page, study, &studies)?;
    searches(&mut page, study, &studies)?;
    networks::write(&mut page, study)?;
    let path = workspace::root()?.join(&study.rows.page);
    write_file(&path, page.as_bytes())?;
    println!("{}\n{}", path.display(), plots.join("report.html").display());
    readme(study)
}

/// Renews the table of the README that belongs to this study, if there is one.
fn readme(study: &Study<'_>) -> Result<()> {
    let Some(champions) = &study.rows.champions else { return Ok(()) };
    let path = workspace::root()?.join("README.md");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let [begin, end] = [
        format!("<!-- cargo xtask study --preset {} -->\n", study.options.preset),
        "<!-- end of the study's table -->\n".to_owned(),
    ];
    let Some((before, rest)) = text.split_once(&begin) else { return Ok(()) };
    let (_, after) = rest.split_once(&end).with_context(|| format!("{}: no {end}", path.display()))?;
    let table = champions::table(study, champions, "")?;
    write_file(&path, format!("{before}{begin}{table}{end}{after}").as_bytes())
}

/// Copies a file of the report to where it is kept, without the place of the databases on this machine; whether there is
/// one.
fn keep(study: &Study<'_>, from: &Path, file: &str) -> Result<bool> {
    let (source, to) = (from.join(file), study.kept.join("report"));
    if !source.is_file() {
        return Ok(false);
    }
    std::fs::create_dir_all(&to).with_context(|| to.display().to_string())?;
    let text = std::fs::read_to_string(&source).with_context(|| source.display().to_string())?;
    write_file(&to.join(file), text.replace(&format!("{}/", study.work.display()), "").as_bytes())?;
    Ok(true)
}

fn searches(page: &mut String, study: &Study<'_>, studies: &[Searched]) -> Result<()> {
    let of = |name: &str| studies.iter().find(|searched| searched.name == name);
    let yardsticks = study.rows.yardsticks.iter().map(|name| (name, of(name))).collect::<Vec<_>>();
    page.push_str("\n## Searches\n\nHypervolume: validation accuracy above the reference times decades of size below the largest, from one corner for all.\n\n");
    page.push_str(
        "| row | question | trials | trained images [M] | hours of one core | front | hypervolume |",
    );
    yardsticks.iter().for_each(|(name, _)| _ = write!(page, " images to `{name}`'s [M] |"));
    page.push_str("\n| --- | --- | --- | --- | --- | --- | --- |");
    yardsticks.iter().for_each(|_| page.push_str(" --- |"));
    page.push('\n');
    for row in &study.rows.rows {
        let Some(searched) = of(&row.name) else { continue };
        write!(
            page,
            "| {} | {} | {} | {:.2} | {:.2} | {} | {:.4} |",
            row.name,
            row.question,
            searched.ended(),
            searched.trained_images as f64 / 1e6,
            searched.seconds / 3600.0,
            searched.front.len(),
            searched.hypervolume()
        )?;
        for (_, yardstick) in &yardsticks {
            let images = yardstick.and_then(|yardstick| {
                let images = searched.images_to(yardstick.hypervolume())? as f64;
                let all = yardstick.trained_images as f64;
                Some(format!("{:.2} ({:.0} %)", images / 1e6, 100.0 * images / all))
            });
            write!(page, " {} |", images.unwrap_or_else(|| "never".into()))?;
        }
        page.push('\n');
    }
    Ok(())
}
