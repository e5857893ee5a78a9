//! The OpenAPI document of the management port: complete, consistent, and true.

use serde_json::{Value, json};

use crate::{
    management::{ask, http, managed, url},
    support::*,
};

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

async fn document() -> (regrant_mock_server::Provider, Value) {
    let provider = managed().await;
    let (status, document) = ask(&provider, "GET", "/v1/openapi.json", Value::Null).await;
    assert_eq!(status, 200);
    (provider, document)
}

/// Path, method and operation of everything that it names.
fn operations(document: &Value) -> Vec<(&String, &str, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, item)| METHODS.iter().filter_map(move |method| Some((path, *method, item.get(*method)?)))).collect()
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let (_provider, document) = document().await;
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 50, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').unwrap_or_else(|| panic!("{reference} leads elsewhere"));
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

fn collect(value: &Value, references: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|value| collect(value, references));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn every_operation_is_whole() {
    let (_provider, document) = document().await;
    let operations = operations(&document);
    let mut ids: Vec<&str> = operations.iter().map(|(_, _, operation)| operation["operationId"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    let count = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
    for (path, method, operation) in operations {
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path} has no summary");
        let item = &document["paths"][path];
        let parameters = [&operation["parameters"], &item["parameters"]].into_iter().filter_map(Value::as_array).flatten();
        let named: Vec<&str> = parameters.filter(|p| p["in"] == "path").filter_map(|p| p["name"].as_str()).collect();
        for name in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(named.contains(&name), "{method} {path} does not say what {name} is");
        }
        for (status, response) in operation["responses"].as_object().expect("responses") {
            let content = response["content"].as_object().unwrap_or_else(|| panic!("{method} {path} {status} has no content"));
            assert!(content.values().all(|kind| kind.get("schema").is_some()), "{method} {path} {status} has no schema");
            assert_eq!(content.contains_key("application/problem+json"), !status.starts_with('2'), "{method} {path} {status}");
        }
    }
}

#[tokio::test]
async fn every_path_is_there_and_answers_with_a_status_that_it_names() {
    let (provider, document) = document().await;
    assert_eq!(ask(&provider, "POST", "/v1/tenants", json!({"name": "one"})).await.0, 201);
    connect(&provider).await;
    for (path, method, operation) in operations(&document) {
        let asked = path.replace("{tenant}", "one").replace("{id}", "1").replace("{name}", "g").replace("{n}", "1");
        let method = method.to_uppercase().parse().expect("a method");
        // A reply that never ends is not waited for.
        let answer = http().request(method, url(&provider, &asked)).send().await.expect("an answer");
        let status = answer.status().as_u16().to_string();
        let response = &operation["responses"][&status];
        assert!(response.is_object(), "{path} answers {status}, which the document does not name");
        let kind = answer.headers()["content-type"].to_str().expect("text").to_owned();
        assert!(response["content"].get(&kind).is_some(), "{path} {status} answers {kind}");
        let text = answer.text().await.expect("text");
        assert!(!text.contains("openapi.json lists"), "{path}: {text}");
        for line in if kind == "application/x-ndjson" { text.lines().collect() } else { vec![text.as_str()] } {
            let told = serde_json::from_str(line).unwrap_or_else(|error| panic!("{path}: {error}: {line}"));
            if let Err(wrong) = fits(&told, &response["content"][&kind]["schema"], &document) {
                panic!("{path} {status}: {wrong}\n{line}");
            }
        }
    }
}

#[tokio::test]
async fn both_halves_of_the_document_say_the_same() {
    let (_provider, document) = document().await;
    let paths = document["paths"].as_object().expect("paths");
    let of_tenants: Vec<&str> = paths.keys().filter_map(|path| path.strip_prefix("/v1/tenants/{tenant}/")).collect();
    assert!(of_tenants.len() > 20, "{of_tenants:?}");
    for path in of_tenants {
        assert!(paths.contains_key(&format!("/v1/{path}")), "{path}");
    }
}

/// Whether a value is as its schema says. Knows the words that the document uses.
fn fits(value: &Value, schema: &Value, document: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return fits(value, document.pointer(&reference[1..]).expect("it leads somewhere"), document);
    }
    for all in schema["allOf"].as_array().into_iter().flatten() {
        fits(value, all, document)?;
    }
    for any in ["oneOf", "anyOf"].iter().filter_map(|word| schema[*word].as_array()) {
        let tried: Vec<String> = any.iter().filter_map(|one| fits(value, one, document).err()).collect();
        if tried.len() == any.len() {
            return Err(format!("none of: {tried:?}"));
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is(value, kind)) {
        return Err(format!("{value} is none of {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{value} is none of {}", schema["enum"]));
    }
    if let Some(fields) = value.as_object().filter(|_| schema.get("properties").is_some()) {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            fields.get(name).ok_or_else(|| format!("{name} is missing"))?;
        }
        for (name, value) in fields {
            match schema["properties"].get(name) {
                Some(schema) => fits(value, schema, document).map_err(|wrong| format!("{name}: {wrong}"))?,
                None if fields.contains_key("event") => {}
                None => return Err(format!("{name} is not in the schema")),
            }
        }
    }
    for item in value.as_array().into_iter().flatten() {
        fits(item, &schema["items"], document)?;
    }
    Ok(())
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

#[test]
fn the_check_of_schemas_can_fail() {
    let document = json!({"x": {"type": "object", "required": ["a"], "properties": {"a": {"type": ["integer", "null"]}}}});
    let schema = json!({"$ref": "#/x"});
    assert!(fits(&json!({"a": 1}), &schema, &document).is_ok());
    for wrong in [json!({}), json!({"a": "1"}), json!({"a": 1, "b": 2}), json!([])] {
        assert!(fits(&wrong, &schema, &document).is_err(), "{wrong}");
    }
}
