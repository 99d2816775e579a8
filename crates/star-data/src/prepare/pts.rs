//! `.pts` files: the points of one face, as iBUG writes them.
//!
//! ```text
//! version: 1
//! n_points: 68
//! {
//! 91.8663 132.0094
//! ...
//! }
//! ```
//!
//! iBUG counts pixels from 1; this program counts from 0, so one is subtracted from every coordinate.

use std::path::Path;

use crate::{
    error::DataError,
    point::{MAX_COORDINATE, Point},
};

/// What is subtracted from a coordinate in the file.
const FIRST_PIXEL: f64 = 1.0;

/// Reads a `.pts` file of exactly `expected` points into 0-based pixels.
///
/// # Errors
/// When the file cannot be read, and as [`parse_pts`].
pub fn read_pts(path: &Path, expected: usize) -> Result<Vec<Point>, DataError> {
    let bytes =
        star_files::read_file(path, star_files::SMALL).map_err(|e| DataError::io(path, e))?;
    parse_pts(&bytes, path, expected)
}

/// As [`read_pts`] from bytes; `origin` is what messages call the file.
///
/// Blank lines, Windows line ends, a byte order mark and extra spaces are fine. Everything else that is not the form above is an error.
///
/// # Errors
/// [`DataError::Parse`] naming the line and what should be there.
pub fn parse_pts(bytes: &[u8], origin: &Path, expected: usize) -> Result<Vec<Point>, DataError> {
    let fail = |line: usize, message: String| DataError::Parse {
        path: origin.to_path_buf(),
        line,
        message,
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(e) => {
            let before = &bytes[..e.valid_up_to()];
            let line = 1 + before.iter().filter(|&&b| b == b'\n').count();
            return Err(fail(line, "not text; is this a .pts file?".into()));
        }
    };
    let mut state = State::Header;
    let mut declared: Option<usize> = None;
    let mut points = Vec::new();
    let mut last = 1;
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        last = i + 1;
        let complain = |message: String| fail(last, message);
        match state {
            State::Header if line == "{" => state = State::Points,
            State::Header => match header(line) {
                Some(("version", _)) => {}
                Some(("n_points", value)) => {
                    let count = value.parse().map_err(|_| {
                        complain(format!("n_points is `{}`, not a number", shorten(value)))
                    })?;
                    if count != expected {
                        return Err(complain(format!(
                            "n_points is {count}, but the layout has {expected} points"
                        )));
                    }
                    declared = Some(count);
                }
                _ => {
                    return Err(complain(format!(
                        "`{}`; expected `version: 1`, `n_points: {expected}` or `{{`",
                        shorten(line)
                    )));
                }
            },
            State::Points if line == "}" => state = State::End,
            State::Points => {
                if points.len() == expected {
                    return Err(complain(format!(
                        "`{}` after {expected} points; expected `}}`",
                        shorten(line)
                    )));
                }
                points.push(point(line).map_err(complain)?);
            }
            State::End => {
                return Err(complain(format!(
                    "`{}` after the closing `}}`",
                    shorten(line)
                )));
            }
        }
    }
    let finished = matches!(state, State::End);
    if finished && declared.is_some() && points.len() == expected {
        return Ok(points);
    }
    let message = if !finished {
        format!(
            "the file ends after {} of {expected} points without `}}`; is it cut off?",
            points.len()
        )
    } else if points.len() != expected {
        format!("{} points, but the layout has {expected}", points.len())
    } else {
        format!("there is no `n_points: {expected}` line")
    };
    Err(fail(last, message))
}

enum State {
    Header,
    Points,
    End,
}

fn header(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    Some((key.trim(), value.trim()))
}

fn point(line: &str) -> Result<Point, String> {
    let mut numbers = line
        .split_whitespace()
        .map(|word| match word.parse::<f64>() {
            Ok(v) if v.is_finite() && v.abs() <= MAX_COORDINATE => Ok(v - FIRST_PIXEL),
            Ok(_) => Err(format!(
                "{} is not a usable number of pixels",
                shorten(word)
            )),
            Err(_) => Err(format!("`{}` is not a number", shorten(word))),
        });
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(x), Some(y), None) => Ok(Point::new(x?, y?)),
        _ => Err(format!(
            "`{}` is not a point; expected two numbers, x and y",
            shorten(line)
        )),
    }
}

/// Keeps a damaged line from flooding the message.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 40;
    if text.chars().count() <= LONGEST {
        return text.to_string();
    }
    text.chars().take(LONGEST).chain(['.', '.', '.']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "version: 1\nn_points: 3\n{\n1 1\n10.5 20.25\n-3 4e1\n}\n";

    fn parse(text: &[u8]) -> Result<Vec<Point>, DataError> {
        parse_pts(text, Path::new("face 1.pts"), 3)
    }

    #[test]
    fn pixels_are_counted_from_zero() {
        let points = parse(GOOD.as_bytes()).unwrap();
        assert_eq!(
            points,
            [
                Point::new(0.0, 0.0),
                Point::new(9.5, 19.25),
                Point::new(-4.0, 39.0)
            ]
        );
    }

    #[test]
    fn harmless_variations_are_read() {
        let points = parse(GOOD.as_bytes()).unwrap();
        let variations = [
            GOOD.replace('\n', "\r\n"),
            format!("\u{feff}{GOOD}"),
            GOOD.replace("version: 1", "version:1 ")
                .replace("n_points: ", "n_points:  "),
            GOOD.replace('\n', "\n\n").replace(' ', "\t "),
            GOOD.trim_end().to_string(),
        ];
        for text in variations {
            assert_eq!(parse(text.as_bytes()).unwrap(), points, "{text:?}");
        }
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let cases = [
            (GOOD.replace("n_points: 3", "n_points: 68"), 2, "68"),
            (GOOD.replace("n_points: 3", "n_points: many"), 2, "many"),
            (GOOD.replace("n_points: 3\n", ""), 6, "n_points"),
            (GOOD.replace("{\n", ""), 3, "1 1"),
            (GOOD.replace("10.5 20.25", "10.5"), 5, "two numbers"),
            (GOOD.replace("10.5 20.25", "10.5 20.25 7"), 5, "two numbers"),
            (GOOD.replace("10.5", "ten"), 5, "ten"),
            (GOOD.replace("10.5", "NaN"), 5, "NaN"),
            (GOOD.replace("10.5", "1e9"), 5, "1e9"),
            (GOOD.replace("-3 4e1\n", ""), 6, "2 points"),
            (GOOD.replace("-3 4e1\n", "1 2\n3 4\n"), 7, "after 3 points"),
            (GOOD.replace("}\n", ""), 6, "cut off"),
            (format!("{GOOD}more"), 8, "after the closing"),
            (String::new(), 1, "cut off"),
        ];
        for (text, line, part) in cases {
            let message = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(
                message.starts_with(&format!("face 1.pts:{line}: ")),
                "{message} for {text:?}"
            );
            assert!(message.contains(part), "{message} lacks {part}");
        }
        let message = parse(b"version: 1\n\xff\xfe").unwrap_err().to_string();
        assert!(message.starts_with("face 1.pts:2: not text"), "{message}");
    }

    /// Bytes are changed, dropped, doubled and cut; whatever comes out is 3 finite points or an error that names a line of the file.
    #[test]
    fn mutations_never_panic() {
        let mut state = 1u64;
        let mut next = |limit: usize| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % limit.max(1)
        };
        let mut refused = 0;
        for _ in 0..20_000 {
            let mut bytes = GOOD.as_bytes().to_vec();
            for _ in 0..1 + next(4) {
                let at = next(bytes.len());
                match next(5) {
                    0 if at < bytes.len() => bytes[at] = next(256) as u8,
                    1 if at < bytes.len() => {
                        bytes.remove(at);
                    }
                    2 => bytes.insert(at, b"0123456789.-+eE{}:\n\t \0"[next(22)]),
                    3 => bytes.truncate(at),
                    _ => bytes.extend_from_within(at..),
                }
            }
            match parse(&bytes) {
                Ok(points) => {
                    assert_eq!(points.len(), 3);
                    assert!(points.iter().all(|p| p.x.is_finite() && p.y.is_finite()));
                }
                Err(DataError::Parse { line, .. }) => {
                    let lines = 1 + bytes.iter().filter(|&&b| b == b'\n').count();
                    assert!((1..=lines).contains(&line));
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(refused > 5_000, "only {refused} mutations were refused");
    }
}
