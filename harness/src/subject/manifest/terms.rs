//! What a manifest says, in types: every value checked, every form decided, placeholders still unfilled.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use regex::Regex;

/// A program and its arguments; never empty.
pub type Argv = Vec<String>;

/// How a verb is done.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// One or a few requests.
    Http(HttpCall),
    /// A program run to its end.
    Run(Argv),
    /// The subject does it unaided.
    Auto,
    /// A person does it; what they are asked to do.
    Human(String),
}

/// A request, or a few steps as a person would take them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HttpCall {
    /// Method, upper case; `GET` for steps.
    pub method: String,
    /// URL with placeholders; empty where there are `steps`.
    pub url: String,
    /// Headers, in order of name.
    pub headers: BTreeMap<String, String>,
    /// A form body.
    pub form: Option<BTreeMap<String, String>>,
    /// A JSON body.
    pub json: Option<serde_json::Value>,
    /// Steps instead of one request.
    pub steps: Vec<Step>,
}

/// One step of a person at a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Open an address.
    Get(String),
    /// Fill in a form by field name (or id) and submit it.
    Fill {
        /// Field and value.
        fields: BTreeMap<String, String>,
        /// The text of the button; none: the first one.
        submit: Option<String>,
    },
    /// Click the link or button with this text.
    Click(String),
}

/// Something that a probe's or a verb's answer can say.
#[derive(Debug, Clone)]
pub enum StatusPattern {
    /// The JSON value at a pointer equals this one.
    Json {
        /// JSON pointer.
        pointer: String,
        /// The value.
        is: serde_json::Value,
    },
    /// The status is one of these.
    Status(StatusSet),
    /// The body (or the output) matches.
    Text(Regex),
    /// The program ended with this code.
    Exit(i32),
}

/// A set of HTTP statuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusSet {
    /// Inclusive ranges.
    pub ranges: Vec<(u16, u16)>,
}

impl StatusSet {
    /// Whether a status belongs to it.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

/// `[build]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Build {
    /// What is run, in the manifest's folder, with the author's own environment.
    pub run: Argv,
}

/// `[start]`.
#[derive(Debug, Clone)]
pub struct Start {
    /// The program; none: only with `attach`.
    pub run: Option<Argv>,
    /// An already running subject instead.
    pub attach: Option<String>,
    /// Where it runs, absolute; may hold placeholders.
    pub cwd: PathBuf,
    /// First in each sandbox.
    pub reset: Vec<Argv>,
    /// Second in each sandbox.
    pub prepare: Vec<Argv>,
    /// Names of variables handed on from the author's environment.
    pub inherit: Vec<String>,
    /// Environment, with placeholders.
    pub env: BTreeMap<String, String>,
    /// When it is ready.
    pub ready: Ready,
    /// How long it may take; 30 s unless told otherwise.
    pub timeout: Duration,
    /// The harness starts it again when it ends by itself.
    pub restart_on_exit: bool,
    /// How it takes a new client secret without a restart.
    pub reload: Option<Reload>,
    /// The redirect URI that is registered.
    pub redirect_uri: Option<String>,
    /// Our TLS front stands before `{port}`.
    pub https: bool,
    /// Further processes, started before it.
    pub also: Vec<AlsoStart>,
}

/// One of `[[start.also]]`.
#[derive(Debug, Clone)]
pub struct AlsoStart {
    /// Its name.
    pub name: String,
    /// The program.
    pub run: Argv,
    /// Where it runs, absolute; may hold placeholders.
    pub cwd: PathBuf,
    /// Environment on top of `[start.env]`.
    pub env: BTreeMap<String, String>,
    /// Whether it shares the subject's fate.
    pub role: Role,
    /// When it is ready.
    pub ready: Ready,
    /// How long it may take.
    pub timeout: Duration,
}

/// Whether a further process shares the subject's fate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Restarted, killed and paused with the subject.
    Subject,
    /// Stays up.
    Service,
}

/// When a process is ready.
#[derive(Debug, Clone)]
pub enum Ready {
    /// Once it is started.
    AtOnce,
    /// When an address answers with a status below 500.
    Http(String),
    /// When a port accepts (a number or `host:port`, with placeholders).
    Tcp(String),
    /// When a line of its output matches.
    Log(Regex),
    /// When it has ended with exit 0.
    Exit,
}

/// How the subject takes a new client secret.
#[derive(Debug, Clone, PartialEq)]
pub enum Reload {
    /// By a signal.
    Signal(crate::subject::Signal),
    /// By a verb.
    Verb(Verb),
}

/// `[provider]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderTerms {
    /// https under the run's CA.
    pub tls: bool,
    /// The address to bind.
    pub listen: Option<std::net::SocketAddr>,
    /// The host in the URLs handed over.
    pub reachable_as: Option<String>,
    /// A fixed client.
    pub client: Option<FixedClient>,
    /// Registered scopes.
    pub scopes: Vec<String>,
    /// PKCE may be missing.
    pub pkce_optional: bool,
}

/// `provider.client`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedClient {
    /// Its id.
    pub id: Option<String>,
    /// Its secret.
    pub secret: Option<String>,
}

/// One of `[[api.reply]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// Method.
    pub method: String,
    /// Path; `{name}` matches one segment.
    pub path: String,
    /// Status; 200 unless told otherwise.
    pub status: u16,
    /// The body, read from the file where one was named.
    pub json: serde_json::Value,
}

/// `[connect]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Connect {
    /// How it is begun.
    pub verb: Verb,
    /// How the authorise URL comes out.
    pub opens: Opens,
    /// Where the callback goes.
    pub callback: Callback,
}

/// How the authorise URL comes out of `connect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opens {
    /// By redirects, or as a link or form on the page.
    Redirect,
    /// In the JSON answer, at this pointer.
    Json(String),
    /// As a line of the program's output.
    Stdout,
    /// By a browser that the subject starts.
    Browser,
}

/// Where the callback is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callback {
    /// To the redirect URI.
    Served,
    /// As an argument of a program.
    Run(Argv),
    /// As a line on the standard input of the program that `connect` runs.
    Stdin,
}

/// `[trigger]`, or one of `[[trigger.also]]`.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// `trigger`, or its own name.
    pub name: String,
    /// How it is done.
    pub verb: Verb,
    /// What is taken on; none: 2xx without a redirect, exit 0.
    pub accepted: Option<StatusPattern>,
    /// What is honestly refused; none: everything else that was answered.
    pub refused: Option<StatusPattern>,
    /// How it is known that work accepted now was done later.
    pub done: Option<Done>,
    /// Exits that are no crash (run form).
    pub exits: Vec<i32>,
    /// Signed as Pleo's webhooks are; then it is one request.
    pub signed: bool,
}

/// `trigger.done`.
#[derive(Debug, Clone)]
pub struct Done {
    /// The address to poll.
    pub poll: String,
    /// Headers, in order of name.
    pub headers: BTreeMap<String, String>,
    /// What it says when done.
    pub says: StatusPattern,
}

/// `work.kind`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkKind {
    /// Pending export jobs at the provider.
    Export,
    /// Reads.
    Read,
    /// The trigger carries the unit.
    Push,
}

/// `[status]`.
#[derive(Debug, Clone)]
pub struct StatusProbe {
    /// How it is read.
    pub verb: Verb,
    /// It works.
    pub connected: Option<StatusPattern>,
    /// The user must reauthenticate.
    pub disconnected: Option<StatusPattern>,
    /// It works for neither side.
    pub broken: Option<StatusPattern>,
    /// JSON pointer to the number of connections, or to a list of them.
    pub count: Option<Count>,
}

/// `status.count`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// JSON pointer.
    pub pointer: String,
    /// The length of the list there counts, instead of the number.
    pub length: bool,
}

impl Count {
    /// The number that an answer shows; none: it is no JSON, or there is no number.
    #[must_use]
    pub fn of(&self, text: &str) -> Option<u64> {
        let json: serde_json::Value = serde_json::from_str(text).ok()?;
        let there = json.pointer(&self.pointer)?;
        if self.length { there.as_array().and_then(|list| u64::try_from(list.len()).ok()) } else { there.as_u64() }
    }
}

/// `[disconnect]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Disconnect {
    /// Nothing is said of it.
    Undeclared,
    /// There is none.
    Absent,
    /// How it is done.
    Verb(Verb),
}

/// `[stop]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// How the subject is asked to end.
    pub how: StopHow,
    /// How long it may take; 5 s unless told otherwise.
    pub grace: Duration,
    /// In place of SIGKILL.
    pub kill: Option<Verb>,
    /// In place of SIGSTOP.
    pub pause: Option<Verb>,
    /// In place of SIGCONT.
    pub resume: Option<Verb>,
    /// Always run at the end of a sandbox.
    pub cleanup: Vec<Argv>,
}

/// How the subject is asked to end.
#[derive(Debug, Clone, PartialEq)]
pub enum StopHow {
    /// By a signal; TERM unless told otherwise.
    Signal(crate::subject::Signal),
    /// By a verb.
    Verb(Verb),
}

/// `[prompt]`.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Where a person would see it.
    pub channel: PromptChannel,
    /// The line of log that tells an operator; it may stand beside a page.
    pub log: Option<Regex>,
    /// The user is told by a call of `{notify_url}`, perhaps beside a page.
    pub webhook: bool,
    /// The user is told by a mail to `{smtp_url}`, perhaps beside a page.
    pub mail: bool,
    /// What tells the user; none: a list of English words.
    pub says: Option<Regex>,
    /// A place the user should come back to.
    pub from: Option<String>,
}

/// Where a person would see that access must be restored.
#[derive(Debug, Clone)]
pub enum PromptChannel {
    /// A page, or a program's output.
    Verb(Verb),
    /// A line of log.
    Log(Regex),
    /// A call of `{notify_url}`.
    Webhook,
    /// A mail to `{smtp_url}`.
    Mail,
}

/// `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// Folders and files; `{state_dir}` unless told otherwise.
    pub paths: Vec<String>,
    /// Programs whose output is the store's live content.
    pub dump: Vec<Argv>,
    /// Stores by URL.
    pub urls: Vec<String>,
}

/// `[logs]`.
#[derive(Debug, Clone)]
pub struct Logs {
    /// Glob patterns of log files.
    pub files: Vec<String>,
    /// `{otlp_url}` is handed over.
    pub otlp: bool,
    /// A refresh failed.
    pub refresh_failed: Option<LogPattern>,
    /// Expiry or revocation was detected.
    pub detected: Option<LogPattern>,
    /// Reauthentication was asked for.
    pub reauthentication: Option<LogPattern>,
}

/// What a log line looks like.
#[derive(Debug, Clone)]
pub enum LogPattern {
    /// It matches.
    Text(Regex),
    /// It is JSON that holds these values.
    Json(serde_json::Value),
}

/// `[features]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Features {
    /// A confidential client.
    pub confidential: Option<bool>,
    /// Instances that share one store.
    pub processes: Option<u32>,
    /// Several companies' grants in one subject; `None`: not said.
    pub connections: Option<Vec<String>>,
    /// How often it works unasked; `Some(None)` is an explicit "none".
    pub period: Option<Option<Duration>>,
    /// Declared budget on one refused refresh token.
    pub refresh_attempts: u32,
    /// Its own limit for a token request.
    pub token_timeout: Option<Duration>,
    /// What is done with memory.
    pub memory: MemoryMode,
}

/// `features.memory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryMode {
    /// Not looked at.
    Off,
    /// Reported.
    Report,
    /// Judged.
    Strict,
}
