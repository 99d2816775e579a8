//! Draws synthetic faces with their landmarks on one sheet.
//!
//! `cargo run --release -p star-data --example synth_sheet -- sheet.png [columns] [rows] [seed] [layout|all] [zoom]`
//!
//! Green points are the truth, red ones the annotation; `none` as a layout draws the faces alone.

use std::{
    error::Error,
    time::{Duration, Instant},
};

use image::{RgbImage, imageops};
use star_data::{FaceSource, Layout, Point};
use star_synth::{SynthConfig, SynthFaces};

const LAYOUTS: [&str; 3] = ["wflw98", "ibug68", "cofw29"];

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let get = |i: usize, or: &str| args.get(i).cloned().unwrap_or_else(|| or.into());
    let (path, columns, rows): (String, u32, u32) = (
        get(0, "sheet.png"),
        get(1, "6").parse()?,
        get(2, "4").parse()?,
    );
    let (seed, layout, zoom): (u64, String, u32) =
        (get(3, "0").parse()?, get(4, "all"), get(5, "1").parse()?);
    let cell = 192 * zoom;
    let mut sheet = RgbImage::new(cell * columns, cell * rows);
    let mut spent = Duration::ZERO;
    for index in 0..columns * rows {
        let (column, row) = (index % columns, index / columns);
        let name = match layout.as_str() {
            "all" => LAYOUTS[row as usize % LAYOUTS.len()],
            "none" => LAYOUTS[0],
            one => one,
        };
        let config = SynthConfig {
            seed,
            ..SynthConfig::default()
        };
        let faces = SynthFaces::new(config, Layout::builtin(name)?)?;
        let start = Instant::now();
        let face = faces.face(index as usize)?;
        spent += start.elapsed();
        let k = f64::from(cell) / f64::from(face.image.width());
        let mut image = imageops::resize(&face.image, cell, cell, imageops::FilterType::Triangle);
        if layout != "none" {
            for p in &face.landmarks {
                dot(&mut image, *p, k, [255, 40, 40]);
            }
            for p in face.truth.iter().flatten() {
                dot(&mut image, *p, k, [40, 255, 90]);
            }
        }
        imageops::replace(
            &mut sheet,
            &image,
            i64::from(column * cell),
            i64::from(row * cell),
        );
    }
    sheet.save(&path)?;
    let each = spent.as_secs_f64() * 1e3 / f64::from(columns * rows);
    println!("{path}: {columns} x {rows} faces, {each:.2} ms each");
    Ok(())
}

/// A small square around a point of the unscaled image.
fn dot(image: &mut RgbImage, p: Point, k: f64, color: [u8; 3]) {
    let reach = 1;
    let at = |v: f64| ((v + 0.5) * k - 0.5).round() as i64;
    for dy in -reach..=reach {
        for dx in -reach..=reach {
            let (x, y) = (at(p.x) + dx, at(p.y) + dy);
            if (dx == 0 || dy == 0)
                && x >= 0
                && y >= 0
                && x < i64::from(image.width())
                && y < i64::from(image.height())
            {
                image.put_pixel(x as u32, y as u32, image::Rgb(color));
            }
        }
    }
}
