//! What a request asks for besides its image: `?name=photo.jpg&box=x,y,w,h&passes=2`.

use std::path::PathBuf;

use super::problem::Problem;
use crate::commands::predict::item::{GivenBox, parse_box};

/// Boxes of one request.
const MOST_BOXES: usize = 32;
/// Letters of a name; it is only repeated in the answer.
const LONGEST_NAME: usize = 120;

pub struct Asked {
    /// What the image is called in the answer.
    pub name: PathBuf,
    /// Where to look; the detector is asked if there are none.
    pub boxes: Vec<GivenBox>,
    pub passes: usize,
}

impl Asked {
    /// Reads a query; `passes` is what is used where it names none.
    ///
    /// # Errors
    /// A key that is not known, a value that cannot be read.
    pub fn new(pairs: &[(String, String)], passes: usize) -> Result<Self, Problem> {
        let mut asked = Self {
            name: "image".into(),
            boxes: Vec::new(),
            passes,
        };
        for (key, value) in pairs {
            match key.as_str() {
                "name" => asked.name = plain_name(value).unwrap_or(asked.name),
                "box" => {
                    let given =
                        parse_box(value).map_err(|e| Problem::Query(format!("box: {e}")))?;
                    asked.boxes.push(given);
                }
                "passes" => {
                    asked.passes = match value.parse() {
                        Ok(passes @ 1..=5) => passes,
                        _ => return Err(Problem::Query("passes: 1 to 5".into())),
                    };
                }
                other => {
                    let other: String = other.chars().take(40).collect();
                    return Err(Problem::Query(format!(
                        "unknown parameter `{other}`; there are name, box and passes"
                    )));
                }
            }
        }
        if asked.boxes.len() > MOST_BOXES {
            return Err(Problem::Query(format!("more than {MOST_BOXES} boxes")));
        }
        Ok(asked)
    }
}

/// The last part of a path, without what a terminal or a page could take for more than letters.
fn plain_name(text: &str) -> Option<PathBuf> {
    let last = text.rsplit(['/', '\\']).next()?;
    let name: String = last
        .chars()
        .filter(|c| !c.is_control())
        .take(LONGEST_NAME)
        .collect();
    (!name.trim().is_empty()).then(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(pairs: &[(&str, &str)]) -> Result<Asked, Problem> {
        let pairs: Vec<_> = (pairs.iter())
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Asked::new(&pairs, 1)
    }

    #[test]
    fn names_are_names() {
        for (given, name) in [
            ("a b.jpg", "a b.jpg"),
            ("/etc/passwd", "passwd"),
            ("C:\\x\\y.png", "y.png"),
            ("a\u{1b}[2J.jpg", "a[2J.jpg"),
            ("x/", "image"),
            ("", "image"),
        ] {
            let asked = asked(&[("name", given)]).expect("fine");
            assert_eq!(asked.name, PathBuf::from(name), "{given}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert_eq!(asked(&[("passes", "2")]).expect("fine").passes, 2);
        let two = asked(&[("box", "1,2,30,40"), ("box", "0,0,9,9")]).expect("fine");
        assert_eq!(two.boxes.len(), 2);
        for bad in [
            &[("passes", "0")][..],
            &[("passes", "6")],
            &[("box", "1,2,3")],
            &[("box", "1,2,3,-4")],
            &[("box", "nan,2,3,4")],
            &[("sigma", "2")],
            &[("box", "1,2,30,40"); 33],
        ] {
            assert!(asked(bad).is_err(), "{bad:?}");
        }
    }
}
