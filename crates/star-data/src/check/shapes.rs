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
    let not_compared = |note: String| Shapes {
        note: Some(format!("shapes were not compared: {note}")),
        ..Shapes::default()
    };
    // A face whose points are all in one place has no shape; other checks name it.
    let faces: Vec<(usize, &[Point])> = (entries.iter().enumerate())
        .map(|(at, entry)| (at, &entry.row.landmarks[..]))
        .filter(|(_, points)| Shape::of(points).is_some())
        .collect();
    if faces.len() < ENOUGH {
        return not_compared(format!(
            "{} faces are too few for a mean shape, it takes {ENOUGH}",
            faces.len()
        ));
    }
    let points: Vec<&[Point]> = faces.iter().map(|(_, points)| *points).collect();
    let mean = mean_shape(&points);
    if let Some(i) = mean.0.iter().position(|p| !p.is_labelled()) {
        return not_compared(format!("no face has a label at point {i}"));
    }
    let shapes: Vec<(usize, Shape)> = (faces.iter())
        .filter_map(|(at, points)| Some((*at, Shape::filled(points, &mean)?)))
        .collect();
    let fits: Vec<Fit> = (shapes.par_iter())
        .map(|(at, shape)| Fit::of(shape, &entries[*at].row.landmarks, &mean, layout))
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
            .filter(|(_, (offset, _))| !offset.is_nan())
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
    /// Of the points that are labelled; the others stay [`Point::MISSING`]. `None` when all are in one place.
    pub fn of(points: &[Point]) -> Option<Self> {
        let labelled = || points.iter().filter(|p| p.is_labelled());
        let n = labelled().count() as f64;
        let x = labelled().map(|p| p.x).sum::<f64>() / n;
        let y = labelled().map(|p| p.y).sum::<f64>() / n;
        let center = Point::new(x, y);
        let square = labelled().map(|p| p.distance(center).powi(2));
        let radius = (square.sum::<f64>() / n).sqrt();
        (radius.is_finite() && radius > 0.0).then(|| {
            let place = |p: &Point| Point::new((p.x - x) / radius, (p.y - y) / radius);
            Self(points.iter().map(place).collect())
        })
    }

    /// With the points that are not labelled where `mean`, laid on the others, has them.
    fn filled(points: &[Point], mean: &Self) -> Option<Self> {
        if points.iter().all(|p| p.is_labelled()) {
            return Self::of(points);
        }
        let known = |p: &Point, m: &Point| p.is_labelled() && m.is_labelled();
        let known = || (points.iter().zip(&mean.0)).filter(|(p, m)| known(p, m));
        let n = known().count() as f64;
        let centre = |points: &mut dyn Iterator<Item = Point>| {
            let sum = points.fold(Point::default(), |s, p| Point::new(s.x + p.x, s.y + p.y));
            Point::new(sum.x / n, sum.y / n)
        };
        let from = centre(&mut known().map(|(_, m)| *m));
        let to = centre(&mut known().map(|(p, _)| *p));
        let (mut re, mut im, mut size) = (0.0, 0.0, 0.0);
        for (p, m) in known() {
            let (px, py, mx, my) = (p.x - to.x, p.y - to.y, m.x - from.x, m.y - from.y);
            re += px * mx + py * my;
            im += py * mx - px * my;
            size += mx * mx + my * my;
        }
        let (re, im) = (re / size, im / size);
        let place = |m: &Point| {
            let (x, y) = (m.x - from.x, m.y - from.y);
            Point::new(re * x - im * y + to.x, im * x + re * y + to.y)
        };
        let all = points.iter().zip(&mean.0);
        let all: Vec<Point> = all
            .map(|(p, m)| if p.is_labelled() { *p } else { place(m) })
            .collect();
        Self::of(&all)
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

/// The mean shape, of medians: a damaged face does not move it. Of each point over the faces that have it labelled.
fn mean_shape(faces: &[&[Point]]) -> Shape {
    let points = faces.first().map_or(0, |face| face.len());
    let of_medians = |placed: &[Vec<Point>]| {
        let medians: Vec<Point> = (0..points)
            .into_par_iter()
            .map(|i| {
                let labelled = || placed.iter().map(|s| s[i]).filter(|p| p.is_labelled());
                if labelled().next().is_none() {
                    return Point::MISSING;
                }
                let of = |axis: fn(Point) -> f64| median(labelled().map(axis).collect());
                Point::new(of(|p| p.x), of(|p| p.y))
            })
            .collect();
        Shape::of(&medians)
    };
    // Most faces are upright, so the first mean is taken as they stand.
    let upright: Vec<Vec<Point>> = (faces.iter())
        .filter_map(|face| Some(Shape::of(face)?.0))
        .collect();
    let mut mean = of_medians(&upright).unwrap_or_else(|| Shape(upright[0].clone()));
    for _ in 0..ROUNDS {
        let placed: Vec<Vec<Point>> = (faces.par_iter())
            .filter_map(|face| {
                let shape = Shape::filled(face, &mean)?;
                let labelled = face.iter().zip(shape.laid_on(&mean));
                Some(
                    labelled
                        .map(|(p, laid)| {
                            if p.is_labelled() {
                                laid
                            } else {
                                Point::MISSING
                            }
                        })
                        .collect(),
                )
            })
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
    /// For each point how far it is from the mean shape's; NaN where it is not labelled.
    offsets: Vec<f64>,
}

impl Fit {
    fn of(shape: &Shape, landmarks: &[Point], mean: &Shape, layout: &Layout) -> Self {
        let swapped = Shape(layout.mirror.iter().map(|&i| shape.0[i]).collect());
        Self {
            distance: shape.distance(mean),
            swapped: swapped.distance(mean),
            offsets: (shape.laid_on(mean).zip(&mean.0).zip(landmarks))
                .map(|((p, m), given)| match given.is_labelled() {
                    true => p.distance(*m),
                    false => f64::NAN,
                })
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
    /// Of the values that are there.
    fn of(mut values: Vec<f64>) -> Self {
        values.retain(|v| !v.is_nan());
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
