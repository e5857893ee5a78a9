//! `regrant.toml`: parsed strictly, checked whole, so that nothing can be wrong with it once a run has begun.

mod error;
mod meaning;
mod places;
mod raw;
mod sets;
mod support;
mod terms;
#[cfg(test)]
mod tests;
mod texts;
mod values;
mod verbs;
mod wording;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

pub use error::ManifestError;
pub use meaning::OWN_SUBSCRIPTION;
use places::{Places, Wrong};
pub use terms::*;
pub(in crate::subject) use texts::is_loopback;

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
    pub(in crate::subject) memory_declared: bool,
    pub(in crate::subject) unsupported: Vec<(String, String)>,
}

impl Manifest {
    /// Reads a manifest; `path` may be its folder. `sets` are `--set KEY=VALUE`.
    ///
    /// # Errors
    /// Anything wrong with it, with its place.
    pub fn load(path: &Path, sets: &[(String, String)]) -> Result<Self, Box<ManifestError>> {
        let path = if path.is_dir() { path.join("regrant.toml") } else { path.to_owned() };
        let text = fs::read_to_string(&path).map_err(|error| Box::new(ManifestError::unread(&path, &error)))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // Absolute: programs run elsewhere.
        let folder = fs::canonicalize(folder).map_err(|error| Box::new(ManifestError::unread(&path, &error)))?;
        Self::parse(&text, &path.to_string_lossy(), &folder, sets)
    }

    /// Reads a manifest from text. `file` is its name in messages, `base_dir` where relative paths start.
    ///
    /// # Errors
    /// Anything wrong with it, with its place.
    pub fn parse(text: &str, file: &str, base_dir: &Path, sets: &[(String, String)]) -> Result<Self, Box<ManifestError>> {
        let mut places = Places::read(file, text)?;
        read(text, file, base_dir, sets, &mut places).map_err(|wrong| places.at(wrong))
    }

    /// The JSON Schema of the file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        schemars::schema_for!(raw::RawManifest).to_value()
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

fn read(text: &str, file: &str, base_dir: &Path, sets: &[(String, String)], places: &mut Places) -> Result<Manifest, Wrong> {
    let mut table: toml::Table = text.parse().map_err(|error: toml::de::Error| Wrong::new("", error.message()))?;
    sets::apply(&mut table, places, sets)?;
    let raw = wording::shape(&table)?;
    let texts = texts::check(&table)?;
    let mut manifest = meaning::mean(raw, file, base_dir, texts)?;
    support::refuse(&manifest)?;
    manifest.unsupported = support::notes(&manifest);
    Ok(manifest)
}
