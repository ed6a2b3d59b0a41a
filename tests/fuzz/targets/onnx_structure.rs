//! Valid ONNX files with their structure changed: an error, or integers that can be packed into a blob that the runtime accepts;
//! at most a second, and no more memory than the importer promises. The first byte chooses the file, the others the changes.
#![no_main]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use bomp_export::onnx::proto::ModelProto;
use bomp_export::testing::{self, Limits};
use bomp_export::{import, lower, onnx, write};
use bomp_fuzz::memory::{Counting, most_held};
use bomp_fuzz::onnx::{Choices, mutate};
use libfuzzer_sys::fuzz_target;
use prost::Message;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static FILES: LazyLock<Vec<ModelProto>> = LazyLock::new(|| {
    let own = (0..12).map(|seed| {
        let candidate = testing::candidate(seed, &Limits::SMALL);
        let lowered = lower::lower(&candidate).expect("it is valid");
        let blob = write::blob(&lowered).expect("it is valid");
        onnx::model(&lowered, &candidate.provenance, &blob).expect("it is valid")
    });
    let others = [
        &include_bytes!("../../onnx/brevitas.onnx")[..],
        include_bytes!("../../onnx/ort-per-channel.onnx"),
        include_bytes!("../../onnx/ort-small.onnx"),
        include_bytes!("../../onnx/ort-symmetric.onnx"),
    ];
    let all = own.chain(others.map(<[u8]>::to_vec));
    all.map(|file| ModelProto::decode(&file[..]).expect("it is ONNX")).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((&choice, changes)) = bytes.split_first() else { return };
    let mut model = FILES[usize::from(choice) % FILES.len()].clone();
    mutate(&mut model, &mut Choices(changes));
    let file = model.encode_to_vec();
    let start = Instant::now();
    let (result, held) = most_held(|| import::import(&file));
    assert!(held <= import::most_memory(file.len()), "{held} bytes for a file of {}", file.len());
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?} for a file of {} bytes",
        start.elapsed(),
        file.len()
    );
    let Ok(imported) = result else { return };
    let Ok(blob) = write::blob(&imported.lowered) else { return };
    assert!(bomp_runtime::Model::new(&blob).is_ok(), "the exporter wrote a blob that the runtime refuses");
});
