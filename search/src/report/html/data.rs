//! What a study was trained on: counts, repeated images, warnings.

use std::fmt::Write;

use bomp_export::text::markup;

use super::super::data::StudyReport;
use super::tables::{Column, table};

/// The summary of the data, if the study has one: studies of earlier versions do not.
pub(super) fn data(study: &StudyReport) -> String {
    let Some(summary) = &study.config.data.summary else { return String::new() };
    let mut html = String::from("<h3>Data</h3>\n<ul>\n");
    for line in summary.to_string().lines() {
        let _ = match line.strip_prefix("warning: ") {
            Some(warning) => writeln!(html, "<li><strong>Warning:</strong> {}</li>", markup(warning)),
            None => writeln!(html, "<li>{}</li>", markup(line)),
        };
    }
    html.push_str("</ul>\n");
    let columns = [
        Column::Text("class"),
        Column::Number("training"),
        Column::Number("validation"),
        Column::Number("test"),
    ];
    let rows = summary.classes.iter().map(|class| {
        let counts = [class.training, class.validation, class.test].map(|count| count.to_string());
        ("", [vec![class.name.clone()], counts.to_vec()].concat())
    });
    let table = table(&columns, rows);
    let _ = write!(html, "<details>\n<summary>Images of each class</summary>\n{table}</details>\n");
    html
}
