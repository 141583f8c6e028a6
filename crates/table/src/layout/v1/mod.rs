//! Layout 1: the whole of it. `text.txt` says it field by field, and a test that the types are what it says.

mod call;
mod command;
mod config;
mod row;
mod sip;
mod state;

use strowger_model::schema;

use super::bytes::Layout;

#[cfg(feature = "next-layout")]
pub(super) use self::call::*;
pub(super) use self::command::*;
pub(super) use self::config::*;
#[cfg(feature = "next-layout")]
pub(super) use self::row::*;
#[cfg(feature = "next-layout")]
pub(super) use self::sip::*;
pub(super) use self::state::*;

pub(super) const TEXT: &str = include_str!("text.txt");
pub(super) const LAYOUT: Layout = Layout { number: 1, schema: schema(TEXT) };

#[cfg(test)]
pub(super) fn text(out: &mut String) {
    sip::text(out);
    config::text(out);
    call::text(out);
    row::text(out);
    command::text(out);
    state::text(out);
}
