//! How anisotropic heatmaps are, and whether the errors are so too: the analysis behind STAR loss, on any test set.
//!
//! All lengths are fractions of the layout's norm (the inter-ocular distance), and directions are those of each heatmap's own
//! major and minor axis. An error is the annotated point minus the predicted one.

mod files;
mod plots;
mod roles;

use serde::Serialize;
use star_data::{Affine, Layout, Point};

pub use roles::{Role, roles};

use star_data::Covariance;

use crate::{
    calibration::median,
    error::EvalError,
    evaluate::PredictedFace,
    metrics::{nme, normaliser},
    quantile::quantile,
};

/// Faces are cut into this many equal parts by their NME.
const PARTS: usize = 4;

/// Means over some heatmaps.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figures {
    /// How many heatmaps.
    pub count: usize,
    /// Standard deviation along the major axis: root of the mean eigenvalue.
    pub major: f64,
    /// And along the minor axis.
    pub minor: f64,
    /// Median of the ratio of the two, one a heatmap; 1 is a circle.
    pub anisotropy: f64,
    /// Root mean square error along the major axis.
    pub error_major: f64,
    /// And along the minor axis.
    pub error_minor: f64,
    /// Ratio of the median absolute errors along and across: what the anisotropy predicts; medians, because of gross errors.
    pub error_ratio: f64,
}

/// One landmark.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PointFigures {
    /// Index of the point in the layout.
    pub point: usize,
    /// What kind of point it is.
    pub role: Role,
    /// The first edge it lies on.
    pub edge: Option<String>,
    #[serde(flatten)]
    /// Its figures.
    pub figures: Figures,
    /// Mean annotated place in the face's frame: origin between the ends of the norm, x along it, unit its length.
    pub place: Point,
    /// Mean heatmap covariance in that frame.
    pub heatmap: Covariance,
    /// Covariance of the errors about their mean, in that frame.
    pub error: Covariance,
    /// Spearman's rank correlation, over the faces, of the heatmap's size (root of the eigenvalues' sum) and the length of the error.
    pub rank_size: f64,
}

/// How a figure is distributed over the points. Points where it is not defined (NaN) are left out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Distribution {
    /// Points that have it.
    pub points: usize,
    /// Of all values.
    pub mean: f64,
    /// The least value.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub most: f64,
    /// How many are above 0.
    pub positive: usize,
}

impl Distribution {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
        Self {
            points: values.len(),
            mean: values.iter().sum::<f64>() / values.len() as f64,
            least: quantile(&mut values, 0.0),
            median: quantile(&mut values, 0.5),
            most: quantile(&mut values, 1.0),
            positive: values.iter().filter(|v| **v > 0.0).count(),
        }
    }
}

/// The landmarks of one role.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RoleFigures {
    /// What kind of point it is.
    pub role: Role,
    /// Points of this kind.
    pub points: usize,
    #[serde(flatten)]
    /// Its figures.
    pub figures: Figures,
}

/// A quarter of the faces.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Part {
    /// Faces that were looked at.
    pub faces: usize,
    /// The least and the largest NME in it.
    pub nme: [f64; 2],
    /// Over all points.
    pub all: Figures,
    /// By kind of point.
    pub roles: Vec<RoleFigures>,
}

/// What [`analyze`] finds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The layout's name.
    pub layout: String,
    /// The norm that lengths are divided by.
    pub norm: String,
    /// Faces that were looked at.
    pub faces: usize,
    /// Faces left out because their normaliser is zero.
    pub excluded: Vec<String>,
    /// Faces left out because their predicted landmarks are not finite.
    pub non_finite: Vec<String>,
    /// Heatmaps without an ellipse (one lit pixel, or none), left out.
    pub without_ellipse: usize,
    /// Over all points.
    pub all: Figures,
    /// By kind of point.
    pub roles: Vec<RoleFigures>,
    /// By NME, the easiest first.
    pub parts: Vec<Part>,
    /// Spearman's rank correlation, over the points, of anisotropy and error ratio.
    pub rank_anisotropy: f64,
    /// Over the points, their [`PointFigures::rank_size`]. Within a point, because over all heatmaps together the correlation would mostly
    /// say that some points have larger heatmaps and larger errors than others.
    pub rank_size: Distribution,
    /// Point by point.
    pub points: Vec<PointFigures>,
}

/// One heatmap and its error.
#[derive(Clone, Copy)]
struct Sight {
    face: usize,
    point: usize,
    /// Variances.
    large: f64,
    small: f64,
    /// The error along the two axes.
    along: f64,
    across: f64,
}

/// Analyses predicted faces of a layout.
///
/// # Errors
/// When no face is left: none given, or none with a normaliser and finite landmarks.
pub fn analyze(faces: &[PredictedFace], layout: &Layout) -> Result<Analysis, EvalError> {
    let norm = layout.norm(None)?;
    let (usable, left): (Vec<&PredictedFace>, Vec<_>) = faces.iter().partition(|face| {
        let whole = [
            face.predicted.len(),
            face.annotated.len(),
            face.covariance.len(),
        ];
        whole == [layout.points; 3] && normaliser(&face.annotated, norm).is_some()
    });
    let (kept, lost): (Vec<&PredictedFace>, Vec<_>) = (usable.into_iter()).partition(|face| {
        face.predicted
            .iter()
            .all(|p| p.x.is_finite() && p.y.is_finite())
    });
    if kept.is_empty() {
        return Err(EvalError::Invalid(format!(
            "there is no face to analyse: of {} faces {} have a zero normaliser, {} no finite landmarks",
            faces.len(),
            left.len(),
            lost.len()
        )));
    }
    let frames: Vec<Affine> = kept.iter().map(|face| frame(face, layout)).collect();
    let mut sights = Vec::with_capacity(kept.len() * layout.points);
    for (index, (face, frame)) in kept.iter().zip(&frames).enumerate() {
        for point in 0..layout.points {
            sights.extend(sight(face, frame, index, point));
        }
    }

    let shape: Vec<Point> = (0..layout.points)
        .map(|i| {
            let places = kept.iter().zip(&frames);
            mean_point(places.map(|(face, frame)| frame.apply(face.annotated[i])))
        })
        .collect();
    let labelled = kept.iter().flat_map(|face| &face.annotated);
    let labelled = labelled.filter(|p| p.is_labelled()).count();
    let roles = roles(layout, &shape);
    let points: Vec<PointFigures> = (0..layout.points)
        .map(|i| {
            let (heatmap, error) = spreads(&kept, &frames, i);
            let edge = layout.edges.iter().find(|edge| edge.points.contains(&i));
            PointFigures {
                point: i,
                role: roles[i],
                edge: edge.map(|edge| edge.name.clone()),
                figures: figures(sights.iter().filter(|s| s.point == i)),
                place: shape[i],
                heatmap,
                error,
                rank_size: rank_size(sights.iter().filter(|s| s.point == i)),
            }
        })
        .collect();

    let errors: Vec<f64> = kept
        .iter()
        .map(|face| nme(&face.predicted, &face.annotated, norm))
        .collect();
    Ok(Analysis {
        layout: layout.name.clone(),
        norm: layout.default_norm.clone(),
        faces: kept.len(),
        excluded: left.iter().map(|face| face.name.clone()).collect(),
        non_finite: lost.iter().map(|face| face.name.clone()).collect(),
        without_ellipse: labelled - sights.len(),
        all: figures(sights.iter()),
        roles: by_role(&sights, &roles),
        parts: parts(&sights, &roles, &errors),
        rank_anisotropy: spearman(
            &points
                .iter()
                .map(|p| (p.figures.anisotropy, p.figures.error_ratio))
                .collect::<Vec<_>>(),
        ),
        rank_size: Distribution::of(points.iter().map(|p| p.rank_size)),
        points,
    })
}

/// Spearman's rank correlation of the sizes of heatmaps and the lengths of their errors.
fn rank_size<'a>(sights: impl Iterator<Item = &'a Sight>) -> f64 {
    let pairs = sights.map(|s| ((s.large + s.small).sqrt(), s.along.hypot(s.across)));
    spearman(&pairs.collect::<Vec<_>>())
}

/// Image pixels to the face's frame.
fn frame(face: &PredictedFace, layout: &Layout) -> Affine {
    let ends = layout.norm(None).ok().map(|norm| {
        let mean = |group: &[usize]| {
            let n = group.len() as f64;
            let sum = group.iter().fold(Point::default(), |sum, &i| {
                let p = face.annotated.get(i).copied().unwrap_or_default();
                Point::new(sum.x + p.x, sum.y + p.y)
            });
            Point::new(sum.x / n, sum.y / n)
        };
        (mean(&norm.left), mean(&norm.right))
    });
    let (left, right) = ends.unwrap_or_default();
    let middle = Point::new((left.x + right.x) / 2.0, (left.y + right.y) / 2.0);
    let angle = (right.y - left.y).atan2(right.x - left.x);
    Affine::translation(-middle.x, -middle.y).then(&Affine::rotation_about(
        Point::default(),
        -angle,
        1.0 / left.distance(right),
    ))
}

fn sight(face: &PredictedFace, frame: &Affine, index: usize, point: usize) -> Option<Sight> {
    let covariance = face.covariance[point].mapped(frame);
    let axes = covariance.axes();
    covariance.mahalanobis_squared(Point::default())?;
    if !face.annotated[point].is_labelled() {
        return None;
    }
    let (p, a) = (
        frame.apply(face.predicted[point]),
        frame.apply(face.annotated[point]),
    );
    let error = Point::new(a.x - p.x, a.y - p.y);
    let major = axes.major;
    (axes.small > 0.0).then_some(Sight {
        face: index,
        point,
        large: axes.large,
        small: axes.small,
        along: error.x * major.x + error.y * major.y,
        across: error.y * major.x - error.x * major.y,
    })
}

/// Of those that are labelled.
fn mean_point(points: impl Iterator<Item = Point>) -> Point {
    let (mut sum, mut n) = (Point::default(), 0.0);
    for p in points.filter(|p| p.is_labelled()) {
        sum = Point::new(sum.x + p.x, sum.y + p.y);
        n += 1.0;
    }
    Point::new(sum.x / n, sum.y / n)
}

/// Mean heatmap covariance of a point and covariance of its errors, both in the face's frame.
fn spreads(faces: &[&PredictedFace], frames: &[Affine], i: usize) -> (Covariance, Covariance) {
    let n = faces.len() as f64;
    let mut heatmap = Covariance::default();
    let mut errors = Vec::with_capacity(faces.len());
    for (face, frame) in faces.iter().zip(frames) {
        let c = face.covariance[i].mapped(frame);
        heatmap.xx += c.xx / n;
        heatmap.xy += c.xy / n;
        heatmap.yy += c.yy / n;
        let (p, a) = (
            frame.apply(face.predicted[i]),
            frame.apply(face.annotated[i]),
        );
        if a.is_labelled() {
            errors.push(Point::new(a.x - p.x, a.y - p.y));
        }
    }
    let n = errors.len() as f64;
    let mean = mean_point(errors.iter().copied());
    let mut error = Covariance::default();
    for e in errors {
        let (x, y) = (e.x - mean.x, e.y - mean.y);
        error.xx += x * x / n;
        error.xy += x * y / n;
        error.yy += y * y / n;
    }
    (heatmap, error)
}

fn figures<'a>(sights: impl Iterator<Item = &'a Sight>) -> Figures {
    let sights: Vec<&Sight> = sights.collect();
    let n = sights.len() as f64;
    let root_mean =
        |value: &dyn Fn(&Sight) -> f64| (sights.iter().map(|s| value(s)).sum::<f64>() / n).sqrt();
    let middle = |value: &dyn Fn(&Sight) -> f64| {
        median(&sights.iter().map(|s| value(s)).collect::<Vec<_>>())
    };
    Figures {
        count: sights.len(),
        major: root_mean(&|s| s.large),
        minor: root_mean(&|s| s.small),
        anisotropy: middle(&|s| (s.large / s.small).sqrt()),
        error_major: root_mean(&|s| s.along * s.along),
        error_minor: root_mean(&|s| s.across * s.across),
        error_ratio: middle(&|s| s.along.abs()) / middle(&|s| s.across.abs()),
    }
}

fn by_role(sights: &[Sight], roles: &[Role]) -> Vec<RoleFigures> {
    let present = Role::ALL.into_iter().filter(|role| roles.contains(role));
    present
        .map(|role| RoleFigures {
            role,
            points: roles.iter().filter(|r| **r == role).count(),
            figures: figures(sights.iter().filter(|s| roles[s.point] == role)),
        })
        .collect()
}

/// The faces in equal parts by NME, the easiest first.
fn parts(sights: &[Sight], roles: &[Role], errors: &[f64]) -> Vec<Part> {
    let mut order: Vec<usize> = (0..errors.len()).collect();
    order.sort_by(|&a, &b| errors[a].total_cmp(&errors[b]).then(a.cmp(&b)));
    (0..PARTS)
        .filter_map(|k| {
            let from = k * order.len() / PARTS;
            let faces = &order[from..(k + 1) * order.len() / PARTS];
            let nme = [errors[*faces.first()?], errors[*faces.last()?]];
            let mut inside = vec![false; errors.len()];
            for &face in faces {
                inside[face] = true;
            }
            let of_part: Vec<Sight> = sights.iter().filter(|s| inside[s.face]).copied().collect();
            Some(Part {
                faces: faces.len(),
                nme,
                all: figures(of_part.iter()),
                roles: by_role(&of_part, roles),
            })
        })
        .collect()
}

/// Spearman's rank correlation; pairs with NaN are left out, and it is NaN itself where one side never changes.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let pairs: Vec<(f64, f64)> = pairs
        .iter()
        .copied()
        .filter(|(a, b)| !a.is_nan() && !b.is_nan())
        .collect();
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
    let (a, b) = (ranks(&a), ranks(&b));
    // Ranks of both sides have the same mean.
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

/// Ranks from 0; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut from = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        for &i in equal {
            ranks[i] = from as f64 + (equal.len() as f64 - 1.0) / 2.0;
        }
        from += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A face of the 29-point layout, turned and scaled, whose heatmaps are 3:1 along x in its own frame and whose errors lie along x.
    fn face(index: usize, angle: f64, size: f64, error: f64) -> (PredictedFace, Layout) {
        let layout = Layout::builtin("cofw29").unwrap();
        let place = Affine::rotation_about(Point::default(), angle, size)
            .then(&Affine::translation(100.0, 50.0));
        let flat: Vec<Point> = (0..29)
            .map(|i| Point::new((f64::from(i) * 0.7).cos(), (f64::from(i) * 0.7).sin()))
            .collect();
        let norm = layout.norm(None).unwrap();
        let unit = norm.distance(&flat);
        let annotated = place.apply_all(&flat);
        // The direction of the norm, in which the frame's x lies.
        let ends = |points: &[Point]| (points[norm.left[0]], points[norm.right[0]]);
        let (l, r) = ends(&annotated);
        let along = Point::new((r.x - l.x) / l.distance(r), (r.y - l.y) / l.distance(r));
        let turn = Affine::rotation_about(Point::default(), along.y.atan2(along.x), size * unit);
        let covariance = Covariance {
            xx: 0.09,
            xy: 0.0,
            yy: 0.01,
        };
        let shift = size * unit * error;
        let faces = PredictedFace {
            index,
            name: format!("face {index}"),
            predicted: annotated
                .iter()
                .map(|p| Point::new(p.x + shift * along.x, p.y + shift * along.y))
                .collect(),
            covariance: vec![covariance.mapped(&turn); 29],
            annotated,
            truth: None,
            matrix: Affine::IDENTITY,
        };
        (faces, layout)
    }

    #[test]
    fn figures_do_not_depend_on_how_a_face_lies_in_its_image() {
        let (faces, layouts): (Vec<_>, Vec<_>) = [
            face(0, 0.0, 40.0, 0.1),
            face(1, 1.1, 90.0, -0.1),
            face(2, -2.0, 15.0, 0.2),
            face(3, 3.0, 33.0, -0.2),
        ]
        .into_iter()
        .unzip();
        let found = analyze(&faces, &layouts[0]).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{a} instead of {b}");
        near(found.all.major, 0.3);
        near(found.all.minor, 0.1);
        near(found.all.anisotropy, 3.0);
        near(
            found.all.error_major,
            (0.1f64 * 0.1 / 2.0 + 0.2 * 0.2 / 2.0).sqrt(),
        );
        near(found.all.error_minor, 0.0);
        near(found.points[7].heatmap.xx, 0.09);
        near(found.points[7].error.yy, 0.0);
        assert_eq!(
            (found.faces, found.parts.len(), found.without_ellipse),
            (4, 4, 0)
        );
        assert!(found.parts[0].nme[1] <= found.parts[3].nme[0]);
    }

    #[test]
    fn faces_and_heatmaps_that_say_nothing_are_left_out() {
        let (good, layout) = face(0, 0.3, 40.0, 0.1);
        let (mut flat, _) = face(1, 0.3, 40.0, 0.1);
        flat.annotated = vec![Point::default(); 29];
        let (mut empty, _) = face(2, 0.3, 40.0, 0.1);
        empty.covariance[4] = Covariance::default();
        let found = analyze(&[good, flat.clone(), empty], &layout).unwrap();
        assert_eq!(found.excluded, ["face 1"]);
        assert_eq!((found.faces, found.without_ellipse), (2, 1));
        assert!(analyze(&[flat], &layout).is_err());
    }

    #[test]
    fn points_that_differ_are_no_correlation_within_a_point() {
        // Point i has heatmaps of size i + 1 and errors of about that length, on every face in another order: a correlation of almost 1 over
        // all heatmaps, of exactly 0 within each point.
        let orders = [[0.0, 1.0, 2.0, 3.0], [1.0, 3.0, 0.0, 2.0]];
        let (faces, layouts): (Vec<_>, Vec<_>) = (0..4)
            .map(|k| {
                let (mut face, layout) = face(k, 0.0, 40.0, 0.0);
                let unit = layout.norm(None).unwrap().distance(&face.annotated);
                for i in 0..29 {
                    let scale = i as f64 + 1.0;
                    let grow = (scale * (1.0 + 0.001 * orders[0][k])).powi(2);
                    face.covariance[i] = face.covariance[i].scaled(grow);
                    face.predicted[i].x += unit * scale * (0.1 + 0.0001 * orders[1][k]);
                }
                (face, layout)
            })
            .unzip();
        let found = analyze(&faces, &layouts[0]).unwrap();
        for point in &found.points {
            assert!(point.rank_size.abs() < 1e-12, "{}", point.rank_size);
        }
        let size = found.rank_size;
        assert!(
            size.mean.abs() < 1e-12 && size.most.abs() < 1e-12,
            "{size:?}"
        );
        assert_eq!(size.points, 29);
        // Errors in the order of the sizes at one point alone.
        let mut faces = faces;
        for (k, face) in faces.iter_mut().enumerate() {
            face.predicted[3] =
                Point::new(face.annotated[3].x + 0.1 + k as f64, face.annotated[3].y);
        }
        let found = analyze(&faces, &layouts[0]).unwrap();
        assert!((found.points[3].rank_size - 1.0).abs() < 1e-12);
        assert!((found.rank_size.mean - 1.0 / 29.0).abs() < 1e-12);
        assert!((found.rank_size.most - 1.0).abs() < 1e-12);
        assert!(found.table().contains("within each point"));
    }

    #[test]
    fn faces_without_finite_landmarks_are_left_out_by_name() {
        let (good, layout) = face(0, 0.3, 40.0, 0.1);
        let (mut lost, _) = face(1, 0.3, 40.0, 0.1);
        lost.predicted[7].y = f64::NAN;
        let alone = analyze(std::slice::from_ref(&good), &layout).unwrap();
        let found = analyze(&[good, lost.clone()], &layout).unwrap();
        assert_eq!(found.non_finite, ["face 1"]);
        assert_eq!((found.faces, found.all), (1, alone.all));
        assert!(found.table().contains("face 1"));
        assert!(analyze(&[lost], &layout).is_err());
    }

    #[test]
    fn rank_correlation_of_known_pairs() {
        let rising = [(1.0, 10.0), (2.0, 20.0), (3.0, 400.0)];
        assert!((spearman(&rising) - 1.0).abs() < 1e-12);
        let falling = [(1.0, 3.0), (2.0, 2.0), (9.0, 1.0)];
        assert!((spearman(&falling) + 1.0).abs() < 1e-12);
        // By hand: ranks 0, 1.5, 1.5, 3 against 0, 2, 1, 3.
        let tied = [(1.0, 1.0), (2.0, 3.0), (2.0, 2.0), (4.0, 9.0)];
        assert!((spearman(&tied) - 4.5 / (4.5f64 * 5.0).sqrt()).abs() < 1e-12);
        assert!(spearman(&[(1.0, 1.0), (1.0, 2.0)]).is_nan());
    }

    #[test]
    fn files_and_plots_hold_every_point() {
        let (one, layout) = face(0, 0.0, 40.0, 0.1);
        let (two, _) = face(1, 0.0, 40.0, -0.2);
        let found = analyze(&[one, two], &layout).unwrap();
        assert_eq!(found.csv().lines().count(), 1 + 29);
        assert!(found.table().contains("contour"));
        for (name, svg) in found.plots(&layout) {
            assert!(
                svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"),
                "{name}"
            );
            assert!(!svg.contains("NaN"), "{name}");
        }
    }
}
