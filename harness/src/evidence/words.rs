//! The English words by which a user is told that access must be restored.

use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};

use super::Says;

/// Any of these, in any case. A permanent link of this kind does no harm: only a difference between two readings counts.
const WORDS: [&str; 12] = [
    r"\bre-?connect",
    r"\bre-?authori[sz]",
    r"\bre-?authenticat",
    r"\bre-?(?:link|consent)\b",
    r"\b(?:sign|log)[ -]?in(?: ?to)?(?: \w+){0,2} (?:again|anew|once more)\b",
    r"\b(?:connect|authori[sz]e|approve|grant access|allow access)(?: to)?(?: pleo)?(?: once)? again\b",
    r"\bconnect(?: to| with)? pleo\b",
    r"\b(?:authori[sz]ation|connection|access|consent|permission)s?\b[^.!?\n]{0,60}\b(?:expired|lost|revoked|withdrawn|broken|ended|restored|renewed|no longer valid|invalid)\b",
    r"\b(?:expired|lost|revoked|withdrawn|withdrew|ended)\b[^.!?\n]{0,40}\b(?:authori[sz]ation|connection|access|consent)\b",
    r"\b(?:renew|restore|regain)(?: the| your| its)?(?: \w+)? (?:access|connection|authori[sz]ation|consent)\b",
    r"\baction (?:is )?(?:required|needed)\b|\b(?:needs|requires) (?:your )?(?:attention|action)\b",
    r"\b(?:no longer|not) (?:connected|authori[sz]ed)\b|\b(?:is|was|been|got) disconnected\b",
];

static DEFAULT: LazyLock<Option<Regex>> = LazyLock::new(|| RegexBuilder::new(&WORDS.join("|")).case_insensitive(true).build().ok());

/// Whether the text tells the user that access must be restored: by `pattern`, else by a list of English words.
#[must_use]
pub fn says(text: &str, pattern: Option<&Regex>) -> Says {
    match pattern.or(DEFAULT.as_ref()) {
        Some(pattern) if pattern.is_match(text) => Says::Yes,
        Some(_) | None => Says::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_notices_tell_the_user() {
        for text in [
            "Please reconnect your Pleo account",
            "Re-connect",
            "You need to reauthorise the integration",
            "Re-authentication needed",
            "Please log in again",
            "Please sign in to Pleo once more",
            "Log into Pleo again",
            "Pleo has ended our access",
            "Sign in again to continue",
            "Your authorization has expired",
            "Authorisation was revoked by the user",
            "The connection to Pleo has been lost",
            "Access must be restored",
            "Renew access",
            "Restore your Pleo connection",
            "Action required",
            "Connect Pleo",
            "Connect to Pleo again",
            "This integration needs your attention",
            "Pleo is no longer connected",
            "Revoked: the access to Pleo",
            "state: needs_reauth\nmessage: please re-authorize",
        ] {
            assert_eq!(says(text, None), Says::Yes, "{text}");
        }
    }

    #[test]
    fn other_pages_do_not() {
        for text in [
            "Connected to Pleo",
            "Disconnect",
            "Last sync 3 minutes ago",
            "Pleo is temporarily unavailable, we will try again",
            "Manage access",
            "Sign in",
            "Log in to continue",
            "Export failed. Connection reset by peer",
            "",
        ] {
            assert_eq!(says(text, None), Says::No, "{text}");
        }
    }
}
