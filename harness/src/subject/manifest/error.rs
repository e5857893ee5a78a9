//! What can be wrong with a manifest, shown with its place.

use std::{io, path::Path};

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

impl ManifestError {
    pub(super) fn unread(path: &Path, error: &io::Error) -> Self {
        Self {
            message: format!("{} cannot be read: {error}", path.display()),
            source_code: None,
            label: None,
            help: Some("name the manifest or its folder; `regrant init` writes a first one".into()),
            code: "manifest::unread",
        }
    }

    /// Line and column of the place, from 1; none if there is no place.
    #[must_use]
    pub fn place(&self) -> Option<(usize, usize)> {
        let span = self.label.as_ref()?.inner();
        let contents = self.source_code.as_ref()?.read_span(span, 0, 0).ok()?;
        Some((contents.line() + 1, contents.column() + 1))
    }
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
