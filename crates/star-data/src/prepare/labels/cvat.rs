//! "CVAT for images 1.1": `<image name="a.jpg">` with `<skeleton>`s, or with `<points>`.
//!
//! A skeleton's points have a name each. A `<points>` of several is a whole object, its points numbered; `<points>` of one are gathered to
//! objects by their label and `group_id`.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path,
};

use roxmltree::Node;

use super::{
    CANVAS, Labels, Marks, Names, number_of, some,
    xml::{children, complain, document, number},
};
use crate::{error::DataError, point::Point, prepare::custom::shorten};

pub(super) fn parse(
    text: &str,
    origin: &Path,
    category: Option<&str>,
) -> Result<Labels, DataError> {
    let document = document(text, origin)?;
    let root = document.root_element();
    if !root.has_tag_name("annotations") {
        let message = "no <annotations>; export as \"CVAT for images 1.1\"";
        return Err(super::parse_error(origin, 1, message));
    }
    if children(root, "track").next().is_some() {
        let message = "tracks of a video; export as \"CVAT for images 1.1\"";
        return Err(super::parse_error(origin, 1, message));
    }
    let mut names = Names::default();
    let skeleton = skeleton(root, category);
    let kind = kind(root, category).map_err(|m| super::parse_error(origin, 1, &m))?;
    // By name: a damaged file may have the same one twice.
    let numbers: Vec<usize> = (skeleton.names.iter())
        .map(|name| names.number(name))
        .collect();
    let bones = skeleton.bones.iter().map(|bone| bone.map(|k| numbers[k]));
    let bones = bones.filter(|[a, b]| a != b).collect();
    let mut labels = Labels::default();
    let mut objects = Vec::new();
    let mut other_shapes = BTreeMap::new();
    for image in children(root, "image") {
        let Some(name) = image.attribute("name") else {
            let reason = "<image> has no name".into();
            complain(&mut labels.skipped, objects.len(), origin, image, reason)?;
            continue;
        };
        match objects_of(image, name, &kind, category, &mut names, &mut other_shapes) {
            Ok(found) if found.is_empty() => labels.unlabelled.push(name.to_string()),
            Ok(found) => objects.extend(found),
            Err((node, reason)) => {
                complain(&mut labels.skipped, objects.len(), origin, node, reason)?;
            }
        }
    }
    labels.bones = bones;
    for (shape, count) in other_shapes {
        labels.notes.push(format!("{count} <{shape}> not used"));
    }
    // Names of a skeleton stay in its order, also where they are numbers: the bones count in it.
    let ordered = !skeleton.names.is_empty();
    (labels.names, labels.objects) = names
        .finish(objects, ordered)
        .map_err(|m| super::parse_error(origin, 1, &m))?;
    Ok(labels)
}

/// What the objects of the file are.
#[derive(PartialEq)]
enum Kind {
    Skeletons,
    /// Shapes of several points.
    Whole,
    /// Shapes of one point each.
    Single,
}

fn kind(root: Node<'_, '_>, category: Option<&str>) -> Result<Kind, String> {
    let shapes = |name: &'static str| {
        (children(root, "image").flat_map(move |image| children(image, name)))
            .filter(move |shape| wanted(*shape, category))
    };
    let mut kinds: Vec<&str> = shapes("skeleton")
        .filter_map(|s| s.attribute("label"))
        .collect();
    kinds.sort_unstable();
    kinds.dedup();
    if kinds.len() > 1 {
        return Err(format!(
            "skeletons of several labels; choose one with --category: {}",
            some(kinds.iter().copied())
        ));
    }
    if !kinds.is_empty() {
        return Ok(Kind::Skeletons);
    }
    let several = shapes("points").any(|s| s.attribute("points").is_some_and(|p| p.contains(';')));
    if several {
        return Ok(Kind::Whole);
    }
    Ok(Kind::Single)
}

fn wanted(shape: Node<'_, '_>, category: Option<&str>) -> bool {
    category.is_none_or(|category| shape.attribute("label") == Some(category))
}

type Bad<'a, 'i> = (Node<'a, 'i>, String);

fn objects_of<'a, 'i>(
    image: Node<'a, 'i>,
    file: &str,
    kind: &Kind,
    category: Option<&str>,
    names: &mut Names,
    other_shapes: &mut BTreeMap<String, usize>,
) -> Result<Vec<Marks>, Bad<'a, 'i>> {
    let mut found: Vec<Marks> = Vec::new();
    let mut groups: HashMap<&str, usize> = HashMap::new();
    let mut boxes = Vec::new();
    for shape in image.children().filter(Node::is_element) {
        let bad = |reason: String| (shape, reason);
        let group = shape.attribute("group_id").unwrap_or_default();
        match (shape.tag_name().name(), kind) {
            ("skeleton", Kind::Skeletons) if wanted(shape, category) => {
                let mut object = Marks::new(file);
                for part in children(shape, "points") {
                    let name = part.attribute("label").unwrap_or_default();
                    if part.attribute("outside") == Some("1") {
                        // It has a place in the layout all the same.
                        names.number(name);
                        continue;
                    }
                    let [place] = places(part).map_err(|e| (part, e))?[..] else {
                        return Err((part, format!("point `{}` has not one place", shorten(name))));
                    };
                    let hidden = part.attribute("occluded") == Some("1");
                    if !object.set(names.number(name), place, hidden) {
                        return Err((part, format!("point `{}` is there twice", shorten(name))));
                    }
                }
                groups.insert(group, found.len());
                found.push(object);
            }
            ("points", Kind::Whole) if wanted(shape, category) => {
                let mut object = Marks::new(file);
                let hidden = shape.attribute("occluded") == Some("1");
                for (k, place) in places(shape).map_err(bad)?.into_iter().enumerate() {
                    object.set(names.number(&k.to_string()), place, hidden);
                }
                groups.insert(group, found.len());
                found.push(object);
            }
            ("points", Kind::Single) => {
                let name = shape.attribute("label").unwrap_or_default();
                let at = *groups.entry(group).or_insert_with(|| {
                    found.push(Marks::new(file));
                    found.len() - 1
                });
                let hidden = shape.attribute("occluded") == Some("1");
                for place in places(shape).map_err(bad)? {
                    let object = found.get_mut(at).ok_or((shape, String::new()))?;
                    if !object.set(names.number(name), place, hidden) {
                        return Err(bad(format!(
                            "point `{}` is there twice; objects of one image are told apart by group_id",
                            shorten(name)
                        )));
                    }
                }
            }
            ("box", _) if wanted(shape, category) || !group.is_empty() => {
                let corner = |name| number(shape, name).map_err(bad);
                let (left, top) = (corner("xtl")?, corner("ytl")?);
                let (right, bottom) = (corner("xbr")?, corner("ybr")?);
                let place = [left - CANVAS, top - CANVAS, right - left, bottom - top];
                boxes.push((group, place));
            }
            (other, _) => *other_shapes.entry(other.to_string()).or_default() += 1,
        }
    }
    // A box without a group is that of the only object.
    for (group, place) in boxes {
        let at = groups.get(group).copied();
        let only = group.is_empty() && found.len() > 1;
        if let Some(object) = at.filter(|_| !only).and_then(|at| found.get_mut(at)) {
            object.face_box = Some(place);
        }
    }
    Ok(found)
}

/// `x,y;x,y;...`
fn places(shape: Node<'_, '_>) -> Result<Vec<Point>, String> {
    let text = shape.attribute("points").unwrap_or_default();
    let point = |pair: &str| {
        let (x, y) = pair
            .split_once(',')
            .ok_or_else(|| "points are not `x,y;x,y`".to_string())?;
        let [x, y] =
            [number_of(x), number_of(y)].map(|v| v.map_err(|e| format!("a coordinate {e}")));
        Ok(Point::new(x? - CANVAS, y? - CANVAS))
    };
    text.split(';').map(point).collect()
}

#[derive(Default)]
struct Skeleton {
    names: Vec<String>,
    bones: Vec<[usize; 2]>,
}

/// The names and bones that the labels of the task declare.
fn skeleton(root: Node<'_, '_>, category: Option<&str>) -> Skeleton {
    let text_of = |label: Node<'_, '_>, name: &'static str| {
        let child = children(label, name).next();
        child
            .and_then(|c| c.text().map(str::trim))
            .unwrap_or_default()
            .to_string()
    };
    let all: Vec<Node<'_, '_>> = root
        .descendants()
        .filter(|n| n.has_tag_name("label"))
        .collect();
    let whole = all
        .iter()
        .filter(|label| text_of(**label, "type") == "skeleton");
    let mut whole = whole.filter(|label| category.is_none_or(|c| text_of(**label, "name") == c));
    let (Some(whole), None) = (whole.next(), whole.next()) else {
        return Skeleton::default();
    };
    let parent = text_of(*whole, "name");
    let parts = all
        .iter()
        .filter(|label| text_of(**label, "parent") == parent);
    let names: Vec<String> = parts.map(|label| text_of(*label, "name")).collect();
    let bones = bones(&text_of(*whole, "svg"), &names);
    Skeleton { names, bones }
}

/// Lines of the drawing of a skeleton.
fn bones(svg: &str, names: &[String]) -> Vec<[usize; 2]> {
    let text = format!("<svg>{svg}</svg>");
    let Ok(drawing) = roxmltree::Document::parse(&text) else {
        return Vec::new();
    };
    let elements = || drawing.root_element().descendants();
    let mut nodes = HashMap::new();
    for circle in elements().filter(|n| n.has_tag_name("circle")) {
        let number = circle
            .attribute("data-label-name")
            .and_then(|name| names.iter().position(|n| n == name));
        if let (Some(id), Some(number)) = (circle.attribute("data-node-id"), number) {
            nodes.insert(id, number);
        }
    }
    let end = |line: Node<'_, '_>, name| line.attribute(name).and_then(|id| nodes.get(id)).copied();
    elements()
        .filter(|n| n.has_tag_name("line"))
        .filter_map(|line| Some([end(line, "data-node-from")?, end(line, "data-node-to")?]))
        .filter(|[a, b]| a != b)
        .collect()
}
