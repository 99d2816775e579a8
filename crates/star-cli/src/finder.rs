//! Whether to look for faces: the detector finds faces, and not every network is about faces.

use star_data::Layout;

/// Whether a network's landmarks are of faces, so that the face detector can say where to look: those of the built-in layouts are, others
/// if the person says so.
pub fn finds_faces(layout: &Layout, said: bool) -> bool {
    said || Layout::builtin_names().any(|name| name == layout.name)
}
