//! Points as a table with a header: `image,x0,y0,x1,y1,...`.

mod records;

use self::records::Record;
pub use self::records::Records;
use super::row::{
    BadRow, Row, Table, Visibility, group, image_path, pixel, points_of, shorten, visibility,
};
use crate::{
    layout::{Layout, Lines},
    point::Point,
};

const BOX: [&str; 4] = ["box_x", "box_y", "box_w", "box_h"];
/// How many missing columns a message names.
const NAMED: usize = 6;
/// How many columns there may be beside those of the points.
const OTHER_COLUMNS: usize = 500;

/// # Errors
/// When the header does not name the columns that the layout needs.
pub(super) fn read(text: &str, layout: &Layout) -> Result<Table, BadRow> {
    let limit = 2 * layout.points + OTHER_COLUMNS;
    let separator = separator(text);
    let mut records = Records::new(text, limit, separator);
    let mut columns: Option<Columns> = None;
    let mut table = Table::default();
    let mut lines = Lines::of(text);
    while let Some(record) = records.read() {
        // Spreadsheets write empty rows as commas.
        if record.fields().all(str::is_empty) && record.count <= limit {
            continue;
        }
        let line = lines.line(record.start);
        let bad = |reason| BadRow { line, reason };
        let breaks = text.get(record.start..record.end).unwrap_or_default();
        let breaks = breaks.trim_end().matches('\n').count();
        if breaks > 0
            && columns
                .as_ref()
                .is_some_and(|c| c.names.len() != record.count)
        {
            return Err(bad(format!(
                "a quote in this row takes in the {breaks} lines below it; close it or take it out"
            )));
        }
        match &columns {
            None if record.count > limit => {
                return Err(bad(format!(
                    "{} columns; {}, and there may be {OTHER_COLUMNS} other columns",
                    record.count,
                    points_of(layout)
                )));
            }
            None => {
                let found = Columns::of(&record, layout, separator != b',');
                columns = Some(found.map_err(bad)?);
            }
            Some(columns) => table.push(columns.row(&record, line).map_err(bad))?,
        }
    }
    table.unused = columns.map_or_else(Vec::new, |columns| columns.unused);
    Ok(table)
}

/// Where in a record is what.
struct Columns {
    names: Vec<String>,
    image: usize,
    points: Vec<[usize; 2]>,
    /// For each point the column of its visibility, where there is one.
    visibility: Vec<Option<usize>>,
    /// Numbers have a decimal comma, as they may where commas do not separate the columns.
    decimal_comma: bool,
    split: Option<usize>,
    group: Option<usize>,
    face_box: Option<[usize; 4]>,
    unused: Vec<String>,
}

impl Columns {
    fn of(header: &Record, layout: &Layout, decimal_comma: bool) -> Result<Self, String> {
        let names: Vec<String> = header.fields().map(str::to_string).collect();
        let mut missing: Vec<String> = Vec::new();
        let mut find = |name: String| {
            let place = names.iter().position(|n| *n == name);
            if place.is_none() {
                missing.push(name);
            }
            // Not used when anything is missing.
            place.unwrap_or_default()
        };
        let image = find("image".into());
        let points: Vec<[usize; 2]> = (0..layout.points)
            .map(|k| [find(format!("x{k}")), find(format!("y{k}"))])
            .collect();
        let has_box = names.iter().any(|name| BOX.contains(&name.as_str()));
        let face_box = has_box.then(|| BOX.map(|name| find(name.into())));
        if !missing.is_empty() {
            return Err(explain(&missing, &names, layout));
        }
        for (i, name) in names.iter().enumerate() {
            let first = names.iter().position(|n| n == name).unwrap_or(i);
            if first < i && !name.is_empty() {
                return Err(format!(
                    "`{}` is the name of column {} and of column {}; give each column its own",
                    shorten(name),
                    first + 1,
                    i + 1
                ));
            }
        }
        let beyond = names
            .iter()
            .find(|name| point_number(name).is_some_and(|k| k >= layout.points));
        if let Some(beyond) = beyond {
            return Err(format!(
                "column `{}` is of a point that is not there: {}, 0 to {}",
                shorten(beyond),
                points_of(layout),
                layout.points - 1
            ));
        }
        let split = names.iter().position(|name| name == "split");
        let group = names.iter().position(|name| name == "group");
        let visibility: Vec<Option<usize>> = (0..layout.points)
            .map(|k| names.iter().position(|name| *name == format!("v{k}")))
            .collect();
        let mut used: Vec<usize> = points.iter().flatten().copied().collect();
        used.extend(visibility.iter().flatten());
        used.push(image);
        used.extend(split);
        used.extend(group);
        used.extend(face_box.iter().flatten());
        let unused = (names.iter().enumerate())
            .filter(|(i, name)| !used.contains(i) && !name.is_empty())
            .map(|(_, name)| format!("column {}", shorten(name)))
            .collect();
        Ok(Self {
            names,
            image,
            points,
            visibility,
            decimal_comma,
            split,
            group,
            face_box,
            unused,
        })
    }

    fn row(&self, record: &Record, line: usize) -> Result<Row, String> {
        if record.count != self.names.len() {
            return Err(format!(
                "{} values, but the header names {} columns; is a comma or a quote missing?",
                record.count,
                self.names.len()
            ));
        }
        let field = |column: usize| record.field(column);
        let number = |column: usize| {
            let name = self.names.get(column).map_or("", String::as_str);
            let text = field(column);
            if text.is_empty() {
                return Err(format!(
                    "{name} is empty; a point has both numbers, or neither where it is not labelled"
                ));
            }
            let value = match self.decimal_comma {
                true => text.replacen(',', ".", 1).parse(),
                false => text.parse(),
            };
            let value =
                value.map_err(|_| format!("{name} is `{}`, which is no number", shorten(text)))?;
            pixel(value, name)
        };
        let image = image_path(field(self.image))?;
        let mut points = Vec::with_capacity(self.points.len());
        let mut hidden = vec![false; self.points.len()];
        for (k, (&[x, y], &v)) in self.points.iter().zip(&self.visibility).enumerate() {
            let seen = v.map_or(Ok(None), |v| visibility(field(v), k))?;
            let empty = field(x).is_empty() && field(y).is_empty();
            points.push(match seen {
                Some(Visibility::NotLabelled) => Point::MISSING,
                None if empty => Point::MISSING,
                _ => Point::new(number(x)?, number(y)?),
            });
            hidden[k] = seen == Some(Visibility::Hidden);
        }
        let told = self.visibility.iter().any(Option::is_some);
        let face_box = match self.face_box {
            Some(columns) if columns.iter().all(|&c| field(c).is_empty()) => None,
            Some([x, y, w, h]) => Some([number(x)?, number(y)?, number(w)?, number(h)?]),
            None => None,
        };
        Ok(Row {
            line,
            image,
            points,
            hidden: told.then_some(hidden),
            group: match self.group {
                Some(column) => group(field(column))?,
                None => None,
            },
            split: self.split.map(|column| field(column).to_string()),
            face_box,
        })
    }
}

/// What separates the columns: whichever of comma, semicolon and tab the first line has most of.
fn separator(text: &str) -> u8 {
    let header = text.trim_start().lines().next().unwrap_or_default();
    let count = |c: u8| header.bytes().filter(|&b| b == c).count();
    let mut best = b',';
    for other in [b';', b'\t'] {
        if count(other) > count(best) {
            best = other;
        }
    }
    best
}

/// The k of `xk`, `yk` and `vk`.
fn point_number(name: &str) -> Option<usize> {
    let digits = name.strip_prefix(['x', 'y', 'v'])?;
    digits.parse().ok()
}

fn explain(missing: &[String], names: &[String], layout: &Layout) -> String {
    let some: Vec<String> = missing
        .iter()
        .take(NAMED)
        .map(|name| format!("`{name}`"))
        .collect();
    let more = if missing.len() > NAMED { ", ..." } else { "" };
    let mut text = format!(
        "the first line must name the columns, and {}{more} {} missing. {}: image,x0,y0 to x{last},y{last}",
        some.join(", "),
        if missing.len() == 1 { "is" } else { "are" },
        points_of(layout),
        last = layout.points - 1
    );
    let is = |name: &str| names.iter().any(|n| n == name);
    if is("x1") && !is("x0") {
        text += "; points are counted from 0";
    }
    text
}
