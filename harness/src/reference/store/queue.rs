//! Accepted work that is not done yet, and small notes.

use rusqlite::{OptionalExtension, params};

use super::{Store, StoreError};

/// A piece of accepted work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its place in the order.
    pub(crate) id: i64,
    /// `sync` or `webhook`.
    pub(crate) source: String,
}

impl Store {
    /// Accepts a piece of work: from here on a kill does not lose it.
    pub(crate) fn enqueue(&self, source: &str) -> Result<i64, StoreError> {
        let db = self.db();
        db.execute("INSERT INTO queue (source, process) VALUES (?1, ?2)", params![source, self.process])?;
        Ok(db.last_insert_rowid())
    }

    /// All that this process took on and is not done, oldest first.
    pub(crate) fn queued(&self) -> Result<Vec<Item>, StoreError> {
        let db = self.db();
        let mut query = db.prepare_cached("SELECT id, source FROM queue WHERE process = ?1 ORDER BY id")?;
        let rows = query.query_map(params![self.process], |row| Ok(Item { id: row.get(0)?, source: row.get(1)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Strikes work off.
    pub(crate) fn done(&self, items: &[Item]) -> Result<(), StoreError> {
        let mut db = self.db();
        let transaction = db.transaction()?;
        for item in items {
            transaction.execute("DELETE FROM queue WHERE id = ?1", params![item.id])?;
        }
        Ok(transaction.commit()?)
    }

    /// A note by its name.
    pub(crate) fn note(&self, name: &str) -> Result<Option<String>, StoreError> {
        let value: Option<String> =
            self.db().query_row("SELECT value FROM note WHERE name = ?1", params![name], |row| row.get(0)).optional()?;
        Ok(value.and_then(|value| self.seal.open(&value)))
    }

    /// Writes a note, over what stood there.
    pub(crate) fn set_note(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.db().execute("INSERT OR REPLACE INTO note (name, value) VALUES (?1, ?2)", params![name, value])?;
        Ok(())
    }

    /// Writes a note that only this program can read.
    pub(crate) fn set_sealed_note(&self, name: &str, value: &str) -> Result<(), StoreError> {
        self.set_note(name, &self.seal.close(value))
    }

    /// All notes whose name begins so, opened.
    pub(crate) fn notes(&self, beginning: &str) -> Result<Vec<(String, String)>, StoreError> {
        let db = self.db();
        let mut query = db.prepare_cached("SELECT name, value FROM note WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name")?;
        let rows = query.query_map(params![beginning], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let notes: Vec<_> = rows.collect::<Result<_, _>>()?;
        Ok(notes.into_iter().filter_map(|(name, value)| Some((name, self.seal.open(&value)?))).collect())
    }

    /// Removes a note.
    pub(crate) fn drop_note(&self, name: &str) -> Result<(), StoreError> {
        self.db().execute("DELETE FROM note WHERE name = ?1", params![name])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_work_survives_reopening_until_it_is_done() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), super::super::Seal::none()).expect("opens");
        store.enqueue("sync").expect("accepts");
        store.enqueue("webhook").expect("accepts");
        drop(store);
        let store = Store::open(dir.path(), super::super::Seal::none()).expect("opens again");
        let items = store.queued().expect("lists");
        assert_eq!(items.iter().map(|item| item.source.as_str()).collect::<Vec<_>>(), ["sync", "webhook"]);
        store.done(&items[..1]).expect("strikes off");
        assert_eq!(store.queued().expect("lists"), items[1..]);
    }
}
