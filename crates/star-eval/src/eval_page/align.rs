//! Faces laid over one another: similarity transforms and the mean face.

use star_data::{Covariance, Norm, Point};

/// Rounds of aligning all faces to their mean; the mean stands still to four digits after two.
const ROUNDS: usize = 4;

/// Turns, scales and shifts the plane: (x, y) goes to (a x - b y + dx, b x + a y + dy).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Similarity {
    a: f64,
    b: f64,
    dx: f64,
    dy: f64,
}

impl Similarity {
    /// The similarity that takes `from` closest to `to` in the sum of squares of what both have labelled; None where all those points of
    /// `from` are one.
    pub fn fit(from: &[Point], to: &[Point]) -> Option<Self> {
        let both = from.iter().zip(to);
        let (from, to): (Vec<Point>, Vec<Point>) = both
            .filter(|(f, t)| f.is_labelled() && t.is_labelled())
            .unzip();
        let (cf, ct) = (centre(&from), centre(&to));
        let (mut along, mut across, mut size) = (0.0, 0.0, 0.0);
        for (f, t) in from.iter().zip(&to) {
            let (fx, fy, tx, ty) = (f.x - cf.x, f.y - cf.y, t.x - ct.x, t.y - ct.y);
            along += fx * tx + fy * ty;
            across += fx * ty - fy * tx;
            size += fx * fx + fy * fy;
        }
        let (a, b) = (along / size, across / size);
        (a.is_finite() && b.is_finite()).then_some(Self {
            a,
            b,
            dx: ct.x - a * cf.x + b * cf.y,
            dy: ct.y - b * cf.x - a * cf.y,
        })
    }

    pub fn apply(&self, p: Point) -> Point {
        let v = self.apply_vector(p);
        Point::new(v.x + self.dx, v.y + self.dy)
    }

    /// A difference of two points: turned and scaled, not shifted.
    pub fn apply_vector(&self, v: Point) -> Point {
        Point::new(self.a * v.x - self.b * v.y, self.b * v.x + self.a * v.y)
    }

    /// A covariance C, as L C Lᵀ.
    pub fn apply_spread(&self, Covariance { xx, xy, yy }: Covariance) -> Covariance {
        let (a, b) = (self.a, self.b);
        Covariance {
            xx: a * a * xx - 2.0 * a * b * xy + b * b * yy,
            xy: a * b * (xx - yy) + (a * a - b * b) * xy,
            yy: b * b * xx + 2.0 * a * b * xy + a * a * yy,
        }
    }
}

/// The mean of faces aligned by similarity, with the norm's distance as its unit and its centre of mass at the origin.
pub(super) struct MeanFace {
    pub points: Vec<Point>,
    /// For each face given: from its pixels to the mean face's units; None for a face whose norm has no length.
    pub from_image: Vec<Option<Similarity>>,
}

/// Aligns faces (in pixels, all of one layout). None if no face has a norm.
///
/// It starts from the average of the faces as they stand in their images, so the mean face is upright if they are on average.
pub(super) fn mean_face(faces: &[&[Point]], norm: &Norm) -> Option<MeanFace> {
    let points = faces.first()?.len();
    let usable: Vec<bool> = faces
        .iter()
        .map(|f| {
            let distance = norm.distance(f);
            distance > 0.0 && distance.is_finite()
        })
        .collect();
    let standing = faces
        .iter()
        .zip(&usable)
        .filter(|(_, u)| **u)
        .map(|(f, _)| {
            let (c, k) = (centre(f), 1.0 / norm.distance(f));
            f.iter()
                .map(|p| Point::new((p.x - c.x) * k, (p.y - c.y) * k))
                .collect::<Vec<_>>()
        });
    let mut mean = mean_of(points, standing);
    let mut from_image = Vec::new();
    for _ in 0..ROUNDS {
        normalise(&mut mean, norm)?;
        from_image = faces
            .iter()
            .zip(&usable)
            .map(|(f, u)| u.then(|| Similarity::fit(f, &mean)).flatten())
            .collect::<Vec<_>>();
        let aligned = faces.iter().zip(&from_image).filter_map(|(f, s)| {
            let s = (*s)?;
            Some(f.iter().map(|p| s.apply(*p)).collect::<Vec<_>>())
        });
        mean = mean_of(points, aligned);
    }
    normalise(&mut mean, norm)?;
    for (f, s) in faces.iter().zip(&mut from_image) {
        *s = s.and_then(|_| Similarity::fit(f, &mean));
    }
    Some(MeanFace {
        points: mean,
        from_image,
    })
}

/// The mean of each point over the faces that have it labelled; [`Point::MISSING`] where none has.
fn mean_of(points: usize, faces: impl Iterator<Item = Vec<Point>>) -> Vec<Point> {
    let mut sums = vec![(Point::default(), 0.0); points];
    for face in faces {
        for ((sum, n), p) in sums.iter_mut().zip(face) {
            if p.is_labelled() {
                *sum = Point::new(sum.x + p.x, sum.y + p.y);
                *n += 1.0;
            }
        }
    }
    let mean = |(sum, n): (Point, f64)| Point::new(sum.x / n, sum.y / n);
    sums.into_iter().map(mean).collect()
}

/// Puts the centre at the origin and makes the norm's distance 1; None where it has no length.
fn normalise(face: &mut [Point], norm: &Norm) -> Option<()> {
    let (c, distance) = (centre(face), norm.distance(face));
    if !(distance > 0.0 && distance.is_finite()) {
        return None;
    }
    for p in face {
        *p = Point::new((p.x - c.x) / distance, (p.y - c.y) / distance);
    }
    Some(())
}

/// Of the points that are labelled.
fn centre(points: &[Point]) -> Point {
    let labelled = || points.iter().filter(|p| p.is_labelled());
    let n = labelled().count() as f64;
    Point::new(
        labelled().map(|p| p.x).sum::<f64>() / n,
        labelled().map(|p| p.y).sum::<f64>() / n,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: [Point; 4] = [
        Point::new(0.0, 0.0),
        Point::new(2.0, 0.1),
        Point::new(1.8, 3.0),
        Point::new(0.3, 2.0),
    ];
    const MOVE: Similarity = Similarity {
        a: 1.2,
        b: -0.7,
        dx: 30.0,
        dy: -4.0,
    };

    #[test]
    fn a_similarity_is_found_again_and_turns_a_spread_as_it_turns_points() {
        let moved = FACE.map(|p| MOVE.apply(p));
        let found = Similarity::fit(&FACE, &moved).expect("a fit");
        for (f, m) in FACE.iter().zip(&moved) {
            assert!(found.apply(*f).distance(*m) < 1e-12);
        }
        // The covariance of vectors, turned, is the covariance of the turned vectors.
        let second = |v: [Point; 4]| Covariance {
            xx: v.iter().map(|p| p.x * p.x).sum(),
            xy: v.iter().map(|p| p.x * p.y).sum(),
            yy: v.iter().map(|p| p.y * p.y).sum(),
        };
        let (turned, expected) = (
            MOVE.apply_spread(second(FACE)),
            second(FACE.map(|p| MOVE.apply_vector(p))),
        );
        for (t, e) in [
            (turned.xx, expected.xx),
            (turned.xy, expected.xy),
            (turned.yy, expected.yy),
        ] {
            assert!((t - e).abs() < 1e-12, "{turned:?} {expected:?}");
        }
        assert_eq!(Similarity::fit(&[FACE[0]; 4], &FACE), None);
    }

    #[test]
    fn the_mean_of_one_face_in_several_places_is_that_face_with_its_norm_as_the_unit() {
        let norm = Norm {
            left: vec![0],
            right: vec![1],
        };
        let back = Similarity { b: 0.7, ..MOVE };
        let faces = [
            FACE,
            FACE.map(|p| MOVE.apply(p)),
            FACE.map(|p| back.apply(p)),
            [FACE[0]; 4],
        ];
        let faces: Vec<&[Point]> = faces.iter().map(|f| &f[..]).collect();
        let mean = mean_face(&faces, &norm).expect("a mean");
        assert!((norm.distance(&mean.points) - 1.0).abs() < 1e-12);
        for (face, s) in faces.iter().zip(&mean.from_image).take(3) {
            let s = s.expect("a similarity");
            for (p, m) in face.iter().zip(&mean.points) {
                assert!(s.apply(*p).distance(*m) < 1e-9);
            }
        }
        assert_eq!(mean.from_image[3], None, "a face without a norm");
        assert!(mean_face(&faces[3..], &norm).is_none());
    }
}
