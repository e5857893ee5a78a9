//! The whole journal on disk, a line of JSON per event, whatever the ring has forgotten since.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use tokio::sync::mpsc::UnboundedReceiver;

use super::{Entry, Shower};
use crate::state::Shared;

/// How many lines are written at once.
const AT_ONCE: usize = 256;

/// A file that the lines of all tenants are appended to, each with the tenant's name.
#[derive(Debug)]
pub(crate) struct JournalFile {
    file: Mutex<File>,
    trouble: OnceLock<String>,
}

impl JournalFile {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Self { file: Mutex::new(file), trouble: OnceLock::new() })
    }

    /// Why lines are missing, if any are.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.get().map(String::as_str)
    }

    /// Writes what comes through `entries` until there is no more. Lines wait in memory while the disk is slower than the traffic.
    pub(crate) async fn record(self: Arc<Self>, shared: Arc<Shared>, mut entries: UnboundedReceiver<Entry>) {
        let mut shower = Shower::default();
        let mut batch = Vec::new();
        while entries.recv_many(&mut batch, AT_ONCE).await > 0 {
            // What an event speaks of was minted before it.
            shower.learn(&shared.state().vault);
            let text: String = batch.drain(..).map(|entry| format!("{}\n", named(&shower, &entry, &shared.name))).collect();
            if let Err(error) = self.write(&text) {
                // The first is the cause of the others.
                let _known = self.trouble.set(error.to_string());
            }
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(text.as_bytes())?;
        file.flush()
    }
}

fn named(shower: &Shower, entry: &Entry, tenant: &str) -> serde_json::Value {
    let mut shown = shower.show(entry);
    if let Some(fields) = shown.as_object_mut() {
        fields.insert("tenant".into(), tenant.into());
    }
    shown
}
