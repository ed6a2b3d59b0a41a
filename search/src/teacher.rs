//! Packed models as the teacher of the networks that are finished: the mean of their logits for every training image and for
//! its mirror image, by the integer runtime. They are computed once; nothing is added to a step of the training.

use std::path::PathBuf;

use bomp_export::data::Images;
use bomp_export::evaluate::EvaluateError;
use bomp_export::kind::{self, Needed};
use bomp_export::{evaluate, files};
use bomp_runtime::Model;
use thiserror::Error;

/// A teacher's logits [N, CLASSES].
#[derive(Debug)]
pub struct Teacher {
    /// For each image.
    pub plain: Vec<f32>,
    /// For each image mirrored left to right.
    pub mirrored: Vec<f32>,
    /// SHA-256 of each model.
    pub sha256: Vec<String>,
}

/// Why a model is no teacher, with its file.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct TeacherError(String);

impl Teacher {
    /// The teacher that the packed `models` are together; one at least.
    ///
    /// # Errors
    /// Names the model that is none.
    pub fn of(models: &[PathBuf], images: &Images, threads: usize) -> Result<Self, TeacherError> {
        let mut teacher = Self { plain: Vec::new(), mirrored: Vec::new(), sha256: Vec::new() };
        let mirror_image = mirror(images);
        for path in models {
            let wrong = |problem: String| TeacherError(format!("{}: {problem}", path.display()));
            let fails = |error: EvaluateError| wrong(error.to_string());
            let blob = files::read_untrusted(path, files::limit::MODEL)
                .map_err(|error| TeacherError(kind::unreadable(path, &error, Needed::Model)))?;
            let model = Model::new(&blob).map_err(|error| wrong(kind::no_model(&blob, error)))?;
            let share = evaluate::logit_scale(&model).map_err(fails)? / models.len() as f32;
            for (sum, images) in [(&mut teacher.plain, images), (&mut teacher.mirrored, &mirror_image)] {
                let logits = evaluate::logits(&model, images, threads, &|_| ()).map_err(fails)?;
                if sum.is_empty() {
                    sum.resize(logits.len(), 0.0);
                }
                if sum.len() != logits.len() {
                    let problem = "a teacher with another number of classes than the first: give teachers of the same data";
                    return Err(wrong(problem.into()));
                }
                for (to, logit) in sum.iter_mut().zip(logits) {
                    *to += logit as f32 * share;
                }
            }
            teacher.sha256.push(files::sha256(&blob));
        }
        Ok(teacher)
    }
}

/// `images` mirrored left to right.
fn mirror(images: &Images) -> Images {
    let row = images.shape.width * images.shape.channels;
    let rows = images.pixels.chunks_exact(row);
    let pixels = rows.flat_map(|row| row.chunks_exact(images.shape.channels).rev().flatten().copied());
    Images { pixels: pixels.collect(), labels: images.labels.clone(), ..*images }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bomp_export::candidate::Quantisation;
    use bomp_export::ir::Shape;

    #[test]
    fn a_mirror_image_has_its_columns_reversed() {
        let shape = Shape::new(2, 3, 2);
        let images =
            Images { pixels: (0..24).collect(), labels: vec![0, 1], shape, input: Quantisation::IMAGE };
        let expected = [4, 5, 2, 3, 0, 1, 10, 11, 8, 9, 6, 7, 16, 17, 14, 15, 12, 13, 22, 23, 20, 21, 18, 19];
        assert_eq!(mirror(&images).pixels, expected);
    }
}
