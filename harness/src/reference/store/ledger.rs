//! What was fetched from Pleo, and what was booked and reported back.

use rusqlite::{OptionalExtension, params};
use serde_json::Value;

use super::{Store, StoreError};

/// An accounting entry as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Pleo's id.
    pub(crate) id: String,
    /// The export job that brought it.
    pub(crate) job: String,
    /// The ledger's own number, given once.
    pub(crate) external: String,
}

impl Store {
    /// Stores or renews a page of fetched things, each with an `id`, in one transaction.
    pub(crate) fn keep(&self, kind: &str, things: &[Value]) -> Result<(), StoreError> {
        let mut db = self.db();
        let transaction = db.transaction()?;
        for thing in things {
            if let Some(id) = thing.get("id").and_then(Value::as_str) {
                let values = params![id, kind, thing.to_string()];
                transaction.execute("INSERT OR REPLACE INTO record (id, kind, body) VALUES (?1, ?2, ?3)", values)?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Everything fetched so far, as JSON.
    pub(crate) fn records(&self) -> Result<Vec<Value>, StoreError> {
        let db = self.db();
        let mut query = db.prepare_cached("SELECT kind, body FROM record ORDER BY id")?;
        let rows = query.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
        let mut records = Vec::new();
        for row in rows {
            let (kind, body) = row?;
            let mut record: Value = serde_json::from_str(&body).unwrap_or_default();
            if let Value::Object(fields) = &mut record {
                fields.insert("kind".into(), kind.into());
            }
            records.push(record);
        }
        Ok(records)
    }

    /// Forgets everything fetched.
    pub(crate) fn forget_records(&self) -> Result<(), StoreError> {
        self.db().execute("DELETE FROM record", [])?;
        Ok(())
    }

    /// Books an entry, once: a second time gives the number of the first. `None`: it was already reported to Pleo.
    pub(crate) fn book(&self, id: &str, job: &str) -> Result<Option<Entry>, StoreError> {
        let mut db = self.db();
        let transaction = db.transaction()?;
        let next = "INSERT OR IGNORE INTO entry (id, job, external, reported) SELECT ?1, ?2, 'L-' || (count(*) + 1), 0 FROM entry";
        transaction.execute(next, params![id, job])?;
        transaction.execute("UPDATE entry SET job = ?2 WHERE id = ?1", params![id, job])?;
        let external =
            transaction.query_row("SELECT external FROM entry WHERE id = ?1 AND reported = 0", params![id], |row| row.get(0)).optional()?;
        transaction.commit()?;
        Ok(external.map(|external| Entry { id: id.to_owned(), job: job.to_owned(), external }))
    }

    /// Remembers that Pleo confirmed these entries, so that none is reported twice.
    pub(crate) fn reported<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<(), StoreError> {
        let mut db = self.db();
        let transaction = db.transaction()?;
        for id in ids {
            transaction.execute("UPDATE entry SET reported = 1 WHERE id = ?1", params![id])?;
        }
        Ok(transaction.commit()?)
    }

    /// All entries that were reported.
    pub(crate) fn all_reported(&self) -> Result<Vec<Entry>, StoreError> {
        let db = self.db();
        let mut query = db.prepare_cached("SELECT id, job, external FROM entry WHERE reported = 1 ORDER BY job, id")?;
        let rows = query.query_map([], |row| Ok(Entry { id: row.get(0)?, job: row.get(1)?, external: row.get(2)? }))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_booked_once_and_not_offered_again_after_its_report() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), super::super::Seal::none()).expect("opens");
        let first = store.book("e1", "j1").expect("books").expect("is due");
        assert_eq!(store.book("e1", "j1").expect("books"), Some(first.clone()));
        assert_ne!(store.book("e2", "j1").expect("books").expect("is due").external, first.external);
        store.reported(["e1"].into_iter()).expect("notes");
        assert_eq!(store.book("e1", "j1").expect("books"), None);
        assert_eq!(store.all_reported().expect("lists"), [first]);
    }

    #[test]
    fn a_record_that_comes_again_is_renewed_not_doubled() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = Store::open(dir.path(), super::super::Seal::none()).expect("opens");
        store.keep("employee", &[serde_json::json!({"id": "1", "code": "a"})]).expect("keeps");
        store.keep("employee", &[serde_json::json!({"id": "1", "code": "b"})]).expect("keeps");
        assert_eq!(store.records().expect("lists"), [serde_json::json!({"id": "1", "code": "b", "kind": "employee"})]);
    }
}
