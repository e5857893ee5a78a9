//! The words of types that are not ours to describe, for the OpenAPI document.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use utoipa::openapi::{
    RefOr,
    schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Ref, Schema, SchemaType, Type},
};

use super::answer::Refusal;
use crate::control::Target;
use regrant_authority::GrantId;

const CAUSES: [&str; 5] = ["user", "security", "policy", "credential-rotation", "installation"];

fn one_of_words<'a>(words: impl IntoIterator<Item = &'a str>) -> Schema {
    let values: Vec<Value> = words.into_iter().map(Value::from).collect();
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).enum_values(Some(values)).into()
}

/// Who ended a grant on purpose.
pub(super) fn cause() -> Schema {
    one_of_words(CAUSES)
}

fn with_cause<'a>(words: impl IntoIterator<Item = &'a str>) -> Schema {
    let revoked = ObjectBuilder::new().property("revoked", cause()).required("revoked");
    OneOfBuilder::new().item(one_of_words(words)).item(revoked).into()
}

/// What ended a grant.
pub(super) fn ended_by() -> Schema {
    with_cause(["reuse", "expired-replay", "code-reuse"])
}

/// The state of a token.
pub(super) fn token_state() -> Schema {
    with_cause(["active", "expired", "superseded", "family-ended", "rejected", "used", "unknown"])
}

/// Where a client's secret is on its way.
pub(super) fn secret_state() -> Schema {
    one_of_words(["pending", "active", "retiring", "retired", "revoked"])
}

/// What a secret is.
pub(super) fn kind() -> Schema {
    one_of_words(["access", "refresh", "code", "secret"])
}

/// A span of time as scenarios write it.
pub(super) fn span() -> Schema {
    let example = Value::from("15m");
    ObjectBuilder::new().schema_type(SchemaType::new(Type::String)).pattern(Some("^[0-9]{1,12}(ms|s|m|h|d)$")).examples([example]).into()
}

/// A schema that the document has under this name from elsewhere.
pub(super) fn named(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

/// A rule as scenarios write it.
pub(super) fn rule() -> RefOr<Schema> {
    named("Rule")
}

/// A point on a request's way.
pub(super) fn point() -> RefOr<Schema> {
    named("Point")
}

/// How a gate opens, as scenarios write it.
pub(super) fn gate_options() -> RefOr<Schema> {
    named("GateOptions")
}

/// An order of release.
pub(super) fn order() -> Schema {
    or_null(named("Order"))
}

/// That, or nothing.
pub(super) fn or_null(schema: RefOr<Schema>) -> Schema {
    OneOfBuilder::new().item(ObjectBuilder::new().schema_type(SchemaType::new(Type::Null))).item(schema).into()
}

/// The number of an event, of any size.
pub(super) fn number() -> Schema {
    ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).minimum(Some(0)).into()
}

/// The policy as scenarios write it.
pub(super) fn provider_policy() -> Schema {
    or_null(named("ProviderPolicy"))
}

/// Numbers of grants.
pub(super) fn grant_ids() -> Schema {
    let id = ObjectBuilder::new().schema_type(SchemaType::new(Type::Integer)).minimum(Some(1));
    ArrayBuilder::new().items(id).into()
}

/// A yes or no in a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Flag(pub(super) bool);

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        match String::deserialize(d)?.as_str() {
            "1" | "true" => Ok(Self(true)),
            "0" | "false" => Ok(Self(false)),
            other => Err(serde::de::Error::custom(format!("{other:?} is neither true, 1, false nor 0"))),
        }
    }
}

/// How a [`Flag`] is written.
pub(super) fn flag() -> Schema {
    one_of_words(["true", "1", "false", "0"])
}

/// Which grants: a number, `newest` or `all`.
pub(super) fn target(id: &str) -> Result<Target, Refusal> {
    let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    match (id, id.parse()) {
        ("all", _) => Ok(Target::All),
        ("newest", _) => Ok(Target::Newest),
        (_, Ok(number)) if is_number => Ok(Target::Grant(GrantId(number))),
        (_, Err(_)) if is_number => Err(Refusal::new(404, &format!("there is no grant {id}"), "GET /v1/grants lists them")),
        (_, Ok(_) | Err(_)) => {
            Err(Refusal::new(400, &format!("{id:?} is no grant"), "use a number from GET /v1/grants, or newest, or all"))
        }
    }
}

#[cfg(test)]
mod tests {
    use regrant_authority::{Cause, EndedBy, Kind, SecretState, TokenState};
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    fn listed(schema: &Schema, word: impl Serialize) -> bool {
        let document = json!(schema).to_string();
        let written = json!(word);
        document.contains(&written.as_str().map_or_else(|| "\"revoked\"".to_owned(), |word| format!("\"{word}\"")))
    }

    #[test]
    fn every_word_is_listed() {
        for of in [Cause::User, Cause::Security, Cause::Policy, Cause::CredentialRotation, Cause::Installation] {
            assert!(listed(&cause(), of), "{of:?}");
        }
        for of in [EndedBy::Revoked(Cause::User), EndedBy::Reuse, EndedBy::ExpiredReplay, EndedBy::CodeReuse] {
            assert!(listed(&ended_by(), of), "{of:?}");
        }
        use TokenState::*;
        for of in [Active, Expired, Superseded, Revoked(Cause::User), FamilyEnded, Rejected, Used, Unknown] {
            assert!(listed(&token_state(), of), "{of:?}");
        }
        for of in [SecretState::Pending, SecretState::Active, SecretState::Retiring, SecretState::Retired, SecretState::Revoked] {
            assert!(listed(&secret_state(), of), "{of:?}");
        }
        for of in [Kind::Access, Kind::Refresh, Kind::Code, Kind::Secret] {
            assert!(listed(&kind(), of), "{of:?}");
        }
    }

    #[test]
    fn a_grant_is_meant_by_number_or_by_word() {
        assert_eq!(target("7").ok(), Some(Target::Grant(GrantId(7))));
        assert_eq!(target("newest").ok(), Some(Target::Newest));
        for wrong in ["+7", "-1", "first", "", "99999999999"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
