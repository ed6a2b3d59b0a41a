//! Pixels from the SVG itself, so that the two cannot differ; text in the font that is part of the program.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use super::canvas::Canvas;
use super::text::font;

/// Pixels of the image for one of the drawing: sharp on a dense screen and in print.
pub(in crate::report) const DENSITY: f64 = 2.0;

/// The drawing as a PNG.
pub(in crate::report) fn png(canvas: &Canvas) -> Vec<u8> {
    static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
        let mut fonts = fontdb::Database::new();
        fonts.load_font_data(font().to_vec());
        Arc::new(fonts)
    });
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    let tree = Tree::from_str(&canvas.standalone(), &options).expect("a canvas emits valid SVG");
    let (width, height) = canvas.size();
    let mut pixels = Pixmap::new((width * DENSITY) as u32, (height * DENSITY) as u32)
        .expect("a canvas has some extent, and not that of a house");
    resvg::render(&tree, Transform::from_scale(DENSITY as f32, DENSITY as f32), &mut pixels.as_mut());
    pixels.encode_png().expect("an image in memory can be encoded")
}
