//! What can be wrong with a manifest, shown with its place.

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

/// Something is wrong with the manifest: what, where, and what would be right.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct ManifestError {
    pub(super) message: String,
    pub(super) source_code: Option<NamedSource<String>>,
    pub(super) label: Option<LabeledSpan>,
    pub(super) help: Option<String>,
    pub(super) code: &'static str,
}

impl Diagnostic for ManifestError {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.code))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source_code.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        self.label.clone().map(|label| Box::new(std::iter::once(label)) as Box<dyn Iterator<Item = LabeledSpan>>)
    }
}
