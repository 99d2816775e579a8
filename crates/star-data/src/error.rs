//! The one error type of this crate. Each variant names the file and, where there is one, the line, and says what would fix it.

use std::path::PathBuf;

/// Why faces could not be read, prepared or made.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// A file or folder could not be opened, read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        #[source]
        /// Why the system refused.
        source: std::io::Error,
    },
    /// A text file (TSV, `.pts`, TOML, list) has a line that cannot be used.
    #[error("{}:{line}: {message}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// 1-based.
        line: usize,
        /// What is wrong and what would be right.
        message: String,
    },
    /// An image could not be decoded.
    #[error("{}: {message}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A MATLAB file, or a variable in it, cannot be used.
    #[error("{}: {}{message}", path.display(), variable.as_ref().map_or(String::new(), |name| format!("{name}: ")))]
    Mat {
        /// The file.
        path: PathBuf,
        /// In MATLAB's own spelling, such as `IsTr{17}`; none if it is the whole file.
        variable: Option<String>,
        /// What is wrong, and what to do.
        message: String,
    },
    /// A value given by the caller or a recipe cannot be used.
    #[error("{0}")]
    Invalid(String),
}

impl DataError {
    /// Wraps an I/O error with the path it happened on.
    pub fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}

/// What a reader of TOML or JSON says of a value that does not fit, without the names that types have in Rust.
pub fn plain_words(message: &str) -> String {
    const WORDS: [(&str, &str); 17] = [
        ("a borrowed string", "text"),
        ("a string", "text"),
        ("path string", "a path"),
        ("a boolean", "true or false"),
        ("a sequence", "a list"),
        ("sequence", "list"),
        ("a map", "a section of keys"),
        ("map", "section of keys"),
        ("an array of length", "a list of length"),
        ("unknown variant", "unknown value"),
        ("unknown field", "unknown key"),
        ("missing field", "missing key"),
        ("duplicate field", "key given twice:"),
        ("floating point", "number"),
        ("integer", "whole number"),
        ("NaN", "not a number"),
        ("null", "nothing (null)"),
    ];
    const WHOLE: [&str; 6] = ["usize", "u64", "u32", "u16", "u8", "i64"];
    let (said, expected) = match message.split_once(", expected ") {
        Some((said, expected)) => (said, Some(expected.trim_end())),
        None => (message.trim_end(), None),
    };
    // What is quoted is the user's own.
    let in_words = |text: &str| -> String {
        let mut quoted = false;
        (text.split_inclusive(['`', '"']))
            .map(|part| {
                let own = quoted;
                quoted ^= part.ends_with(['`', '"']);
                match WORDS.iter().find(|(rust, _)| !own && part.contains(rust)) {
                    Some((rust, plain)) => part.replacen(rust, plain, 1),
                    None => part.to_owned(),
                }
            })
            .collect()
    };
    let said = in_words(said);
    match expected {
        None => said,
        Some(type_name) if WHOLE.contains(&type_name) => {
            format!("{said}, expected a whole number, 0 or above")
        }
        Some("f64" | "f32") => format!("{said}, expected a number"),
        Some(name) if name.starts_with("struct ") => format!("{said}, expected a section of keys"),
        Some(rest) => format!("{said}, expected {}", in_words(rest)),
    }
}

/// Keeps what a reader of ours says of a damaged file, and quotes from it, from flooding a message.
pub(crate) fn shorten_message(message: &str) -> String {
    const LONGEST: usize = 400;
    if message.chars().nth(LONGEST).is_none() {
        return message.into();
    }
    message.chars().take(LONGEST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::plain_words;

    /// What `toml` and `serde_json` say, and what a person reads.
    #[test]
    fn messages_have_no_names_of_types() {
        for (said, read) in [
            (
                "invalid type: string \"x\", expected usize",
                "invalid type: string \"x\", expected a whole number, 0 or above",
            ),
            (
                "invalid type: floating point `1.5`, expected u64",
                "invalid type: number `1.5`, expected a whole number, 0 or above",
            ),
            (
                "invalid type: integer `3`, expected a string",
                "invalid type: whole number `3`, expected text",
            ),
            (
                "invalid type: integer `3`, expected struct DataRecipe",
                "invalid type: whole number `3`, expected a section of keys",
            ),
            (
                "invalid type: string \"\", expected f64",
                "invalid type: string \"\", expected a number",
            ),
            (
                "unknown field `integer`, expected `epochs` or `seed`",
                "unknown key `integer`, expected `epochs` or `seed`",
            ),
            (
                "unknown variant `png`, expected `tsv` or `synth`",
                "unknown value `png`, expected `tsv` or `synth`",
            ),
            ("missing field `points`", "missing key `points`"),
            (
                "invalid type: map, expected a sequence",
                "invalid type: section of keys, expected a list",
            ),
            (
                "invalid length 3, expected an array of length 2",
                "invalid length 3, expected a list of length 2",
            ),
        ] {
            assert_eq!(plain_words(said), read);
        }
    }
}
