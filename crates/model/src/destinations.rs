//! Which numbers are dialled.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::E164;

/// The beginning of international numbers: a country code, or more digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Prefix(u64);

/// Text that is no beginning of a number.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("numbers begin with + and 1 to {max} digits, of which the first is not 0", max = E164::MAX_DIGITS)]
pub struct NotAPrefix;

impl Prefix {
    /// Whether a number begins so.
    pub fn begins(self, number: E164) -> bool {
        let mut digits = number.digits();
        while digits > self.0 {
            digits /= 10;
        }
        digits == self.0
    }
}

impl FromStr for Prefix {
    type Err = NotAPrefix;

    fn from_str(text: &str) -> Result<Self, NotAPrefix> {
        let digits = text.strip_prefix('+').ok_or(NotAPrefix)?;
        let is_one = (1..=E164::MAX_DIGITS).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit());
        if is_one { digits.parse().map(Self).map_err(|_| NotAPrefix) } else { Err(NotAPrefix) }
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "+{}", self.0)
    }
}

/// What one of those says who have a word in it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Prefixes {
    /// What is dialled; empty: everything.
    pub allow: Vec<Prefix>,
    /// What of it is not. Of prefixes that fit, the longest counts.
    pub deny: Vec<Prefix>,
    /// Premium rates and satellites that are dialled all the same; nobody else's are.
    pub costly: Vec<Prefix>,
}

/// Which numbers are dialled, as the nodes' own files have it: who may change the cluster's configuration, or has its
/// token, cannot change this. A number is dialled if nobody's list denies it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Destinations {
    /// Of the whole cluster.
    pub everyone: Prefixes,
    /// By name.
    pub tenants: BTreeMap<String, Prefixes>,
    /// By name.
    pub trunks: BTreeMap<String, Prefixes>,
}

/// What there is at most of calls to numbers outside; 0: any number; none: what is said of all, and if nothing is, any
/// number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Caps {
    /// At once.
    pub calls: Option<u32>,
    /// Dialled within an hour, whatever came of it.
    pub numbers_per_hour: Option<u32>,
    /// Of conversation within an hour, those of all calls together.
    pub minutes_per_hour: Option<u32>,
}

impl Caps {
    /// Where these say nothing, others count.
    pub fn or(self, others: Caps) -> Caps {
        Caps {
            calls: self.calls.or(others.calls),
            numbers_per_hour: self.numbers_per_hour.or(others.numbers_per_hour),
            minutes_per_hour: self.minutes_per_hour.or(others.minutes_per_hour),
        }
    }
}

/// The caps of all, as the nodes' own files have them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OutboundCaps {
    /// Of every agent for whom calls are made.
    pub each_agent: Caps,
    /// Of every tenant that has none of its own.
    pub each_tenant: Caps,
    /// Of every trunk that has none of its own.
    pub each_trunk: Caps,
    /// By name.
    pub tenants: BTreeMap<String, Caps>,
    /// By name.
    pub trunks: BTreeMap<String, Caps>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_begins_numbers() {
        let number: E164 = "+442071838750".parse().unwrap();
        for prefix in ["+4", "+44", "+4420", "+442071838750"] {
            assert!(prefix.parse::<Prefix>().unwrap().begins(number), "{prefix}");
        }
        for prefix in ["+5", "+45", "+4421", "+442071838751", "+4420718387500"] {
            assert!(!prefix.parse::<Prefix>().unwrap().begins(number), "{prefix}");
        }
        let [short, long] = ["+44", "+4420"].map(|text| text.parse::<Prefix>().unwrap());
        assert!(long > short, "a longer one counts for more");
    }

    #[test]
    fn what_begins_no_number_is_refused() {
        for text in ["", "+", "44", "+0", "+044", "+44 20", "+4x", "+1234567890123456"] {
            assert_eq!(text.parse::<Prefix>(), Err(NotAPrefix), "{text}");
        }
    }
}
