//! One line of what applying a configuration would do.

use std::fmt;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum What {
    Added,
    Changed,
    Removed,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    Tenant,
    Number,
    Flow,
    Queue,
    Agent,
    Campaign,
    Trunk,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Tenant => "tenant",
            Kind::Number => "number",
            Kind::Flow => "flow",
            Kind::Queue => "queue",
            Kind::Agent => "agent",
            Kind::Campaign => "campaign",
            Kind::Trunk => "trunk",
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    pub what: What,
    pub kind: Kind,
    /// `acme/sales`: what belongs to a tenant is named after it.
    pub name: String,
    /// Empty when there is no more to say.
    pub detail: String,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.what {
            What::Added => '+',
            What::Changed => '~',
            What::Removed => '-',
        };
        write!(f, "{sign} {} {}", self.kind.as_str(), self.name)?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, ": {}", self.detail) }
    }
}
