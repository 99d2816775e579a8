//! Whether a face's points, its image and its crop fit each other.

use super::Kind;
use crate::{crop::CROP_UNIT, layout::Layout, point::Point, tsv::TsvRow};

/// More of a face's points than this outside its image are no face at the rim, but another image or another resolution.
const MOSTLY: f64 = 0.5;
/// A few points just outside the crop are the published annotation files' habit, whose crops have no margin.
const CROP_TIGHT: f64 = 0.1;
/// Crops are usually 1 to 1.5 times as wide as the face.
const CROP_LOOSE: f64 = 3.0;

type Complaint = (Kind, String, &'static str);

/// The smallest upright box around some points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    low: Point,
    high: Point,
}

impl Bounds {
    pub fn of(points: &[Point]) -> Self {
        let mut low = Point::new(f64::INFINITY, f64::INFINITY);
        let mut high = Point::new(f64::NEG_INFINITY, f64::NEG_INFINITY);
        for p in points {
            low = Point::new(low.x.min(p.x), low.y.min(p.y));
            high = Point::new(high.x.max(p.x), high.y.max(p.y));
        }
        Self { low, high }
    }

    /// The longer side, in pixels.
    pub fn side(&self) -> f64 {
        (self.high.x - self.low.x).max(self.high.y - self.low.y)
    }

    /// The common area divided by the area of both together; 0 for boxes without an area.
    pub fn overlap(&self, other: &Self) -> f64 {
        let area = |b: &Self| (b.high.x - b.low.x).max(0.0) * (b.high.y - b.low.y).max(0.0);
        let common = area(&Self {
            low: Point::new(self.low.x.max(other.low.x), self.low.y.max(other.low.y)),
            high: Point::new(self.high.x.min(other.high.x), self.high.y.min(other.high.y)),
        });
        let both = area(self) + area(other) - common;
        if both > 0.0 { common / both } else { 0.0 }
    }
}

/// What does not fit about a face. `size` is its image's, where that can be read.
pub(super) fn complaints(
    row: &TsvRow,
    size: Option<(u32, u32)>,
    layout: &Layout,
) -> Vec<Complaint> {
    let mut found = Vec::new();
    let first = layout.first_pixel();
    found.extend(size.and_then(|size| outside_image(&row.landmarks, first, size)));
    found.extend(crop_fit(row));
    found.extend(no_size(&row.landmarks, layout));
    found
}

/// Points beyond the outer borders of the image's pixels, which are counted from `first`.
fn outside_image(points: &[Point], first: f64, (width, height): (u32, u32)) -> Option<Complaint> {
    let beyond = |v: f64, length: u32| {
        let from_border = v - first + 0.5;
        (-from_border).max(from_border - f64::from(length)).max(0.0)
    };
    let out = |p: &Point| beyond(p.x, width).max(beyond(p.y, height));
    let count = points.iter().filter(|p| out(p) > 0.0).count();
    if count == 0 {
        return None;
    }
    let labelled = points.iter().filter(|p| p.is_labelled()).count();
    let furthest = points.iter().map(out).fold(0.0, f64::max);
    let what = format!(
        "{count} of {labelled} points are outside the image, which is {width} x {height} pixels, by up to {furthest:.1}"
    );
    Some(if count as f64 > MOSTLY * labelled as f64 {
        let fix = "is it the right image, in the resolution that was annotated, with x before y?";
        (Kind::PointsElsewhere, what, fix)
    } else {
        let fix = "fine for a face at the rim; otherwise correct the points";
        (Kind::PointsOutside, what, fix)
    })
}

fn crop_fit(row: &TsvRow) -> Option<Complaint> {
    const FIX: &str = "column 4 is the crop's width divided by 200 pixels, columns 5 and 6 are its centre; \
                       `star prepare` writes crops from the points";
    let width = CROP_UNIT * row.crop.scale;
    let center = row.crop.center;
    let outside = |p: &&Point| (p.x - center.x).abs().max((p.y - center.y).abs()) > width / 2.0;
    let count = row.landmarks.iter().filter(outside).count();
    let labelled = row.landmarks.iter().filter(|p| p.is_labelled()).count();
    let fraction = count as f64 / labelled.max(1) as f64;
    if fraction > CROP_TIGHT {
        let kind = if fraction > MOSTLY {
            Kind::CropMisses
        } else {
            Kind::CropTight
        };
        let what = format!(
            "{:.0} % of the points are outside the crop, {width:.0} pixels around ({:.0}, {:.0})",
            100.0 * fraction,
            center.x,
            center.y
        );
        return Some((kind, what, FIX));
    }
    let side = Bounds::of(&row.landmarks).side();
    (width > CROP_LOOSE * side).then(|| {
        let what = format!(
            "the crop is {width:.0} pixels wide, the face only {side:.0}: few pixels of the network's input will show it"
        );
        (Kind::CropLoose, what, FIX)
    })
}

fn no_size(points: &[Point], layout: &Layout) -> Option<Complaint> {
    let distance = layout.norm(None).ok()?.distance(points);
    let (is, fix) = if distance == 0.0 {
        (
            "is 0",
            "correct the points; evaluation leaves this face out",
        )
    } else if distance.is_nan() {
        (
            "is not known, because points at its ends are not labelled",
            "fine for training; evaluation leaves this face out",
        )
    } else {
        return None;
    };
    let what = format!(
        "the distance that errors are divided by (norm {}) {is}",
        layout.default_norm
    );
    Some((Kind::NoSize, what, fix))
}
