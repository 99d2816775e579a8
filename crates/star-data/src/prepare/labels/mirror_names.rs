//! Mirror pairs by the names of points: `left_eye` and `right_eye`, `L_ear` and `R_ear`, `eyeL` and `eyeR`.

use std::collections::HashMap;

/// Pairs of points whose names differ in the side alone.
pub(super) fn mirror_pairs(names: &[String]) -> Vec<[usize; 2]> {
    let numbers: HashMap<&str, usize> = (names.iter().enumerate())
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let mut pairs = Vec::new();
    for (i, name) in names.iter().enumerate() {
        let other = other_sides(name)
            .into_iter()
            .find_map(|other| numbers.get(other.as_str()).copied());
        if let Some(other) = other
            && i < other
        {
            pairs.push([i, other]);
        }
    }
    pairs
}

/// The names that the point on the other side of a left one may have; nothing for a right one, which is found from its left one.
/// Sides are words of the name: `fleft` is none.
fn other_sides(name: &str) -> Vec<String> {
    const SIDES: [(&str, &str); 6] = [
        ("left", "right"),
        ("Left", "Right"),
        ("LEFT", "RIGHT"),
        ("l", "r"),
        ("L", "R"),
        ("lt", "rt"),
    ];
    let mut found = Vec::new();
    for (left, right) in SIDES {
        for [from, to] in [[left, right], [right, left]] {
            for (at, _) in name.match_indices(from) {
                let end = at + from.len();
                if is_word(name, at, end) {
                    found.push(format!("{}{to}{}", &name[..at], &name[end..]));
                }
            }
        }
    }
    found
}

/// Whether `name[at..end]` is a word of its own: what is beside it is no letter, or it begins or ends a word as capitals show.
fn is_word(name: &str, at: usize, end: usize) -> bool {
    let part = &name[at..end];
    let before = name[..at].chars().next_back();
    let after = name[end..].chars().next();
    let starts_high = part.starts_with(char::is_uppercase);
    let ends_low = part.ends_with(char::is_lowercase);
    let begins = match before {
        None => true,
        Some(c) if !c.is_alphabetic() => true,
        Some(c) => c.is_lowercase() && starts_high,
    };
    let finishes = match after {
        None => true,
        Some(c) if !c.is_alphabetic() => true,
        // `leftEye`, and `LEye` where a single capital is followed by a word.
        Some(c) => c.is_uppercase() && (ends_low || part.len() == 1),
    };
    begins && finishes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_words() {
        let pairs = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|n| n.to_string()).collect();
            mirror_pairs(&names)
        };
        let paired = [
            ["left_eye", "right_eye"],
            ["Eye left 2", "Eye right 2"],
            ["eyeLeft", "eyeRight"],
            ["LeftEye", "RightEye"],
            ["L_Eye", "R_Eye"],
            ["ear_l", "ear_r"],
            ["LEar", "REar"],
            ["earL", "earR"],
            ["L1", "R1"],
            ["LEFT-EAR", "RIGHT-EAR"],
        ];
        for [a, b] in paired {
            assert_eq!(pairs(&["nose", a, b]), [[1, 2]], "{a} {b}");
            assert_eq!(pairs(&[b, "nose", a]), [[0, 2]], "{b} {a}");
        }
        for [a, b] in [
            ["cleft", "cright"],
            ["bleft", "bright"],
            ["lip", "rip"],
            ["0", "1"],
        ] {
            assert!(pairs(&[a, b]).is_empty(), "{a} {b}");
        }
        // A side without its other is its own mirror image, as a nose is.
        assert!(pairs(&["left_eye", "nose"]).is_empty());
        // Two sides in one name: only one of them changes.
        let tail = ["tail_left_l", "tail_right_l", "tail_left_r"];
        assert_eq!(pairs(&tail)[0], [0, 1]);
    }
}
