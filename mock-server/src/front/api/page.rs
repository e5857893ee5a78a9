//! Pleo's pagination: `before`, `after` or `offset`, `limit`, and the envelope of a list.

use serde_json::{Map, Value, json};

use super::super::{reply::Reply, request::Request};

/// What is given where no `limit` is asked for, and at most. Only a third party's client names these numbers.
const DEFAULT_LIMIT: usize = 20;
const MOST: usize = 100;

/// One thing of a list and its place in the order of all such things, which never changes.
pub(super) struct Listed {
    pub(super) place: u64,
    pub(super) value: Value,
}

enum From {
    Offset(usize),
    After(u64),
    Before(u64),
}

/// The page of `all` that a request asks for.
pub(super) fn page(request: &Request, all: Vec<Listed>) -> Reply {
    match window(request) {
        Ok((from, limit)) => envelope(request, all, &from, limit),
        Err(message) => Reply::api_error(400, "PARAMETER_VALIDATION_FAILED", &message),
    }
}

fn window(request: &Request) -> Result<(From, usize), String> {
    let query = &request.parameters;
    let number = |name: &str| match query.get(name).map(str::parse::<usize>) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(format!("{name} must be a number from 0")),
    };
    let limit = number("limit")?.unwrap_or(DEFAULT_LIMIT).min(MOST);
    let cursor = |name: &str| query.get(name).map(|text| read_cursor(text).ok_or_else(|| format!("{name} is no cursor"))).transpose();
    match (cursor("before")?, cursor("after")?, number("offset")?) {
        (None, None, offset) => Ok((From::Offset(offset.unwrap_or(0)), limit)),
        (None, Some(after), None) => Ok((From::After(after), limit)),
        (Some(before), None, None) => Ok((From::Before(before), limit)),
        _ => Err("before, after and offset exclude one another".into()),
    }
}

fn envelope(request: &Request, all: Vec<Listed>, from: &From, limit: usize) -> Reply {
    let total = all.len();
    let (start, end) = match from {
        From::Offset(offset) => ((*offset).min(total), offset.saturating_add(limit).min(total)),
        From::After(place) => {
            let start = all.iter().position(|listed| listed.place > *place).unwrap_or(total);
            (start, start.saturating_add(limit).min(total))
        }
        From::Before(place) => {
            let end = all.iter().position(|listed| listed.place >= *place).unwrap_or(total);
            (end.saturating_sub(limit), end)
        }
    };
    let shown: Vec<Listed> = all.into_iter().skip(start).take(end - start).collect();
    let mut pagination = json!({
        "currentRequestPagination": current(request, limit),
        "hasNextPage": end < total,
        "hasPreviousPage": start > 0,
        "total": total,
    });
    if let (Some(first), Some(last), Some(fields)) = (shown.first(), shown.last(), pagination.as_object_mut()) {
        fields.insert("startCursor".into(), json!(write_cursor(first.place)));
        fields.insert("endCursor".into(), json!(write_cursor(last.place)));
    }
    let data: Vec<Value> = shown.into_iter().map(|listed| listed.value).collect();
    Reply::json(200, &json!({"data": data, "pagination": pagination}))
}

fn current(request: &Request, limit: usize) -> Value {
    let query = &request.parameters;
    let mut parameters = Map::new();
    for (name, value) in query.iter() {
        if let Value::Array(values) = parameters.entry(name).or_insert_with(|| json!([])) {
            values.push(json!(value));
        }
    }
    let mut current = json!({"parameters": parameters, "limit": limit});
    if let Some(fields) = current.as_object_mut() {
        for name in ["before", "after"] {
            query.get(name).map(|value| fields.insert(name.into(), json!(value)));
        }
        query.get("offset").and_then(|value| value.parse::<u64>().ok()).map(|offset| fields.insert("offset".into(), json!(offset)));
    }
    current
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/// So that cursors look like nothing in particular; a cursor is opaque.
const VEIL: u64 = 0x5a17_c0de_90b1_e55e;

/// A cursor, of the pattern `^[A-Z2-7=~]+$`.
fn write_cursor(place: u64) -> String {
    let veiled = place.wrapping_add(1).rotate_left(17) ^ VEIL;
    (0..13).rev().map(|i| char::from(BASE32[usize::try_from(veiled >> (5 * i) & 31).unwrap_or(0)])).collect()
}

fn read_cursor(text: &str) -> Option<u64> {
    if text.len() != 13 {
        return None;
    }
    let digit = |b: u8| BASE32.iter().position(|c| *c == b).and_then(|i| u64::try_from(i).ok());
    let veiled = text.bytes().try_fold(0_u64, |number, b| Some(number << 5 | digit(b)?))?;
    let place = (veiled ^ VEIL).rotate_right(17).wrapping_sub(1);
    (write_cursor(place) == text).then_some(place)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    fn ask(query: &str, count: u64) -> (u16, Value) {
        let request = Request::new("GET".into(), &format!("/v2/employees?{query}"), Vec::new(), bytes::Bytes::new());
        let all = (0..count).map(|place| Listed { place: place * 10, value: json!(place) }).collect();
        let reply = page(&request, all);
        (reply.status, serde_json::from_slice(&reply.body).expect("JSON"))
    }

    #[test]
    fn following_the_cursors_gives_everything_once() {
        let (mut seen, mut query) = (Vec::new(), "limit=3".to_owned());
        for _ in 0..10 {
            let (_, body) = ask(&query, 8);
            seen.extend(body["data"].as_array().expect("a list").iter().filter_map(Value::as_u64));
            if body["pagination"]["hasNextPage"] == json!(false) {
                break;
            }
            query = format!("limit=3&after={}", body["pagination"]["endCursor"].as_str().expect("a cursor"));
        }
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn before_goes_back_by_a_page() {
        let (_, third) = ask("offset=6&limit=2", 8);
        let cursor = third["pagination"]["startCursor"].as_str().expect("a cursor").to_owned();
        assert!(cursor.bytes().all(|b| b.is_ascii_uppercase() || (b'2'..=b'7').contains(&b)), "{cursor}");
        let (_, second) = ask(&format!("before={cursor}&limit=2"), 8);
        assert_eq!(second["data"], json!([4, 5]));
        assert_eq!(second["pagination"]["hasPreviousPage"], json!(true));
    }

    #[test]
    fn there_are_twenty_on_a_page_and_never_more_than_a_hundred() {
        assert_eq!(ask("", 150).1["data"].as_array().map(Vec::len), Some(20));
        assert_eq!(ask("limit=1000", 150).1["data"].as_array().map(Vec::len), Some(100));
    }

    #[test]
    fn nonsense_is_refused() {
        let cursor = write_cursor(3);
        for query in [format!("before={cursor}&after={cursor}"), format!("offset=1&after={cursor}"), "limit=-1".into(), "after=abc".into()]
        {
            assert_eq!(ask(&query, 8).0, 400, "{query}");
        }
    }
}
