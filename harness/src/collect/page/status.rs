//! What an answer says of the state of the connection, by the manifest's patterns.

use regex::Regex;
use regrant_mock_server::fault::scenario::Status;
use serde_json::Value;

use super::{Answer, text};

/// One of the manifest's patterns for a state.
#[derive(Debug, Clone)]
pub enum Pattern {
    /// `{ json = "/state", is = "connected" }`.
    Json {
        /// JSON pointer.
        pointer: String,
        /// The value there.
        is: Value,
    },
    /// `{ status = 401 }`.
    Status(u16),
    /// `{ text = "regex" }`.
    Text(Regex),
    /// `{ exit = 3 }`.
    Exit(i32),
}

/// The state that the answer tells: the first pattern that matches. Text is looked for in what a person reads, and only if no
/// pattern matches there, in the body as it is.
#[must_use]
pub fn read_status(patterns: &[(Status, Pattern)], answer: Answer<'_>) -> Option<Status> {
    let json: Option<Value> = serde_json::from_slice(answer.body).ok();
    let first = |text: &str| patterns.iter().find(|(_, p)| p.matches(answer.status, json.as_ref(), text)).map(|(status, _)| *status);
    first(&text::seen(answer).text).or_else(|| first(&answer.text()))
}

impl Pattern {
    fn matches(&self, status: i32, json: Option<&Value>, text: &str) -> bool {
        match self {
            Self::Json { pointer, is } => json.and_then(|json| json.pointer(pointer)).is_some_and(|value| same(value, is)),
            Self::Status(code) => status == i32::from(*code),
            Self::Exit(code) => status == *code,
            Self::Text(pattern) => pattern.is_match(text),
        }
    }
}

/// A manifest may say `"3"` or `"true"` where the answer has a number or a truth value.
fn same(value: &Value, is: &Value) -> bool {
    match (value, is) {
        (Value::Number(number), Value::String(text)) => number.to_string() == *text,
        (Value::Bool(truth), Value::String(text)) => text == if *truth { "true" } else { "false" },
        (value, is) => value == is,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(patterns: &[(Status, Pattern)], status: i32, body: &str) -> Option<Status> {
        read_status(patterns, Answer { status, content_type: None, body: body.as_bytes() })
    }

    #[test]
    fn the_first_pattern_that_matches_tells_the_state() {
        let json = |is: Value| Pattern::Json { pointer: "/a/state".into(), is };
        let patterns = [
            (Status::Connected, json(json!("ok"))),
            (Status::Disconnected, json(json!("reauth"))),
            (Status::Disconnected, Pattern::Status(401)),
            (Status::Broken, Pattern::Exit(3)),
        ];
        assert_eq!(read(&patterns, 200, r#"{"a":{"state":"ok"}}"#), Some(Status::Connected));
        assert_eq!(read(&patterns, 200, r#"{"a":{"state":"reauth"}}"#), Some(Status::Disconnected));
        assert_eq!(read(&patterns, 401, "no json"), Some(Status::Disconnected));
        assert_eq!(read(&patterns, 3, ""), Some(Status::Broken));
        assert_eq!(read(&patterns, 200, r#"{"a":{"state":"new"}}"#), None);
    }

    #[test]
    fn values_compare_across_types_where_the_manifest_quotes_them() {
        let pattern = |is: Value| [(Status::Connected, Pattern::Json { pointer: "/n".into(), is })];
        assert_eq!(read(&pattern(json!("true")), 200, r#"{"n":true}"#), Some(Status::Connected));
        assert_eq!(read(&pattern(json!(3)), 200, r#"{"n":3}"#), Some(Status::Connected));
        assert_eq!(read(&pattern(json!(true)), 200, r#"{"n":"true"}"#), None);
    }

    #[test]
    fn text_is_looked_for_where_a_person_reads() {
        let text = |pattern: &str| Pattern::Text(Regex::new(pattern).expect("a pattern"));
        let patterns = [(Status::Connected, text("is connected")), (Status::Disconnected, text("not connected|class=.off"))];
        let page = |body: &str| format!("<!doctype html><script>var t = 'is connected'</script>{body}");
        assert_eq!(read(&patterns, 200, &page("<p>Pleo is <b>connected</b></p>")), Some(Status::Connected));
        assert_eq!(read(&patterns, 200, &page("<p>Pleo is not connected</p>")), Some(Status::Disconnected));
        assert_eq!(read(&patterns[1..], 200, &page("<p class='off'>Pleo</p>")), Some(Status::Disconnected));
    }
}
