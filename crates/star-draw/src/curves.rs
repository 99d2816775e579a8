//! Training curves as a self-contained SVG.
//!
//! Drawn here after trying two crates on the curves of a real run: with `kuva` 0.6 logarithmic axes run to whole powers of ten, which leaves most
//! of a panel empty, and panels one above another are not of one width; with `plotters` 0.3 the grid of a logarithmic axis hides its numbers.

use super::{
    svg::{Svg, escape, length},
    ticks::{self, Tick, compact},
};

/// Values beyond this, or below its inverse on a logarithmic axis, are left out: what an axis adds around them would overflow.
const LARGEST: f64 = 1e300;

const WIDTH: f64 = 760.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 14.0;
const TITLE: f64 = 34.0;
/// Above each panel: its name and its legend.
const HEADING: f64 = 26.0;
/// Height of a panel of height 1.
const PANEL: f64 = 168.0;
const BETWEEN: f64 = 18.0;
/// Below the last panel: numbers and the name of the axis.
const BOTTOM: f64 = 46.0;

/// Okabe and Ito's colours, which stay apart for colour-blind eyes and in grey.
pub(super) const COLORS: [&str; 6] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#7f6a00",
];

const STYLE: &str = "text{font-family:Inter,'Helvetica Neue',Helvetica,Arial,'Liberation Sans','DejaVu Sans',sans-serif;fill:#222}\
.title{font-size:16px;font-weight:600}.name{font-size:13px;font-weight:600}.small{font-size:11px;fill:#444}\
.value{font-size:11px;font-weight:600;paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}\
.grid{stroke:#e3e3e3;stroke-width:1}.minor{stroke:#f2f2f2;stroke-width:1}.axis{stroke:#444;stroke-width:1}\
.mark{stroke:#999;stroke-width:1;stroke-dasharray:3 3}.curve{fill:none;stroke-linejoin:round;stroke-linecap:round}";

/// How a panel's values are spread over its height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scale {
    #[default]
    /// Equal steps for equal differences.
    Linear,
    /// Values that are not positive are left out.
    Log,
}

/// One curve. Points in the order of x; NaN and infinite values leave a gap.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// (x, y), by rising x.
    pub points: Vec<(f64, f64)>,
    /// Thin and pale: for what another curve smooths.
    pub faint: bool,
    /// Dashed.
    pub dashed: bool,
    /// Draw as steps: the value holds until the next point. For learning rates.
    pub steps: bool,
    /// Mark the lowest point with its value.
    pub mark_lowest: bool,
}

impl Series {
    /// A plain curve.
    pub fn new(name: impl Into<String>, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.into(),
            points,
            ..Self::default()
        }
    }

    #[must_use]
    /// Drawn thin and pale.
    pub fn faint(mut self) -> Self {
        self.faint = true;
        self
    }

    #[must_use]
    /// Drawn as dashes.
    pub fn dashed(mut self) -> Self {
        self.dashed = true;
        self
    }

    #[must_use]
    /// Drawn as steps: a value holds until the next.
    pub fn steps(mut self) -> Self {
        self.steps = true;
        self
    }

    #[must_use]
    /// Writes the lowest value beside its point.
    pub fn mark_lowest(mut self) -> Self {
        self.mark_lowest = true;
        self
    }
}

/// Curves that share an axis of values.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What is drawn, with its unit.
    pub name: String,
    /// Of the axis of values.
    pub scale: Scale,
    /// Its curves.
    pub series: Vec<Series>,
    /// Height in relation to other panels, 1 by default.
    pub height: f64,
}

impl Default for Panel {
    fn default() -> Self {
        Self::new("", Scale::default(), vec![])
    }
}

impl Panel {
    /// A panel whose axis fits its values.
    pub fn new(name: impl Into<String>, scale: Scale, series: Vec<Series>) -> Self {
        Self {
            name: name.into(),
            scale,
            series,
            height: 1.0,
        }
    }

    /// A higher or flatter panel.
    #[must_use]
    pub fn height(mut self, height: f64) -> Self {
        self.height = height;
        self
    }

    /// Height on the paper.
    fn extent(&self) -> f64 {
        let height = if self.height.is_finite() {
            self.height
        } else {
            1.0
        };
        PANEL * height.clamp(0.25, 8.0)
    }
}

/// Panels above one another that share the axis of x.
#[derive(Clone, Debug, Default)]
pub struct Figure {
    /// Above all panels.
    pub title: String,
    /// Name of the common axis, for example "epoch".
    pub x_name: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
    /// Places on the common axis marked with a dashed line through all panels, for example where the learning rate drops.
    pub marks: Vec<f64>,
}

impl Figure {
    /// The drawing. It needs nothing else: no fonts, scripts or files.
    pub fn to_svg(&self) -> String {
        let panels: f64 = self
            .panels
            .iter()
            .map(|p| HEADING + p.extent() + BETWEEN)
            .sum();
        let height = TOP + TITLE + panels - BETWEEN + BOTTOM;
        let mut svg = Svg::new();
        let size = (length(WIDTH), length(height));
        svg.element(
            "rect",
            &[("width", &size.0), ("height", &size.1), ("fill", "#fff")],
        );
        svg.text(LEFT, TOP + 16.0, "title", &[], &self.title);

        let x = self.x_axis();
        let mut top = TOP + TITLE;
        for (i, panel) in self.panels.iter().enumerate() {
            let last = i + 1 == self.panels.len();
            self.draw_panel(&mut svg, panel, &x, top + HEADING, last);
            top += HEADING + panel.extent() + BETWEEN;
        }
        svg.finish(WIDTH, height, &self.title, STYLE)
    }

    /// The common axis: from the first to the last x of any curve.
    fn x_axis(&self) -> Axis {
        let xs = || {
            let points = self
                .panels
                .iter()
                .flat_map(|p| &p.series)
                .flat_map(|s| &s.points);
            points.map(|p| p.0).filter(|&x| is_drawn(x, Scale::Linear))
        };
        let (low, high) = range(xs()).unwrap_or((0.0, 1.0));
        let (low, high) = if high > low {
            (low, high)
        } else {
            (low - 0.5, high + 0.5)
        };
        // Epochs and steps are counted: no tick between two of them.
        let least = if xs().all(|x| x.fract() == 0.0) {
            1.0
        } else {
            0.0
        };
        Axis {
            scale: Scale::Linear,
            low,
            high,
            from: LEFT,
            to: WIDTH - RIGHT,
            ticks: ticks::linear(low, high, 8, least),
        }
    }

    fn draw_panel(&self, svg: &mut Svg, panel: &Panel, x: &Axis, top: f64, last: bool) {
        let bottom = top + panel.extent();
        svg.text(LEFT, top - 9.0, "name", &[], &panel.name);
        draw_legend(svg, panel, top - 9.0);

        let y = y_axis(panel, top, bottom);
        if let Some(y) = &y {
            for tick in &y.ticks {
                let at = y.place(tick.value);
                svg.line(
                    (LEFT, at),
                    (WIDTH - RIGHT, at),
                    if tick.label.is_some() {
                        "grid"
                    } else {
                        "minor"
                    },
                );
                if let Some(label) = &tick.label {
                    svg.text(
                        LEFT - 8.0,
                        at + 4.0,
                        "small",
                        &[("text-anchor", "end")],
                        label,
                    );
                }
            }
        }
        for tick in &x.ticks {
            let at = x.place(tick.value);
            svg.line((at, bottom), (at, bottom + 4.0), "axis");
            if let (true, Some(label)) = (last, &tick.label) {
                svg.text(
                    at,
                    bottom + 17.0,
                    "small",
                    &[("text-anchor", "middle")],
                    label,
                );
            }
        }
        for &mark in self.marks.iter().filter(|m| (x.low..=x.high).contains(*m)) {
            svg.line((x.place(mark), top), (x.place(mark), bottom), "mark");
        }
        svg.line((LEFT, bottom), (WIDTH - RIGHT, bottom), "axis");
        svg.line((LEFT, top), (LEFT, bottom), "axis");
        if last {
            svg.text(
                (x.from + x.to) / 2.0,
                bottom + 36.0,
                "small",
                &[("text-anchor", "middle")],
                &self.x_name,
            );
        }

        let Some(y) = y else {
            svg.text(
                (LEFT + WIDTH - RIGHT) / 2.0,
                (top + bottom) / 2.0,
                "small",
                &[("text-anchor", "middle")],
                "no values",
            );
            return;
        };
        // Faint curves below the others.
        let mut order: Vec<usize> = (0..panel.series.len()).collect();
        order.sort_by_key(|&i| !panel.series[i].faint);
        for i in order {
            draw_curve(svg, &panel.series[i], color(panel, i), x, &y);
        }
        for (i, series) in panel
            .series
            .iter()
            .enumerate()
            .filter(|(_, s)| s.mark_lowest)
        {
            draw_lowest(svg, series, color(panel, i), x, &y);
        }
    }
}

/// One axis: what it spans and where on the paper.
struct Axis {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
    ticks: Vec<Tick>,
}

impl Axis {
    /// Where a value goes on the paper; NaN if it has no place.
    fn place(&self, value: f64) -> f64 {
        let fraction = match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        self.from + fraction * (self.to - self.from)
    }
}

/// A curve takes the colour of its place in the panel; a faint one that of the next curve, which it belongs to.
fn color(panel: &Panel, i: usize) -> &'static str {
    let solid = |i: usize| panel.series[..i].iter().filter(|s| !s.faint).count();
    COLORS[solid(i) % COLORS.len()]
}

fn is_drawn(value: f64, scale: Scale) -> bool {
    match scale {
        Scale::Linear => value.abs() < LARGEST,
        Scale::Log => value > 1.0 / LARGEST && value < LARGEST,
    }
}

/// The lowest and the highest finite value.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|v| v.is_finite()).fold(None, |range, v| {
        let (low, high) = range.unwrap_or((v, v));
        Some((low.min(v), high.max(v)))
    })
}

/// None if the panel has no value to show.
fn y_axis(panel: &Panel, top: f64, bottom: f64) -> Option<Axis> {
    let scale = panel.scale;
    let values = panel
        .series
        .iter()
        .flat_map(|s| &s.points)
        .filter(|p| is_drawn(p.0, Scale::Linear) && is_drawn(p.1, scale))
        .map(|p| p.1);
    let (low, high) = range(values)?;
    let (low, high, ticks) = match scale {
        Scale::Linear => {
            // A little room above and below; from 0 if that is near.
            let room = if high > low {
                (high - low) * 0.06
            } else {
                high.abs().max(1e-12) * 0.5
            };
            let floor = if low >= 0.0 && low < 0.35 * high {
                0.0
            } else {
                low - room
            };
            let high = high + room;
            (floor, high, ticks::linear(floor, high, 5, 0.0))
        }
        Scale::Log => {
            // Less than a fifth of a decade looks like nothing happened: widen it.
            let room = ((high / low).powf(0.06)).max(1.2);
            let (low, high) = (low / room, high * room);
            (low, high, ticks::logarithmic(low, high))
        }
    };
    Some(Axis {
        scale,
        low,
        high,
        from: bottom,
        to: top,
        ticks,
    })
}

/// Names of the curves at the right above the panel. Widths are estimated: there is no font at hand.
fn draw_legend(svg: &mut Svg, panel: &Panel, baseline: f64) {
    let mut x = WIDTH - RIGHT;
    for (i, series) in panel.series.iter().enumerate().rev() {
        if series.name.is_empty() {
            continue;
        }
        let width = series.name.chars().map(letter_width).sum::<f64>();
        // Set from its end, so that the last name ends with the panel in any font.
        svg.text(
            x,
            baseline,
            "small",
            &[("text-anchor", "end")],
            &series.name,
        );
        x -= width;
        let (from, to) = (length(x - 24.0), length(x - 6.0));
        let y = length(baseline - 4.0);
        let path = format!("M{from} {y}H{to}");
        stroke(svg, &path, series, color(panel, i));
        x -= 24.0 + 16.0;
    }
}

/// About how wide a letter is at 11 px in the fonts asked for.
fn letter_width(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' => 2.9,
        'f' | 't' | 'r' | ' ' | '(' | ')' | '-' | '/' => 4.2,
        'm' | 'w' | 'M' | 'W' | '%' | '@' => 10.2,
        c if c.is_uppercase() => 7.8,
        _ => 6.6,
    }
}

fn stroke(svg: &mut Svg, path: &str, series: &Series, color: &str) {
    let (width, opacity) = if series.faint {
        ("1.1", "0.5")
    } else {
        ("1.8", "1")
    };
    let mut attributes = vec![
        ("d", path),
        ("class", "curve"),
        ("stroke", color),
        ("stroke-width", width),
        ("stroke-opacity", opacity),
    ];
    if series.dashed {
        attributes.push(("stroke-dasharray", "6 4"));
    }
    svg.element("path", &attributes);
}

fn draw_curve(svg: &mut Svg, series: &Series, color: &str, x: &Axis, y: &Axis) {
    let mut path = String::new();
    let long = series.points.len() as f64 > 4.0 * WIDTH;
    for run in runs(series, x, y) {
        match run[..] {
            [] => {}
            // A single value between gaps has no line: it gets a dot.
            [(px, py)] => dot(svg, px, py, "2.4", color, series),
            [(px, py), ..] => {
                path.push_str(&format!("M{} {}", length(px), length(py)));
                let run = if long { thinned(&run) } else { run };
                for pair in run.windows(2) {
                    if series.steps {
                        path.push_str(&format!("H{}V{}", length(pair[1].0), length(pair[1].1)));
                    } else {
                        path.push_str(&format!("L{} {}", length(pair[1].0), length(pair[1].1)));
                    }
                }
            }
        }
    }
    if !path.is_empty() {
        stroke(svg, &path, series, color);
    }
}

fn dot(svg: &mut Svg, x: f64, y: f64, radius: &str, color: &str, series: &Series) {
    let opacity = if series.faint { "0.5" } else { "1" };
    svg.element(
        "circle",
        &[
            ("cx", &length(x)),
            ("cy", &length(y)),
            ("r", radius),
            ("fill", color),
            ("fill-opacity", opacity),
        ],
    );
}

/// The curve on the paper, cut at its gaps.
fn runs(series: &Series, x: &Axis, y: &Axis) -> Vec<Vec<(f64, f64)>> {
    let mut runs = vec![vec![]];
    for &(px, py) in &series.points {
        if is_drawn(px, Scale::Linear) && is_drawn(py, y.scale) {
            if let Some(run) = runs.last_mut() {
                run.push((x.place(px), y.place(py)));
            }
        } else {
            runs.push(vec![]);
        }
    }
    runs
}

/// A run with at most four points for each step of half a unit: the first, the lowest, the highest and the last. It looks the same.
fn thinned(run: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let column = |p: &(f64, f64)| (p.0 * 2.0).floor();
    let mut kept = vec![];
    for group in run.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |a: &usize, b: &usize| group[*a].1.total_cmp(&group[*b].1);
        let lowest = (0..group.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..group.len()).max_by(by_height).unwrap_or(0);
        let mut indices = [0, lowest, highest, group.len() - 1];
        indices.sort_unstable();
        kept.extend(
            indices
                .iter()
                .enumerate()
                .filter(|(i, k)| *i == 0 || indices[i - 1] != **k)
                .map(|(_, k)| group[*k]),
        );
    }
    kept
}

/// A ring and the value at the lowest point.
fn draw_lowest(svg: &mut Svg, series: &Series, color: &str, x: &Axis, y: &Axis) {
    let lowest = series
        .points
        .iter()
        .filter(|p| is_drawn(p.0, Scale::Linear) && is_drawn(p.1, y.scale))
        .min_by(|a, b| a.1.total_cmp(&b.1));
    let Some(&(px, py)) = lowest else { return };
    let (at_x, at_y) = (x.place(px), y.place(py));
    svg.element(
        "circle",
        &[
            ("cx", &length(at_x)),
            ("cy", &length(at_y)),
            ("r", "3.6"),
            ("fill", "#fff"),
            ("stroke", color),
            ("stroke-width", "1.8"),
        ],
    );
    // Above the curve, and inside the panel.
    let anchor = if at_x > x.to - 60.0 { "end" } else { "middle" };
    let label_x = if anchor == "end" { at_x + 4.0 } else { at_x };
    svg.text(
        label_x,
        at_y - 9.0,
        "value",
        &[
            ("text-anchor", anchor),
            ("style", &format!("fill:{}", escape(color))),
        ],
        &compact(py),
    );
}
