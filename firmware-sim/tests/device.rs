//! Emulated devices against the host: real Fashion-MNIST images, every board, every fact of the verdict.

#[allow(dead_code, reason = "each test file uses its part")]
mod network;

use std::collections::HashSet;
use std::ops::ControlFlow;

use bomp_export::arena::ArenaPlan;
use bomp_export::board::BOARDS;
use bomp_export::data::SampleSize;
use bomp_export::{candidate, cost, data, evaluate, files, layout, lower, write};
use bomp_runtime::Model;
use bomp_runtime::layer::{Layer, Op, Weights};
use bomp_sim::{Config, KernelSet, SimError, Stage, monitor};

#[test]
fn a_thousand_images_give_the_hosts_logits_and_the_predicted_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (candidate, path) = network::pack(network::about_one_mmac(), folder.path());
    let config = Config {
        images: SampleSize::Exactly(1_000),
        keep: Some(folder.path().join("kept")),
        ..Config::new(path.clone())
    };
    let mut done_last = 0;
    let verdict = bomp_sim::run(&config, &mut |stage| {
        if let Stage::Images { done, total } = stage {
            assert!(done_last <= done && done <= total && total == 1_000);
            done_last = done;
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(verdict.passed(), "{:?}", verdict.failures());
    assert!(verdict.logits_equal && verdict.section_equals_file);
    assert_eq!((verdict.images, done_last), (1_000, 1_000));
    assert_eq!(verdict.device_correct, verdict.host_correct);
    assert_eq!(verdict.macs, cost::macs(&candidate.network));
    assert_eq!(verdict.section_bytes, layout::blob_bytes(&candidate.network) as u64);
    assert_eq!(verdict.ram.arena_predicted, ArenaPlan::of(&candidate.network).size as u64);
    assert!(verdict.ram.arena_used <= verdict.ram.arena_predicted);
    let counts = verdict.instructions;
    assert!(counts.min as f64 <= counts.mean && counts.mean <= counts.max as f64);
    // A dual multiply-accumulate is the most that this processor does in one instruction.
    assert!(counts.per_mac > 0.5 && counts.per_mac < 100.0, "{counts:?}");
    assert!((100..20_000).contains(&verdict.ram.stack_used), "{:?}", verdict.ram);

    // The logits that were compared are really different ones, and are those that the device left behind.
    let blob = std::fs::read(&path).unwrap();
    let model = Model::new(&blob).unwrap();
    let dataset = data::load(&data::default_folder(), data::Format::Auto).unwrap();
    let images = data::test_sample(&dataset, SampleSize::Exactly(1_000)).unwrap().images;
    let host = evaluate::logits(&model, &images, 2, &|_| {}).unwrap();
    let mut device = Vec::new();
    for part in 0.. {
        match std::fs::read(folder.path().join(format!("kept/part-{part}/logits.bin"))) {
            Ok(bytes) => device.extend(bytes.as_chunks().0.iter().map(|&word| i32::from_le_bytes(word))),
            Err(_) => break,
        }
    }
    assert_eq!(device, host);
    let distinct: HashSet<&[i32]> = host.chunks(10).collect();
    assert!(distinct.len() > 990, "only {} of 1,000 images have logits of their own", distinct.len());
}

/// As the runner of MLPerf Tiny does it, on a board with little RAM and on one with much.
#[test]
fn the_device_protocol_gives_the_hosts_logits() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = network::pack(network::small(), folder.path());
    for board in ["mps2-an386", "stm32vldiscovery"] {
        let config =
            Config { images: SampleSize::Exactly(3), board: board.into(), ..Config::new(path.clone()) };
        let session = match monitor::drive(&config, &mut |_| ControlFlow::Continue(())) {
            Err(error @ SimError::NoToolchain { .. }) if board != Config::new(path.clone()).board => {
                eprintln!("{board}: not run: {error}");
                continue;
            }
            other => other.unwrap_or_else(|error| panic!("{board}: {error}")),
        };
        assert_eq!((session.images, session.different_images), (3, 0), "{session:?}");
        assert_eq!((session.name.as_str(), session.model.as_str()), ("bomp", "model"));
        assert_eq!(session.device_correct, session.host_correct);
        // Hundreds of thousands of instructions, a nanosecond each.
        assert!((100.0..20_000.0).contains(&session.microseconds), "{session:?}");
    }
}

fn weighted(layer: Layer<'_>) -> Option<Weights<'_>> {
    match layer.op {
        Op::Convolution(_, weights) | Op::Depthwise(_, weights) | Op::Classifier(weights) => Some(weights),
        Op::Add { .. } | Op::AveragePool { .. } => None,
    }
}

/// Wide layers beside others, on processors that multiply to 64 bits and on one that does not.
#[test]
fn wide_layers_give_the_hosts_logits() {
    let folder = tempfile::tempdir().unwrap();
    let path = network::pack_wide(network::small(), folder.path());
    let blob = std::fs::read(&path).unwrap();
    let (wide, narrow): (Vec<_>, Vec<_>) = Model::new(&blob)
        .unwrap()
        .layers()
        .filter_map(weighted)
        .partition(|weights| !weights.fine.is_empty());
    assert!(wide.len() >= 3 && !narrow.is_empty(), "{} of {}", wide.len(), wide.len() + narrow.len());
    for board in ["mps2-an386", "mps2-an385", "microbit"] {
        let config =
            Config { images: SampleSize::Exactly(50), board: board.into(), ..Config::new(path.clone()) };
        let verdict = match bomp_sim::run(&config, &mut |_| ControlFlow::Continue(())) {
            Err(error @ SimError::NoToolchain { .. }) if board != Config::new(path.clone()).board => {
                eprintln!("{board}: not run: {error}");
                continue;
            }
            other => other.unwrap_or_else(|error| panic!("{board}: {error}")),
        };
        assert!(verdict.passed(), "{board}: {:?}", verdict.failures());
        assert!(verdict.logits_equal && verdict.section_equals_file);
    }
}

/// With the kernels that the model needs the firmware is smaller by kilobytes, and computes the same.
#[test]
fn a_build_with_only_the_kernels_that_are_needed_is_smaller() {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/eight-kilobytes");
    let candidate = candidate::Candidate::load(&golden).unwrap();
    let blob = write::blob(&lower::lower(&candidate).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bomp");
    files::write(&path, &blob).unwrap();
    let config = Config { images: SampleSize::Exactly(20), compare: true, ..Config::new(path) };
    let verdict = bomp_sim::run(&config, &mut |_| ControlFlow::Continue(())).unwrap();
    assert!(verdict.passed() && verdict.logits_equal, "{:?}", verdict.failures());
    let saved = verdict.flash_of_all_kernels.unwrap() - verdict.flash.used;
    assert!(saved > 3_000, "{saved} bytes");
    // All its weights are 6 bits wide, its kernels 3x3.
    for part in ["4-bit convolution", "8-bit classifier", "depthwise kernel 4 or 5 wide, stride 1"] {
        assert!(verdict.kernels_left_out.iter().any(|name| name == part), "{:?}", verdict.kernels_left_out);
    }
}

/// A board is listed only if this passes on it.
#[test]
fn every_board_gives_the_hosts_logits() {
    let folder = tempfile::tempdir().unwrap();
    let (_, path) = network::pack(network::small(), folder.path());
    for board in &BOARDS {
        // With all kernels, because what is reserved for the firmware must be enough for any model.
        let kernels = KernelSet::All;
        let config = Config {
            images: SampleSize::Exactly(5),
            board: board.name.into(),
            kernels,
            ..Config::new(path.clone())
        };
        let verdict = match bomp_sim::run(&config, &mut |_| ControlFlow::Continue(())) {
            // Setup brings all targets; whoever did without it may have the default board's alone.
            Err(error @ SimError::NoToolchain { .. }) if board.name != Config::new(path.clone()).board => {
                eprintln!("{}: not run: {error}", board.name);
                continue;
            }
            other => other.unwrap_or_else(|error| panic!("{}: {error}", board.name)),
        };
        assert!(verdict.passed(), "{}: {:?}", board.name, verdict.failures());
        assert!(verdict.ram.used <= verdict.ram.available && verdict.flash.used <= verdict.flash.available);
        assert_eq!(verdict.ram.available, u64::from(board.ram.length));
        // The bound of the stack is one, and not much too much.
        let bound = verdict.certificate.stack.as_ref().unwrap();
        let firmware = verdict.firmware();
        let taken = firmware.stack + firmware.variables;
        // What searches leave for the firmware is enough, and not much too much.
        let reserved = u64::from(board.firmware_ram);
        assert!(taken <= reserved && reserved <= taken + 512, "{}: {taken} of {reserved}", board.name);
        let used = verdict.ram.stack_used;
        assert!(used <= bound.bytes && bound.bytes <= used + 1_000, "{}: {used}, {bound:?}", board.name);
    }
}

/// The network of `tests/vectors/eight-kilobytes`, which classifies more than 90 % of the test images, in 8 KB of RAM. All
/// 10,000 images take minutes: `cargo xtask sizes --images 10000 --board stm32vldiscovery`.
#[test]
fn a_good_network_runs_in_eight_kilobytes() {
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors/eight-kilobytes");
    let candidate = candidate::Candidate::load(&source).unwrap();
    let blob = write::blob(&lower::lower(&candidate).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.bomp");
    files::write(&path, &blob).unwrap();

    let dataset = data::load(&data::default_folder(), data::Format::Auto).unwrap();
    let model = Model::new(&blob).unwrap();
    let logits = evaluate::logits(&model, &dataset.test, 2, &|_| {}).unwrap();
    let correct = evaluate::correct(&evaluate::predictions(&logits, 10), &dataset.test.labels);
    assert_eq!(correct, 9_052);

    for board in ["stm32vldiscovery", "microbit"] {
        let config =
            Config { images: SampleSize::Exactly(100), board: board.into(), ..Config::new(path.clone()) };
        let verdict = match bomp_sim::run(&config, &mut |_| ControlFlow::Continue(())) {
            Err(error @ SimError::NoToolchain { .. }) => {
                eprintln!("{board}: not run: {error}");
                continue;
            }
            other => other.unwrap_or_else(|error| panic!("{board}: {error}")),
        };
        assert!(verdict.passed(), "{board}: {:?}", verdict.failures());
        assert_eq!(verdict.device_correct, verdict.host_correct);
        let bound = verdict.certificate.stack.as_ref().unwrap().bytes;
        let needed = verdict.ram.arena_used + verdict.ram.other_static + bound;
        assert!(needed <= verdict.ram.available, "{board}: {needed}");
    }
}
