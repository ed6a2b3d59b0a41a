//! The best front that can be found by climbing on a formula itself: what stands in for the exact one where a space is too
//! large to be enumerated.

use bomp_search::bo::pareto::{Front, Objectives, Reference};
use bomp_search::bo::problem::Point;
use bomp_search::stream::stream;
use rand_chacha::ChaCha8Rng;

/// Bounds of the cost below which the best value is climbed for, and points looked at for each.
const BOUNDS: usize = 40;
const LOOKS: usize = 3000;

/// The hypervolume of the best front found, given `costs` that most points lie between, and how points are drawn,
/// varied and judged (`None`: not allowed).
pub(crate) fn climb(
    reference: Reference,
    costs: (f64, f64),
    sample: impl Fn(&mut ChaCha8Rng) -> Point,
    mutate: impl Fn(&Point, &mut ChaCha8Rng) -> Point,
    truth: impl Fn(&Point) -> Option<Objectives>,
) -> f64 {
    let mut front = Front::new(reference);
    let mut rng = stream(0, 0, "best known");
    // The best point below each bound, so that every climb begins where the others have come to.
    let mut best: Vec<Option<(Point, Objectives)>> = vec![None; BOUNDS];
    let bound = |step: usize| costs.0 + step as f64 / (BOUNDS - 1) as f64 * (costs.1 - costs.0);
    for look in 0..LOOKS {
        for step in 0..BOUNDS {
            let point = match &best[step] {
                Some((point, _)) if look % 10 > 0 => mutate(point, &mut rng),
                _ => sample(&mut rng),
            };
            let Some(truth) = truth(&point) else { continue };
            front.insert(truth);
            for (step, best) in best.iter_mut().enumerate() {
                if truth.cost <= bound(step) && best.as_ref().is_none_or(|(_, o)| truth.value > o.value) {
                    *best = Some((point.clone(), truth));
                }
            }
        }
    }
    front.hypervolume()
}
