//! Image files of every kind: what their pixels become, and what is refused.

use std::fs;
use std::io::Cursor;
use std::os::unix::fs::symlink;

use bomp_export::data::{self, Dataset, Format};
use bomp_export::ir::Shape;
use image::{
    DynamicImage, GrayImage, ImageBuffer, ImageDecoder, ImageEncoder, ImageFormat, Luma, LumaA, Rgb,
    RgbImage, Rgba, RgbaImage,
};
use tempfile::{TempDir, tempdir};

use super::folder::{PLAIN, grey, save};
use super::{refused, write};

/// A folder with these two images to train on and two test images like the second one.
fn pair(name: [&str; 2], images: [DynamicImage; 2]) -> TempDir {
    let folder = tempdir().unwrap();
    save(folder.path(), &format!("train/a/{}", name[0]), images[0].clone());
    save(folder.path(), &format!("train/b/{}", name[1]), images[1].clone());
    save(folder.path(), &format!("test/a/{}", name[1]), images[1].clone());
    save(folder.path(), &format!("test/b/{}", name[1]), images[1].clone());
    folder
}

fn load(folder: &TempDir, format: &str) -> Dataset {
    data::load(folder.path(), format.parse().unwrap()).unwrap()
}

fn has_note(dataset: &Dataset, part: &str) -> bool {
    dataset.notes.iter().any(|note| note.contains(part))
}

#[test]
fn every_kind_becomes_grey_or_colour() {
    let flat = |width, height| RgbImage::from_pixel(width, height, Rgb([200, 100, 50]));
    let folder = tempdir().unwrap();
    save(folder.path(), "train/a/1.jpg", flat(4, 6));
    save(folder.path(), "train/a/2.png", RgbaImage::from_pixel(4, 6, Rgba([200, 100, 50, 255])));
    save(folder.path(), "train/a/3.webp", flat(4, 6));
    save(folder.path(), "train/a/4.bmp", flat(4, 6));
    save(folder.path(), "train/a/5.ppm", flat(4, 6));
    save(folder.path(), "train/b/1.png", image::GrayAlphaImage::from_pixel(4, 6, LumaA([90, 255])));
    save(folder.path(), "train/b/2.png", GrayImage::from_pixel(4, 6, Luma([90])));
    save(folder.path(), "test/a/1.png", flat(4, 6));
    save(folder.path(), "test/b/1.png", GrayImage::from_pixel(4, 6, Luma([90])));
    let dataset = load(&folder, "folder:6x4x3");
    assert_eq!(dataset.shape, Shape::new(6, 4, 3));
    for index in 0..7 {
        let expected = if index < 5 { [200, 100, 50] } else { [90; 3] };
        for pixel in dataset.train.image(index).chunks(3) {
            // JPEG stores colour differences; a flat area comes back within two steps.
            assert!(pixel.iter().zip(expected).all(|(a, b)| a.abs_diff(b) <= 2), "{index}: {pixel:?}");
        }
    }
    assert!(has_note(&dataset, "3 of 9 images are grey"));
    let dataset = load(&folder, "folder:6x4x1");
    assert!(dataset.train.image(6).iter().all(|&value| value == 90));
    assert!(has_note(&dataset, "6 of 9 images are coloured"));
    // Without a size, grey and colour do not mix, and the advice works to the letter.
    refused(folder.path(), PLAIN, &["train/b/1.png: the image is 6x4x1", "`--format folder:6x4x3`"]);
}

/// A JPEG of 8x8 pixels as print shops store them: cyan, magenta, yellow and black, inverted as Adobe does, all of them 128.
fn cmyk_jpeg() -> Vec<u8> {
    let mut bytes = vec![0xff, 0xd8];
    let mut segment = |marker: u8, contents: &[u8]| {
        let length = (contents.len() as u16 + 2).to_be_bytes();
        bytes.extend([&[0xff, marker], &length[..], contents].concat());
    };
    segment(0xee, b"Adobe\0\x64\0\0\0\0\0");
    segment(0xdb, &[&[0][..], &[1; 64]].concat());
    let components: Vec<u8> = (1..=4).flat_map(|id| [id, 0x11, 0]).collect();
    segment(0xc0, &[&[8, 0, 8, 0, 8, 4][..], &components].concat());
    // Both code tables have one code, the bit 0: no difference of the mean, and the end of the block.
    for table in [0x00, 0x10] {
        segment(0xc4, &[&[table, 1][..], &[0; 15], &[0]].concat());
    }
    let components: Vec<u8> = (1..=4).flat_map(|id| [id, 0]).collect();
    segment(0xda, &[&[4][..], &components, &[0, 63, 0]].concat());
    bytes.extend([0, 0xff, 0xd9]);
    bytes
}

#[test]
fn the_four_inks_of_print_become_colours() {
    let folder = pair(["1.png", "2.png"], [RgbImage::new(8, 8).into(), RgbImage::new(8, 8).into()]);
    write(folder.path(), "train/a/1.png", cmyk_jpeg());
    let dataset = load(&folder, "folder");
    // Half of the light passes each ink, and half of that the black.
    assert!(
        dataset.train.image(0).iter().all(|&value| (63..=65).contains(&value)),
        "{:?}",
        dataset.train.image(0)
    );
}

#[test]
fn transparency_is_laid_on_black() {
    let clear = RgbaImage::from_fn(3, 2, |x, _| Rgba([200, 100, 50, if x == 0 { 0 } else { 255 }]));
    let folder = pair(["1.png", "2.png"], [clear.into(), RgbImage::from_pixel(3, 2, Rgb([9, 9, 9])).into()]);
    let dataset = load(&folder, "folder");
    assert_eq!(dataset.train.image(0)[..6], [0, 0, 0, 200, 100, 50]);
    assert!(has_note(&dataset, "1 of 4 images have transparency: they are laid on black"));
}

#[test]
fn sixteen_bits_are_scaled_by_those_that_are_used() {
    for (largest, bits, divisor) in [(200u16, 8, 1u16), (1023, 10, 4), (3000, 12, 16), (65_535, 16, 256)] {
        let deep = |step: u16| {
            let image = ImageBuffer::from_fn(3, 2, |x, y| {
                Luma([if (x, y) == (0, 0) { largest } else { step * x as u16 }])
            });
            DynamicImage::ImageLuma16(image)
        };
        let folder = pair(["1.png", "2.png"], [deep(7), deep(50)]);
        let dataset = load(&folder, "folder");
        let expected = [largest, 50, 100].map(|value| (value / divisor) as u8);
        assert_eq!(dataset.train.image(1)[..3], expected, "{largest}");
        assert!(has_note(
            &dataset,
            &format!("4 of 4 images have 16 bits for each channel, and {bits} bits hold")
        ));
        assert!(has_note(&dataset, &format!("divided by {divisor}, rounded down")));
    }
    let colour = |value: u16| DynamicImage::ImageRgb16(ImageBuffer::from_pixel(3, 2, Rgb([value, 4095, 16])));
    let dataset = load(&pair(["1.png", "2.png"], [colour(160), colour(320)]), "folder");
    assert_eq!(dataset.train.image(1)[..3], [20, 255, 1]);
}

/// JPEG and WebP with an EXIF note that says `orientation`.
fn turned(image: &RgbImage, format: ImageFormat, orientation: u8) -> Vec<u8> {
    let exif =
        [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", &[orientation, 0, 0, 0][..], &[0; 4]].concat();
    let mut bytes = Vec::new();
    let (width, height) = image.dimensions();
    match format {
        ImageFormat::Jpeg => {
            let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
            encoder.set_exif_metadata(exif).unwrap();
            encoder.write_image(image, width, height, image::ExtendedColorType::Rgb8).unwrap();
        }
        _ => {
            let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
            encoder.set_exif_metadata(exif).unwrap();
            encoder.write_image(image, width, height, image::ExtendedColorType::Rgb8).unwrap();
        }
    }
    bytes
}

#[test]
fn photographs_stand_upright() {
    // A camera that was held upright: the sensor's rows are the picture's columns.
    let upright = RgbImage::from_fn(8, 16, |_, y| Rgb(if y < 8 { [250, 250, 250] } else { [0, 0, 0] }));
    let mut sensor = DynamicImage::from(upright.clone());
    sensor.apply_orientation(image::metadata::Orientation::Rotate270);
    let sensor = sensor.into_rgb8();
    assert_eq!(sensor.dimensions(), (16, 8));
    for (format, name) in [(ImageFormat::Jpeg, "1.jpg"), (ImageFormat::Png, "1.png")] {
        let folder = pair(["0.png", "0.png"], [upright.clone().into(), upright.clone().into()]);
        write(folder.path(), &format!("train/b/{name}"), turned(&sensor, format, 6));
        fs::remove_file(folder.path().join("train/b/0.png")).unwrap();
        let dataset = load(&folder, "folder");
        assert_eq!(dataset.shape, Shape::new(16, 8, 3));
        let differences =
            dataset.train.image(0).iter().zip(dataset.train.image(1)).map(|(a, b)| a.abs_diff(*b));
        assert!(differences.max().unwrap() <= 12);
        assert!(has_note(&dataset, "1 of 4 images are turned or mirrored as their EXIF note says"));
    }
}

#[test]
fn files_that_end_too_early_are_refused_and_named() {
    let noise =
        RgbImage::from_fn(64, 48, |x, y| Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x ^ y) as u8]));
    for (format, name) in [
        (ImageFormat::Jpeg, "1.jpg"),
        (ImageFormat::Png, "1.png"),
        (ImageFormat::WebP, "1.webp"),
        (ImageFormat::Bmp, "1.bmp"),
        (ImageFormat::Pnm, "1.ppm"),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        noise.write_to(&mut bytes, format).unwrap();
        let bytes = bytes.into_inner();
        let folder = pair(["0.png", "0.png"], [noise.clone().into(), noise.clone().into()]);
        write(folder.path(), &format!("train/a/{name}"), &bytes);
        data::load(folder.path(), PLAIN).unwrap();
        for share in [45, 90, 99] {
            write(folder.path(), &format!("train/a/{name}"), &bytes[..bytes.len() * share / 100]);
            refused(folder.path(), PLAIN, &[&format!("train/a/{name}: "), "again"]);
            // A card that was full, a download that was resumed: the length is right, the end is zeros.
            if name == "1.jpg" {
                let zeros = vec![0; bytes.len() - bytes.len() * share / 100];
                write(
                    folder.path(),
                    &format!("train/a/{name}"),
                    [&bytes[..bytes.len() * share / 100], &zeros].concat(),
                );
                refused(folder.path(), PLAIN, &["train/a/1.jpg: the file ends before the image does"]);
            }
        }
        // What cameras and editors put behind an image does no harm.
        write(folder.path(), &format!("train/a/{name}"), [&bytes[..], b"trailer"].concat());
        data::load(folder.path(), PLAIN).unwrap();
    }
}

#[test]
fn pictures_keep_their_shape_unless_told_otherwise() {
    // 64 wide, 32 high: a white middle of 32x32 between black sides.
    let wide = GrayImage::from_fn(64, 32, |x, _| Luma([if (16..48).contains(&x) { 255 } else { 0 }]));
    let white = GrayImage::from_pixel(64, 32, Luma([255]));
    let folder = pair(["1.png", "2.png"], [wide.into(), white.into()]);
    let row =
        |dataset: &Dataset, image: usize, row: usize| dataset.train.image(image)[row * 16..][..16].to_vec();

    let letterboxed = load(&folder, "folder:16x16x1");
    assert_eq!(row(&letterboxed, 1, 3), [0; 16]);
    assert_eq!(row(&letterboxed, 1, 4), [255; 16]);
    assert_eq!(row(&letterboxed, 1, 11), [255; 16]);
    assert_eq!(row(&letterboxed, 1, 12), [0; 16]);
    assert!(has_note(
        &letterboxed,
        "4 of 4 images have other proportions than 16 high and 16 wide: they are scaled to fit in"
    ));
    assert!(has_note(&letterboxed, "`folder:16x16x1:crop`"));

    let cropped = load(&folder, "folder:16x16x1:crop");
    assert!(cropped.train.pixels.iter().all(|&value| value == 255), "only the white middle is left");
    assert!(has_note(&cropped, "cut to their middle"));

    let stretched = load(&folder, "folder:16x16x1:stretch");
    assert_eq!(row(&stretched, 0, 0)[0], 0);
    assert_eq!(row(&stretched, 0, 0)[8], 255);
    assert!(has_note(&stretched, "squeezed or stretched"));

    // The right proportions: nothing to tell, nothing lost. Extreme ones cost no more memory than others.
    let plain = load(&folder, "folder:16x32x1");
    assert!(plain.notes.is_empty() && plain.warnings.is_empty());
    assert!(plain.train.image(1).iter().all(|&value| value == 255));
    let line = GrayImage::from_pixel(60_000, 1, Luma([255]));
    let folder = pair(["1.png", "2.png"], [line.clone().into(), line.into()]);
    assert!(load(&folder, "folder:16x16x1:crop").train.pixels.iter().all(|&value| value == 255));
    assert_eq!(row(&load(&folder, "folder:16x16x1"), 0, 7), [255; 16]);
}

#[test]
fn height_and_width_in_the_wrong_order_are_noticed() {
    let wide = GrayImage::from_pixel(64, 48, Luma([9]));
    let folder = pair(["1.png", "2.png"], [wide.clone().into(), wide.into()]);
    let dataset = load(&folder, "folder:64x48x1");
    let [warning] = &dataset.warnings[..] else { panic!("{:?}", dataset.warnings) };
    for part in ["4 of 4 images are wider than high", "48 high and 64 wide", "did you mean `folder:48x64x1`?"]
    {
        assert!(warning.contains(part), "{warning}");
    }
    assert!(load(&folder, "folder:48x64x1").warnings.is_empty());
    assert!(load(&folder, "folder:32x32x1").warnings.is_empty());
}

/// A PNG of black grey pixels, far smaller than what it decodes to.
fn black_png(side: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new_with_quality(
        &mut bytes,
        image::codecs::png::CompressionType::Best,
        image::codecs::png::FilterType::NoFilter,
    );
    let pixels = vec![0; side as usize * side as usize];
    encoder.write_image(&pixels, side, side, image::ExtendedColorType::L8).unwrap();
    bytes
}

#[test]
fn memory_is_judged_before_it_is_taken() {
    // One large image sets the size; rubbish follows. The rubbish is named before any pixel is allocated.
    let folder = tempdir().unwrap();
    let large = black_png(8_000);
    for name in ["train/a/0.png", "train/b/0.png", "test/a/0.png", "test/b/0.png"] {
        write(folder.path(), name, &large);
    }
    write(folder.path(), "train/a/1.png", "x");
    let before = peak_memory();
    refused(folder.path(), PLAIN, &["train/a/1.png: not a readable image"]);
    fs::remove_file(folder.path().join("train/a/1.png")).unwrap();
    // All are sound, and so few bytes must not become so many.
    for index in 1..10 {
        write(folder.path(), &format!("train/a/{index}.png"), &large);
    }
    refused(
        folder.path(),
        PLAIN,
        &["13 images of 8000x8000x1 need 832 MB", "200th", "--format folder:HxWxC"],
    );
    // Other tests run beside this one, but none of them takes so much.
    assert!(peak_memory() - before < 400_000, "{} kB", peak_memory() - before);

    // One image that is too large by itself.
    let mut header = black_png(16);
    header[16..24].copy_from_slice(&[0, 0, 0x4e, 0x20, 0, 0, 0x4e, 0x20]);
    let sum = crc(&header[12..29]);
    header[29..33].copy_from_slice(&sum.to_be_bytes());
    write(folder.path(), "train/a/0.png", header);
    refused(folder.path(), PLAIN, &["train/a/0.png: 20000 x 20000 pixels", "400 MB", "scale it down"]);
}

/// The most memory that this process has had, in kB.
fn peak_memory() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches("kB").trim().parse().unwrap()
}

/// PNG's CRC-32.
fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}

#[test]
fn only_regular_files_are_opened() {
    let folder = pair(["1.png", "2.png"], [grey(1).into(), grey(2).into()]);
    symlink("/dev/zero", folder.path().join("train/a/3.png")).unwrap();
    refused(folder.path(), PLAIN, &["train/a/3.png: not a regular file", "remove it"]);
    fs::remove_file(folder.path().join("train/a/3.png")).unwrap();
    let fifo = folder.path().join("train/a/4.png");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    refused(folder.path(), PLAIN, &["train/a/4.png: not a regular file", "remove it"]);
    refused(folder.path(), Format::Auto, &["train/a/4.png: not a regular file"]);
    refused(&fifo, Format::Auto, &["4.png: neither a folder nor a regular file"]);
    // A link to an image is that image.
    fs::remove_file(&fifo).unwrap();
    symlink(folder.path().join("train/a/1.png"), folder.path().join("train/a/4.png")).unwrap();
    assert_eq!(load(&folder, "folder").train.len(), 3);
}

#[test]
fn the_test_helpers_write_what_they_say() {
    let bytes = turned(&RgbImage::new(4, 2), ImageFormat::Jpeg, 6);
    let mut decoder = image::codecs::jpeg::JpegDecoder::new(Cursor::new(bytes)).unwrap();
    assert_eq!(decoder.orientation().unwrap(), image::metadata::Orientation::Rotate90);
}

#[test]
fn animations_are_refused_whatever_their_kind() {
    let folder = tempdir().unwrap();
    for index in 0..10 {
        save(folder.path(), &format!("a/{index}.png"), grey(index));
        save(folder.path(), &format!("b/{index}.png"), grey(50 + index));
    }
    let mut png = Cursor::new(Vec::new());
    DynamicImage::from(grey(1)).write_to(&mut png, ImageFormat::Png).unwrap();
    let png = png.into_inner();
    // The chunk that counts frames stands behind the header of 33 bytes; its checksum is not asked for.
    let animated = |frames: u8| {
        let chunk = [&[0, 0, 0, 8][..], b"acTL", &[0, 0, 0, frames, 0, 0, 0, 0], &[0; 4]].concat();
        [&png[..33], &chunk, &png[33..]].concat()
    };
    write(folder.path(), "a/x.png", animated(2));
    refused(folder.path(), PLAIN, &["a/x.png", "an animated PNG image", "single frames"]);
    let webp = [
        b"RIFF\x2e\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x02\0\0\x01\0\0".as_slice(),
        b"ANIM\x06\0\0\0\0\0\0\0\0\0ANMF\0\0\0\0",
    ]
    .concat();
    fs::remove_file(folder.path().join("a/x.png")).unwrap();
    write(folder.path(), "a/x.webp", webp);
    refused(folder.path(), PLAIN, &["a/x.webp", "an animated WebP image", "single frames"]);
}

#[test]
fn dead_links_are_named_and_leftovers_passed_over() {
    let folder = tempdir().unwrap();
    for index in 0..10 {
        save(folder.path(), &format!("train/a/{index}.png"), grey(index));
        save(folder.path(), &format!("train/b/{index}.png"), grey(50 + index));
    }
    let expected = data::load(folder.path(), PLAIN).unwrap();
    for name in ["Picasa.ini", "ZbThumbnail.info", "0.png:Zone.Identifier", "0.png~", "Thumbs.db:encryptable"]
    {
        write(folder.path(), &format!("train/a/{name}"), "x");
        write(folder.path(), &format!("train/{name}"), "x");
    }
    assert_eq!(data::load(folder.path(), PLAIN).unwrap(), expected);
    // An image, a class, a part and the data set itself.
    for name in ["train/a/gone.png", "train/c", "test"] {
        let link = folder.path().join(name);
        symlink("/nowhere/at/all", &link).unwrap();
        refused(
            folder.path(),
            PLAIN,
            &[name, "a link to `/nowhere/at/all`, which is not there", "remove the link"],
        );
        refused(&link, Format::Auto, &["a link to `/nowhere/at/all`, which is not there"]);
        fs::remove_file(link).unwrap();
    }
    assert_eq!(data::load(folder.path(), PLAIN).unwrap(), expected);
}
