//! What a subscriber asks for: the body of `POST` and `PUT /v1/subscriptions`, read and checked.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};

use crate::{front::reply::Reply, webhook::Endpoint};

/// An export job was created; Pleo's pages write it in three ways.
const JOB_CREATED: [&str; 3] = ["v1.export-job.created", "v1.export.job-created", "v2.export-job.created"];
/// A vendor was created, which never happens here.
const VENDOR_CREATED: &str = "v1.vendor.created";

const MOST_HEADERS: usize = 20;
/// What a message's own frame and signature need.
const RESERVED: [&str; 10] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "expect",
    "upgrade",
    "webhook-id",
    "webhook-timestamp",
    "webhook-signature",
];

/// What a subscription is about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) endpoint: Endpoint,
    pub(super) event_types: Vec<String>,
    pub(super) active: bool,
    /// What each message carries besides: custom headers, Basic credentials.
    pub(super) headers: Vec<(String, String)>,
    /// `customHeaders` and `endpointAuth`, as they were given.
    pub(super) extras: Map<String, Value>,
}

impl Asked {
    /// The name under which a new export job is told; `None`: it is not wanted.
    pub(super) fn name_for_a_job(&self) -> Option<&str> {
        self.event_types.iter().map(String::as_str).find(|name| JOB_CREATED.contains(name))
    }

    /// Who wants to be told of export jobs must be allowed to read them (Pleo, webhooks overview).
    pub(super) fn scopes(&self) -> impl Iterator<Item = &'static str> {
        let jobs = self.name_for_a_job().map(|_| "export-jobs:read");
        let vendors = self.event_types.iter().any(|name| name == VENDOR_CREATED).then_some("vendors:read");
        jobs.into_iter().chain(vendors)
    }
}

/// Reads a body.
///
/// # Errors
/// What it asks for is not in Pleo's schema, or cannot be delivered to.
pub(super) fn read(body: &Value) -> Result<Asked, Reply> {
    let url = body["endpointUrl"].as_str().ok_or_else(|| unreadable("endpointUrl is required"))?;
    let endpoint = Endpoint::read(url).map_err(|why| refused(&why.to_string()))?;
    let active = match body.get("status").map(Value::as_str) {
        None | Some(Some("ACTIVE")) => true,
        Some(Some("INACTIVE")) => false,
        Some(_) => return Err(unreadable("status must be ACTIVE or INACTIVE")),
    };
    let mut headers = custom_headers(body.get("customHeaders"))?;
    headers.extend(basic(body.get("endpointAuth"))?);
    let extra = |name: &str| Some((name.to_owned(), body.get(name).filter(|value| !value.is_null())?.clone()));
    let extras = ["customHeaders", "endpointAuth"].into_iter().filter_map(extra).collect();
    Ok(Asked { endpoint, event_types: event_types(&body["eventTypes"])?, active, headers, extras })
}

fn event_types(given: &Value) -> Result<Vec<String>, Reply> {
    let names: Option<Vec<&str>> = given.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
    let names = names.filter(|names| !names.is_empty()).ok_or_else(|| unreadable("eventTypes must be a list of names"))?;
    let mut known: Vec<String> = Vec::new();
    for name in names {
        if !JOB_CREATED.contains(&name) && name != VENDOR_CREATED {
            return Err(refused(&format!("There is no event type {name:?}; there are {} and {VENDOR_CREATED}", JOB_CREATED.join(", "))));
        }
        if !known.iter().any(|other| other == name) {
            known.push(name.to_owned());
        }
    }
    Ok(known)
}

fn custom_headers(given: Option<&Value>) -> Result<Vec<(String, String)>, Reply> {
    let all = match given {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Object(all)) if all.len() <= MOST_HEADERS => all,
        Some(_) => return Err(unreadable(&format!("customHeaders must be an object of at most {MOST_HEADERS} texts"))),
    };
    let header = |(name, value): (&String, &Value)| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| unreadable(&format!("{name:?} is no name of a header")))?;
        if RESERVED.contains(&name.as_str()) {
            return Err(refused(&format!("The header {name} is Pleo's own")));
        }
        let value = value.as_str().filter(|value| HeaderValue::from_str(value).is_ok());
        let value = value.ok_or_else(|| unreadable(&format!("The header {name} must be a text that can stand in a header")))?;
        Ok((name.as_str().to_owned(), value.to_owned()))
    };
    all.iter().map(header).collect()
}

/// The credentials that each message is to carry.
fn basic(given: Option<&Value>) -> Result<Option<(String, String)>, Reply> {
    let Some(auth) = given.filter(|auth| !auth.is_null()) else { return Ok(None) };
    let part = |name: &str| auth["credentials"][name].as_str();
    match (auth.get("type").and_then(Value::as_str).unwrap_or("NONE"), part("username"), part("password")) {
        ("NONE", ..) => Ok(None),
        ("BASIC", Some(user), Some(password)) if !user.contains(':') => {
            Ok(Some(("authorization".into(), format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))))
        }
        ("BASIC", ..) => Err(unreadable("endpointAuth of type BASIC needs credentials with username (without a colon) and password")),
        _ => Err(unreadable("endpointAuth.type must be NONE or BASIC")),
    }
}

fn unreadable(message: &str) -> Reply {
    Reply::api_error(400, "JSON_MAPPING_EXCEPTION", message)
}

fn refused(message: &str) -> Reply {
    Reply::api_error(400, "PARAMETER_VALIDATION_FAILED", message)
}
