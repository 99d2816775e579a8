//! Drawing landmarks as SVG.

use star_data::Point;

use super::{
    surface::{Ink, Surface, drawable, place},
    svg::{Svg, length},
};

/// A digit's height over the font size, for the sans-serif fonts that browsers pick.
const DIGIT: f64 = 0.72;

impl Surface for Svg {
    fn disc(&mut self, center: Point, radius: f64, ink: Ink) {
        let Some((x, y)) = place(center) else { return };
        let [x, y, r] = [x, y, radius].map(length);
        let (color, opacity) = paint(ink);
        self.element(
            "circle",
            &[
                ("cx", &x),
                ("cy", &y),
                ("r", &r),
                ("fill", &color),
                ("fill-opacity", &opacity),
            ],
        );
    }

    fn line(&mut self, points: &[Point], closed: bool, width: f64, ink: Ink) {
        let places: Vec<_> = points.iter().map(|&p| place(p)).collect();
        let mut path = String::new();
        let mut pen_is_down = false;
        for at in &places {
            if let Some((x, y)) = *at {
                path.push(if pen_is_down { 'L' } else { 'M' });
                path.push_str(&format!("{} {}", length(x), length(y)));
            }
            pen_is_down = at.is_some();
        }
        match (places.first(), places.last()) {
            _ if closed && places.iter().all(Option::is_some) && !path.is_empty() => path.push('Z'),
            (Some(Some(first)), Some(Some(_))) if closed => {
                path.push_str(&format!("L{} {}", length(first.0), length(first.1)));
            }
            _ => {}
        }
        if path.is_empty() {
            return;
        }
        let (color, opacity) = paint(ink);
        self.element(
            "path",
            &[
                ("d", &path),
                ("fill", "none"),
                ("stroke", &color),
                ("stroke-opacity", &opacity),
                ("stroke-width", &length(width)),
                ("stroke-linecap", "round"),
                ("stroke-linejoin", "round"),
            ],
        );
    }

    fn ellipse(&mut self, center: Point, major: Point, minor: Point, width: f64, ink: Ink) {
        let Some((x, y)) = place(center) else { return };
        if !drawable(major) || !drawable(minor) {
            return;
        }
        let angle = length(major.y.atan2(major.x).to_degrees());
        let [x, y, rx, ry] = [x, y, major.x.hypot(major.y), minor.x.hypot(minor.y)].map(length);
        let (color, opacity) = paint(ink);
        self.element(
            "ellipse",
            &[
                ("cx", &x),
                ("cy", &y),
                ("rx", &rx),
                ("ry", &ry),
                ("transform", &format!("rotate({angle} {x} {y})")),
                ("fill", "none"),
                ("stroke", &color),
                ("stroke-opacity", &opacity),
                ("stroke-width", &length(width)),
            ],
        );
    }

    fn text(&mut self, center: Point, height: f64, text: &str, ink: Ink) {
        let Some((x, y)) = place(center) else { return };
        let (color, _) = paint(ink);
        let style = [
            ("font-size", length(height / DIGIT)),
            ("stroke-width", length(0.3 * height)),
            ("x", length(x)),
            // Not `dominant-baseline`, which not every viewer knows.
            ("y", length(y + height / 2.0)),
        ];
        let mut attributes = vec![
            ("font-family", "sans-serif"),
            ("text-anchor", "middle"),
            ("fill", color.as_str()),
            ("stroke", "#000"),
            ("stroke-opacity", "0.6"),
            ("paint-order", "stroke"),
        ];
        attributes.extend(style.iter().map(|(key, value)| (*key, value.as_str())));
        self.label(&attributes, text);
    }
}

/// Colour and opacity as attributes.
fn paint(ink: Ink) -> (String, String) {
    let [r, g, b] = ink.rgb;
    (
        format!("#{r:02x}{g:02x}{b:02x}"),
        length(f64::from(ink.opacity)),
    )
}
