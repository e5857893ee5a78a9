//! Scopes: their syntax, and what a refresh may narrow (RFC 6749 sections 3.3 and 6).

use std::sync::Arc;

use crate::Refusal;

/// The scopes of a `scope` parameter in their order, each once; `None` if there is none or one is malformed.
///
/// More than one space between two scopes is let pass: nobody is misled by it.
pub(crate) fn parse(text: &str) -> Option<Vec<String>> {
    let mut scopes: Vec<String> = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if !word.bytes().all(is_scope_character) {
            return None;
        }
        if !scopes.iter().any(|known| known == word) {
            scopes.push(word.to_owned());
        }
    }
    (!scopes.is_empty()).then_some(scopes)
}

/// The scopes of a refreshed access token: what was granted, or the part of it that was asked for.
pub(crate) fn narrowed(asked: Option<&str>, granted: &Arc<[String]>) -> Result<Arc<[String]>, Refusal> {
    let Some(asked) = asked else { return Ok(granted.clone()) };
    match parse(asked) {
        None => Err(Refusal::invalid_scope("The scope is malformed")),
        Some(scopes) if scopes.iter().all(|scope| granted.contains(scope)) => Ok(scopes.into()),
        Some(_) => Err(Refusal::invalid_scope("The scope goes beyond what the user granted")),
    }
}

/// `scope-token` of RFC 6749 section 3.3: printable ASCII but for the space, the double quote and the backslash.
fn is_scope_character(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn scopes_keep_their_order_and_stand_once() {
        assert_eq!(parse("b a  b c"), Some(strings(&["b", "a", "c"])));
    }

    #[test]
    fn a_quote_a_backslash_a_control_character_or_nothing_is_no_scope() {
        for text in ["", " ", "a\"b", "a\\b", "a\tb", "é"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn no_scope_means_all_that_was_granted() {
        assert_eq!(narrowed(None, &strings(&["a", "b"]).into()), Ok(strings(&["a", "b"]).into()));
    }

    #[test]
    fn a_part_of_the_grant_may_be_asked_for_but_no_more() {
        let granted = strings(&["a", "b"]).into();
        assert_eq!(narrowed(Some("b"), &granted), Ok(strings(&["b"]).into()));
        assert_eq!(narrowed(Some("b c"), &granted).map_err(|refusal| refusal.error), Err("invalid_scope".to_owned()));
    }
}
