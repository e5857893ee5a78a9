//! What is on a page: links, forms, buttons, text.

/// The text a person sees, with the targets of links and forms in brackets; no scripts, no styles.
#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
#[must_use]
pub fn visible_text(html: &str) -> String {
    todo!()
}
