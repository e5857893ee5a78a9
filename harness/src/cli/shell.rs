//! What a shell, an editor and a manual reader want: completions, schemas, the page.

use clap::CommandFactory;
use regrant_mock_server::fault::scenario::Scenario;

use super::{
    args::{SchemaOf, Typed},
    error::CliError,
    out, seams,
};
use crate::report::ExitStatus;

pub(super) fn schema(of: SchemaOf) -> Result<ExitStatus, CliError> {
    let schema = match of {
        SchemaOf::Manifest => seams::manifest_schema(),
        SchemaOf::Baseline => seams::baseline_schema(),
        SchemaOf::Scenario => schemars::schema_for!(Scenario).to_value(),
    };
    out::say(&format!("{schema:#}\n"))?;
    Ok(ExitStatus::Clean)
}

pub(super) fn completions(shell: clap_complete::Shell) -> Result<ExitStatus, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "regrant", &mut script);
    out::say(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Clean)
}

pub(super) fn man() -> Result<ExitStatus, CliError> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Typed::command()).render(&mut page).map_err(|source| CliError::Harness(format!("the manual page: {source}")))?;
    out::say(&String::from_utf8_lossy(&page))?;
    Ok(ExitStatus::Clean)
}
