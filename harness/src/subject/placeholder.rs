//! `{port}` and its kin: names known, values bound per sandbox, texts filled.

use std::collections::BTreeMap;

/// The names a manifest may use; `port:NAME` besides.
pub(in crate::subject) const NAMES: &[&str] = &[
    "port",
    "base_url",
    "run_id",
    "authorize_url",
    "token_url",
    "introspect_url",
    "api_url",
    "client_id",
    "client_secret",
    "scopes",
    "redirect_uri",
    "state_dir",
    "item_id",
    "process",
    "connection",
    "notify_url",
    "smtp_url",
    "otlp_url",
    "webhook_secret",
    "proxy_url",
    "ca_file",
    "callback_url",
];

/// A placeholder without a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{{{name}}} has no value here{}", nearest.as_ref().map(|near| format!("; did you mean {{{near}}}?")).unwrap_or_default())]
pub struct UnknownPlaceholder {
    /// Its name.
    pub name: String,
    /// The nearest name that is known.
    pub nearest: Option<String>,
}

/// Names and their values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    values: BTreeMap<String, String>,
}

impl Bindings {
    /// Nothing is bound.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Binds a name (`port`, `port:redis`), replacing what it had.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) -> &mut Self {
        self.values.insert(name.into(), value.into());
        self
    }

    /// The same with one more name bound.
    #[must_use]
    pub fn with(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut more = self.clone();
        more.set(name, value);
        more
    }

    /// A name's value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Puts values in place of `{name}`; `{{name}}` stands for a literal `{name}`; other braces are left alone.
    ///
    /// # Errors
    /// A name without a value.
    pub fn fill(&self, text: &str) -> Result<String, UnknownPlaceholder> {
        let mut out = String::with_capacity(text.len());
        for piece in pieces(text) {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Name(name) => out.push_str(self.get(name).ok_or_else(|| self.unknown(name))?),
            }
        }
        Ok(out)
    }

    /// Fills every element.
    ///
    /// # Errors
    /// A name without a value.
    pub fn fill_all<'a>(&self, texts: impl IntoIterator<Item = &'a String>) -> Result<Vec<String>, UnknownPlaceholder> {
        texts.into_iter().map(|text| self.fill(text)).collect()
    }

    /// Fills every value.
    ///
    /// # Errors
    /// A name without a value.
    pub fn fill_map(&self, texts: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, UnknownPlaceholder> {
        texts.iter().map(|(key, text)| Ok((key.clone(), self.fill(text)?))).collect()
    }

    /// Fills every string in a JSON value, keys included.
    ///
    /// # Errors
    /// A name without a value.
    pub fn fill_json(&self, value: &serde_json::Value) -> Result<serde_json::Value, UnknownPlaceholder> {
        use serde_json::Value;
        Ok(match value {
            Value::String(text) => Value::String(self.fill(text)?),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill_json(item)).collect::<Result<_, _>>()?),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, item)| Ok((self.fill(key)?, self.fill_json(item)?))).collect::<Result<_, _>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        })
    }

    fn unknown(&self, name: &str) -> UnknownPlaceholder {
        let bound = self.values.keys().map(String::as_str);
        UnknownPlaceholder { name: name.into(), nearest: nearest(name, bound) }
    }
}

/// A piece of a text with placeholders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::subject) enum Piece<'a> {
    /// As it stands.
    Text(&'a str),
    /// `{name}`.
    Name(&'a str),
}

/// Cuts a text at its placeholders.
pub(in crate::subject) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    let mut plain = 0;
    let mut at = 0;
    while let Some(open) = text[at..].find('{').map(|offset| at + offset) {
        let inner = &text[open + 1..];
        if let Some(literal) = inner.strip_prefix('{').and_then(name_before_brace).filter(|name| inner[name.len() + 2..].starts_with('}')) {
            let end = open + literal.len() + 4;
            found.push(Piece::Text(&text[plain..open]));
            found.push(Piece::Text(&text[open + 1..end - 1]));
            (plain, at) = (end, end);
        } else if let Some(name) = name_before_brace(inner) {
            let end = open + name.len() + 2;
            found.push(Piece::Text(&text[plain..open]));
            found.push(Piece::Name(name));
            (plain, at) = (end, end);
        } else {
            at = open + 1;
        }
    }
    found.push(Piece::Text(&text[plain..]));
    found.retain(|piece| *piece != Piece::Text(""));
    found
}

/// The placeholder's name if `text` begins with one, as in `port:redis}…`.
fn name_before_brace(text: &str) -> Option<&str> {
    let name = &text[..text.find('}')?];
    let (word, rest) = name.split_once(':').map_or((name, None), |(word, rest)| (word, Some(rest)));
    let good_word = word.starts_with(|c: char| c.is_ascii_lowercase()) && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let good_rest = rest.is_none_or(|rest| !rest.is_empty() && rest.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-'));
    (good_word && good_rest).then_some(name)
}

/// The most similar of some words, if it is similar at all.
pub(in crate::subject) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    known
        .map(|name| (strsim::jaro_winkler(word, name), name))
        .filter(|(alike, _)| *alike > 0.75)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, name)| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> Bindings {
        let mut bindings = Bindings::new();
        bindings.set("port", "4711").set("port:redis", "4712").set("base_url", "http://127.0.0.1:4711");
        bindings
    }

    #[test]
    fn values_take_the_place_of_names() {
        assert_eq!(bound().fill("{base_url}/x?p={port:redis}{port}").as_deref(), Ok("http://127.0.0.1:4711/x?p=47124711"));
    }

    #[test]
    fn braces_that_are_no_placeholder_are_left_alone() {
        for text in [r#"{"a":{"b":1}}"#, "{}", "{", "a}b", "${HOME}", r"\d{3}", "{ port }", "{Port}", "{port:}", "é{", "{é}"] {
            assert_eq!(bound().fill(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn doubled_braces_stand_for_themselves() {
        assert_eq!(bound().fill("awk {{print}} {{port}} {port}").as_deref(), Ok("awk {print} {port} 4711"));
    }

    #[test]
    fn an_unbound_name_is_an_error_with_the_nearest_name() {
        let error = bound().fill("{por}").expect_err("unbound");
        assert_eq!(error.nearest.as_deref(), Some("port"));
        assert_eq!(error.to_string(), "{por} has no value here; did you mean {port}?");
    }

    #[test]
    fn json_is_filled_throughout() {
        let filled = bound().fill_json(&serde_json::json!({"a": ["{port}", 1, null], "{port}": true}));
        assert_eq!(filled, Ok(serde_json::json!({"a": ["4711", 1, null], "4711": true})));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_cut_without_loss(text in ".*") {
            let whole: usize = pieces(&text).iter().map(|piece| match piece { Piece::Text(text) | Piece::Name(text) => text.len() }).sum();
            proptest::prop_assert!(whole <= text.len());
            let _ = Bindings::new().fill(&text);
        }
    }
}
