//! Mirror pairs that are wrong: from mirrored images training would learn crossed points, and no figure would say why.
//!
//! The mean shape of symmetric objects lies on itself when it is mirrored, each point on its partner. The axis is found without the layout's
//! pairs, so that it does not matter how many of them are wrong.

use super::shapes::Shape;
use crate::{layout::Layout, point::Point};

/// Axes that are tried over half a turn.
const AXES: usize = 720;
/// Shapes are symmetric, and points partners, that leave less than this, in radii of the shape. Of the mean shape of 300-W's training faces,
/// whose pairs leave at most 0.02, no wrong pair leaves less than 0.07.
const SYMMETRIC: f64 = 0.04;
/// A pair is wrong when it leaves this many times more than the one that fits.
const WORSE: f64 = 3.0;
/// Points that must find a partner who finds them, for an axis to be one.
const LEAST_MUTUAL: f64 = 0.75;

/// What is wrong with the layout's pairs, and what to write instead. Nothing where the mean shape has no axis.
pub(super) fn complaints(mean: &Shape, layout: &Layout) -> Vec<(String, String)> {
    let Some(axis) = Axis::of(&mean.0) else {
        return Vec::new();
    };
    let mut wrong: Vec<usize> = (0..layout.points)
        .filter(|&i| {
            let (given, best) = (axis.off(i, layout.mirror[i]), axis.off(i, axis.partners[i]));
            axis.is_mutual(i) && best < SYMMETRIC && given > SYMMETRIC.max(WORSE * best)
        })
        .collect();
    let mut found = Vec::new();
    while let Some(first) = wrong.pop() {
        // All that hang together, by the layout's pairs or by those that fit.
        let mut group = vec![first];
        let mut at = 0;
        while let Some(&i) = group.get(at) {
            for j in [layout.mirror[i], axis.partners[i]] {
                if let Some(place) = wrong.iter().position(|&w| w == j) {
                    group.push(wrong.swap_remove(place));
                }
            }
            at += 1;
        }
        group.sort_unstable();
        let percent = |partners: &[usize]| {
            let sum: f64 = group.iter().map(|&i| axis.off(i, partners[i])).sum();
            100.0 * sum / group.len() as f64
        };
        let (listed, fit) = (pairs(&group, &layout.mirror), pairs(&group, &axis.partners));
        found.push((
            format!(
                "the layout's mirror pairs have {listed}: the mirrored mean shape is off by {:.0} % of its radius there, and by {:.0} % with {fit}",
                percent(&layout.mirror),
                percent(&axis.partners),
            ),
            format!("let `mirror` of the layout have {fit}; or train with augment.flip = 0"),
        ));
    }
    found.reverse();
    found
}

/// Pairs as a layout writes them; points without a partner are said to be by themselves.
fn pairs(group: &[usize], partners: &[usize]) -> String {
    let mut shown: Vec<String> = Vec::new();
    for &i in group {
        let j = partners[i];
        let pair = format!("[{}, {}]", i.min(j), i.max(j));
        if i == j {
            shown.push(format!("{i} by itself"));
        } else if !shown.contains(&pair) {
            shown.push(pair);
        }
    }
    shown.join(", ")
}

/// A mirror axis through the centre of a shape.
struct Axis<'a> {
    shape: &'a [Point],
    angle: f64,
    /// For each point the one that its mirror image is nearest to.
    partners: Vec<usize>,
}

impl<'a> Axis<'a> {
    /// The best one; None where the shape is not symmetric.
    fn of(shape: &'a [Point]) -> Option<Self> {
        let angles = (0..AXES).map(|i| std::f64::consts::PI * i as f64 / AXES as f64);
        let axes = angles.map(|angle| Self::at(shape, angle));
        // On its long axis a narrow shape nearly lies on itself too, but its points then do not find one another.
        let axes = axes.filter(|axis| axis.mutual() >= LEAST_MUTUAL);
        let best = axes.min_by(|a, b| a.mean_off().total_cmp(&b.mean_off()))?;
        (best.mean_off() < SYMMETRIC).then_some(best)
    }

    fn at(shape: &'a [Point], angle: f64) -> Self {
        let mut axis = Self {
            shape,
            angle,
            partners: Vec::new(),
        };
        let nearest = |i: usize| {
            let others = 0..shape.len();
            others.min_by(|&a, &b| axis.off(i, a).total_cmp(&axis.off(i, b)))
        };
        axis.partners = (0..shape.len()).filter_map(nearest).collect();
        axis
    }

    /// How far the mirror image of point `i` is from point `j`.
    fn off(&self, i: usize, j: usize) -> f64 {
        let (sin, cos) = (2.0 * self.angle).sin_cos();
        let Point { x, y } = self.shape[i];
        Point::new(cos * x + sin * y, sin * x - cos * y).distance(self.shape[j])
    }

    fn is_mutual(&self, i: usize) -> bool {
        self.partners[self.partners[i]] == i
    }

    /// The fraction of points that find one another.
    fn mutual(&self) -> f64 {
        let all = self.shape.len();
        (0..all).filter(|&i| self.is_mutual(i)).count() as f64 / all as f64
    }

    fn mean_off(&self) -> f64 {
        let all = self.partners.iter().enumerate();
        all.map(|(i, &j)| self.off(i, j)).sum::<f64>() / self.shape.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_pcg::Pcg64Mcg;

    use super::*;

    /// A symmetric shape for a layout, tilted: partners left and right of an axis, the others on it.
    fn shape(layout: &Layout, rng: &mut Pcg64Mcg) -> Shape {
        let mut points = vec![Point::new(0.0, 0.0); layout.points];
        for (i, &j) in layout.mirror.iter().enumerate() {
            let y = (i.min(j) as f64 * 0.7).sin() * 3.0 + i.min(j) as f64 / 9.0;
            let x = if i == j {
                0.0
            } else {
                1.0 + (i.min(j) as f64 * 2.1).cos().abs() * 4.0
            };
            let side = if i < j { 1.0 } else { -1.0 };
            let wobble = |rng: &mut Pcg64Mcg| rng.random_range(-0.01..0.01);
            let (x, y) = (side * x + wobble(rng), y + wobble(rng));
            let (sin, cos) = 0.4_f64.sin_cos();
            points[i] = Point::new(cos * x - sin * y, sin * x + cos * y);
        }
        Shape::of(&points).expect("a shape")
    }

    #[test]
    fn each_wrong_pair_is_found_and_the_right_one_named() {
        let mut rng = Pcg64Mcg::seed_from_u64(5);
        for name in ["ibug68", "wflw98", "cofw29"] {
            let layout = Layout::builtin(name).expect("built in");
            let mean = shape(&layout, &mut rng);
            assert_eq!(complaints(&mean, &layout), [], "{name}");
            let paired: Vec<usize> = (0..layout.points)
                .filter(|&i| layout.mirror[i] > i)
                .collect();
            for _ in 0..40 {
                let mut wrong = layout.clone();
                let a = paired[rng.random_range(0..paired.len())];
                let b = paired[rng.random_range(0..paired.len())];
                if a == b {
                    continue;
                }
                let (a2, b2) = (layout.mirror[a], layout.mirror[b]);
                for (i, j) in [(a, b2), (b, a2)] {
                    (wrong.mirror[i], wrong.mirror[j]) = (j, i);
                }
                let found = complaints(&mean, &wrong);
                let [(what, fix)] = &found[..] else {
                    panic!("{name}: {a} {b}: {found:?}");
                };
                for pair in [format!("[{a}, {a2}]"), format!("[{b}, {b2}]")] {
                    assert!(fix.contains(&pair) && what.contains(&pair), "{fix}");
                }
            }
            // One that is left out, and one that should not be there.
            let mut wrong = layout.clone();
            let a = paired[3];
            let a2 = std::mem::replace(&mut wrong.mirror[a], a);
            wrong.mirror[a2] = a2;
            let found = complaints(&mean, &wrong);
            assert!(
                found.len() == 1 && found[0].0.contains(&format!("{a} by itself")),
                "{found:?}"
            );
            let mut wrong = layout.clone();
            let alone: Vec<usize> = (0..layout.points)
                .filter(|&i| layout.mirror[i] == i)
                .collect();
            let [b, b2] = [alone[0], alone[1]];
            (wrong.mirror[b], wrong.mirror[b2]) = (b2, b);
            let found = complaints(&mean, &wrong);
            let fix = format!("have {b} by itself, {b2} by itself;");
            assert!(found.len() == 1 && found[0].1.contains(&fix), "{found:?}");
        }
    }

    #[test]
    fn what_has_no_axis_is_not_judged() {
        let layout = Layout::builtin("cofw29").expect("built in");
        let mut rng = Pcg64Mcg::seed_from_u64(1);
        let points: Vec<Point> = (0..29)
            .map(|_| Point::new(rng.random_range(-1.0..1.0), rng.random_range(-1.0..1.0)))
            .collect();
        assert_eq!(
            complaints(&Shape::of(&points).expect("a shape"), &layout),
            []
        );
    }
}
