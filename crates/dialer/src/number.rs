//! Telephone numbers as people write them, read into what can be dialled from anywhere.

use rlibphonenumber::PhoneNumber;
use strowger_model::E164;
use unicode_general_category::{GeneralCategory, get_general_category};

/// What stands between digits for the eye only: spaces and dashes of every kind, and what nobody sees at all, as the
/// marks of direction that a number copied from a contact carries.
fn is_decoration(c: char) -> bool {
    use GeneralCategory::{DashPunctuation, Format, SpaceSeparator};
    matches!(c, '.' | '/' | '(' | ')' | '\t')
        || matches!(get_general_category(c), DashPunctuation | Format | SpaceSeparator)
}

/// Why a text is no telephone number, in words for who wrote it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoNumber {
    /// Nothing, or nothing but spaces.
    #[error("there is no number")]
    Missing,
    /// A character that no number has.
    #[error(
        "not a telephone number, which is + and digits, with spaces, dashes . / ( ) between them: `{0}` (U+{code:04X}) is \
         none of them", code = u32::from(*.0)
    )]
    Form(char),
    /// `4.42E+11`: the digits behind are lost.
    #[error("a spreadsheet has rounded this number: make its column text there, and export the list again")]
    Rounded,
    /// It begins with neither + nor 00.
    #[error("a number without its country: write + and the country code before it, for example +442071838750")]
    National,
    /// With its count of digits.
    #[error("an international number has {min} to {max} digits, this has {0}", min = E164::MIN_DIGITS, max = E164::MAX_DIGITS)]
    Length(usize),
    /// ITU-T has given it to nobody.
    #[error("no country has the code it begins with")]
    NoCountry,
    /// With the code of the country.
    #[error("the numbering plan of country code {0} has no such number: a digit too many, too few or wrong")]
    NotInPlan(u16),
}

/// Reads `+44 (0)20 7183 8750` and `0044-20-71838750` as +442071838750, if the country's numbering plan has it.
pub fn read_number(text: &str) -> Result<E164, NoNumber> {
    let plain: String = text.chars().filter(|c| !is_decoration(*c)).collect();
    if plain.is_empty() {
        return Err(NoNumber::Missing);
    }
    // 00 is what ITU-T E.164 recommends to dial abroad. What other countries dial for it (011 in North America) may be
    // a number's beginning elsewhere.
    let (international, digits) = match (plain.strip_prefix('+'), plain.strip_prefix("00")) {
        (Some(digits), _) | (None, Some(digits)) => (true, digits),
        (None, None) => (false, plain.as_str()),
    };
    if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_digit()) {
        return Err(if is_rounded(text) { NoNumber::Rounded } else { NoNumber::Form(wrong) });
    }
    if !international {
        return Err(NoNumber::National);
    }
    // A trunk prefix in brackets, as in +44 (0)20, is taken out below and does not count.
    if !(E164::MIN_DIGITS..=E164::MAX_DIGITS + 1).contains(&digits.len()) {
        return Err(NoNumber::Length(digits.len()));
    }
    in_plan(digits)
}

/// As spreadsheets show numbers of many digits: `4.42E+11`, or with a comma.
fn is_rounded(text: &str) -> bool {
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.trim().split_once(['E', 'e']).is_some_and(|(mantissa, exponent)| {
        let (whole, fraction) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
        is_digits(whole) && is_digits(fraction) && exponent.strip_prefix('+').is_some_and(is_digits)
    })
}

fn in_plan(digits: &str) -> Result<E164, NoNumber> {
    let number: PhoneNumber = format!("+{digits}").parse().map_err(|_| NoNumber::NoCountry)?;
    let code = u16::try_from(number.country_code).map_err(|_| NoNumber::NoCountry)?;
    if !number.is_valid() {
        return Err(NoNumber::NotInPlan(code));
    }
    // As the plan has it: without a trunk prefix, with the zeros that belong to the number (Italy).
    number.to_string().parse().map_err(|_| NoNumber::NotInPlan(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_in_many_ways() {
        for text in [
            "+442071838750",
            "+44 20 7183 8750",
            " +44 (0)20 7183-8750 ",
            "0044 20 7183 8750",
            "+44.20.7183.8750",
            "+44\u{a0}20/71838750",
            "\u{202a}+44\u{2011}20\u{2009}7183\u{2013}8750\u{202c}",
            "\u{feff}+442071838750\u{200b}",
        ] {
            assert_eq!(read_number(text).map(|number| number.to_string()), Ok("+442071838750".to_owned()), "{text}");
        }
    }

    /// The trunk prefix in brackets is a digit more than a number may have.
    #[test]
    fn the_longest_numbers_have_room_for_a_trunk_prefix() {
        for (text, number) in
            [("+43 (0)1 234567890123", "+431234567890123"), ("0043 1 234567890123", "+431234567890123")]
        {
            assert_eq!(read_number(text).map(|number| number.to_string()), Ok(number.to_owned()), "{text}");
        }
        assert_eq!(read_number("+43 (0)1 2345678901234"), Err(NoNumber::Length(17)));
    }

    #[test]
    fn numbers_of_many_plans() {
        for text in [
            "+12025550123",   // North America
            "+390669881234",  // Italy: the zero belongs to the number
            "+493012345678",  // Germany: lengths differ
            "+4915112345678", // a mobile phone there
            "+33612345678",   // France
            "+80012345678",   // freephone without a country
            "+6561234567",    // Singapore
            "+5511987654321", // Brazil
            "+2348012345678", // Nigeria
        ] {
            assert_eq!(read_number(text).map(|number| number.to_string()), Ok(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_says_why() {
        let cases = [
            ("", NoNumber::Missing),
            (" - ", NoNumber::Missing),
            ("020 7183 8750", NoNumber::National),
            ("2025550123", NoNumber::National),
            ("0", NoNumber::National),
            ("+", NoNumber::Length(0)),
            ("00", NoNumber::Length(0)),
            ("+44 20 7", NoNumber::Length(5)),
            ("+44207183875012345", NoNumber::Length(17)),
            ("+44 20 7183 8750 ext 4", NoNumber::Form('e')),
            ("++442071838750", NoNumber::Form('+')),
            ("4.42E+11", NoNumber::Rounded),
            ("4,42071838750E+11", NoNumber::Rounded),
            ("4.42E", NoNumber::Form('E')),
            ("anna", NoNumber::Form('a')),
            ("+٤٤٢٠٧١٨٣٨٧٥٠", NoNumber::Form('٤')),
            ("+999123456789", NoNumber::NoCountry),
            ("+0442071838750", NoNumber::NoCountry),
            ("+44207183875", NoNumber::NotInPlan(44)),
            ("+1 055 555 0123", NoNumber::NotInPlan(1)),
            ("+3361234567", NoNumber::NotInPlan(33)),
        ];
        for (text, why) in cases {
            assert_eq!(read_number(text), Err(why), "{text}");
        }
    }
}
