//! Which landmarks a face has: their number, the curves through them, who mirrors whom, and what an error is divided by.
//!
//! A layout is a TOML file; the ones of the published benchmarks are compiled in. A new layout is a new file and no code.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::{
    error::{DataError, plain_words, shorten_message},
    point::Point,
};

const BUILTIN: [(&str, &str); 3] = [
    (
        "wflw98",
        include_str!("../../../configs/layouts/wflw98.toml"),
    ),
    (
        "ibug68",
        include_str!("../../../configs/layouts/ibug68.toml"),
    ),
    (
        "cofw29",
        include_str!("../../../configs/layouts/cofw29.toml"),
    ),
];

/// The largest file that is taken for a layout, bytes: one of the most landmarks has a quarter of it. Reading TOML takes up to 100
/// times its size in memory.
const MAX_FILE: usize = 256 << 10;
/// The most landmarks of a layout: each is a map in the network, so that more are a slip of the pen.
pub(crate) const MAX_POINTS: usize = 4096;

/// A curve through some of the landmarks; each edge is one channel of the network's edge maps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// What it is called.
    pub name: String,
    /// Whether the last point is joined to the first.
    pub closed: bool,
    /// Indices of the landmarks, in the order in which the curve meets them.
    pub points: Vec<usize>,
}

/// What a landmark error is divided by: the distance between the means of two groups of points (REFERENCE M1).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Norm {
    /// Landmark indices of the group on the left of the image.
    pub left: Vec<usize>,
    /// Landmark indices of the group on its right.
    pub right: Vec<usize>,
}

impl Norm {
    /// The normalising distance of a face, in the unit of `points`; 0 when the two groups coincide.
    ///
    /// `points` must be a whole face of the layout that this norm belongs to.
    pub fn distance(&self, points: &[Point]) -> f64 {
        let mean = |group: &[usize]| {
            let n = group.len() as f64;
            Point::new(
                group.iter().map(|&i| points[i].x).sum::<f64>() / n,
                group.iter().map(|&i| points[i].y).sum::<f64>() / n,
            )
        };
        mean(&self.left).distance(mean(&self.right))
    }
}

/// A landmark layout, checked: every index is in range and `mirror` is an involution.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// What it is called.
    pub name: String,
    /// Number of landmarks, at least 2.
    pub points: usize,
    /// What each landmark is called, where the file says; otherwise empty.
    pub names: Vec<String>,
    /// Curves through the points, drawn as edge maps.
    pub edges: Vec<Edge>,
    /// For each landmark the one that takes its place in a mirrored image.
    pub mirror: Vec<usize>,
    /// The normalising distances by name.
    pub norms: BTreeMap<String, Norm>,
    /// The norm that errors are divided by unless another is asked for.
    pub default_norm: String,
    /// Where the published failure rate and area under the curve end, as a fraction of the normalising distance.
    pub threshold: f64,
    /// A mirrored image of width w moves a landmark from x to `w - flip_offset - x`: 1, or 0 for COFW (REFERENCE A6).
    pub flip_offset: f64,
}

/// The TOML file as written. Positions are kept so that a complaint names the line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LayoutFile {
    name: Spanned<String>,
    points: Spanned<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    names: Option<Spanned<Vec<String>>>,
    threshold: Spanned<f64>,
    flip_offset: Spanned<f64>,
    // Not an array of 2: of a longer list `toml` takes the first two and drops the rest.
    mirror: Vec<Spanned<Vec<usize>>>,
    default_norm: Spanned<String>,
    norms: BTreeMap<String, Spanned<Norm>>,
    #[serde(default)]
    edges: Vec<Spanned<Edge>>,
}

/// A complaint about a place in the text.
struct Complaint(Range<usize>, String);

impl Layout {
    /// The names that [`Layout::builtin`] knows.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        BUILTIN.iter().map(|(name, _)| *name)
    }

    /// Those names with the number of landmarks of each.
    pub(crate) fn builtin_points() -> impl Iterator<Item = (&'static str, usize)> {
        // A line of each file: reading them whole for a word in a message would take more memory than what the message is of.
        let points = |text: &str| {
            text.lines()
                .find_map(|l| l.strip_prefix("points = ")?.trim().parse().ok())
        };
        BUILTIN
            .iter()
            .filter_map(move |(name, text)| Some((*name, points(text)?)))
    }

    /// One of the layouts that are compiled in: `wflw98`, `ibug68`, `cofw29`.
    ///
    /// # Errors
    /// When there is no such layout; the message lists those there are.
    pub fn builtin(name: &str) -> Result<Self, DataError> {
        let Some((_, text)) = BUILTIN.iter().find(|(known, _)| *known == name) else {
            let known: Vec<_> = Self::builtin_names().collect();
            return Err(DataError::Invalid(format!(
                "there is no built-in layout `{name}`; there are {}, or give the path of a layout's TOML file",
                known.join(", ")
            )));
        };
        Self::from_toml_str(text, Path::new(&format!("configs/layouts/{name}.toml")))
    }

    /// Reads and checks a layout's TOML file.
    ///
    /// # Errors
    /// When the file cannot be read, or does not describe a layout; the message names the line.
    pub fn from_toml_file(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let bytes =
            star_files::read_file(path, star_files::SMALL).map_err(|e| DataError::io(path, e))?;
        Self::from_toml_bytes(&bytes, path)
    }

    /// As [`Layout::from_toml_str`] from bytes, which may not be text.
    ///
    /// # Errors
    /// As [`Layout::from_toml_str`].
    pub fn from_toml_bytes(bytes: &[u8], origin: &Path) -> Result<Self, DataError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::from_toml_str(text, origin),
            Err(e) => Err(DataError::Parse {
                path: origin.to_path_buf(),
                line: 1
                    + (bytes.iter().take(e.valid_up_to()))
                        .filter(|&&b| b == b'\n')
                        .count(),
                message: "not UTF-8 text; save the layout as UTF-8".into(),
            }),
        }
    }

    /// Reads and checks a layout from text; `origin` is what messages call it.
    ///
    /// # Errors
    /// When the text does not describe a layout; the message names the line.
    pub fn from_toml_str(text: &str, origin: &Path) -> Result<Self, DataError> {
        let fail = |Complaint(span, message)| DataError::Parse {
            path: PathBuf::from(origin),
            line: line_of(text, span.start),
            message: shorten_message(&message),
        };
        if text.len() > MAX_FILE {
            return Err(fail(Complaint(
                0..0,
                format!(
                    "{} bytes; a layout's file has at most {MAX_FILE}, is this one?",
                    text.len()
                ),
            )));
        }
        let file: LayoutFile = toml::from_str(text).map_err(|e| {
            fail(Complaint(
                e.span().unwrap_or_default(),
                plain_words(e.message()),
            ))
        })?;
        Self::check(file).map_err(fail)
    }

    fn check(file: LayoutFile) -> Result<Self, Complaint> {
        let points = *file.points.get_ref();
        if points < 2 {
            return Err(Complaint(
                file.points.span(),
                format!("points is {points}; a layout needs at least 2"),
            ));
        }
        if points > MAX_POINTS {
            return Err(Complaint(
                file.points.span(),
                format!("points is {points}; a layout has at most {MAX_POINTS}"),
            ));
        }
        let names = file.names.map(|names| check_names(names, points));
        let names = names.transpose()?.unwrap_or_default();
        if file.name.get_ref().trim().is_empty() {
            return Err(Complaint(
                file.name.span(),
                "name is empty; give the layout a name".into(),
            ));
        }
        let threshold = *file.threshold.get_ref();
        if !(threshold > 0.0 && threshold <= 1.0) {
            return Err(Complaint(
                file.threshold.span(),
                format!(
                    "threshold is {threshold}; it must be a fraction above 0 and up to 1, such as 0.1 for 10 %"
                ),
            ));
        }
        let flip_offset = *file.flip_offset.get_ref();
        if !(0.0..=1.0).contains(&flip_offset) {
            return Err(Complaint(
                file.flip_offset.span(),
                format!(
                    "flip_offset is {flip_offset}; use 1 for annotations from 0, 0 for annotations from 1"
                ),
            ));
        }
        let in_range = |span: &Range<usize>, what: &str, index: usize| {
            if index < points {
                return Ok(());
            }
            Err(Complaint(
                span.clone(),
                format!(
                    "{what} names point {index}, but the {points} points are 0 to {}",
                    points - 1
                ),
            ))
        };

        let mut mirror: Vec<usize> = (0..points).collect();
        let mut paired = vec![false; points];
        for pair in &file.mirror {
            let [a, b] = pair.get_ref()[..] else {
                return Err(Complaint(
                    pair.span(),
                    format!(
                        "a mirror pair has {} points; it has 2, such as [0, 16]",
                        pair.get_ref().len()
                    ),
                ));
            };
            for index in [a, b] {
                in_range(&pair.span(), "a mirror pair", index)?;
                if paired[index] || a == b {
                    let message = if a == b {
                        format!(
                            "mirror pair [{a}, {b}] pairs a point with itself; leave it out instead"
                        )
                    } else {
                        format!(
                            "point {index} is in two mirror pairs; a point has one mirror image"
                        )
                    };
                    return Err(Complaint(pair.span(), message));
                }
                paired[index] = true;
            }
            mirror[a] = b;
            mirror[b] = a;
        }

        for (name, norm) in &file.norms {
            let span = norm.span();
            let Norm { left, right } = norm.get_ref();
            if left.is_empty() || right.is_empty() {
                return Err(Complaint(
                    span,
                    format!("norm `{name}` has an empty side; each side names at least one point"),
                ));
            }
            for &index in left.iter().chain(right) {
                in_range(&span, &format!("norm `{name}`"), index)?;
            }
            if left.iter().any(|i| right.contains(i)) {
                return Err(Complaint(
                    span,
                    format!("norm `{name}` has the same point on both sides"),
                ));
            }
        }
        if !file.norms.contains_key(file.default_norm.get_ref()) {
            let known: Vec<_> = file.norms.keys().map(String::as_str).collect();
            return Err(Complaint(
                file.default_norm.span(),
                format!(
                    "default_norm is `{}`, which is not in [norms] ({})",
                    file.default_norm.get_ref(),
                    known.join(", ")
                ),
            ));
        }

        for (k, edge) in file.edges.iter().enumerate() {
            let span = edge.span();
            let Edge { name, points, .. } = edge.get_ref();
            if name.trim().is_empty() {
                return Err(Complaint(span, "an edge has an empty name".into()));
            }
            if file.edges[..k].iter().any(|e| e.get_ref().name == *name) {
                return Err(Complaint(span, format!("two edges are called `{name}`")));
            }
            if points.len() < 2 {
                return Err(Complaint(
                    span,
                    format!("edge `{name}` has fewer than 2 points"),
                ));
            }
            for (i, &index) in points.iter().enumerate() {
                in_range(&span, &format!("edge `{name}`"), index)?;
                if points[..i].contains(&index) {
                    return Err(Complaint(
                        span,
                        format!(
                            "edge `{name}` names point {index} twice; a closed edge does not repeat its first point"
                        ),
                    ));
                }
            }
        }

        Ok(Self {
            name: file.name.into_inner(),
            points,
            names,
            edges: file.edges.into_iter().map(Spanned::into_inner).collect(),
            mirror,
            norms: file
                .norms
                .into_iter()
                .map(|(name, norm)| (name, norm.into_inner()))
                .collect(),
            default_norm: file.default_norm.into_inner(),
            threshold,
            flip_offset,
        })
    }

    /// The layout as TOML that [`Layout::from_toml_str`] reads back to the same layout; a weights file carries it.
    pub fn to_toml(&self) -> String {
        fn at<T>(value: T) -> Spanned<T> {
            Spanned::new(0..0, value)
        }
        let file = LayoutFile {
            name: at(self.name.clone()),
            points: at(self.points),
            names: (!self.names.is_empty()).then(|| at(self.names.clone())),
            threshold: at(self.threshold),
            flip_offset: at(self.flip_offset),
            mirror: (self.mirror.iter().enumerate())
                .filter(|&(a, &b)| a < b)
                .map(|(a, &b)| at(vec![a, b]))
                .collect(),
            default_norm: at(self.default_norm.clone()),
            norms: (self.norms.iter())
                .map(|(name, norm)| (name.clone(), at(norm.clone())))
                .collect(),
            edges: self.edges.iter().cloned().map(at).collect(),
        };
        // Strings, numbers, lists and string-keyed tables always have a TOML form.
        toml::to_string(&file).unwrap_or_default()
    }

    /// A norm by name; `None` or `default` is the layout's default.
    ///
    /// # Errors
    /// When the layout has no such norm; the message lists those it has.
    pub fn norm(&self, name: Option<&str>) -> Result<&Norm, DataError> {
        let name = match name {
            None | Some("default") => self.default_norm.as_str(),
            Some(name) => name,
        };
        self.norms.get(name).ok_or_else(|| {
            let known: Vec<_> = self.norms.keys().map(String::as_str).collect();
            DataError::Invalid(format!(
                "layout {} has no norm `{name}`; it has {}",
                self.name,
                known.join(", ")
            ))
        })
    }

    /// The coordinate of the first pixel's centre in annotations of this layout: 0, or 1 where pixels are counted from 1 (COFW).
    pub fn first_pixel(&self) -> f64 {
        1.0 - self.flip_offset
    }

    /// For each edge the landmarks on it.
    pub fn edge_points(&self) -> Vec<Vec<usize>> {
        self.edges.iter().map(|edge| edge.points.clone()).collect()
    }

    /// The landmarks of a face in the mirrored image of width `width` (REFERENCE A6). `points` must be a whole face.
    pub fn mirrored(&self, points: &[Point], width: u32) -> Vec<Point> {
        let base = f64::from(width) - self.flip_offset;
        (self.mirror.iter())
            .map(|&from| Point::new(base - points[from].x, points[from].y))
            .collect()
    }
}

fn check_names(names: Spanned<Vec<String>>, points: usize) -> Result<Vec<String>, Complaint> {
    let span = names.span();
    let names = names.into_inner();
    if names.len() != points {
        return Err(Complaint(
            span,
            format!(
                "names has {} entries, but there are {points} points; name each of them, or leave names out",
                names.len()
            ),
        ));
    }
    let mut seen = BTreeSet::new();
    for (k, name) in names.iter().enumerate() {
        if name.trim().is_empty() || !seen.insert(name.as_str()) {
            return Err(Complaint(
                span,
                format!("point {k} is called `{name}`; each point has a name of its own"),
            ));
        }
    }
    Ok(names)
}

/// The 1-based lines of byte offsets that only grow: a text is gone through once, whatever is asked.
#[cfg_attr(not(feature = "prepare"), allow(dead_code))]
pub(crate) struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

#[cfg_attr(not(feature = "prepare"), allow(dead_code))]
impl<'a> Lines<'a> {
    pub(crate) fn of(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            line: 1,
        }
    }

    pub(crate) fn line(&mut self, offset: usize) -> usize {
        let passed = self.text.as_bytes().get(self.at..offset);
        let passed = passed.unwrap_or_default();
        self.line += passed.iter().filter(|&&b| b == b'\n').count();
        self.at += passed.len();
        self.line
    }
}

/// The 1-based line of a byte offset.
fn line_of(text: &str, offset: usize) -> usize {
    let end = offset.min(text.len());
    1 + text.as_bytes()[..end]
        .iter()
        .filter(|&&b| b == b'\n')
        .count()
}

/// A built-in layout by its name, or one's own by the path of its TOML file.
///
/// # Errors
/// An unknown name; a file that is missing or not a layout.
pub fn find_layout(name: &str) -> Result<Layout, DataError> {
    if Layout::builtin_names().any(|builtin| builtin == name) {
        return Layout::builtin(name);
    }
    if Path::new(name).extension().is_none() {
        return Err(DataError::Invalid(format!(
            "layout = \"{name}\": no layout of this name is built in (there are {}); for one of your own give the path of its TOML file, \
             as configs/layouts/ has them",
            Layout::builtin_names().collect::<Vec<_>>().join(", ")
        )));
    }
    Layout::from_toml_file(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_points_are_what_the_layouts_say() {
        let found: Vec<_> = Layout::builtin_points().collect();
        let read: Vec<_> = Layout::builtin_names()
            .map(|name| (name, Layout::builtin(name).unwrap().points))
            .collect();
        assert_eq!(found, read);
    }

    #[test]
    fn lines_of_growing_offsets() {
        let text = "a\nb\n\nc";
        let mut lines = Lines::of(text);
        for offset in [0, 1, 2, 2, 5, 6, 99] {
            assert_eq!(lines.line(offset), line_of(text, offset), "{offset}");
        }
    }
}
