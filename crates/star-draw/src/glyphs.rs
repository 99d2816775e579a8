//! The few characters that images need, as strokes: a font file would be larger than the rest of the drawing code.

use star_data::Point;

/// Height of a digit in the units of the strokes.
const HEIGHT: f64 = 6.0;
/// From one character's left side to the next one's.
const ADVANCE: f64 = 5.4;
/// Width of a character.
const WIDTH: f64 = 4.0;

type Stroke = &'static [(f64, f64)];

/// The polylines of a character on a grid 4 wide and 6 high, y down. Unknown characters are blank.
fn strokes(character: char) -> &'static [Stroke] {
    const ROUND: Stroke = &[
        (1.2, 0.0),
        (2.8, 0.0),
        (4.0, 1.4),
        (4.0, 4.6),
        (2.8, 6.0),
        (1.2, 6.0),
        (0.0, 4.6),
        (0.0, 1.4),
        (1.2, 0.0),
    ];
    match character {
        '0' => &[ROUND],
        '1' => &[&[(0.6, 1.4), (2.2, 0.0), (2.2, 6.0)]],
        '2' => &[&[
            (0.1, 1.3),
            (1.2, 0.0),
            (2.9, 0.0),
            (3.9, 1.2),
            (3.7, 2.5),
            (0.0, 6.0),
            (4.0, 6.0),
        ]],
        '3' => &[
            &[
                (0.1, 0.6),
                (1.2, 0.0),
                (2.9, 0.0),
                (3.8, 1.2),
                (3.5, 2.3),
                (2.4, 2.8),
                (1.5, 2.8),
            ],
            &[
                (2.4, 2.8),
                (3.6, 3.3),
                (4.0, 4.4),
                (3.0, 6.0),
                (1.1, 6.0),
                (0.0, 5.2),
            ],
        ],
        '4' => &[&[(3.0, 6.0), (3.0, 0.0), (0.0, 4.2), (4.0, 4.2)]],
        '5' => &[&[
            (3.7, 0.0),
            (0.5, 0.0),
            (0.2, 2.8),
            (1.4, 2.3),
            (2.9, 2.4),
            (4.0, 3.6),
            (3.8, 5.0),
            (2.8, 6.0),
            (1.1, 6.0),
            (0.0, 5.2),
        ]],
        '6' => &[&[
            (3.5, 0.2),
            (2.2, 0.0),
            (0.8, 1.0),
            (0.0, 3.2),
            (0.2, 4.9),
            (1.2, 6.0),
            (2.9, 6.0),
            (4.0, 4.7),
            (3.7, 3.3),
            (2.5, 2.5),
            (1.2, 2.8),
            (0.1, 4.0),
        ]],
        '7' => &[&[(0.0, 0.0), (4.0, 0.0), (1.5, 6.0)]],
        '8' => &[&[
            (1.3, 2.8),
            (0.3, 1.8),
            (0.4, 0.8),
            (1.4, 0.0),
            (2.6, 0.0),
            (3.6, 0.8),
            (3.7, 1.8),
            (2.7, 2.8),
            (1.3, 2.8),
            (0.0, 4.1),
            (0.1, 5.1),
            (1.2, 6.0),
            (2.8, 6.0),
            (3.9, 5.1),
            (4.0, 4.1),
            (2.7, 2.8),
        ]],
        '9' => &[&[
            (0.5, 5.8),
            (1.8, 6.0),
            (3.2, 5.0),
            (4.0, 2.8),
            (3.8, 1.1),
            (2.8, 0.0),
            (1.1, 0.0),
            (0.0, 1.3),
            (0.3, 2.7),
            (1.5, 3.5),
            (2.8, 3.2),
            (3.9, 2.0),
        ]],
        ':' => &[&[(2.0, 2.0), (2.0, 2.0)], &[(2.0, 5.0), (2.0, 5.0)]],
        '.' => &[&[(2.0, 5.9), (2.0, 5.9)]],
        'σ' => &[&[
            (4.3, 2.2),
            (1.6, 2.2),
            (0.5, 2.9),
            (0.0, 4.1),
            (0.6, 5.5),
            (1.7, 6.0),
            (2.9, 5.5),
            (3.5, 4.1),
            (3.0, 2.9),
            (2.0, 2.2),
        ]],
        _ => &[],
    }
}

/// The polylines of a text centred at `center`, and the line width that suits them.
pub(super) fn polylines(center: Point, height: f64, text: &str) -> (Vec<Vec<Point>>, f64) {
    let k = height / HEIGHT;
    let count = text.chars().count() as f64;
    let left = center.x - k * (ADVANCE * (count - 1.0) + WIDTH) / 2.0;
    let top = center.y - height / 2.0;
    let mut lines = Vec::new();
    for (i, character) in text.chars().enumerate() {
        let x0 = left + k * ADVANCE * i as f64;
        for stroke in strokes(character) {
            let at = |&(x, y): &(f64, f64)| Point::new(x0 + k * x, top + k * y);
            lines.push(stroke.iter().map(at).collect());
        }
    }
    (lines, 0.85 * k)
}
