//! The register of requirements: one file per group; each requirement is data beside its check.

mod finding;
mod requirement;

pub use finding::{Finding, Verdict};
pub use requirement::{Level, Requirement, Severity};
