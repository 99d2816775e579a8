//! Measures how the detector's box lies relative to the landmarks' box; docs/detector.md has the figures.
//!
//! cargo run --release -p star-train --example calibrate_detector -- TSV IMAGES

use std::time::Instant;

use rayon::prelude::*;
use star_data::{FaceSource, Layout, TsvFaces};
use star_eval::quantile::quartiles;
use star_infer::detect::{Calibration, Detector, FaceBox, SeetaFace};

/// Scores from which on a box counts, for the table; the lowest is asked of the detector.
const LEAST_SCORES: [f64; 5] = [0.5, 1.0, 2.0, 4.0, 8.0];

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One image: every box with its offset to the annotated face.
type Boxes = Vec<(FaceBox, Calibration)>;

fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(tsv), Some(images)) = (args.next(), args.next()) else {
        return Err("give the TSV of the faces and the folder of their images".into());
    };
    let faces = TsvFaces::open(tsv, images, Layout::builtin("ibug68")?)?;
    let detector = SeetaFace::new()?.least_score(LEAST_SCORES[0]);
    let start = Instant::now();
    let images: Vec<Boxes> = (0..faces.len())
        .into_par_iter()
        .map(|index| {
            let face = faces.face(index)?;
            let found = detector.detect(&face.image)?;
            Ok(found
                .into_iter()
                .filter_map(|b| Some((b, Calibration::between(&b, &face.landmarks)?)))
                .collect())
        })
        .collect::<Result<_, Failure>>()?;
    let seconds = start.elapsed().as_secs_f64();
    println!(
        "{} images, {:.0} ms each with {} threads",
        images.len(),
        1e3 * seconds / images.len() as f64,
        rayon::current_num_threads()
    );

    println!("\n| least score | faces found | other boxes an image |\n|---|---|---|");
    for least in LEAST_SCORES {
        let kept = |boxes: &Boxes| boxes.iter().filter(|(b, _)| b.score >= least).count();
        let found = images.iter().filter(|p| own(p, least).is_some()).count();
        let all: usize = images.iter().map(kept).sum();
        println!(
            "| {least} | {:.1} % | {:.3} |",
            100.0 * found as f64 / images.len() as f64,
            (all - found) as f64 / images.len() as f64
        );
    }

    println!("\n| | lower quartile | median | upper quartile |\n|---|---|---|---|");
    let offsets: Vec<Calibration> = images.iter().filter_map(|p| own(p, 2.0)).collect();
    for (name, value) in [
        ("dx", (|c: &Calibration| c.dx) as fn(&Calibration) -> f64),
        ("dy", |c| c.dy),
        ("scale", |c| c.scale),
    ] {
        if let Some([low, median, high]) = quartiles(offsets.iter().map(value)) {
            println!("| {name} | {low:.4} | {median:.4} | {high:.4} |");
        }
    }
    Ok(())
}

/// The offset of the box that shows the annotated face: its centre lies within a third of its side from the landmarks' centre, and
/// neither box is more than twice as large as the other. (The calibration itself cannot be used to find what it is made of.)
fn own(boxes: &Boxes, least: f64) -> Option<Calibration> {
    boxes
        .iter()
        .filter(|(b, c)| {
            b.score >= least && c.dx.hypot(c.dy) < 0.33 && (0.5..2.0).contains(&c.scale)
        })
        .min_by(|a, b| a.1.dx.hypot(a.1.dy).total_cmp(&b.1.dx.hypot(b.1.dy)))
        .map(|(_, c)| *c)
}
