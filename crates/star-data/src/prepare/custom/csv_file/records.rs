//! The records of a CSV file, one at a time, in memory that does not grow with the number of columns.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

/// Goes through a text.
pub struct Records<'a> {
    text: &'a str,
    at: usize,
    reader: Reader,
    /// The record's fields, one after another, unquoted.
    buffer: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
}

/// A record.
pub struct Record<'r> {
    /// The byte of the text where it begins.
    pub start: usize,
    /// And the one where the next begins.
    pub end: usize,
    /// How many fields it has. Beyond the limit they are only counted: there are none to look at.
    pub count: usize,
    buffer: &'r [u8],
    ends: &'r [usize],
}

impl<'a> Records<'a> {
    /// Records of up to `limit` fields, others are counted only.
    pub fn new(text: &'a str, limit: usize, separator: u8) -> Self {
        Self {
            text,
            at: 0,
            reader: ReaderBuilder::new().delimiter(separator).build(),
            buffer: vec![0; 1024],
            ends: vec![0; limit],
        }
    }

    pub fn read(&mut self) -> Option<Record<'_>> {
        // The line breaks before a record are not its own.
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let breaks = rest.iter().take_while(|b| matches!(b, b'\r' | b'\n'));
        let start = self.at + breaks.count();
        let (mut written, mut filled, mut dropped) = (0, 0, 0);
        loop {
            let (result, read, out, ended) = self.reader.read_record(
                self.text.as_bytes().get(self.at..).unwrap_or_default(),
                self.buffer.get_mut(written..).unwrap_or_default(),
                self.ends.get_mut(filled..).unwrap_or_default(),
            );
            self.at += read;
            written += out;
            filled += ended;
            match result {
                // Asked once more without input, the reader ends the last record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    let longer = 2 * self.buffer.len();
                    self.buffer.resize(longer, 0);
                }
                ReadRecordResult::OutputEndsFull => {
                    dropped += filled;
                    (written, filled) = (0, 0);
                }
                ReadRecordResult::Record => break,
                ReadRecordResult::End => return None,
            }
        }
        let count = dropped + filled;
        if dropped > 0 {
            filled = 0;
        }
        Some(Record {
            start,
            end: self.at,
            count,
            buffer: &self.buffer,
            ends: self.ends.get(..filled).unwrap_or_default(),
        })
    }
}

impl Record<'_> {
    /// A field without the space around it; nothing where there is none.
    pub fn field(&self, column: usize) -> &str {
        let end = |column: usize| self.ends.get(column).copied().unwrap_or(0);
        let from = column.checked_sub(1).map_or(0, end);
        // Quotes and separators are whole characters: what is between them is text as the file is.
        let bytes = self.buffer.get(from..end(column)).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default().trim()
    }

    pub fn fields(&self) -> impl Iterator<Item = &str> {
        (0..self.ends.len()).map(|column| self.field(column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str, limit: usize) -> Vec<(usize, usize, Vec<String>)> {
        let mut records = Records::new(text, limit, b',');
        let mut found = Vec::new();
        while let Some(record) = records.read() {
            let fields = record.fields().map(str::to_string).collect();
            found.push((record.start, record.count, fields));
        }
        found
    }

    #[test]
    fn quotes_line_ends_and_space() {
        let text = "a, b\r\n\n\"c,\"\"\nd\" ,e\n,\n\u{e9},\"\u{1F980}\"";
        let words = |fields: &[&str]| fields.iter().map(|f| f.to_string()).collect();
        assert_eq!(
            all(text, 4),
            [
                (0, 2, words(&["a", "b"])),
                (7, 2, words(&["c,\"\nd", "e"])),
                (19, 2, words(&["", ""])),
                (21, 2, words(&["\u{e9}", "\u{1F980}"])),
            ]
        );
    }

    #[test]
    fn long_fields_are_whole_and_many_are_counted() {
        let long = "x".repeat(5000);
        let text = format!("{long},{long}\n{}\n1,2\n", ",".repeat(99));
        let found = all(&text, 3);
        assert_eq!(found[0].2, [long.clone(), long]);
        assert_eq!((found[1].1, found[1].2.len()), (100, 0));
        assert_eq!(found[2].2, ["1", "2"]);
    }
}
