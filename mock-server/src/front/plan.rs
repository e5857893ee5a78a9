//! How a reply is to be written: what, in which pieces, and how that ends. Knows no socket, so that a connection of HTTP/1.1 and a
//! stream of HTTP/2 can carry out the same plan.

use std::{num::NonZeroU32, ops::Range, time::Duration};

use super::reply::Reply;

/// What is to be done with the connection (or stream) on which a request came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// This is written.
    Write(Plan),
    /// Nothing is written.
    End(Ending),
}

/// How it ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// In order, but early: FIN.
    Fin,
    /// RST.
    Reset,
    /// Not at all, until the subject ends it.
    Hang,
}

/// A reply, and how it is written.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// Its `Content-Length` is that of the whole body, also where less is written.
    pub(super) reply: Reply,
    /// Half way, [`super::way::Way::interrupt`] is asked whether the rest may follow.
    pub(super) asks: bool,
    /// Bytes of the body in a second; the head goes out at once.
    pub(super) pace: Option<NonZeroU32>,
    /// Where the body stops, and how it ends there.
    pub(super) cut: Option<Cut>,
}

/// Where a body stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// After so many bytes of the body; `None`: half of them.
    pub(super) after: Option<usize>,
    pub(super) end: Ending,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stroke {
    /// Write these bytes: those of the head first, then those of the body.
    Write(Range<usize>),
    /// Wait, as long as the subject does.
    Rest(Duration),
    /// Ask the way whether to go on.
    Ask,
    /// It ends here, and is no whole reply.
    End(Ending),
}

/// A paced body goes out in so many pieces a second, if it has as many bytes.
const PIECES: u32 = 10;

impl Plan {
    /// What to do, in order, if the head is `head` bytes long in the same stream (0 if it goes another way) and `body` bytes are to follow.
    pub(super) fn strokes(&self, head: usize, body: usize) -> Strokes {
        let whole = head + body;
        let stop = self.cut.map_or(whole, |cut| head + cut.after.unwrap_or(body / 2).min(body));
        let half = self.asks.then_some((whole / 2).min(stop));
        Strokes { at: 0, head, stop, half, pace: self.pace, rested: true, end: self.cut.map(|cut| cut.end) }
    }
}

/// See [`Plan::strokes`].
#[derive(Debug)]
pub(super) struct Strokes {
    at: usize,
    head: usize,
    stop: usize,
    half: Option<usize>,
    pace: Option<NonZeroU32>,
    rested: bool,
    end: Option<Ending>,
}

impl Iterator for Strokes {
    type Item = Stroke;

    fn next(&mut self) -> Option<Stroke> {
        if self.half.is_some_and(|half| self.at >= half) {
            self.half = None;
            return Some(Stroke::Ask);
        }
        if self.at >= self.stop {
            return self.end.take().map(Stroke::End);
        }
        let mut to = self.half.unwrap_or(self.stop);
        if let Some(pace) = self.pace {
            let piece = pace.get().div_ceil(PIECES);
            if !std::mem::replace(&mut self.rested, true) {
                return Some(Stroke::Rest(Duration::from_secs(1) * piece / pace.get()));
            }
            let next = if self.at < self.head { self.head } else { self.at.saturating_add(piece as usize) };
            to = to.min(next);
            self.rested = false;
        }
        let from = std::mem::replace(&mut self.at, to);
        Some(Stroke::Write(from..to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> Plan {
        Plan { reply: Reply::empty(200), asks: false, pace: None, cut: None }
    }

    fn strokes(plan: &Plan, head: usize, body: usize) -> Vec<Stroke> {
        plan.strokes(head, body).collect()
    }

    #[test]
    fn a_plain_reply_is_one_write() {
        assert_eq!(strokes(&plan(), 40, 60), [Stroke::Write(0..100)]);
        assert_eq!(strokes(&plan(), 0, 0), []);
    }

    #[test]
    fn half_way_the_way_is_asked() {
        let plan = Plan { asks: true, ..plan() };
        assert_eq!(strokes(&plan, 40, 60), [Stroke::Write(0..50), Stroke::Ask, Stroke::Write(50..100)]);
        assert_eq!(strokes(&plan, 0, 0), [Stroke::Ask], "also where there is nothing to write");
    }

    #[test]
    fn a_cut_body_keeps_its_head() {
        let cut = |after| Plan { cut: Some(Cut { after, end: Ending::Reset }), ..plan() };
        assert_eq!(strokes(&cut(Some(3)), 40, 60), [Stroke::Write(0..43), Stroke::End(Ending::Reset)]);
        assert_eq!(strokes(&cut(None), 40, 60), [Stroke::Write(0..70), Stroke::End(Ending::Reset)]);
        assert_eq!(strokes(&cut(Some(0)), 0, 60), [Stroke::End(Ending::Reset)]);
        assert_eq!(strokes(&cut(Some(900)), 40, 60), [Stroke::Write(0..100), Stroke::End(Ending::Reset)]);
    }

    #[test]
    fn a_paced_body_drips() {
        let plan = Plan { pace: NonZeroU32::new(25), ..plan() };
        let rest = Stroke::Rest(Duration::from_millis(120));
        let wanted =
            [Stroke::Write(0..40), rest.clone(), Stroke::Write(40..43), rest.clone(), Stroke::Write(43..46), rest, Stroke::Write(46..47)];
        assert_eq!(strokes(&plan, 40, 7), wanted);
    }

    #[test]
    fn every_byte_is_written_once_whatever_the_plan() {
        for asks in [false, true] {
            for pace in [None, NonZeroU32::new(1), NonZeroU32::new(95)] {
                let plan = Plan { asks, pace, ..plan() };
                let mut at = 0;
                for stroke in plan.strokes(33, 71) {
                    if let Stroke::Write(range) = stroke {
                        assert_eq!(range.start, at);
                        at = range.end;
                    }
                }
                assert_eq!(at, 104, "{asks} {pace:?}");
            }
        }
    }
}
