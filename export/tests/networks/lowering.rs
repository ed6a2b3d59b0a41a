//! The integers that `lower` makes compute the fake-quantised real-valued network, layer by layer.

use bomp_export::candidate::{Candidate, LayerWeights};
use bomp_export::ir::Op;
use bomp_export::lower::{Lowered, Parameters, lower};
use bomp_export::testing::{Limits, Real, layer_output};
use bomp_runtime::Model;
use bomp_runtime::kernels::Reference;
use proptest::prelude::*;

use super::{packed, trace};

/// The real weights that the lowered integers claim to stand for, quantised here from the float ones.
fn fake_quantised(float: &LayerWeights, scales: &[f64], limit: i32, input_scale: f64) -> Real {
    let fan_in = float.weight.len() / scales.len();
    let limit = f64::from(limit);
    let weight = float.weight.iter().enumerate().map(|(at, &weight)| {
        let scale = scales[at / fan_in];
        (f64::from(weight) / scale).round().clamp(-limit, limit) * scale
    });
    let bias = float.bias.iter().zip(scales).map(|(&bias, scale)| {
        let step = input_scale * scale;
        (f64::from(bias) / step).round() * step
    });
    Real { weight: weight.collect(), bias: bias.collect() }
}

/// Largest distance of an int8 element from the real value it rounds, in steps, over all layers; then of a logit.
fn distances(candidate: &Candidate, lowered: &Lowered, blob: &[u8], seed: u64) -> (f64, f64) {
    let network = &lowered.network;
    let (tensors, logits) = trace::<Reference>(&Model::new(blob).unwrap(), seed);
    let (mut worst, mut worst_logit) = (0.0f64, 0.0f64);
    for (index, layer) in network.layers.iter().enumerate() {
        let real = |tensor: usize| -> Vec<f64> {
            let quantisation = candidate.tensors[tensor];
            let value = |&element: &i8| {
                (f64::from(element) - f64::from(quantisation.zero_point)) * quantisation.scale
            };
            tensors[tensor].iter().map(value).collect()
        };
        let inputs: Vec<Vec<f64>> = layer.inputs.iter().map(|&tensor| real(tensor)).collect();
        let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let weights = match (&lowered.parameters[index], &candidate.weights[index]) {
            (Parameters::Weighted(weighted), Some(float)) => {
                let limit = layer.op.bits().unwrap().max_weight();
                let input_scale = candidate.tensors[layer.inputs[0]].scale;
                Some(fake_quantised(float, &weighted.weight_scales, limit, input_scale))
            }
            _ => None,
        };
        let output = layer_output(network, index, weights.as_ref(), &inputs);
        if let Op::Classifier { .. } = layer.op {
            for (real, &logit) in output.iter().zip(&logits) {
                worst_logit = worst_logit.max((real / lowered.logit_scale - f64::from(logit)).abs());
            }
        } else {
            let quantisation = candidate.tensors[index + 1];
            for (real, &element) in output.iter().zip(&tensors[index + 1]) {
                let exact =
                    (real / quantisation.scale + f64::from(quantisation.zero_point)).clamp(-128.0, 127.0);
                worst = worst.max((exact - f64::from(element)).abs());
            }
        }
    }
    (worst, worst_logit)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn integers_round_the_real_network_once_per_layer(seed: u64) {
        let network = packed(seed, &Limits::SMALL);
        let (layers, logits) = distances(&network.candidate, &network.lowered, &network.blob, seed);
        // Half a step is the rounding; the rest is double precision, and factors of 31 bits for adds and pools.
        prop_assert!(layers <= 0.5 + 1e-6, "an activation is {layers} steps off");
        prop_assert!(logits <= 0.5 + 1e-6, "a logit is {logits} steps off");
    }

    #[test]
    fn weight_steps_stay_as_trained_and_leave_no_ties(seed: u64) {
        let network = packed(seed, &Limits::SMALL);
        for (index, parameters) in network.lowered.parameters.iter().enumerate() {
            let (Parameters::Weighted(weighted), Some(float)) = (parameters, &network.candidate.weights[index]) else {
                continue;
            };
            prop_assert!(weighted.multipliers.iter().all(|multiplier| multiplier.mantissa() % 2 == 1));
            let fan_in = float.weight.len() / float.scale.len();
            let coarsest = weighted.weight_scales.iter().copied().fold(0.0, f64::max);
            for (channel, (&found, &trained)) in weighted.weight_scales.iter().zip(&float.scale).enumerate() {
                let change = (found / f64::from(trained) - 1.0).abs();
                // The format has 15 shifts for a layer's channels; a finer channel is nothing beside the coarsest.
                let nothing = f64::from(trained) < coarsest / f64::from(1 << 15);
                let dead = float.weight[channel * fan_in..][..fan_in].iter().all(|&weight| weight == 0.0);
                prop_assert!(
                    dead || nothing || change <= 1.0001 / 4_096.0,
                    "layer {index} channel {channel}: {change}"
                );
            }
        }
    }
}

/// Every number that cannot be quantised is refused by layer and element, and none panics.
#[test]
fn absurd_numbers_are_refused_by_name() {
    let sound = bomp_export::testing::candidate(3, &Limits::SMALL);
    let last = sound.network.layers.len() - 1;
    let spoilt = |spoil: &dyn Fn(&mut Candidate)| {
        let mut candidate = sound.clone();
        spoil(&mut candidate);
        lower(&candidate).expect_err("should have been refused").to_string()
    };
    let weights = |candidate: &mut Candidate, field: fn(&mut LayerWeights) -> &mut Vec<f32>, value: f32| {
        if let Some(weights) = &mut candidate.weights[last] {
            field(weights)[1] = value;
        }
    };
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for (name, field) in [
            ("weight[1]", (|w| &mut w.weight) as fn(&mut LayerWeights) -> &mut Vec<f32>),
            ("bias[1]", |w| &mut w.bias),
            ("scale[1]", |w| &mut w.scale),
        ] {
            let message = spoilt(&|candidate| weights(candidate, field, value));
            assert!(
                message.contains(name) && message.contains(&sound.network.layers[last].name),
                "{message}"
            );
        }
    }
    for value in [0.0, -1.0, 1e-40, 1e38] {
        let message = spoilt(&|candidate| weights(candidate, |w| &mut w.scale, value));
        assert!(message.contains("scale[1]"), "{message}");
    }
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300, 1e300] {
        let message = spoilt(&|candidate| candidate.tensors[0].scale = value);
        assert!(message.contains("layer `input`"), "{message}");
    }
    assert!(spoilt(&|candidate| candidate.weights[last] = None).contains("no weights"));
    assert!(spoilt(&|candidate| candidate.tensors.truncate(1)).contains("not one entry for each layer"));
}
