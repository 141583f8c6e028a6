//! Layouts with versions: what lies on disks and travels between nodes is made of frozen types, not of the rows.
//!
//! A row may change with any build. Its bytes may not: rkyv reads bytes of another layout as garbage and says Ok. So each
//! layout has a module of frozen types (`v1`, later `v2` beside it) with conversions both ways, and the log says which layout
//! is in force ([`Raise`](crate::Command::Raise)). A released module is never edited.

mod frozen;
