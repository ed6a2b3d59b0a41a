//! What setup says: one line when something starts, one when it ends, and a moving one between them on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use std::path::Path;
use std::time::{Duration, Instant};

/// Says that `what` needs nothing; `why` says what was found.
pub(super) fn present(what: &str, why: &str) {
    println!("{:>12} {what} ({why})", "Present");
}

/// A piece of work under way.
pub(super) struct Work {
    bar: ProgressBar,
    start: Instant,
}

impl Work {
    /// Says that work of unknown length starts: `verb` as in "Installing".
    pub(super) fn start(verb: &str, what: &str) -> Self {
        Self::with(ProgressBar::new_spinner(), "{spinner:>12} {elapsed}", verb, what)
    }

    /// Says that work on `bytes` bytes starts.
    pub(super) fn start_bytes(verb: &str, what: &str, bytes: u64) -> Self {
        let template =
            "{spinner:>12} {bar:40} {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}";
        Self::with(ProgressBar::new(bytes), template, verb, what)
    }

    fn with(bar: ProgressBar, template: &str, verb: &str, what: &str) -> Self {
        println!("{verb:>12} {what}");
        // The templates above are the only ones; one with a slip in it would show as the default style.
        bar.set_style(
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        bar.enable_steady_tick(Duration::from_millis(150));
        Self { bar, start: Instant::now() }
    }

    /// The bytes done so far.
    pub(super) fn set_bytes(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    /// Says that the work is done and how long it took.
    pub(super) fn done(self, verb: &str, what: &str) {
        self.bar.finish_and_clear();
        println!("{verb:>12} {what} in {:.1} s", self.start.elapsed().as_secs_f64());
    }
}

impl Drop for Work {
    /// Takes the moving line away, also when the work has failed.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Bytes in all files below `folder` that end in `.whl`.
pub(super) fn wheel_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let mut bytes = 0;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            bytes += wheel_bytes(&path);
        } else if path.extension().is_some_and(|ending| ending == "whl") {
            bytes += entry.metadata().map_or(0, |metadata| metadata.len());
        }
    }
    bytes
}
