//! What must survive a restart, in one SQLite file that only its owner can read.
//!
//! Deleted content is overwritten (`secure_delete`) and the rollback journal is truncated at every commit, so that no copy of
//! a discarded token stays behind. Tokens are sealed besides.

mod connection;
mod ledger;
mod queue;
mod seal;

use std::{
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use rusqlite::{Connection, TransactionBehavior};

pub(crate) use connection::{Disk, Life, Snapshot, State};
pub(crate) use ledger::Entry;
pub(crate) use queue::Item;
pub(crate) use seal::Seal;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS connection (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL, cause TEXT, generation INTEGER NOT NULL,
        access TEXT, refresh TEXT, expires_at INTEGER, lasts INTEGER, refused_client TEXT, client TEXT);
    CREATE TABLE IF NOT EXISTS queue (id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, process INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS record (id TEXT PRIMARY KEY, kind TEXT NOT NULL, body TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS entry (id TEXT PRIMARY KEY, job TEXT NOT NULL, external TEXT NOT NULL, reported INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL);
";

/// The open file.
pub(crate) struct Store {
    db: Mutex<Connection>,
    seal: Seal,
    /// Which of the processes that share the file this is.
    process: u32,
    /// The connection's state where a planted defect lets it differ from what is on disk.
    shadow: Mutex<Option<Snapshot>>,
}

/// The file could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("cannot use the state directory: {0}")]
    Io(#[from] std::io::Error),
    #[error("the database failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl Store {
    /// Opens or makes `app.db` in a directory; a transaction that a kill cut short is rolled back.
    pub(crate) fn open(dir: &Path, seal: Seal) -> Result<Self, StoreError> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let path = dir.join("app.db");
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
        let mut db = Connection::open(&path)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        // What a transaction reads holds until it has written, whatever other processes do.
        db.set_transaction_behavior(TransactionBehavior::Immediate);
        // A kill loses nothing that was handed to the kernel; power cuts are not this program's concern, speed is.
        db.execute_batch(
            "PRAGMA secure_delete = ON; PRAGMA journal_mode = TRUNCATE; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY;",
        )?;
        db.execute_batch(SCHEMA)?;
        Ok(Self { db: Mutex::new(db), seal, process: 0, shadow: Mutex::new(None) })
    }

    /// The same file, opened by one of several processes: each does the work that it took on itself.
    pub(crate) fn of_process(self, process: u32) -> Self {
        Self { process, ..self }
    }

    /// Opens what is there, to look at it only.
    pub(crate) fn to_look_at(dir: &Path, seal: Seal) -> Result<Self, StoreError> {
        let db = Connection::open_with_flags(dir.join("app.db"), rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(Self { db: Mutex::new(db), seal, process: 0, shadow: Mutex::new(None) })
    }

    /// Planted: leaves what is deleted where it stood.
    pub(crate) fn overwrite_nothing(&self) -> Result<(), StoreError> {
        Ok(self.db().execute_batch("PRAGMA secure_delete = OFF")?)
    }

    fn db(&self) -> MutexGuard<'_, Connection> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
