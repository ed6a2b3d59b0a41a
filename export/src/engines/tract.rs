//! tract, an engine in Rust.

use std::sync::Arc;

use tract_onnx::prelude::{
    Datum, Framework, InferenceModelExt, IntoRunnable, Tensor as TractTensor, TractResult,
    TypedRunnableModel, tvec,
};

use super::{Elements, Engine, EngineError, Session, Tensor};

const NAME: &str = "tract";

/// tract on the CPU.
pub struct Tract;

struct Loaded(Arc<TypedRunnableModel>);

impl Engine for Tract {
    fn name(&self) -> &'static str {
        NAME
    }

    fn load(&self, onnx: &[u8], batch: usize) -> Result<Box<dyn Session>, EngineError> {
        let load = || -> TractResult<_> {
            let model = tract_onnx::onnx().model_for_read(&mut &*onnx)?;
            // The free batch size becomes a number, so that tract plans for it.
            let symbol = model.symbols.sym(crate::onnx::BATCH);
            let batch = [(symbol, batch.into())].into();
            model.into_typed()?.set_symbols(&batch)?.into_optimized()?.into_runnable()
        };
        load().map(|model| Box::new(Loaded(model)) as Box<dyn Session>).map_err(failed)
    }
}

impl Session for Loaded {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Tensor, EngineError> {
        let run = || -> TractResult<Tensor> {
            let mut values = tvec![];
            for tensor in inputs {
                values.push(match &tensor.elements {
                    Elements::Float(values) => TractTensor::from_shape(&tensor.shape, values)?.into(),
                    Elements::Int8(values) => TractTensor::from_shape(&tensor.shape, values)?.into(),
                });
            }
            let output = self.0.run(values)?.remove(0);
            let elements = if output.datum_type() == f32::datum_type() {
                Elements::Float(output.to_plain_array_view::<f32>()?.iter().copied().collect())
            } else {
                Elements::Int8(output.to_plain_array_view::<i8>()?.iter().copied().collect())
            };
            Ok(Tensor { shape: output.shape().to_vec(), elements })
        };
        run().map_err(failed)
    }
}

fn failed(error: tract_onnx::prelude::TractError) -> EngineError {
    EngineError::new(NAME, format!("{error:#}"))
}
