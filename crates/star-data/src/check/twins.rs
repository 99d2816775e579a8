//! Faces and pictures that are there twice, by the pictures' content.

use std::collections::BTreeMap;

use super::{Entry, Kind, Picture, places::Bounds};

/// Boxes of points in the same picture that overlap by more are boxes of the same face: neighbours do not.
const SAME_FACE: f64 = 0.5;

type Complaint = (usize, Kind, String, String);

/// For each face that is the same as an earlier one, or whose picture an earlier list has: its number and what is wrong, once for
/// each kind.
pub(super) fn complaints(
    entries: &[Entry],
    pictures: &[Picture],
    lists: &[String],
) -> Vec<Complaint> {
    // Pictures that cannot be read have no content; they are the same when their paths are.
    let mut groups: BTreeMap<(bool, u64), Vec<usize>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let key = match pictures[entry.picture].content {
            Some(content) => (true, content),
            None => (false, entry.picture as u64),
        };
        groups.entry(key).or_default().push(at);
    }
    let mut found = Vec::new();
    for group in groups.values().filter(|group| group.len() > 1) {
        let bounds: Vec<Bounds> = (group.iter())
            .map(|&at| Bounds::of(&entries[at].row.landmarks))
            .collect();
        for (later, &at) in group.iter().enumerate().skip(1) {
            // The first twin of each kind: a face can be in another list and twice in its own.
            let mut twins = BTreeMap::new();
            for (bounds_before, &before) in bounds.iter().zip(&group[..later]) {
                let same = bounds_before.overlap(&bounds[later]) > SAME_FACE;
                if let Some(kind) = kind(&entries[before], &entries[at], same) {
                    twins.entry(kind).or_insert(before);
                }
            }
            if twins.contains_key(&Kind::SharedFace) {
                twins.remove(&Kind::SharedPicture);
            }
            found.extend(
                (twins.into_iter())
                    .map(|(kind, earlier)| describe(kind, at, earlier, entries, lists)),
            );
        }
    }
    found
}

fn kind(a: &Entry, b: &Entry, same_face: bool) -> Option<Kind> {
    match (a.list == b.list, same_face) {
        (true, true) => Some(Kind::Duplicate),
        // Several people in one picture.
        (true, false) => None,
        (false, true) => Some(Kind::SharedFace),
        (false, false) => Some(Kind::SharedPicture),
    }
}

fn describe(
    kind: Kind,
    later: usize,
    earlier: usize,
    entries: &[Entry],
    lists: &[String],
) -> Complaint {
    let (a, b) = (&entries[earlier], &entries[later]);
    let place = format!("{}:{}", lists[a.list], a.row.line);
    let also = if a.row.path == b.row.path {
        format!("{} is also at {place}", b.row.path)
    } else {
        format!("{} is the picture {} of {place}", b.row.path, a.row.path)
    };
    let (what, fix) = match kind {
        Kind::Duplicate => {
            let points = if a.row.landmarks == b.row.landmarks {
                "with the same points"
            } else {
                "with other points for the same face"
            };
            (
                format!("{also}, {points}"),
                "remove one of the two lines, or the face counts twice",
            )
        }
        Kind::SharedFace => (
            format!("{also}, the same face"),
            "remove it from one of the lists: a test face that was trained on makes the test worthless",
        ),
        _ => (
            format!("{also}, another face of it"),
            "keep all faces of a picture in one list if that is possible",
        ),
    };
    (later, kind, what, fix.into())
}
