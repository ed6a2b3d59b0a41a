//! Constants of an ONNX file as numbers, whatever field and type the file keeps them in.

use crate::onnx::proto::{DataType, TensorProto};

/// A constant tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    /// Element type.
    pub(super) kind: DataType,
    /// Every type here fits a double exactly.
    pub(super) values: Vec<f64>,
}

/// Integers and the real numbers that they stand for: what `DequantizeLinear` makes of a constant.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantised {
    pub(super) dims: Vec<usize>,
    /// Less their zero points, [`Self::dims`].
    pub(super) integers: Vec<i32>,
    /// One step, or one for each index of `axis`.
    pub(super) scales: Vec<f64>,
    pub(super) axis: usize,
}

impl Constant {
    /// Reads a tensor of the file.
    pub(super) fn read(tensor: &TensorProto) -> Result<Self, String> {
        let wrong = |problem: &str| Err(format!("constant `{}` {problem}", tensor.name));
        if tensor.data_location != 0 || !tensor.external_data.is_empty() {
            return wrong("lies in another file: save the model as one file");
        }
        let mut count = Some(1usize);
        let mut dims = Vec::with_capacity(tensor.dims.len());
        for &dim in &tensor.dims {
            let Ok(dim) = usize::try_from(dim) else { return wrong("has a negative size") };
            count = count.and_then(|count| count.checked_mul(dim));
            dims.push(dim);
        }
        let Some(count) = count.filter(|&count| count <= 1 << 28) else { return wrong("is absurdly large") };
        let Ok(kind) = DataType::try_from(tensor.data_type) else {
            return wrong("has a type that is not supported");
        };
        let raw = &tensor.raw_data;
        let values: Vec<f64> = match kind {
            DataType::Float if raw.is_empty() => tensor.float_data.iter().map(|&v| f64::from(v)).collect(),
            DataType::Float => raw.as_chunks().0.iter().map(|&v| f64::from(f32::from_le_bytes(v))).collect(),
            DataType::Double if raw.is_empty() => tensor.double_data.clone(),
            DataType::Double => raw.as_chunks().0.iter().map(|&v| f64::from_le_bytes(v)).collect(),
            DataType::Int64 if raw.is_empty() => tensor.int64_data.iter().map(|&v| v as f64).collect(),
            DataType::Int64 => raw.as_chunks().0.iter().map(|&v| i64::from_le_bytes(v) as f64).collect(),
            DataType::Int32 if !raw.is_empty() => {
                raw.as_chunks().0.iter().map(|&v| f64::from(i32::from_le_bytes(v))).collect()
            }
            DataType::Int8 if !raw.is_empty() => raw.iter().map(|&v| f64::from(v as i8)).collect(),
            DataType::Uint8 if !raw.is_empty() => raw.iter().map(|&v| f64::from(v)).collect(),
            // Two elements in a byte, the first in the low half.
            DataType::Int4 | DataType::Uint4 => {
                let bytes: Vec<u8> = if raw.is_empty() {
                    tensor.int32_data.iter().map(|&v| v as u8).collect()
                } else {
                    raw.clone()
                };
                let nibbles = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
                let signed = kind == DataType::Int4;
                let value =
                    |nibble: u8| f64::from(if signed { ((nibble << 4) as i8) >> 4 } else { nibble as i8 });
                nibbles.map(value).take(count).collect()
            }
            DataType::Int32 | DataType::Int8 | DataType::Uint8 => {
                tensor.int32_data.iter().map(|&v| f64::from(v)).collect()
            }
            DataType::Undefined => return wrong("has no type"),
        };
        if values.len() == count {
            Ok(Self { dims, kind, values })
        } else {
            wrong("has too few or too many elements")
        }
    }

    /// The only element.
    pub(super) fn scalar(&self) -> Option<f64> {
        match self.values[..] {
            [value] => Some(value),
            _ => None,
        }
    }

    /// Whether the elements are integers by type.
    pub(super) fn is_integer(&self) -> bool {
        !matches!(self.kind, DataType::Float | DataType::Double)
    }
}

impl Quantised {
    /// What `DequantizeLinear` with `scale` and `zero_point` along `axis` makes of `integers`.
    pub(super) fn new(
        integers: &Constant,
        scale: &Constant,
        zero_point: Option<&Constant>,
        axis: i64,
    ) -> Result<Self, String> {
        if !integers.is_integer() {
            return Err("it dequantises what is not an integer".into());
        }
        let rank = integers.dims.len();
        let per_tensor = scale.values.len() == 1;
        let axis = if axis < 0 { axis + rank as i64 } else { axis };
        let axis = usize::try_from(axis).ok().filter(|&axis| axis < rank);
        let axis = match axis {
            Some(axis) => axis,
            None if per_tensor => 0,
            None => return Err("its axis is not one of its tensor's".into()),
        };
        if !per_tensor && scale.values.len() != integers.dims[axis] {
            return Err(
                "it has blocks of scales along an axis: only one scale, or one for each index, is supported"
                    .into(),
            );
        }
        if let Some(bad) = scale.values.iter().find(|&&scale| !(1e-30..1e30).contains(&scale)) {
            return Err(format!("its scale is {bad:e}"));
        }
        let zeros = zero_point.map_or(&[][..], |zero_point| &zero_point.values);
        if !(zeros.is_empty() || zeros.len() == 1 || zeros.len() == scale.values.len()) {
            return Err("it has not as many zero points as scales".into());
        }
        let inner: usize = integers.dims[(axis + 1).min(rank)..].iter().product::<usize>().max(1);
        let length = integers.dims.get(axis).copied().unwrap_or(1).max(1);
        let zero = |at: usize| match zeros {
            [] => 0.0,
            [zero] => *zero,
            _ => zeros[at / inner % length],
        };
        // int32 and int8 less a zero point of their own type: within 33 bits, so exact in a double.
        let differences = integers.values.iter().enumerate().map(|(at, value)| value - zero(at));
        let integers_less_zero: Option<Vec<i32>> =
            differences.map(|v| (v.abs() <= f64::from(i32::MAX)).then_some(v as i32)).collect();
        Ok(Self {
            dims: integers.dims.clone(),
            integers: integers_less_zero.ok_or("its integers less their zero points do not fit int32")?,
            scales: scale.values.clone(),
            axis,
        })
    }

    /// Step of index `index` of `axis`, `None` if the steps belong to another axis.
    pub(super) fn scale(&self, axis: usize, index: usize) -> Option<f64> {
        match self.scales[..] {
            [scale] => Some(scale),
            _ if self.axis == axis => self.scales.get(index).copied(),
            _ => None,
        }
    }

    /// Of a matrix, rows for columns.
    pub(super) fn transposed(&self) -> Option<Self> {
        let &[rows, columns] = &self.dims[..] else { return None };
        let order = (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
        Some(Self {
            dims: vec![columns, rows],
            integers: order.map(|at| self.integers[at]).collect(),
            scales: self.scales.clone(),
            axis: 1 - self.axis.min(1),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_bit_elements_are_two_in_a_byte() {
        let tensor = TensorProto {
            dims: vec![3],
            data_type: DataType::Int4.into(),
            name: "w".into(),
            raw_data: vec![0x8F, 0x07],
            ..TensorProto::default()
        };
        assert_eq!(Constant::read(&tensor).unwrap().values, [-1.0, -8.0, 7.0]);
        let unsigned = TensorProto { data_type: DataType::Uint4.into(), ..tensor.clone() };
        assert_eq!(Constant::read(&unsigned).unwrap().values, [15.0, 8.0, 7.0]);
        let short = TensorProto { dims: vec![5], ..tensor };
        assert!(Constant::read(&short).unwrap_err().contains("too few"));
    }

    #[test]
    fn zero_points_are_taken_along_their_axis() {
        let integers = Constant { dims: vec![2, 2], kind: DataType::Uint8, values: vec![1.0, 2.0, 3.0, 4.0] };
        let two = |a, b| Constant { dims: vec![2], kind: DataType::Float, values: vec![a, b] };
        let rows = Quantised::new(&integers, &two(0.5, 2.0), Some(&two(1.0, 3.0)), 0).unwrap();
        assert_eq!(
            (&rows.integers[..], rows.scale(0, 1), rows.scale(1, 1)),
            (&[0, 1, 0, 1][..], Some(2.0), None)
        );
        let columns = Quantised::new(&integers, &two(0.5, 2.0), Some(&two(1.0, 3.0)), -1).unwrap();
        assert_eq!(columns.integers, [0, -1, 2, 1]);
        let turned = columns.transposed().unwrap();
        assert_eq!((&turned.integers[..], turned.axis), (&[0, 2, -1, 1][..], 0));
    }
}
