//! What a training face costs, part by part, on one core:
//! `cargo run --release -p star-data --example cost [-- PICTURE]`

use std::{hint::black_box, path::Path, time::Instant};

use image::{ImageFormat, RgbImage};
use rand::RngExt;
use star_data::{
    AugmentConfig, CropBox, Draws, Face, FacePlan, Layout, Point, SampleMaker,
    decode::decode_bytes,
    network_input,
    rng::sample_rng,
    targets::{edge_maps, point_profiles},
    textures::TextureDraws,
    warp::warp,
};

const SIZE: u32 = 256;
const ROUNDS: u64 = 20;
const REPEATS: u64 = 20;

/// Prints the time of one call: the best of some averages, because other work on the machine only ever adds.
fn time(what: &str, mut work: impl FnMut(u64)) {
    let mut best = f64::INFINITY;
    for _ in 0..REPEATS {
        let start = Instant::now();
        (0..ROUNDS).for_each(&mut work);
        best = best.min(start.elapsed().as_secs_f64() / ROUNDS as f64);
    }
    println!("{what:<40} {:9.1} us", best * 1e6);
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let layout = Layout::builtin("wflw98")?;
    let (bytes, name) = match std::env::args().nth(1) {
        Some(path) => (std::fs::read(&path)?, path),
        None => {
            let image = RgbImage::from_fn(640, 480, |x, y| {
                let wave = |a: u32, b: u32| ((x * a + y * b) as f64 / 90.0).sin() * 120.0 + 127.0;
                image::Rgb([wave(3, 1) as u8, wave(1, 4) as u8, wave(7, 5) as u8])
            });
            let mut bytes = std::io::Cursor::new(Vec::new());
            image.write_to(&mut bytes, ImageFormat::Jpeg)?;
            (bytes.into_inner(), "a made-up JPEG".into())
        }
    };
    let image = decode_bytes(&bytes, Path::new(&name))?;
    let (w, h) = (f64::from(image.width()), f64::from(image.height()));
    let side = w.min(h);
    println!(
        "{name}, {w} x {h}, {} points, {} edges, crop {SIZE}",
        layout.points,
        layout.edges.len()
    );

    // Landmarks spread as a face's: each edge on an ellipse of its own.
    let mut rng = sample_rng(1, 0, 0);
    let mut landmarks = vec![Point::new(w / 2.0, h / 2.0); layout.points];
    for edge in &layout.edges {
        let center = Point::new(
            w / 2.0 + 0.3 * side * (rng.random::<f64>() - 0.5),
            h / 2.0 + 0.3 * side * (rng.random::<f64>() - 0.5),
        );
        let radius = 0.01 * side * edge.points.len() as f64;
        for (k, &i) in edge.points.iter().enumerate() {
            let angle = k as f64 / edge.points.len() as f64 * std::f64::consts::TAU;
            landmarks[i] = Point::new(
                center.x + radius * angle.cos(),
                center.y + radius * angle.sin(),
            );
        }
    }
    let face = Face {
        name,
        image,
        landmarks,
        truth: None,
        crop: CropBox {
            scale: 0.9 * side / 200.0,
            center: Point::new(w / 2.0, h / 2.0),
        },
    };
    let config = AugmentConfig::default();
    let draws = |i: u64| Draws::draw(&config, SIZE, &mut sample_rng(0, 0, i));
    let plain = FacePlan::of(&face, &layout, SIZE, &Draws::default());
    let crop = warp(&face.image, &plain.image, SIZE, SIZE)?;
    let points = plain.apply(&face.landmarks, &layout);
    let all_on = TextureDraws {
        occlusion: Some([0.5; 4]),
        blur: Some(0.99),
        gamma: Some([0.3; 2]),
        noise: Some(star_data::textures::NoiseDraws {
            strength: 0.5,
            bytes: vec![99; (3 * SIZE * SIZE) as usize],
        }),
        gray: true,
    };

    time("decode", |_| {
        black_box(decode_bytes(&bytes, Path::new("")).is_ok());
    });
    time("random numbers", |i| {
        black_box(draws(i));
    });
    time("warp, upright", |_| {
        black_box(warp(&face.image, &plain.image, SIZE, SIZE).is_ok());
    });
    time("warp, as drawn", |i| {
        let plan = FacePlan::of(&face, &layout, SIZE, &draws(i));
        black_box(warp(&face.image, &plan.image, SIZE, SIZE).is_ok());
    });
    time("textures, as drawn", |i| {
        let mut crop = crop.clone();
        draws(i).textures.apply(&mut crop);
        black_box(crop);
    });
    time("textures, all of them", |_| {
        let mut crop = crop.clone();
        all_on.apply(&mut crop);
        black_box(crop);
    });
    time("network input", |_| {
        black_box(network_input(&crop));
    });
    time("point maps (profiles)", |_| {
        black_box(point_profiles(&points, SIZE as usize));
    });
    time("edge maps", |_| {
        black_box(edge_maps(&points, &layout.edges, SIZE as usize));
    });
    let maker = SampleMaker::new(layout.clone(), SIZE, config.clone(), true)?;
    time("whole sample without decoding", |i| {
        black_box(maker.sample(&face, 0, i, 0).is_ok());
    });
    Ok(())
}
