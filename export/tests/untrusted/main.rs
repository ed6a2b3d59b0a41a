//! ONNX files that mean harm: none makes the importer panic, hang or take more memory than it promises.
#![allow(unsafe_code, reason = "an allocator that counts")]

#[path = "../import/builder.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod builder;
mod crafted;
#[path = "../../../tests/fuzz/src/memory.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets' library shares it")]
mod memory;
mod mutants;
mod semantics;
#[path = "../../../tests/fuzz/src/onnx.rs"]
#[allow(unreachable_pub, reason = "the fuzz targets' library shares it")]
mod structure;

use std::time::{Duration, Instant};

use bomp_export::import::{self, Imported, Problem};
use bomp_export::write;

#[global_allocator]
static ALLOCATOR: memory::Counting = memory::Counting;

/// Imports `file` within the promises: no panic, at most a second (ten on a busy machine), memory in proportion to the file, and
/// what is imported can be packed into a blob that the runtime accepts, or is refused by the packer.
fn import_within_bounds(file: &[u8], what: &str) -> Result<Imported, Problem> {
    let start = Instant::now();
    let (result, held) = memory::most_held(|| import::import(file));
    let took = start.elapsed();
    assert!(held <= import::most_memory(file.len()), "{what}: {held} bytes for a file of {}", file.len());
    assert!(took < Duration::from_secs(10), "{what}: {took:?} for a file of {} bytes", file.len());
    if let Ok(imported) = &result
        && let Ok(blob) = write::blob(&imported.lowered)
    {
        assert!(bomp_runtime::Model::new(&blob).is_ok(), "{what}: the runtime refuses the blob");
    }
    result
}
