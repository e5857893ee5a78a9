//! What the store holds, opened: for an operator with the key, and for audits of what was really discarded.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::{
    StartError,
    config::Config,
    neighbours,
    store::{Seal, Store},
};

/// Prints every connection's tokens and notes as one JSON object.
pub(super) fn show() -> Result<(), StartError> {
    let config = Config::from_env()?;
    let mut all = Map::new();
    for (name, dir) in neighbours::folders(&config) {
        if !dir.join("app.db").exists() {
            continue;
        }
        let store = Store::to_look_at(&dir, Seal::new(&config.store_key))?;
        let now = store.snapshot()?;
        let notes: Map<String, Value> = store.notes("")?.into_iter().map(|(name, value)| (name, value.into())).collect();
        all.insert(name, json!({ "state": now.state.word(), "access": now.access, "refresh": now.refresh, "notes": notes }));
    }
    // A reader that went away wants no answer.
    drop(writeln!(std::io::stdout(), "{}", Value::Object(all)));
    Ok(())
}
