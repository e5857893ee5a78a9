//! The one place that hands out access tokens and refreshes them.
//!
//! At most one refresh is in flight; whoever needs a token meanwhile waits for its result. An answer of Pleo's speaks of the token
//! that was sent: if the store holds another by then, the answer changes nothing.

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{MutexGuard, watch},
    time::Instant,
};

use super::{
    answer::{Granted, Outcome},
    flaw::{Flaw, Flaws},
    flight::{InFlight, Settled},
    lease, log,
    neighbours::Copies,
    notices::Notices,
    oauth::Pleo,
    spoil::Memory,
    store::{Disk, Life, Snapshot, State, Store, StoreError},
};

/// Attempts on a passing fault for one stimulus.
const ATTEMPTS: u32 = 3;
/// The pause after the first attempt; each further one is three times as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// A longer wait than this is left to the next stimulus.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Planted: how long the second half of a pair waits to be written, and a refused refresh to be repeated.
const SECOND_STEP: Duration = Duration::from_millis(400);
/// A server cannot silence us for longer.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// An access token, and which one it is.
#[derive(Clone)]
pub(crate) struct Access {
    pub(crate) token: String,
    pub(crate) generation: u64,
}

/// Why a token is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// For a first call.
    Call,
    /// The API took the token of this generation for none (401).
    Rejected(u64),
    /// The API forbade the token of this generation something (403).
    Forbidden(u64),
}

impl Need {
    fn refuses(self, generation: u64) -> bool {
        match self {
            Self::Call => false,
            Self::Rejected(refused) | Self::Forbidden(refused) => refused == generation,
        }
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unavailable {
    #[error("the user must reconnect")]
    NotConnected,
    #[error("Pleo refuses the client credentials")]
    ClientRefused,
    #[error("Pleo's token endpoint does not answer as it should")]
    Passing,
    /// Only a planted defect does that.
    #[error("another refresh was in the way")]
    GaveUpWaiting,
    /// Only a planted defect does that, too.
    #[error("a call met 401 while another one refreshed")]
    NotRepeated,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What may be done with the connection as it stands.
enum Standing {
    Usable(Access),
    Stale(Box<Snapshot>),
    Closed(Unavailable),
}

/// The last refresh that came to nothing.
#[derive(Default)]
struct Failure {
    /// Stimuli up to this one have had their attempts.
    stimulus: Option<u64>,
    /// The server asked to be left alone until then.
    not_before: Option<Instant>,
}

/// Hands out access tokens.
pub(crate) struct Tokens {
    store: Arc<Store>,
    pleo: Arc<Pleo>,
    notices: Notices,
    flaws: Flaws,
    gate: tokio::sync::Mutex<()>,
    /// The gate among the processes that share the store.
    lock: PathBuf,
    /// The generation whose refresh is in flight; 0: none.
    in_flight: AtomicU64,
    /// The generation that the API rejected and that could not be refreshed since: no call is made with it. 0: none.
    rejected: AtomicU64,
    /// Counts work that was asked for; see [`Failure::stimulus`].
    stimuli: watch::Sender<u64>,
    /// Counts changes of the connection.
    changes: watch::Sender<u64>,
    /// Counts its ends.
    ends: watch::Sender<u64>,
    failure: Mutex<Failure>,
    /// What planted defects remember.
    pub(crate) memory: Memory,
    /// What a planted defect knows of the other connections.
    pub(super) others: OnceLock<Vec<Arc<Store>>>,
}

impl Tokens {
    pub(crate) fn new(store: Arc<Store>, pleo: Arc<Pleo>, dir: PathBuf, flaws: Flaws) -> Self {
        let lock = dir.join("refresh.lock");
        let memory = Memory::new(flaws, dir, &store);
        if flaws.has(Flaw::DropsExpiredAtStart) {
            let expired = |now: &Snapshot| now.life.is_some_and(|life| life.ends <= log::unix_millis());
            drop(store.transit(|now| expired(now).then(|| (now.without_tokens(State::NeedsReauth, "expired"), Disk::Same))));
        }
        Self {
            store,
            pleo,
            notices: Notices::new(flaws),
            flaws,
            gate: tokio::sync::Mutex::new(()),
            lock,
            in_flight: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
            stimuli: watch::Sender::new(0),
            changes: watch::Sender::new(0),
            ends: watch::Sender::new(0),
            failure: Mutex::new(Failure::default()),
            memory,
            others: OnceLock::new(),
        }
    }

    /// Counts a stimulus and wakes whoever works.
    pub(crate) fn stimulate(&self) {
        self.stimuli.send_modify(|count| *count += 1);
    }

    /// Tells of the connection's ends.
    pub(crate) fn ends(&self) -> watch::Receiver<u64> {
        self.ends.subscribe()
    }

    /// Tells of stimuli.
    pub(crate) fn stimuli(&self) -> watch::Receiver<u64> {
        self.stimuli.subscribe()
    }

    /// An access token that may be used now, refreshed if need be.
    pub(crate) async fn access(&self, need: Need, stimulus: u64) -> Result<Access, Unavailable> {
        if self.memory.gave_up() {
            return Err(Unavailable::Passing);
        }
        if self.memory.jumps_to_the_end(self.flaws, need) {
            let now = self.store.snapshot()?;
            if need.refuses(now.generation) {
                self.end(&now, "unauthorized")?;
            }
        }
        if self.flaws.has(Flaw::OpensAnotherWay) && self.store.snapshot()?.state == State::NeedsReauth {
            self.pleo.another_way().await;
        }
        let found = self.find(need, stimulus).await;
        if matches!(found, Err(Unavailable::NotConnected))
            && let Some(dead) = self.memory.dead_refresh(stimulus)
        {
            drop(self.pleo.refresh(&dead).await);
        }
        self.memory.hand_out(self.flaws, need, found)
    }

    async fn find(&self, need: Need, stimulus: u64) -> Result<Access, Unavailable> {
        let mut changes = self.changes.subscribe();
        loop {
            changes.borrow_and_update();
            let busy = self.in_flight.load(Ordering::SeqCst);
            match self.standing(need)? {
                Standing::Usable(access) if access.generation != busy => return self.renewed_elsewhere(need, access),
                Standing::Closed(why) => return Err(why),
                Standing::Usable(_) | Standing::Stale(_) => {}
            }
            if self.flaws.has(Flaw::NoSingleFlight) || self.flaws.has(Flaw::LoserPurges) {
                return self.refreshed(need, stimulus).await;
            }
            if self.flaws.has(Flaw::WaitersFail) && self.gate.try_lock().is_err() {
                return Err(Unavailable::GaveUpWaiting);
            }
            tokio::select! {
                turn = self.turn() => {
                    let turn = turn?;
                    let answer = self.refreshed(need, stimulus).await;
                    drop(turn);
                    return answer;
                }
                // A reconnection need not wait for the end of an old refresh.
                _ = changes.changed() => {}
            }
        }
    }

    /// Waits until nobody refreshes: no task of this process, and no other process.
    async fn turn(&self) -> Result<(MutexGuard<'_, ()>, lease::Turn), StoreError> {
        let task = self.gate.lock().await;
        Ok((task, lease::turn(self.flaws, &self.lock).await?))
    }

    /// Waits until no refresh of this process is in flight.
    pub(crate) async fn at_rest(&self) {
        drop(self.gate.lock().await);
    }

    /// Takes the pair of a successful login, over whatever was there, and at once.
    pub(crate) fn connect(&self, granted: &Granted) -> Result<(), StoreError> {
        self.memory.before_connect(self.flaws, &self.store)?;
        self.store.transit(|now| {
            let next = self.with(now, granted, granted.refresh.clone());
            let disk = if now.state == State::NotConnected { Disk::Same } else { self.memory.reconnection(self.flaws) };
            Some((next, disk))
        })?;
        self.memory.after_save(self.flaws, &self.store);
        *self.failure() = Failure::default();
        self.changed();
        self.stimulate();
        Ok(())
    }

    /// Forgets the tokens because the user says so; returns the access token for the farewell.
    pub(crate) fn disconnect(&self) -> Result<Option<String>, StoreError> {
        let mut access = None;
        self.store.transit(|now| {
            access = now.access.clone();
            Some((now.without_tokens(State::NotConnected, "disconnected"), Disk::Same))
        })?;
        self.changed();
        Ok(access)
    }

    /// Forgets tokens that are good, but not for us: the user has to log in again.
    pub(crate) fn discard(&self, cause: &str) -> Result<(), StoreError> {
        self.store.transit(|now| Some((now.without_tokens(State::NeedsReauth, cause), Disk::Same)))?;
        self.changed();
        Ok(())
    }

    fn standing(&self, need: Need) -> Result<Standing, StoreError> {
        let now = self.memory.remembered(self.flaws, self.store.snapshot()?);
        Ok(match now.state {
            State::NotConnected | State::NeedsReauth => Standing::Closed(Unavailable::NotConnected),
            State::Error if now.refused_client.as_deref() == Some(self.pleo.fingerprint()) && !self.flaws.has(Flaw::InvalidClientLoop) => {
                Standing::Closed(Unavailable::ClientRefused)
            }
            State::Error => Standing::Stale(Box::new(now)),
            State::Connected if now.refresh.is_none() && self.flaws.has(Flaw::StandsStill) => Standing::Closed(Unavailable::Passing),
            State::Connected => {
                let refused = need.refuses(now.generation) || self.rejected.load(Ordering::SeqCst) == now.generation;
                let due = now.life.is_some_and(|life| life.due(log::unix_millis()));
                match &now.access {
                    Some(token)
                        if !refused
                            && (!due || self.flaws.has(Flaw::IgnoresExpiry))
                            && !self.memory.renews(self.flaws, need, now.generation) =>
                    {
                        Standing::Usable(Access { token: token.clone(), generation: now.generation })
                    }
                    Some(_) | None => Standing::Stale(Box::new(now)),
                }
            }
        })
    }

    /// Refreshes within bounds; the gate is held.
    async fn refreshed(&self, need: Need, stimulus: u64) -> Result<Access, Unavailable> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 0;
        let limit = self.memory.attempts(self.flaws, ATTEMPTS);
        let now = loop {
            let now = match self.standing(need)? {
                Standing::Usable(access) if attempt == 0 => return self.renewed_elsewhere(need, access),
                Standing::Usable(access) => return Ok(access),
                Standing::Closed(why) => return Err(why),
                Standing::Stale(now) => now,
            };
            if attempt == 0 {
                self.patience(stimulus).await?;
            }
            if attempt == limit {
                break now;
            }
            attempt += 1;
            match self.attempt(&now, need, attempt).await? {
                Settled::Done if self.flaws.has(Flaw::KeepsFirstExpiry) => return self.whatever_is_stored(),
                Settled::Done => {}
                Settled::Passing { retry_after, repeat, lost } => {
                    let wait = retry_after.unwrap_or(pause);
                    if !repeat || wait > LONGEST_WAIT || attempt == limit || self.memory.enough(self.flaws, attempt, ATTEMPTS, lost) {
                        break now;
                    }
                    tokio::time::sleep(self.memory.pause(self.flaws, wait, lost)).await;
                    pause = (pause * 3).min(LONGEST_WAIT);
                }
            }
        };
        self.memory.came_to_nothing(self.flaws);
        if need == Need::Rejected(now.generation) {
            self.rejected.store(now.generation, Ordering::SeqCst);
        }
        // A login may have succeeded in the last moment.
        match self.standing(need)? {
            Standing::Usable(access) if access.generation != now.generation => Ok(access),
            Standing::Closed(why) => Err(why),
            Standing::Usable(_) | Standing::Stale(_) => Err(Unavailable::Passing),
        }
    }

    /// Planted: the token that a refresh has brought, which looks as if it were over.
    fn whatever_is_stored(&self) -> Result<Access, Unavailable> {
        let now = self.store.snapshot()?;
        let access = now.access.map(|token| Access { token, generation: now.generation });
        access.ok_or(Unavailable::NotConnected)
    }

    /// The token is good, though we did nothing for it.
    fn renewed_elsewhere(&self, need: Need, access: Access) -> Result<Access, Unavailable> {
        if need != Need::Call && self.flaws.has(Flaw::NoReplay) { Err(Unavailable::NotRepeated) } else { Ok(access) }
    }

    async fn attempt(&self, now: &Snapshot, need: Need, attempt: u32) -> Result<Settled, Unavailable> {
        let Some(refresh) = now.refresh.as_deref() else {
            if self.flaws.has(Flaw::MarkInMemory) {
                return Err(Unavailable::NotConnected);
            }
            self.end(now, "no_refresh_token")?;
            return Ok(Settled::Done);
        };
        let served = *self.stimuli.borrow();
        self.memory.sets_out(*self.changes.borrow());
        self.notices.refreshing(attempt);
        let flight = InFlight::begin(&self.in_flight, now.generation);
        let copies = Copies::of(&self.others);
        let outcome = self.pleo.refresh(refresh).await;
        let settled = copies.written_with(|| self.settle(now, need, outcome, attempt));
        drop(flight);
        if let Ok(Settled::Passing { retry_after, .. }) = &settled {
            let not_before = retry_after.map(|wait| Instant::now() + wait.min(LONGEST_SILENCE));
            *self.failure() = Failure { stimulus: Some(served), not_before };
        }
        settled
    }

    /// Leaves the server alone as long as it asked for, and does not try again for a stimulus that had its attempts.
    async fn patience(&self, stimulus: u64) -> Result<(), Unavailable> {
        let wait = {
            let failure = self.failure();
            if failure.stimulus.is_some_and(|served| stimulus <= served) && !self.flaws.has(Flaw::HammersOn503) {
                return Err(Unavailable::Passing);
            }
            failure.not_before.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default()
        };
        if self.flaws.has(Flaw::IgnoresRetryAfter) {
            return Ok(());
        }
        if wait > LONGEST_WAIT {
            return Err(Unavailable::Passing);
        }
        tokio::time::sleep(wait).await;
        Ok(())
    }

    fn settle(&self, sent: &Snapshot, need: Need, outcome: Outcome, attempt: u32) -> Result<Settled, Unavailable> {
        match outcome {
            Outcome::Granted(granted) => {
                self.notices.refreshed(granted.lasts);
                *self.failure() = Failure::default();
                self.replace(sent, &granted)?;
                Ok(Settled::Done)
            }
            Outcome::Refused { code, status } => {
                self.notices.refused(&code, status);
                self.memory.learns();
                if self.flaws.has(Flaw::RetriesBeforeItEnds) && attempt < ATTEMPTS {
                    return Ok(Settled::Passing { retry_after: Some(SECOND_STEP), repeat: true, lost: false });
                }
                let caused = need != Need::Call || self.rejected.load(Ordering::SeqCst) == sent.generation;
                if self.memory.shrugs(self.flaws, self.pleo.fingerprint(), sent, caused, &code) {
                    return Ok(Settled::Passing { retry_after: None, repeat: false, lost: false });
                }
                self.end(sent, &code)?;
                Ok(Settled::Done)
            }
            Outcome::ClientRefused { status } => {
                self.notices.client_refused(status);
                let fingerprint = self.pleo.fingerprint().to_owned();
                self.change(sent, |now| (now.with_refused_client(fingerprint), Disk::Same))?;
                if self.flaws.has(Flaw::InvalidClientLoop) {
                    return Ok(Settled::Passing { retry_after: None, repeat: true, lost: true });
                }
                Ok(Settled::Done)
            }
            Outcome::Passing { what, retry_after, repeat, lost } => {
                self.notices.unavailable(&what, attempt);
                if self.flaws.has(Flaw::PurgesOn503) {
                    self.end(sent, "temporarily_unavailable")?;
                    return Ok(Settled::Done);
                }
                let retry_after = retry_after.filter(|_| !self.flaws.has(Flaw::IgnoresRetryAfter));
                Ok(Settled::Passing { retry_after, repeat, lost })
            }
        }
    }

    fn replace(&self, sent: &Snapshot, granted: &Granted) -> Result<(), Unavailable> {
        let refresh = granted.refresh.clone().or_else(|| sent.refresh.clone());
        self.change(sent, |now| {
            let next = self.memory.refreshed(self.flaws, sent, self.with(now, granted, refresh), granted.refresh.is_some());
            let disk = self.memory.saving(self.flaws, sent, &next);
            (next, disk)
        })?;
        self.memory.after_save(self.flaws, &self.store);
        if self.flaws.has(Flaw::SavesInTwoSteps) {
            let store = Arc::clone(&self.store);
            tokio::spawn(async move {
                tokio::time::sleep(SECOND_STEP).await;
                drop(store.flush());
            });
        }
        Ok(())
    }

    fn end(&self, sent: &Snapshot, cause: &str) -> Result<(), Unavailable> {
        let whose = if self.flaws.has(Flaw::LoserPurges) { self.store.snapshot()? } else { sent.clone() };
        let ended = self.change(&whose, |now| self.memory.end(self.flaws, now, now.without_tokens(State::NeedsReauth, cause)))?;
        if ended {
            self.ends.send_modify(|count| *count += 1);
            self.notices.ended(cause);
            self.memory.after_end(self.flaws, &self.store, sent);
        }
        Ok(())
    }

    /// Changes the connection if it still is what was sent.
    fn change(&self, sent: &Snapshot, to: impl FnOnce(&Snapshot) -> (Snapshot, Disk)) -> Result<bool, Unavailable> {
        let late = self.memory.overwrites(self.flaws, *self.changes.borrow());
        let changed = self.store.transit(|now| (late || now.generation == sent.generation).then(|| to(now)))?.is_some();
        if changed {
            self.changed();
        } else {
            self.notices.outdated();
        }
        Ok(changed)
    }

    fn with(&self, now: &Snapshot, granted: &Granted, refresh: Option<String>) -> Snapshot {
        let life = granted.lasts.map(|lasts| {
            let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
            Life { ends: log::unix_millis().saturating_add(lasts), lasts }
        });
        now.with_pair(granted.access.clone(), refresh, life, self.pleo.fingerprint().to_owned())
    }

    fn changed(&self) {
        self.memory.learns();
        self.changes.send_modify(|count| *count += 1);
    }

    fn failure(&self) -> std::sync::MutexGuard<'_, Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
