//! SQLite files, read as databases from a consistent copy: the subject's own is neither locked nor changed.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::SystemTime,
};

use rusqlite::{Connection, types::ValueRef};

use crate::canary::{Hit, Searcher};

const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// A copy that changed while it was made is made again, so often.
const COPIES: usize = 5;
/// What stands beside a database and belongs to it.
const COMPANIONS: [&str; 3] = ["-wal", "-journal", "-shm"];

/// Whether a file begins as SQLite files do.
pub(super) fn is_sqlite(path: &Path) -> bool {
    let mut magic = [0; 16];
    fs::symlink_metadata(path).is_ok_and(|m| m.is_file())
        && File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *MAGIC
}

/// Where the files of a database lie besides itself, whether they exist or not.
pub(super) fn companions(path: &Path) -> Vec<PathBuf> {
    let beside = |suffix: &&str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    COMPANIONS.iter().map(beside).collect()
}

/// A copy of a database, open.
pub(super) struct Database {
    connection: Connection,
    // Removed after the connection is closed: fields are dropped in order.
    _folder: tempfile::TempDir,
}

/// Why a database could not be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    /// It vanished meanwhile.
    #[error("it is gone")]
    Gone,
    /// It cannot be copied.
    #[error("cannot copy the database: {0}")]
    Io(#[from] io::Error),
    /// It is written to without a pause.
    #[error("the database changed while it was copied, {COPIES} times")]
    Unsteady,
    /// It is no database after all.
    #[error("cannot open the database: {0}")]
    Sqlite(#[from] rusqlite::Error),
}

impl Database {
    /// Copies the database with its journals and opens the copy. SQLite makes the index of the write-ahead log anew.
    pub(super) fn copy_of(path: &Path) -> Result<Self, CopyError> {
        let folder = tempfile::tempdir()?;
        let copy = folder.path().join("copy");
        for _ in 0..COPIES {
            let before = stamps(path);
            match fs::copy(path, &copy) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(CopyError::Gone),
                Err(error) => return Err(error.into()),
            }
            for suffix in ["-wal", "-journal"] {
                copy_companion(path, &copy, suffix)?;
            }
            if stamps(path) == before {
                let connection = Connection::open(&copy)?;
                connection.pragma_update(None, "query_only", true)?;
                return Ok(Self { connection, _folder: folder });
            }
        }
        Err(CopyError::Unsteady)
    }

    /// All columns of all tables, as `table.column`, with what was hit in their live rows.
    pub(super) fn search(&self, searcher: &Searcher, unread: &mut Vec<String>, told: &str) -> Vec<(String, Vec<Hit>)> {
        let tables = match self.tables() {
            Ok(tables) => tables,
            Err(error) => {
                unread.push(format!("{told}: cannot list the tables: {error}"));
                return Vec::new();
            }
        };
        let mut all = Vec::new();
        for (table, is_virtual) in tables {
            match self.columns(&table, searcher) {
                Ok(columns) => all.extend(columns),
                // Its module is missing here; what it holds lies in ordinary tables beside it.
                Err(_) if is_virtual => {}
                Err(error) => unread.push(format!("{told}: cannot read table {table}: {error}")),
            }
        }
        all
    }

    fn tables(&self) -> rusqlite::Result<Vec<(String, bool)>> {
        let mut statement = self
            .connection
            .prepare("SELECT name, coalesce(sql, '') LIKE 'create virtual%' FROM sqlite_schema WHERE type = 'table' ORDER BY name")?;
        let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    fn columns(&self, table: &str, searcher: &Searcher) -> rusqlite::Result<Vec<(String, Vec<Hit>)>> {
        let mut statement = self.connection.prepare(&format!("SELECT * FROM \"{}\"", table.replace('"', "\"\"")))?;
        let mut columns: Vec<(String, Vec<Hit>)> = statement.column_names().map(|name| (format!("{table}.{name}"), Vec::new())).collect();
        let mut rows = statement.query(())?;
        while let Some(row) = rows.next()? {
            for (index, (_, hits)) in columns.iter_mut().enumerate() {
                match row.get_ref(index)? {
                    ValueRef::Text(bytes) | ValueRef::Blob(bytes) => hits.extend(searcher.find(bytes)),
                    ValueRef::Null | ValueRef::Integer(_) | ValueRef::Real(_) => {}
                }
            }
        }
        Ok(columns)
    }
}

fn copy_companion(path: &Path, copy: &Path, suffix: &str) -> io::Result<()> {
    let named = |path: &Path| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let target = named(copy);
    match fs::symlink_metadata(named(path)) {
        Ok(meta) if meta.is_file() => match fs::copy(named(path), &target) {
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        },
        Ok(_) | Err(_) => {}
    }
    // One of an earlier attempt would not fit.
    match fs::remove_file(&target) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Sizes and times of change, to see whether a copy is of one moment.
fn stamps(path: &Path) -> Vec<Option<(u64, Option<SystemTime>)>> {
    std::iter::once(path.to_owned())
        .chain(companions(path).into_iter().take(2))
        .map(|path| fs::metadata(path).ok().map(|m| (m.len(), m.modified().ok())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        canary::{Canary, Kind},
        collect::{ScanPlan, scan_storage},
        evidence::{CanaryForm, Place},
    };

    const OLD: &str = "kT4vQzW8nB2xLr7pYc5mHd9gJf3sA6eU";
    const NEW: &str = "Yb0nR5tK8wVq2ZxC7mLd4PfG9hJs1AeU";

    struct Store {
        dir: tempfile::TempDir,
        connection: Connection,
    }

    fn store(setup: &str) -> Store {
        let dir = tempfile::tempdir().expect("a folder");
        let connection = Connection::open(dir.path().join("app.db")).expect("a database");
        connection.execute_batch(setup).expect("a schema");
        connection
            .execute_batch("CREATE TABLE \"to ken\" (id INTEGER, refresh TEXT, extra BLOB); CREATE TABLE empty (x);")
            .expect("a schema");
        Store { dir, connection }
    }

    impl Store {
        fn put(&self, value: &str) {
            self.connection.execute("INSERT INTO \"to ken\" VALUES (1, ?1, NULL)", [value]).expect("a row");
        }

        fn found(&self) -> Vec<(String, CanaryForm, Place)> {
            let canary = |name: &str, value: &str| Canary { name: name.into(), value: value.into(), kind: Kind::Refresh, client_id: None };
            let searcher = Searcher::new(&[canary("refresh#1", OLD), canary("refresh#2", NEW)]);
            let root = self.dir.path().to_owned();
            let scan = scan_storage(&ScanPlan { roots: vec![root.clone()], sandbox_root: root, ..ScanPlan::default() }, &searcher);
            assert_eq!(scan.unread, Vec::<String>::new());
            scan.found.into_iter().map(|f| (f.canary, f.form, f.place)).collect()
        }
    }

    fn row(canary: &str, form: CanaryForm) -> (String, CanaryForm, Place) {
        (canary.into(), form, Place::Row("app.db to ken.refresh".into()))
    }

    #[test]
    fn a_token_in_a_row_is_found_there_and_only_there() {
        let store = store("");
        store.put(OLD);
        assert_eq!(store.found(), [row("refresh#1", CanaryForm::Raw)]);
    }

    #[test]
    fn a_deleted_row_leaves_residue() {
        let store = store("PRAGMA secure_delete = OFF;");
        store.put(OLD);
        store.put(NEW);
        store.connection.execute("DELETE FROM \"to ken\" WHERE refresh = ?1", [OLD]).expect("a row less");
        assert_eq!(
            store.found(),
            [row("refresh#2", CanaryForm::Raw), ("refresh#1".into(), CanaryForm::Raw, Place::Residue("app.db".into()))]
        );
    }

    #[test]
    fn a_row_that_is_overwritten_safely_leaves_nothing() {
        let store = store("PRAGMA secure_delete = ON;");
        store.put(OLD);
        store.connection.execute("DELETE FROM \"to ken\"", ()).expect("no rows");
        assert_eq!(store.found(), []);
    }

    #[test]
    fn rows_in_the_write_ahead_log_are_live() {
        let store = store("PRAGMA journal_mode = WAL; PRAGMA secure_delete = ON;");
        store.put(OLD);
        assert_eq!(store.found(), [row("refresh#1", CanaryForm::Raw)]);
        store.connection.execute("UPDATE \"to ken\" SET refresh = ?1", [NEW]).expect("a change");
        assert_eq!(
            store.found(),
            [row("refresh#2", CanaryForm::Raw), ("refresh#1".into(), CanaryForm::Raw, Place::Residue("app.db-wal".into()))]
        );
    }

    #[test]
    fn a_change_that_is_not_committed_is_not_live() {
        let store = store("");
        store.put(OLD);
        store.connection.execute_batch("BEGIN").expect("a transaction");
        store.put(NEW);
        assert_eq!(store.found(), [row("refresh#1", CanaryForm::Raw)]);
    }

    #[test]
    fn a_token_in_another_form_is_found_in_its_row() {
        let store = store("PRAGMA encoding = 'UTF-16le';");
        store.put(&OLD.bytes().map(|b| format!("{b:02x}")).collect::<String>());
        assert_eq!(store.found(), [row("refresh#1", CanaryForm::Hex)]);
    }

    #[test]
    fn a_file_that_only_begins_like_a_database_is_told_as_unread() {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("x.db"), [MAGIC.as_slice(), &[7; 2_000]].concat()).expect("a file");
        let root = dir.path().to_owned();
        let scan = scan_storage(&ScanPlan { roots: vec![root.clone()], sandbox_root: root, ..ScanPlan::default() }, &Searcher::default());
        assert_eq!(scan.unread.len(), 1);
        assert!(scan.unread[0].starts_with("x.db: cannot"), "{:?}", scan.unread);
    }
}
