//! Tables as CSV (RFC 4180): commas, one header line, quotes where a field needs them.

/// A table under construction.
pub(super) struct Csv {
    text: String,
}

impl Csv {
    pub fn new(columns: &[&str]) -> Self {
        let mut csv = Self {
            text: String::new(),
        };
        csv.row(columns.iter().map(|c| (*c).to_owned()));
        csv
    }

    pub fn row(&mut self, fields: impl IntoIterator<Item = String>) {
        for (i, field) in fields.into_iter().enumerate() {
            if i > 0 {
                self.text.push(',');
            }
            if field.contains(['"', ',', '\n', '\r']) {
                self.text.push('"');
                self.text += &field.replace('"', "\"\"");
                self.text.push('"');
            } else {
                self.text += &field;
            }
        }
        self.text.push('\n');
    }

    pub fn finish(self) -> String {
        self.text
    }
}

/// A number with all its digits; empty for what is no number.
pub(super) fn number(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let mut csv = Csv::new(&["name", "value"]);
        csv.row(["a,\"b\"".to_owned(), number(0.1)]);
        csv.row(["plain".to_owned(), number(f64::NAN)]);
        assert_eq!(csv.finish(), "name,value\n\"a,\"\"b\"\"\",0.1\nplain,\n");
    }
}
