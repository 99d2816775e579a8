//! Lines between two points, as labelling programs draw them, joined to the curves of a layout.

/// A curve through points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Curve {
    pub points: Vec<usize>,
    pub closed: bool,
}

/// Every line once, joined at points where only two lines meet.
pub(super) fn curves(bones: &[[usize; 2]]) -> Vec<Curve> {
    let mut lines: Vec<[usize; 2]> = Vec::new();
    for &[a, b] in bones {
        if a != b && !lines.contains(&[a, b]) && !lines.contains(&[b, a]) {
            lines.push([a, b]);
        }
    }
    let degree = |p: usize| lines.iter().flatten().filter(|&&q| q == p).count();
    let ends: Vec<bool> = (0..=lines.iter().flatten().max().copied().unwrap_or(0))
        .map(|p| degree(p) != 2)
        .collect();
    let mut left = lines;
    let mut curves = Vec::new();
    // From the ends and the crossings first: what is left then is closed.
    while !left.is_empty() {
        let from_end = left.iter().position(|[a, b]| ends[*a] || ends[*b]);
        let [mut a, mut b] = left.remove(from_end.unwrap_or(0));
        if ends[b] && !ends[a] {
            (a, b) = (b, a);
        }
        let mut points = vec![a, b];
        let mut closed = false;
        while !ends[b] && !closed {
            let Some(next) = left.iter().position(|line| line.contains(&b)) else {
                break;
            };
            let [c, d] = left.remove(next);
            b = if c == b { d } else { c };
            closed = points.contains(&b);
            if !closed {
                points.push(b);
            }
        }
        // A loop that hangs on a crossing comes back to it.
        curves.push(Curve { points, closed });
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(bones: &[[usize; 2]]) -> Vec<(Vec<usize>, bool)> {
        let curves = curves(bones).into_iter();
        curves.map(|c| (c.points, c.closed)).collect()
    }

    #[test]
    fn lines_become_curves() {
        assert!(found(&[]).is_empty());
        assert_eq!(
            found(&[[0, 1], [2, 1], [2, 3]]),
            [(vec![0, 1, 2, 3], false)]
        );
        assert_eq!(found(&[[1, 2], [2, 0], [0, 1]]), [(vec![1, 2, 0], true)]);
        // A crossing, a double and a line from a point to itself.
        let cross = [[0, 4], [4, 1], [4, 2], [3, 4], [4, 3], [2, 2]];
        assert_eq!(found(&cross).len(), 4);
        // A loop on a crossing.
        let lasso = found(&[[0, 1], [1, 2], [2, 3], [3, 1]]);
        assert_eq!(lasso, [(vec![0, 1], false), (vec![1, 2, 3], true)]);
    }
}
