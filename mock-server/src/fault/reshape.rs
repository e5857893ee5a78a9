//! Odd but legal forms of a successful token response. What they say is true: the tokens are committed, and live as told.

use std::fmt;

use regrant_authority::Terms;
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor, value::SeqAccessDeserializer},
};
use serde_json::{Map, Value};

use crate::TokenShape;

/// How a token response looks; what is absent stays as it is.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Reshape {
    /// `expires_in`: another number of seconds, which is then the access token's life (0: only said), or a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<ExpiresIn>,
    /// `refresh_token`. In each of these forms a refresh does not rotate: the refresh token that was presented stays good (RFC 6749 section 6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<RefreshForm>,
    /// `token_type`, e.g. `"bearer"` or `"BEARER"`; `"absent"` leaves it out, which is not legal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// What the new tokens look like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<TokenShape>,
    /// The access token has only these scopes of the grant, or the first so many.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Scopes>,
    /// Further members.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[schemars(with = "std::collections::BTreeMap<String, Value>")]
    pub extra: Map<String, Value>,
}

/// A form of `expires_in`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum ExpiresIn {
    /// So many seconds, and the access token lives so long.
    Seconds(u64),
    /// A word.
    Word(ExpiresWord),
}

/// A form of `expires_in` that has a name. Except for `huge` the life of the token is not changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExpiresWord {
    /// `"900"`.
    String,
    /// Not there.
    Absent,
    /// `null`.
    Null,
    /// `0`.
    Zero,
    /// `900.5`.
    Fractional,
    /// `-1`.
    Negative,
    /// `9999999999`: about 317 years, more than 32 bits hold. The token lives as long.
    Huge,
}

/// About 317 years.
const HUGE: u64 = 9_999_999_999;

/// A form of `refresh_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshForm {
    /// Not there.
    Absent,
    /// `null`.
    Null,
    /// `""`.
    Empty,
    /// The one that was presented, again.
    Same,
}

/// Which scopes an access token has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Scopes {
    /// The first so many.
    First(usize),
    /// These, as far as the grant has them.
    Only(Vec<String>),
}

impl Reshape {
    /// What the authority must know to make it true.
    pub(crate) fn terms(&self) -> Terms {
        let seconds = match self.expires_in {
            Some(ExpiresIn::Seconds(seconds)) if seconds > 0 => Some(seconds),
            Some(ExpiresIn::Word(ExpiresWord::Huge)) => Some(HUGE),
            Some(ExpiresIn::Seconds(_) | ExpiresIn::Word(_)) | None => None,
        };
        Terms {
            access_lifetime: seconds.map(std::time::Duration::from_secs),
            keeps_refresh: self.refresh_token.is_some(),
            scopes: self.scopes.as_ref().map(|scopes| match scopes {
                Scopes::First(count) => regrant_authority::Narrowed::First(*count),
                Scopes::Only(names) => regrant_authority::Narrowed::Only(names.clone()),
            }),
        }
    }

    /// What is odd about the response, e.g. `reshape expires_in=string refresh_token=same`.
    pub(crate) fn word(&self) -> String {
        let mut word = "reshape".to_owned();
        let told = serde_json::to_value(self).unwrap_or_default();
        for (name, value) in told.as_object().into_iter().flatten() {
            match value {
                Value::String(text) => word.push_str(&format!(" {name}={text}")),
                Value::Number(number) => word.push_str(&format!(" {name}={number}")),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => word.push_str(&format!(" {name}")),
            }
        }
        word
    }

    /// Gives a token response its form. Its refresh token stands there as far as it is told.
    pub(crate) fn apply(&self, body: &mut Map<String, Value>) {
        let seconds = body.get("expires_in").and_then(Value::as_u64).unwrap_or_default();
        match self.expires_in {
            None => {}
            Some(ExpiresIn::Seconds(seconds)) => put(body, "expires_in", Some(seconds.into())),
            Some(ExpiresIn::Word(word)) => put(body, "expires_in", word.form(seconds)),
        }
        match self.refresh_token {
            None | Some(RefreshForm::Absent | RefreshForm::Same) => {}
            Some(RefreshForm::Null) => put(body, "refresh_token", Some(Value::Null)),
            Some(RefreshForm::Empty) => put(body, "refresh_token", Some("".into())),
        }
        match self.token_type.as_deref() {
            None => {}
            Some("absent") => put(body, "token_type", None),
            Some(text) => put(body, "token_type", Some(text.into())),
        }
        for (name, value) in &self.extra {
            body.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
}

impl ExpiresWord {
    fn form(self, seconds: u64) -> Option<Value> {
        match self {
            Self::String => Some(seconds.to_string().into()),
            Self::Absent => None,
            Self::Null => Some(Value::Null),
            Self::Zero => Some(0.into()),
            // Halves have an exact binary form, and no token response has as many seconds as would lose one.
            #[allow(clippy::cast_precision_loss, reason = "see above")]
            Self::Fractional => Some((seconds as f64 + 0.5).into()),
            Self::Negative => Some((-1).into()),
            Self::Huge => Some(HUGE.into()),
        }
    }
}

fn put(body: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(body.insert(name.to_owned(), value)),
        None => drop(body.shift_remove(name)),
    }
}

impl<'de> Deserialize<'de> for ExpiresIn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = ExpiresIn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds such as 900, or one of string, absent, null, zero, fractional, negative, huge")
            }
            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
                u64::try_from(seconds).map(ExpiresIn::Seconds).map_err(|_| E::custom("write expires_in = \"negative\""))
            }
            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
                Ok(ExpiresIn::Seconds(seconds))
            }
            fn visit_str<E: Error>(self, word: &str) -> Result<Self::Value, E> {
                ExpiresWord::deserialize(serde::de::value::StrDeserializer::new(word)).map(ExpiresIn::Word)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

impl<'de> Deserialize<'de> for Scopes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Scopes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number such as 1, or a list of scopes")
            }
            fn visit_i64<E: Error>(self, count: i64) -> Result<Self::Value, E> {
                usize::try_from(count).map(Scopes::First).map_err(|_| E::custom(format!("{count} is no number of scopes")))
            }
            fn visit_u64<E: Error>(self, count: u64) -> Result<Self::Value, E> {
                usize::try_from(count).map(Scopes::First).map_err(|_| E::custom(format!("{count} is no number of scopes")))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Self::Value, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Scopes::Only)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
