//! `regrant.toml`: parsed strictly, checked whole, so that nothing can be wrong with it once a run has begun.

mod terms;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

pub use error::ManifestError;
pub use terms::*;

/// The manifest of one subject.
#[derive(Debug, Clone)]
pub struct Manifest {
    /// `name`.
    pub name: String,
    /// The file as it is called in messages.
    pub file: String,
    /// The folder that relative paths start from.
    pub base_dir: PathBuf,
    /// `[build]`.
    pub build: Option<Build>,
    /// `[start]`; none: every verb is `run`.
    pub start: Option<Start>,
    /// `[provider]`.
    pub provider: ProviderTerms,
    /// `[[api.reply]]`.
    pub replies: Vec<Reply>,
    /// `[[login]]`, each a few steps.
    pub logins: Vec<Vec<Step>>,
    /// `[connect]`.
    pub connect: Connect,
    /// `[trigger]`.
    pub trigger: Trigger,
    /// `[[trigger.also]]`.
    pub also: Vec<Trigger>,
    /// `[work]`; none: not said.
    pub work: Option<WorkKind>,
    /// `[status]`.
    pub status: Option<StatusProbe>,
    /// `[disconnect]`.
    pub disconnect: Disconnect,
    /// `[stop]`.
    pub stop: Stop,
    /// `[prompt]`.
    pub prompt: Option<Prompt>,
    /// `[settings]`.
    pub settings: Option<Verb>,
    /// `[data]`.
    pub data: Option<Verb>,
    /// `[storage]`.
    pub storage: Storage,
    /// `[logs]`.
    pub logs: Logs,
    /// `[features]`.
    pub features: Features,
    /// `[not_applicable]`: id and written reason.
    pub not_applicable: BTreeMap<String, String>,
    /// `intercept.hosts`.
    pub intercept: Vec<String>,
    pub(in crate::subject) port_names: BTreeSet<String>,
    pub(in crate::subject) literal_port: Option<String>,
    pub(in crate::subject) unsupported: Vec<(String, String)>,
}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Manifest {
    /// Reads a manifest; `path` may be its folder. `sets` are `--set KEY=VALUE`.
    ///
    /// # Errors
    /// Anything wrong with it, with its place.
    pub fn load(path: &Path, sets: &[(String, String)]) -> Result<Self, Box<ManifestError>> {
        todo!()
    }

    /// Reads a manifest from text. `file` is its name in messages, `base_dir` where relative paths start.
    ///
    /// # Errors
    /// Anything wrong with it, with its place.
    pub fn parse(text: &str, file: &str, base_dir: &Path, sets: &[(String, String)]) -> Result<Self, Box<ManifestError>> {
        todo!()
    }

    /// The JSON Schema of the file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        todo!()
    }

    /// Keys that are understood but not acted on by this release: the key, and what happens instead.
    #[must_use]
    pub fn unsupported(&self) -> &[(String, String)] {
        &self.unsupported
    }

    /// Why only one sandbox can run at a time: a literal loopback port or a store without `{run_id}` or `{port:…}`. None: it need not.
    #[must_use]
    pub fn single_job_only(&self) -> Option<&str> {
        self.literal_port.as_deref()
    }

    /// The names in `{port:NAME}`, each of which needs a lease.
    #[must_use]
    pub fn port_names(&self) -> &BTreeSet<String> {
        &self.port_names
    }

    /// Every verb is `run` and nothing has to be started.
    #[must_use]
    pub fn one_shot(&self) -> bool {
        self.start.as_ref().is_none_or(|start| start.run.is_none() && start.attach.is_none())
    }
}

mod error;
