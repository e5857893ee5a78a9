//! Values that a scenario may write in more than one way. Each says what it takes where it is given something else.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

/// The value of a `Retry-After`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum RetryAfter {
    /// Seconds.
    Seconds(u32),
    /// An HTTP-date.
    Date(Ahead),
    /// Whatever it says, e.g. what is no `Retry-After` at all.
    Text(String),
}

/// `{ date = "30s" }`: a date so far ahead of the reply's `Date`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ahead {
    /// How far.
    #[serde(deserialize_with = "super::scenario::duration", serialize_with = "in_millis")]
    #[schemars(with = "String")]
    pub date: Duration,
}

impl From<u32> for RetryAfter {
    fn from(seconds: u32) -> Self {
        Self::Seconds(seconds)
    }
}

impl<'de> Deserialize<'de> for RetryAfter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = RetryAfter;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("seconds such as 30, a date such as { date = \"30s\" }, or a text")
            }
            fn visit_i64<E: Error>(self, seconds: i64) -> Result<Self::Value, E> {
                u32::try_from(seconds).map(RetryAfter::Seconds).map_err(|_| E::custom(format!("{seconds} are no seconds")))
            }
            fn visit_u64<E: Error>(self, seconds: u64) -> Result<Self::Value, E> {
                u32::try_from(seconds).map(RetryAfter::Seconds).map_err(|_| E::custom(format!("{seconds} are no seconds")))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(RetryAfter::Text(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                Ahead::deserialize(MapAccessDeserializer::new(map)).map(RetryAfter::Date)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// Writes a duration so that it can be read again.
pub(super) fn in_millis<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{}ms", span.as_millis()))
}

/// [`in_millis`], or nothing.
pub(super) fn span<S: Serializer>(span: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match span {
        Some(span) => in_millis(span, serializer),
        None => serializer.serialize_none(),
    }
}
