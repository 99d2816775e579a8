//! A network's landmarks, as Python's side makes its `Layout` of.

use std::collections::BTreeMap;

use pyo3::IntoPyObject;

/// Becomes a dict.
#[derive(IntoPyObject)]
pub struct Layout {
    name: String,
    points: usize,
    /// Name, whether it is closed, indices.
    edges: Vec<(String, bool, Vec<usize>)>,
    mirror: Vec<usize>,
    /// Left and right group by name.
    norms: BTreeMap<String, (Vec<usize>, Vec<usize>)>,
    default_norm: String,
}

impl From<&star_infer::Layout> for Layout {
    fn from(layout: &star_infer::Layout) -> Self {
        let edges = layout.edges.iter();
        let norms = layout.norms.iter();
        Self {
            name: layout.name.clone(),
            points: layout.points,
            edges: edges
                .map(|e| (e.name.clone(), e.closed, e.points.clone()))
                .collect(),
            mirror: layout.mirror.clone(),
            norms: norms
                .map(|(name, norm)| (name.clone(), (norm.left.clone(), norm.right.clone())))
                .collect(),
            default_norm: layout.default_norm.clone(),
        }
    }
}
