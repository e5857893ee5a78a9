//! What the events of a history are made of.

use regrant_mock_server::authority::TokenState;
use serde::{Deserialize, Serialize};

use super::Micros;

/// A family of tokens, by number.
pub type Grant = u32;

/// One of several connections, by its name in `features.connections`.
pub type Connection = String;

/// One of several processes of the subject that share a store: what `{process}` stands for.
pub type Instance = u32;

/// A way to tell the user something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Channel {
    /// A request to `{notify_url}`.
    Webhook,
    /// A mail through `{smtp_url}`.
    Mail,
}

/// Where a trigger comes from: `trigger`, the name of a `[[trigger.also]]`, or [`SUBSCRIPTION`].
pub type Source = String;

/// The source of work that a subject made itself: it subscribed at the provider, which tells it of new work.
pub const SUBSCRIPTION: &str = "own subscription";

/// A part of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Start, connect, one unit of work: proof that the subject works.
    Prologue,
    /// The story itself.
    Story,
    /// Settle, restart, reconnect, one unit of work: proof that it was alive all the time.
    Epilogue,
}

/// What the harness asks of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verb {
    /// Begin to run.
    Start,
    /// The user connects the subject with Pleo.
    Connect,
    /// The subject is asked to work.
    Trigger,
    /// The subject is asked how it stands.
    Status,
    /// The user disconnects.
    Disconnect,
    /// End in good order.
    Stop,
}

/// How a verb was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Taken on, by the manifest's `accepted`.
    Accepted,
    /// Honestly refused, by the manifest's `refused`.
    Refused,
    /// No answer: transport error, time-out, crash. Says nothing about the work.
    NoAnswer,
    /// The caller hung up before an answer came. Says nothing about the work, nor about the subject.
    HungUp,
}

/// How `connect` was to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Wanted {
    /// The user consents and the callback is delivered.
    Consent,
    /// The user denies.
    Deny,
    /// The user walks away at the consent page.
    Abandon,
}

/// How this subject is made to refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refreshing {
    /// The API answers 401.
    OnRejection,
    /// Access tokens are short-lived, since this subject does not refresh on a 401.
    OnExpiry,
}

/// A secret that the subject presented.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presentation {
    /// Its name (`access#2`); none if it was never issued.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub token: Option<String>,
    /// Its family.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub grant: Option<Grant>,
    /// What it was good for at that moment.
    pub state: TokenState,
}

/// What the provider decided about a token request (a fault may still have kept it from the subject).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenResult {
    /// Tokens were issued and are valid from now on.
    Issued {
        /// The family.
        grant: Grant,
        /// Name of the access token.
        access: String,
        /// Name of the refresh token.
        refresh: Option<String>,
    },
    /// Refused.
    Refused {
        /// OAuth `error`.
        error: String,
        /// Status.
        status: u16,
    },
    /// Nothing: a fault took the provider's place before it decided.
    Undecided,
}

/// What came of an authorise request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authorized {
    /// The consent page waits.
    Page,
    /// A code went back.
    Code {
        /// Its name.
        code: String,
        /// The family it stands for.
        grant: Grant,
    },
    /// An error went back to the subject.
    Sent(String),
    /// An error was shown to the user.
    Shown(String),
}

/// Where text came from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A log file, by its path in the sandbox.
    File(String),
}

/// Where a canary was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A line of log.
    Log(LogStream),
    /// A file of the sandbox as raw bytes: path.
    File(String),
    /// A live row of a database: `path table.column`.
    Row(String),
    /// Bytes of a database file, or of its journal, that belong to no live row.
    Residue(String),
    /// The output of a storage dump command: its first words.
    Dump(String),
    /// A page or an answer of the subject: what was asked.
    Page(String),
    /// A message to the user.
    Notice(Channel),
    /// The path or query of a request to the provider.
    Url,
    /// The `Referer` of a request to the provider.
    Referer,
}

/// A file of the storage.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FileSeen {
    /// Its path in the sandbox.
    pub path: String,
    /// Digest of its content.
    pub digest: String,
    /// It reads as text.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub text: bool,
    /// Other users of the machine may read it.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub open: bool,
}

/// In what form a canary was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CanaryForm {
    /// As it is.
    Raw,
    /// Percent-encoded.
    Percent,
    /// With JSON escapes.
    Json,
    /// Base64 or base64url, in any alignment.
    Base64,
    /// Hexadecimal.
    Hex,
    /// UTF-16, either order.
    Utf16,
    /// In a `Basic` credential.
    Basic,
    /// At least half of it, and 16 characters, from its beginning.
    Prefix,
    /// Inside a file packed with gzip.
    Compressed,
}

/// A canary found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Found {
    /// Its name.
    pub canary: String,
    /// In what form.
    pub form: CanaryForm,
    /// Where.
    pub place: Place,
}

/// Whether a page tells the user that access must be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// The words of `prompt.says`, or of the default list, are there.
    Yes,
    /// They are not.
    No,
}

/// What a person would see at `prompt`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageSeen {
    /// HTTP status, or exit status.
    pub status: i32,
    /// The visible text and the targets of links and forms, normalised, redacted; numbers and times left out. At most 8 KiB.
    pub text: String,
    /// Whether the text matches what tells the user. Compare with another reading: only a difference counts.
    pub says: Says,
    /// From here, a link, a form or a redirect leads to the authorise endpoint (the way was walked up to the consent page, which was not answered).
    pub leads_to_authorize: bool,
    /// How many actions of a person it takes from here to the consent page; none: not known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub actions: Option<u32>,
    /// How many fields a person must fill in on the way.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub fields: Option<u32>,
    /// How long the answer took.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub took: Micros,
    /// Of which of several connections.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub connection: Option<Connection>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(span: &Micros) -> bool {
    *span == 0
}
