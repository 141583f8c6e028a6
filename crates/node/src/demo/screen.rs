//! What a person sees while the demo runs and at its end.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use strowger_phones::Live;

use super::judge::Verdict;

/// One line that renews itself on a terminal; nothing elsewhere.
pub fn live(elapsed: Duration, length: Duration, live: &Live, killed: u32) {
    let mut err = std::io::stderr();
    if !err.is_terminal() {
        return;
    }
    let phase = if elapsed < length { "callers come" } else { "callers finish" };
    let killed = if killed > 0 { "  \x1b[31mone node killed\x1b[0m" } else { "" };
    // A terminal that has gone away misses nothing.
    let _ = write!(
        err,
        "\r\x1b[K{:>4} s  {phase:<14}  placed {:>6}  \x1b[33mwaiting {:>4}\x1b[0m  \x1b[32mtalking {:>4}\x1b[0m  \
         \x1b[36mcalled {:>4}, ringing {:>3}, talking {:>3}\x1b[0m  agents {}/{} busy{killed}",
        elapsed.as_secs(),
        live.calls_placed,
        live.callers_waiting,
        live.callers_talking,
        live.called_ended,
        live.called_ringing,
        live.called_talking,
        live.agents_ringing + live.agents_talking,
        live.agents
    );
}

pub fn end_live() {
    if std::io::stderr().is_terminal() {
        note!("");
    }
}

pub fn verdict(verdict: &Verdict) {
    say!("calls    offered {} of {} due", verdict.offered, verdict.due);
    say!(
        "         answered {}, abandoned {}, served by flow {}, overflowed {}, rejected {}, failed {}, still here {}",
        verdict.answered,
        verdict.abandoned,
        verdict.served_by_flow,
        verdict.overflowed,
        verdict.rejected,
        verdict.failed,
        verdict.still_here
    );
    say!("dialled  {}, connected {}, called twice {}", verdict.dialled, verdict.connected, verdict.dialled_twice);
    say!("relays   {} calls with their legs on two", verdict.on_two_relays);
    say!("audio    checked both ways {}, bad {}", verdict.audio_checked, verdict.audio_bad);
    say!("records  {} of {} matched", verdict.records_matched, verdict.offered);
    say!("wait     p50 {} ms, p99 {} ms", verdict.wait_p50_ms, verdict.wait_p99_ms);
    say!(
        "offer    p50 {} ms, p99 {} ms from an agent's coming free to the INVITE ({} measured)",
        verdict.offer_p50_ms,
        verdict.offer_p99_ms,
        verdict.offers_measured
    );
    say!("killed   {} nodes", verdict.nodes_killed);
    let colour = if verdict.is_good() { "\x1b[32m" } else { "\x1b[31m" };
    let (on, off) = if std::io::stdout().is_terminal() { (colour, "\x1b[0m") } else { ("", "") };
    say!("{on}lost {}, double booked {}, stuck {}{off}", verdict.lost, verdict.double_booked, verdict.stuck);
    verdict.faults.iter().for_each(|fault| say!("  {fault}"));
}
