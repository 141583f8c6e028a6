//! Long lists in parts that travel alone. A part ends where a record ends, and knows on which line of the list it
//! begins, so that faults name the line that a person finds in the file.

use crate::csv::{Rows, cut_line};
use crate::leads::guess_delimiter;

/// Some records of a list, without its first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part<'t> {
    /// The line of the list on which it begins.
    pub first_line: u64,
    /// Whole records, as they stand in the list.
    pub text: &'t str,
    /// At least 1.
    pub records: usize,
}

/// A list, cut.
pub struct Parts<'t> {
    header: &'t str,
    rows: Rows<'t>,
    records: usize,
    bytes: usize,
}

impl<'t> Parts<'t> {
    /// Parts of at most so many records, and so many bytes unless one record alone has more. None: the list is empty.
    pub fn new(text: &'t str, records: usize, bytes: usize) -> Option<Self> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut rows = Rows::new(text, guess_delimiter(cut_line(text.trim_start()).0), 1);
        rows.next()?;
        let header = behind(text, &rows);
        Some(Self { header, rows, records, bytes })
    }

    /// The first record, with what stands before it and the end of its line.
    pub fn header(&self) -> &'t str {
        self.header
    }

    /// All that is not cut off yet, and its line.
    pub fn rest(&self) -> (&'t str, u64) {
        self.rows.rest()
    }
}

/// What has been read of a text.
fn behind<'t>(text: &'t str, rows: &Rows<'_>) -> &'t str {
    &text[..text.len() - rows.rest().0.len()]
}

impl<'t> Iterator for Parts<'t> {
    type Item = Part<'t>;

    fn next(&mut self) -> Option<Part<'t>> {
        let (text, first_line) = self.rows.rest();
        let mut records = 0;
        while records < self.records {
            let mut ahead = self.rows.clone();
            if ahead.next().is_none() || (records > 0 && behind(text, &ahead).len() > self.bytes) {
                break;
            }
            self.rows = ahead;
            records += 1;
        }
        (records > 0).then(|| Part { first_line, text: behind(text, &self.rows), records })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, records: usize, bytes: usize) -> Vec<(u64, &str, usize)> {
        let parts = Parts::new(text, records, bytes).expect("a header");
        parts.map(|part| (part.first_line, part.text, part.records)).collect()
    }

    #[test]
    fn parts_end_between_records_and_know_their_line() {
        let text = "\u{feff}number,name\n1,a\n2,\"b\nc\"\n\n3,d\n4,e";
        let parts = Parts::new(text, 2, 1000).expect("a header");
        assert_eq!((parts.header(), parts.rest().1), ("number,name\n", 2));
        assert_eq!(cut(text, 2, 1000), [(2, "1,a\n2,\"b\nc\"\n", 2), (5, "\n3,d\n4,e", 2)]);
        assert_eq!(cut(text, 3, 9), [(2, "1,a\n", 1), (3, "2,\"b\nc\"\n", 1), (5, "\n3,d\n4,e", 2)]);
        assert_eq!(cut(text, 9, 1).len(), 4, "one record always goes");
    }

    #[test]
    fn a_header_alone_or_nothing() {
        assert!(Parts::new("", 2, 9).is_none() && Parts::new("\n\n", 2, 9).is_none());
        assert_eq!(cut("number", 2, 9), []);
        assert_eq!(cut("\nnumber\n\n", 2, 9), []);
        let text = "number;\"a\nb\"\r\n1;2";
        assert_eq!(Parts::new(text, 2, 9).map(|parts| parts.rest()), Some(("1;2", 3)));
    }

    #[test]
    fn a_broken_line_goes_along() {
        assert_eq!(cut("number,b\n1,\"2\n3,4\n", 1, 99), [(2, "1,\"2\n", 1), (3, "3,4\n", 1)]);
    }
}
