//! The subject's programs as they are written: built, started, reloaded, stopped.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{RawVerb, verb_table};
use crate::subject::Signal;
use crate::subject::manifest::values::{Pattern, Scalar, Span, TextOr};

/// Once per command, in the manifest's folder, with the author's own environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBuild {
    /// A program and its arguments; no shell.
    pub(crate) run: Vec<String>,
}

/// How the subject is started.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RawStart {
    /// A program and its arguments; no shell.
    pub(crate) run: Option<Vec<String>>,
    /// An already running subject, by its address, instead of `run`.
    pub(crate) attach: Option<String>,
    /// Where it runs, relative to the manifest.
    pub(crate) cwd: Option<String>,
    /// Run first in each sandbox.
    pub(crate) reset: Vec<Vec<String>>,
    /// Run second in each sandbox, before the first start there.
    pub(crate) prepare: Vec<Vec<String>>,
    /// Names of variables handed on from the author's environment.
    pub(crate) inherit: Vec<String>,
    /// The subject's environment.
    pub(crate) env: BTreeMap<String, Scalar>,
    /// When it is ready: an address, `"exit"`, or a table.
    pub(crate) ready: Option<TextOr<RawReady>>,
    /// How long it may take to be ready.
    pub(crate) timeout: Option<Span>,
    /// Whether the harness starts it again when it ends.
    pub(crate) restart: RawRestart,
    /// How it takes a new client secret without a restart.
    pub(crate) reload: Option<RawReload>,
    /// The redirect URI that is registered.
    pub(crate) redirect_uri: Option<String>,
    /// A TLS front stands before `{port}`.
    pub(crate) https: bool,
    /// Further processes, started before it.
    pub(crate) also: Vec<RawAlsoStart>,
}

/// When a process is ready: one of the three.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawReady {
    /// An address answers with a status below 500.
    pub(crate) http: Option<String>,
    /// A port accepts.
    pub(crate) tcp: Option<Scalar>,
    /// A line of output matches.
    pub(crate) log: Option<Pattern>,
}

/// Whether the harness starts the subject again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawRestart {
    /// It does not.
    #[default]
    Never,
    /// When it ends by itself, at most 5 times a story.
    OnExit,
}

verb_table! {
    /// How the subject takes a new client secret.
    RawReload {
        /// By a signal.
        signal: Option<Signal>,
    }
}

/// A further process.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAlsoStart {
    /// What it is called.
    pub(crate) name: String,
    /// A program and its arguments; no shell.
    pub(crate) run: Vec<String>,
    /// Where it runs; as `start.cwd` unless told otherwise.
    pub(crate) cwd: Option<String>,
    /// Environment on top of `[start.env]`.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, Scalar>,
    /// Whether it shares the subject's fate.
    #[serde(default)]
    pub(crate) role: RawRole,
    /// When it is ready.
    pub(crate) ready: Option<TextOr<RawReady>>,
    /// How long it may take to be ready.
    pub(crate) timeout: Option<Span>,
}

/// Whether a further process shares the subject's fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RawRole {
    /// Restarted, killed and paused with it.
    #[default]
    Subject,
    /// Stays up.
    Service,
}

verb_table! {
    /// How the subject is asked to end.
    RawStop {
        /// By a signal.
        signal: Option<Signal>,
        /// How long it may take.
        grace: Option<Span>,
        /// In place of SIGKILL.
        kill: Option<RawVerb>,
        /// In place of SIGSTOP.
        pause: Option<RawVerb>,
        /// In place of SIGCONT.
        resume: Option<RawVerb>,
        /// Always run at the end of a sandbox.
        cleanup: Vec<Vec<String>>,
    }
}
