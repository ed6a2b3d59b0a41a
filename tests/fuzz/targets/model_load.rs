//! `Model::new` on any bytes, as they are and with length and checksum made right. What it accepts has to be as FORMAT.md
//! says: the layers decode, chain and lie inside the arena, and what a model says of itself is consistent.
#![no_main]

use bomp_fuzz::sealed;
use bomp_runtime::layer::Op;
use bomp_runtime::{Model, arena, plan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Model::new(bytes);
    let blob = sealed(bytes);
    assert!(arena::stated_size(&blob).is_none_or(|_| blob.len() >= 16));
    let Ok(model) = Model::new(&blob) else { return };
    assert_eq!(arena::stated_size(&blob), Some(model.arena_size()));
    assert!(model.input_len() > 0 && model.classes() > 0);
    let mut count = 0;
    for (index, layer) in model.layers().enumerate() {
        count += 1;
        assert!(layer.source <= index);
        assert!(plan::range(layer.input).end <= model.arena_size());
        let last = matches!(layer.op, Op::Classifier(_));
        assert_eq!(last, count == model.layer_count());
        assert!(last || plan::range(layer.output).end <= model.arena_size());
    }
    assert_eq!(count, model.layer_count());
});
