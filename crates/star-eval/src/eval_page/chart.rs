//! A frame with two axes to draw curves and dots in.

use std::fmt::Write;

use super::drawing::{Drawing, SERIES};
use star_draw::{
    svg::{Svg, length},
    ticks,
};

pub(super) const WIDTH: f64 = 640.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 50.0;

/// One axis: what it shows and from where to where.
#[derive(Clone)]
pub(super) struct Axis {
    pub name: String,
    pub low: f64,
    pub high: f64,
    pub log: bool,
}

impl Axis {
    pub fn linear(name: impl Into<String>, low: f64, high: f64) -> Self {
        Self {
            name: name.into(),
            low,
            high,
            log: false,
        }
    }

    /// A logarithmic axis around positive values, with a little room; 1 to 10 where there are none.
    pub fn log_around(name: impl Into<String>, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = values
            .filter(|v| *v > 0.0 && v.is_finite())
            .fold((f64::INFINITY, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
        let (low, high) = if low <= high {
            (low, high)
        } else {
            (1.0, 10.0)
        };
        let room = (high / low).powf(0.04).max(1.1);
        Self {
            name: name.into(),
            low: low / room,
            high: high * room,
            log: true,
        }
    }

    /// Where on the axis a value is, 0 at its low end and 1 at its high end.
    fn fraction(&self, value: f64) -> f64 {
        if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    fn ticks(&self, count: usize) -> Vec<ticks::Tick> {
        if self.log {
            ticks::logarithmic(self.low, self.high)
        } else {
            ticks::linear(self.low, self.high, count, 0.0)
        }
    }
}

/// A plot under construction.
pub(super) struct Chart {
    svg: Svg,
    x: Axis,
    y: Axis,
    height: f64,
}

impl Chart {
    /// The frame, the grid and the names of the axes.
    pub fn new(x: Axis, y: Axis, height: f64) -> Self {
        let mut chart = Self {
            svg: Svg::new(),
            x,
            y,
            height,
        };
        chart.frame();
        chart
    }

    fn bottom(&self) -> f64 {
        self.height - BOTTOM
    }

    /// Where a place in the plot is on the paper.
    pub fn place(&self, x: f64, y: f64) -> (f64, f64) {
        (
            LEFT + self.x.fraction(x) * (WIDTH - LEFT - RIGHT),
            self.bottom() - self.y.fraction(y) * (self.bottom() - TOP),
        )
    }

    fn frame(&mut self) {
        let (bottom, right) = (self.bottom(), WIDTH - RIGHT);
        for tick in self.y.ticks(6) {
            let (_, y) = self.place(self.x.low, tick.value);
            if let Some(label) = &tick.label {
                self.svg.line((LEFT, y), (right, y), "p-grid");
                self.svg.text(
                    LEFT - 8.0,
                    y + 4.5,
                    "p-soft",
                    &[("text-anchor", "end")],
                    label,
                );
            }
        }
        for tick in self.x.ticks(7) {
            let (x, _) = self.place(tick.value, self.y.low);
            let long = if tick.label.is_some() { 5.0 } else { 3.0 };
            self.svg.line((x, bottom), (x, bottom + long), "p-axis");
            if let Some(label) = &tick.label {
                self.svg.text(
                    x,
                    bottom + 19.0,
                    "p-soft",
                    &[("text-anchor", "middle")],
                    label,
                );
            }
        }
        self.svg.line((LEFT, bottom), (right, bottom), "p-axis");
        let middle = (LEFT + right) / 2.0;
        let name = self.x.name.clone();
        self.svg.text(
            middle,
            self.height - 9.0,
            "p-soft",
            &[("text-anchor", "middle")],
            &name,
        );
        let (x, y) = (15.0, (TOP + bottom) / 2.0);
        let turn = format!("rotate(-90 {} {})", length(x), length(y));
        let name = self.y.name.clone();
        self.svg.text(
            x,
            y,
            "p-soft",
            &[("text-anchor", "middle"), ("transform", &turn)],
            &name,
        );
    }

    /// A line through places in the plot. Values must lie within the axes.
    pub fn line(&mut self, points: &[(f64, f64)], series: usize) {
        let path = self.path(points);
        self.svg
            .element("path", &[("d", &path), ("class", &stroke(series))]);
    }

    /// The area between a line and the level `base`.
    pub fn area(&mut self, points: &[(f64, f64)], base: f64, series: usize) {
        if let (Some(first), Some(last)) = (points.first(), points.last()) {
            let around: Vec<_> = [(first.0, base)]
                .iter()
                .chain(points)
                .chain(&[(last.0, base)])
                .copied()
                .collect();
            let path = self.path(&around) + "Z";
            let class = format!("p-area p-fill{}", series % SERIES);
            self.svg.element("path", &[("d", &path), ("class", &class)]);
        }
    }

    fn path(&self, points: &[(f64, f64)]) -> String {
        let mut path = String::new();
        let mut pen = (f64::NAN, f64::NAN);
        for (i, &(x, y)) in points.iter().enumerate() {
            let (x, y) = self.place(x, y);
            // Writing to a String cannot fail.
            let _ = match (i, x == pen.0, y == pen.1) {
                (0, ..) => write!(path, "M{} {}", length(x), length(y)),
                (_, true, _) => write!(path, "V{}", length(y)),
                (_, _, true) => write!(path, "H{}", length(x)),
                _ => write!(path, "L{} {}", length(x), length(y)),
            };
            pen = (x, y);
        }
        path
    }

    pub fn dot(&mut self, x: f64, y: f64, series: usize, title: &str) {
        let (x, y) = self.place(x, y);
        let class = format!("p-dot p-fill{}", series % SERIES);
        self.svg.titled(
            "circle",
            &[
                ("cx", &length(x)),
                ("cy", &length(y)),
                ("r", "3.4"),
                ("class", &class),
            ],
            title,
        );
    }

    /// A dashed line from bottom to top with a word beside its upper end.
    pub fn mark_x(&mut self, x: f64, label: &str) {
        let (at, _) = self.place(x, self.y.low);
        self.svg.line((at, TOP), (at, self.bottom()), "p-mark");
        let (x, anchor) = if at > WIDTH - RIGHT - 150.0 {
            (at - 6.0, "end")
        } else {
            (at + 6.0, "start")
        };
        self.svg.text(
            x,
            TOP + 10.0,
            "p-soft p-halo",
            &[("text-anchor", anchor)],
            label,
        );
    }

    /// A dashed line from side to side with a word above its right end.
    pub fn mark_y(&mut self, y: f64, label: &str) {
        let (_, at) = self.place(self.x.low, y);
        self.svg.line((LEFT, at), (WIDTH - RIGHT, at), "p-mark");
        self.svg.text(
            WIDTH - RIGHT - 2.0,
            at - 6.0,
            "p-soft p-halo",
            &[("text-anchor", "end")],
            label,
        );
    }

    /// Names of series in the lower right corner, where cumulative curves leave room.
    pub fn legend(&mut self, names: &[String]) {
        const ROW: f64 = 20.0;
        let widest = names.iter().map(|n| n.chars().count()).max().unwrap_or(0) as f64 * 7.1;
        let x = (WIDTH - RIGHT - 12.0 - widest).max(LEFT + 60.0);
        let top = self.bottom() - 12.0 - ROW * (names.len() as f64 - 1.0);
        for (i, name) in names.iter().enumerate() {
            let y = top + ROW * i as f64;
            let path = format!("M{} {}h24", length(x - 32.0), length(y - 4.5));
            self.svg
                .element("path", &[("d", &path), ("class", &stroke(i))]);
            self.svg.text(x, y, "p-halo", &[], name);
        }
    }

    /// A word in the upper left corner.
    pub fn heading(&mut self, text: &str) {
        self.svg
            .text(LEFT + 10.0, TOP + 12.0, "p-bold p-halo", &[], text);
    }

    pub fn finish(self, name: &str, title: String, description: String) -> Drawing {
        Drawing {
            name: name.to_owned(),
            title,
            description,
            width: WIDTH,
            height: self.height,
            body: self.svg.into_body(),
        }
    }
}

/// The classes of a series' line; after the last colour they begin again, dashed.
fn stroke(series: usize) -> String {
    let dashed = if (series / SERIES).is_multiple_of(2) {
        ""
    } else {
        " p-dashed"
    };
    format!("p-line p-stroke{}{dashed}", series % SERIES)
}
