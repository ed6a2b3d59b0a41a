//! AdamW on one flat vector, with a weight-decay switch for each element.
//!
//! Loshchilov and Hutter, "Decoupled weight decay regularization", 2019, algorithm 2; the bias corrections are folded into
//! the step size. About ten tensor operations a step, whatever the number of layers.

use tch::{Tensor, no_grad};

use super::parameters::Start;

const BETA1: f64 = 0.9;
const BETA2: f64 = 0.99;
const EPSILON: f64 = 1e-8;

/// Parameters with final values.
#[derive(Debug)]
pub(super) struct Frozen {
    /// As many as there are parameters.
    pub(super) values: Tensor,
    /// Whether it is final (bool).
    pub(super) frozen: Tensor,
}

/// Parameters and the optimiser's state.
#[derive(Debug)]
pub(super) struct AdamW {
    parameters: Tensor,
    /// Weight decay where it applies, 0 elsewhere.
    decays: Tensor,
    mean: Tensor,
    square: Tensor,
    steps: i32,
    /// 0 where a value is frozen, 1 elsewhere; `None` before any is.
    free: Option<Tensor>,
}

impl AdamW {
    pub(super) fn new(start: &Start, weight_decay: f64) -> Self {
        let parameters = start.values.copy();
        Self {
            mean: parameters.zeros_like(),
            square: parameters.zeros_like(),
            decays: &start.decays * weight_decay,
            parameters,
            steps: 0,
            free: None,
        }
    }

    pub(super) fn parameters(&self) -> &Tensor {
        &self.parameters
    }

    /// Gives the parameters the values where they are frozen; those do not change any more.
    pub(super) fn freeze(&mut self, Frozen { values, frozen }: &Frozen) {
        no_grad(|| {
            self.parameters = values.where_self(frozen, &self.parameters);
            self.free = Some(frozen.logical_not().to_kind(self.parameters.kind()));
        });
    }

    /// One step against `gradient` with the learning rate `rate`.
    pub(super) fn step(&mut self, gradient: &Tensor, rate: f64) {
        no_grad(|| {
            self.steps += 1;
            let _ = self.mean.lerp_(gradient, 1.0 - BETA1);
            let _ = self.square.g_mul_scalar_(BETA2).addcmul_(&(gradient * (1.0 - BETA2)), gradient);
            let corrections = (1.0 - BETA1.powi(self.steps), 1.0 - BETA2.powi(self.steps));
            let root = (&self.square / corrections.1).sqrt_() + EPSILON;
            let change = (&self.mean / corrections.0) / root + &self.parameters * &self.decays;
            let change = match &self.free {
                Some(free) => change * free,
                None => change,
            };
            let _ = self.parameters.g_sub_(&(change * rate));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::parameters::Builder;
    use tch::Device;

    /// Against the algorithm in double precision, on f(x) = sum of (x - target)^2.
    #[test]
    fn is_the_published_algorithm() {
        let mut builder = Builder::default();
        builder.push(&[2], &[1.0, -2.0], true);
        builder.push(&[1], &[0.5], false);
        let (_, start) = builder.build(Device::Cpu);
        let mut optimiser = AdamW::new(&start, 0.1);
        let targets = [0.3, 0.4, -1.0];
        let decays = [0.1, 0.1, 0.0];
        let mut expected = [1.0f64, -2.0, 0.5];
        let (mut m, mut v) = ([0.0; 3], [0.0; 3]);
        for step in 1..=20 {
            let rate = 0.05 / f64::from(step);
            let gradient = (optimiser.parameters() - Tensor::from_slice(&targets.map(|t| t as f32))) * 2.0;
            optimiser.step(&gradient, rate);
            for i in 0..3 {
                let g = 2.0 * (expected[i] - targets[i]);
                m[i] = BETA1 * m[i] + (1.0 - BETA1) * g;
                v[i] = BETA2 * v[i] + (1.0 - BETA2) * g * g;
                let m_hat = m[i] / (1.0 - BETA1.powi(step));
                let v_hat: f64 = v[i] / (1.0 - BETA2.powi(step));
                expected[i] -= rate * (m_hat / (v_hat.sqrt() + EPSILON) + decays[i] * expected[i]);
            }
        }
        let found = Vec::<f32>::try_from(optimiser.parameters()).unwrap();
        for (found, expected) in found.iter().zip(expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5, "{found} {expected}");
        }
    }
    #[test]
    fn what_is_frozen_stays_where_it_is() {
        let mut builder = Builder::default();
        builder.push(&[3], &[1.0, -2.0, 0.5], true);
        let (_, start) = builder.build(Device::Cpu);
        let mut optimiser = AdamW::new(&start, 0.1);
        let gradient = Tensor::from_slice(&[1.0f32, 1.0, 1.0]);
        optimiser.step(&gradient, 0.01);
        let values = Tensor::from_slice(&[7.0f32, 8.0, 9.0]);
        optimiser.freeze(&Frozen { values, frozen: Tensor::from_slice(&[false, true, false]) });
        let before = Vec::<f32>::try_from(optimiser.parameters()).unwrap();
        optimiser.step(&gradient, 0.01);
        let after = Vec::<f32>::try_from(optimiser.parameters()).unwrap();
        assert_eq!((before[1], after[1]), (8.0, 8.0));
        assert!(after[0] < before[0] && before[0] < 1.0 && after[2] < before[2] && before[2] < 0.5);
    }
}
