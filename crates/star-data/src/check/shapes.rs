//! Shapes that no face has: every face is laid on the mean shape, and what is left over is compared with what is usual.

use rayon::prelude::*;

use super::{Entry, Kind};
use crate::{layout::Layout, point::Point};

/// With fewer faces a mean shape and a usual distance from it mean little.
const ENOUGH: usize = 20;
/// Rounds of laying all faces on the mean and taking the mean again; it does not move any more after two.
const ROUNDS: usize = 3;
/// Robust z-score from which a shape is unusual: of 2,000 faces of 300-W, turned heads included, none is above 3.5.
const ODD_SHAPE: f64 = 5.0;
/// As [`ODD_SHAPE`], for one point alone, because the slip of a single point hardly changes the distance of the whole. Turned heads
/// move the jaw by a z-score of up to 9.
const ODD_POINT: f64 = 12.0;
/// Left and right are swapped when swapping them back leaves less than this fraction of the distance.
const SWAPPED: f64 = 0.5;
/// The median absolute deviation of a normal distribution of deviation 1.
const MAD_OF_NORMAL: f64 = 0.6745;

type Complaint = (usize, Kind, String, &'static str);

/// What the shapes of all faces say.
#[derive(Default)]
pub(super) struct Shapes {
    /// The unusual faces, by number.
    pub odd: Vec<Complaint>,
    /// None where there are too few faces.
    pub mean: Option<Shape>,
    /// What was not checked.
    pub note: Option<String>,
}

pub(super) fn compare(entries: &[Entry], layout: &Layout) -> Shapes {
    // A face whose points are all in one place has no shape; other checks name it.
    let shapes: Vec<(usize, Shape)> = (entries.iter().enumerate())
        .filter_map(|(at, entry)| Some((at, Shape::of(&entry.row.landmarks)?)))
        .collect();
    if shapes.len() < ENOUGH {
        let note = format!(
            "shapes were not compared: {} faces are too few for a mean shape, it takes {ENOUGH}",
            shapes.len()
        );
        return Shapes {
            note: Some(note),
            ..Shapes::default()
        };
    }
    let mean = mean_shape(&shapes);
    let fits: Vec<Fit> = (shapes.par_iter())
        .map(|(_, shape)| Fit::of(shape, &mean, layout))
        .collect();
    let usual = Usual::of(fits.iter().map(|fit| fit.distance).collect());
    let usual_points: Vec<Usual> = (0..layout.points)
        .into_par_iter()
        .map(|i| Usual::of(fits.iter().map(|fit| fit.offsets[i]).collect()))
        .collect();

    let mut found = Vec::new();
    for ((at, _), fit) in shapes.iter().zip(&fits) {
        let score = usual.score(fit.distance);
        if fit.swapped < SWAPPED * fit.distance && usual.score(fit.swapped) < ODD_SHAPE {
            let what = format!(
                "left and right seem swapped: swapping them back leaves {:.0} % of the distance from the mean shape",
                100.0 * fit.swapped / fit.distance
            );
            let fix = "swap the mirror pairs of the layout, or mirror the image";
            found.push((*at, Kind::Swapped, what, fix));
            continue;
        }
        let worst = (fit.offsets.iter().zip(&usual_points).enumerate())
            .map(|(i, (&offset, usual))| (i, usual.score(offset)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        let Some((point, point_score)) = worst else {
            continue;
        };
        if score > ODD_SHAPE || point_score > ODD_POINT {
            let what = format!(
                "far from the mean shape: {:.2} of the face's radius, half of all faces are within {:.2} (robust z {score:.0}); \
                 furthest off its usual place is point {point} (z {point_score:.0})",
                fit.distance, usual.median
            );
            let fix = "look at it (`star data show --lines`); a turned head is fine, a slipped point is not";
            found.push((*at, Kind::OddShape, what, fix));
        }
    }
    Shapes {
        odd: found,
        mean: Some(mean),
        note: None,
    }
}

/// A face without place and size: centred, and with a mean square distance of 1 from the centre.
pub(super) struct Shape(pub Vec<Point>);

impl Shape {
    /// `None` when all points are in one place.
    pub fn of(points: &[Point]) -> Option<Self> {
        let n = points.len() as f64;
        let x = points.iter().map(|p| p.x).sum::<f64>() / n;
        let y = points.iter().map(|p| p.y).sum::<f64>() / n;
        let center = Point::new(x, y);
        let square = points.iter().map(|p| p.distance(center).powi(2));
        let radius = (square.sum::<f64>() / n).sqrt();
        (radius.is_finite() && radius > 0.0).then(|| {
            let place = |p: &Point| Point::new((p.x - x) / radius, (p.y - y) / radius);
            Self(points.iter().map(place).collect())
        })
    }

    /// The turn and size that lay this shape best on `mean`: as the complex number whose product with each point is its place.
    fn onto(&self, mean: &Self) -> (f64, f64) {
        let n = self.0.len() as f64;
        let (mut re, mut im) = (0.0, 0.0);
        for (z, m) in self.0.iter().zip(&mean.0) {
            re += z.x * m.x + z.y * m.y;
            im += z.x * m.y - z.y * m.x;
        }
        (re / n, im / n)
    }

    /// Where each point lies after that.
    fn laid_on<'a>(&'a self, mean: &Self) -> impl Iterator<Item = Point> + 'a {
        let (re, im) = self.onto(mean);
        (self.0.iter()).map(move |z| Point::new(re * z.x - im * z.y, re * z.y + im * z.x))
    }

    /// What is left over between the two when this shape is laid on `mean`, 0 to 1 (the mean shape's radius).
    fn distance(&self, mean: &Self) -> f64 {
        let (re, im) = self.onto(mean);
        (1.0 - re * re - im * im).max(0.0).sqrt()
    }
}

/// The mean shape, of medians: a damaged face does not move it.
fn mean_shape(shapes: &[(usize, Shape)]) -> Shape {
    let points = shapes.first().map_or(0, |(_, shape)| shape.0.len());
    let of_medians = |placed: &[Vec<Point>]| {
        let medians: Vec<Point> = (0..points)
            .into_par_iter()
            .map(|i| {
                let of =
                    |axis: fn(&Point) -> f64| median(placed.iter().map(|s| axis(&s[i])).collect());
                Point::new(of(|p| p.x), of(|p| p.y))
            })
            .collect();
        Shape::of(&medians)
    };
    // Most faces are upright, so the first mean is taken as they stand.
    let upright: Vec<Vec<Point>> = shapes.iter().map(|(_, s)| s.0.clone()).collect();
    let mut mean = of_medians(&upright).unwrap_or_else(|| Shape(upright[0].clone()));
    for _ in 0..ROUNDS {
        let placed: Vec<Vec<Point>> = (shapes.par_iter())
            .map(|(_, shape)| shape.laid_on(&mean).collect())
            .collect();
        mean = of_medians(&placed).unwrap_or(mean);
    }
    mean
}

/// How one face lies on the mean shape.
struct Fit {
    distance: f64,
    /// The distance with mirror pairs swapped; that of the face itself in a layout without pairs.
    swapped: f64,
    /// For each point how far it is from the mean shape's.
    offsets: Vec<f64>,
}

impl Fit {
    fn of(shape: &Shape, mean: &Shape, layout: &Layout) -> Self {
        let swapped = Shape(layout.mirror.iter().map(|&i| shape.0[i]).collect());
        Self {
            distance: shape.distance(mean),
            swapped: swapped.distance(mean),
            offsets: (shape.laid_on(mean).zip(&mean.0))
                .map(|(p, m)| p.distance(*m))
                .collect(),
        }
    }
}

/// Median and spread of a value over all faces.
struct Usual {
    median: f64,
    /// Median absolute deviation.
    mad: f64,
}

impl Usual {
    fn of(values: Vec<f64>) -> Self {
        let middle = median(values.clone());
        Self {
            median: middle,
            mad: median(values.iter().map(|v| (v - middle).abs()).collect()),
        }
    }

    /// The robust z-score; 0 where all faces are the same.
    fn score(&self, value: f64) -> f64 {
        // Faces that are copies of each other differ by rounding alone.
        if self.mad > 1e-9 {
            MAD_OF_NORMAL * (value - self.median) / self.mad
        } else {
            0.0
        }
    }
}

/// 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}
