//! ONNX's convolutions as the runtime's: square kernels, one stride, no dilation, all channels or one.
//!
//! What the runtime does not have is spelled out with weights of 0: rectangular and dilated kernels become square ones, the
//! groups of a grouped convolution become blocks of a full one. The result is the same to the last bit; the zeros cost bytes.

use std::rc::Rc;

use crate::ir::{Shape, Window};

use super::budget::Budget;
use super::constant::Quantised;
use super::draft::{Kind, Weights};
use super::graph::Attributes;

/// Largest kernel and stride of the runtime.
const LARGEST: usize = 15;

/// Kernel size, strides, padding [top, left, bottom, right] of a node.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    kernel: [usize; 2],
    dilations: [usize; 2],
    stride: usize,
    padding: [usize; 4],
}

impl Geometry {
    /// Reads a node's attributes; `kernel` is that of its weights, if it has any.
    pub(super) fn read(
        attributes: &Attributes<'_>,
        kernel: Option<[usize; 2]>,
        input: Shape,
    ) -> Result<Self, String> {
        let kernel = attributes.sizes("kernel_shape", kernel.unwrap_or([0, 0]))?;
        let strides = attributes.sizes("strides", [1, 1])?;
        let dilations = attributes.sizes("dilations", [1, 1])?;
        if kernel.contains(&0) || dilations.contains(&0) || strides.contains(&0) {
            return Err("it has a kernel, stride or dilation of 0".into());
        }
        if strides[0] != strides[1] || strides[0] > LARGEST {
            return Err(format!(
                "strides {}x{}: equal ones of at most {LARGEST} are supported",
                strides[0], strides[1]
            ));
        }
        // Before they are used in any arithmetic: these numbers come from a file and may be as large as they like.
        let reach = [0, 1].map(|axis| {
            let reach = (kernel[axis] - 1).checked_mul(dilations[axis])?.checked_add(1)?;
            (reach <= LARGEST).then_some(reach)
        });
        let [Some(height), Some(width)] = reach else {
            return Err(format!(
                "its kernel of {}x{} with dilations {}x{} reaches too far: at most {LARGEST}x{LARGEST} is supported",
                kernel[0], kernel[1], dilations[0], dilations[1]
            ));
        };
        let stride = strides[0];
        let same =
            |size: usize, reach: usize| ((size.div_ceil(stride) - 1) * stride + reach).saturating_sub(size);
        let (vertical, horizontal) = (same(input.height, height), same(input.width, width));
        let padding = match attributes.text("auto_pad")? {
            None | Some("NOTSET" | "") => attributes.sizes("pads", [0; 4])?,
            Some("VALID") => [0; 4],
            Some("SAME_UPPER") => {
                [vertical / 2, horizontal / 2, vertical.div_ceil(2), horizontal.div_ceil(2)]
            }
            Some("SAME_LOWER") => {
                [vertical.div_ceil(2), horizontal.div_ceil(2), vertical / 2, horizontal / 2]
            }
            Some(other) => return Err(format!("auto_pad `{other}` is not known")),
        };
        if padding.iter().any(|&padding| padding > LARGEST) {
            return Err(format!("padding {padding:?}: each must be smaller than the kernel"));
        }
        Ok(Self { kernel, dilations, stride, padding })
    }

    /// Rows and columns that the kernel reaches over.
    fn reach(&self) -> [usize; 2] {
        [0, 1].map(|axis| (self.kernel[axis] - 1) * self.dilations[axis] + 1)
    }

    /// Side of the square that holds the kernel.
    fn side(&self) -> usize {
        let [height, width] = self.reach();
        height.max(width)
    }

    /// The square window that holds the kernel at its top left.
    pub(super) fn window(&self) -> Result<Window, String> {
        let (side, [height, width]) = (self.side(), self.reach());
        let [top, left, bottom, right] = self.padding;
        let padding = [top, left, bottom + side - height, right + side - width];
        if padding.iter().any(|&padding| padding >= side) {
            return Err(format!("padding {:?}: each must be smaller than the kernel", self.padding));
        }
        Ok(Window { kernel: side, stride: self.stride, padding })
    }

    /// Place of kernel element (row, column) in the square.
    fn position(&self, row: usize, column: usize) -> usize {
        row * self.dilations[0] * self.side() + column * self.dilations[1]
    }

    /// Whether one application covers the whole image, without padding.
    pub(super) fn covers(&self, input: Shape) -> bool {
        self.kernel == [input.height, input.width] && self.padding == [0; 4] && self.dilations == [1, 1]
    }

    /// Whether there is padding.
    pub(super) fn is_padded(&self) -> bool {
        self.padding != [0; 4]
    }

    /// Kernel elements.
    pub(super) fn area(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }

    /// Average over the kernel as a depthwise convolution; [`None`] unless its kernel fills the square, because all weights
    /// are equal.
    pub(super) fn average(&self, channels: usize, budget: &Budget) -> Result<Option<Weights>, String> {
        let area = self.area();
        if self.reach() != [self.side(); 2] || self.dilations != [1, 1] {
            return Ok(None);
        }
        Weights::constant(channels, area, 1.0 / area as f64, budget).map(Some)
    }

    /// The layer of a convolution with weights [C_OUT, C_IN / group, KH, KW].
    pub(super) fn convolution(
        &self,
        input: Shape,
        group: usize,
        weights: &Quantised,
        biases: Vec<f64>,
        budget: &Budget,
    ) -> Result<Kind, String> {
        let &[channels_out, channels_in, height, width] = &weights.dims[..] else {
            return Err(format!(
                "its weights have {} dimensions: images are two-dimensional here",
                weights.dims.len()
            ));
        };
        let fits = group > 0
            && channels_in.checked_mul(group) == Some(input.channels)
            && channels_out % group == 0
            && channels_out > 0
            && [height, width] == self.kernel;
        if !fits {
            return Err(format!(
                "its weights {:?} do not fit {} input channels in {group} groups",
                weights.dims, input.channels
            ));
        }
        let scales: Option<Vec<f64>> = (0..channels_out).map(|channel| weights.scale(0, channel)).collect();
        let scales = scales.ok_or("its weights have scales along another axis than the output channels")?;
        let window = self.window()?;
        let positions = window.kernel * window.kernel;
        let depthwise = group == input.channels && channels_out == input.channels && group > 1;
        // Channels that a row of the result spans, and where its own begin there.
        let span = if depthwise { 1 } else { input.channels };
        budget.take(&[channels_out, positions, span])?;
        let mut integers = vec![0; channels_out * positions * span];
        for out in 0..channels_out {
            let first = if depthwise { 0 } else { out / (channels_out / group) * channels_in };
            for channel in 0..channels_in {
                for row in 0..height {
                    for column in 0..width {
                        let from = ((out * channels_in + channel) * height + row) * width + column;
                        let to = (out * positions + self.position(row, column)) * span + first + channel;
                        integers[to] = weights.integers[from];
                    }
                }
            }
        }
        let weights = Rc::new(Weights { integers, scales, biases });
        Ok(if depthwise {
            Kind::Depthwise { window, weights }
        } else {
            Kind::Convolution { window, weights }
        })
    }
}

/// A fully connected layer as a convolution whose kernel covers the image: what it is unless it is the last layer.
pub(super) fn dense_as_convolution(
    input: Shape,
    weights: Rc<Weights>,
    budget: &Budget,
) -> Result<Kind, String> {
    let side = input.height.max(input.width);
    if side > LARGEST {
        return Err(format!(
            "a fully connected layer that is not the last sees an image of {}x{}: at most {LARGEST}x{LARGEST} is supported",
            input.height, input.width
        ));
    }
    let window = Window { kernel: side, stride: 1, padding: [0, 0, side - input.height, side - input.width] };
    if input.height == input.width {
        return Ok(Kind::Convolution { window, weights });
    }
    let outputs = weights.scales.len();
    budget.take(&[outputs, side * side, input.channels])?;
    let mut integers = vec![0; outputs * side * side * input.channels];
    let rows = outputs * input.height;
    for (row, from) in weights.integers.chunks_exact(input.width * input.channels).enumerate().take(rows) {
        let (out, y) = (row / input.height, row % input.height);
        let to = (out * side + y) * side * input.channels;
        integers[to..to + from.len()].copy_from_slice(from);
    }
    let Weights { scales, biases, .. } = &*weights;
    let weights = Weights { integers, scales: scales.clone(), biases: biases.clone() };
    Ok(Kind::Convolution { window, weights: Rc::new(weights) })
}
