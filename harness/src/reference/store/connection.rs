//! The connection's state: its pure transitions, and how they are written down in one transaction each.

use std::sync::PoisonError;

use rusqlite::{OptionalExtension, Row, params};

use super::{Seal, Store, StoreError};

/// How the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Never connected, or disconnected by the user.
    NotConnected,
    /// Tokens are there and nobody refused them.
    Connected,
    /// The grant is over: only the user can restore access.
    NeedsReauth,
    /// Pleo refuses this program's own credentials.
    Error,
}

/// How long the access token lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Life {
    /// Its end, in milliseconds since 1970.
    pub(crate) ends: i64,
    /// From issue to end, in milliseconds.
    pub(crate) lasts: i64,
}

/// The connection at one moment. Every change of its tokens counts `generation` up.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) state: State,
    pub(crate) cause: Option<String>,
    pub(crate) generation: u64,
    pub(crate) access: Option<String>,
    pub(crate) refresh: Option<String>,
    pub(crate) life: Option<Life>,
    /// Fingerprint of the client credentials that Pleo refused.
    pub(crate) refused_client: Option<String>,
    /// Fingerprint of the client credentials that worked last.
    pub(crate) client: Option<String>,
}

/// What of a change goes to disk.
pub(crate) enum Disk {
    /// All of it, as it should.
    Same,
    /// Nothing: it lives in memory only.
    Stays,
    /// Something else.
    Other(Box<Snapshot>),
}

impl Life {
    /// Is it time to refresh? Half a minute early, or a tenth of a life shorter than a minute.
    pub(crate) fn due(self, now: i64) -> bool {
        let margin = if self.lasts < 60_000 { self.lasts / 10 } else { 30_000 };
        now >= self.ends.saturating_sub(margin)
    }
}

impl State {
    /// Its word in the status and in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::NotConnected => "not_connected",
            Self::Connected => "connected",
            Self::NeedsReauth => "needs_reauth",
            Self::Error => "error",
        }
    }

    fn of(word: &str) -> Self {
        match word {
            "connected" => Self::Connected,
            "needs_reauth" => Self::NeedsReauth,
            "error" => Self::Error,
            _ => Self::NotConnected,
        }
    }
}

impl Snapshot {
    fn blank() -> Self {
        Self {
            state: State::NotConnected,
            cause: None,
            generation: 0,
            access: None,
            refresh: None,
            life: None,
            refused_client: None,
            client: None,
        }
    }

    /// With a new pair; an answer without a refresh token keeps `refresh`.
    pub(crate) fn with_pair(&self, access: String, refresh: Option<String>, life: Option<Life>, client: String) -> Self {
        Self {
            state: State::Connected,
            cause: None,
            generation: self.generation + 1,
            access: Some(access),
            refresh,
            life,
            refused_client: None,
            client: Some(client),
        }
    }

    /// Without tokens, in a state that says why.
    pub(crate) fn without_tokens(&self, state: State, cause: &str) -> Self {
        Self { state, cause: Some(cause.to_owned()), generation: self.generation + 1, client: self.client.clone(), ..Self::blank() }
    }

    /// Stopped because Pleo refuses our credentials. The refresh token was not judged, so it is kept for the day they are right.
    pub(crate) fn with_refused_client(&self, fingerprint: String) -> Self {
        Self {
            state: State::Error,
            cause: Some("invalid_client".to_owned()),
            generation: self.generation + 1,
            access: None,
            life: None,
            refused_client: Some(fingerprint),
            ..self.clone()
        }
    }
}

impl Store {
    /// The connection as it stands.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let db = self.db();
        let shadow = self.shadow.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(snapshot) = shadow.as_ref() {
            return Ok(snapshot.clone());
        }
        Ok(read(&db, &self.seal)?)
    }

    /// Changes the connection in one transaction; `change` sees it as it stands then, and `None` leaves it so.
    pub(crate) fn transit(&self, change: impl FnOnce(&Snapshot) -> Option<(Snapshot, Disk)>) -> Result<Option<Snapshot>, StoreError> {
        let mut db = self.db();
        let mut shadow = self.shadow.lock().unwrap_or_else(PoisonError::into_inner);
        let transaction = db.transaction()?;
        let current = match shadow.as_ref() {
            Some(snapshot) => snapshot.clone(),
            None => read(&transaction, &self.seal)?,
        };
        let Some((next, disk)) = change(&current) else { return Ok(None) };
        match disk {
            Disk::Same => {
                write(&transaction, &self.seal, &next)?;
                *shadow = None;
            }
            Disk::Stays => *shadow = Some(next.clone()),
            Disk::Other(other) => {
                write(&transaction, &self.seal, &other)?;
                *shadow = Some(next.clone());
            }
        }
        transaction.commit()?;
        Ok(Some(next))
    }

    /// Writes down what a defect kept in memory.
    pub(crate) fn flush(&self) -> Result<(), StoreError> {
        self.transit(|current| Some((current.clone(), Disk::Same))).map(drop)
    }
}

fn read(db: &rusqlite::Connection, seal: &Seal) -> rusqlite::Result<Snapshot> {
    let columns =
        "SELECT state, cause, generation, access, refresh, expires_at, lasts, refused_client, client FROM connection WHERE id = 1";
    Ok(db.query_row(columns, [], |row| from_row(row, seal)).optional()?.unwrap_or_else(Snapshot::blank))
}

fn from_row(row: &Row<'_>, seal: &Seal) -> rusqlite::Result<Snapshot> {
    let opened = |column| row.get(column).map(|text: Option<String>| text.and_then(|text| seal.open(&text)));
    let life = match (row.get("expires_at")?, row.get("lasts")?) {
        (Some(ends), Some(lasts)) => Some(Life { ends, lasts }),
        (None, _) | (_, None) => None,
    };
    Ok(Snapshot {
        state: State::of(&row.get::<_, String>("state")?),
        cause: row.get("cause")?,
        generation: row.get::<_, i64>("generation")?.unsigned_abs(),
        access: opened("access")?,
        refresh: opened("refresh")?,
        life,
        refused_client: row.get("refused_client")?,
        client: row.get("client")?,
    })
}

fn write(db: &rusqlite::Connection, seal: &Seal, next: &Snapshot) -> rusqlite::Result<()> {
    let values =
        "INSERT OR REPLACE INTO connection (id, state, cause, generation, access, refresh, expires_at, lasts, refused_client, client)
        VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    let generation = i64::try_from(next.generation).unwrap_or(i64::MAX);
    let [access, refresh] = [&next.access, &next.refresh].map(|token| token.as_ref().map(|token| seal.close(token)));
    let (ends, lasts) = (next.life.map(|life| life.ends), next.life.map(|life| life.lasts));
    db.execute(values, params![next.state.word(), next.cause, generation, access, refresh, ends, lasts, next.refused_client, next.client])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(from: &Snapshot, access: &str, refresh: &str) -> Snapshot {
        from.with_pair(access.into(), Some(refresh.into()), Some(Life { ends: 900_000, lasts: 900_000 }), "client".into())
    }

    /// Which of the two tokens stand somewhere in the directory's files.
    fn remains(dir: &std::path::Path) -> Vec<&'static str> {
        let files = std::fs::read_dir(dir).expect("lists");
        let bytes: Vec<u8> = files.flat_map(|file| std::fs::read(file.expect("a file").path()).expect("reads")).collect();
        let found = |token: &&str| bytes.windows(token.len()).any(|part| part == token.as_bytes());
        ["access-aaaaaaaa", "refresh-bbbbbbbb"].into_iter().filter(found).collect()
    }

    #[test]
    fn a_minute_or_more_is_refreshed_half_a_minute_early_and_less_a_tenth_early() {
        let long = Life { ends: 900_000, lasts: 900_000 };
        assert!(!long.due(869_999) && long.due(870_000));
        let short = Life { ends: 2_000, lasts: 2_000 };
        assert!(!short.due(1_799) && short.due(1_800));
    }

    #[test]
    fn a_pair_survives_reopening_and_a_discarded_one_leaves_no_byte_behind() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), Seal::none()).expect("opens");
        store.transit(|now| Some((pair(now, "access-aaaaaaaa", "refresh-bbbbbbbb"), Disk::Same))).expect("writes");
        drop(store);
        let store = Store::open(dir.path(), Seal::none()).expect("opens again");
        let kept = store.snapshot().expect("reads");
        assert_eq!((kept.state, kept.access.as_deref(), kept.generation), (State::Connected, Some("access-aaaaaaaa"), 1));

        assert_eq!(remains(dir.path()), ["access-aaaaaaaa", "refresh-bbbbbbbb"]);
        store.transit(|now| Some((now.without_tokens(State::NeedsReauth, "invalid_grant"), Disk::Same))).expect("writes");
        assert!(remains(dir.path()).is_empty());
    }

    #[test]
    fn the_file_is_closed_to_other_users() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a directory");
        drop(Store::open(dir.path(), Seal::none()).expect("opens"));
        let mode = std::fs::metadata(dir.path().join("app.db")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn refused_credentials_keep_the_refresh_token_and_drop_the_access_token() {
        let connected = pair(&Snapshot::blank(), "a", "r");
        let refused = connected.with_refused_client("print".into());
        assert_eq!((refused.state, refused.access, refused.refresh.as_deref()), (State::Error, None, Some("r")));
    }

    #[test]
    fn what_stays_in_memory_is_gone_after_reopening() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), Seal::none()).expect("opens");
        store.transit(|now| Some((pair(now, "a", "r"), Disk::Stays))).expect("is kept");
        assert_eq!(store.snapshot().expect("reads").state, State::Connected);
        drop(store);
        assert_eq!(Store::open(dir.path(), Seal::none()).expect("opens again").snapshot().expect("reads").state, State::NotConnected);
    }
}
