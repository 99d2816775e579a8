//! Plots of landmarks as self-contained SVG: a stem a point, dots, faces with ellipses. Kinds of points have colours.

use star_data::{Covariance, Edge, Point};

use super::{
    curves::COLORS,
    svg::{Svg, length},
    ticks,
};

const STYLE: &str = "text{font-family:Inter,'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;fill:#222}\
.title{font-size:16px;font-weight:600}.name{font-size:12px;font-weight:600}.small{font-size:11px;fill:#444}.tiny{font-size:8.5px;fill:#555}\
.grid{stroke:#e3e3e3;stroke-width:1}.axis{stroke:#444;stroke-width:1}.mark{stroke:#999;stroke-width:1;stroke-dasharray:3 3}\
.edge{fill:none;stroke:#c8c8c8;stroke-width:1;stroke-linejoin:round}";

const LEFT: f64 = 56.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 66.0;
const MIDDLE: (&str, &str) = ("text-anchor", "middle");

/// One point's value.
#[derive(Clone, Debug)]
pub struct Stem {
    /// What it is called.
    pub name: String,
    /// Its height.
    pub value: f64,
    /// Index into the kinds.
    pub kind: usize,
}

/// Points side by side.
#[derive(Clone, Debug)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// Its values, from left to right.
    pub stems: Vec<Stem>,
}

/// One face of [`ellipses`].
#[derive(Clone, Debug)]
pub struct EllipseFace {
    /// What it is called.
    pub name: String,
    /// One a point.
    pub spreads: Vec<Covariance>,
}

fn color(kind: usize) -> &'static str {
    COLORS[kind % COLORS.len()]
}

/// A document with white paper, a title and the kinds' names below it.
fn paper(width: f64, height: f64, title: &str, kinds: &[&str]) -> Svg {
    let mut svg = Svg::new();
    let (w, h) = (length(width), length(height));
    svg.element("rect", &[("width", &w), ("height", &h), ("fill", "#fff")]);
    svg.text(LEFT, 28.0, "title", &[], title);
    let mut x = LEFT;
    for (kind, name) in kinds.iter().enumerate() {
        dot(&mut svg, Point::new(x + 4.0, 46.0), 4.0, color(kind));
        svg.text(x + 13.0, 50.0, "small", &[], name);
        x += 34.0 + 6.2 * name.len() as f64;
    }
    svg
}

fn dot(svg: &mut Svg, at: Point, radius: f64, fill: &str) {
    let [x, y, r] = [at.x, at.y, radius].map(length);
    svg.element(
        "circle",
        &[("cx", &x), ("cy", &y), ("r", &r), ("fill", fill)],
    );
}

/// The largest finite value, at least `least`, and a little.
fn above(values: impl Iterator<Item = f64>, least: f64) -> f64 {
    1.06 * values.filter(|v| v.is_finite()).fold(least, f64::max)
}

/// Ratios of points as stems from 1, in groups side by side. Values that are not finite have no stem.
pub fn lollipops(title: &str, y_name: &str, groups: &[Group], kinds: &[&str]) -> String {
    const STEP: f64 = 13.0;
    const GAP: f64 = 24.0;
    const HEIGHT: f64 = 260.0;
    let count: usize = groups.iter().map(|group| group.stems.len()).sum();
    let wide = LEFT + RIGHT + STEP * count as f64 + GAP * groups.len() as f64;
    let width = wide.max(520.0);
    let bottom = TOP + HEIGHT;
    let mut svg = paper(width, bottom + 96.0, title, kinds);
    svg.text(LEFT, TOP + 6.0, "small", &[], y_name);

    let stems = || groups.iter().flat_map(|group| &group.stems);
    let high = above(stems().map(|stem| stem.value), 1.5);
    let place = |value: f64| bottom - (value - 1.0) / (high - 1.0) * (HEIGHT - 18.0);
    for tick in ticks::linear(1.0, high, 6, 0.0) {
        let at = place(tick.value);
        svg.line((LEFT, at), (width - RIGHT, at), "grid");
        let label = tick.label.unwrap_or_default();
        svg.text(
            LEFT - 8.0,
            at + 4.0,
            "small",
            &[("text-anchor", "end")],
            &label,
        );
    }
    let mut x = LEFT + GAP / 2.0;
    for group in groups {
        let from = x;
        for stem in &group.stems {
            let center = length(x + STEP / 2.0);
            if stem.value.is_finite() {
                let (y, base) = (length(place(stem.value.max(1.0))), length(bottom));
                let line = [
                    ("x1", center.as_str()),
                    ("x2", &center),
                    ("y1", &base),
                    ("y2", &y),
                    ("stroke", color(stem.kind)),
                    ("stroke-width", "2"),
                    ("stroke-opacity", "0.45"),
                ];
                svg.element("line", &line);
                let at = Point::new(x + STEP / 2.0, place(stem.value.max(1.0)));
                dot(&mut svg, at, 4.0, color(stem.kind));
            }
            svg.text(x + STEP / 2.0, bottom + 13.0, "tiny", &[MIDDLE], &stem.name);
            x += STEP;
        }
        svg.line((from, bottom + 19.0), (x, bottom + 19.0), "axis");
        // Slanted: names are longer than small groups are wide.
        let (cx, cy) = ((from + x) / 2.0, bottom + 32.0);
        let turn = format!("rotate(24 {} {})", length(cx), length(cy));
        let slanted = [("transform", turn.as_str())];
        svg.text(cx - 6.0, cy, "small", &slanted, &group.name);
        x += GAP;
    }
    svg.line((LEFT, bottom), (width - RIGHT, bottom), "axis");
    svg.finish(width, bottom + 96.0, title, STYLE)
}

/// Dots (x, y, kind) over two axes that begin at 1 or below, with the line where both are equal.
pub fn scatter(
    title: &str,
    x_name: &str,
    y_name: &str,
    dots: &[(f64, f64, usize)],
    kinds: &[&str],
) -> String {
    const WIDTH: f64 = 620.0;
    const HEIGHT: f64 = 400.0;
    let drawn = || {
        dots.iter()
            .filter(|(x, y, _)| x.is_finite() && y.is_finite())
    };
    let low = |least: f64, v: f64| {
        if v < least {
            (v * 10.0).floor() / 10.0
        } else {
            least
        }
    };
    let x0 = drawn().fold(1.0, |m, d| low(m, d.0));
    let y0 = drawn().fold(1.0, |m, d| low(m, d.1));
    let (x1, y1) = (
        above(drawn().map(|d| d.0), 1.5),
        above(drawn().map(|d| d.1), 1.5),
    );
    let (top, bottom) = (TOP + 20.0, TOP + 20.0 + HEIGHT);
    let right = WIDTH - RIGHT;
    let place = |x: f64, y: f64| {
        Point::new(
            LEFT + (x - x0) / (x1 - x0) * (right - LEFT),
            bottom - (y - y0) / (y1 - y0) * HEIGHT,
        )
    };
    let mut svg = paper(WIDTH, bottom + 48.0, title, kinds);
    svg.text(LEFT, top - 6.0, "small", &[], y_name);
    for tick in ticks::linear(y0, y1, 6, 0.0) {
        let y = place(x0, tick.value).y;
        svg.line((LEFT, y), (right, y), "grid");
        let label = tick.label.unwrap_or_default();
        svg.text(
            LEFT - 8.0,
            y + 4.0,
            "small",
            &[("text-anchor", "end")],
            &label,
        );
    }
    for tick in ticks::linear(x0, x1, 8, 0.0) {
        let x = place(tick.value, y0).x;
        svg.line((x, bottom), (x, bottom + 4.0), "axis");
        svg.text(
            x,
            bottom + 17.0,
            "small",
            &[MIDDLE],
            &tick.label.unwrap_or_default(),
        );
    }
    svg.text(
        (LEFT + right) / 2.0,
        bottom + 36.0,
        "small",
        &[MIDDLE],
        x_name,
    );
    let (from, to) = (x0.max(y0), x1.min(y1));
    if from < to {
        let (a, b) = (place(from, from), place(to, to));
        svg.line((a.x, a.y), (b.x, b.y), "mark");
        svg.text(
            b.x - 6.0,
            b.y + 14.0,
            "small",
            &[("text-anchor", "end")],
            "equal",
        );
    }
    svg.line((LEFT, bottom), (right, bottom), "axis");
    svg.line((LEFT, top), (LEFT, bottom), "axis");
    for &(x, y, kind) in drawn() {
        let at = place(x, y);
        dot(&mut svg, at, 5.2, "#fff");
        dot(&mut svg, at, 4.2, color(kind));
    }
    svg.finish(WIDTH, bottom + 48.0, title, STYLE)
}

/// The same face several times, each with its own ellipses of two standard deviations. `points` and spreads share one unit.
pub fn ellipses(
    title: &str,
    points: &[Point],
    edges: &[Edge],
    faces: &[EllipseFace],
    kinds_of_points: &[usize],
    kinds: &[&str],
) -> String {
    const SIDE: f64 = 430.0;
    const BETWEEN: f64 = 24.0;
    const SIGMAS: f64 = 2.0;
    let seen: Vec<Point> = points
        .iter()
        .copied()
        .filter(|p| p.x.is_finite() && p.y.is_finite())
        .collect();
    let bound = |pick: fn(f64, f64) -> f64, start: f64| {
        seen.iter().fold(Point::new(start, start), |m, p| {
            Point::new(pick(m.x, p.x), pick(m.y, p.y))
        })
    };
    let (low, high) = (
        bound(f64::min, f64::INFINITY),
        bound(f64::max, f64::NEG_INFINITY),
    );
    let extent = (high.x - low.x).max(high.y - low.y);
    // A tenth around the points, for the ellipses at the rim.
    let scale = if extent.is_finite() && extent > 0.0 {
        SIDE / (1.2 * extent)
    } else {
        1.0
    };
    let width = LEFT + RIGHT + SIDE * faces.len() as f64 + BETWEEN * (faces.len() as f64 - 1.0);
    let height = TOP + 18.0 + SIDE + 16.0;
    let mut svg = paper(width, height, title, kinds);
    for (k, face) in faces.iter().enumerate() {
        let left = LEFT + k as f64 * (SIDE + BETWEEN);
        let top = TOP + 18.0;
        let center = Point::new((low.x + high.x) / 2.0, (low.y + high.y) / 2.0);
        let place = |p: Point| {
            Point::new(
                left + SIDE / 2.0 + (p.x - center.x) * scale,
                top + SIDE / 2.0 + (p.y - center.y) * scale,
            )
        };
        svg.text(left + SIDE / 2.0, TOP + 10.0, "name", &[MIDDLE], &face.name);
        for edge in edges {
            let places: Vec<String> = edge
                .points
                .iter()
                .filter_map(|&i| points.get(i))
                .map(|&p| place(p))
                .map(|p| format!("{},{}", length(p.x), length(p.y)))
                .collect();
            let shape = if edge.closed { "polygon" } else { "polyline" };
            let places = places.join(" ");
            svg.element(shape, &[("points", &places), ("class", "edge")]);
        }
        for (i, (point, spread)) in points.iter().zip(&face.spreads).enumerate() {
            let kind = kinds_of_points.get(i).copied().unwrap_or(0);
            let at = place(*point);
            if !(at.x.is_finite() && at.y.is_finite()) {
                continue;
            }
            if let Some((major, minor)) = spread.half_axes(SIGMAS) {
                let angle = major.y.atan2(major.x).to_degrees();
                let turn = format!(
                    "rotate({} {} {})",
                    length(angle),
                    length(at.x),
                    length(at.y)
                );
                let [cx, cy] = [at.x, at.y].map(length);
                let rx = length(major.x.hypot(major.y) * scale);
                let ry = length(minor.x.hypot(minor.y) * scale);
                svg.element(
                    "ellipse",
                    &[
                        ("cx", &cx),
                        ("cy", &cy),
                        ("rx", &rx),
                        ("ry", &ry),
                        ("transform", &turn),
                        ("fill", color(kind)),
                        ("fill-opacity", "0.16"),
                        ("stroke", color(kind)),
                        ("stroke-width", "1.2"),
                    ],
                );
            }
            dot(&mut svg, at, 1.5, color(kind));
        }
    }
    svg.finish(width, height, title, STYLE)
}
