//! The manifest as it is written: every key, its type and its meaning. The JSON Schema is made from this.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::values::{Pattern, Period, Scalar, Span, Statuses, TextOr};

/// A table that says how a verb is done, with further keys of its own.
macro_rules! verb_table {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            /// A request: `"METHOD url"`.
            pub(super) http: Option<String>,
            /// A program and its arguments; no shell.
            pub(super) run: Option<Vec<String>>,
            /// The subject does it unaided.
            pub(super) auto: Option<bool>,
            /// What a person is asked to do.
            pub(super) human: Option<String>,
            /// A few steps as a person would take them.
            pub(super) steps: Option<Vec<RawStep>>,
            /// Headers of the request.
            pub(super) headers: Option<BTreeMap<String, String>>,
            /// A form as the body of the request.
            pub(super) form: Option<BTreeMap<String, Scalar>>,
            /// JSON as the body of the request.
            pub(super) json: Option<serde_json::Value>,
            $($(#[$field_doc])* pub(super) $field: $type,)*
        }

        impl $name {
            /// The keys of the verb alone.
            #[allow(dead_code, reason = "not every table needs it")]
            pub(super) fn verb(&self) -> RawVerb {
                RawVerb {
                    http: self.http.clone(), run: self.run.clone(), auto: self.auto, human: self.human.clone(), steps: self.steps.clone(),
                    headers: self.headers.clone(), form: self.form.clone(), json: self.json.clone(),
                }
            }
        }
    };
}

/// The manifest of a subject, `regrant.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "regrant.toml")]
pub(super) struct RawManifest {
    /// Version of the contract: 1.
    #[schemars(range(min = 1, max = 1))]
    #[allow(dead_code, reason = "checked before everything else")]
    pub(super) contract: i64,
    /// What the subject is called in reports.
    pub(super) name: String,
    pub(super) build: Option<RawBuild>,
    pub(super) start: Option<RawStart>,
    #[serde(default)]
    pub(super) provider: RawProvider,
    #[serde(default)]
    pub(super) api: RawApi,
    /// How the subject's own pages are signed in to.
    #[serde(default)]
    pub(super) login: Vec<RawLogin>,
    pub(super) connect: RawConnect,
    pub(super) trigger: RawTrigger,
    pub(super) work: Option<RawWork>,
    pub(super) status: Option<RawStatus>,
    pub(super) disconnect: Option<RawDisconnect>,
    #[serde(default)]
    pub(super) stop: RawStop,
    pub(super) prompt: Option<RawPrompt>,
    /// What must survive: compared before and after.
    pub(super) settings: Option<RawVerb>,
    /// Visible data that must not shrink.
    pub(super) data: Option<RawVerb>,
    #[serde(default)]
    pub(super) storage: RawStorage,
    #[serde(default)]
    pub(super) logs: RawLogs,
    #[serde(default)]
    pub(super) features: RawFeatures,
    /// Requirements that do not apply, each with a written reason.
    #[serde(default)]
    pub(super) not_applicable: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) intercept: RawIntercept,
}

/// Once per command, in the manifest's folder, with the author's own environment.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawBuild {
    /// A program and its arguments; no shell.
    pub(super) run: Vec<String>,
}

/// How the subject is started.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStart {
    /// A program and its arguments; no shell.
    pub(super) run: Option<Vec<String>>,
    /// An already running subject, by its address, instead of `run`.
    pub(super) attach: Option<String>,
    /// Where it runs, relative to the manifest.
    pub(super) cwd: Option<String>,
    /// Run first in each sandbox.
    pub(super) reset: Vec<Vec<String>>,
    /// Run second in each sandbox, before the first start there.
    pub(super) prepare: Vec<Vec<String>>,
    /// Names of variables handed on from the author's environment.
    pub(super) inherit: Vec<String>,
    /// The subject's environment.
    pub(super) env: BTreeMap<String, Scalar>,
    /// When it is ready: an address, `"exit"`, or a table.
    pub(super) ready: Option<TextOr<RawReady>>,
    /// How long it may take to be ready.
    pub(super) timeout: Option<Span>,
    /// Whether the harness starts it again when it ends.
    pub(super) restart: RawRestart,
    /// How it takes a new client secret without a restart.
    pub(super) reload: Option<RawReload>,
    /// The redirect URI that is registered.
    pub(super) redirect_uri: Option<String>,
    /// A TLS front stands before `{port}`.
    pub(super) https: bool,
    /// Further processes, started before it.
    pub(super) also: Vec<RawAlsoStart>,
}

/// When a process is ready: one of the three.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReady {
    /// An address answers with a status below 500.
    pub(super) http: Option<String>,
    /// A port accepts.
    pub(super) tcp: Option<Scalar>,
    /// A line of output matches.
    pub(super) log: Option<Pattern>,
}

/// Whether the harness starts the subject again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawRestart {
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
        signal: Option<SignalName>,
    }
}

/// A signal's name without SIG.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum SignalName {
    Hup,
    Int,
    Quit,
    Term,
    Kill,
    Usr1,
    Usr2,
}

/// A further process.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawAlsoStart {
    /// What it is called.
    pub(super) name: String,
    /// A program and its arguments; no shell.
    pub(super) run: Vec<String>,
    /// Where it runs; as `start.cwd` unless told otherwise.
    pub(super) cwd: Option<String>,
    /// Environment on top of `[start.env]`.
    #[serde(default)]
    pub(super) env: BTreeMap<String, Scalar>,
    /// Whether it shares the subject's fate.
    #[serde(default)]
    pub(super) role: RawRole,
    /// When it is ready.
    pub(super) ready: Option<TextOr<RawReady>>,
    /// How long it may take to be ready.
    pub(super) timeout: Option<Span>,
}

/// Whether a further process shares the subject's fate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawRole {
    /// Restarted, killed and paused with it.
    #[default]
    Subject,
    /// Stays up.
    Service,
}

/// The mock provider.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawProvider {
    /// https under the run's CA.
    pub(super) tls: bool,
    /// The address it listens on.
    pub(super) listen: Option<String>,
    /// The host in the URLs handed over.
    pub(super) reachable_as: Option<String>,
    /// A fixed client; random unless told otherwise.
    pub(super) client: Option<RawClient>,
    /// Scopes that are registered.
    pub(super) scopes: Vec<String>,
    /// Whether PKCE must be used.
    pub(super) pkce: RawPkce,
}

/// A fixed client.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClient {
    /// Its id.
    pub(super) id: Option<String>,
    /// Its secret.
    pub(super) secret: Option<String>,
}

/// Whether PKCE must be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawPkce {
    /// It must.
    #[default]
    Required,
    /// It may be missing.
    Optional,
}

/// The mock's resource API.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawApi {
    /// Answers that are overridden or added.
    pub(super) reply: Vec<RawReply>,
}

/// An answer of the resource API.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawReply {
    /// `"METHOD /path"`.
    pub(super) on: String,
    /// Its status; 200 unless told otherwise.
    pub(super) status: Option<u16>,
    /// Its body: a file relative to the manifest, or JSON in place.
    pub(super) json: serde_json::Value,
}

/// A way to sign in.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogin {
    /// What a person would do.
    pub(super) steps: Vec<RawStep>,
}

/// One step at a page: `get`, or `fill` with `submit`, or `click`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    /// Open an address.
    pub(super) get: Option<String>,
    /// Fill in these fields.
    pub(super) fill: Option<BTreeMap<String, Scalar>>,
    /// Press the button with this text.
    pub(super) submit: Option<String>,
    /// Click the link or button with this text.
    pub(super) click: Option<String>,
}

verb_table! {
    /// A verb or a probe.
    RawVerb {}
}

verb_table! {
    /// How the user connects the subject with Pleo.
    RawConnect {
        /// How the authorise URL comes out: `"redirect"`, `"stdout"`, `"browser"`, or `{ json = "/url" }`.
        opens: Option<TextOr<RawOpens>>,
        /// Where the callback goes, if the redirect URI is not served.
        callback: Option<RawCallback>,
    }
}

/// The authorise URL in a JSON answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawOpens {
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(super) pointer: String,
}

/// Where the callback goes: one of the two.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCallback {
    /// To a program, as `{callback_url}`.
    pub(super) run: Option<Vec<String>>,
    /// To the standard input of the program that `connect` runs.
    pub(super) stdin: Option<bool>,
}

verb_table! {
    /// How the subject is asked to work.
    RawTrigger {
        /// What is taken on.
        accepted: Option<RawPattern>,
        /// What is honestly refused.
        refused: Option<RawPattern>,
        /// How it is known that work accepted now was done later.
        done: Option<RawDone>,
        /// Exits of a program that are no crash.
        exits: Option<Vec<i32>>,
        /// Further sources of work.
        also: Vec<RawAlsoTrigger>,
    }
}

verb_table! {
    /// A further source of work.
    RawAlsoTrigger {
        /// What it is called.
        name: String,
        /// Signed as Pleo's webhooks are.
        signed: bool,
        /// What is taken on.
        accepted: Option<RawPattern>,
        /// What is honestly refused.
        refused: Option<RawPattern>,
        /// How it is known that work accepted now was done later.
        done: Option<RawDone>,
        /// Exits of a program that are no crash.
        exits: Option<Vec<i32>>,
    }
}

/// Something an answer can say: `json` with `is`, or `status`, or `text`, or `exit`.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawPattern {
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(super) pointer: Option<String>,
    /// The value at the pointer.
    pub(super) is: Option<serde_json::Value>,
    /// Statuses.
    pub(super) status: Option<Statuses>,
    /// A regex on the body.
    pub(super) text: Option<Pattern>,
    /// An exit code.
    pub(super) exit: Option<i32>,
}

/// How it is known that work was done.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDone {
    /// The address to poll.
    pub(super) poll: String,
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(super) pointer: Option<String>,
    /// The value at the pointer.
    pub(super) is: Option<serde_json::Value>,
    /// Statuses.
    pub(super) status: Option<Statuses>,
    /// A regex on the body.
    pub(super) text: Option<Pattern>,
}

/// What kind of work the subject does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWork {
    pub(super) kind: RawWorkKind,
}

/// A kind of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawWorkKind {
    /// Pending export jobs at the provider; delivered when a PUT names the entry.
    Export,
    /// Reads; delivered when a 2xx page that holds the unit was read.
    Read,
    /// The trigger carries `{item_id}`; delivered when it appears in a request.
    Push,
}

verb_table! {
    /// How the subject says how it stands.
    RawStatus {
        /// It works.
        connected: Option<RawPattern>,
        /// The user must reauthenticate.
        disconnected: Option<RawPattern>,
        /// It works for neither side.
        broken: Option<RawPattern>,
        /// How many connections there are.
        count: Option<RawCount>,
    }
}

/// Where the number of connections stands.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCount {
    /// JSON pointer.
    #[serde(rename = "json")]
    pub(super) pointer: String,
    /// The length of the list there counts.
    #[serde(default)]
    pub(super) length: bool,
}

verb_table! {
    /// How the user disconnects.
    RawDisconnect {
        /// There is no way to.
        none: Option<bool>,
    }
}

verb_table! {
    /// How the subject is asked to end.
    RawStop {
        /// By a signal.
        signal: Option<SignalName>,
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

verb_table! {
    /// Where a person would see that access must be restored.
    RawPrompt {
        /// A line of log.
        log: Option<Pattern>,
        /// A call of `{notify_url}`.
        webhook: Option<bool>,
        /// A mail to `{smtp_url}`.
        mail: Option<bool>,
        /// What tells the user.
        says: Option<Pattern>,
        /// A place the user should come back to.
        from: Option<String>,
    }
}

/// Where the subject stores things.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawStorage {
    /// Folders and files; `{state_dir}` unless told otherwise.
    pub(super) paths: Option<Vec<String>>,
    /// Programs whose output is the store's live content.
    pub(super) dump: Vec<Vec<String>>,
    /// Stores by URL.
    pub(super) urls: Vec<String>,
}

/// Where the subject logs; stdout and stderr are always read.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawLogs {
    /// Log files, with wildcards.
    pub(super) files: Vec<String>,
    /// `{otlp_url}` is handed over.
    pub(super) otlp: bool,
    /// A refresh failed: a regex, or `{ json = … }`.
    pub(super) refresh_failed: Option<TextOr<RawLogJson>>,
    /// Expiry or revocation was detected.
    pub(super) detected: Option<TextOr<RawLogJson>>,
    /// Reauthentication was asked for.
    pub(super) reauthentication: Option<TextOr<RawLogJson>>,
}

/// A log line that is JSON.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogJson {
    /// The members it must have.
    pub(super) json: serde_json::Value,
}

/// What the subject is; absent: undecided where it matters.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawFeatures {
    /// A confidential client.
    pub(super) confidential: Option<bool>,
    /// Instances that share one store.
    #[schemars(range(min = 1, max = 16))]
    pub(super) processes: Option<u32>,
    /// Several companies' grants in one subject: the values of `{connection}`; or 1.
    pub(super) connections: Option<OneOrNames>,
    /// How often it works unasked, or `"none"`.
    pub(super) period: Option<Period>,
    /// Declared budget on one refused refresh token.
    #[schemars(range(min = 1, max = 3))]
    pub(super) refresh_attempts: Option<u32>,
    /// Its own limit for a token request.
    pub(super) token_timeout: Option<Span>,
    /// What is done with memory.
    pub(super) memory: Option<RawMemory>,
}

/// Names of connections, or the number 1.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a list of names such as [\"acme\", \"globex\"], or 1")]
pub(super) enum OneOrNames {
    /// The number 1.
    Number(u32),
    /// Their names.
    Names(Vec<String>),
}

/// What is done with memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RawMemory {
    /// Not looked at.
    Off,
    /// Reported.
    Report,
    /// Judged.
    Strict,
}

/// For subjects with Pleo's hosts hard-coded.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawIntercept {
    /// The hosts.
    pub(super) hosts: Vec<String>,
}
