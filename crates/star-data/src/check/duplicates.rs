//! Faces and images that are there twice, by the images' content.

use std::collections::BTreeMap;

use super::{Entry, ImageFacts, Kind, places::Bounds};

/// Boxes of points in the same image that overlap by more are boxes of the same face: neighbours do not.
const SAME_FACE: f64 = 0.5;

type Complaint = (usize, Kind, String, String);

/// For each face that is the same as an earlier one, or whose image an earlier annotation file has: its number and what is wrong, once for
/// each kind.
pub(super) fn complaints(
    entries: &[Entry],
    images: &[ImageFacts],
    lists: &[String],
) -> Vec<Complaint> {
    // Images that cannot be read have no content; they are the same when their paths are.
    let mut groups: BTreeMap<(bool, u64), Vec<usize>> = BTreeMap::new();
    for (at, entry) in entries.iter().enumerate() {
        let key = match images[entry.image].content {
            Some(content) => (true, content),
            None => (false, entry.image as u64),
        };
        groups.entry(key).or_default().push(at);
    }
    let mut found = Vec::new();
    for group in groups.values().filter(|group| group.len() > 1) {
        let bounds: Vec<Bounds> = (group.iter())
            .map(|&at| Bounds::of(&entries[at].row.landmarks))
            .collect();
        for (later, &at) in group.iter().enumerate().skip(1) {
            // The first duplicate of each kind: a face can be in another annotation file and twice in its own.
            let mut duplicates = BTreeMap::new();
            for (bounds_before, &before) in bounds.iter().zip(&group[..later]) {
                let same = bounds_before.overlap(&bounds[later]) > SAME_FACE;
                if let Some(kind) = kind(&entries[before], &entries[at], same) {
                    duplicates.entry(kind).or_insert(before);
                }
            }
            if duplicates.contains_key(&Kind::SharedFace) {
                duplicates.remove(&Kind::SharedImage);
            }
            found.extend(
                (duplicates.into_iter())
                    .map(|(kind, earlier)| describe(kind, at, earlier, entries, lists)),
            );
        }
    }
    found
}

fn kind(a: &Entry, b: &Entry, same_face: bool) -> Option<Kind> {
    match (a.list == b.list, same_face) {
        (true, true) => Some(Kind::Duplicate),
        // Several people in one image.
        (true, false) => None,
        (false, true) => Some(Kind::SharedFace),
        (false, false) => Some(Kind::SharedImage),
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
        format!("{} is the image {} of {place}", b.row.path, a.row.path)
    };
    let (what, fix) = match kind {
        Kind::Duplicate => {
            let mut pairs = a.row.landmarks.iter().zip(&b.row.landmarks);
            let points = if pairs.all(|(p, q)| p.same(*q)) {
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
            "remove it from one of the annotation files: a test face that was trained on makes the test worthless",
        ),
        _ => (
            format!("{also}, another face of it"),
            "keep all faces of an image in one annotation file if that is possible",
        ),
    };
    (later, kind, what, fix.into())
}
