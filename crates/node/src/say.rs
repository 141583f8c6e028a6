//! What a command says: answers on standard output, faults and news on standard error.
//!
//! Whoever reads may stop reading (`strowger calls | head`): that ends the command, quietly. `println!` would panic.

use std::fmt::Arguments;
use std::io::{ErrorKind, Write as _};
use std::process::exit;

/// A line of an answer.
macro_rules! say {
    ($($word:tt)*) => { $crate::say::answer(format_args!($($word)*)) };
}
/// A line for people beside the answer: a fault, or what to do.
macro_rules! note {
    ($($word:tt)*) => { $crate::say::aside(format_args!($($word)*)) };
}
pub(crate) fn answer(line: Arguments<'_>) {
    match writeln!(std::io::stdout(), "{line}") {
        Ok(()) => {}
        Err(fault) if fault.kind() == ErrorKind::BrokenPipe => exit(0),
        Err(fault) => {
            note!("strowger: cannot write the answer: {fault}; is the disk full?");
            exit(1)
        }
    }
}

pub(crate) fn aside(line: Arguments<'_>) {
    // Where nobody listens there is nobody to tell.
    let _gone = writeln!(std::io::stderr(), "{line}");
}
