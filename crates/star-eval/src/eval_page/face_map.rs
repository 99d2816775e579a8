//! The mean face, with what there is to say of each of its points drawn on it.

use star_data::{Covariance, Layout, Point};

use super::{
    chart::WIDTH,
    drawing::{Drawing, SERIES, heat},
};
use star_draw::{
    svg::{Svg, length},
    ticks,
};

/// Around the face.
const MARGIN: f64 = 46.0;
/// Below the face: the key.
const KEY: f64 = 58.0;
/// Taller than this the face is made narrower.
const TALLEST: f64 = 620.0;
/// A disc smaller than this is not seen.
const LEAST_RADIUS: f64 = 1.6;

/// The mean face on the paper.
struct Stage {
    svg: Svg,
    /// Paper units for one norm's distance.
    scale: f64,
    shift: Point,
    height: f64,
}

impl Stage {
    fn new(mean_face: &[Point], layout: &Layout) -> Self {
        let mut low = Point::new(f64::INFINITY, f64::INFINITY);
        let mut high = Point::new(f64::NEG_INFINITY, f64::NEG_INFINITY);
        for p in mean_face {
            low = Point::new(low.x.min(p.x), low.y.min(p.y));
            high = Point::new(high.x.max(p.x), high.y.max(p.y));
        }
        let (w, h) = ((high.x - low.x).max(1e-6), (high.y - low.y).max(1e-6));
        let scale = ((WIDTH - 2.0 * MARGIN) / w).min((TALLEST - 2.0 * MARGIN) / h);
        let mut stage = Self {
            svg: Svg::new(),
            scale,
            shift: Point::new(
                (WIDTH - scale * w) / 2.0 - scale * low.x,
                MARGIN - scale * low.y,
            ),
            height: scale * h + 2.0 * MARGIN + KEY,
        };
        for edge in &layout.edges {
            let mut path = String::new();
            for (i, p) in edge
                .points
                .iter()
                .filter_map(|&p| mean_face.get(p))
                .enumerate()
            {
                let (x, y) = stage.place(*p);
                path += &format!(
                    "{}{} {}",
                    if i == 0 { 'M' } else { 'L' },
                    length(x),
                    length(y)
                );
            }
            if edge.closed {
                path.push('Z');
            }
            stage
                .svg
                .element("path", &[("d", &path), ("class", "p-face")]);
        }
        stage
    }

    fn place(&self, p: Point) -> (f64, f64) {
        (
            self.scale * p.x + self.shift.x,
            self.scale * p.y + self.shift.y,
        )
    }

    fn finish(self, name: &str, title: &str, description: String) -> Drawing {
        Drawing {
            name: name.to_owned(),
            title: title.to_owned(),
            description,
            width: WIDTH,
            height: self.height,
            body: self.svg.into_body(),
        }
    }
}

/// Discs whose radius is the point's mean error, to the scale of the face; the `named` points have their number.
pub(super) fn errors(
    mean_face: &[Point],
    errors: &[f64],
    named: &[usize],
    layout: &Layout,
) -> Drawing {
    let mut stage = Stage::new(mean_face, layout);
    let (low, high) = errors
        .iter()
        .filter(|e| e.is_finite())
        .fold((f64::INFINITY, 0.0f64), |(l, h), e| (l.min(*e), h.max(*e)));
    let fraction = |e: f64| (e - low) / (high - low).max(1e-12);
    // Large discs first, so that they hide no small ones.
    let mut order: Vec<usize> = (0..errors.len())
        .filter(|&i| errors[i].is_finite())
        .collect();
    order.sort_by(|&a, &b| errors[b].total_cmp(&errors[a]));
    for &i in &order {
        let (x, y) = stage.place(mean_face[i]);
        let radius = (errors[i] * stage.scale).max(LEAST_RADIUS);
        stage.svg.titled(
            "circle",
            &[
                ("cx", &length(x)),
                ("cy", &length(y)),
                ("r", &length(radius)),
                ("class", "p-disc"),
                ("fill", &heat(fraction(errors[i]))),
            ],
            &format!("point {i}: {:.2} %", errors[i] * 100.0),
        );
    }
    let centre = stage.place(Point::default());
    for &i in named {
        // Away from the middle of the face, where there is room.
        let (x, y) = stage.place(mean_face[i]);
        let (dx, dy) = (x - centre.0, y - centre.1);
        let out = (errors[i] * stage.scale).max(LEAST_RADIUS) + 13.0;
        let far = dx.hypot(dy).max(1e-6);
        stage.svg.text(
            x + dx / far * out,
            y + dy / far * out + 4.5,
            "p-bold p-halo",
            &[("text-anchor", "middle")],
            &i.to_string(),
        );
    }
    colour_key(&mut stage, low, high);
    let worst: Vec<String> = named
        .iter()
        .map(|&i| format!("point {i} {:.2} %", errors[i] * 100.0))
        .collect();
    stage.finish(
        "points",
        "Mean error of each point",
        format!(
            "The mean face with a disc at each point. Largest errors: {}.",
            worst.join(", ")
        ),
    )
}

/// A bar of the colours with its two ends.
fn colour_key(stage: &mut Stage, low: f64, high: f64) {
    const CELLS: usize = 40;
    const CELL: f64 = 6.0;
    let (x, y) = ((WIDTH - CELLS as f64 * CELL) / 2.0, stage.height - 34.0);
    for i in 0..CELLS {
        stage.svg.element(
            "rect",
            &[
                ("x", &length(x + i as f64 * CELL)),
                ("y", &length(y)),
                ("width", &length(CELL + 0.4)),
                ("height", "10"),
                ("fill", &heat(i as f64 / (CELLS - 1) as f64)),
            ],
        );
    }
    let text = |v: f64| format!("{:.2} %", v * 100.0);
    stage.svg.text(
        x - 8.0,
        y + 9.5,
        "p-soft",
        &[("text-anchor", "end")],
        &text(low),
    );
    stage.svg.text(
        x + CELLS as f64 * CELL + 8.0,
        y + 9.5,
        "p-soft",
        &[],
        &text(high),
    );
}

/// Ellipses to the scale of the face.
pub(super) struct Ellipses<'a> {
    pub name: &'a str,
    pub title: &'a str,
    pub description: String,
    pub spreads: &'a [Covariance],
    /// Half axes in standard deviations.
    pub sigmas: f64,
    /// Number of the colour.
    pub series: usize,
}

impl Ellipses<'_> {
    pub fn drawing(self, mean_face: &[Point], norm: &str, layout: &Layout) -> Drawing {
        let mut stage = Stage::new(mean_face, layout);
        let class = format!("p-ellipse p-fill{0} p-stroke{0}", self.series % SERIES);
        for (i, (p, spread)) in mean_face.iter().zip(self.spreads).enumerate() {
            let (x, y) = stage.place(*p);
            let Some((long, short)) = spread.half_axes(self.sigmas) else {
                continue;
            };
            let (rx, ry) = (long.x.hypot(long.y), short.x.hypot(short.y));
            let turn = format!(
                "rotate({} {} {})",
                length(long.y.atan2(long.x).to_degrees()),
                length(x),
                length(y)
            );
            let radius = |r: f64| length((r * stage.scale).max(1.0));
            let (rx_text, ry_text) = (radius(rx), radius(ry));
            stage.svg.titled(
                "ellipse",
                &[
                    ("cx", &length(x)),
                    ("cy", &length(y)),
                    ("rx", &rx_text),
                    ("ry", &ry_text),
                    ("transform", &turn),
                    ("class", &class),
                ],
                &format!(
                    "point {i}: standard deviations {:.2} % and {:.2} %",
                    rx * 100.0 / self.sigmas,
                    ry * 100.0 / self.sigmas
                ),
            );
            stage.svg.element(
                "circle",
                &[
                    ("cx", &length(x)),
                    ("cy", &length(y)),
                    ("r", "1.3"),
                    ("class", "p-centre"),
                ],
            );
        }
        scale_key(&mut stage, norm, self.sigmas);
        stage.finish(self.name, self.title, self.description)
    }
}

/// A bar of a tenth of the norm's distance.
fn scale_key(stage: &mut Stage, norm: &str, sigmas: f64) {
    const FRACTION: f64 = 0.1;
    let long = FRACTION * stage.scale;
    let text = format!(
        "{} % of the {norm} distance; ellipses of {} standard deviations",
        ticks::compact(FRACTION * 100.0),
        ticks::compact(sigmas)
    );
    // Bar and text in the middle; letters are about this wide.
    let all = long + 10.0 + 6.3 * text.chars().count() as f64;
    let (x, y) = ((WIDTH - all) / 2.0, stage.height - 28.0);
    let path = format!(
        "M{} {}v8m0 -4h{}m0 -4v8",
        length(x),
        length(y - 4.0),
        length(long)
    );
    stage.svg.element(
        "path",
        &[("d", &path), ("class", "p-axis"), ("fill", "none")],
    );
    stage
        .svg
        .text(x + long + 10.0, y + 4.5, "p-soft", &[], &text);
}
