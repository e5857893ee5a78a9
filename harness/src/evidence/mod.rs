//! What was seen: an append-only, ordered history of events, each with its source and its times.
//!
//! Nothing in here decides anything. Secrets stand here by name (`refresh#3`) only.

mod event;
mod history;
mod reply;

pub use event::{
    Authorized, CanaryForm, Channel, Connection, Event, FileSeen, Found, Grant, Instance, LogStream, Micros, Outcome, PageSeen, Phase,
    Place, Presentation, Refreshing, Says, Source, TokenResult, Verb, Wanted, What, micros,
};
pub use history::{Header, History, ReadError, read_run, write_run};
pub use reply::{Reply, Severance, classify};
