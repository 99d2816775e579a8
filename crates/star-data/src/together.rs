//! Groups of faces that belong together, such as those of one image: where a part is held out, it has all of a group or none.

use std::{collections::HashMap, hash::Hash};

/// For each face the number of its group, from 0 in the order in which the groups first appear. Faces that have a key in common are in one
/// group, and so are faces that are linked by others: a and c, when a has a key in common with b, and b another one with c.
pub(crate) fn together<K: Hash + Eq>(
    faces: impl IntoIterator<Item = impl IntoIterator<Item = K>>,
) -> Vec<usize> {
    // For each face an earlier one of its group, or itself.
    let mut earlier: Vec<usize> = Vec::new();
    let mut known: HashMap<K, usize> = HashMap::new();
    for (face, keys) in faces.into_iter().enumerate() {
        earlier.push(face);
        for key in keys {
            let other = first_of(&mut earlier, *known.entry(key).or_insert(face));
            let own = first_of(&mut earlier, face);
            // The earliest face stands for all.
            earlier[own.max(other)] = own.min(other);
        }
    }
    let mut numbers = vec![0; earlier.len()];
    let mut groups = 0;
    for face in 0..earlier.len() {
        let first = first_of(&mut earlier, face);
        if first == face {
            numbers[face] = groups;
            groups += 1;
        } else {
            numbers[face] = numbers[first];
        }
    }
    numbers
}

/// The first face of a face's group.
fn first_of(earlier: &mut [usize], face: usize) -> usize {
    let mut first = face;
    while earlier[first] != first {
        // Halves the way for the next one who asks.
        earlier[first] = earlier[earlier[first]];
        first = earlier[first];
    }
    first
}

#[cfg(test)]
mod tests {
    use super::together;

    #[test]
    fn faces_with_a_key_in_common_are_together_whatever_links_them() {
        let none: [[&str; 0]; 3] = [[]; 3];
        assert_eq!(together(none), [0, 1, 2]);
        assert_eq!(together([["a"], ["b"], ["a"], ["c"]]), [0, 1, 0, 2]);
        // The last face links the first two groups; the third stays alone.
        let keys = [
            vec!["a"],
            vec!["b"],
            vec!["c"],
            vec!["d", "b"],
            vec!["d", "a"],
        ];
        assert_eq!(together(keys), [0, 0, 1, 0, 0]);
        // A chain that is only closed at its middle.
        let chain = [vec![0, 1], vec![2, 3], vec![4, 5], vec![3, 4], vec![1, 2]];
        assert_eq!(together(chain), [0; 5]);
    }
}
