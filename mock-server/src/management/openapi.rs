//! What the management port can do, as OpenAPI 3.1.

use serde_json::{Map, Value, json};

/// Path, method, what it does, and an example of its body.
const OPERATIONS: &[(&str, &str, &str, &str)] = &[
    ("/v1/ready", "get", "What an integration must be configured with", ""),
    ("/v1/openapi.json", "get", "This document", ""),
    ("/v1/journal", "get", "What crossed the wire, a line of JSON per event; ?follow=1 goes on, ?from=N leaves out what came before", ""),
    ("/v1/grants", "get", "All grants, live and ended", ""),
    ("/v1/grants/{id}/revoke", "post", "Ends a grant (a number, newest or all)", r#"{"cause": "user"}"#),
    ("/v1/grants/{id}/expire", "post", "Lets a token expire", r#"{"token": "refresh", "also_access": true}"#),
    ("/v1/grants/{id}/reject", "post", "Lets the API reject the access token, so that a refresh is needed", ""),
    ("/v1/tokens", "get", "All secrets ever minted, by name; ?values=1 shows them", ""),
    ("/v1/clients/{id}/rotate-secret", "post", "Gives a client a new secret", r#"{"overlap": "10s"}"#),
    ("/v1/clock", "get", "The provider's time", ""),
    ("/v1/clock", "post", "Moves the provider's clock forward", r#"{"advance": "15m"}"#),
    ("/v1/rules", "get", "Installed rules and how often each matched", ""),
    ("/v1/rules", "post", "Installs a rule", r#"{"on": {"endpoint": "token", "nth": 1}, "at": "committed", "fate": {"hold": "gate-a"}}"#),
    ("/v1/rules", "delete", "Removes all rules", ""),
    ("/v1/rules/{id}", "delete", "Removes a rule", ""),
    ("/v1/gates", "get", "All gates and what they hold", ""),
    (
        "/v1/gates/{name}/release",
        "post",
        "Lets go of what a gate holds and opens it for good; ends the rules that are in force until this name",
        "",
    ),
    ("/v1/gates/{name}/drop", "post", "Drops the connections a gate holds, and opens it for good", ""),
    ("/v1/work", "post", "Adds units of work: export or employee", r#"{"kind": "export", "count": 3}"#),
    ("/v1/consent", "put", "How the consent page answers, and for which company", r#"{"mode": "auto", "company": 0}"#),
    ("/v1/policy", "put", "Lifetimes, rotation, refusals", r#"{"provider": {"rotation": "strict"}, "token_shape": "odd"}"#),
];

/// The document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for (path, method, summary, example) in OPERATIONS {
        if let Value::Object(methods) = paths.entry(*path).or_insert_with(|| json!({})) {
            methods.insert((*method).to_owned(), operation(path, summary, example));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "regrant mock provider: management", "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
    })
}

fn operation(path: &str, summary: &str, example: &str) -> Value {
    let kind = if path == "/v1/journal" { "application/x-ndjson" } else { "application/json" };
    let mut operation = json!({
        "summary": summary,
        "responses": {"200": {"description": "Done", "content": {kind: {}}}, "default": {"description": "A refusal: error, remedy"}},
    });
    let Some(fields) = operation.as_object_mut() else { return operation };
    let names: Vec<Value> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{').and_then(|part| part.strip_suffix('}')))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}))
        .collect();
    if !names.is_empty() {
        fields.insert("parameters".into(), json!(names));
    }
    if let Ok(example) = serde_json::from_str::<Value>(example) {
        let body = json!({"content": {"application/json": {"schema": {"type": "object"}, "example": example}}});
        fields.insert("requestBody".into(), body);
    }
    operation
}
