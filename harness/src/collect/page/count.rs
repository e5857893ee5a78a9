//! How many records an answer shows.

use scraper::Selector;
use serde_json::Value;

use super::{Answer, text};

/// Number of records in an answer: of a JSON array, of the first array in a JSON object (or of its only number), of JSON lines,
/// of table rows or list items in HTML, else of lines. None if it cannot be told.
#[must_use]
pub fn count_records(body: &[u8]) -> Option<u64> {
    let answer = Answer { status: 200, content_type: None, body };
    let count = match text::content(answer) {
        text::Content::Html(html) => {
            let all = |what: &str| Selector::parse(what).map(|selector| html.select(&selector).count()).unwrap_or(0);
            match (all("tr:has(td)"), all("li")) {
                (0, 0) => return None,
                (0, items) => items,
                (rows, _) => rows,
            }
        }
        text::Content::Json(value) => return of_json(&value),
        text::Content::Plain => match serde_json::from_slice::<Value>(body) {
            Ok(Value::Number(number)) => return number.as_u64(),
            Ok(_) | Err(_) => String::from_utf8_lossy(body).lines().filter(|line| !line.trim().is_empty()).count(),
        },
    };
    u64::try_from(count).ok()
}

fn of_json(value: &Value) -> Option<u64> {
    match first_array(value) {
        Some(all) => u64::try_from(all.len()).ok(),
        None => only_number(value),
    }
}

/// The uppermost, then the first.
fn first_array(value: &Value) -> Option<&Vec<Value>> {
    match value {
        Value::Array(all) => Some(all),
        Value::Object(map) => map.values().find_map(Value::as_array).or_else(|| map.values().find_map(first_array)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => None,
    }
}

fn only_number(value: &Value) -> Option<u64> {
    let mut numbers = value.as_object()?.values().filter(|v| v.is_number());
    match (numbers.next(), numbers.next()) {
        (Some(number), None) => number.as_u64(),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_counted_in_every_usual_answer() {
        for (body, expected) in [
            ("[1,2,3]", Some(3)),
            ("[]", Some(0)),
            (r#"{"ok":true,"data":[{},{}],"page":{"links":["a"]}}"#, Some(2)),
            (r#"{"data":{"items":[1]}}"#, Some(1)),
            (r#"{"count":7}"#, Some(7)),
            (r#"{"a":1,"b":2}"#, None),
            ("7", Some(7)),
            ("{\"a\":1}\n{\"a\":2}\n\n", Some(2)),
            ("one\ntwo\n", Some(2)),
            ("", Some(0)),
            ("<!doctype html><table><tr><th>x</th></tr><tr><td>1</td></tr><tr><td>2</td></tr></table>", Some(2)),
            ("<html><ul><li>a<li>b<li>c</ul>", Some(3)),
            ("<html><p>nothing", None),
        ] {
            assert_eq!(count_records(body.as_bytes()), expected, "{body}");
        }
    }
}
