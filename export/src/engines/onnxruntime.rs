//! ONNX Runtime, loaded from its shared library.

use std::path::PathBuf;
use std::sync::OnceLock;

use ort::environment::Environment;
use ort::session::builder::GraphOptimizationLevel;
use ort::session::{Session as OrtSession, SessionInputValue};
use ort::value::Tensor as OrtTensor;

use super::{Elements, Engine, EngineError, Session, Tensor};

const NAME: &str = "onnxruntime";

/// ONNX Runtime on the CPU.
pub struct OnnxRuntime {
    environment: &'static Environment,
}

impl OnnxRuntime {
    /// Finds and loads the library: the one that `ORT_DYLIB_PATH` names, or else the one that `cargo xtask setup` put
    /// beside this workspace.
    ///
    /// # Errors
    /// The library is not there, too old or not ONNX Runtime.
    pub fn find() -> Result<Self, EngineError> {
        Ok(Self { environment: environment()? })
    }
}

/// A process has one environment, whatever asks for it.
fn environment() -> Result<&'static Environment, EngineError> {
    static ENVIRONMENT: OnceLock<Result<Environment, (String, String)>> = OnceLock::new();
    let load = || {
        let library = library();
        let fail = |problem: String| (library.display().to_string(), problem);
        if !library.is_file() {
            return Err(fail("no such library of ONNX Runtime".into()));
        }
        let builder = ort::init_from(&library).map_err(|error| fail(error.to_string()))?;
        builder.with_telemetry(false).build().map_err(|error| fail(error.to_string()))
    };
    ENVIRONMENT.get_or_init(load).as_ref().map_err(|(library, problem)| EngineError::Library {
        library: library.clone(),
        problem: problem.clone(),
    })
}

fn library() -> PathBuf {
    let given = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty());
    given.map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../.toolchain/onnxruntime/libonnxruntime.so"),
        PathBuf::from,
    )
}

impl Engine for OnnxRuntime {
    fn name(&self) -> &'static str {
        NAME
    }

    fn load(&self, onnx: &[u8], _batch: usize) -> Result<Box<dyn Session>, EngineError> {
        let load = || {
            // All of its graph rewrites, integer kernels included, as a user's session has them by default.
            OrtSession::builder(self.environment)?
                .with_optimization_level(GraphOptimizationLevel::All)?
                .with_intra_threads(1)?
                .commit_from_memory(onnx)
        };
        Ok(Box::new(load().map_err(failed)?))
    }
}

impl Session for OrtSession {
    fn run(&mut self, inputs: &[Tensor]) -> Result<Tensor, EngineError> {
        let input = |tensor: &Tensor| -> ort::Result<SessionInputValue<'static>> {
            let shape = tensor.shape.clone();
            Ok(match &tensor.elements {
                Elements::Float(values) => OrtTensor::from_array((shape, values.clone()))?.into(),
                Elements::Int8(values) => OrtTensor::from_array((shape, values.clone()))?.into(),
            })
        };
        let inputs = inputs.iter().map(input).collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let outputs = OrtSession::run(self, inputs.as_slice()).map_err(failed)?;
        let output = &outputs[0];
        let elements = if let Ok((_, values)) = output.try_extract_tensor::<f32>() {
            Elements::Float(values.to_vec())
        } else {
            Elements::Int8(output.try_extract_tensor::<i8>().map_err(failed)?.1.to_vec())
        };
        Ok(Tensor { shape: output.shape().iter().map(|&size| size as usize).collect(), elements })
    }
}

fn failed<T>(error: ort::Error<T>) -> EngineError {
    EngineError::new(NAME, error)
}
