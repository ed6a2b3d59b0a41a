//! What depends on the device: a GPU gives what the host gives. Without one these tests say that they were skipped; with
//! BOMP_GPU=required, as `cargo xtask gpu-check` sets it, they fail.

use std::io::Write;

use bomp_export::candidate::Provenance;
use bomp_export::lower::lower;
use tch::Device;

use super::device;
use super::exact::ExactNet;
use super::float::initialise;
use super::images::DeviceImages;
use super::objective::tests::{LOSS, assert_close, cases, images, picked, stir};
use super::objective::{FloatObjective, Objective, QaftObjective};
use super::qaft::QaftNet;
use super::quantise::quantise;
use super::trial::{Data, Run, Training};
use crate::recipe::{Augmentation, ClassWeights, QuantisationMethod, Schedule, TrainConfig};
use crate::stream::stream;
use crate::train::Signal;

/// The GPU, or `None` and a line that says so.
fn gpu(test: &str) -> Option<Device> {
    match device::parse("cuda") {
        Ok(device) => Some(device),
        Err(error) if std::env::var("BOMP_GPU").is_ok_and(|value| value == "required") => panic!("{error}"),
        Err(error) => {
            // Not by a macro, whose output the test runner keeps to itself.
            let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {error}");
            None
        }
    }
}

fn move_to(images: &DeviceImages, device: Device) -> DeviceImages {
    DeviceImages {
        pixels: images.pixels.to_device(device),
        labels: images.labels.to_device(device),
        teacher_logits: None,
        shape: images.shape,
        input: images.input,
    }
}

/// GPUs convolve with 10 bits of each factor (TF32) unless told otherwise.
const GPU_TOLERANCE: f64 = 0.03;

#[test]
fn gpu_gradients_are_those_of_the_host() {
    let Some(device) = gpu("gpu_gradients_are_those_of_the_host") else { return };
    for (network, count) in cases() {
        let what = format!("{network:?} of {count} images");
        let batch = images(network.input, count);
        let other = move_to(&batch, device);
        let on_device = |objective: &mut dyn Objective, parameters: &tch::Tensor, images: &DeviceImages| {
            let (loss, gradient) = objective.gradient(parameters, &picked(images)).unwrap();
            (loss.to_device(Device::Cpu), gradient.to_device(Device::Cpu))
        };
        let (net, start) = initialise(&network, Device::Cpu, &mut stream(1, 0, "initial weights"));
        let parameters = stir(&start, 0.3);
        let mut float = FloatObjective::new(net.clone(), LOSS, Device::Cpu);
        let expected = on_device(&mut float, &parameters, &batch);
        let mut float = FloatObjective::new(net.clone(), LOSS, device);
        let found = on_device(&mut float, &parameters.to_device(device), &other);
        assert_close(&found, &expected, GPU_TOLERANCE, &what);

        let folded = super::fold::fold(&net, &parameters, &batch, 1).unwrap();
        let (qaft, start) = QaftNet::new(&quantise(&folded, &batch).unwrap(), &folded);
        let expected = on_device(&mut QaftObjective::new(qaft, LOSS, Device::Cpu), &start.values, &batch);
        let folded = super::fold::fold(&net, &parameters.to_device(device), &other, 1).unwrap();
        let (qaft, start) = QaftNet::new(&quantise(&folded, &other).unwrap(), &folded);
        let found = on_device(&mut QaftObjective::new(qaft, LOSS, device), &start.values, &other);
        // Calibration and rounding see numbers that differ in the last bits.
        assert_close(&found, &expected, 0.3, &what);
    }
}

#[test]
fn gpu_counts_what_the_host_counts() {
    let Some(device) = gpu("gpu_counts_what_the_host_counts") else { return };
    let (network, _) = cases().remove(4);
    let host = images(network.input, 300);
    let gpu = move_to(&host, device);
    let schedule = Schedule {
        epochs: 2.0,
        batch: 32,
        learning_rate: 0.01,
        warm_up: 0.1,
        weight_decay: 0.0,
        label_smoothing: 0.0,
    };
    let config = TrainConfig {
        float: schedule,
        qaft: schedule,
        distillation: 0.5,
        augmentation: Augmentation { crop_padding: 1, flip: true },
        class_weights: ClassWeights::Balanced,
        shards: 1,
    };
    let run = Run { seed: 1, trial: 0, threads: 1 };
    let data = Data { train: &gpu, held_out: &gpu };
    let quantisation = QuantisationMethod::Qaft;
    let progress = &mut |_| Signal::Continue;
    let training = Training { data, config: &config, run };
    let candidate = training.finish(&network, quantisation, Provenance::default(), progress).unwrap();
    let lowered = lower(&candidate).unwrap();
    let on_host = ExactNet::new(&lowered).correct(&host, 1).unwrap().iter().sum::<usize>();
    assert_eq!(candidate.provenance.integer_correct, on_host);
}
