//! What can keep a command from its end, and the exit status that follows: the only place where errors become codes.

use super::seams::RunError;
use crate::{evidence::ReadError, report::ExitStatus};

/// Why a command did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum CliError {
    /// What was typed makes no sense.
    #[error("{0}")]
    Usage(String),
    /// There is no run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A saved run cannot be read.
    #[error("{path}: {source}")]
    Saved {
        /// Which.
        path: String,
        /// Why.
        source: ReadError,
    },
    /// Saved runs that are not the shards of one run.
    #[error(transparent)]
    NotOneRun(#[from] super::seams::NotOneRun),
    /// A file that the user named cannot be read.
    #[error("{0}")]
    File(String),
    /// The surroundings do not allow it.
    #[error("{0}")]
    Environment(String),
    /// The harness failed.
    #[error("{0}")]
    Harness(String),
}

impl CliError {
    /// The exit status.
    pub(super) fn status(&self) -> ExitStatus {
        match self {
            Self::Usage(_) | Self::Saved { .. } | Self::NotOneRun(_) | Self::File(_) => ExitStatus::Usage,
            Self::Run(RunError::User(_) | RunError::NothingSelected) => ExitStatus::Usage,
            Self::Run(RunError::Environment(_)) | Self::Environment(_) => ExitStatus::Environment,
            Self::Run(RunError::Harness(_)) | Self::Harness(_) => ExitStatus::HarnessFault,
        }
    }

    /// For a person; errors in files show the place.
    pub(super) fn message(&self) -> String {
        let who = match self.status() {
            ExitStatus::Environment => "the surroundings failed: ",
            ExitStatus::HarnessFault => "the harness failed: ",
            ExitStatus::Usage | ExitStatus::Cancelled | ExitStatus::Failed | ExitStatus::Undecided | ExitStatus::Clean => "",
        };
        match self {
            Self::Run(RunError::User(report)) => in_file(report),
            other => format!("regrant: {who}{other}"),
        }
    }
}

/// With the lines around the place, unless one is so long that it would bury everything else (and the printer breaks on it).
fn in_file(report: &miette::Report) -> String {
    let place = report.labels().and_then(|mut labels| labels.next());
    let Some((source, label)) = report.source_code().zip(place) else { return format!("{report:?}") };
    let (around, at) = (source.read_span(label.inner(), 1, 1), source.read_span(label.inner(), 0, 0));
    let endless = around.is_ok_and(|lines| lines.data().split(|byte| *byte == b'\n').any(|line| line.len() > LONGEST));
    match at {
        Ok(at) if endless => {
            let help = report.help().map(|help| format!("\n{help}")).unwrap_or_default();
            format!("regrant: {} in line {}: {report}{help}", at.name().unwrap_or("a file"), at.line() + 1)
        }
        Ok(_) | Err(_) => format!("{report:?}"),
    }
}

/// Longer lines of a file are not shown.
const LONGEST: usize = 2_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_one_endless_line_is_not_shown_but_its_place_is() {
        let text = format!("name = \"x\"\ny{}", "=".repeat(100_000));
        let place = miette::LabeledSpan::at_offset(50_000, "here");
        let report = miette::Report::new(miette::MietteDiagnostic::new("it is no TOML").with_label(place));
        let error = CliError::Run(RunError::User(report.with_source_code(miette::NamedSource::new("regrant.toml", text))));
        assert_eq!(error.message(), "regrant: regrant.toml in line 2: it is no TOML");
    }

    #[test]
    fn blame_decides_the_status() {
        let codes = [
            (CliError::Usage("x".into()), 2),
            (CliError::File("x".into()), 2),
            (CliError::Run(RunError::User(miette::miette!("x"))), 2),
            (CliError::Run(RunError::NothingSelected), 2),
            (CliError::Saved { path: "x".into(), source: ReadError::Empty }, 2),
            (CliError::Environment("x".into()), 3),
            (CliError::Run(RunError::Environment("x".into())), 3),
            (CliError::Harness("x".into()), 5),
            (CliError::Run(RunError::Harness("x".into())), 5),
        ];
        for (error, code) in codes {
            assert_eq!(error.status().code(), code, "{error}");
        }
    }
}
