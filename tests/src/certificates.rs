//! The certificate of the linked firmware, on golden models and boards: no panic, allocation or soft float, a stack below its bound,
//! the host's logits.

use std::fmt;
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;

use bomp_runtime::Model;
use serde::Deserialize;
use zip::write::SimpleFileOptions;

use crate::attacks::Golden;
use crate::succeed;

/// A board of each kind of processor: Cortex-M0, M3, M4, M7, M33.
pub const BOARDS: [&str; 5] = ["microbit", "mps2-an385", "mps2-an386", "mps2-an500", "mps2-an505"];

/// Images of a golden model.
const IMAGES: usize = 8;

/// The part of `bomp-sim run --json` that is judged here; the command itself fails if logits differ or a symbol is linked.
#[derive(Deserialize)]
struct Verdict {
    images: u32,
    logits_equal: bool,
    ram: Ram,
    certificate: Certificate,
}

#[derive(Deserialize)]
struct Ram {
    stack_used: u64,
}

#[derive(Deserialize)]
struct Certificate {
    stack: Stack,
}

#[derive(Deserialize)]
struct Stack {
    bytes: u64,
}

/// Certificates that hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct Certified {
    /// Firmware images.
    pub firmwares: u64,
    /// The largest bound of a stack, and the largest high-water mark, in bytes.
    pub stack: [u64; 2],
}

impl fmt::Display for Certified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [bound, used] = self.stack;
        write!(f, "golden models on boards; stack at most {bound} B by the bound, {used} B by the paint")
    }
}

/// Runs every golden model on `boards` and holds each to its certificate.
///
/// # Panics
/// If one does not hold, with model and board.
pub fn certify(boards: &[&str], mut tell: impl FnMut(usize, usize)) -> Certified {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let goldens = Golden::all();
    let mut certified = Certified::default();
    for golden in &goldens {
        let place = folder.path().join(golden.name);
        fs::create_dir(&place).expect("a folder of this test");
        let model = place.join("model.bomp");
        fs::write(&model, &golden.blob).expect("a file of this test");
        let data = data(golden, &place);
        for board in boards {
            let text = |path: &Path| path.to_str().expect("temporary folders have plain names").to_owned();
            let (model, data) = (text(&model), text(&data));
            let images = IMAGES.to_string();
            let arguments = ["run", &model, "--board", board, "--data", &data, "--images", &images, "--json"];
            let verdict: Verdict =
                serde_json::from_str(&succeed("bomp-sim", &arguments)).expect("--json prints JSON");
            let (bound, used) = (verdict.certificate.stack.bytes, verdict.ram.stack_used);
            assert!(verdict.logits_equal && verdict.images as usize == IMAGES, "{} on {board}", golden.name);
            assert!(0 < used && used <= bound, "{} on {board}: {used} of {bound} B of stack", golden.name);
            certified.firmwares += 1;
            certified.stack = [certified.stack[0].max(bound), certified.stack[1].max(used)];
            tell(certified.firmwares as usize, goldens.len() * boards.len());
        }
    }
    certified
}

/// The images of a golden model as an npz archive, which they train and test alike, with the names of as many classes.
fn data(golden: &Golden, place: &Path) -> std::path::PathBuf {
    let model = Model::new(&golden.blob).expect("a golden model");
    let shape = model.input_shape();
    let pixels: Vec<u8> = golden.images.iter().map(|&element| element as u8 ^ 0x80).collect();
    let labels: Vec<u8> = (0..IMAGES).map(|image| (image % model.classes()) as u8).collect();
    let dimensions = format!("({IMAGES}, {}, {}, {})", shape.height, shape.width, shape.channels);
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for part in ["train", "test"] {
        for (name, dimensions, bytes) in
            [("x", dimensions.clone(), &pixels), ("y", format!("({IMAGES},)"), &labels)]
        {
            archive
                .start_file(format!("{name}_{part}.npy"), SimpleFileOptions::default())
                .and_then(|()| Ok(archive.write_all(&npy(&dimensions, bytes))?))
                .expect("an archive in memory");
        }
    }
    let bytes = archive.finish().expect("an archive in memory").into_inner();
    fs::write(place.join("set.npz"), bytes).expect("a file of this test");
    let names: String = (0..model.classes()).map(|class| format!("class {class}\n")).collect();
    fs::write(place.join("classes.txt"), names).expect("a file of this test");
    place.join("set.npz")
}

/// An array of bytes as numpy writes it.
fn npy(dimensions: &str, bytes: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {dimensions}, }}");
    let padding = 63 - (10 + header.len()) % 64;
    let header = format!("{header}{}\n", " ".repeat(padding));
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}
