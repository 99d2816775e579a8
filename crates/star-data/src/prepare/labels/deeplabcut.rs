//! DeepLabCut's table of labelled frames: rows `scorer`, `individuals` (of several animals), `bodyparts` and `coords`, then a frame a row.
//!
//! Frames of one video, which is a folder, are a group: they must not be split into training and test.

use std::path::Path;

use super::{Labels, Object, check_cells, number_of, parse_error, skip};
use crate::{
    error::DataError,
    layout::{Lines, MAX_POINTS},
    point::Point,
    prepare::custom::{Records, shorten},
};

/// A point that the program itself placed counts from this likelihood on, DeepLabCut's own `pcutoff`.
const LIKELY: f64 = 0.6;
/// Animals in one frame.
const MAX_ANIMALS: usize = 64;

/// Where a number goes.
struct Column {
    animal: usize,
    part: usize,
    what: What,
}

#[derive(Clone, Copy, PartialEq)]
enum What {
    X,
    Y,
    Likelihood,
}

pub(super) fn parse(text: &str, origin: &Path) -> Result<Labels, DataError> {
    let mut records = Records::new(text, 3 * MAX_POINTS + 3, b',');
    let mut lines = Lines::of(text);
    let mut head: Vec<(String, Vec<String>)> = Vec::new();
    let mut table: Option<Table> = None;
    let mut labels = Labels::default();
    let mut unsure = 0;
    while let Some(record) = records.read() {
        let line = lines.line(record.start);
        if record.fields().all(str::is_empty) {
            continue;
        }
        let Some(table) = &table else {
            let first = record.field(0).to_string();
            let rest: Vec<String> = record.fields().skip(1).map(str::to_string).collect();
            let is_last = first == "coords";
            if !["scorer", "individuals", "bodyparts", "coords"].contains(&first.as_str()) {
                let message = "the first rows must begin with scorer, bodyparts and coords; \
                               this reads DeepLabCut's CollectedData_NAME.csv";
                return Err(parse_error(origin, line, message));
            }
            head.push((first, rest));
            if is_last {
                let found = Table::of(&head).map_err(|m| parse_error(origin, line, &m))?;
                labels.names.clone_from(&found.parts);
                table = Some(found);
            }
            continue;
        };
        let values: Vec<&str> = record.fields().collect();
        match table.row(&values, &mut unsure) {
            Ok((image, objects)) if objects.is_empty() => labels.unlabelled.push(image),
            Ok((_, objects)) => {
                labels.objects.extend(objects);
                check_cells(labels.objects.len(), labels.names.len())
                    .map_err(|message| parse_error(origin, line, &message))?;
            }
            Err(reason) => {
                let usable = labels.objects.len();
                skip(&mut labels.skipped, usable, origin, Some(line), reason)?;
            }
        }
    }
    if table.is_none() {
        let message = "no row begins with coords; this reads DeepLabCut's CollectedData_NAME.csv";
        return Err(parse_error(origin, 1, message));
    }
    if unsure > 0 {
        labels.notes.push(format!(
            "{unsure} points with a likelihood below {LIKELY} taken as not labelled"
        ));
    }
    Ok(labels)
}

struct Table {
    parts: Vec<String>,
    animals: usize,
    /// Columns of the frame's path: one, or one for each of its folders.
    path: usize,
    columns: Vec<Column>,
}

impl Table {
    fn of(head: &[(String, Vec<String>)]) -> Result<Self, String> {
        let row = |name: &str| head.iter().find(|(n, _)| n == name).map(|(_, row)| row);
        let coords = row("coords").ok_or("there is no row coords")?;
        let bodyparts = row("bodyparts").ok_or("there is no row bodyparts")?;
        let individuals = row("individuals");
        let blank = coords.iter().take_while(|c| c.is_empty()).count();
        let mut parts: Vec<String> = Vec::new();
        let mut animals: Vec<&str> = Vec::new();
        let mut columns = Vec::new();
        for (i, what) in coords.iter().enumerate().skip(blank) {
            let what = match what.as_str() {
                "x" => What::X,
                "y" => What::Y,
                "likelihood" => What::Likelihood,
                other => {
                    return Err(format!(
                        "coords has `{}`; x, y and likelihood are read",
                        shorten(other)
                    ));
                }
            };
            let part = bodyparts.get(i).map_or("", String::as_str);
            if part.is_empty() {
                return Err(format!("column {} has no body part", i + 2));
            }
            let animal = individuals
                .and_then(|row| row.get(i))
                .map_or("", String::as_str);
            let part = parts.iter().position(|p| p == part).unwrap_or_else(|| {
                parts.push(part.to_string());
                parts.len() - 1
            });
            let animal = animals
                .iter()
                .position(|a| *a == animal)
                .unwrap_or_else(|| {
                    animals.push(animal);
                    animals.len() - 1
                });
            columns.push(Column { animal, part, what });
        }
        if parts.len() > MAX_POINTS || animals.len() > MAX_ANIMALS {
            return Err(format!(
                "{} body parts of {} animals; there may be {MAX_POINTS} of {MAX_ANIMALS}",
                parts.len(),
                animals.len()
            ));
        }
        Ok(Self {
            parts,
            animals: animals.len(),
            path: 1 + blank,
            columns,
        })
    }

    fn row(&self, values: &[&str], unsure: &mut usize) -> Result<(String, Vec<Object>), String> {
        let expected = self.path + self.columns.len();
        if values.len() != expected {
            return Err(format!(
                "{} values, but the first rows have {expected} columns",
                values.len()
            ));
        }
        let (path, values) = values.split_at(self.path);
        let path: Vec<&str> = path.iter().copied().filter(|p| !p.is_empty()).collect();
        let image = path.join("/").replace('\\', "/");
        if image.is_empty() {
            return Err("the row names no frame".into());
        }
        let n = self.parts.len();
        let mut numbers = vec![[f64::NAN, f64::NAN, 1.0]; n * self.animals];
        for (column, text) in self.columns.iter().zip(values) {
            if text.is_empty() || text.eq_ignore_ascii_case("nan") {
                continue;
            }
            let value = number_of(text)
                .map_err(|e| format!("{} {e}", shorten(&self.parts[column.part])))?;
            numbers[column.animal * n + column.part][column.what as usize] = value;
        }
        let group = image.rsplit_once('/').map(|(folder, _)| folder);
        let group = group
            .and_then(|folder| folder.rsplit('/').next())
            .map(str::to_string);
        let mut objects = Vec::new();
        for of_animal in numbers.chunks(n.max(1)) {
            let mut object = Object::new(&image, n);
            object.group.clone_from(&group);
            for (k, &[x, y, likelihood]) in of_animal.iter().enumerate() {
                if x.is_nan() || y.is_nan() {
                    continue;
                }
                if likelihood < LIKELY {
                    *unsure += 1;
                    continue;
                }
                object.points[k] = Point::new(x, y);
            }
            if object.is_labelled() {
                objects.push(object);
            }
        }
        Ok((image, objects))
    }
}
