//! A table of a TOML file, asked key by key. What was not asked for is an unknown key, so the reader of a section and
//! the list of its keys cannot drift apart.

use std::cell::RefCell;
use std::ops::Range;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use crate::limits::Limit;
use crate::page::{Page, Place, Written};

pub(crate) struct Section<'a> {
    page: &'a Page<'a>,
    table: &'a DeTable<'a>,
    span: Range<usize>,
    /// What faults call it: `[[queue]]`.
    title: &'static str,
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Section<'a> {
    pub(crate) fn new(page: &'a Page<'a>, table: &'a DeTable<'a>, span: Range<usize>, title: &'static str) -> Self {
        Self { page, table, span, title, asked: RefCell::default() }
    }

    pub(crate) fn page(&self) -> &'a Page<'a> {
        self.page
    }

    /// Whether the key is there; does not make it known.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where it begins.
    pub(crate) fn place(&self) -> Place {
        self.page.place(&self.span)
    }

    /// Faults about the section as a whole.
    pub(crate) fn fault(&self, what: impl Into<String>, fix: impl Into<String>) {
        self.page.fault(&self.span, what, fix);
    }

    /// Faults about something written in it.
    pub(crate) fn fault_at(&self, at: &Place, what: impl Into<String>, fix: impl Into<String>) {
        self.page.faults.add(at, what, fix);
    }

    /// A string that must be there. `example` is what its line looks like.
    pub(crate) fn text(&self, key: &'static str, example: &str) -> Option<Written<String>> {
        self.required(key, example);
        self.optional_text(key, example)
    }

    pub(crate) fn optional_text(&self, key: &'static str, example: &str) -> Option<Written<String>> {
        let value = self.get(key)?;
        self.as_text(key, value, example)
    }

    /// A string that is something else written as text.
    pub(crate) fn parsed<T: FromStr>(&self, key: &'static str, example: &str) -> Option<Written<T>> {
        self.required(key, example);
        self.optional_parsed(key, example)
    }

    pub(crate) fn optional_parsed<T: FromStr>(&self, key: &'static str, example: &str) -> Option<Written<T>> {
        let text = self.optional_text(key, example)?;
        match text.value.parse() {
            Ok(value) => Some(Written { value, at: text.at }),
            Err(_) => {
                let what = format!("`{key}` is `{}`", text.value);
                self.fault_at(&text.at, what, format!("write it like {example}"));
                None
            }
        }
    }

    /// A number within its limits; the default when it is absent or wrong.
    pub(crate) fn limit(&self, limit: &Limit) -> u32 {
        self.get(limit.key).and_then(|value| self.as_number(limit, value)).unwrap_or(limit.default)
    }

    /// A number that must be there.
    pub(crate) fn number(&self, limit: &Limit) -> Option<Written<u32>> {
        self.required(limit.key, &format!("{} = {}", limit.key, limit.default));
        let value = self.get(limit.key)?;
        let number = self.as_number(limit, value)?;
        Some(Written { value: number, at: self.page.place(&value.span()) })
    }

    pub(crate) fn flag(&self, key: &'static str, default: bool) -> bool {
        let Some(value) = self.get(key) else { return default };
        value.get_ref().as_bool().unwrap_or_else(|| {
            self.wrong_type(key, value, "true or false");
            default
        })
    }

    /// A list of strings; none when absent.
    pub(crate) fn texts(&self, key: &'static str, example: &str) -> Option<Vec<Written<String>>> {
        let value = self.get(key)?;
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &format!("a list of strings, for example {example}"));
            return None;
        };
        Some(list.iter().filter_map(|value| self.as_text(key, value, example)).collect())
    }

    /// A table of strings, such as the choices of a menu; none when absent.
    pub(crate) fn pairs(&self, key: &'static str, example: &str) -> Option<Vec<(Written<String>, Written<String>)>> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(key, value, &format!("a table, for example {example}"));
            return None;
        };
        let pair = |(name, value): (&Spanned<DeString<'a>>, &Spanned<DeValue<'a>>)| {
            let name = Written { value: name.get_ref().clone().into_owned(), at: self.page.place(&name.span()) };
            Some((name, self.as_text(key, value, example)?))
        };
        Some(table.iter().filter_map(pair).collect())
    }

    /// A table of numbers within one limit; none when absent.
    pub(crate) fn numbers(&self, limit: &Limit, example: &str) -> Option<Vec<(Written<String>, u32)>> {
        let value = self.get(limit.key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(limit.key, value, &format!("a table, for example {example}"));
            return None;
        };
        let number = |(name, value): (&Spanned<DeString<'a>>, &Spanned<DeValue<'a>>)| {
            let name = Written { value: name.get_ref().clone().into_owned(), at: self.page.place(&name.span()) };
            Some((name, self.as_number(limit, value)?))
        };
        Some(table.iter().filter_map(number).collect())
    }

    /// `[[key]]`, any number of times.
    pub(crate) fn list(&self, key: &'static str, title: &'static str) -> Vec<Section<'a>> {
        let Some(value) = self.get(key) else { return Vec::new() };
        let Some(list) = value.get_ref().as_array() else {
            self.wrong_type(key, value, &format!("{title} before each"));
            return Vec::new();
        };
        let section = |value: &'a Spanned<DeValue<'a>>| match value.get_ref() {
            DeValue::Table(table) => Some(Section::new(self.page, table, value.span(), title)),
            _ => {
                self.wrong_type(key, value, &format!("{title} before each"));
                None
            }
        };
        list.iter().filter_map(section).collect()
    }

    /// `[key]`, once.
    pub(crate) fn sub(&self, key: &'static str, title: &'static str) -> Option<Section<'a>> {
        let value = self.get(key)?;
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_type(key, value, title);
            return None;
        };
        Some(Section::new(self.page, table, value.span(), title))
    }

    /// `[key]`, which must be there.
    pub(crate) fn required_sub(&self, key: &'static str, title: &'static str) -> Option<Section<'a>> {
        self.required(key, title);
        self.sub(key, title)
    }

    /// To be called once everything has been asked for.
    pub(crate) fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.table.keys().filter(|key| !asked.contains(&key.get_ref().as_ref())) {
            let what = format!("{} has no key `{}`", self.title, key.get_ref());
            self.page.fault(&key.span(), what, format!("known are {}", asked.join(", ")));
        }
    }

    fn get(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        let mut asked = self.asked.borrow_mut();
        if !asked.contains(&key) {
            asked.push(key);
        }
        self.table.get(key)
    }

    fn required(&self, key: &'static str, example: &str) {
        if !self.has(key) {
            self.fault(format!("{} has no `{key}`", self.title), format!("add {example}"));
        }
    }

    fn as_text(&self, key: &str, value: &Spanned<DeValue<'a>>, example: &str) -> Option<Written<String>> {
        let Some(text) = value.get_ref().as_str() else {
            self.wrong_type(key, value, &format!("a string, for example {example}"));
            return None;
        };
        Some(Written { value: text.to_owned(), at: self.page.place(&value.span()) })
    }

    fn as_number(&self, limit: &Limit, value: &Spanned<DeValue<'a>>) -> Option<u32> {
        let Some(written) = value.get_ref().as_integer() else {
            self.wrong_type(limit.key, value, &format!("a whole number of {}", limit.range()));
            return None;
        };
        let number = parse_integer(written).filter(|number| limit.allows(*number));
        if number.is_none() {
            let what = format!("`{}` is {written}", limit.key);
            self.page.fault(&value.span(), what, format!("write {}", limit.range().trim_end()));
        }
        number
    }

    fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'a>>, wanted: &str) {
        let is = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.page.fault(&value.span(), format!("`{key}` is {is}"), format!("write {wanted}"));
    }
}

fn parse_integer(written: &DeInteger<'_>) -> Option<u32> {
    u32::from_str_radix(written.as_str(), written.radix()).ok()
}
