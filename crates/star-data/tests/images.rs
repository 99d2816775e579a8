//! Images as the world has them, against what Pillow and OpenCV make of them; `images/make.py` made both.

use std::path::Path;

use image::RgbImage;
use safetensors::SafeTensors;
use star_data::decode::{MAX_PIXELS, decode_bytes, decode_reporting, size_in_header};

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/images")
        .join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn refusal(bytes: &[u8], name: &str) -> String {
    let message = decode_reporting(bytes, Path::new(name))
        .expect_err(name)
        .to_string();
    assert!(message.starts_with(&format!("{name}: ")), "{message}");
    message
}

/// The largest difference in a channel over the first `rows` rows.
fn difference(a: &RgbImage, b: &RgbImage, rows: u32) -> u8 {
    assert_eq!(a.dimensions(), b.dimensions());
    let bytes = (rows * a.width() * 3) as usize;
    let pairs = a.as_raw()[..bytes].iter().zip(&b.as_raw()[..bytes]);
    pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

#[test]
fn every_kind_has_the_pixels_that_others_see() {
    let bytes = file("expected.safetensors");
    let expected = SafeTensors::deserialize(&bytes).expect("expected pixels");
    let names = expected.names();
    assert!(names.len() >= 20, "{names:?}");
    for name in names {
        let tensor = expected.tensor(name).expect("tensor");
        let decoded = decode_reporting(&file(name), Path::new(name)).expect(name);
        assert!(!decoded.truncated, "{name}");
        let [h, w, _] = *tensor.shape() else {
            panic!("{name}: {:?}", tensor.shape())
        };
        assert_eq!(
            decoded.image.dimensions(),
            (w as u32, h as u32),
            "{name} lies on its side"
        );
        let (a, b) = size_in_header(&file(name), Path::new(name)).expect(name);
        assert_eq!(
            (a.min(b), a.max(b)),
            (w.min(h) as u32, w.max(h) as u32),
            "{name}: the header's size"
        );
        let theirs = RgbImage::from_raw(w as u32, h as u32, tensor.data().to_vec()).expect("size");
        // JPEG decoders round differently; nothing else does.
        let tolerance = if name.ends_with("jpg") { 3 } else { 0 };
        let found = difference(&decoded.image, &theirs, h as u32);
        assert!(
            found <= tolerance,
            "{name}: up to {found} levels off, {tolerance} allowed"
        );
    }
}

#[test]
fn a_jpeg_that_is_cut_off_is_used_and_told() {
    let whole = file("to_cut.jpg");
    let full = decode_bytes(&whole, Path::new("to_cut.jpg")).expect("whole");
    for missing in [1, 2, 3, 20, 300, 600] {
        let bytes = &whole[..whole.len() - missing];
        let cut = decode_reporting(bytes, Path::new("cut.jpg")).expect("used");
        assert!(cut.truncated, "{missing} bytes missing");
        // Of about 650 bytes of pixels in five rows of blocks.
        let rows = match missing {
            1..=3 => 32,
            20 => 32,
            300 => 16,
            _ => 0,
        };
        let found = difference(&cut.image, &full, rows);
        assert_eq!(found, 0, "{missing} bytes missing");
    }
    // The whole of the lower part is missing: grey, not black.
    let cut = decode_bytes(&whole[..whole.len() - 300], Path::new("cut.jpg")).expect("used");
    assert_eq!(cut.get_pixel(47, 39).0, [128; 3]);
    // Something behind the end is not the image's affair.
    let mut longer = whole.clone();
    longer.extend(b"and a film behind it");
    let longer = decode_reporting(&longer, Path::new("longer.jpg")).expect("read");
    assert!(!longer.truncated && longer.image == full);
}

#[test]
fn a_progressive_jpeg_that_is_cut_off_is_coarse() {
    let whole = file("to_cut_progressive.jpg");
    let full = decode_bytes(&whole, Path::new("p.jpg")).expect("whole");
    let error = |cut: &RgbImage| {
        let pairs = cut.as_raw().iter().zip(full.as_raw());
        pairs.map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / full.as_raw().len() as f64
    };
    for (missing, mean) in [(2, 0.01), (100, 8.0), (300, 12.0)] {
        let bytes = &whole[..whole.len() - missing];
        let cut = decode_reporting(bytes, Path::new("p.jpg")).expect("used");
        assert!(cut.truncated);
        let found = error(&cut.image);
        assert!(found < mean, "{missing} bytes missing: {found} levels off");
    }
}

#[test]
fn a_png_that_is_cut_off_is_used_and_told() {
    for (name, losses) in [("to_cut.png", [1, 12, 200]), ("to_cut16.png", [1, 12, 300])] {
        let whole = file(name);
        let full = decode_bytes(&whole, Path::new(name)).expect("whole");
        for missing in losses {
            let bytes = &whole[..whole.len() - missing];
            let cut = decode_reporting(bytes, Path::new(name)).expect("used");
            assert!(cut.truncated, "{name}: {missing} bytes missing");
            let rows = if missing < 100 {
                full.height() - 2
            } else {
                full.height() / 2
            };
            let found = difference(&cut.image, &full, rows);
            assert_eq!(found, 0, "{name}: {missing} bytes missing");
        }
    }
    let png = file("to_cut.png");
    assert!(refusal(&png[..60], "head.png").contains("cut"));
}

#[test]
fn what_is_no_image_says_what_it_looks_like() {
    let html = b"<!DOCTYPE html><html>404</html>";
    for (bytes, says) in [
        (file("gif.jpg"), "GIF; convert"),
        (file("tiff.jpg"), "TIFF; convert"),
        (file("heic.jpg"), "HEIC; convert"),
        (vec![], "0 bytes"),
        (html.to_vec(), "web page"),
        ("version: 1\nn_points: 68 \u{e4}\n".into(), "text"),
        (b"PK\x03\x04abc".to_vec(), "archive"),
        (vec![0; 100], "all zeros"),
        (b"\x01\x02\xff\xfe".to_vec(), "no known kind"),
        (b"\0\0\0\x18ftypmp42".to_vec(), "film"),
    ] {
        let message = refusal(&bytes, "face 1.jpg");
        assert!(message.contains(says), "{message} lacks {says}");
    }
    // Nothing but a head.
    let jpeg = file("to_cut.jpg");
    let scan = jpeg
        .windows(2)
        .position(|w| w == [0xff, 0xda])
        .expect("scan");
    for length in [2, 20, scan, scan + 14] {
        refusal(&jpeg[..length], "head.jpg");
    }
}

#[test]
fn absurd_sizes_are_refused_before_memory_is_asked_for() {
    let with = |name: &str, at: usize, bytes: &[u8]| {
        let mut file = file(name);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        // The checksum of IHDR, so that it is the size that is refused.
        if name.ends_with("png") {
            let sum = crc(&file[12..29]);
            file[29..33].copy_from_slice(&sum.to_be_bytes());
        }
        file
    };
    let frame = (file("grey.jpg").windows(2))
        .position(|w| w == [0xff, 0xc0])
        .expect("frame");
    for (bytes, says) in [
        (
            with("grey.png", 16, &[0x7f, 0xff, 0xff, 0xff]),
            "2147483647 x 12",
        ),
        (
            with("grey.png", 16, &[0, 0, 0x40, 0, 0, 0, 0x3f, 0xff]),
            "16384 x 16383",
        ),
        (with("grey.png", 16, &[0; 4]), ""),
        (
            with("grey.jpg", frame + 5, &[0xff, 0xff, 0xff, 0xff]),
            "65535 x 65535",
        ),
        // Allowed by its number of pixels, but not in so few bytes.
        (
            with("grey.jpg", frame + 5, &[0x20, 0, 0x20, 0]),
            "8192 x 8192 pixels in",
        ),
        (
            with("colour.bmp", 18, &20_000_u32.to_le_bytes()),
            "20000 x 12",
        ),
    ] {
        let message = refusal(&bytes, "bomb");
        assert!(message.contains(says), "{message} lacks {says}");
        // Who asks for the size only is told the same.
        let asked = size_in_header(&bytes, Path::new("bomb")).expect_err(says);
        assert_eq!(asked.to_string(), message);
    }
    assert_eq!(MAX_PIXELS, 128 << 20);
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for &byte in bytes {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}
