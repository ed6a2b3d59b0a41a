//! ONNX files of other tools: an error, or integers that can be packed into a blob that the runtime accepts.
#![no_main]

use bomp_export::{import, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = import::with_free_batch(bytes);
    let Ok(imported) = import::import(bytes) else { return };
    let Ok(blob) = write::blob(&imported.lowered) else { return };
    assert!(bomp_runtime::Model::new(&blob).is_ok(), "the exporter wrote a blob that the runtime refuses");
});
