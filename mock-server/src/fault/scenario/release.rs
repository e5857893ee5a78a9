//! The word `release`: all that a gate holds, in which order, or one of them.

use std::fmt;

use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::fault::Order;

/// `release = "gate-a"`, `{ gate = "gate-a", order = "reverse" }` or `{ gate = "gate-a", nth = 2 }`.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[serde(untagged)]
pub enum Release {
    /// All, in the gate's order; it stands open from then on.
    All(String),
    /// In another order, or one of them.
    Some(ReleaseSome),
}

/// Whom a gate lets go, or in which order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSome {
    /// The gate.
    pub gate: String,
    /// In this order.
    pub order: Option<Order>,
    /// Only the nth of those that it holds now, from 1 in order of arrival; it stays closed.
    pub nth: Option<u32>,
}

impl Release {
    /// The gate, or the name until which rules are in force.
    #[must_use]
    pub fn gate(&self) -> &str {
        match self {
            Self::All(gate) | Self::Some(ReleaseSome { gate, .. }) => gate,
        }
    }
}

impl<'de> Deserialize<'de> for Release {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Release;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a gate, or { gate = \"gate-a\", order = \"reverse\" }, or { gate = \"gate-a\", nth = 2 }")
            }
            fn visit_str<E: Error>(self, gate: &str) -> Result<Self::Value, E> {
                Ok(Release::All(gate.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
                ReleaseSome::deserialize(MapAccessDeserializer::new(map)).map(Release::Some)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}
