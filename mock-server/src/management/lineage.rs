//! Lineage over HTTP: which token was made from which, and whether it is as a test expects.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use regrant_authority::EndedBy;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answer::{Answer, At, Example, Named, Refusal, Sent, Shown},
    words::{self, target},
};
use crate::{
    Control,
    control::Target,
    lineage::{FamilyState, Lineage},
};

pub(super) fn routes() -> OpenApiRouter<Control> {
    OpenApiRouter::new().routes(routes!(lineage)).routes(routes!(assert))
}

/// Which grant.
#[derive(Debug, Deserialize, IntoParams)]
struct OneGrantPath {
    /// A number from the list of grants, or `newest`
    #[param(pattern = "^([0-9]+|newest)$", example = "newest")]
    id: String,
}

/// Tells which token of a grant was made from which, and who asked in vain
#[utoipa::path(get, path = "/grants/{id}/lineage", tag = "grants", params(OneGrantPath), responses(
    (status = 200, description = "Its tokens in the order in which they were issued", body = shapes::Lineage),
    (status = 404, description = "There never was such a grant"),
))]
async fn lineage(At(control): At, Named(OneGrantPath { id }): Named<OneGrantPath>) -> Answer<Lineage> {
    of(&control, &id).map(Shown)
}

fn of(control: &Control, id: &str) -> Result<Lineage, Refusal> {
    let grant = match target(id)? {
        Target::Grant(grant) => Some(grant),
        Target::Newest => control.grants().last().map(|grant| grant.id),
        Target::All => return Err(Refusal::new(400, "a lineage is of one grant", "use a number from GET /v1/grants, or newest")),
    };
    let none = || Refusal::new(404, &format!("there is no grant {id}"), "GET /v1/grants lists them");
    grant.and_then(|grant| control.lineage(grant)).ok_or_else(none)
}

/// What a lineage should be. What is left out is not looked at.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
struct Expected {
    /// The most pairs of tokens that any one refresh token brought: 1 where nobody won twice, 0 where nothing was refreshed.
    winners: Option<usize>,
    /// How many requests with a code or refresh token of this grant were refused.
    losers: Option<usize>,
    /// How often the refresh token was rotated.
    generation: Option<u32>,
    /// `null`: it lives. Else what ended it; `revoked` for any cause.
    #[serde(deserialize_with = "there")]
    #[schema(schema_with = ended, required = false)]
    ended: Option<Value>,
    /// The journal has everything from the code on.
    complete: Option<bool>,
}

impl Example for Expected {
    const EXAMPLE: &'static str = r#"{"winners": 1, "losers": 0, "generation": 3, "ended": null}"#;
}

/// A `null` is something too.
fn there<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Value>, D::Error> {
    let value = Value::deserialize(d)?;
    let known = value.is_null() || value == "revoked" || serde_json::from_value::<EndedBy>(value.clone()).is_ok();
    let words = "null, \"revoked\", {\"revoked\": \"user\"}, \"reuse\", \"expired-replay\" or \"code-reuse\"";
    if known { Ok(Some(value)) } else { Err(serde::de::Error::custom(format!("ended is {words}"))) }
}

fn ended() -> utoipa::openapi::Schema {
    use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type};
    let any_cause = ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(["revoked"]));
    let any_end: Schema = OneOfBuilder::new().item(any_cause).item(words::ended_by()).into();
    words::or_null(any_end.into())
}

/// A lineage is as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Holds {
    holds: bool,
}

/// One thing that is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Difference {
    what: &'static str,
    expected: Value,
    found: Value,
}

/// A lineage is not as it should be.
#[derive(Debug, Serialize, ToSchema)]
struct Differs {
    #[serde(flatten)]
    refusal: Refusal,
    differs: Vec<Difference>,
}

impl IntoResponse for Differs {
    fn into_response(self) -> Response {
        // Fails only for maps whose keys are no text, of which there are none.
        let text = serde_json::to_string(&self).unwrap_or_default() + "\n";
        let headers = [(header::CONTENT_TYPE, "application/problem+json"), (header::CACHE_CONTROL, "no-store")];
        (StatusCode::CONFLICT, headers, text).into_response()
    }
}

/// Asks whether a grant's lineage is as a test expects
#[utoipa::path(post, path = "/grants/{id}/lineage/assert", tag = "grants", params(OneGrantPath), request_body = Option<Expected>, responses(
    (status = 200, description = "It is", body = Holds),
    (status = 404, description = "There never was such a grant"),
    (status = 409, description = "It is not; what differs is told", body = Differs, content_type = "application/problem+json"),
))]
async fn assert(
    At(control): At,
    Named(OneGrantPath { id }): Named<OneGrantPath>,
    Sent(expected): Sent<Expected>,
) -> Result<Response, Refusal> {
    let differs = differences(&expected, &of(&control, &id)?);
    if differs.is_empty() {
        return Ok(Shown(Holds { holds: true }).into_response());
    }
    let told: Vec<String> = differs.iter().map(|one| format!("{} is {}, not {}", one.what, one.found, one.expected)).collect();
    let remedy = format!("GET /v1/grants/{id}/lineage shows who asked with what, and the journal's lines");
    Ok(Differs { refusal: Refusal::new(409, &told.join("; "), &remedy), differs }.into_response())
}

fn differences(expected: &Expected, lineage: &Lineage) -> Vec<Difference> {
    let found_end = match lineage.state {
        FamilyState::Live => Value::Null,
        FamilyState::Ended { by, .. } => match (by, &expected.ended) {
            (EndedBy::Revoked(_), Some(any)) if any == "revoked" => json!("revoked"),
            (by, _) => json!(by),
        },
    };
    let looked_at = [
        ("winners", expected.winners.map(|count| json!(count)), json!(winners(lineage))),
        ("losers", expected.losers.map(|count| json!(count)), json!(lineage.losers.len())),
        ("generation", expected.generation.map(|count| json!(count)), json!(lineage.generation)),
        ("ended", expected.ended.clone(), found_end),
        ("complete", expected.complete.map(|complete| json!(complete)), json!(lineage.complete)),
    ];
    let differs = looked_at.into_iter().filter_map(|(what, expected, found)| Some(Difference { what, expected: expected?, found }));
    differs.filter(|one| one.expected != one.found).collect()
}

/// The most pairs that any one refresh token brought.
fn winners(lineage: &Lineage) -> usize {
    let mut pairs: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    let is_refresh = |name: &&str| lineage.nodes.iter().any(|pair| pair.refresh.as_deref() == Some(*name));
    for edge in &lineage.edges {
        if let Some(name) = edge.presented.as_deref().filter(is_refresh) {
            pairs.entry(name).or_default().insert(edge.to);
        }
    }
    pairs.values().map(BTreeSet::len).max().unwrap_or(0)
}

/// What a lineage looks like, for the document.
#[allow(dead_code, reason = "they only describe crate::lineage")]
mod shapes {
    use regrant_authority::{EndedBy, TokenState};

    use super::{ToSchema, words};

    /// The tokens of one grant in the order in which they were issued, and who asked in vain.
    #[derive(ToSchema)]
    pub(super) struct Lineage {
        grant: u32,
        client_id: String,
        /// How often the refresh token was rotated.
        generation: u32,
        state: FamilyState,
        /// The journal still has everything from the code on; otherwise the oldest tokens are missing.
        complete: bool,
        /// Each pair that was issued, oldest first.
        nodes: Vec<Pair>,
        /// Each answer with tokens, oldest first: one that repeats an earlier one leads to the same pair.
        edges: Vec<Edge>,
        /// Each request that presented a code or refresh token of this grant and was refused, oldest first.
        losers: Vec<Loser>,
    }

    /// What has become of a grant.
    #[derive(ToSchema)]
    struct FamilyState {
        state: Word,
        /// When it ended, on the provider's clock, in milliseconds.
        #[schema(nullable = false)]
        at: Option<u64>,
        /// What ended it.
        #[schema(schema_with = words::ended_by, required = false)]
        by: Option<EndedBy>,
    }

    #[derive(ToSchema)]
    #[schema(as = FamilyWord, rename_all = "kebab-case")]
    enum Word {
        Live,
        Ended,
    }

    /// An access token and the refresh token that goes with it, by name.
    #[derive(ToSchema)]
    #[schema(as = TokenPair)]
    struct Pair {
        generation: u32,
        access: String,
        refresh: Option<String>,
        /// Line of the journal.
        n: u64,
        at_us: u64,
        exchange: u64,
        current: bool,
    }

    /// One answer with tokens.
    #[derive(ToSchema)]
    #[schema(as = TokenEdge)]
    struct Edge {
        /// An index into `nodes`; `null` for a code, or what the journal has forgotten.
        from: Option<usize>,
        /// An index into `nodes`.
        to: usize,
        presented: Option<String>,
        #[schema(schema_with = nullable_state)]
        state: Option<TokenState>,
        exchange: u64,
        n: u64,
        repeated: bool,
    }

    /// One request that was refused.
    #[derive(ToSchema)]
    #[schema(as = TokenLoser)]
    struct Loser {
        presented: Option<String>,
        #[schema(schema_with = words::token_state)]
        state: TokenState,
        error: String,
        status: u16,
        exchange: u64,
        n: u64,
        at_us: u64,
    }

    fn nullable_state() -> utoipa::openapi::Schema {
        words::or_null(words::token_state().into())
    }
}
