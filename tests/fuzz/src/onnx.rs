//! Changes to the structure of valid ONNX files: attributes, sizes, edges, types, constants, operators. Bytes that are changed at
//! random seldom leave a file that decodes; these always do, and reach what the importer makes of them.
//!
//! The fuzz target and a test of `bomp-export` share this file, so that one that is found by the first is kept by the second.

use bomp_export::onnx::proto::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto, Size, TensorProto,
};

/// Where choices come from: bytes of a fuzzer or of a random generator; zeros after the last.
pub struct Choices<'a>(pub &'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((&byte, rest)) => {
                self.0 = rest;
                byte
            }
            None => 0,
        }
    }

    /// Below `count`, which is at most 2^16 - 1.
    fn below(&mut self, count: usize) -> usize {
        let number = usize::from(u16::from_le_bytes([self.byte(), self.byte()]));
        number % count.max(1)
    }

    fn one<'t, T>(&mut self, of: &'t [T]) -> &'t T {
        &of[self.below(of.len())]
    }

    /// A size, an axis, a dilation: mostly one that arithmetic trips over.
    fn number(&mut self) -> i64 {
        const ODD: [i64; 24] = [
            0,
            1,
            -1,
            2,
            -2,
            3,
            4,
            7,
            14,
            15,
            16,
            17,
            255,
            1_024,
            30_000,
            65_535,
            65_536,
            1 << 31,
            1 << 32,
            1 << 40,
            1 << 62,
            i64::MAX - 1,
            i64::MAX,
            i64::MIN,
        ];
        *self.one(&ODD)
    }
}

const OPERATORS: [&str; 24] = [
    "Conv",
    "Gemm",
    "MatMul",
    "Add",
    "Relu",
    "Clip",
    "QuantizeLinear",
    "DequantizeLinear",
    "GlobalAveragePool",
    "AveragePool",
    "ReduceMean",
    "Flatten",
    "Reshape",
    "Squeeze",
    "Transpose",
    "Identity",
    "Dropout",
    "Softmax",
    "LogSoftmax",
    "Constant",
    "BatchNormalization",
    "QLinearConv",
    "If",
    "",
];
const ATTRIBUTES: [&str; 22] = [
    "axis",
    "axes",
    "perm",
    "group",
    "strides",
    "pads",
    "dilations",
    "kernel_shape",
    "auto_pad",
    "alpha",
    "transA",
    "transB",
    "keepdims",
    "ceil_mode",
    "count_include_pad",
    "output_dtype",
    "block_size",
    "allowzero",
    "value",
    "min",
    "max",
    "unknown",
];
const KINDS: [AttributeType; 6] = [
    AttributeType::Int,
    AttributeType::Ints,
    AttributeType::Float,
    AttributeType::String,
    AttributeType::Tensor,
    AttributeType::Undefined,
];
const TYPES: [DataType; 9] = [
    DataType::Float,
    DataType::Uint8,
    DataType::Int8,
    DataType::Int32,
    DataType::Int64,
    DataType::Double,
    DataType::Uint4,
    DataType::Int4,
    DataType::Undefined,
];

/// Changes `model` in one to four places.
pub fn mutate(model: &mut ModelProto, choices: &mut Choices<'_>) {
    for _ in 0..=choices.below(4) {
        let Some(graph) = model.graph.as_mut() else { return };
        match choices.below(16) {
            0..=4 => change_attribute(graph, choices),
            5..=7 => change_edge(graph, choices),
            8..=11 => change_constant(graph, choices),
            12 | 13 => change_nodes(graph, choices),
            14 => change_input(graph, choices),
            _ => {
                if let Some(set) = model.opset_import.first_mut() {
                    set.version = *choices.one(&[10, 11, 12, 13, 18, 21, 25, 0, i64::MAX]);
                }
            }
        }
    }
}

fn a_node<'g>(graph: &'g mut GraphProto, choices: &mut Choices<'_>) -> Option<&'g mut NodeProto> {
    let at = choices.below(graph.node.len());
    graph.node.get_mut(at)
}

fn change_attribute(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let Some(node) = a_node(graph, choices) else { return };
    let at = choices.below(node.attribute.len() + 1);
    if at == node.attribute.len() {
        node.attribute.push(AttributeProto {
            name: (*choices.one(&ATTRIBUTES)).into(),
            r#type: (*choices.one(&KINDS)).into(),
            i: choices.number(),
            ints: (0..choices.below(6)).map(|_| choices.number()).collect(),
            ..AttributeProto::default()
        });
        return;
    }
    let attribute = &mut node.attribute[at];
    match choices.below(10) {
        0..=5 => {
            attribute.i = choices.number();
            attribute.f = attribute.i as f32;
            if !attribute.ints.is_empty() {
                let at = choices.below(attribute.ints.len());
                attribute.ints[at] = choices.number();
            }
        }
        6 => attribute.ints.push(choices.number()),
        7 => drop(attribute.ints.pop()),
        8 => attribute.r#type = (*choices.one(&KINDS)).into(),
        _ => drop(node.attribute.remove(at)),
    }
}

/// The name of any value.
fn a_value(graph: &GraphProto, choices: &mut Choices<'_>) -> String {
    if choices.below(4) == 0 && !graph.initializer.is_empty() {
        return choices.one(&graph.initializer).name.clone();
    }
    match graph.node.get(choices.below(graph.node.len() + 1)).and_then(|node| node.output.first()) {
        Some(name) => name.clone(),
        None => graph.input.first().map(|input| input.name.clone()).unwrap_or_default(),
    }
}

fn change_edge(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let name = a_value(graph, choices);
    let Some(node) = a_node(graph, choices) else { return };
    let end = if choices.below(8) == 0 { &mut node.output } else { &mut node.input };
    match choices.below(8) {
        0 => end.push(name),
        1 => drop(end.pop()),
        _ if end.is_empty() => end.push(name),
        _ => {
            let at = choices.below(end.len());
            end[at] = name;
        }
    }
}

fn change_constant(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    if graph.initializer.is_empty() {
        return;
    }
    let at = choices.below(graph.initializer.len());
    let TensorProto { dims, data_type, raw_data, int32_data, .. } = &mut graph.initializer[at];
    match choices.below(10) {
        0 | 1 if !dims.is_empty() => {
            let at = choices.below(dims.len());
            dims[at] = choices.number();
        }
        0 | 2 => dims.push(choices.number()),
        1 | 3 => drop(dims.pop()),
        // Consistent: no elements at all, in any shape.
        4 => {
            raw_data.clear();
            *dims = vec![choices.number(), 0];
        }
        5 => *data_type = (*choices.one(&TYPES)).into(),
        6 => raw_data.truncate(choices.below(raw_data.len() + 1)),
        // A scale or a weight of any bits.
        7 if !raw_data.is_empty() => {
            let at = choices.below(raw_data.len()) & !3;
            let bits =
                *choices.one(&[0u32, 1, 0x7f80_0000, 0xff80_0000, 0x7fc0_0000, 0x7f7f_ffff, 0x8000_0001, !0]);
            for (byte, bits) in raw_data[at..].iter_mut().zip(bits.to_le_bytes()) {
                *byte = bits;
            }
        }
        8 => {
            raw_data.clear();
            let count = dims.iter().try_fold(1i64, |count, &dim| count.checked_mul(dim)).unwrap_or(1);
            *int32_data = vec![choices.number() as i32; count.clamp(0, 4_096) as usize];
        }
        _ => {
            // More channels than there were: one number repeated.
            let count = choices.below(2_000) + 1;
            if let Some(first) = dims.first_mut() {
                let row = raw_data.len() / usize::try_from(*first).unwrap_or(1).max(1);
                if row > 0 && row * count <= 1 << 16 {
                    *first = count as i64;
                    *raw_data = raw_data[..row].repeat(count);
                }
            }
        }
    }
}

fn change_nodes(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let (from, to) = (choices.below(graph.node.len()), choices.below(graph.node.len()));
    if graph.node.is_empty() {
        return;
    }
    match choices.below(6) {
        0 => graph.node.swap(from, to),
        1 => drop(graph.node.remove(from)),
        2 => {
            let node = graph.node[from].clone();
            graph.node.insert(to, node);
        }
        3 => graph.node[from].domain = (*choices.one(&["", "ai.onnx", "com.microsoft", "com.evil"])).into(),
        _ => graph.node[from].op_type = (*choices.one(&OPERATORS)).into(),
    }
}

fn change_input(graph: &mut GraphProto, choices: &mut Choices<'_>) {
    let tensor = graph.input.first_mut().and_then(|input| input.r#type.as_mut()?.tensor_type.as_mut());
    let Some(tensor) = tensor else { return };
    let Some(shape) = tensor.shape.as_mut() else { return };
    let size = Dimension { value: Some(Size::Known(choices.number())) };
    match choices.below(6) {
        0 => tensor.elem_type = (*choices.one(&TYPES)).into(),
        1 => shape.dim.push(size),
        2 => drop(shape.dim.pop()),
        _ if shape.dim.is_empty() => shape.dim.push(size),
        _ => {
            let at = choices.below(shape.dim.len());
            shape.dim[at] = size;
        }
    }
}
