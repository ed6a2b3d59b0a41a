//! What quickstart is doing, and how long each part took.

use serde::Serialize;
use std::time::{Duration, Instant};

/// A part that has ended.
#[derive(Debug, Serialize)]
pub(super) struct Phase {
    pub(super) name: &'static str,
    pub(super) seconds: f64,
}

/// The parts so far; at most one of them is under way.
#[derive(Default)]
pub(super) struct Phases {
    ended: Vec<(&'static str, Duration)>,
    under_way: Option<(&'static str, Instant)>,
}

impl Phases {
    /// Ends the part under way, says how long it took, and begins the next.
    pub(super) fn begin(&mut self, name: &'static str) {
        self.finish();
        println!("{:>12} {}: {name}", "Phase", self.ended.len() + 1);
        self.under_way = Some((name, Instant::now()));
    }

    /// Ends the last one.
    pub(super) fn end(mut self) -> Vec<Phase> {
        self.finish();
        self.ended.iter().map(|&(name, time)| Phase { name, seconds: time.as_secs_f64() }).collect()
    }

    fn finish(&mut self) {
        if let Some((name, start)) = self.under_way.take() {
            println!("{:>12} {name} took {:.0} s", "Phase", start.elapsed().as_secs_f64());
            self.ended.push((name, start.elapsed()));
        }
    }
}
