//! How pictures are brought to one size without changing the proportions of what is on them, unless that is asked for.

use std::fmt;
use std::str::FromStr;

use image::DynamicImage;
use image::imageops::{self, FilterType};

use crate::ir::Shape;

/// What happens to a picture whose shape is not the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fit {
    /// Scaled until it fits in; the rest is black, on two sides in equal parts. Nothing of a picture is lost.
    #[default]
    Letterbox,
    /// Scaled until it covers everything; what hangs over is cut off, on two sides in equal parts.
    Crop,
    /// Height and width are scaled by different factors: circles become ellipses.
    Stretch,
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fit::Letterbox => "letterbox",
            Fit::Crop => "crop",
            Fit::Stretch => "stretch",
        })
    }
}

impl FromStr for Fit {
    type Err = ();

    fn from_str(given: &str) -> Result<Self, ()> {
        [Fit::Letterbox, Fit::Crop, Fit::Stretch].into_iter().find(|fit| fit.to_string() == given).ok_or(())
    }
}

/// The size and the number of channels that all images of a folder get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resize {
    /// Height, width and channels (1: grey, 3: colour), none of them 0.
    pub shape: Shape,
    /// What happens to pictures of other proportions.
    pub fit: Fit,
}

impl From<Shape> for Resize {
    fn from(shape: Shape) -> Self {
        Self { shape, fit: Fit::default() }
    }
}

impl fmt::Display for Resize {
    /// As `--format` spells it behind `folder:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fit {
            Fit::Letterbox => write!(f, "{}", self.shape),
            fit => write!(f, "{}:{fit}", self.shape),
        }
    }
}

impl FromStr for Resize {
    type Err = ();

    /// Reads `HxWxC`, with sides that an image file can have and 1 or 3 channels, and a fit behind a colon.
    fn from_str(given: &str) -> Result<Self, ()> {
        let (shape, fit) = match given.split_once(':') {
            Some((shape, fit)) => (shape, fit.parse()?),
            None => (given, Fit::default()),
        };
        let sizes = shape.split('x').map(|size| size.parse::<u16>().ok().filter(|&size| size > 0));
        match sizes.collect::<Option<Vec<u16>>>().as_deref() {
            Some(&[height, width, channels @ (1 | 3)]) => {
                Ok(Self { shape: Shape::new(height.into(), width.into(), channels.into()), fit })
            }
            _ => Err(()),
        }
    }
}

impl Resize {
    /// True for a picture that would have to be filled, cut or distorted, because its proportions are not those of the target.
    pub(super) fn changes_shape_of(self, size: (u32, u32)) -> bool {
        let (width, height) = self.sides();
        self.letterboxed(size) != (width, height)
    }

    /// Brings a picture to the size by triangle filter (bilinear, widened when shrinking).
    pub(super) fn apply(self, image: DynamicImage) -> DynamicImage {
        let size = (image.width(), image.height());
        match self.fit {
            Fit::Stretch => scale(image, self.sides()),
            Fit::Crop => {
                // What will be cut off is never scaled: a picture of one row would become gigantic.
                let (width, height) = self.cropped(size);
                let image = image.crop_imm((size.0 - width) / 2, (size.1 - height) / 2, width, height);
                scale(image, self.sides())
            }
            Fit::Letterbox => {
                let image = scale(image, self.letterboxed(size));
                let (width, height) = self.sides();
                if (image.width(), image.height()) == (width, height) {
                    return image;
                }
                let mut canvas = DynamicImage::new(width, height, image.color());
                let (left, top) = ((width - image.width()) / 2, (height - image.height()) / 2);
                imageops::replace(&mut canvas, &image, left.into(), top.into());
                canvas
            }
        }
    }

    /// Width and height. Both come from 16-bit numbers.
    fn sides(self) -> (u32, u32) {
        (self.shape.width as u32, self.shape.height as u32)
    }

    /// Width and height of the largest picture of these proportions that fits in.
    fn letterboxed(self, (width, height): (u32, u32)) -> (u32, u32) {
        let wanted = self.sides();
        let factor = (f64::from(wanted.0) / f64::from(width)).min(f64::from(wanted.1) / f64::from(height));
        let side = |side: u32, wanted: u32| ((f64::from(side) * factor).round() as u32).clamp(1, wanted);
        (side(width, wanted.0), side(height, wanted.1))
    }

    /// Width and height of the largest part of a picture that has the target's proportions.
    fn cropped(self, (width, height): (u32, u32)) -> (u32, u32) {
        let wanted = self.sides();
        let factor = (f64::from(width) / f64::from(wanted.0)).min(f64::from(height) / f64::from(wanted.1));
        let side = |side: u32, wanted: u32| ((f64::from(wanted) * factor).round() as u32).clamp(1, side);
        (side(width, wanted.0), side(height, wanted.1))
    }
}

fn scale(image: DynamicImage, (width, height): (u32, u32)) -> DynamicImage {
    if (image.width(), image.height()) == (width, height) {
        return image;
    }
    image.resize_exact(width, height, FilterType::Triangle)
}
