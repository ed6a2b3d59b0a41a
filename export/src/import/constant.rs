//! Constants of an ONNX file as numbers, whatever field and type the file keeps them in.

use crate::onnx::proto::{DataType, TensorProto};

/// Most dimensions of a tensor; nothing here has more than 4.
const MOST_DIMENSIONS: usize = 8;

/// A constant tensor, row-major.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Constant {
    pub(super) dims: Vec<usize>,
    /// Element type.
    pub(super) kind: DataType,
    /// Every type here fits a double exactly, but int64 beyond 2^53, which no size and no axis reaches.
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
        if tensor.dims.len() > MOST_DIMENSIONS {
            return wrong("has more than 8 dimensions");
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
        let typed = [
            tensor.float_data.len(),
            tensor.int32_data.len(),
            tensor.int64_data.len(),
            tensor.double_data.len(),
        ];
        if typed.iter().filter(|&&length| length > 0).count() + usize::from(!raw.is_empty()) > 1 {
            return wrong("has its elements twice");
        }
        // Elements of the smaller integer types, where each has an int32 of the file to itself.
        let within = |range: std::ops::RangeInclusive<i32>| -> Option<Vec<i32>> {
            tensor.int32_data.iter().map(|v| range.contains(v).then_some(*v)).collect()
        };
        let whole = |size: usize| count.checked_mul(size) == Some(raw.len());
        let values: Vec<f64> = match kind {
            DataType::Float if raw.is_empty() => tensor.float_data.iter().map(|&v| f64::from(v)).collect(),
            DataType::Double if raw.is_empty() => tensor.double_data.clone(),
            DataType::Int64 if raw.is_empty() => tensor.int64_data.iter().map(|&v| v as f64).collect(),
            DataType::Int32 if raw.is_empty() => tensor.int32_data.iter().map(|&v| f64::from(v)).collect(),
            DataType::Int8 | DataType::Uint8 if raw.is_empty() => {
                let range = if kind == DataType::Int8 { -128..=127 } else { 0..=255 };
                let Some(values) = within(range) else {
                    return wrong("has elements that its type cannot hold");
                };
                values.into_iter().map(f64::from).collect()
            }
            DataType::Float if whole(4) => {
                raw.as_chunks().0.iter().map(|&v| f64::from(f32::from_le_bytes(v))).collect()
            }
            DataType::Double if whole(8) => {
                raw.as_chunks().0.iter().map(|&v| f64::from_le_bytes(v)).collect()
            }
            DataType::Int64 if whole(8) => {
                raw.as_chunks().0.iter().map(|&v| i64::from_le_bytes(v) as f64).collect()
            }
            DataType::Int32 if whole(4) => {
                raw.as_chunks().0.iter().map(|&v| f64::from(i32::from_le_bytes(v))).collect()
            }
            DataType::Int8 => raw.iter().map(|&v| f64::from(v as i8)).collect(),
            DataType::Uint8 => raw.iter().map(|&v| f64::from(v)).collect(),
            // Two elements in a byte, the first in the low half.
            DataType::Int4 | DataType::Uint4 => {
                let bytes: Vec<u8> = if raw.is_empty() {
                    let Some(bytes) = within(-128..=255) else {
                        return wrong("has elements that its type cannot hold");
                    };
                    bytes.into_iter().map(|v| v as u8).collect()
                } else {
                    raw.clone()
                };
                if bytes.len() != count.div_ceil(2) {
                    return wrong("has too few or too many elements");
                }
                let nibbles = bytes.iter().flat_map(|byte| [byte & 15, byte >> 4]);
                let signed = kind == DataType::Int4;
                let value =
                    |nibble: u8| f64::from(if signed { ((nibble << 4) as i8) >> 4 } else { nibble as i8 });
                nibbles.map(value).take(count).collect()
            }
            DataType::Undefined => return wrong("has no type"),
            DataType::Float | DataType::Double | DataType::Int64 | DataType::Int32 => {
                return wrong("has too few or too many elements");
            }
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

/// Index of a dimension of `rank`; those below 0 count from the end.
pub(super) fn index(axis: i64, rank: usize) -> Option<usize> {
    let axis = if axis < 0 { axis.checked_add_unsigned(rank as u64)? } else { axis };
    usize::try_from(axis).ok().filter(|&axis| axis < rank)
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
        if integers.values.is_empty() {
            return Err("it dequantises a constant without elements".into());
        }
        if scale.is_integer() || zero_point.is_some_and(|zero_point| zero_point.kind != integers.kind) {
            return Err(
                "its scale is not a float, or its zero point is of another type than its integers".into()
            );
        }
        let rank = integers.dims.len();
        let per_tensor = scale.values.len() == 1;
        let axis = index(axis, rank);
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
        let inner: usize = integers.dims.iter().skip(axis + 1).product();
        let length = integers.dims.get(axis).copied().unwrap_or(1);
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
        let two = |kind, a, b| Constant { dims: vec![2], kind, values: vec![a, b] };
        let scales = two(DataType::Float, 0.5, 2.0);
        let zeros = two(DataType::Uint8, 1.0, 3.0);
        let rows = Quantised::new(&integers, &scales, Some(&zeros), 0).unwrap();
        assert_eq!(
            (&rows.integers[..], rows.scale(0, 1), rows.scale(1, 1)),
            (&[0, 1, 0, 1][..], Some(2.0), None)
        );
        let columns = Quantised::new(&integers, &scales, Some(&zeros), -1).unwrap();
        assert_eq!(columns.integers, [0, -1, 2, 1]);
        let turned = columns.transposed().unwrap();
        assert_eq!((&turned.integers[..], turned.axis), (&[0, 2, -1, 1][..], 0));
    }

    #[test]
    fn elements_are_as_many_as_the_sizes_say_and_within_their_type() {
        let tensor = |data_type: DataType, dims: &[i64]| TensorProto {
            dims: dims.to_vec(),
            data_type: data_type.into(),
            name: "c".into(),
            ..TensorProto::default()
        };
        let read = |tensor: TensorProto| Constant::read(&tensor).map(|constant| constant.values);
        let raw = |kind, dims: &[i64], raw: &[u8]| {
            read(TensorProto { raw_data: raw.to_vec(), ..tensor(kind, dims) })
        };
        assert_eq!(raw(DataType::Float, &[1], &1.5f32.to_le_bytes()), Ok(vec![1.5]));
        for problem in [
            raw(DataType::Float, &[1], &[0; 7]),
            raw(DataType::Int4, &[2], &[0; 2]),
            raw(DataType::Uint8, &[1 << 40, 1 << 40], &[0]),
            raw(DataType::Uint8, &[1; 9], &[0]),
            raw(DataType::Uint8, &[-1], &[]),
            read(TensorProto { int32_data: vec![i32::MIN], ..tensor(DataType::Uint8, &[1]) }),
            read(TensorProto { int32_data: vec![128], ..tensor(DataType::Int8, &[1]) }),
            read(TensorProto { int32_data: vec![1], raw_data: vec![1], ..tensor(DataType::Int8, &[1]) }),
        ] {
            assert!(problem.unwrap_err().starts_with("constant `c` "));
        }
        assert_eq!(raw(DataType::Uint8, &[1 << 40, 0], &[]), Ok(vec![]));
    }

    #[test]
    fn axes_count_from_both_ends() {
        assert_eq!([0, 3, -1, -4].map(|axis| index(axis, 4)), [Some(0), Some(3), Some(3), Some(0)]);
        assert_eq!([4, -5, i64::MIN, i64::MAX].map(|axis| index(axis, 4)), [None; 4]);
    }
}
