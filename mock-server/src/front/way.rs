//! The way of one request through the points at which rules apply.

use std::{sync::Arc, time::Duration};

use regrant_authority::Time;

use super::{
    desk::{self, Desk},
    plan::{Ending, Plan, Verdict},
    reply::Reply,
    request::Request,
    shaping::{self, Shaping},
    whose,
};
use crate::{
    fault::{Fate, Let, Point, RuleId, Turn},
    journal::{Endpoint, Exchange, What},
    state::Shared,
};

/// A request on its way. Knows of no connection: what is to be done with one is in the [`Verdict`].
pub(super) struct Way {
    shared: Arc<Shared>,
    exchange: Exchange,
    request: Request,
    /// What is to be done to the provider's own reply.
    shaping: Shaping,
    /// What befalls the reply once half of it is written.
    interruption: Option<Fate>,
    /// Keeps requests that were released together in the order of their release.
    turn: Option<Turn>,
    /// Where nobody may wait, delays add up here.
    late: Option<Duration>,
}

/// What becomes of a request that does not go on: this is written in place of the provider's reply, or nothing is.
type Instead = Result<Reply, Ending>;

impl Way {
    pub(super) fn new(shared: Arc<Shared>, exchange: Exchange, request: Request) -> Self {
        Self { shared, exchange, request, shaping: Shaping::default(), interruption: None, turn: None, late: None }
    }

    /// For a door that must answer at once: a delay is added to [`lateness`](Self::lateness) instead of waited for.
    #[cfg(feature = "wiremock")]
    pub(super) fn at_once(shared: Arc<Shared>, exchange: Exchange, request: Request) -> Self {
        Self { late: Some(Duration::ZERO), ..Self::new(shared, exchange, request) }
    }

    /// How much later the reply is to be written.
    #[cfg(feature = "wiremock")]
    pub(super) fn lateness(&self) -> Duration {
        self.late.unwrap_or_default()
    }

    pub(super) fn endpoint(&self) -> Endpoint {
        self.request.endpoint
    }

    /// Now, by the clock that dates the reply.
    fn now(&self) -> Time {
        self.shared.clock.now_at(self.request.endpoint)
    }

    pub(super) fn method(&self) -> &str {
        &self.request.method
    }

    /// Decides the request. Until `decided` is passed nothing has changed, except that a read is decided before it.
    /// Dropping the future before it returns leaves either nothing changed or a change in the journal.
    pub(super) async fn answer(&mut self) -> Verdict {
        match self.reply().await {
            Ok(reply) => Verdict::Write(self.plan(reply)),
            Err(ending) => Verdict::End(ending),
        }
    }

    async fn reply(&mut self) -> Instead {
        if let Some(instead) = self.pass(Point::Arrived).await {
            return instead;
        }
        if self.is_authenticated()
            && let Some(instead) = self.pass(Point::Authenticated).await
        {
            return instead;
        }
        let early = desk::is_read(&self.shared, &self.request).then(|| self.decide());
        if let Some(instead) = self.pass(Point::Decided).await {
            return instead;
        }
        let (reply, fate) = match early {
            Some(reply) => (reply, self.take(Point::Committed)),
            None => self.commit(),
        };
        if let Some(fate) = fate
            && let Some(instead) = self.suffer(Point::Committed, fate).await
        {
            return instead;
        }
        Ok(self.shaping.spoil(reply))
    }

    /// How the reply is written. Once half of a reply is out another cannot take its place, so it does from the start.
    fn plan(&mut self, mut reply: Reply) -> Plan {
        match self.take(Point::Replying) {
            None => {}
            Some(fate) => match shaping::instead(&fate, &self.request, self.now()) {
                Some(other) => reply = other,
                None if shaping::is_shape(&fate) => reply = self.shaping.spoil(reply),
                None => self.interruption = Some(fate),
            },
        }
        Plan { reply, asks: self.interruption.is_some(), pace: self.shaping.pace, cut: self.shaping.cut }
    }

    /// Lets the fate of a half written reply run its course; `None`: the rest may follow.
    pub(super) async fn interrupt(&mut self) -> Option<Ending> {
        let fate = self.interruption.take()?;
        self.suffer(Point::Replying, fate).await.and_then(Result::err)
    }

    fn decide(&mut self) -> Reply {
        let reply = Desk::open(&self.shared, self.exchange, self.request.endpoint).decide(&self.request, None);
        self.turn = None;
        reply
    }

    /// Decides what changes something. Its fate at `committed` is found out in the same moment, since it may be the form of what is
    /// committed; it is told and suffered afterwards.
    fn commit(&mut self) -> (Reply, Option<Fate>) {
        if self.shared.rule_count.is_zero() && self.shaping.reshape.is_none() {
            return (self.decide(), None);
        }
        let mut desk = Desk::open(&self.shared, self.exchange, self.request.endpoint);
        let taken = whose::take(&mut desk.state, &self.shared, &self.request, Point::Committed);
        if let Some((_, fate)) = &taken {
            self.shaping.add(fate);
        }
        let reply = desk.decide(&self.request, self.shaping.reshape.as_deref());
        self.turn = None;
        (reply, taken.map(|taken| self.tell(taken)))
    }

    /// Whether the client or the token is good. Asked only where a rule wants to know.
    fn is_authenticated(&self) -> bool {
        !self.shared.rule_count.is_zero()
            && self.shared.state().rules.any_at(Point::Authenticated)
            && desk::is_authenticated(&self.shared, &self.request)
    }

    async fn pass(&mut self, point: Point) -> Option<Instead> {
        let fate = self.take(point)?;
        self.suffer(point, fate).await
    }

    /// The fate that awaits the request here, told to the journal. What it does to the reply is kept in mind.
    fn take(&mut self, point: Point) -> Option<Fate> {
        if self.shared.rule_count.is_zero() {
            return None;
        }
        let taken = whose::take(&mut self.shared.state(), &self.shared, &self.request, point)?;
        self.shaping.add(&taken.1);
        Some(self.tell(taken))
    }

    fn tell(&self, (rule, fate): (RuleId, Fate)) -> Fate {
        self.shared.journal.push(What::Faulted { exchange: self.exchange, rule, fate: fate.word() });
        fate
    }

    /// Lets a fate run its course; `None`: the request goes on.
    async fn suffer(&mut self, point: Point, fate: Fate) -> Option<Instead> {
        match fate {
            Fate::Pass | Fate::Truncate { .. } | Fate::Garble(_) | Fate::Throttle { .. } | Fate::Reshape(_) => None,
            Fate::Delay(span) => {
                self.turn = None;
                match &mut self.late {
                    Some(late) => *late += span,
                    None => tokio::time::sleep(span).await,
                }
                None
            }
            Fate::Hold(gate) => {
                self.turn = None;
                let why = || self.shared.why_nobody_comes(&gate);
                match self.shared.gates.wait(&gate, self.exchange, point, why).await {
                    Let::Go(turn) => {
                        self.turn = Some(turn);
                        None
                    }
                    Let::Open => None,
                    Let::Drop => Some(Err(Ending::Fin)),
                }
            }
            Fate::Status { .. } | Fate::Replace { .. } | Fate::Redirect { .. } => {
                shaping::instead(&fate, &self.request, self.now()).map(Ok)
            }
            Fate::Drop => Some(Err(Ending::Fin)),
            Fate::Reset => Some(Err(Ending::Reset)),
            Fate::Hang => Some(Err(Ending::Hang)),
        }
    }
}
