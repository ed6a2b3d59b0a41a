//! What is drawn and written: well-formed, whole, within its bounds, and safe with any name.

use resvg::tiny_skia::Pixmap;
use resvg::usvg::roxmltree::{Document, Node};

use super::synthetic::{NASTY, Study};
use super::{all_plots, all_sorts, report};
use crate::report::draw::{Canvas, png};
use crate::report::{draw, html};

#[test]
fn every_plot_is_xml_whose_figures_are_finite_and_within_the_drawing() {
    for report in all_sorts().iter().map(|studies| report(studies)) {
        for plot in all_plots(&report) {
            let text = plot.canvas.standalone();
            let document = Document::parse(&text).unwrap_or_else(|e| panic!("{}: {e}", plot.name));
            let size = plot.canvas.size();
            let drawn = document.descendants().filter(Node::is_element).map(|n| check(&plot.name, size, n));
            assert!(drawn.sum::<usize>() > 10, "{}", plot.name);
            // On a page the same elements stand without a name space of their own.
            assert!(Document::parse(&plot.canvas.inline(&plot.title)).is_ok());
            assert!(!plot.canvas.inline(&plot.title).contains("://"));
        }
    }
}

/// Checks the figures of an element and returns how many there were.
fn check(plot: &str, (width, height): (f64, f64), node: Node<'_, '_>) -> usize {
    let figures = |text: &str| -> Vec<f64> {
        let parts = text.split([' ', ',']).filter(|part| !part.is_empty());
        parts.map(|part| part.parse().unwrap_or_else(|e| panic!("{plot}: {node:?}: {e}"))).collect()
    };
    let mut checked = 0;
    let mut within = |figure: f64, most: f64| {
        assert!((-0.5..=most + 0.5).contains(&figure), "{plot}: {figure} of {most}: {node:?}");
        checked += 1;
    };
    if node.tag_name().name() == "text" {
        let attribute = |name| node.attribute(name).map_or(0.0, |text| figures(text)[0]);
        let wide = draw::width(node.text().unwrap_or_default(), attribute("font-size"));
        let before = match node.attribute("text-anchor") {
            Some("start") => 0.0,
            Some("end") => wide,
            _ => wide / 2.0,
        };
        // Upright text stands in the middle of a frame, where there is room for it.
        if node.attribute("transform").is_none() {
            within(attribute("x") - before, width);
            within(attribute("x") - before + wide, width);
        }
    }
    for attribute in node.attributes() {
        match attribute.name() {
            "x" | "x1" | "x2" | "cx" | "width" => {
                figures(attribute.value()).into_iter().for_each(|x| within(x, width));
            }
            "y" | "y1" | "y2" | "cy" | "r" | "height" => {
                figures(attribute.value()).into_iter().for_each(|y| within(y, height));
            }
            "points" => figures(attribute.value()).chunks(2).for_each(|point| {
                within(point[0], width);
                within(point[1], height);
            }),
            _ => {}
        }
    }
    checked
}

#[test]
fn an_image_has_the_size_of_the_drawing_and_shows_something() {
    let report = report(&[Study::new("png", 1, 12, true, false).finished()]);
    for plot in all_plots(&report) {
        let image = Pixmap::decode_png(&png(&plot.canvas)).unwrap();
        let (width, height) = plot.canvas.size();
        assert_eq!((f64::from(image.width()), f64::from(image.height())), (2.0 * width, 2.0 * height));
        let dark = image.pixels().iter().filter(|pixel| pixel.green() < 128).count();
        assert!(dark > 500 && image.pixels()[0].green() == 255, "{}: {dark}", plot.name);
    }
    // Text takes part: the same canvas without it has fewer dark pixels.
    let mut canvas = Canvas::new(80.0, 20.0);
    let blank = png(&canvas);
    canvas.upright((40.0, 10.0), 12.0, "text");
    assert_ne!(png(&canvas), blank);
}

#[test]
fn a_page_is_whole_and_loads_nothing_and_runs_nothing() {
    for studies in all_sorts() {
        let report = report(&studies);
        let page = html::page(&report, None);
        for forbidden in ["://", "<script", "src=", "href=", "@import", "url(", "refresh", "\u{1}"] {
            assert!(!page.contains(forbidden), "{forbidden}");
        }
        assert_eq!(page.matches("<figure>").count(), page.matches("</figure>").count());
        assert_eq!(page.matches("<figure>").count(), all_plots(&report).len());
        assert_eq!(page.matches("<section>").count(), studies.len());
        assert!(html::page(&report, Some(10)).contains("<meta http-equiv=\"refresh\" content=\"10\">"));
        // Well-formed but for the elements that HTML does not close.
        let closed = page.replacen("<!DOCTYPE html>", "", 1).replace("\">\n<meta", "\"/>\n<meta");
        let closed = closed.replacen("initial-scale=1\">", "initial-scale=1\"/>", 1);
        assert!(Document::parse(&closed).is_ok_and(|d| d.root_element().has_tag_name("html")));
    }
}

#[test]
fn names_from_outside_arrive_as_they_are_but_as_text() {
    let report = report(&[Study::new(NASTY, 1, 30, true, false)]);
    let page = html::page(&report, None);
    let shown = "a&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\\u{1}b";
    // Title, heading, table, every plot; and the data set and the reasons of failures.
    assert!(page.matches(shown).count() > 10);
    let svg = all_plots(&report)[2].canvas.standalone();
    let document = Document::parse(&svg).unwrap();
    let shown = NASTY.replace('\u{1}', "\\u{1}");
    assert!(document.descendants().any(|node| node.text().is_some_and(|text| text.contains(&shown))));
}

#[test]
fn files_are_written_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let study = Study::new("files", 1, 3, true, false);
    for _ in 0..2 {
        let page = crate::report::write(&report(std::slice::from_ref(&study)), &out, None).unwrap();
        assert!(std::fs::read_to_string(page).unwrap().ends_with("</html>\n"));
    }
    let mut names: Vec<String> = std::fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".png") || name.ends_with(".svg"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 12);
    assert!(names.chunks(2).all(|pair| pair[0].replace(".png", ".svg") == pair[1]));
}
