//! The tables: how far each study is, its front, its finished networks, its trials, its configuration.

use std::fmt::Write;

use bomp_export::text::markup;
use serde_json::Value;

use crate::report::data::{Report, StudyReport, TrialRow};
use crate::study::{Objective, TrialState};

/// How a column is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Text(&'static str),
    Number(&'static str),
}

/// A table of `rows`, each with a class of its own and cells that are text, not markup.
pub(super) fn table(columns: &[Column], rows: impl Iterator<Item = (&'static str, Vec<String>)>) -> String {
    let mut html = String::from("<div class=\"table\">\n<table>\n<thead><tr>");
    for column in columns {
        let _ = match column {
            Column::Text(title) => write!(html, "<th scope=\"col\">{}</th>", markup(title)),
            Column::Number(title) => write!(html, "<th scope=\"col\" class=\"n\">{}</th>", markup(title)),
        };
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (class, cells) in rows {
        let _ = write!(html, "<tr{}>", if class.is_empty() { "" } else { " class=\"front\"" });
        for (column, cell) in columns.iter().zip(cells) {
            let class = if matches!(column, Column::Number(_)) { "n" } else { "wrap" };
            let _ = write!(html, "<td class=\"{class}\">{}</td>", markup(&cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n");
    html
}

/// Whole thousands apart, as in 12 345 678.
fn grouped(figure: u64) -> String {
    let digits = figure.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn percent(accuracy: f64) -> String {
    format!("{:.2}", 100.0 * accuracy)
}

fn optional(figure: Option<f64>, text: impl Fn(f64) -> String) -> String {
    figure.map_or_else(|| "-".to_owned(), text)
}

/// All studies, one in each row.
pub(super) fn overview(report: &Report) -> String {
    let columns = [
        Column::Text("study"),
        Column::Text("mode"),
        Column::Text("strategy"),
        Column::Text("space"),
        Column::Text("data"),
        Column::Number("finished"),
        Column::Number("given up"),
        Column::Number("failed"),
        Column::Number("running"),
        Column::Number("best [%]"),
        Column::Number("hypervolume"),
        Column::Number("images [M]"),
        Column::Number("saved [M]"),
        Column::Number("hours"),
    ];
    let row = |study: &StudyReport| {
        let best = study.front_rows().last().and_then(|row| row.accuracy);
        let word = |value: serde_json::Result<Value>| {
            value.ok().as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let cells = vec![
            study.name.clone(),
            word(serde_json::to_value(study.config.mode)),
            word(serde_json::to_value(study.config.strategy)),
            study.config.space.definition().name.clone(),
            study.config.data.name.clone(),
            // A later command may have asked for more than the first.
            format!("{} of {}", study.counts.finished, study.counts.asked.max(study.trials.len() as u64)),
            study.counts.given_up.to_string(),
            study.counts.failed.to_string(),
            study.counts.running.to_string(),
            optional(best, percent),
            format!("{:.5}", study.hypervolume),
            format!("{:.2}", study.trained_images as f64 / 1e6),
            format!("{:.2}", study.saved_images as f64 / 1e6),
            format!("{:.2}", study.seconds / 3600.0),
        ];
        ("", cells)
    };
    let mut html = table(&columns, report.studies.iter().map(row));
    html.push_str(
        "<p>Accuracies are of held-out training images unless test images are named, sizes of the packed model \
         (1 kB = 1000 B). Images are those trained on, all epochs together; hours are those of the trials added up.</p>\n",
    );
    html
}

fn trial_columns(objective: Objective) -> [Column; 9] {
    [
        Column::Number("trial"),
        Column::Number(match objective {
            Objective::Accuracy => "accuracy [%]",
            Objective::BalancedAccuracy => "balanced accuracy [%]",
        }),
        Column::Number("float [%]"),
        Column::Number("size [B]"),
        Column::Number("RAM [B]"),
        Column::Number("MACs"),
        Column::Number("score"),
        Column::Number("seconds"),
        Column::Text("remark"),
    ]
}

fn trial(row: &TrialRow) -> Vec<String> {
    let usage = row.trial.usage;
    let remark = match &row.trial.state {
        TrialState::Running => "running".to_owned(),
        TrialState::Failed { reason } => format!("failed: {reason}"),
        TrialState::GivenUp(given_up) => format!(
            "given up halfway: {} % at most, the front has {} %",
            percent(given_up.bound),
            percent(given_up.level)
        ),
        TrialState::Finished(_) if row.trial.number == 0 => "seed network".to_owned(),
        TrialState::Finished(_) => row
            .trial
            .weights_from
            .map_or_else(String::new, |weights_from| format!("shares the network of trial {weights_from}")),
    };
    vec![
        row.trial.number.to_string(),
        optional(row.accuracy, percent),
        optional(row.float_accuracy, percent),
        grouped(usage.bytes as u64),
        grouped(usage.ram as u64),
        grouped(usage.macs),
        optional(row.score, |score| format!("{score:.3}")),
        optional(row.trial.measured().map(|m| m.seconds), |seconds| format!("{seconds:.1}")),
        remark,
    ]
}

/// The networks that no other one beats in both accuracy and size.
pub(super) fn front(study: &StudyReport) -> String {
    let table = table(&trial_columns(study.config.objective), study.front_rows().map(|row| ("", trial(row))));
    format!("<h3>Front</h3>\n{table}")
}

/// The networks trained to the end; nothing if there are none.
pub(super) fn finished(study: &StudyReport) -> String {
    let mut html = String::new();
    for problem in &study.finished.problems {
        let _ = writeln!(html, "<p class=\"live\">Left out: {}</p>", markup(problem));
    }
    if study.finished.networks.is_empty() {
        return html;
    }
    let columns = [
        Column::Number("trial"),
        Column::Number("test accuracy [%]"),
        Column::Number("balanced [%]"),
        Column::Number("float [%]"),
        Column::Number("correct"),
        Column::Number("test images"),
        Column::Number("size [B]"),
        Column::Number("images trained on"),
        Column::Text("folder"),
    ];
    let rows = study.finished.networks.iter().map(|network| {
        let float = network.float_correct as f64 / network.test_images.max(1) as f64;
        let cells = vec![
            network.trial.to_string(),
            percent(network.plain_accuracy()),
            optional(network.balanced_accuracy(), percent),
            percent(float),
            grouped(network.integer_correct as u64),
            grouped(network.test_images as u64),
            grouped(network.size_bytes as u64),
            grouped(network.trained_images),
            network.folder.display().to_string(),
        ];
        ("", cells)
    });
    let table = table(&columns, rows);
    let _ = write!(html, "<h3>Finished networks</h3>\n{table}{}", recall(study));
    html
}

/// The recall of each class of each finished network; nothing where classes were not counted.
fn recall(study: &StudyReport) -> String {
    let columns = [
        Column::Number("trial"),
        Column::Text("class"),
        Column::Number("test images"),
        Column::Number("correct"),
        Column::Number("recall [%]"),
    ];
    let networks = study.finished.networks.iter();
    let rows = networks.flat_map(|network| {
        let counts = network.class_images.iter().zip(&network.class_correct).enumerate();
        counts.map(|(class, (&images, &correct))| {
            let name = network.class_names.get(class).cloned();
            let recall = (images > 0).then(|| correct as f64 / images as f64);
            let cells = vec![
                network.trial.to_string(),
                name.unwrap_or_else(|| class.to_string()),
                grouped(images as u64),
                grouped(correct as u64),
                optional(recall, percent),
            ];
            ("", cells)
        })
    });
    let rows: Vec<_> = rows.collect();
    if rows.is_empty() {
        return String::new();
    }
    let table = table(&columns, rows.into_iter());
    format!("<details>\n<summary>Recall of each class</summary>\n{table}</details>\n")
}

/// Every trial; those of the front are marked.
pub(super) fn trials(study: &StudyReport) -> String {
    let rows = study.trials.iter().map(|row| (if row.on_front { "front" } else { "" }, trial(row)));
    let table = table(&trial_columns(study.config.objective), rows);
    format!(
        "<details>\n<summary>All {} trials (the front is tinted)</summary>\n{table}</details>\n",
        study.trials.len()
    )
}

/// Everything that the study's results depend on, one field in each row.
pub(super) fn configuration(study: &StudyReport) -> String {
    let mut fields = vec![("SHA-256".to_owned(), study.config_sha256.clone())];
    match serde_json::to_value(&study.config) {
        Ok(config) => flatten("", &config, &mut fields),
        Err(error) => fields.push(("error".to_owned(), error.to_string())),
    }
    let rows = fields.into_iter().map(|(field, value)| ("", vec![field, value]));
    let table = table(&[Column::Text("field"), Column::Text("value")], rows);
    format!("<details>\n<summary>Configuration</summary>\n{table}</details>\n")
}

/// Adds the leaves below `value` with their paths; a list of plain values is one leaf.
fn flatten(path: &str, value: &Value, fields: &mut Vec<(String, String)>) {
    let join = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(&join(key), value, fields)),
        Value::Array(list) if list.iter().any(|value| value.is_object() || value.is_array()) => {
            list.iter()
                .enumerate()
                .for_each(|(i, value)| flatten(&join(&(i + 1).to_string()), value, fields));
        }
        Value::Array(list) => {
            let texts: Vec<String> = list.iter().map(leaf).collect();
            fields.push((path.to_owned(), texts.join(", ")));
        }
        _ => fields.push((path.to_owned(), leaf(value))),
    }
}

fn leaf(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".to_owned(),
        _ => value.to_string(),
    }
}
