//! Objects as `points.csv`, in the columns that `prepare custom` reads.

use std::fmt::Write as _;

use super::Object;
use crate::prepare::found::tidy;

pub(super) fn to_csv(objects: &[Object], points: usize) -> String {
    let hidden = objects.iter().any(|o| o.hidden.contains(&true));
    let boxes = objects.iter().any(|o| o.face_box.is_some());
    let groups = objects.iter().any(|o| o.group.is_some());
    let mut columns = vec!["image".to_string()];
    for k in 0..points {
        columns.extend([format!("x{k}"), format!("y{k}")]);
        if hidden {
            columns.push(format!("v{k}"));
        }
    }
    if boxes {
        columns.extend(["box_x", "box_y", "box_w", "box_h"].map(String::from));
    }
    if groups {
        columns.push("group".into());
    }
    let mut text = columns.join(",") + "\n";
    for object in objects {
        text += &quoted(&object.image);
        for (place, &is_hidden) in object.points.iter().zip(&object.hidden) {
            // Strings take what is written to them.
            let _ = match place.is_labelled() {
                true => write!(text, ",{},{}", tidy(place.x), tidy(place.y)),
                false => write!(text, ",,"),
            };
            if hidden {
                text += match (place.is_labelled(), is_hidden) {
                    (false, _) => ",0",
                    (true, true) => ",1",
                    (true, false) => ",2",
                };
            }
        }
        match object.face_box {
            Some(place) => {
                for number in place {
                    let _ = write!(text, ",{}", tidy(number));
                }
            }
            None if boxes => text += ",,,,",
            None => {}
        }
        if groups {
            text.push(',');
            text += &quoted(object.group.as_deref().unwrap_or_default());
        }
        text.push('\n');
    }
    text
}

fn quoted(text: &str) -> String {
    if text.contains([',', ';', '"', '\t']) || text.trim() != text {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_string()
}
