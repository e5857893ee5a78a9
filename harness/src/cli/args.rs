//! What was typed: the command line as clap reads it, and nothing decided yet.

use std::{ffi::OsString, net::SocketAddr, num::NonZeroUsize, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A conformance harness for integrations with Pleo's API: what happens when the refresh token dies?
#[derive(Debug, Parser)]
#[command(name = "regrant", bin_name = "regrant", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Exit status: 0 nothing that counts failed, 1 requirements failed, 2 usage or manifest error,
3 the surroundings failed, 4 requirements stayed undecided, 5 the harness failed, 130 cancelled.")]
pub(super) struct Typed {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tells a few stories to the built-in reference subject, upright and with a defect
    Demo(Demo),
    /// Checks the integration that a manifest describes
    Check(Check),
    /// Searches for an order of events in which something fails, makes it small, and writes it down
    Explore(Explore),
    /// Writes a first manifest, from flags or from a few questions
    Init(Init),
    /// Tries the positive controls alone, and shows which lines of the manifest would let more be decided
    Doctor(Doctor),
    /// Serves the mock provider alone, for local development
    Serve(Serve),
    /// Judges a saved run again
    Judge(Judge),
    /// Renders saved runs in any format; shards of one run become one
    Report(Report),
    /// Lists the requirements
    List(List),
    /// Explains one requirement: its source, what is looked at, how to fix a failure
    Explain(Explain),
    /// Prints the JSON Schema of a file format
    Schema(Schema),
    /// Prints a completion script
    Completions(Completions),
    /// Prints the manual page
    Man,
    /// Starts and ends the processes of a subject; used by the harness itself
    #[command(hide = true)]
    Supervise,
    /// The reference subject; used by the harness itself
    #[command(hide = true)]
    Subject(Subject),
}

#[derive(Debug, Args)]
pub(super) struct Demo {
    /// Where to leave what was seen; nothing is kept without it
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) telling: Telling,
    #[command(flatten)]
    pub(super) look: Look,
}

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The manifest, or the folder it lies in
    #[arg(value_name = "MANIFEST", default_value = "regrant.toml")]
    pub(super) manifest: PathBuf,
    /// Check the built-in reference subject instead, with a defect planted (`regrant list --defects` names them)
    #[arg(long, value_name = "DEFECT", num_args = 0..=1, conflicts_with_all = ["manifest", "set"])]
    pub(super) reference: Option<Option<String>>,
    /// Only these requirements (STOP-01), groups (STOP) or stories
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// All but these requirements, groups or stories
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// A story of your own, in addition
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Vec<PathBuf>,
    /// One of N parts of the stories, as in 2/3; needs --seed. `regrant report` merges what the parts leave
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<String>,
    /// Overrides a manifest key by its dotted path, e.g. start.env.MODE=x
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where to leave run.jsonl, verdicts.json, schedule.json, report.html, junit.xml and summary.md
    #[arg(long, value_name = "DIR", default_value = "regrant-out")]
    pub(super) out: PathBuf,
    #[command(flatten)]
    pub(super) telling: Telling,
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) look: Look,
}

#[derive(Debug, Args)]
pub(super) struct Explore {
    /// The manifest, or the folder it lies in
    #[arg(value_name = "MANIFEST", default_value = "regrant.toml")]
    pub(super) manifest: PathBuf,
    /// Explore the built-in reference subject instead, with a defect planted (`regrant list --defects` names them)
    #[arg(long, value_name = "DEFECT", num_args = 0..=1, conflicts_with_all = ["manifest", "set"])]
    pub(super) reference: Option<Option<String>>,
    /// How long it searches, such as 90s or 5m; what it finds is made smaller in half of that, and no less than 12 s each
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(super) budget: String,
    /// It ends once so many orders came about; the budget holds besides
    #[arg(long, value_name = "N")]
    pub(super) orders: Option<NonZeroUsize>,
    /// Only these situations; an unknown one is told which there are
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) situation: Vec<String>,
    /// No sequences drawn at random
    #[arg(long)]
    pub(super) no_sequences: bool,
    /// Only these requirements (RACE-01) or groups (RACE)
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// All but these requirements or groups
    #[arg(long, value_name = "WHAT", value_delimiter = ',')]
    pub(super) skip: Vec<String>,
    /// Tells a schedule.json or a scenario file again, in place of a search
    #[arg(long, value_name = "FILE", conflicts_with_all = ["budget", "orders", "situation", "no_sequences"])]
    pub(super) replay: Option<PathBuf>,
    /// Overrides a manifest key by its dotted path, e.g. start.env.MODE=x
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Where to leave what was found: a scenario file each, schedule.json, explored.json, and what `check` leaves
    #[arg(long, value_name = "DIR", default_value = "regrant-out")]
    pub(super) out: PathBuf,
    #[command(flatten)]
    pub(super) telling: Telling,
    /// Warnings count as errors
    #[arg(long)]
    pub(super) strict: bool,
    #[command(flatten)]
    pub(super) look: Look,
}

/// How stories are told.
#[derive(Debug, Args)]
pub(super) struct Telling {
    /// Seed of the provider's secrets and ids; printed, so that a run can be repeated with it
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// How many stories are told at once [default: 4 for each core]
    #[arg(long, value_name = "N")]
    pub(super) jobs: Option<NonZeroUsize>,
}

/// How verdicts become an exit status and a report.
#[derive(Debug, Args)]
pub(super) struct Judging {
    /// Warnings count as errors
    #[arg(long)]
    pub(super) strict: bool,
    /// Undecided requirements do not change the exit status
    #[arg(long)]
    pub(super) allow_undecided: bool,
    /// A list of known failures, which do not change the exit status until their day is over; an entry that says nothing any more is exit 1
    #[arg(long, value_name = "FILE")]
    pub(super) baseline: Option<PathBuf>,
    /// text, json, junit, ctrf, tap, markdown, html or sarif; to a file with FORMAT=PATH, else to stdout. Repeatable
    #[arg(long, value_name = "FORMAT[=PATH]")]
    pub(super) format: Vec<String>,
}

/// How things are shown.
#[derive(Debug, Args)]
pub(super) struct Look {
    /// When to use colour
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Color,
    /// Failures and undecided by name, a summary, no progress
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// What passed, too, and everything that was seen
    #[arg(short, long)]
    pub(super) verbose: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where integrations reach the provider; port 0 for any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4010")]
    pub(super) listen: SocketAddr,
    /// Where the provider is managed; port 0 for any
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:4011")]
    pub(super) management: SocketAddr,
    /// Allows addresses beyond loopback: --listen then needs --reachable-as, --management needs --management-token
    #[arg(long)]
    pub(super) allow_remote: bool,
    /// The host in the URLs that are printed, e.g. host.docker.internal
    #[arg(long, value_name = "HOST")]
    pub(super) reachable_as: Option<String>,
    /// What whoever manages must send as a Bearer token
    #[arg(long, value_name = "TOKEN", env = "REGRANT_MANAGEMENT_TOKEN", hide_env_values = true)]
    pub(super) management_token: Option<String>,
    /// How many tenants there may be below /t/NAME; each has grants, clock, rules and journal of its own
    #[arg(long, value_name = "N", default_value_t = 64)]
    pub(super) tenants: usize,
    /// How many events each journal keeps in memory, and 64 MiB of them at most
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(super) journal: usize,
    /// Appends every event of every journal here as well, a line of JSON each, secrets by name
    #[arg(long, value_name = "PATH")]
    pub(super) journal_file: Option<PathBuf>,
    /// https under a certificate authority made for this run
    #[arg(long)]
    pub(super) tls: bool,
    /// Also answers for Pleo's own host names, as a forward proxy at this address
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:4012")]
    pub(super) intercept: Option<SocketAddr>,
    /// Speaks HTTP/2 too, with whoever asks for it
    #[arg(long)]
    pub(super) http2: bool,
    /// Seed of all secrets and ids
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u64>,
    /// Registers a client. Repeatable; without it there is one with random credentials
    #[arg(long, value_name = "ID:SECRET[@REDIRECT_URI]")]
    pub(super) client: Vec<String>,
    /// How the consent page answers
    #[arg(long, value_name = "HOW", default_value = "page")]
    pub(super) consent: Consent,
    /// Plays the provider's part of a story, and says what is left to you
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    /// Writes addresses and credentials here as JSON once all is ready
    #[arg(long, value_name = "PATH")]
    pub(super) ready_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Consent {
    /// A page with an Allow and a Deny button
    Page,
    /// Consents at once
    Auto,
    /// Denies at once
    Deny,
}

#[derive(Debug, Args)]
pub(super) struct Judge {
    /// A run.jsonl, or the folder it lies in
    #[arg(value_name = "RUN")]
    pub(super) run: PathBuf,
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) look: Look,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The manifest to write, or the folder it shall lie in
    #[arg(value_name = "MANIFEST", default_value = "regrant.toml")]
    pub(super) manifest: PathBuf,
    /// What the subject is called; the folder's name without it
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
    /// The command that starts it, such as "python3 app.py"
    #[arg(long, value_name = "COMMAND")]
    pub(super) run: Option<String>,
    /// What answers once it is ready
    #[arg(long, value_name = "URL", default_value = "{base_url}/")]
    pub(super) ready: Option<String>,
    /// Where a user connects it: a path, or method and address
    #[arg(long, value_name = "[METHOD ]PATH")]
    pub(super) connect: Option<String>,
    /// What makes it work
    #[arg(long, value_name = "[METHOD ]PATH")]
    pub(super) trigger: Option<String>,
    /// What says how its connection stands, as JSON with a member `state`
    #[arg(long, value_name = "[METHOD ]PATH")]
    pub(super) status: Option<String>,
    /// A variable of its environment, such as PLEO_API={api_url}. Repeatable
    #[arg(long, value_name = "NAME=VALUE")]
    pub(super) env: Vec<String>,
    /// Writes over a manifest that is there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Doctor {
    /// The manifest, or the folder it lies in
    #[arg(value_name = "MANIFEST", default_value = "regrant.toml")]
    pub(super) manifest: PathBuf,
    /// The built-in reference subject instead
    #[arg(long, conflicts_with_all = ["manifest", "set"])]
    pub(super) reference: bool,
    /// Overrides a manifest key by its dotted path, e.g. start.env.MODE=x
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
    #[command(flatten)]
    pub(super) telling: Telling,
    #[command(flatten)]
    pub(super) look: Look,
}

#[derive(Debug, Args)]
pub(super) struct Report {
    /// A run.jsonl, or the folder it lies in; several: all the shards of one run
    #[arg(value_name = "RUN", required = true)]
    pub(super) runs: Vec<PathBuf>,
    /// Where to leave what `check` leaves, made of the whole
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) judging: Judging,
    #[command(flatten)]
    pub(super) look: Look,
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// The stories instead
    #[arg(long)]
    pub(super) stories: bool,
    /// The defects of the reference subject instead
    #[arg(long, conflicts_with = "stories")]
    pub(super) defects: bool,
    /// For a person or for a program
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(super) format: ListFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ListFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A requirement such as STOP-01, or a story
    #[arg(value_name = "ID")]
    pub(super) id: String,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Which file
    #[arg(value_name = "FILE")]
    pub(super) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// regrant.toml
    Manifest,
    /// A story
    Scenario,
    /// Known failures
    Baseline,
}

#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell
    #[arg(value_name = "SHELL")]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Debug, Args)]
pub(super) struct Subject {
    /// What the reference subject itself reads
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARG")]
    pub(super) args: Vec<OsString>,
}
