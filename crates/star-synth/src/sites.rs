//! Where each layout's landmarks are on the drawn curves.

use super::{head::Head, track::Track};
use star_data::{DataError, Layout, Point};

/// A curve of the head; left and right are the image's, 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Curve {
    Jaw,
    Brow(usize),
    Eye(usize),
    NoseBridge,
    NoseBase,
    LipOuter,
    LipInner,
}

/// What a landmark marks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Site {
    /// Some place along a curve: certain across it, uncertain along it. `u` as in [`Track`].
    Contour(Curve, f64),
    /// A place that the eye finds in both directions: a corner, a tip.
    Corner(Curve, f64),
    /// The middle of a pupil, 0 left, 1 right.
    Pupil(usize),
}

impl Head {
    pub fn track(&self, curve: Curve) -> &Track {
        match curve {
            Curve::Jaw => &self.jaw,
            Curve::Brow(side) => &self.brow[side],
            Curve::Eye(side) => &self.eye[side],
            Curve::NoseBridge => &self.nose_bridge,
            Curve::NoseBase => &self.nose_base,
            Curve::LipOuter => &self.lip_outer,
            Curve::LipInner => &self.lip_inner,
        }
    }

    pub fn place(&self, site: Site) -> Point {
        match site {
            Site::Contour(curve, u) | Site::Corner(curve, u) => {
                let track = self.track(curve);
                track.at(track.arc_at(u)).0
            }
            Site::Pupil(side) => self.pupil[side],
        }
    }

    /// The unit tangent at a contour point; `None` for corners and pupils.
    pub fn tangent(&self, site: Site) -> Option<Point> {
        match site {
            Site::Contour(curve, u) => {
                let track = self.track(curve);
                Some(track.at(track.arc_at(u)).1)
            }
            Site::Corner(..) | Site::Pupil(_) => None,
        }
    }
}

/// The sites of a layout's landmarks, in its order.
pub(super) fn sites(layout: &Layout) -> Result<Vec<Site>, DataError> {
    let sites = match layout.name.as_str() {
        "wflw98" => wflw98(),
        "ibug68" => ibug68(),
        "cofw29" => cofw29(),
        other => {
            return Err(DataError::Invalid(format!(
                "synthetic faces have no points for layout `{other}`: use wflw98, ibug68 or cofw29, or add it to synth/sites.rs"
            )));
        }
    };
    if sites.len() == layout.points {
        Ok(sites)
    } else {
        Err(DataError::Invalid(format!(
            "layout `{}` has {} points, but synthetic faces have {} for it",
            layout.name,
            layout.points,
            sites.len()
        )))
    }
}

use Site::{Contour, Corner, Pupil};

fn jaw(count: usize) -> impl Iterator<Item = Site> {
    (0..count).map(move |i| Contour(Curve::Jaw, 2.0 * i as f64 / (count - 1) as f64))
}

/// Points of a curve at `us`; those that `corners` names are corners.
fn along(curve: Curve, corners: &'static [f64], us: &'static [f64]) -> impl Iterator<Item = Site> {
    us.iter().map(move |&u| {
        if corners.contains(&u) {
            Corner(curve, u)
        } else {
            Contour(curve, u)
        }
    })
}

const BROW_CORNERS: &[f64] = &[0.0, 1.0, 2.0];
const EYE_CORNERS: &[f64] = &[0.0, 1.0];
const TIP: &[f64] = &[1.0];
const BELOW: &[f64] = &[1.0];
const LIP_CORNERS: &[f64] = &[0.0, 2.0];
/// Round the outer lips from the left corner; 0.76 and 1.24 are the peaks of the bow.
const LIP_OUTER_12: &[f64] = &[
    0.0, 0.4, 0.76, 1.0, 1.24, 1.6, 2.0, 2.4, 2.72, 3.0, 3.28, 3.6,
];
/// Round the inner lips from the left corner.
const LIP_INNER_8: &[f64] = &[0.0, 0.55, 1.0, 1.45, 2.0, 2.55, 3.0, 3.45];

fn wflw98() -> Vec<Site> {
    let mut s: Vec<Site> = jaw(33).collect();
    s.extend(along(
        Curve::Brow(0),
        BROW_CORNERS,
        &[0.0, 0.25, 0.5, 0.75, 1.0, 2.0, 2.25, 2.5, 2.75],
    ));
    // The right brow starts at its inner end.
    s.extend(along(
        Curve::Brow(1),
        BROW_CORNERS,
        &[1.0, 0.75, 0.5, 0.25, 0.0, 2.75, 2.5, 2.25, 2.0],
    ));
    s.extend(along(
        Curve::NoseBridge,
        TIP,
        &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0],
    ));
    s.extend(along(Curve::NoseBase, BELOW, &[0.0, 0.5, 1.0, 1.5, 2.0]));
    s.extend(along(
        Curve::Eye(0),
        EYE_CORNERS,
        &[0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 1.75],
    ));
    s.extend(along(
        Curve::Eye(1),
        EYE_CORNERS,
        &[1.0, 0.75, 0.5, 0.25, 0.0, 1.75, 1.5, 1.25],
    ));
    s.extend(along(Curve::LipOuter, LIP_CORNERS, LIP_OUTER_12));
    s.extend(along(Curve::LipInner, LIP_CORNERS, LIP_INNER_8));
    s.extend([Pupil(0), Pupil(1)]);
    s
}

fn ibug68() -> Vec<Site> {
    let mut s: Vec<Site> = jaw(17).collect();
    s.extend(along(
        Curve::Brow(0),
        BROW_CORNERS,
        &[0.0, 0.25, 0.5, 0.75, 1.0],
    ));
    s.extend(along(
        Curve::Brow(1),
        BROW_CORNERS,
        &[1.0, 0.75, 0.5, 0.25, 0.0],
    ));
    s.extend(along(
        Curve::NoseBridge,
        TIP,
        &[0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0],
    ));
    s.extend(along(Curve::NoseBase, BELOW, &[0.0, 0.5, 1.0, 1.5, 2.0]));
    const THIRD: f64 = 1.0 / 3.0;
    s.extend(along(
        Curve::Eye(0),
        EYE_CORNERS,
        &[0.0, THIRD, 2.0 * THIRD, 1.0, 1.0 + THIRD, 2.0 - THIRD],
    ));
    s.extend(along(
        Curve::Eye(1),
        EYE_CORNERS,
        &[1.0, 2.0 * THIRD, THIRD, 0.0, 2.0 - THIRD, 1.0 + THIRD],
    ));
    s.extend(along(Curve::LipOuter, LIP_CORNERS, LIP_OUTER_12));
    s.extend(along(Curve::LipInner, LIP_CORNERS, LIP_INNER_8));
    s
}

/// Brow ends, brow middles, eye ends, eye middles, pupils, nose, mouth, chin; most of them left before right.
fn cofw29() -> Vec<Site> {
    let (brow, eye) = (Curve::Brow, Curve::Eye);
    vec![
        Corner(brow(0), 0.0),
        Corner(brow(1), 0.0),
        Corner(brow(0), 1.5),
        Corner(brow(1), 1.5),
        Contour(brow(0), 0.5),
        Contour(brow(0), 2.5),
        Contour(brow(1), 0.5),
        Contour(brow(1), 2.5),
        Corner(eye(0), 0.0),
        Corner(eye(1), 0.0),
        Corner(eye(0), 1.0),
        Corner(eye(1), 1.0),
        Contour(eye(0), 0.5),
        Contour(eye(0), 1.5),
        Contour(eye(1), 0.5),
        Contour(eye(1), 1.5),
        Pupil(0),
        Pupil(1),
        Contour(Curve::NoseBase, 0.0),
        Contour(Curve::NoseBase, 2.0),
        Corner(Curve::NoseBridge, 1.0),
        Corner(Curve::NoseBase, 1.0),
        Corner(Curve::LipOuter, 0.0),
        Corner(Curve::LipOuter, 2.0),
        Contour(Curve::LipOuter, 1.0),
        Contour(Curve::LipInner, 1.0),
        Contour(Curve::LipInner, 3.0),
        Contour(Curve::LipOuter, 3.0),
        Contour(Curve::Jaw, 1.0),
    ]
}
