//! The kernels on an emulated board: instructions of each layer of a fixed list and of whole networks, and how many generated
//! cases differ from the reference. What the device says line by line is in `kernels/src/main.rs`.

use std::fs;
use std::path::Path;
use std::process::Command;

use bomp_export::board::Board;
use bomp_export::cost::model_macs;
use bomp_export::ir::{Activation, Bits, Layer, Network, Op, Shape, Window};
use bomp_export::testing::{self, Numbers};
use bomp_export::{lower, write};
use bomp_runtime::kernels::Reference;
use bomp_runtime::quant::WEIGHT_BITS;
use bomp_runtime::{Model, arena};
use object::{Object, ObjectSymbol};
use serde::Serialize;

use crate::emulator::QEMU;
use crate::error::SimError;
use crate::process::Process;
use crate::toolchain::Toolchain;
use crate::{POLL, firmware};

const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels");
const IMAGE: &str = "bomp-kernels";
/// Calls that the device measures together.
const CALLS: f64 = 8.0;
/// Instructions of the device's calibration loop.
const CALIBRATION_INSTRUCTIONS: f64 = 2.0;

/// Networks that searches found, see `networks/README.md`.
const FOUND: [(&str, &[u8]); 3] = [
    ("found-1kB", include_bytes!("../networks/found-1kB.bomp")),
    ("found-2kB", include_bytes!("../networks/found-2kB.bomp")),
    ("found-17kB", include_bytes!("../networks/found-17kB.bomp")),
];

/// Instructions of one layer or network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Count {
    /// Name of the board.
    pub board: &'static str,
    /// Name of the layer, or of the network.
    pub layer: String,
    /// Width of the weights, 0 without weights or with weights of several widths.
    pub bits: u8,
    /// Nominal multiply-accumulates, padding taps included; elements of an add or a pool.
    pub macs: u64,
    /// Instructions of one call.
    pub instructions: f64,
}

/// Cases of one kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Name of the kernel.
    pub kernel: String,
    /// Generated cases.
    pub cases: u64,
    /// Cases whose result is not the reference's, bit for bit.
    pub different: u64,
}

/// What a board showed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Name of the board.
    pub board: &'static str,
    /// Instructions that pass in one tick of the device's clock.
    pub instructions_per_tick: f64,
    /// Bytes of code of all kernels, all widths.
    pub kernel_bytes: u64,
    /// Instructions.
    pub counts: Vec<Count>,
    /// Comparisons with the reference; the networks' logits are compared with the host's.
    pub checks: Vec<Check>,
}

/// Builds the firmware for `board`, runs it and reads what it says.
///
/// # Errors
/// No compiler or emulator, or a device that fails.
pub fn measure(board: &'static Board) -> Result<Report, SimError> {
    let folder = tempfile::tempdir().map_err(|cause| SimError::File { path: std::env::temp_dir(), cause })?;
    let file = |path: &Path, bytes: &[u8]| {
        fs::write(path, bytes).map_err(|cause| SimError::File { path: path.to_owned(), cause })
    };
    let networks = folder.path().join("networks");
    fs::create_dir(&networks).map_err(|cause| SimError::File { path: networks.clone(), cause })?;
    let mut blobs = Vec::new();
    for (name, blob) in FOUND {
        file(&networks.join(format!("{name}.bomp")), blob)?;
        blobs.push((name.to_owned(), 0, blob.to_vec()));
    }
    for bits in WEIGHT_BITS {
        let blob = mobilenet(bits);
        let name = format!("mobilenet-v1-0.25-w{bits}");
        // Weights of all widths do not fit every board's flash; the narrowest and the widest do.
        if board.flash.length >= 1 << 20 || bits == 4 || bits == 8 {
            file(&networks.join(format!("{name}.bomp")), &blob)?;
            blobs.push((name, bits, blob));
        }
    }
    let memory = folder.path().join("memory.x");
    file(&memory, firmware::memory_x(board).as_bytes())?;
    let image = build(board, &memory, &networks, folder.path())?;
    let said = run(board, &image, folder.path())?;
    read(board, &said, &blobs, kernel_bytes(&image)?)
}

fn build(
    board: &'static Board,
    memory: &Path,
    networks: &Path,
    folder: &Path,
) -> Result<std::path::PathBuf, SimError> {
    let target = firmware::target_folder(PACKAGE);
    let mut command = Toolchain::find(board)?.build(board, "release", &target);
    command.current_dir(PACKAGE).env("BOMP_MEMORY_X", memory).env("BOMP_NETWORKS", networks);
    let mut process = Process::start(command, &folder.join("build.log"))?;
    let status = wait(&mut process);
    if !status.success() {
        return Err(SimError::Build { board: board.name, output: process.said() });
    }
    let built = target.join(board.target).join("release").join(IMAGE);
    let image = folder.join(IMAGE);
    fs::copy(&built, &image).map_err(|cause| SimError::File { path: built, cause })?;
    Ok(image)
}

fn run(board: &'static Board, image: &Path, folder: &Path) -> Result<String, SimError> {
    let mut command = Command::new(QEMU);
    command.args(["-machine", board.name, "-nographic", "-monitor", "none", "-serial", "none"]);
    command.args(["-semihosting-config", "enable=on,target=native", "-icount", "shift=0,sleep=off"]);
    command.arg("-kernel").arg(image);
    let mut process = Process::start(command, &folder.join("console.log"))?;
    let status = wait(&mut process);
    let said = process.said();
    if status.success() {
        return Ok(said);
    }
    let code = status.code().map_or_else(|| status.to_string(), |code| code.to_string());
    let message = said.trim().lines().next_back().unwrap_or("it said nothing").to_owned();
    Err(SimError::Device { board: board.name, code, message })
}

fn wait(process: &mut Process) -> std::process::ExitStatus {
    loop {
        match process.ended() {
            Some(status) => return status,
            None => std::thread::sleep(POLL),
        }
    }
}

/// Reads the device's lines.
fn read(
    board: &'static Board,
    said: &str,
    blobs: &[(String, u8, Vec<u8>)],
    kernel_bytes: u64,
) -> Result<Report, SimError> {
    let wrong = |line: &str| SimError::Device {
        board: board.name,
        code: "0".into(),
        message: format!("it said `{line}`, which means nothing"),
    };
    let number = |word: &str, line: &str| word.parse::<f64>().map_err(|_| wrong(line));
    let mut calibration: Vec<[f64; 2]> = Vec::new();
    let (mut counts, mut checks) = (Vec::new(), Vec::new());
    for line in said.lines() {
        let count = |layer: &str, bits, macs, ticks: &str| {
            let instructions = number(ticks, line)? / CALLS;
            Ok::<_, SimError>(Count { board: board.name, layer: layer.to_owned(), bits, macs, instructions })
        };
        match line.split_whitespace().collect::<Vec<_>>()[..] {
            ["calibration", passes, ticks] => {
                calibration.push([number(passes, line)?, number(ticks, line)?]);
            }
            ["bench", layer, bits, macs, ticks] => {
                counts.push(count(layer, number(bits, line)? as u8, number(macs, line)? as u64, ticks)?);
            }
            ["network", name, sum, ticks] => {
                let (_, bits, blob) = blobs.iter().find(|blob| blob.0 == name).ok_or_else(|| wrong(line))?;
                let (macs, expected) = on_host(blob).ok_or_else(|| wrong(line))?;
                counts.push(count(name, *bits, macs, ticks)?);
                let different = u64::from(sum.parse() != Ok(expected));
                checks.push(Check { kernel: name.to_owned(), cases: 1, different });
            }
            ["check", kernel, cases, different] => checks.push(Check {
                kernel: kernel.to_owned(),
                cases: number(cases, line)? as u64,
                different: number(different, line)? as u64,
            }),
            _ => return Err(wrong(line)),
        }
    }
    let [[few, start], [many, end]] = calibration[..] else { return Err(wrong("")) };
    let instructions_per_tick = (many - few) * CALIBRATION_INSTRUCTIONS / (end - start);
    for count in &mut counts {
        count.instructions *= instructions_per_tick;
    }
    Ok(Report { board: board.name, instructions_per_tick, kernel_bytes, counts, checks })
}

/// Multiply-accumulates of a network, and the sum of its logits on the device's input by the reference.
fn on_host(blob: &[u8]) -> Option<(u64, i32)> {
    let model = Model::new(blob).ok()?;
    let input: Vec<i8> = (0..model.input_len()).map(|index| (index * 37) as i8).collect();
    let mut words = vec![0; arena::words(model.arena_size())];
    let mut logits = vec![0; model.classes()];
    model.run_with::<Reference>(&input, arena::from_words(&mut words), &mut logits, |_, _| {}).ok()?;
    let sum = logits.iter().fold(0i32, |sum, &logit| sum.wrapping_mul(31).wrapping_add(logit));
    Some((model_macs(&model), sum))
}

/// Bytes of the functions of the kernels, the reference not counted.
fn kernel_bytes(image: &Path) -> Result<u64, SimError> {
    let bytes = fs::read(image).map_err(|cause| SimError::File { path: image.to_owned(), cause })?;
    let file = object::File::parse(&*bytes)
        .map_err(|error| SimError::Report { path: image.to_owned(), problem: error.to_string() })?;
    let is_kernel =
        |name: &str| name.contains("12bomp_runtime") && (name.contains("3dsp") || name.contains("8portable"));
    Ok(file
        .symbols()
        .filter(|symbol| symbol.is_definition() && symbol.name().is_ok_and(is_kernel))
        .map(|s| s.size())
        .sum())
}

/// MobileNetV1 of width 0.25 on 96x96x3 with random weights, two classes, packed.
fn mobilenet(bits: u8) -> Vec<u8> {
    let bits = Bits::try_from(bits).expect("4 to 8 are widths");
    let mut shape = Shape::new(96, 96, 3);
    let mut layers: Vec<Layer> = Vec::new();
    let mut push = |op: Op, shape_after: Shape, shape: &mut Shape| {
        layers.push(Layer { name: format!("layer{}", layers.len()), op, inputs: vec![layers.len()] });
        *shape = shape_after;
    };
    let convolution = |shape: Shape, kernel: usize, stride: usize, filters: usize| {
        let window = Window::same(shape, kernel, stride);
        let (height, width) = window.output(shape).expect("SAME padding fits");
        (
            Op::Convolution { window, filters, bits, activation: Activation::Relu6 },
            Shape::new(height, width, filters),
        )
    };
    let (op, after) = convolution(shape, 3, 2, 8);
    push(op, after, &mut shape);
    // Stride of the depthwise convolution and filters of the pointwise one.
    let blocks = [(1, 16), (2, 32), (1, 32), (2, 64), (1, 64), (2, 128)];
    let rest = [(1, 128), (1, 128), (1, 128), (1, 128), (1, 128), (2, 256), (1, 256)];
    for (stride, filters) in blocks.into_iter().chain(rest) {
        let window = Window::same(shape, 3, stride);
        let (height, width) = window.output(shape).expect("SAME padding fits");
        let op = Op::Depthwise { window, bits, activation: Activation::Relu6 };
        push(op, Shape::new(height, width, shape.channels), &mut shape);
        let (op, after) = convolution(shape, 1, 1, filters);
        push(op, after, &mut shape);
    }
    push(Op::AveragePool, Shape::new(1, 1, shape.channels), &mut shape);
    push(Op::Classifier { classes: 2, bits }, Shape::new(1, 1, 2), &mut shape);
    let network = Network { input: Shape::new(96, 96, 3), layers };
    let candidate = testing::with_weights(network, &mut Numbers::new(7));
    let lowered = lower::lower(&candidate).expect("random weights of usual size have usual scales");
    write::blob(&lowered).expect("the network is far below the format's limits")
}
