//! Files that no import can succeed on, told apart by what they are, each with the way to one that can be imported.

use crate::onnx::proto::ModelProto;

/// How a float network becomes one that can be imported.
const STATIC: &str = "quantise it with calibration images: onnxruntime.quantization.quantize_static(\"float.onnx\", \"qdq.onnx\", \
                      reader, quant_format=QuantFormat.QDQ, activation_type=QuantType.QInt8, weight_type=QuantType.QInt8, \
                      per_channel=True), as tests/onnx/recipe.py does";

/// What the file is instead of a QDQ network, and the way out; `None` where its nodes have to be looked at one by one.
pub(super) fn unsuited(model: &ModelProto) -> Option<String> {
    let nodes = &model.graph.as_ref()?.node;
    let has =
        |wanted: &dyn Fn(&str, &str) -> bool| nodes.iter().any(|node| wanted(&node.op_type, &node.domain));
    if has(&|op, domain| {
        let quantises = matches!(op, "Quant" | "IntQuant" | "BipolarQuant" | "FloatQuant" | "Trunc");
        domain.starts_with("qonnx") || (quantises && !domain.is_empty())
    }) {
        let convert = "`python -m qonnx.util.convert FILE.onnx` writes FILE_qcdq.onnx; Brevitas writes it itself with \
                       brevitas.export.export_onnx_qcdq";
        return Some(format!("it is a QONNX network, not QDQ: {convert}"));
    }
    if has(&|op, _| matches!(op, "DynamicQuantizeLinear" | "MatMulInteger" | "ConvInteger")) {
        return Some(format!(
            "it is quantised dynamically, so its activations have no fixed steps: {STATIC}"
        ));
    }
    if has(&|op, domain| domain == "ai.onnx.ml" || op.starts_with("TreeEnsemble")) {
        return Some(
            "it is a model of scikit-learn or the like (ai.onnx.ml), not a neural network: train a network"
                .into(),
        );
    }
    let quantised =
        |op: &str, _: &str| op.contains("QuantizeLinear") || op.contains("QLinear") || op.contains("QGemm");
    if !nodes.is_empty() && !has(&quantised) {
        return Some(format!("it is a float network, nothing in it is quantised: {STATIC}"));
    }
    None
}
