//! What readers of XML have in common.

use std::path::Path;

use roxmltree::{Document, Node};

use super::{number_of, parse_error, skip};
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

/// The 1-based line of a node.
fn line(node: Node<'_, '_>) -> usize {
    let at = node.document().text_pos_at(node.range().start);
    usize::try_from(at.row).unwrap_or(1)
}

/// Adds a complaint about a node; of very many the later ones do without their line, for which the file is gone through each time.
///
/// # Errors
/// As [`skip`].
pub(super) fn complain(
    skipped: &mut Vec<Complaint>,
    usable: usize,
    origin: &Path,
    node: Node<'_, '_>,
    reason: String,
) -> Result<(), DataError> {
    const WITH_LINE: usize = 200;
    let line = (skipped.len() < WITH_LINE).then(|| line(node));
    skip(skipped, usable, origin, line, reason)
}

/// The elements of this name directly below.
pub(super) fn children<'a, 'i>(
    node: Node<'a, 'i>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.has_tag_name(name))
}
