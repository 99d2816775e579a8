//! dlib's imglab: `<image file="a.jpg"><box top left width height><part name="00" x="1" y="2"/></box></image>`.

use std::path::Path;

use roxmltree::Node;

use super::{
    Labels, Marks, Names, parse_error,
    xml::{children, complain, document, number},
};
use crate::{error::DataError, point::Point, prepare::custom::shorten};

pub(super) fn parse(text: &str, origin: &Path) -> Result<Labels, DataError> {
    let document = document(text, origin)?;
    let root = document.root_element();
    let Some(images) = children(root, "images").next() else {
        let message = "no <dataset> with <images>; is this a file of imglab?";
        return Err(parse_error(origin, 1, message));
    };
    let mut labels = Labels::default();
    let mut names = Names::default();
    let mut objects = Vec::new();
    let mut ignored = 0;
    for image in children(images, "image") {
        let Some(file) = image.attribute("file") else {
            let reason = "<image> has no file".into();
            complain(&mut labels.skipped, objects.len(), origin, image, reason)?;
            continue;
        };
        let mut any = false;
        for shape in children(image, "box") {
            if shape.attribute("ignore") == Some("1") {
                ignored += 1;
                continue;
            }
            any = true;
            match object(shape, file, &mut names) {
                Ok(object) => objects.push(object),
                Err(reason) => {
                    complain(&mut labels.skipped, objects.len(), origin, shape, reason)?;
                }
            }
        }
        if !any {
            labels.unlabelled.push(file.to_string());
        }
    }
    if ignored > 0 {
        let note = format!("{ignored} boxes that are marked to be ignored left out");
        labels.notes.push(note);
    }
    (labels.names, labels.objects) = names
        .finish(objects, false)
        .map_err(|m| parse_error(origin, 1, &m))?;
    Ok(labels)
}

fn object(shape: Node<'_, '_>, file: &str, names: &mut Names) -> Result<Marks, String> {
    let mut object = Marks::new(file);
    object.face_box = Some([
        number(shape, "left")?,
        number(shape, "top")?,
        number(shape, "width")?,
        number(shape, "height")?,
    ]);
    for part in children(shape, "part") {
        let name = part.attribute("name").ok_or("<part> has no name")?;
        let place = Point::new(number(part, "x")?, number(part, "y")?);
        if !object.set(names.number(name), place, false) {
            return Err(format!("point `{}` is there twice", shorten(name)));
        }
    }
    Ok(object)
}
