//! What the management port can do, as OpenAPI 3.1: taken from the handlers, and completed with what holds for all of them.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use utoipa::{
    PartialSchema,
    openapi::{ComponentsBuilder, InfoBuilder, OpenApi, OpenApiBuilder},
};

use super::answer::Refusal;
use crate::fault::{GateOptions, Rule, scenario::ProviderPolicy};

/// Where the paths of one tenant stand.
pub(super) const TENANT: &str = "/v1/tenants/{tenant}";

const METHODS: [&str; 5] = ["get", "put", "post", "delete", "patch"];

/// The document before any path is in it.
pub(super) fn info() -> OpenApi {
    let about = "What the user and the provider's owner can do, for people and for scripts in any language. The paths below \
                 `/v1/tenants/{tenant}` do for one tenant what those below `/v1` do for the default one.";
    let info = InfoBuilder::new().title("regrant mock provider: management").version(env!("CARGO_PKG_VERSION")).description(Some(about));
    let components = ComponentsBuilder::new().schema("Refusal", Refusal::schema());
    OpenApiBuilder::new().info(info).components(Some(components.build())).build()
}

/// Completes the document.
pub(super) fn finish(document: OpenApi) -> Value {
    // Fails only for maps whose keys are no text, of which there are none.
    let mut document = serde_json::to_value(document).unwrap_or_default();
    if let Some(paths) = document["paths"].as_object_mut() {
        paths.iter_mut().for_each(|(path, item)| complete(path, item));
    }
    let rules = from_rules();
    match document["components"]["schemas"].as_object_mut() {
        Some(schemas) => schemas.extend(rules),
        None => document["components"]["schemas"] = Value::Object(rules),
    }
    document["components"]["securitySchemes"] = json!({"token": {"type": "http", "scheme": "bearer"}});
    // Asked for only where the provider was started with one.
    document["security"] = json!([{}, {"token": []}]);
    document
}

fn complete(path: &str, item: &mut Value) {
    let of_a_tenant = path.strip_prefix(TENANT).is_some_and(|rest| rest.starts_with('/'));
    if of_a_tenant {
        let schema = json!({"type": "string"});
        item["parameters"] =
            json!([{"name": "tenant", "in": "path", "required": true, "description": "The tenant's name", "schema": schema}]);
    }
    for operation in METHODS.iter().filter_map(|method| Some((*method, item.get(*method)?.clone()))).collect::<Vec<_>>() {
        item[operation.0] = completed(operation.0, operation.1, path, of_a_tenant);
    }
}

fn completed(method: &str, mut operation: Value, path: &str, of_a_tenant: bool) -> Value {
    let id = format!("{method}{}", path.trim_start_matches("/v1").replace(['/', '.'], "_").replace(['{', '}'], ""));
    operation["operationId"] = json!(id);
    let takes_body = operation.get("requestBody").is_some();
    if let Some(content) = operation.pointer_mut("/requestBody/content/application~1json/schema") {
        never_null(content);
    }
    let takes_names = of_a_tenant || operation.get("parameters").is_some();
    let Some(responses) = operation["responses"].as_object_mut() else { return operation };
    let mut add = |status: &str, description: &str| {
        responses.entry(status).or_insert_with(|| json!({"description": description}));
    };
    add("401", "The management token is missing or wrong");
    add("403", "The Host header is no loopback name, or a web page asked");
    if takes_body {
        add("413", "The body is longer than 2 MB");
    }
    if takes_body || takes_names {
        add("400", "The request is not what is expected");
    }
    if of_a_tenant {
        add("404", "There is no such tenant");
    }
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5']) && response.get("content").is_none() {
            response["content"] = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Refusal"}}});
        }
    }
    responses.sort_keys();
    operation
}

/// A body may be left out, but `null` is none.
fn never_null(schema: &mut Value) {
    if let Some(kinds) = schema["type"].as_array_mut() {
        kinds.retain(|kind| kind != "null");
    }
    if let Some(forms) = schema["oneOf"].as_array_mut() {
        forms.retain(|form| form["type"] != "null");
        if let [only] = forms.as_slice() {
            *schema = only.clone();
        }
    }
    if let Some(fields) = schema.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
}

/// The schemas of rules and policies, which scenario files share.
fn from_rules() -> Map<String, Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let _rule = generator.subschema_for::<Rule>();
    let _policy = generator.subschema_for::<ProviderPolicy>();
    let _gates = generator.subschema_for::<GateOptions>();
    generator.take_definitions(true)
}
