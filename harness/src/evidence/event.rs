//! The vocabulary of a history. Names and meanings are what saved runs rest on: fields may be added, none changes its meaning.

use regrant_mock_server::{
    authority::Cause,
    journal::{AuthStyle, Carried, Endpoint},
};
use serde::{Deserialize, Serialize};

use super::{
    Reply,
    parts::{
        Authorized, Channel, Connection, FileSeen, Found, Grant, Instance, LogStream, Outcome, PageSeen, Phase, Place, Presentation,
        Refreshing, Says, Source, TokenResult, Verb, Wanted,
    },
};

/// Time since the story began, in microseconds, monotonic.
pub type Micros = u64;

/// A time as a history keeps it.
#[must_use]
pub fn micros(time: std::time::Duration) -> Micros {
    Micros::try_from(time.as_micros()).unwrap_or(Micros::MAX)
}

/// One thing that happened. `n` orders all events of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the order of the run, from 1.
    pub n: u32,
    /// When.
    pub at: Micros,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_no(yes: &bool) -> bool {
    !*yes
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    // --- the harness ---
    /// A story began.
    StoryBegan {
        /// Its name. Saved as `name`, since every line of `run.jsonl` already says `story`.
        #[serde(rename = "name")]
        story: String,
        /// How this subject is made to refresh.
        refreshing: Refreshing,
    },
    /// A part of it began.
    PhaseBegan {
        /// Which.
        phase: Phase,
    },
    /// Something awaited came, or did not.
    Awaited {
        /// What.
        what: String,
        /// Whether it came.
        came: bool,
    },
    /// Something that the story needs did not come about; the subject is not to blame.
    NotRealised {
        /// What.
        reason: String,
    },
    /// The subject is quiet: no request open or begun and no log line for a while; one with a timer was watched for two periods and is
    /// between two turns. `false`: the ceiling was reached amid activity.
    Settled {
        /// Whether it really is.
        quiet: bool,
        /// How long it has been; where it is not, how long it should have been.
        window: Micros,
    },
    /// The harness itself failed; nothing of this story is judged.
    HarnessFault {
        /// How.
        reason: String,
    },
    /// The surroundings failed: the subject did not start, a probe broke.
    EnvironmentFault {
        /// How, with the remedy.
        reason: String,
    },

    // --- the subject's process ---
    /// A process of the subject was started.
    ProcessStarted {
        /// Counted from 1 in each story.
        incarnation: u32,
        /// Its name: the subject itself, or a further process.
        process: String,
        /// Which of several instances of the subject, from 0; none: there is only one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        instance: Option<Instance>,
    },
    /// It is ready for work.
    ProcessReady {
        /// Which.
        incarnation: u32,
    },
    /// The harness asked it to stop, or (`kill`) killed it.
    ProcessStopping {
        /// Which.
        incarnation: u32,
        /// By kill -9.
        kill: bool,
    },
    /// It ended.
    ProcessExited {
        /// Which.
        incarnation: u32,
        /// Exit code, or negative signal number.
        code: i32,
        /// The harness asked for it, it is a one-shot program, or the manifest's `restart` declares it.
        expected: bool,
    },
    /// At the end of the story no process of the subject is left; these were (and were killed).
    ProcessesLeft {
        /// How many.
        count: u32,
    },

    // --- verbs and probes ---
    /// A verb was called. For the judge this is a stimulus.
    VerbCalled {
        /// Counted from 1 in each story.
        call: u32,
        /// Which.
        verb: Verb,
        /// Which source of work (trigger only).
        #[serde(skip_serializing_if = "Option::is_none", default)]
        source: Option<Source>,
        /// How consent was to go (connect only).
        #[serde(skip_serializing_if = "Option::is_none", default)]
        wanted: Option<Wanted>,
        /// The unit of work it carries (push only).
        #[serde(skip_serializing_if = "Option::is_none", default)]
        item: Option<String>,
        /// For which of several connections; none: there is only one, or it is for all.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        connection: Option<Connection>,
        /// Which of several instances of the subject was asked; none: there is only one.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        instance: Option<Instance>,
    },
    /// It was answered.
    VerbAnswered {
        /// Which call.
        call: u32,
        /// How.
        outcome: Outcome,
        /// HTTP or exit status.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        status: Option<i32>,
        /// A few words for a person, redacted.
        detail: String,
    },
    /// The subject was asked how work stands that it had accepted (`trigger.done`). The newest answer counts.
    JobPolled {
        /// Which call of the trigger.
        call: u32,
        /// It is done, says the subject.
        done: bool,
        /// HTTP status of the newest answer; none: there was none.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        status: Option<i32>,
        /// How often it was asked up to now.
        polls: u32,
        /// What it said in place of done: the value that was looked at, redacted.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        says: Option<String>,
    },
    /// The user's browser delivered a callback to the subject.
    CallbackDelivered {
        /// Part of which connect.
        call: u32,
        /// The `state` was made up by the harness, or left out.
        forged: bool,
        /// HTTP status of the subject's answer; none: no answer.
        status: Option<u16>,
        /// It carried this code; none: an error, or nothing.
        code: Option<String>,
    },
    /// The user consented for another company than the connection's own.
    OtherCompany {
        /// Part of which connect.
        call: u32,
        /// Which, from 1.
        company: u32,
    },
    /// A login that began at `prompt.from` is over, and the user is somewhere.
    Returned {
        /// Part of which connect.
        call: u32,
        /// Where: path and names of the query, redacted.
        to: String,
        /// It is the place where the login began.
        there: bool,
    },
    /// `status` was read. A stimulus, too: reading a page may make a subject work.
    StatusRead {
        /// What it says by the manifest's patterns; none if no pattern matched.
        state: Option<regrant_mock_server::fault::scenario::Status>,
        /// What was answered, redacted, shortened.
        raw: String,
        /// Of which of several connections.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        connection: Option<Connection>,
        /// The number that `status.count` points to.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        count: Option<u64>,
    },
    /// `prompt` was read.
    PromptRead(PageSeen),
    /// `settings` was read.
    SettingsRead {
        /// Digest of the normalised answer; none: not answered with success.
        digest: Option<String>,
        /// Digests of its parts, each value of a JSON text with its place, or each line of a page; none: too many.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        parts: Vec<String>,
    },
    /// `data` was read.
    DataRead {
        /// Number of records (JSON array or lines); none: not answered with success.
        count: Option<u64>,
    },
    /// All storage was searched for canaries.
    StorageScanned {
        /// Files and rows looked at.
        places: u32,
        /// What was found.
        found: Vec<Found>,
        /// What could not be read, each with its reason.
        unread: Vec<String>,
        /// Files with canaries that other users of the machine may read: each with its mode, such as `0644`.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        open_to_others: Vec<(Place, String)>,
        /// What the files looked at were like, to see what changed from one search to the next. At most 200.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        files: Vec<FileSeen>,
    },
    /// The user was told by another way than a page: a webhook, a mail.
    Notified {
        /// Which way.
        channel: Channel,
        /// What it said, redacted, at most 8 KiB.
        text: String,
        /// Whether it tells that access must be restored.
        says: Says,
        /// Its number in the story, from 1; 0: recorded before they were counted.
        #[serde(default)]
        notice: u32,
    },
    /// The links in a message that tells the user were followed.
    NoticeFollowed {
        /// Which message.
        notice: u32,
        /// One of them leads to the authorise endpoint (the way was walked up to the consent page, which was not answered).
        leads_to_authorize: bool,
        /// How many actions of a person it takes; none: there is no way, or it is not known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        actions: Option<u32>,
        /// How many fields a person must fill in on the way.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        fields: Option<u32>,
    },

    // --- text ---
    /// A line of log.
    Log {
        /// Where from.
        stream: LogStream,
        /// Redacted, at most 4 KiB.
        text: String,
    },
    /// Log lines were left out because there were too many.
    LogFlooded {
        /// How many.
        lines: u64,
    },
    /// A log that was rotated away or packed could not be searched for canaries, or not wholly.
    LogUnread {
        /// Which, and why.
        reason: String,
    },
    /// A canary was found in a log line (then `seen` is the event number of the line), a page or a URL.
    CanarySeen {
        /// What and where.
        #[serde(flatten)]
        found: Found,
        /// The event in which it stood.
        seen: u32,
    },

    // --- the user and the provider ---
    /// Grants were ended.
    Revoked {
        /// Which.
        grants: Vec<Grant>,
        /// By whom.
        cause: Cause,
    },
    /// Tokens ran out.
    Expired {
        /// Which.
        grants: Vec<Grant>,
        /// The refresh tokens too.
        refresh: bool,
    },
    /// The API rejects the current access tokens from now on.
    AccessRejected {
        /// Which.
        grants: Vec<Grant>,
    },
    /// The client has a new secret at the provider.
    SecretRotated {
        /// Its name.
        secret: String,
        /// It has every character that a secret may have.
        #[serde(skip_serializing_if = "is_no", default)]
        odd: bool,
    },
    /// The client has a further secret at the provider, beside those it had.
    SecretAdded {
        /// Its name.
        secret: String,
    },
    /// The end of one of the client's secrets was set, or it was withdrawn.
    SecretEnds {
        /// Its name.
        secret: String,
    },
    /// The API's clock was set apart from the authorisation server's.
    ApiClockSet {
        /// By how many microseconds it is ahead; below zero: behind.
        ahead: i64,
    },
    /// The subject was given the newest secret (by restart or reload).
    SecretHanded,
    /// Units of work came into being at the provider.
    WorkAdded {
        /// Their ids.
        units: Vec<String>,
    },
    /// The provider sends a webhook to the subject, which subscribed to it.
    WebhookSent {
        /// Counted from 1 in each story.
        delivery: u64,
        /// What it tells of, e.g. `v1.export-job.created`.
        told: String,
        /// The units of work that it is about.
        units: Vec<String>,
    },
    /// What came of it.
    WebhookAnswered {
        /// Which.
        delivery: u64,
        /// Status; none: there was no answer.
        status: Option<u16>,
    },
    /// From now on a rule befalls traffic.
    RuleBegan {
        /// Which, counted from 1 in each story.
        rule: u32,
    },
    /// From now on it does not.
    RuleEnded {
        /// Which.
        rule: u32,
    },
    /// The subject's processes were stopped where they were (SIGSTOP).
    Paused {
        /// Only this one of several instances; none: all of the subject.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        instance: Option<Instance>,
    },
    /// They go on (SIGCONT).
    Continued,
    /// The provider's clock was moved.
    ClockMoved {
        /// By so much.
        by: Micros,
    },

    // --- the wire ---
    /// A request was read whole.
    Requested {
        /// Counted from 1 in each story.
        exchange: u64,
        /// On which connection.
        conn: u64,
        /// When its first byte was read.
        began: Micros,
        /// Where it went.
        endpoint: Endpoint,
        /// Method.
        method: String,
        /// Path, and query with values left out.
        path: String,
        /// `Content-Type` without parameters.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        content_type: Option<String>,
        /// Units of work named anywhere in the request.
        #[serde(skip_serializing_if = "Vec::is_empty", default)]
        units: Vec<String>,
        /// The harness's own agent sent it (the user's browser), not the subject.
        #[serde(default)]
        by_agent: bool,
        /// Which of several instances of the subject sent it, by the address that only it was given; none: there is only one, or nobody knows.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        instance: Option<Instance>,
    },
    /// A token request was decided.
    Token {
        /// Which request.
        exchange: u64,
        /// `grant_type`.
        grant_type: Option<String>,
        /// How the client authenticated itself.
        auth: AuthStyle,
        /// The client secret presented, by name, where known.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        secret: Option<String>,
        /// What it presented.
        presented: Option<Presentation>,
        /// A code verifier was sent.
        verifier: bool,
        /// What came of it.
        result: TokenResult,
    },
    /// A call of the API was decided.
    Api {
        /// Which request.
        exchange: u64,
        /// What it presented.
        presented: Option<Presentation>,
        /// How.
        carried: Carried,
        /// Status decided; that of the fault, or 0, where a fault took the provider's place.
        status: u16,
        /// Units handed out by a 2xx.
        handed_out: Vec<String>,
        /// Units that an accepted request reports as done or carries.
        delivered: Vec<String>,
    },
    /// The progress of an export job was reported.
    JobReported {
        /// In which request.
        exchange: u64,
        /// Which job.
        job: String,
        /// `started`, `completed`, `completed_with_errors` or `failed`.
        report: String,
        /// The provider took it.
        accepted: bool,
    },
    /// An authorise request was decided.
    Authorize {
        /// Which request.
        exchange: u64,
        /// `response_type`.
        response_type: Option<String>,
        /// The redirect URI is the one of the first authorise request (or the registered one).
        redirect_uri: String,
        /// Scopes asked for.
        scopes: Vec<String>,
        /// Digest of `state`, for equality; none if absent.
        state: Option<String>,
        /// Bits of `state` by length and alphabet.
        state_bits: u32,
        /// Digest of the challenge; none if absent.
        challenge: Option<String>,
        /// `code_challenge_method`.
        method: Option<String>,
        /// What came of it.
        result: Authorized,
    },
    /// A token was introspected.
    Introspected {
        /// Which request.
        exchange: u64,
    },
    /// The request went nowhere that Pleo documents.
    Undocumented {
        /// Which request.
        exchange: u64,
    },
    /// A gate holds a request or its reply.
    Held {
        /// Which request.
        exchange: u64,
        /// Which gate.
        gate: String,
    },
    /// The gate let go.
    Released {
        /// Which request.
        exchange: u64,
        /// By dropping it.
        dropped: bool,
    },
    /// A fault was applied.
    Faulted {
        /// Which request.
        exchange: u64,
        /// In a word.
        fate: String,
        /// The provider's decision had been committed before.
        committed: bool,
        /// The rule that asked for it; none: recorded before rules were.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        rule: Option<u32>,
    },
    /// A request came to another origin, where only a redirect leads.
    CameElsewhere {
        /// Method.
        method: String,
        /// The canaries in it, by name.
        carried: Vec<String>,
    },
    /// The reply asks to be left alone for a while (`Retry-After`).
    AskedToWait {
        /// Which request.
        exchange: u64,
        /// How long, from the moment at which the reply was written.
        wait: Micros,
        /// It was said by a date: true to the second only.
        by_date: bool,
    },
    /// The reply was fully written.
    Replied {
        /// Which request.
        exchange: u64,
        /// Status.
        status: u16,
        /// What it meant.
        reply: Reply,
    },
    /// The subject has read the reply.
    Read {
        /// Which request.
        exchange: u64,
    },
    /// It cannot be seen when the subject read the reply.
    ReadUnknown {
        /// Which request.
        exchange: u64,
    },
    /// The connection ended before the reply was fully written.
    Aborted {
        /// Which request.
        exchange: u64,
        /// By the subject, not by a fault.
        by_subject: bool,
    },
}
