//! Resources that Pleo documents and this server does not model: an empty list for reads, an echo for writes.

use serde_json::{Value, json};

use super::{json_body, page::page};
use crate::front::{desk::Desk, reply::Reply, request::Request};

/// Answers in Pleo's envelope.
pub(super) fn answer(desk: &mut Desk<'_>, request: &Request) -> Reply {
    if request.only_looks() {
        return page(request, Vec::new());
    }
    if request.method == "DELETE" {
        return Reply::empty(204);
    }
    let mut body = if request.body.is_empty() {
        json!({})
    } else {
        match json_body(request) {
            Ok(body) => body,
            Err(reply) => return reply,
        }
    };
    if let Value::Object(fields) = &mut body {
        // Whatever was made has an id that the integration may keep.
        let id = desk.state.source.uuid();
        fields.entry("id").or_insert(json!(id));
    }
    Reply::json(if request.method == "POST" { 201 } else { 200 }, &json!({"data": body}))
}
