//! A telephone number as the whole world writes it.

use std::fmt;
use std::str::FromStr;

/// An international number (ITU-T E.164, 6.2.1): country code first, 15 digits at most, so it fits 64 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
pub struct E164(u64);

impl E164 {
    /// The longest number E.164 knows.
    pub const MAX_DIGITS: usize = 15;
    /// Country code and subscriber's number: nothing shorter leads to a subscriber from abroad.
    pub const MIN_DIGITS: usize = 7;

    /// Country code and number, read as one decimal number.
    pub fn digits(self) -> u64 {
        self.0
    }
}

/// Text that is no international number.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotE164 {
    /// Not `+` and digits, or the first digit is 0.
    #[error(
        "`{0}` is not a number in international form: it begins with + and the country code, for example +442071838750"
    )]
    Form(String),
    /// Too short or too long: the text, and how many digits it has.
    #[error("`{0}` has {1} digits: an international number has {min} to {max}", min = E164::MIN_DIGITS, max = E164::MAX_DIGITS)]
    Length(String, usize),
}

impl FromStr for E164 {
    type Err = NotE164;

    fn from_str(text: &str) -> Result<Self, NotE164> {
        let form = || NotE164::Form(text.to_owned());
        let digits = text.strip_prefix('+').ok_or_else(form)?;
        if digits.starts_with('0') || digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(form());
        }
        if !(Self::MIN_DIGITS..=Self::MAX_DIGITS).contains(&digits.len()) {
            return Err(NotE164::Length(text.to_owned(), digits.len()));
        }
        digits.parse().map(Self).map_err(|_| form())
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        for text in ["+442071838750", "+12125550123", "+8612345678901", "+123456789012345"] {
            assert_eq!(text.parse::<E164>().map(|number| number.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn refuses() {
        for text in ["", "+", "442071838750", "+0442071838750", "+44 20 7183", "+4420718387x", "0800123456"] {
            assert!(matches!(text.parse::<E164>(), Err(NotE164::Form(_))), "{text}");
        }
        for text in ["+123456", "+1234567890123456"] {
            assert!(matches!(text.parse::<E164>(), Err(NotE164::Length(..))), "{text}");
        }
    }
}
