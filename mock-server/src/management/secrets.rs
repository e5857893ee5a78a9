//! The timeline of a client's secrets.

use std::time::Duration;

use regrant_authority::{ClientError, SecretError, SecretState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, At, Created, Example, Named, Refusal, Sent, Shown},
    words,
};
use crate::{Control, clock::iso, fault::scenario, vault::Canary};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(secrets, add)).routes(routes!(rotate_secret)).routes(routes!(retire)).routes(routes!(revoke))
}

#[derive(Debug, Deserialize, IntoParams)]
struct ClientPath {
    /// The client's id
    id: String,
}

/// A client's new secret.
#[derive(Debug, Serialize, ToSchema)]
struct NewSecret {
    client_id: String,
    client_secret: String,
    /// How the journal calls it.
    #[schema(examples("secret#2"))]
    name: String,
}

/// A secret of a client, by name.
#[derive(Debug, Serialize, ToSchema)]
struct SecretView {
    /// `secret#2`; one that was given from outside is `configured#1`, by its place in the timeline.
    #[schema(examples("secret#2"))]
    name: String,
    /// Accepted from this moment on.
    #[schema(format = DateTime)]
    from: String,
    /// Accepted until this moment; none: no end is known.
    #[schema(format = DateTime)]
    until: Option<String>,
    #[schema(schema_with = words::secret_state)]
    state: SecretState,
}

/// Tells the timeline of a client's secrets
#[utoipa::path(get, path = "/clients/{id}/secrets", tag = "clients", params(ClientPath), responses(
    (status = 200, description = "In the order in which they were added", body = Vec<SecretView>),
    (status = 404, description = "There is no such client"),
    (status = 409, description = "The client is public"),
))]
async fn secrets(At(control): At, Named(ClientPath { id }): Named<ClientPath>) -> Answer<Vec<SecretView>> {
    timeline(&control, &id).map(Shown)
}

fn timeline(control: &Control, id: &str) -> Result<Vec<SecretView>, Refusal> {
    let known = control.secrets(Some(id)).map_err(|error| no_client(control, &error))?;
    let view = |secret: crate::SecretShown| SecretView {
        name: secret.name,
        from: iso(secret.from),
        until: secret.until.map(iso),
        state: secret.state,
    };
    Ok(known.into_iter().map(view).collect())
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct AddSecret {
    /// The secret; a random one if it is left out.
    #[schema(min_length = 1)]
    secret: Option<String>,
    /// When it begins to be accepted; at once if it is left out.
    #[serde(default, deserialize_with = "scenario::maybe_duration")]
    #[schema(schema_with = words::span, required = false)]
    after: Option<Duration>,
}

impl Example for AddSecret {
    const EXAMPLE: &'static str = r#"{"after": "60s"}, {"secret": "s3cret"}, or {}"#;
}

/// Adds a secret beside those that the client has
#[utoipa::path(post, path = "/clients/{id}/secrets", tag = "clients", params(ClientPath), request_body = Option<AddSecret>, responses(
    (status = 201, description = "Added", body = NewSecret),
    (status = 404, description = "There is no such client"),
    (status = 409, description = "The client is public, or has this secret already"),
))]
async fn add(At(control): At, Named(ClientPath { id }): Named<ClientPath>, Sent(asked): Sent<AddSecret>) -> Made<NewSecret> {
    let added = control.add_secret(Some(&id), asked.secret.as_deref(), asked.after.unwrap_or_default());
    added.map(|canary| Created(new_secret(id, canary))).map_err(|error| refused(&control, &error))
}

/// What a handler gives that makes something.
type Made<T> = Result<Created<T>, Refusal>;

fn new_secret(client_id: String, canary: Canary) -> NewSecret {
    NewSecret { client_id, client_secret: canary.value, name: canary.name }
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Overlap {
    /// For how long the old secrets are still accepted.
    #[serde(default, deserialize_with = "scenario::maybe_duration")]
    #[schema(schema_with = words::span, required = false)]
    overlap: Option<Duration>,
}

impl Example for Overlap {
    const EXAMPLE: &'static str = r#"{"overlap": "10s"}"#;
}

/// Gives a client a new secret
#[utoipa::path(post, path = "/clients/{id}/rotate-secret", tag = "clients", params(ClientPath), request_body = Option<Overlap>, responses(
    (status = 200, description = "The new secret, accepted from now on", body = NewSecret),
    (status = 404, description = "There is no such client"),
    (status = 409, description = "The client is public"),
))]
async fn rotate_secret(
    At(control): At,
    Named(ClientPath { id }): Named<ClientPath>,
    Sent(Overlap { overlap }): Sent<Overlap>,
) -> Answer<NewSecret> {
    let rotated = control.rotate_secret(Some(&id), overlap.unwrap_or_default());
    rotated.map(|canary| Shown(new_secret(id, canary))).map_err(|error| no_client(&control, &error))
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Retire {
    /// Which, by name or by value.
    secret: String,
    /// When it ends; at once if it is left out.
    #[serde(default, deserialize_with = "scenario::maybe_duration")]
    #[schema(schema_with = words::span, required = false)]
    after: Option<Duration>,
}

impl Example for Retire {
    const EXAMPLE: &'static str = r#"{"secret": "secret#1", "after": "60s"}"#;
}

/// Sets the end of one of a client's secrets, be that earlier or later than was said before
#[utoipa::path(post, path = "/clients/{id}/retire-secret", tag = "clients", params(ClientPath), request_body = Retire, responses(
    (status = 200, description = "The timeline now", body = Vec<SecretView>),
    (status = 404, description = "There is no such client, or no such secret"),
    (status = 409, description = "The client is public, or the secret is over"),
))]
async fn retire(At(control): At, Named(ClientPath { id }): Named<ClientPath>, Sent(asked): Sent<Retire>) -> Answer<Vec<SecretView>> {
    let retired = control.retire_secret(Some(&id), &asked.secret, asked.after.unwrap_or_default());
    retired.map_err(|error| refused(&control, &error))?;
    timeline(&control, &id).map(Shown)
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Withdraw {
    /// Which, by name or by value.
    secret: String,
}

impl Example for Withdraw {
    const EXAMPLE: &'static str = r#"{"secret": "secret#1"}"#;
}

/// Withdraws one of a client's secrets at once
#[utoipa::path(post, path = "/clients/{id}/revoke-secret", tag = "clients", params(ClientPath), request_body = Withdraw, responses(
    (status = 200, description = "The timeline now", body = Vec<SecretView>),
    (status = 404, description = "There is no such client, or no such secret"),
    (status = 409, description = "The client is public"),
))]
async fn revoke(At(control): At, Named(ClientPath { id }): Named<ClientPath>, Sent(asked): Sent<Withdraw>) -> Answer<Vec<SecretView>> {
    control.revoke_secret(Some(&id), &asked.secret).map_err(|error| refused(&control, &error))?;
    timeline(&control, &id).map(Shown)
}

fn no_client(control: &Control, error: &ClientError) -> Refusal {
    match error {
        ClientError::Unknown(_) => {
            let known = control.shared.state().clients.join(", ");
            Refusal::new(404, &error.to_string(), &format!("registered clients: {known}"))
        }
        ClientError::Public(_) => Refusal::new(409, &error.to_string(), "ask for a confidential client's secrets"),
    }
}

fn refused(control: &Control, error: &SecretError) -> Refusal {
    match error {
        SecretError::Client(error) => no_client(control, error),
        SecretError::Unknown(id) => Refusal::new(404, &error.to_string(), &format!("GET /v1/clients/{id}/secrets lists them")),
        SecretError::Taken(_) => Refusal::new(409, &error.to_string(), "leave `secret` out for a random one"),
        SecretError::Over(id) => Refusal::new(409, &error.to_string(), &format!("GET /v1/clients/{id}/secrets tells which still are")),
        SecretError::Malformed => Refusal::new(400, &error.to_string(), "leave `secret` out for a random one"),
    }
}
