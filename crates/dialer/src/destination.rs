//! Whether a number is dialled at all, whoever wants it. A password or a token that was stolen is turned into money by
//! calls to numbers that pay who owns them, so these are not dialled unless somebody has said that they are.

use rlibphonenumber::{PhoneNumber, PhoneNumberType};
use strowger_model::{Destinations, E164, Prefix, Prefixes};

/// Country codes of nobody's country (ITU-T E.164, annex A, and its list of assigned codes): satellites, networks and
/// services that cost like them.
const NO_COUNTRY: [(u64, &str); 7] = [
    (870, "a satellite"),
    (878, "a universal personal number"),
    (881, "a satellite"),
    (882, "an international network"),
    (883, "an international network"),
    (888, "a disaster relief service"),
    (979, "an international premium rate service"),
];

/// Why a number is not dialled, in words for who wanted it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ForbiddenNumber {
    /// Of a kind that costs the caller much.
    #[error("{number} is {kind}: such numbers are not dialled")]
    Costly {
        /// Which number.
        number: E164,
        /// What kind.
        kind: &'static str,
    },
    /// Somebody's list names it.
    #[error("{number} begins with {prefix}, which is not dialled {whose}")]
    Denied {
        /// Which number.
        number: E164,
        /// The longest prefix that fits.
        prefix: Prefix,
        /// For whom, or over what.
        whose: Whose,
    },
    /// Somebody's list has others.
    #[error("{number} is none of the destinations that are dialled {whose}")]
    NotAllowed {
        /// Which number.
        number: E164,
        /// For whom, or over what.
        whose: Whose,
    },
}

/// Whose list it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// The cluster's.
    Everyone,
    /// A tenant's.
    Tenant(String),
    /// A trunk's.
    Trunk(String),
}

impl std::fmt::Display for Whose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Whose::Everyone => f.write_str("here"),
            Whose::Tenant(name) => write!(f, "for tenant {name}"),
            Whose::Trunk(name) => write!(f, "over trunk {name}"),
        }
    }
}

/// Judges a number that a tenant wants to have dialled over a trunk, both by name.
pub fn may_reach(lists: &Destinations, tenant: &str, trunk: &str, number: E164) -> Result<(), ForbiddenNumber> {
    let own = [
        (Some(&lists.everyone), Whose::Everyone),
        (lists.tenants.get(tenant), Whose::Tenant(tenant.to_owned())),
        (lists.trunks.get(trunk), Whose::Trunk(trunk.to_owned())),
    ];
    let own = own.into_iter().filter_map(|(list, whose)| Some((list?, whose)));
    let mut is_meant = false;
    for (list, whose) in own {
        judge(list, whose, number)?;
        is_meant |= longest(&list.costly, number).is_some();
    }
    match costly(number).filter(|_| !is_meant) {
        Some(kind) => Err(ForbiddenNumber::Costly { number, kind }),
        None => Ok(()),
    }
}

fn judge(list: &Prefixes, whose: Whose, number: E164) -> Result<(), ForbiddenNumber> {
    match (longest(&list.allow, number), longest(&list.deny, number)) {
        (allowed, Some(prefix)) if allowed.is_none_or(|allowed| allowed <= prefix) => {
            Err(ForbiddenNumber::Denied { number, prefix, whose })
        }
        (None, _) if !list.allow.is_empty() => Err(ForbiddenNumber::NotAllowed { number, whose }),
        _ => Ok(()),
    }
}

/// A longer one is greater: all that fit begin the same number.
fn longest(prefixes: &[Prefix], number: E164) -> Option<Prefix> {
    prefixes.iter().copied().filter(|prefix| prefix.begins(number)).max()
}

fn costly(number: E164) -> Option<&'static str> {
    let mut code = number.digits();
    while code > 999 {
        code /= 10;
    }
    if let Some((_, kind)) = NO_COUNTRY.iter().find(|(known, _)| *known == code) {
        return Some(kind);
    }
    let read: Option<PhoneNumber> = number.to_string().parse().ok();
    read.filter(|number| number.get_type() == PhoneNumberType::PremiumRate).map(|_| "a premium rate number")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: &str = "+442071838750";
    const PREMIUM: &str = "+449012345678";

    fn number(text: &str) -> E164 {
        text.parse().unwrap()
    }

    fn list(allow: &[&str], deny: &[&str], costly: &[&str]) -> Prefixes {
        let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        Prefixes { allow: all(allow), deny: all(deny), costly: all(costly) }
    }

    fn by(everyone: Prefixes, tenant: Prefixes, trunk: Prefixes) -> Destinations {
        Destinations {
            everyone,
            tenants: [("acme".to_owned(), tenant)].into(),
            trunks: [("carrier".to_owned(), trunk)].into(),
        }
    }

    fn says(lists: &Destinations, text: &str) -> String {
        may_reach(lists, "acme", "carrier", number(text)).map_or_else(|why| why.to_string(), |()| "dialled".to_owned())
    }

    /// Stolen credentials called these within seconds.
    #[test]
    fn premium_rates_and_satellites_are_not_dialled() {
        let nobody = Destinations::default();
        for text in [
            "+88213000001",
            "+882130000012",
            "+881612345678",
            "+870776123456",
            "+88312345678",
            "+979123456789",
            PREMIUM,
        ] {
            assert!(says(&nobody, text).ends_with("such numbers are not dialled"), "{text}: {}", says(&nobody, text));
        }
        for text in ["+19002345678", "+499001234567", "+33899123456"] {
            assert!(says(&nobody, text).contains("a premium rate number"), "{text}: {}", says(&nobody, text));
        }
        // Bangladesh and Taiwan begin alike.
        for text in [ORDINARY, "+8801712345678", "+886223456789", "+12025550123", "+80012345678", "+4915112345678"] {
            assert_eq!(says(&nobody, text), "dialled", "{text}");
        }
    }

    #[test]
    fn what_is_costly_is_dialled_for_whom_it_is_named() {
        let named = list(&[], &[], &["+88213"]);
        let none = Prefixes::default;
        for lists in [by(named.clone(), none(), none()), by(none(), named.clone(), none()), by(none(), none(), named)] {
            assert_eq!(says(&lists, "+88213000001"), "dialled");
            assert_ne!(says(&lists, "+88216000001"), "dialled", "others are as before");
            let other = may_reach(&lists, "beta", "other", number("+88213000001")).is_ok();
            assert_eq!(other, !lists.everyone.costly.is_empty(), "another tenant's, over another trunk");
        }
        let all_of_britain = by(list(&["+44"], &[], &[]), none(), none());
        assert_eq!(says(&all_of_britain, ORDINARY), "dialled");
        assert_ne!(says(&all_of_britain, PREMIUM), "dialled", "a country does not mean its premium rates");
    }

    #[test]
    fn every_list_has_to_let_it_pass_and_of_one_the_longest_prefix_counts() {
        let none = Prefixes::default;
        let london = || list(&["+44", "+442071"], &["+4420"], &[]);
        for (lists, whose) in [
            (by(london(), none(), none()), "here"),
            (by(none(), london(), none()), "for tenant acme"),
            (by(none(), none(), london()), "over trunk carrier"),
        ] {
            assert_eq!(says(&lists, ORDINARY), "dialled");
            let denied = format!("+442081838750 begins with +4420, which is not dialled {whose}");
            assert_eq!(says(&lists, "+442081838750"), denied);
            let others = format!("+12025550123 is none of the destinations that are dialled {whose}");
            assert_eq!(says(&lists, "+12025550123"), others);
        }
        let both = by(list(&["+44"], &[], &[]), list(&["+1"], &[], &[]), none());
        assert_ne!(says(&both, ORDINARY), "dialled", "what one lets pass another does not");
        assert_ne!(says(&both, "+12025550123"), "dialled");
        let same = by(list(&["+44"], &["+44"], &[]), none(), none());
        assert_ne!(says(&same, ORDINARY), "dialled", "in doubt it is denied");
    }
}
