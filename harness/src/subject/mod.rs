//! The subject: who the integration under test is, and how it is driven.
//!
//! In: a [`Manifest`], placeholder [`Bindings`], commands to drive it. Out: [`SupervisorEvent`]s, answers of pages and
//! programs, and [`SubjectError`]s that say who is to blame. Nothing in here judges.

pub mod agent;
mod driver;
mod error;
mod find_program;
pub mod manifest;
mod placeholder;
mod ports;
mod process;
mod ready;
mod runtime;
mod sandbox;
mod supervise;
mod supervisor;

pub use agent::{Agent, AgentError, AgentSetup, Answer, AuthorizeUrl, CallbackUrl, Consent, Consented, Follow, Intercepted, Look, Signer};
pub use driver::{Answered, Driver, Outcome};
pub use error::{Blame, SubjectError};
pub use manifest::{Manifest, ManifestError};
pub use placeholder::{Bindings, UnknownPlaceholder};
pub use ports::{PortError, PortLease, lease_port};
pub use process::{Ended, Exit, ProcId, Signal, SpawnError, SpawnRequest, Stdin, Stream, SupervisorEvent};
pub use ready::{start_and_wait, wait_ready};
pub use runtime::Runtime;
pub use sandbox::Sandbox;
pub use supervise::supervise_main;
pub use supervisor::Supervisor;
