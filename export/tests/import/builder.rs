//! Small QDQ files, node by node, as other tools write them.

use bomp_export::onnx::proto::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto, Size, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

/// A graph under construction whose input is `x`, [N, `sizes`].
pub(crate) struct Builder {
    graph: GraphProto,
    /// uint8 or int8 activations.
    unsigned: bool,
}

impl Builder {
    pub(crate) fn new(sizes: [usize; 3], unsigned: bool) -> Self {
        let graph =
            GraphProto { name: "test".into(), input: vec![info("x", &sizes)], ..GraphProto::default() };
        Self { graph, unsigned }
    }

    pub(crate) fn constant(
        &mut self,
        name: &str,
        kind: DataType,
        dims: &[usize],
        raw_data: Vec<u8>,
    ) -> String {
        let dims = dims.iter().map(|&dim| dim as i64).collect();
        let tensor = TensorProto {
            dims,
            data_type: kind.into(),
            name: name.into(),
            raw_data,
            ..TensorProto::default()
        };
        self.graph.initializer.push(tensor);
        name.into()
    }

    pub(crate) fn floats(&mut self, name: &str, dims: &[usize], values: &[f32]) -> String {
        self.constant(
            name,
            DataType::Float,
            dims,
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }

    pub(crate) fn node(
        &mut self,
        op_type: &str,
        name: &str,
        input: &[&str],
        attribute: Vec<AttributeProto>,
    ) -> String {
        let output = format!("{name}:out");
        self.graph.node.push(NodeProto {
            input: input.iter().map(|&input| input.into()).collect(),
            output: vec![output.clone()],
            name: name.into(),
            op_type: op_type.into(),
            attribute,
            domain: String::new(),
        });
        output
    }

    /// Quantises and dequantises a value; `zero_point` is int8's, and becomes uint8's where activations are unsigned.
    pub(crate) fn quantised(&mut self, value: &str, scale: f32, zero_point: i8) -> String {
        let (name, unsigned) = (format!("{value}/q"), self.unsigned);
        let scale = self.floats(&format!("{name}/scale"), &[], &[scale]);
        let (kind, byte) = if unsigned {
            (DataType::Uint8, zero_point as u8 ^ 0x80)
        } else {
            (DataType::Int8, zero_point as u8)
        };
        let zero = self.constant(&format!("{name}/zero"), kind, &[], vec![byte]);
        let elements = self.node("QuantizeLinear", &name, &[value, &scale, &zero], vec![]);
        self.node("DequantizeLinear", &format!("{name}/dq"), &[&elements, &scale, &zero], vec![])
    }

    /// Dequantised int8 weights with one scale for each index of `axis`.
    pub(crate) fn weights(
        &mut self,
        name: &str,
        dims: &[usize],
        values: &[i8],
        scales: &[f32],
        axis: usize,
    ) -> String {
        let bytes = values.iter().map(|&value| value as u8).collect();
        let integers = self.constant(name, DataType::Int8, dims, bytes);
        let sizes = if scales.len() == 1 { vec![] } else { vec![scales.len()] };
        let scale = self.floats(&format!("{name}/scale"), &sizes, scales);
        self.node(
            "DequantizeLinear",
            &format!("{name}/dq"),
            &[&integers, &scale],
            vec![int("axis", axis as i64)],
        )
    }

    /// The file, with output `value`, [N, `classes`].
    pub(crate) fn finish(mut self, value: &str, classes: usize) -> Vec<u8> {
        self.graph.output.push(info(value, &[classes]));
        ModelProto {
            ir_version: 10,
            opset_import: vec![OperatorSetIdProto { domain: String::new(), version: 21 }],
            graph: Some(self.graph),
            ..ModelProto::default()
        }
        .encode_to_vec()
    }
}

fn info(name: &str, sizes: &[usize]) -> ValueInfoProto {
    let batch = Dimension { value: Some(Size::Named("N".into())) };
    let known = sizes.iter().map(|&size| Dimension { value: Some(Size::Known(size as i64)) });
    let shape = TensorShapeProto { dim: std::iter::once(batch).chain(known).collect() };
    let tensor = TensorTypeProto { elem_type: DataType::Float.into(), shape: Some(shape) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}

pub(crate) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int.into(),
        i: value,
        ..AttributeProto::default()
    }
}

pub(crate) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints,
        ..AttributeProto::default()
    }
}
