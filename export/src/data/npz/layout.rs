//! Where height, width and channels are in an array's shape: channels last, unless the user says that they come first.
//!
//! A shape that could be either is asked back, never guessed.

use crate::ir::Shape;

/// Where the channels of an input are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Layout {
    /// Last, unless the shape looks like channels first: then it is refused.
    #[default]
    Likely,
    /// [N, H, W, C] whatever it looks like.
    ChannelsLast,
    /// [N, C, H, W].
    ChannelsFirst,
}

/// Number of images of an array and the shape of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Arranged {
    pub(super) count: u64,
    pub(super) shape: Shape,
    /// Whether the array is [N, C, H, W] and has to be turned.
    pub(super) channels_first: bool,
    /// What was assumed, where another meaning is likely.
    pub(super) note: Option<String>,
}

/// At most so many channels are taken for channels where they may be rows.
const FEW: u64 = 4;

/// Reads the shape of the array called `name`.
///
/// # Errors
/// What is wrong with it, and the way out.
pub(super) fn arrange(name: &str, shape: &[u64], layout: Layout) -> Result<Arranged, String> {
    let mut note = None;
    let (count, height, width, channels, channels_first) = match *shape {
        [n, h, w] => {
            // Windows of a few sensors are often saved without the dimension of 1.
            if w <= 16 && h >= 2 * w {
                note = Some(format!(
                    "{name} {shape:?} is read as {h} rows, {w} columns and one channel; if these are {h} steps of {w} sensors, \
                     save `{name} = {name}.reshape(-1, 1, {h}, {w})`, all parts alike"
                ));
            }
            (n, h, w, 1, false)
        }
        [n, a, b, c] => match layout {
            Layout::Likely if channels_come_first(a, b, c) => {
                return Err(format!(
                    "shape {shape:?} looks like channels first, [N, C, H, W]; if it is, say `--format npz:nchw` or save \
                     `{name} = np.transpose({name}, (0, 2, 3, 1))`, all parts alike; if it is {a} rows, {b} columns and {c} \
                     channels, say `--format npz:nhwc`"
                ));
            }
            Layout::ChannelsFirst if c <= FEW && a > FEW => {
                return Err(format!(
                    "shape {shape:?} would be {a} channels of {b}x{c}, but looks like channels last, [N, H, W, C]: say `--format npz` \
                     for these; if it is [N, C, H, W], save `{name} = np.transpose({name}, (0, 2, 3, 1))`, all parts alike, and \
                     say `--format npz:nhwc`"
                ));
            }
            Layout::ChannelsFirst => (n, b, c, a, true),
            Layout::Likely | Layout::ChannelsLast => (n, a, b, c, false),
        },
        [n, length] if n > 0 && length > 0 => {
            let side = length.isqrt();
            let square = side > 1 && side * side == length;
            let (h, w) = if square { (side, side) } else { (1, length) };
            let what = if square { format!("pictures of {h}x{w}") } else { format!("rows of {w} values") };
            return Err(format!(
                "shape {shape:?}, but inputs are [N, H, W] or [N, H, W, C]: for {what} save \
                 `{name} = {name}.reshape(-1, {h}, {w}, 1)`, all parts alike"
            ));
        }
        [_] => {
            return Err(format!(
                "shape {shape:?}, but inputs are [N, H, W] or [N, H, W, C]: if these are the labels, call them `{}`",
                name.replacen('x', "y", 1).replacen("images", "labels", 1)
            ));
        }
        [_, _, _, _, _, ..] => {
            // A dimension of 1 is left out, the number of inputs apart.
            let single = shape.iter().skip(1).position(|&size| size == 1);
            let remedy = match single {
                Some(single) if shape.len() == 5 => {
                    let mut kept = shape[1..].to_vec();
                    kept.remove(single);
                    format!("save `{name} = {name}.reshape(-1, {}, {}, {})`", kept[0], kept[1], kept[2])
                }
                _ => format!(
                    "videos and volumes are not supported; for the first of {} pictures of each save `{name} = {name}[:, 0]`",
                    shape[1]
                ),
            };
            return Err(format!(
                "shape {shape:?}, but inputs are [N, H, W] or [N, H, W, C]: {remedy}, all parts alike"
            ));
        }
        _ => return Err(format!("shape {shape:?}, but inputs are [N, H, W] or [N, H, W, C]")),
    };
    let elements = [height, width, channels].into_iter().try_fold(count, u64::checked_mul);
    let sizes = [height, width, channels].map(usize::try_from);
    match (elements, sizes) {
        (Some(1..), [Ok(height), Ok(width), Ok(channels)]) => {
            Ok(Arranged { count, shape: Shape::new(height, width, channels), channels_first, note })
        }
        _ => Err(format!("shape {shape:?} is empty or too large")),
    }
}

/// Whether [N, a, b, c] is more likely [N, C, H, W].
fn channels_come_first(a: u64, b: u64, c: u64) -> bool {
    c > FEW && (a <= FEW && b > a || b == c && a != b)
}

/// `values` [N, C, H, W] as [N, H, W, C].
pub(super) fn channels_last<T: Copy>(values: &[T], shape: Shape) -> Vec<T> {
    let pixels = shape.height * shape.width;
    let mut turned = Vec::with_capacity(values.len());
    for image in values.chunks_exact(shape.elements()) {
        for pixel in 0..pixels {
            turned.extend((0..shape.channels).map(|channel| image[channel * pixels + pixel]));
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_first_are_recognised() {
        for shape in [[60, 3, 16, 16], [60, 1, 28, 28], [9, 1, 49, 10], [9, 16, 32, 32], [9, 1, 128, 6]] {
            let message = arrange("x_train", &shape, Layout::Likely).unwrap_err();
            assert!(message.contains("npz:nchw") && message.contains("(0, 2, 3, 1))"), "{message}");
            let [n, c, h, w] = shape;
            let turned = arrange("x", &shape, Layout::ChannelsFirst).unwrap();
            assert_eq!((turned.count, turned.shape), (n, Shape::new(h as usize, w as usize, c as usize)));
            assert!(turned.channels_first);
            let kept = arrange("x", &shape, Layout::ChannelsLast).unwrap();
            assert_eq!(kept.shape, Shape::new(c as usize, h as usize, w as usize));
        }
        for shape in
            [[9, 28, 28, 1], [9, 1, 128, 3], [9, 49, 10, 1], [9, 32, 32, 3], [9, 4, 4, 4], [9, 1, 1, 64]]
        {
            let read = arrange("x", &shape, Layout::Likely).unwrap();
            assert!(!read.channels_first && read.note.is_none());
        }
        let message = arrange("x", &[9, 28, 28, 1], Layout::ChannelsFirst).unwrap_err();
        assert!(message.contains("28 channels of 28x1") && message.contains("--format npz"), "{message}");
    }

    #[test]
    fn other_shapes_are_told_what_to_do() {
        let problem = |shape: &[u64]| arrange("x_test", shape, Layout::Likely).unwrap_err();
        assert!(problem(&[10, 784]).contains("`x_test = x_test.reshape(-1, 28, 28, 1)`"));
        assert!(problem(&[10, 561]).contains("`x_test = x_test.reshape(-1, 1, 561, 1)`"));
        assert!(problem(&[0, 4, 4]).contains("empty"));
        assert!(problem(&[1 << 40, 1 << 40, 4]).contains("too large"));
        for shape in [&[5][..], &[], &[2, 3, 4, 5, 6]] {
            assert!(problem(shape).contains("[N, H, W]"));
        }
        assert!(problem(&[80, 1, 12, 12, 1]).contains("`x_test = x_test.reshape(-1, 12, 12, 1)`"));
        assert!(
            problem(&[80, 7, 12, 12, 3]).contains("videos")
                && problem(&[80, 7, 12, 12, 3]).contains("x_test[:, 0]")
        );
        assert!(problem(&[80]).contains("call them `y_test`"));
        let note = arrange("x", &[9, 128, 6], Layout::Likely).unwrap().note.unwrap();
        assert!(note.contains("x.reshape(-1, 1, 128, 6)"), "{note}");
        assert_eq!(arrange("x", &[9, 28, 28], Layout::Likely).unwrap().note, None);
    }

    #[test]
    fn turning_is_a_transposition() {
        // Two images of 2 channels, 1 row and 3 columns.
        let values: Vec<u8> = (0..12).collect();
        let turned = channels_last(&values, Shape::new(1, 3, 2));
        assert_eq!(turned, [0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
    }
}
