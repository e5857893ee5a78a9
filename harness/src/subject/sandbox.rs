//! The surroundings of one story: a folder of its own that is HOME, TMPDIR, XDG and `{state_dir}`, and a clean environment.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

/// A fresh folder `$TMPDIR/rg-XXXXXXXX`, removed when dropped.
#[derive(Debug)]
pub struct Sandbox {
    root: PathBuf,
    run_id: String,
    kept: bool,
}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Sandbox {
    /// Makes the folder and what belongs into it.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    pub fn create() -> io::Result<Self> {
        todo!()
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// `{run_id}`: eight random characters `[a-z0-9]`.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// `{state_dir}`.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The clean environment: PATH, LANG, TZ, the sandbox's folders, tool caches and homes, and the variables named by `inherit`.
    #[must_use]
    pub fn env(&self, inherit: &[String]) -> BTreeMap<String, String> {
        todo!()
    }

    /// Leaves the folder in place when dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }
}
