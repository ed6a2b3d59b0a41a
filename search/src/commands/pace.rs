//! How long the rest of the work will take, from what has ended since it began. Workers that work side by side are taken into
//! account, as it is the clock on the wall that is measured.

use std::time::{Duration, Instant};

/// Pieces of work that an estimate made beforehand counts as.
const WEIGHT_OF_ESTIMATE: f64 = 2.0;

/// The speed of a number of equal pieces of work.
#[derive(Debug)]
pub(crate) struct Pace {
    begun: Instant,
    /// Pieces that had ended when it began.
    before: u64,
    /// All pieces.
    total: u64,
    workers: f64,
    /// Seconds from one end to the next, estimated beforehand.
    estimate: Option<f64>,
    /// Seconds that were left when a piece ended last, and when that was.
    left: Option<(f64, Instant)>,
}

impl Pace {
    /// For `total` pieces of which `before` have ended, done by so many workers. `estimate`: seconds from the end of one piece
    /// to that of the next, if something is known of it.
    pub(crate) fn new(before: u64, total: u64, workers: usize, estimate: Option<f64>, now: Instant) -> Self {
        let left = estimate.map(|each| (each * total.saturating_sub(before) as f64, now));
        Self { begun: now, before, total, workers: workers as f64, estimate, left }
    }

    /// Counts `done` pieces as ended by `now`.
    pub(crate) fn ended(&mut self, done: u64, now: Instant) {
        let since = done.saturating_sub(self.before) as f64;
        if since == 0.0 {
            return;
        }
        // Beside what has ended, each of the other workers is on average half through a piece.
        let ended = since + 0.5 * (self.workers - 1.0);
        let elapsed = now.duration_since(self.begun).as_secs_f64();
        let each = match self.estimate {
            Some(estimate) => (elapsed + WEIGHT_OF_ESTIMATE * estimate) / (ended + WEIGHT_OF_ESTIMATE),
            None => elapsed / ended,
        };
        self.left = Some((each * self.total.saturating_sub(done) as f64, now));
    }

    /// What is left, if anything is known of it.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let (seconds, at) = self.left?;
        let left = seconds - now.duration_since(at).as_secs_f64();
        Some(Duration::from_secs_f64(left.clamp(0.0, 1e9)))
    }
}

/// A time as people say it: `12 s`, `3 min`, `1 h 10 min`, `2 d 3 h`.
pub(crate) fn words(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let (minutes, hours) = ((seconds / 60.0).round() as u64, (seconds / 3600.0).round() as u64);
    match () {
        () if seconds < 9.95 => format!("{seconds:.1} s"),
        () if seconds < 90.0 => format!("{seconds:.0} s"),
        () if minutes < 60 => format!("{minutes} min"),
        () if minutes < 24 * 60 => format!("{} h {} min", minutes / 60, minutes % 60),
        () => format!("{} d {} h", hours / 24, hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begun: Instant, seconds: f64) -> Instant {
        begun + Duration::from_secs_f64(seconds)
    }

    #[test]
    fn one_worker_at_a_steady_pace() {
        let begun = Instant::now();
        let mut pace = Pace::new(4, 10, 1, None, begun);
        assert_eq!(pace.left(begun), None);
        pace.ended(5, after(begun, 60.0));
        // Five are left, a minute each.
        assert_eq!(pace.left(after(begun, 60.0)).unwrap().as_secs(), 300);
        assert_eq!(pace.left(after(begun, 90.0)).unwrap().as_secs(), 270);
        assert_eq!(pace.left(after(begun, 9_000.0)).unwrap().as_secs(), 0);
        pace.ended(10, after(begun, 360.0));
        assert_eq!(pace.left(after(begun, 360.0)).unwrap().as_secs(), 0);
        // More than were asked for, as another command may have asked for them.
        pace.ended(12, after(begun, 400.0));
        assert_eq!(pace.left(after(begun, 400.0)).unwrap().as_secs(), 0);
    }

    #[test]
    fn an_estimate_is_believed_until_trials_tell_otherwise() {
        let begun = Instant::now();
        let mut pace = Pace::new(0, 100, 1, Some(10.0), begun);
        assert_eq!(pace.left(begun).unwrap().as_secs(), 1_000);
        for done in 1..=90u64 {
            pace.ended(done, after(begun, 30.0 * done as f64));
        }
        let left = pace.left(after(begun, 2_700.0)).unwrap().as_secs_f64();
        assert!((290.0..=300.0).contains(&left), "{left}");
    }

    #[test]
    fn four_workers_are_four_times_as_fast() {
        let begun = Instant::now();
        let mut pace = Pace::new(0, 100, 4, None, begun);
        // Each trial takes 40 s; after the first of the four has ended, the others are about half through.
        pace.ended(1, after(begun, 25.0));
        let left = pace.left(after(begun, 25.0)).unwrap().as_secs_f64();
        assert!((900.0..=1_100.0).contains(&left), "{left}");
    }

    #[test]
    fn times_in_words() {
        for (seconds, expected) in [
            (0.26, "0.3 s"),
            (9.96, "10 s"),
            (75.0, "75 s"),
            (100.0, "2 min"),
            (3_590.0, "1 h 0 min"),
            (4_200.0, "1 h 10 min"),
            (86_390.0, "1 d 0 h"),
            (184_000.0, "2 d 3 h"),
        ] {
            assert_eq!(words(Duration::from_secs_f64(seconds)), expected, "{seconds}");
        }
    }
}
