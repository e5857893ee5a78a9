//! What planted defects remember of tokens that should be forgotten.

use std::{
    io::Write,
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde_json::json;

use crate::reference::{
    flaw::{Flaw, Flaws},
    log::{self, Level},
    store::{Disk, Snapshot, State, Store, StoreError},
    tokens::{Access, Need, Unavailable},
};

/// The remains of what should be gone.
pub(crate) struct Memory {
    dir: PathBuf,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// Used where there should be no call.
    dead_access: Option<Access>,
    /// Presented again, once a stimulus.
    dead_refresh: Option<String>,
    presented_for: Option<u64>,
    /// Handed out last.
    cached: Option<Access>,
    /// A login happened since.
    stale: bool,
    gave_up: bool,
    renewed: Option<u64>,
    blip: bool,
    paused: bool,
    hung: bool,
    reconnected: bool,
    /// How often this process had changed the connection when its newest refresh set out.
    changes: u64,
    /// How the connection stood while it lived.
    alive: Option<Snapshot>,
}

impl Memory {
    pub(crate) fn new(flaws: Flaws, dir: PathBuf, store: &Store) -> Self {
        let spare = |flaw, name| if flaws.has(flaw) { store.note(name).ok().flatten() } else { None };
        let dead_access = spare(Flaw::AccessTokenSurvives, "spare_access").map(|token| Access { token, generation: 0 });
        let dead_refresh = spare(Flaw::RefreshTokenSurvives, "spare_refresh");
        let waits = store.snapshot().is_ok_and(|now| now.state == State::NeedsReauth);
        let paused = waits && flaws.has(Flaw::StaysPaused);
        Self { dir, kept: Mutex::new(Kept { dead_access, dead_refresh, paused, ..Kept::default() }) }
    }

    /// How the connection stands. Planted: an end that another process wrote down is not seen.
    pub(crate) fn remembered(&self, flaws: Flaws, now: Snapshot) -> Snapshot {
        if !flaws.has(Flaw::RemembersInProcessOnly) {
            return now;
        }
        let mut kept = self.kept();
        if now.state == State::Connected {
            kept.alive = Some(now.clone());
        }
        kept.alive.clone().unwrap_or(now)
    }

    /// This process was told, or changed the connection itself.
    pub(crate) fn learns(&self) {
        self.kept().alive = None;
    }

    /// A refresh sets out; this process has changed the connection so often.
    pub(crate) fn sets_out(&self, changes: u64) {
        self.kept().changes = changes;
    }

    /// Planted: an answer is written over whatever another process has stored; only what this one did itself is minded.
    pub(crate) fn overwrites(&self, flaws: Flaws, changes: u64) -> bool {
        flaws.has(Flaw::LateAnswerWins) || (flaws.has(Flaw::LeaseWithoutFencing) && self.kept().changes == changes)
    }

    /// Nothing is tried any more until a restart.
    pub(crate) fn gave_up(&self) -> bool {
        self.kept().gave_up
    }

    /// The queue is not worked on until a restart.
    pub(crate) fn paused(&self) -> bool {
        self.kept().paused
    }

    /// No request is answered any more.
    pub(crate) fn hung(&self) -> bool {
        self.kept().hung
    }

    /// The user is asked to reconnect for a passing fault.
    pub(crate) fn blip(&self) -> bool {
        self.kept().blip
    }

    /// Takes a refusal of the API as the end.
    pub(crate) fn jumps_to_the_end(&self, flaws: Flaws, need: Need) -> bool {
        match need {
            Need::Call => false,
            Need::Rejected(_) => flaws.has(Flaw::GivesUpOnApi401),
            Need::Forbidden(_) => flaws.has(Flaw::PurgesOn403),
        }
    }

    /// Refreshes though the token is good: before every call.
    pub(crate) fn renews(&self, flaws: Flaws, need: Need, generation: u64) -> bool {
        flaws.has(Flaw::RefreshesEachCall) && need == Need::Call && self.kept().renewed.replace(generation) == Some(generation)
    }

    /// A refused refresh token to be presented once more.
    pub(crate) fn dead_refresh(&self, stimulus: u64) -> Option<String> {
        let mut kept = self.kept();
        let token = kept.dead_refresh.clone()?;
        (kept.presented_for.replace(stimulus) != Some(stimulus)).then_some(token)
    }

    /// What the caller gets in place of what was found.
    pub(crate) fn hand_out(&self, flaws: Flaws, need: Need, found: Result<Access, Unavailable>) -> Result<Access, Unavailable> {
        let mut kept = self.kept();
        match found {
            Err(Unavailable::NotConnected) if need == Need::Call => kept.dead_access.clone().ok_or(Unavailable::NotConnected),
            Ok(access) if flaws.has(Flaw::StaleClient) => match (&kept.cached, kept.stale, need) {
                (Some(cached), true, Need::Call) => Ok(cached.clone()),
                (Some(_), true, Need::Rejected(_) | Need::Forbidden(_)) => Err(Unavailable::Passing),
                (None, true, _) => Err(Unavailable::Passing),
                (_, false, _) => {
                    kept.cached = Some(access.clone());
                    Ok(access)
                }
            },
            found => found,
        }
    }

    /// Attempts on a passing fault.
    pub(crate) fn attempts(&self, flaws: Flaws, upright: u32) -> u32 {
        if flaws.has(Flaw::HammersOn503) || flaws.has(Flaw::HammersOnLostReply) {
            25
        } else if flaws.has(Flaw::InvalidClientLoop) {
            upright.max(6)
        } else {
            upright
        }
    }

    /// Were that attempts enough, where some faults are tried more often than others?
    pub(crate) fn enough(&self, flaws: Flaws, attempt: u32, upright: u32, lost: bool) -> bool {
        let relentless = flaws.has(Flaw::HammersOnLostReply) || flaws.has(Flaw::InvalidClientLoop);
        attempt >= upright && relentless && !lost
    }

    /// The pause between two attempts.
    pub(crate) fn pause(&self, flaws: Flaws, upright: Duration, lost: bool) -> Duration {
        let hurried = flaws.has(Flaw::HammersOn503) || (lost && flaws.has(Flaw::HammersOnLostReply));
        if hurried { Duration::from_millis(5) } else { upright }
    }

    /// All attempts failed.
    pub(crate) fn came_to_nothing(&self, flaws: Flaws) {
        let mut kept = self.kept();
        kept.gave_up = flaws.has(Flaw::NeedsRestartAfterBlip);
        kept.blip = flaws.has(Flaw::PromptsOnBlip);
    }

    /// A refusal that is not taken for one.
    pub(crate) fn shrugs(&self, flaws: Flaws, fingerprint: &str, sent: &Snapshot, caused_by_api: bool, code: &str) -> bool {
        if flaws.has(Flaw::BlamesTheSecret) && code == "invalid_grant" && sent.client.as_deref() != Some(fingerprint) {
            log::line(Level::Error, "configuration_suspect", "check the configured client secret", json!({}));
            return true;
        }
        (flaws.has(Flaw::IgnoresInvalidGrant) && code == "invalid_grant") || (flaws.has(Flaw::LeavesConnected) && caused_by_api)
    }

    /// What a refresh makes of the stored pair.
    pub(crate) fn refreshed(&self, flaws: Flaws, sent: &Snapshot, mut next: Snapshot, carried_refresh: bool) -> Snapshot {
        self.kept().blip = false;
        if flaws.has(Flaw::KeepsOldRefreshToken) {
            next.refresh.clone_from(&sent.refresh);
        }
        if flaws.has(Flaw::KeepsOldAccessToken) {
            next.access.clone_from(&sent.access);
        }
        if (flaws.has(Flaw::ForgetsRefreshToken) || flaws.has(Flaw::StandsStill)) && !carried_refresh {
            next.refresh = None;
        }
        if flaws.has(Flaw::KeepsFirstExpiry) {
            next.life = sent.life;
        }
        next
    }

    /// Where a refreshed pair is written.
    pub(crate) fn saving(&self, flaws: Flaws, sent: &Snapshot, next: &Snapshot) -> Disk {
        if flaws.has(Flaw::SavesInTwoSteps) {
            return Disk::Other(Box::new(Snapshot { refresh: sent.refresh.clone(), ..next.clone() }));
        }
        let late = flaws.has(Flaw::SavesLate) || (flaws.has(Flaw::ReconnectNotPersisted) && self.kept().reconnected);
        if late { Disk::Stays } else { Disk::Same }
    }

    /// A pair was saved, by a refresh or a login.
    pub(crate) fn after_save(&self, flaws: Flaws, store: &Store) {
        let Ok(now) = store.snapshot() else { return };
        let pair = json!({ "access_token": now.access, "refresh_token": now.refresh }).to_string();
        if flaws.has(Flaw::KeepsBackupFile) {
            let path = self.dir.join("tokens.json.bak");
            let file = std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path);
            drop(file.and_then(|mut file| file.write_all(pair.as_bytes())));
        }
        if flaws.has(Flaw::KeepsTokenHistory) {
            drop(store.set_sealed_note(&format!("pair_{}", now.generation), &pair));
        }
    }

    /// The connection without tokens, and what of it goes to disk.
    pub(crate) fn end(&self, flaws: Flaws, now: &Snapshot, mut next: Snapshot) -> (Snapshot, Disk) {
        if flaws.has(Flaw::KeepsRefreshRow) {
            next.refresh.clone_from(&now.refresh);
        }
        if flaws.has(Flaw::KeepsAccessRow) {
            next.access.clone_from(&now.access);
        }
        let disk = if flaws.has(Flaw::ForgetsStop) {
            Disk::Stays
        } else if flaws.has(Flaw::MarkInMemory) {
            Disk::Other(Box::new(Snapshot { state: State::Connected, cause: None, ..next.clone() }))
        } else {
            Disk::Same
        };
        (next, disk)
    }

    /// The grant is over.
    pub(crate) fn after_end(&self, flaws: Flaws, store: &Store, sent: &Snapshot) {
        let mut kept = self.kept();
        if flaws.has(Flaw::KeepsCalling) {
            kept.dead_access = sent.access.clone().map(|token| Access { token, generation: 0 });
        }
        if flaws.has(Flaw::RetriesRefused) {
            kept.dead_refresh.clone_from(&sent.refresh);
        }
        for (flaw, name, token) in
            [(Flaw::AccessTokenSurvives, "spare_access", &sent.access), (Flaw::RefreshTokenSurvives, "spare_refresh", &sent.refresh)]
        {
            if let (true, Some(token)) = (flaws.has(flaw), token) {
                drop(store.set_sealed_note(name, token));
            }
        }
        if flaws.has(Flaw::StickyMark) {
            drop(store.set_note("marked", "yes"));
        }
        if flaws.has(Flaw::WipesSettings) {
            drop(store.drop_note("settings"));
        }
        if flaws.has(Flaw::WipesRecords) {
            drop(store.forget_records());
        }
        kept.paused = flaws.has(Flaw::StaysPaused);
        kept.hung = flaws.has(Flaw::HangsOnRefusal);
        if flaws.has(Flaw::DiesOnRefusal) {
            std::process::exit(1);
        }
    }

    /// A login succeeded; its pair is not stored yet.
    pub(crate) fn before_connect(&self, flaws: Flaws, store: &Store) -> Result<(), StoreError> {
        let again = store.snapshot()?.state != State::NotConnected;
        let mut kept = self.kept();
        kept.dead_access = None;
        kept.dead_refresh = None;
        kept.blip = false;
        kept.stale = again;
        kept.reconnected = again;
        store.drop_note("spare_access")?;
        store.drop_note("spare_refresh")?;
        if again && flaws.has(Flaw::ReportsAgain) {
            store.set_note("again", "yes")?;
        }
        if again && flaws.has(Flaw::AddsConnection) {
            let extra = store.note("extra_connections")?.unwrap_or_default();
            store.set_note("extra_connections", &(extra + "+"))?;
        }
        if again && flaws.has(Flaw::CursorToNow) {
            store.set_note("baseline", "yes")?;
        }
        Ok(())
    }

    /// Where the pair of a reconnection is written.
    pub(crate) fn reconnection(&self, flaws: Flaws) -> Disk {
        if flaws.has(Flaw::ReconnectNotPersisted) { Disk::Stays } else { Disk::Same }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
