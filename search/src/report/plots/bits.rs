//! Bit widths of the networks of the front, slot by slot: the paper's Fig. 3.

use super::Plot;
use super::axes::{heading, kilobytes};
use crate::report::data::StudyReport;
use crate::report::draw::{Anchor, BITS, Canvas, Frame, INK, Legend, MUTED, Swatch, bit_colour, ink_on};

const TITLE: &str = "Bit widths of the networks of the front";
const LEFT: f64 = 130.0;
/// Above the cells: the title, then trial, size and accuracy of each network.
const TOP: f64 = 92.0;
const CELL: (f64, f64) = (46.0, 21.0);

pub(super) fn plot(study: &StudyReport) -> Plot {
    let map = &study.bits;
    let (columns, rows) = (map.trials.len(), map.rows.len());
    let frame = Frame {
        left: LEFT,
        top: TOP,
        width: (columns as f64 * CELL.0).max(430.0),
        height: rows as f64 * CELL.1,
    };
    let legend = Legend::new(
        frame.width,
        BITS.map(|bits| (Swatch::Field(bit_colour(bits)), format!("{bits} bit"))).to_vec(),
    );
    let mut canvas = Canvas::new(frame.right() + 16.0, frame.bottom() + legend.height() + 22.0);
    heading(&mut canvas, &Frame { left: 16.0, ..frame.clone() }, &format!("{TITLE} - {}", study.name));
    for (text, y) in [("trial", 46.0), ("size [kB]", 63.0), ("accuracy [%]", 80.0)] {
        canvas.text((LEFT - 10.0, y), (Anchor::End, 11.0, MUTED), text);
    }
    for (column, row) in study.front_rows().enumerate() {
        let x = LEFT + (column as f64 + 0.5) * CELL.0;
        let size = kilobytes(row.trial.usage.bytes);
        let size = if size < 100.0 { format!("{size:.2}") } else { format!("{size:.0}") };
        let accuracy = format!("{:.2}", 100.0 * row.accuracy.unwrap_or_default());
        for (text, y) in [(row.trial.number.to_string(), 46.0), (size, 63.0), (accuracy, 80.0)] {
            canvas.text((x, y), (Anchor::Middle, 11.0, INK), &text);
        }
    }
    for (index, row) in map.rows.iter().enumerate() {
        let top = TOP + index as f64 * CELL.1;
        canvas.text((LEFT - 10.0, top + 15.0), (Anchor::End, 12.0, INK), &row.slot);
        for (column, bits) in row.bits.iter().enumerate() {
            let left = LEFT + column as f64 * CELL.0;
            let (width, height) = (CELL.0 - 2.0, CELL.1 - 2.0);
            let Some(bits) = *bits else {
                canvas.rectangle((left, top), (width, height), "#f4f5f6", "");
                continue;
            };
            let tip = format!("trial {}, {}: {bits} bit", map.trials[column], row.slot);
            canvas.rectangle((left, top), (width, height), bit_colour(bits), &tip);
            let middle = (left + width / 2.0, top + 14.5);
            canvas.text(middle, (Anchor::Middle, 12.0, ink_on(bits)), &bits.to_string());
        }
    }
    if columns == 0 {
        frame.note(&mut canvas, "no trial has finished yet");
    }
    legend.draw(&mut canvas, (LEFT, frame.bottom() + 12.0));
    let caption = "Each column is a network of the front, the smallest on the left; each row a layer kind of a block, \
                   from the input at the top to the classifier. A cell tells the bits of each weight, the same in \
                   all repetitions of a block; blank where the network has no such layer. Rows that stay dark need \
                   their precision; pale rows are where the search saves bytes. After Fig. 3 of van Son et al., 2023.";
    Plot { name: "bits".into(), title: TITLE.into(), caption: caption.into(), canvas }
}
