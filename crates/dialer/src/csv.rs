//! Lines of comma- or semicolon-separated values (RFC 4180). A quote that is never closed would swallow the rest of a
//! list without a word: here it is a fault of the line where it was opened, and reading goes on behind that line.

use std::borrow::Cow;

/// One record and the line on which it begins.
pub(crate) struct Row<'t> {
    pub(crate) line: u64,
    pub(crate) fields: Result<Vec<Cow<'t, str>>, Malformed<'t>>,
}

/// A line that is no record.
pub(crate) struct Malformed<'t> {
    pub(crate) text: &'t str,
    pub(crate) why: &'static str,
}

const UNCLOSED: &str = "a quote is opened and not closed: close it, or write \"\" for a quote within quotes";
const BEHIND_QUOTE: &str = "text follows a closing quote: write \"\" for a quote within quotes";

/// Reads record by record; lines without anything are passed over.
#[derive(Clone)]
pub(crate) struct Rows<'t> {
    rest: &'t str,
    line: u64,
    delimiter: char,
}

impl<'t> Rows<'t> {
    pub(crate) fn new(text: &'t str, delimiter: char, first_line: u64) -> Self {
        Self { rest: text, line: first_line, delimiter }
    }

    /// What is not read yet, and its line.
    pub(crate) fn rest(&self) -> (&'t str, u64) {
        (self.rest, self.line)
    }

    fn record(&mut self) -> Result<Vec<Cow<'t, str>>, Malformed<'t>> {
        let (whole, line) = (self.rest, self.line);
        let mut fields = Vec::new();
        loop {
            match self.field() {
                Ok((field, more)) => fields.push((field, more)),
                Err(why) => {
                    let (text, rest) = cut_line(whole);
                    (self.rest, self.line) = (rest, line + 1);
                    return Err(Malformed { text, why });
                }
            }
            if !fields.last().is_some_and(|(_, more)| *more) {
                return Ok(fields.into_iter().map(|(field, _)| field).collect());
            }
        }
    }

    /// The next field, and whether the record goes on behind it.
    fn field(&mut self) -> Result<(Cow<'t, str>, bool), &'static str> {
        let field = match self.rest.strip_prefix('"') {
            Some(quoted) => self.quoted(quoted)?,
            None => {
                let end = self.rest.find([self.delimiter, '\n', '\r']).unwrap_or(self.rest.len());
                let (field, rest) = self.rest.split_at(end);
                self.rest = rest;
                Cow::Borrowed(field)
            }
        };
        if let Some(rest) = self.rest.strip_prefix(self.delimiter) {
            self.rest = rest;
            return Ok((field, true));
        }
        if !self.rest.is_empty() && !self.rest.starts_with(['\n', '\r']) {
            return Err(BEHIND_QUOTE);
        }
        self.end_line();
        Ok((field, false))
    }

    fn quoted(&mut self, text: &'t str) -> Result<Cow<'t, str>, &'static str> {
        let mut from = 0;
        loop {
            let quote = from + text[from..].find('"').ok_or(UNCLOSED)?;
            if !text[quote + 1..].starts_with('"') {
                let (field, rest) = (&text[..quote], &text[quote + 1..]);
                self.line += field.matches('\n').count() as u64;
                self.rest = rest;
                let doubled = from > 0;
                return Ok(if doubled { Cow::Owned(field.replace("\"\"", "\"")) } else { Cow::Borrowed(field) });
            }
            from = quote + 2;
        }
    }

    fn end_line(&mut self) {
        if self.rest.is_empty() {
            return;
        }
        self.rest = end_of_line(self.rest);
        self.line += 1;
    }
}

impl<'t> Iterator for Rows<'t> {
    type Item = Row<'t>;

    fn next(&mut self) -> Option<Row<'t>> {
        while self.rest.starts_with(['\n', '\r']) {
            self.end_line();
        }
        let line = self.line;
        (!self.rest.is_empty()).then(|| Row { line, fields: self.record() })
    }
}

/// The first line, and all behind it.
pub(crate) fn cut_line(text: &str) -> (&str, &str) {
    let end = text.find(['\n', '\r']).unwrap_or(text.len());
    (&text[..end], end_of_line(&text[end..]))
}

fn end_of_line(text: &str) -> &str {
    let text = text.strip_prefix('\r').unwrap_or(text);
    text.strip_prefix('\n').unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Told = (u64, Result<Vec<String>, (String, &'static str)>);

    fn read(text: &str) -> Vec<Told> {
        let row = |row: Row<'_>| {
            let fields = row.fields.map(|fields| fields.into_iter().map(Cow::into_owned).collect());
            (row.line, fields.map_err(|fault| (fault.text.to_owned(), fault.why)))
        };
        Rows::new(text, ',', 1).map(row).collect()
    }

    fn good(line: u64, fields: &[&str]) -> Told {
        (line, Ok(fields.iter().map(|field| (*field).to_owned()).collect()))
    }

    #[test]
    fn plain_and_quoted_fields() {
        assert_eq!(read("a,b\n"), [good(1, &["a", "b"])]);
        assert_eq!(read("a,b"), [good(1, &["a", "b"])]);
        assert_eq!(read("a,,\r\n,b,"), [good(1, &["a", "", ""]), good(2, &["", "b", ""])]);
        assert_eq!(read("\"a,\"\"1\"\"\",\"\"\n"), [good(1, &["a,\"1\"", ""])]);
        assert_eq!(read("5\" pipe,b"), [good(1, &["5\" pipe", "b"])], "a quote within a plain field is a character");
        assert_eq!(read("\"\"\"\""), [good(1, &["\""])]);
    }

    #[test]
    fn lines_are_counted_also_within_quotes_and_when_empty() {
        let text = "\n\r\na,\"1\n2\r\n3\"\n\n\nb,2\rc,3";
        assert_eq!(read(text), [good(3, &["a", "1\n2\r\n3"]), good(8, &["b", "2"]), good(9, &["c", "3"])]);
        assert_eq!(read(""), []);
        assert_eq!(read("\n\n"), []);
    }

    #[test]
    fn a_broken_line_does_not_take_others_along() {
        let told = |line, text: &str, why| (line, Err((text.to_owned(), why)));
        assert_eq!(read("a,\"b\nc,d\n"), [told(1, "a,\"b", UNCLOSED), good(2, &["c", "d"])]);
        assert_eq!(read("a,\"b\"x\nc,d"), [told(1, "a,\"b\"x", BEHIND_QUOTE), good(2, &["c", "d"])]);
        assert_eq!(read("\""), [told(1, "\"", UNCLOSED)]);
    }
}
