//! One TOML file while it is read: its text, and where in it a span of bytes is.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use crate::fault::Faults;
use crate::section::Section;

/// Where something is written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// For "the same is written at …", where a column is noise.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// A value and where it is written.
#[derive(Clone, Debug)]
pub(crate) struct Written<T> {
    pub(crate) value: T,
    pub(crate) at: Place,
}

pub(crate) struct Page<'a> {
    file: Arc<str>,
    text: &'a str,
    /// Byte offsets: a file of 50 000 agents asks for 100 000 places.
    line_starts: Vec<usize>,
    pub(crate) faults: &'a Faults,
}

impl<'a> Page<'a> {
    /// None when it is not UTF-8, which is then a fault.
    pub(crate) fn open(file: &str, bytes: &'a [u8], faults: &'a Faults) -> Option<Self> {
        let (readable, whole) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, true),
            Err(why) => (std::str::from_utf8(&bytes[..why.valid_up_to()]).unwrap_or_default(), false),
        };
        let line_starts = std::iter::once(0).chain(readable.match_indices('\n').map(|(at, _)| at + 1)).collect();
        let page = Self { file: file.into(), text: readable, line_starts, faults };
        if !whole {
            let end = page.text.len();
            page.fault(&(end..end), "this byte is not UTF-8", "save the file as UTF-8");
            return None;
        }
        Some(page)
    }

    /// None when it is not TOML. Its content is not looked at then: what a broken file seems to say misleads.
    pub(crate) fn document(&self) -> Option<Spanned<DeTable<'a>>> {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in &errors {
            let end = self.text.len();
            let span = error.span().unwrap_or(end..end);
            // The parser's message may have several lines; a fault is one.
            let why = error.message().replace('\n', ", ");
            self.fault(&span, format!("not TOML: {why}"), "correct the syntax");
        }
        errors.is_empty().then_some(document)
    }

    pub(crate) fn section(&'a self, document: &'a Spanned<DeTable<'a>>) -> Section<'a> {
        Section::new(self, document.get_ref(), 0..0, "the file")
    }

    pub(crate) fn place(&self, span: &Range<usize>) -> Place {
        let line = self.line_starts.partition_point(|start| *start <= span.start);
        let start = self.line_starts[line - 1];
        let before = self.text.get(start..span.start).unwrap_or_default();
        Place { file: self.file.clone(), line, column: before.chars().count() + 1 }
    }

    pub(crate) fn fault(&self, span: &Range<usize>, what: impl Into<String>, fix: impl Into<String>) {
        self.faults.add(&self.place(span), what, fix);
    }
}
