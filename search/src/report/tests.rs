//! Reports of invented studies, drawn without libtorch.

use std::path::{Path, PathBuf};

use rand::RngExt;
use resvg::tiny_skia::Pixmap;
use resvg::usvg::roxmltree::{Document, Node};

use super::data::{FinishedNetwork, front};
use super::draw::{Canvas, png};
use super::plots::{self, Plot};
use super::{Finished, Report, Source, draw, html};
use crate::bo::problem::{Point, Problem};
use crate::space::{Limits, Space, SpaceProblem, Usage};
use crate::stream::stream;
use crate::study::{DataConfig, Measured, Preset, StudyConfig, Trial, TrialState};

/// A name that is markup wherever it is not escaped.
const NASTY: &str = "a<script>alert(\"1\")</script>&'\u{1}b";

struct Study {
    name: String,
    config: StudyConfig,
    trials: Vec<Trial>,
    finished: Finished,
}

impl Study {
    /// A study of `count` trials, drawn at random and later mutated from the front, of an invented accuracy; one in
    /// seventeen fails, and the last one is running if `open`.
    fn new(name: &str, seed: u64, count: u64, learns: bool, open: bool) -> Self {
        let config = config(seed, count);
        let problem = SpaceProblem::new(config.space.clone(), config.limits).unwrap();
        let mut trials: Vec<Trial> = Vec::new();
        for number in 0..count {
            let mut rng = stream(seed, number, "invented");
            let best: Vec<&Trial> = front(&trials);
            let point = match number {
                0 => problem.seed(),
                20.. if learns && !best.is_empty() => {
                    let parent = best[rng.random_range(0..best.len())];
                    let parent = config.space.point(&parent.genotype).unwrap();
                    let mut mutants = std::iter::repeat_with(|| problem.mutate(&parent, &mut rng));
                    mutants.find(|point| config.limits.admit(&problem.network(point))).unwrap()
                }
                _ => problem.sample(&mut rng),
            };
            let usage = Usage::of(&problem.network(&point));
            let state = match number {
                _ if open && number + 1 == count => TrialState::Running,
                n if n % 17 == 11 => TrialState::Failed { reason: format!("loss is {NASTY}") },
                _ => TrialState::Finished(measured(&config.space, &point, usage, rng.random())),
            };
            trials.push(Trial { number, genotype: config.space.genotype(&point), usage, lead: None, state });
        }
        Self { name: name.into(), config, trials, finished: Finished::default() }
    }

    /// The same with the networks of the front finished, a little better than they were.
    fn finished(mut self) -> Self {
        for (index, trial) in front(&self.trials).into_iter().enumerate() {
            let accuracy = trial.measured().unwrap().accuracy();
            let better = accuracy + (1.0 - accuracy) * (0.25 + 0.05 * (index % 3) as f64);
            self.finished.networks.push(FinishedNetwork {
                trial: trial.number,
                folder: PathBuf::from(format!("final/trial-{:04}/candidate", trial.number)),
                size_bytes: trial.usage.bytes,
                test_images: 10_000,
                float_correct: (10_050.0 * better) as usize,
                integer_correct: (10_000.0 * better) as usize,
                trained_images: 702_000,
            });
        }
        self
    }

    fn source(&self) -> Source<'_> {
        Source { name: &self.name, config: &self.config, trials: &self.trials, finished: &self.finished }
    }
}

fn config(seed: u64, trials: u64) -> StudyConfig {
    let limits = Limits { max_size: Some(10_000), max_ram: Some(32_000), max_macs: Some(2_000_000) };
    let data = DataConfig {
        path: "data".into(),
        format: "auto".into(),
        validation: "0.1".into(),
        name: NASTY.into(),
        sha256: "0".repeat(64),
    };
    let preset = Preset { trials, reference_accuracy: 0.6, ..Preset::open("two-cores").unwrap() };
    preset.config(seed, Space::open("extended").unwrap(), limits, data)
}

/// Accuracy that rises with size and MACs and falls with few bits in the classifier and a strided stem.
fn measured(space: &Space, point: &Point, usage: Usage, chance: f64) -> Measured {
    let genotype = space.genotype(point);
    let size = (usage.bytes as f64 / 800.0).log10();
    let macs = (usage.macs as f64 / 1e5).log10();
    let few_bits = f64::from(8 - genotype.classifier.bits.get()) * 0.02;
    let stride = (genotype.stem.stride as f64 - 1.0) * 0.3;
    let error = (-1.25 - 0.75 * size - 0.25 * macs + few_bits + stride + 0.25 * (chance - 0.5)).exp();
    let correct = (6000.0 * (1.0 - error).clamp(0.1, 1.0)) as u64;
    Measured {
        correct,
        float_correct: (correct + 40).min(6000),
        images: 6000,
        trained_images: 81_000,
        seconds: 30.0 + usage.macs as f64 / 1e5,
        halfway: None,
    }
}

fn report(studies: &[Study]) -> Report {
    Report::of(&studies.iter().map(Study::source).collect::<Vec<_>>()).unwrap()
}

fn all_plots(report: &Report) -> Vec<Plot> {
    let of_studies = report.studies.iter().flat_map(|study| plots::of_study(report, study));
    plots::common(report).into_iter().chain(of_studies).collect()
}

/// Studies as they come: new, begun, running, long ended, and several side by side.
fn all_sorts() -> Vec<Vec<Study>> {
    let empty = || Study::new("empty", 1, 0, true, false);
    let running = || Study::new("first trial runs", 1, 1, true, true);
    let one = || Study::new("one", 1, 1, true, false).finished();
    let many = || Study::new(NASTY, 1, 60, true, true).finished();
    vec![
        vec![],
        vec![empty()],
        vec![running()],
        vec![one()],
        vec![many()],
        vec![many(), empty(), one(), Study::new(&"long name ".repeat(30), 2, 40, false, false)],
    ]
}

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
    let shown = "a&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;\u{fffd}b";
    // Title, heading, table, every plot; and the data set and the reasons of failures.
    assert!(page.matches(shown).count() > 10);
    let svg = all_plots(&report)[2].canvas.standalone();
    let document = Document::parse(&svg).unwrap();
    let shown = NASTY.replace('\u{1}', "\u{fffd}");
    assert!(document.descendants().any(|node| node.text().is_some_and(|text| text.contains(&shown))));
}

#[test]
fn data_are_those_of_the_trials() {
    let study = Study::new("data", 3, 60, true, true).finished();
    let report = report(std::slice::from_ref(&study));
    let data = &report.studies[0];
    let measured: Vec<&Trial> = study.trials.iter().filter(|trial| trial.measured().is_some()).collect();
    assert_eq!((data.counts.asked, data.counts.running, data.counts.failed), (60, 1, 3));
    assert_eq!(data.counts.finished as usize, measured.len());
    assert_eq!(data.trained_images, 81_000 * measured.len() as u64);
    assert!(report.is_running() && !report.is_complete());

    // The front is what a comparison of all pairs finds.
    let accuracy = |trial: &Trial| trial.measured().unwrap().accuracy();
    let beaten = |trial: &Trial| {
        measured.iter().any(|other| {
            let (a, b) = (accuracy(other), accuracy(trial));
            let (size, other_size) = (trial.usage.bytes, other.usage.bytes);
            // Of equals the first one is on the front.
            let equal = a == b && other_size == size && other.number < trial.number;
            (a >= b && other_size < size) || (a > b && other_size <= size) || equal
        })
    };
    let mut expected: Vec<u64> = measured.iter().filter(|t| !beaten(t)).map(|t| t.number).collect();
    let mut found = data.front.clone();
    (expected.sort_unstable(), found.sort_unstable());
    assert_eq!(found, expected);
    assert!(data.trials.iter().all(|row| row.on_front == expected.contains(&row.trial.number)));

    // One study alone is measured from its own corner, whatever the way.
    let last = data.progress.last().unwrap();
    assert!(data.hypervolume > 0.0 && (last.hypervolume - data.hypervolume).abs() < 1e-12);
    assert_eq!((last.ended, last.trained_images), (59, data.trained_images));
    assert!(data.progress.windows(2).all(|w| w[0].hypervolume <= w[1].hypervolume));

    let belief = data.surrogate.as_ref().unwrap();
    let predicted: Vec<u64> = belief.predictions.iter().map(|p| p.trial).collect();
    assert_eq!(predicted, measured.iter().map(|trial| trial.number).collect::<Vec<_>>());
    assert_eq!(belief.importance.len(), study.config.space.genes().len());
    assert!(belief.importance.windows(2).all(|w| w[0].effect >= w[1].effect));
    assert!(belief.importance[0].effect > 0.0);
}

#[test]
fn the_bit_map_has_a_row_for_each_slot_and_tells_the_genotypes() {
    let study = Study::new("bits", 3, 40, true, false);
    let report = report(std::slice::from_ref(&study));
    let map = &report.studies[0].bits;
    assert_eq!(map.rows.len(), study.config.space.slots() as usize);
    assert_eq!(map.trials, report.studies[0].front);
    for (column, &number) in map.trials.iter().enumerate() {
        let genotype = &study.trials[number as usize].genotype;
        let bits = |slot: &str| map.rows.iter().find(|row| row.slot == slot).unwrap().bits[column];
        assert_eq!(bits("stem"), Some(genotype.stem.bits.get()));
        assert_eq!(bits("conv2"), genotype.conv2.map(|conv2| conv2.bits.get()));
        let block = genotype.blocks[2];
        assert_eq!(bits("block 3 project"), block.map(|block| block.project.bits.get()));
        assert_eq!(bits("block 3 expand"), block.and_then(|b| b.expand).map(|expand| expand.bits.get()));
    }
}

#[test]
fn studies_side_by_side_keep_apart_and_share_a_corner() {
    let mut small = Study::new("same", 1, 10, true, false);
    small.config.limits.max_size = Some(12_000);
    let report = report(&[Study::new("same", 2, 10, true, false), small]);
    assert_eq!(report.studies[1].name, "same (2)");
    assert!((report.common_reference.log10_bytes - 12_001f64.log10()).abs() < 1e-12);
    let own = report.studies[0].hypervolume;
    assert!(report.studies[0].progress.last().unwrap().hypervolume > own);
    let mut names: Vec<String> = all_plots(&report).into_iter().map(|plot| plot.name).collect();
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(report.is_complete() && !report.is_running());
}

#[test]
fn files_are_written_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("report");
    let study = Study::new("files", 1, 3, true, false);
    for _ in 0..2 {
        let page = super::write(&report(std::slice::from_ref(&study)), &out, None).unwrap();
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

#[test]
fn finished_networks_are_read_from_the_folder_of_the_study() {
    let folder = tempfile::tempdir().unwrap();
    let study = Study::new("final", 1, 3, true, false);
    let none = Finished::load(folder.path(), &study.config, &study.trials);
    assert_eq!(none, Finished::default());
    let damaged = folder.path().join("trial-0001").join("candidate");
    std::fs::create_dir_all(&damaged).unwrap();
    std::fs::write(damaged.join("network.json"), "{").unwrap();
    let found = Finished::load(folder.path(), &study.config, &study.trials);
    assert!(found.networks.is_empty());
    assert!(matches!(&found.problems[..], [problem] if problem.contains("trial-0001")));
}

/// For looking at: `BOMP_EXAMPLE_REPORT=FOLDER cargo test ... -- --ignored an_example_to_look_at`.
#[test]
#[ignore = "writes a report to look at into the folder that BOMP_EXAMPLE_REPORT names"]
fn an_example_to_look_at() {
    let folder = std::env::var("BOMP_EXAMPLE_REPORT").expect("BOMP_EXAMPLE_REPORT names a folder");
    let folder = Path::new(&folder);
    let learning = Study::new("fashion-10kB", 1, 62, true, true).finished();
    let begun = std::time::Instant::now();
    let one = report(std::slice::from_ref(&learning));
    println!("gathered in {:?}", begun.elapsed());
    super::write(&one, &folder.join("one"), Some(10)).unwrap();
    println!("written after {:?}", begun.elapsed());
    let others = [learning, Study::new("random search", 2, 60, false, false).finished()];
    let others = others.into_iter().chain([Study::new("fixed 4 bit", 7, 45, true, false)]);
    super::write(&report(&others.collect::<Vec<_>>()), &folder.join("several"), None).unwrap();
    super::write(&report(&[Study::new("empty", 1, 0, true, false)]), &folder.join("empty"), None).unwrap();
    let single = Study::new("single", 1, 1, true, false).finished();
    super::write(&report(&[single]), &folder.join("single"), None).unwrap();
}
