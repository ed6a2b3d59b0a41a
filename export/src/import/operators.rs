//! What is known of ONNX's operators: their domains, how many inputs each has, and which attributes of which type. What is not
//! listed here could change what a node computes, so it is refused by its name instead of being passed over.

use crate::onnx::proto::{AttributeProto, AttributeType, ModelProto, NodeProto};

use AttributeType::{Float, Int, Ints, String as Text, Tensor};

/// Versions of ONNX's operator set whose meaning is known. QuantizeLinear came with 10.
const OPSETS: std::ops::RangeInclusive<i64> = 10..=25;
/// What ONNX's own domain is called.
const OWN: [&str; 2] = ["", "ai.onnx"];

/// An operator.
struct Operator {
    name: &'static str,
    /// Most inputs.
    inputs: usize,
    attributes: &'static [(&'static str, AttributeType)],
}

const AUTO_PAD: (&str, AttributeType) = ("auto_pad", Text);
const KERNEL: (&str, AttributeType) = ("kernel_shape", Ints);
const STRIDES: (&str, AttributeType) = ("strides", Ints);
const PADS: (&str, AttributeType) = ("pads", Ints);
const DILATIONS: (&str, AttributeType) = ("dilations", Ints);

const OPERATORS: [Operator; 20] = [
    Operator { name: "Constant", inputs: 0, attributes: &[("value", Tensor)] },
    Operator { name: "Identity", inputs: 1, attributes: &[] },
    Operator { name: "Dropout", inputs: 3, attributes: &[("ratio", Float), ("seed", Int)] },
    Operator {
        name: "QuantizeLinear",
        inputs: 3,
        attributes: &[
            ("axis", Int),
            ("saturate", Int),
            ("block_size", Int),
            ("output_dtype", Int),
            ("precision", Int),
        ],
    },
    Operator {
        name: "DequantizeLinear",
        inputs: 3,
        attributes: &[("axis", Int), ("block_size", Int), ("output_dtype", Int)],
    },
    Operator { name: "Relu", inputs: 1, attributes: &[] },
    Operator { name: "Clip", inputs: 3, attributes: &[("min", Float), ("max", Float)] },
    Operator { name: "Transpose", inputs: 1, attributes: &[("perm", Ints)] },
    Operator { name: "Flatten", inputs: 1, attributes: &[("axis", Int)] },
    Operator { name: "Reshape", inputs: 2, attributes: &[("allowzero", Int)] },
    Operator { name: "Squeeze", inputs: 2, attributes: &[("axes", Ints)] },
    Operator { name: "Softmax", inputs: 1, attributes: &[("axis", Int)] },
    Operator { name: "LogSoftmax", inputs: 1, attributes: &[("axis", Int)] },
    Operator {
        name: "Conv",
        inputs: 3,
        attributes: &[AUTO_PAD, KERNEL, STRIDES, PADS, DILATIONS, ("group", Int)],
    },
    Operator {
        name: "Gemm",
        inputs: 3,
        attributes: &[("alpha", Float), ("beta", Float), ("transA", Int), ("transB", Int)],
    },
    Operator { name: "MatMul", inputs: 2, attributes: &[] },
    Operator { name: "Add", inputs: 2, attributes: &[] },
    Operator { name: "GlobalAveragePool", inputs: 1, attributes: &[] },
    Operator {
        name: "ReduceMean",
        inputs: 2,
        attributes: &[("axes", Ints), ("keepdims", Int), ("noop_with_empty_axes", Int)],
    },
    Operator {
        name: "AveragePool",
        inputs: 1,
        attributes: &[
            AUTO_PAD,
            KERNEL,
            STRIDES,
            PADS,
            DILATIONS,
            ("ceil_mode", Int),
            ("count_include_pad", Int),
        ],
    },
];

/// The version of ONNX's operator set that a file is written in.
pub(super) fn opset(model: &ModelProto) -> Result<i64, String> {
    if let Some(function) = model.functions.iter().find(|function| OWN.contains(&function.domain.as_str())) {
        return Err(format!(
            "it defines the operator `{}` in ONNX's own domain: export it with functions inlined",
            function.name
        ));
    }
    let mut versions = model.opset_import.iter().filter(|set| OWN.contains(&set.domain.as_str()));
    let Some(first) = versions.next() else {
        return Err(
            "its opset_import does not say which version of ONNX's operators it uses: export it again".into(),
        );
    };
    if versions.any(|other| other.version != first.version) {
        return Err("its opset_import names two versions of ONNX's operators: export it again".into());
    }
    if OPSETS.contains(&first.version) {
        Ok(first.version)
    } else {
        Err(format!(
            "it uses opset {}, and {} to {} are known: export it with opset 21",
            first.version,
            OPSETS.start(),
            OPSETS.end()
        ))
    }
}

/// Refuses a node of which anything is unknown. An operator that is not listed is the walk's to refuse.
pub(super) fn check(node: &NodeProto) -> Result<(), String> {
    let domain = node.domain.as_str();
    let known = match node.op_type.as_str() {
        // ONNX Runtime's own quantisers mean the same as ONNX's.
        "QuantizeLinear" | "DequantizeLinear" => OWN.contains(&domain) || domain == "com.microsoft",
        name => OWN.contains(&domain) || is_integer_operator(name),
    };
    if !known {
        return Err(format!(
            "it is an operator of the domain `{domain}`: only ONNX's own operators are known"
        ));
    }
    let Some(operator) = OPERATORS.iter().find(|operator| operator.name == node.op_type) else {
        return Ok(());
    };
    let given = node.input.iter().rposition(|input| !input.is_empty()).map_or(0, |last| last + 1);
    if given > operator.inputs {
        return Err(format!("it has {given} inputs, and at most {} are known", operator.inputs));
    }
    for (index, attribute) in node.attribute.iter().enumerate() {
        let AttributeProto { name, r#type, ref_attr_name, .. } = attribute;
        let Some((_, kind)) = operator.attributes.iter().find(|(known, _)| known == name) else {
            return Err(format!("its attribute `{name}` is not known: export it without"));
        };
        if i32::from(*kind) != *r#type || !ref_attr_name.is_empty() {
            return Err(format!("its attribute `{name}` is not of the type {kind:?}: export it again"));
        }
        // An operator has at most seven, so this is no long search.
        if index >= operator.attributes.len()
            || node.attribute[..index].iter().any(|other| other.name == *name)
        {
            return Err(format!("its attribute `{name}` is given twice: export it again"));
        }
    }
    Ok(())
}

/// Operators that compute with integers themselves, in whatever domain.
pub(super) fn is_integer_operator(name: &str) -> bool {
    ["QLinearConv", "QLinearMatMul", "QLinearAdd", "QGemm", "ConvInteger", "MatMulInteger"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::proto::OperatorSetIdProto;

    fn node(op_type: &str, attribute: Vec<AttributeProto>) -> NodeProto {
        NodeProto { op_type: op_type.into(), attribute, ..NodeProto::default() }
    }

    fn attribute(name: &str, kind: AttributeType) -> AttributeProto {
        AttributeProto { name: name.into(), r#type: kind.into(), ..AttributeProto::default() }
    }

    #[test]
    fn whatever_is_unknown_is_refused_by_name() {
        assert_eq!(check(&node("Flatten", vec![attribute("axis", Int)])), Ok(()));
        for (node, words) in [
            (node("Flatten", vec![attribute("angle", Int)]), "`angle`"),
            (node("Flatten", vec![attribute("axis", Float)]), "type Int"),
            (node("Conv", vec![attribute("group", Int), attribute("group", Int)]), "`group` is given twice"),
            (NodeProto { domain: "com.evil".into(), ..node("Identity", vec![]) }, "`com.evil`"),
            (NodeProto { domain: "com.microsoft".into(), ..node("Conv", vec![]) }, "`com.microsoft`"),
            (NodeProto { input: vec!["a".into(); 2], ..node("Relu", vec![]) }, "2 inputs"),
        ] {
            let problem = check(&node).unwrap_err();
            assert!(problem.contains(words), "{problem}");
        }
        let microsoft = NodeProto { domain: "com.microsoft".into(), ..node("QuantizeLinear", vec![]) };
        assert_eq!(check(&microsoft), Ok(()));
        // An input that is left out has an empty name.
        assert_eq!(
            check(&NodeProto { input: vec!["a".into(), String::new()], ..node("Relu", vec![]) }),
            Ok(())
        );
    }

    #[test]
    fn the_opset_has_to_be_known() {
        let set = |domain: &str, version| OperatorSetIdProto { domain: domain.into(), version };
        let of = |sets: &[OperatorSetIdProto]| {
            opset(&ModelProto { opset_import: sets.to_vec(), ..ModelProto::default() })
        };
        assert_eq!(of(&[set("com.evil", 1), set("ai.onnx", 13)]), Ok(13));
        for (sets, words) in [
            (&[][..], "does not say"),
            (&[set("", 9)], "opset 9"),
            (&[set("", 99)], "opset 99"),
            (&[set("", 13), set("ai.onnx", 14)], "two versions"),
        ] {
            assert!(of(sets).unwrap_err().contains(words));
        }
    }
}
