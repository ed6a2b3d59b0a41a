//! The page: one HTML file with everything in it, readable without scripts, network and colour sight.

mod data;
mod style;
mod tables;

use std::fmt::Write;

use bomp_export::text::markup;

use super::data::{Report, StudyReport};
use super::plots::{self, Plot};

/// The page of `report`; it loads itself again after `refresh` seconds, if that is given.
#[must_use]
pub fn page(report: &Report, refresh: Option<u32>) -> String {
    let names: Vec<&str> = report.studies.iter().map(|study| study.name.as_str()).collect();
    let title = markup(&format!("BOMP-NAS: {}", names.join(", ")));
    let refresh = refresh
        .map_or_else(String::new, |seconds| format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
    let live = if refresh.is_empty() {
        ""
    } else {
        "<p class=\"live\">The search is running: this page loads itself again.</p>\n"
    };
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n{refresh}\
         <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{live}",
        style::STYLE
    );
    page.push_str(&tables::overview(report));
    figures(&mut page, &plots::common(report));
    for study in &report.studies {
        section(&mut page, report, study);
    }
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn section(page: &mut String, report: &Report, study: &StudyReport) {
    let _ = write!(page, "<section>\n<h2>{}</h2>\n", markup(&study.name));
    page.push_str(&data::data(study));
    for remark in &study.remarks {
        let _ = writeln!(page, "<p class=\"live\">{}.</p>", markup(remark));
    }
    figures(page, &plots::of_study(report, study));
    page.push_str(&tables::front(study));
    page.push_str(&tables::finished(study));
    page.push_str(&tables::trials(study));
    page.push_str(&tables::configuration(study));
    page.push_str("</section>\n");
}

fn figures(page: &mut String, plots: &[Plot]) {
    for plot in plots {
        let _ = write!(
            page,
            "<figure>\n<div class=\"plot\">\n{}</div>\n<figcaption>{}</figcaption>\n</figure>\n",
            plot.canvas.inline(&plot.title),
            markup(&plot.caption)
        );
    }
}
