//! One line of what applying a configuration would do.

use std::fmt;

/// What happens to a thing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum What {
    /// It was not there before.
    Added,
    /// It is there under the same name, and another.
    Changed,
    /// Nothing has its name any more.
    Removed,
}

/// Which of the things an operator names is changed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// And all that is its own.
    Tenant,
    /// A number that callers dial.
    Number,
    /// What a caller hears and may choose.
    Flow,
    /// Where callers wait for agents.
    Queue,
    /// Somebody who takes calls, with phones.
    Agent,
    /// What dials leads for a queue.
    Campaign,
    /// A carrier, or an SBC.
    Trunk,
}

impl Kind {
    /// The word for it, in an answer and in what a command prints.
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

/// A thing that would be another than it is in force.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Change {
    /// Whether it comes, changes or goes.
    pub what: What,
    /// Of which sort it is.
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
