//! Builds an ONNX graph node by node; knows ONNX's conventions and nothing of networks.

use super::proto::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, NodeProto, Size, TensorProto,
    TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// Name of the dimension that counts images, which is free.
pub const BATCH: &str = "N";

/// A graph under construction.
#[derive(Default)]
pub(super) struct Graph(pub(super) GraphProto);

impl Graph {
    /// Adds a constant and returns its name.
    pub(super) fn floats(&mut self, name: String, dims: &[usize], values: &[f32]) -> String {
        self.constant(
            name,
            DataType::Float,
            dims,
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }

    /// Adds a constant and returns its name.
    pub(super) fn int8s(&mut self, name: String, dims: &[usize], values: &[i8]) -> String {
        self.constant(
            name,
            DataType::Int8,
            dims,
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }

    /// Adds a constant of 4-bit integers, two in a byte, the first in the low half, and returns its name.
    pub(super) fn int4s(&mut self, name: String, dims: &[usize], values: &[i8]) -> String {
        let byte = |pair: &[i8]| (pair[0] & 15) as u8 | (pair.get(1).copied().unwrap_or(0) << 4) as u8;
        self.constant(name, DataType::Int4, dims, values.chunks(2).map(byte).collect())
    }

    /// Adds a constant and returns its name.
    pub(super) fn int32s(&mut self, name: String, dims: &[usize], values: &[i32]) -> String {
        self.constant(
            name,
            DataType::Int32,
            dims,
            values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        )
    }

    fn constant(&mut self, name: String, data_type: DataType, dims: &[usize], raw_data: Vec<u8>) -> String {
        let dims = dims.iter().map(|&size| size as i64).collect();
        self.0.initializer.push(TensorProto {
            dims,
            data_type: data_type.into(),
            name: name.clone(),
            raw_data,
            ..TensorProto::default()
        });
        name
    }

    /// Adds a node with one output and returns the output's name.
    pub(super) fn node(
        &mut self,
        op_type: &str,
        name: String,
        input: Vec<String>,
        output: String,
        attribute: Vec<AttributeProto>,
    ) -> String {
        let node = NodeProto {
            input,
            output: vec![output.clone()],
            name,
            op_type: op_type.into(),
            attribute,
            domain: String::new(),
        };
        self.0.node.push(node);
        output
    }
}

/// An integer attribute.
pub(super) fn int(name: &str, value: usize) -> AttributeProto {
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Int.into(),
        i: value as i64,
        ..AttributeProto::default()
    }
}

/// An attribute that is a list of integers.
pub(super) fn ints(name: &str, values: &[usize]) -> AttributeProto {
    let ints = values.iter().map(|&value| value as i64).collect();
    AttributeProto {
        name: name.into(),
        r#type: AttributeType::Ints.into(),
        ints,
        ..AttributeProto::default()
    }
}

/// Name and type of a tensor [N, `sizes`], N being any batch size.
pub(super) fn tensor(name: &str, element: DataType, sizes: &[usize]) -> ValueInfoProto {
    let batch = Size::Named(BATCH.into());
    let known = sizes.iter().map(|&size| Size::Known(size as i64));
    let dim = std::iter::once(batch).chain(known).map(|value| Dimension { value: Some(value) }).collect();
    let tensor = TensorTypeProto { elem_type: element.into(), shape: Some(TensorShapeProto { dim }) };
    ValueInfoProto { name: name.into(), r#type: Some(TypeProto { tensor_type: Some(tensor) }) }
}
