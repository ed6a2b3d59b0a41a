//! From files to pixels: all headers first, then what every image is to become, then the pixels, on every core.
//!
//! Memory is judged between the headers and the pixels. Neither the result nor the error reported depends on the number of cores.

use std::collections::HashMap;
use std::fs;
use std::num::NonZero;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use crate::candidate::Quantisation;
use crate::ir::Shape;

use super::super::Images;
use super::super::error::DataError;
use super::fit::{Fit, Resize};
use super::list::Files;
use super::picture::{self, Header};
use super::{bytes, unusable};

/// Without a size that the user gave, the pixels take at most this much, or [`EXPANSION`] times the bytes of the files.
const SMALL: u64 = 1 << 28;
/// Photographs grow twentyfold when they are decoded, drawings more; beyond this a folder is made to exhaust memory.
const EXPANSION: u64 = 200;
/// What all threads together may decode at the same time, in bytes.
const AT_ONCE: u64 = 1 << 30;

/// Files whose headers were read.
pub(super) struct Survey<'a> {
    files: Vec<(&'a Path, Header)>,
}

/// What every image is to become.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    shape: Shape,
    resize: Option<Resize>,
    /// Bits of the values of 16-bit images that are in use.
    bits: u32,
    threads: usize,
}

impl<'a> Survey<'a> {
    /// Reads the headers of all files, in the order of the parts.
    pub(super) fn of(parts: &[&'a Files]) -> Result<Self, DataError> {
        let paths: Vec<&Path> = parts.iter().flat_map(|files| &files.paths).map(PathBuf::as_path).collect();
        let mut headers: Vec<Option<Header>> = vec![None; paths.len()];
        in_parallel(&paths, &mut headers, 1, cores(), |path, header| {
            header[0] = Some(picture::header(path)?);
            Ok(())
        })?;
        Ok(Self { files: paths.into_iter().zip(headers.into_iter().flatten()).collect() })
    }

    /// Decides what all images become, and says it.
    pub(super) fn plan(
        &self,
        folder: &Path,
        resize: Option<Resize>,
        notes: &mut Vec<String>,
        warnings: &mut Vec<String>,
    ) -> Result<Plan, DataError> {
        let shape = match resize {
            Some(resize) => resize.shape,
            None => self.common_shape()?,
        };
        let largest = self.files.iter().map(|(_, header)| header.decoded).max().unwrap_or(1).max(1);
        let threads = cores().min(usize::try_from(AT_ONCE / largest).unwrap_or(usize::MAX)).max(1);
        let mut plan = Plan { shape, resize, bits: 8, threads };
        self.judge_memory(folder, plan)?;
        let all = self.files.len();
        let count = |is: fn(&Header) -> bool| self.files.iter().filter(|(_, header)| is(header)).count();
        let deep = count(|header| header.is_deep);
        if deep > 0 {
            plan.bits = self.bits(threads)?;
            notes.push(format!(
                "{deep} of {all} images have 16 bits for each channel, and {} bits hold all their values: a pixel is the value divided by {}, rounded down",
                plan.bits,
                1 << (plan.bits - 8)
            ));
        }
        let turned = count(|header| header.is_turned);
        if turned > 0 {
            notes.push(format!("{turned} of {all} images are turned or mirrored as their EXIF note says"));
        }
        let transparent = count(|header| header.has_transparency);
        if transparent > 0 {
            notes.push(format!("{transparent} of {all} images have transparency: they are laid on black"));
        }
        let coloured = count(|header| header.channels == 3);
        if shape.channels == 3 && coloured < all {
            notes.push(format!("{} of {all} images are grey: red, green and blue are alike", all - coloured));
        } else if shape.channels == 1 && coloured > 0 {
            notes.push(format!("{coloured} of {all} images are coloured: their brightness is taken"));
        }
        if let Some(resize) = resize {
            self.describe_resize(resize, notes, warnings);
        }
        Ok(plan)
    }

    /// The shape of all images, when it is one.
    fn common_shape(&self) -> Result<Shape, DataError> {
        let Some(&(first, header)) = self.files.first() else { return Ok(Shape::new(1, 1, 1)) };
        let size = |header: &Header| (header.height, header.width, header.channels);
        let text = |(height, width, channels): (u32, u32, usize)| format!("{height}x{width}x{channels}");
        let Some((other, found)) = self.files.iter().find(|(_, other)| size(other) != size(&header)) else {
            return Ok(Shape::new(header.height as usize, header.width as usize, header.channels));
        };
        let mut sizes: HashMap<(u32, u32), usize> = HashMap::new();
        self.files
            .iter()
            .for_each(|(_, header)| *sizes.entry((header.height, header.width)).or_default() += 1);
        let usual = sizes.into_iter().max_by_key(|&(size, images)| (images, size)).unwrap_or_default().0;
        let channels = self.files.iter().map(|(_, header)| header.channels).max().unwrap_or(1);
        // The usual size, unless it is more than networks for microcontrollers take.
        let usual = if usual.0.max(usual.1) > 128 { (64, 64) } else { usual };
        Err(unusable(
            other,
            format!(
                "the image is {} (high x wide x channels), but {} is {}; give one size to all, for example with `--format folder:{}`",
                text(size(found)),
                first.display(),
                text(size(&header)),
                text((usual.0, usual.1, channels))
            ),
        ))
    }

    /// Refuses images that are more than memory holds, or than so few bytes should make.
    fn judge_memory(&self, folder: &Path, plan: Plan) -> Result<(), DataError> {
        let shape = plan.shape;
        let total = (self.files.len() as u64).saturating_mul(shape.elements() as u64);
        let bytes: u64 = self.files.iter().map(|(_, header)| header.file).sum();
        let refuse = |reason: String| {
            let problem = format!(
                "{} images of {shape} need {} MB of memory, {reason}; make them smaller with `--format folder:HxWxC`, for example folder:64x64x{}",
                self.files.len(),
                total.div_ceil(1_000_000),
                shape.channels
            );
            Err(unusable(folder, problem))
        };
        if plan.resize.is_none() && total > SMALL.max(bytes.saturating_mul(EXPANSION)) {
            return refuse(format!("but their files have {bytes} bytes, less than a {EXPANSION}th"));
        }
        // The parts are copied once when they are split.
        match free_memory() {
            Some(free) if total > free / 2 => {
                refuse(format!("and as much again to split them, but {} MB are free", free / 1_000_000))
            }
            _ => Ok(()),
        }
    }

    /// How many bits the values of the 16-bit images have.
    fn bits(&self, threads: usize) -> Result<u32, DataError> {
        let deep: Vec<&Path> =
            self.files.iter().filter(|(_, header)| header.is_deep).map(|&(path, _)| path).collect();
        let mut largest = vec![0; deep.len()];
        in_parallel(&deep, &mut largest, 1, threads, |path, largest| {
            largest[0] = bytes::largest(&picture::decode(path)?);
            Ok(())
        })?;
        Ok(bytes::bits(largest.into_iter().max().unwrap_or_default()))
    }

    fn describe_resize(&self, resize: Resize, notes: &mut Vec<String>, warnings: &mut Vec<String>) {
        let all = self.files.len();
        let Resize { shape, fit } = resize;
        let other = self
            .files
            .iter()
            .filter(|(_, header)| resize.changes_shape_of((header.width, header.height)))
            .count();
        if other > 0 {
            let what = match fit {
                Fit::Letterbox => "scaled to fit in, the rest is black",
                Fit::Crop => "scaled and cut to their middle",
                Fit::Stretch => "squeezed or stretched",
            };
            let others = [Fit::Letterbox, Fit::Crop, Fit::Stretch].into_iter().filter(|&other| other != fit);
            let others = others
                .map(|fit| format!("`folder:{}`", Resize { shape, fit }))
                .collect::<Vec<_>>()
                .join(" and ");
            notes.push(format!(
                "{other} of {all} images have other proportions than {} high and {} wide: they are {what} ({others} do otherwise)",
                shape.height, shape.width
            ));
        }
        // Height and width are easily confused.
        let is_swapped = |header: &Header| match shape.height.cmp(&shape.width) {
            std::cmp::Ordering::Equal => false,
            std::cmp::Ordering::Greater => header.height < header.width,
            std::cmp::Ordering::Less => header.height > header.width,
        };
        let swapped = self.files.iter().filter(|(_, header)| is_swapped(header)).count();
        if let Some((_, first)) = self.files.first()
            && swapped * 10 >= all * 9
        {
            warnings.push(format!(
                "{swapped} of {all} images are {} (the first is {} high and {} wide), but {} high and {} wide was asked for; the height \
                 comes first: did you mean `folder:{}`?",
                if shape.height > shape.width { "wider than high" } else { "higher than wide" },
                first.height,
                first.width,
                shape.height,
                shape.width,
                Resize { shape: Shape::new(shape.width, shape.height, shape.channels), fit }
            ));
        }
    }
}

impl Plan {
    /// Decodes the files of a part.
    pub(super) fn read(self, files: &Files, folder: &Path) -> Result<Images, DataError> {
        let size = self.shape.elements();
        let mut pixels = Vec::new();
        let total = files.paths.len().saturating_mul(size);
        if pixels.try_reserve_exact(total).is_err() {
            let problem =
                format!("{} images of {} do not fit into memory; resize them", files.paths.len(), self.shape);
            return Err(unusable(folder, problem));
        }
        pixels.resize(total, 0);
        in_parallel(&files.paths, &mut pixels, size, self.threads, |path, pixels| {
            self.read_one(path, pixels)
        })?;
        Ok(Images { pixels, labels: files.labels.clone(), shape: self.shape, input: Quantisation::IMAGE })
    }

    fn read_one(self, path: &Path, pixels: &mut [u8]) -> Result<(), DataError> {
        let mut image = bytes::eight_bits(picture::decode(path)?, self.bits);
        if let Some(resize) = self.resize {
            image = resize.apply(image);
        }
        let raw = if self.shape.channels == 1 {
            image.into_luma8().into_raw()
        } else {
            image.into_rgb8().into_raw()
        };
        if raw.len() != pixels.len() {
            return Err(unusable(path, "the image changed while it was being read; start again"));
        }
        pixels.copy_from_slice(&raw);
        Ok(())
    }
}

/// Calls `work` with each path and its `size` elements of `results`, on several threads.
fn in_parallel<P: AsRef<Path> + Sync, T: Send>(
    paths: &[P],
    results: &mut [T],
    size: usize,
    threads: usize,
    work: impl Fn(&Path, &mut [T]) -> Result<(), DataError> + Sync,
) -> Result<(), DataError> {
    let part = paths.len().div_ceil(threads).max(1);
    let work = &work;
    thread::scope(|scope| {
        let workers: Vec<_> = paths
            .chunks(part)
            .zip(results.chunks_mut(part * size))
            .map(|(paths, results)| {
                scope.spawn(move || {
                    let mut pairs = paths.iter().zip(results.chunks_exact_mut(size));
                    pairs.try_for_each(|(path, result)| work(path.as_ref(), result))
                })
            })
            .collect();
        workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Bytes of memory that programs can have without swapping; `None` where the system does not say.
fn free_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}
