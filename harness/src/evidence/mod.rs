//! What was seen: an append-only, ordered history of events, each with its source and its times.
//!
//! Nothing in here decides anything. Secrets stand here by name (`refresh#3`) only.

mod event;
mod history;
mod parts;
mod reply;
mod words;

pub use event::{Event, Micros, What, micros};
pub use history::{Header, History, ReadError, read_run, write_run};
pub use parts::{
    Authorized, CanaryForm, Channel, Connection, FileSeen, Found, Grant, Instance, LogStream, Outcome, PageSeen, Phase, Place,
    Presentation, Refreshing, SUBSCRIPTION, Says, Source, TokenResult, Verb, Wanted,
};
pub use reply::{Reply, Severance, classify};
pub use words::says;
