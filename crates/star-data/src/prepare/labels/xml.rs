//! What readers of XML have in common.

use std::path::Path;

use roxmltree::{Document, Node};

use super::parse_error;
use crate::{error::DataError, prepare::report::Complaint};

pub(super) fn document<'a>(text: &'a str, origin: &Path) -> Result<Document<'a>, DataError> {
    Document::parse(text).map_err(|e| {
        let line = usize::try_from(e.pos().row).unwrap_or(1).max(1);
        parse_error(origin, line, &format!("not well-formed XML: {e}"))
    })
}

/// An attribute as a number.
pub(super) fn number(node: Node<'_, '_>, name: &str) -> Result<f64, String> {
    let text = node
        .attribute(name)
        .ok_or_else(|| format!("<{}> has no {name}", node.tag_name().name()))?;
    number_of(text).map_err(|e| format!("{name} {e}"))
}

pub(super) fn number_of(text: &str) -> Result<f64, String> {
    let value: f64 = (text.trim().parse()).map_err(|_| {
        let some: String = text.chars().take(40).collect();
        format!("is `{some}`, which is no number")
    })?;
    if value.is_finite() {
        Ok(value)
    } else {
        Err(format!("is {value}, which is no place in an image"))
    }
}

/// The 1-based line of a node.
fn line(node: Node<'_, '_>) -> usize {
    let at = node.document().text_pos_at(node.range().start);
    usize::try_from(at.row).unwrap_or(1)
}

/// Adds a complaint; of very many the later ones do without their line, for which the file is gone through each time.
pub(super) fn complain(
    skipped: &mut Vec<Complaint>,
    origin: &Path,
    node: Node<'_, '_>,
    reason: String,
) {
    const WITH_LINE: usize = 200;
    skipped.push(Complaint {
        file: origin.display().to_string(),
        line: (skipped.len() < WITH_LINE).then(|| line(node)),
        reason,
    });
}

/// The elements of this name directly below.
pub(super) fn children<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}
