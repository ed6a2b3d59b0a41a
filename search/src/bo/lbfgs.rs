//! Minimisation of a smooth function with its gradient: L-BFGS with a backtracking line search.
//!
//! Never returns a point worse than the start, tolerates regions where the function cannot be computed (infinite or not
//! a number), and is deterministic.

use std::collections::VecDeque;

/// Corrections kept.
const MEMORY: usize = 8;
/// The longest step of any coordinate in one iteration; the parameters fitted here are logarithms.
const LONGEST_STEP: f64 = 2.0;

/// Minimises `f`, which returns the value and the gradient at a point, from `start` for at most `iterations`
/// iterations. Stops earlier when an iteration gains less than `tolerance`. Returns the best point and its value.
pub(super) fn minimise(
    mut f: impl FnMut(&[f64]) -> (f64, Vec<f64>),
    start: &[f64],
    iterations: usize,
    tolerance: f64,
) -> (Vec<f64>, f64) {
    let mut x = start.to_vec();
    let (mut value, mut gradient) = f(&x);
    if !value.is_finite() {
        return (x, f64::INFINITY);
    }
    let mut corrections: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    for _ in 0..iterations {
        let mut direction = descent(&gradient, &corrections);
        let mut slope = dot(&direction, &gradient);
        if slope >= 0.0 {
            corrections.clear();
            direction = gradient.iter().map(|g| -g).collect();
            slope = dot(&direction, &gradient);
        }
        let longest = direction.iter().fold(0.0, |m: f64, d| m.max(d.abs()));
        if longest == 0.0 || !longest.is_finite() {
            break;
        }
        let limit = if corrections.is_empty() { 0.5 } else { LONGEST_STEP };
        let mut step = (limit / longest).min(1.0);
        let accepted = (0..20).find_map(|_| {
            let candidate: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
            let (v, g) = f(&candidate);
            // Armijo's condition; a value that is not a number fails it.
            let enough = v <= value + 1e-4 * step * slope && g.iter().all(|g| g.is_finite());
            step *= 0.35;
            enough.then_some((candidate, v, g))
        });
        let Some((next, next_value, next_gradient)) = accepted else {
            if corrections.is_empty() {
                break;
            }
            corrections.clear();
            continue;
        };
        let s: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
        let y: Vec<f64> = next_gradient.iter().zip(&gradient).map(|(a, b)| a - b).collect();
        if dot(&s, &y) > 1e-10 * dot(&y, &y) {
            corrections.push_back((s, y));
            if corrections.len() > MEMORY {
                corrections.pop_front();
            }
        }
        let gain = value - next_value;
        (x, value, gradient) = (next, next_value, next_gradient);
        if gain < tolerance {
            break;
        }
    }
    (x, value)
}

/// Minus the inverse Hessian estimate times the gradient: the two-loop recursion (Nocedal 1980).
fn descent(gradient: &[f64], corrections: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut weights = Vec::with_capacity(corrections.len());
    for (s, y) in corrections.iter().rev() {
        let weight = dot(s, &q) / dot(s, y);
        q.iter_mut().zip(y).for_each(|(q, y)| *q -= weight * y);
        weights.push(weight);
    }
    if let Some((s, y)) = corrections.back() {
        let scale = dot(s, y) / dot(y, y);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((s, y), weight) in corrections.iter().zip(weights.iter().rev()) {
        let back = dot(y, &q) / dot(s, y);
        q.iter_mut().zip(s).for_each(|(q, s)| *q += (weight - back) * s);
    }
    q
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_bottom_of_a_curved_valley() {
        // Rosenbrock's function.
        let f = |x: &[f64]| {
            let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
            (a * a + 100.0 * b * b, vec![-2.0 * a - 400.0 * x[0] * b, 200.0 * b])
        };
        let (x, value) = minimise(f, &[-1.2, 1.0], 200, 1e-14);
        assert!(value < 1e-8, "{x:?} {value}");
    }

    #[test]
    fn stays_where_the_function_can_be_computed() {
        let f = |x: &[f64]| {
            if x[0] <= 0.0 { (f64::NAN, vec![0.0]) } else { (x[0] - x[0].ln(), vec![1.0 - 1.0 / x[0]]) }
        };
        let (x, _) = minimise(f, &[5.0], 100, 1e-12);
        assert!((x[0] - 1.0).abs() < 1e-4, "{x:?}");
        assert_eq!(minimise(f, &[-1.0], 10, 0.0), (vec![-1.0], f64::INFINITY));
    }
}
