//! How a call's segments are made: begun and ended by `apply` alone, from instants that owners send.

use strowger_model::{AgentId, LegKey, LogTime, QueueId};

use super::call::Call;
use super::leg::Leg;
use super::segment::{How, Segment, SegmentKind};
use crate::{Refusal, limit};

/// A piece that begins.
#[derive(Clone, Copy)]
pub(crate) struct Piece {
    pub kind: SegmentKind,
    pub leg: Option<LegKey>,
    pub queue: Option<QueueId>,
    pub agent: Option<AgentId>,
    pub from: LogTime,
}

impl Piece {
    /// Of the call or its place.
    pub fn of_call(kind: SegmentKind, queue: Option<QueueId>, from: LogTime) -> Self {
        Self { kind, leg: None, queue, agent: None, from }
    }

    pub fn of_leg(kind: SegmentKind, leg: &Leg, from: LogTime) -> Self {
        Self { kind, leg: Some(leg.key), queue: leg.queue, agent: leg.agent(), from }
    }
}

impl Call {
    /// Whether another wait finds room in the story.
    pub(crate) fn can_wait(&self) -> bool {
        self.segments.len() < limit::SEGMENTS - limit::SEGMENTS_SPARE
    }

    /// Whether the story tells that this leg has talked.
    pub(crate) fn has_talked(&self, leg: LegKey) -> bool {
        self.segments.iter().any(|piece| piece.kind == SegmentKind::Talk && piece.leg == Some(leg))
    }

    /// When something is told to have happened that was observed at `at`: an observer's clock may lag behind what is
    /// already told.
    pub(crate) fn told_at(&self, at: LogTime) -> LogTime {
        let told = self.segments.iter().map(|piece| piece.to.unwrap_or(piece.from));
        told.fold(at.max(self.times.admitted), LogTime::max)
    }

    /// Begins a piece; returns its number. A call with too many adds what rings or holds to the last of its kind.
    pub(crate) fn begin(&mut self, piece: Piece) -> Result<u16, Refusal> {
        let most = match piece.kind {
            SegmentKind::Talk | SegmentKind::Wrap => limit::SEGMENTS,
            _ => limit::SEGMENTS - limit::SEGMENTS_SPARE,
        };
        if self.segments.len() >= most {
            let adds_up = piece.kind.adds_up() || piece.kind == SegmentKind::Wrap;
            if adds_up && self.segments.iter().any(|segment| segment.kind == piece.kind) {
                return self.add_to_last(piece);
            }
            if !adds_up || self.segments.len() >= limit::SEGMENTS {
                return Err(Refusal::Full);
            }
        }
        let no = self.next.segment;
        self.next.segment += 1;
        let Piece { kind, leg, queue, agent, from } = piece;
        self.segments.change(|segments| {
            segments.push(Segment {
                no,
                kind,
                leg,
                queue,
                agent,
                party: None,
                from,
                to: None,
                how: How::Open,
                by: None,
                code: None,
                n: 1,
                spent: 0,
            });
        });
        Ok(no)
    }

    fn add_to_last(&mut self, piece: Piece) -> Result<u16, Refusal> {
        self.segments.change(|segments| {
            let last = segments.iter_mut().rev().find(|segment| segment.kind == piece.kind).ok_or(Refusal::Full)?;
            last.n = last.n.saturating_add(1);
            if let Some(to) = last.to.take() {
                last.spent += to.since(last.from).as_micros() as u64;
                last.from = piece.from;
                last.how = How::Open;
                (last.leg, last.agent, last.queue) = (piece.leg, piece.agent, piece.queue);
            }
            Ok(last.no)
        })
    }

    /// Ends what lasts and is wanted. A clock that lags behind what is already told ends it where it began.
    pub(crate) fn finish_pieces(&mut self, at: LogTime, how: How, wanted: impl Fn(&Segment) -> bool) {
        if !self.segments.iter().any(|segment| segment.is_open() && wanted(segment)) {
            return;
        }
        self.segments.change(|segments| {
            for segment in segments.iter_mut().filter(|segment| segment.is_open() && wanted(segment)) {
                segment.to = Some(at.max(segment.from));
                segment.how = how;
            }
        });
    }

    /// How the call went, as the agent of a piece says.
    pub(crate) fn say_code(&mut self, piece: u16, code: String) {
        self.segments.change(|segments| {
            if let Some(segment) = segments.iter_mut().find(|segment| segment.no == piece) {
                segment.code = Some(code);
            }
        });
    }

    /// Ends the pieces of a leg but for the work after it.
    pub(crate) fn finish_leg_pieces(&mut self, leg: LegKey, at: LogTime, how: How) {
        self.finish_pieces(at, how, |segment| segment.leg == Some(leg) && segment.kind != SegmentKind::Wrap);
    }
}
