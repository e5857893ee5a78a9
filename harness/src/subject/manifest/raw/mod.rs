//! The manifest as it is written: every key, its type and its meaning. The JSON Schema is made from this.

mod provider;
mod seen;
mod start;
mod user;
mod work;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

pub(super) use self::{provider::*, seen::*, start::*, user::*, work::*};

/// The manifest of a subject, `regrant.toml`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "regrant.toml")]
pub(crate) struct RawManifest {
    /// Version of the contract: 1.
    #[schemars(range(min = 1, max = 1))]
    #[allow(dead_code, reason = "checked before everything else")]
    pub(crate) contract: i64,
    /// What the subject is called in reports.
    pub(crate) name: String,
    pub(crate) build: Option<RawBuild>,
    pub(crate) start: Option<RawStart>,
    #[serde(default)]
    pub(crate) provider: RawProvider,
    #[serde(default)]
    pub(crate) api: RawApi,
    /// How the subject's own pages are signed in to.
    #[serde(default)]
    pub(crate) login: Vec<RawLogin>,
    pub(crate) connect: RawConnect,
    pub(crate) trigger: RawTrigger,
    pub(crate) work: Option<RawWork>,
    pub(crate) status: Option<RawStatus>,
    pub(crate) disconnect: Option<RawDisconnect>,
    #[serde(default)]
    pub(crate) stop: RawStop,
    pub(crate) prompt: Option<RawPrompt>,
    /// What must survive: compared before and after.
    pub(crate) settings: Option<RawVerb>,
    /// Visible data that must not shrink.
    pub(crate) data: Option<RawVerb>,
    #[serde(default)]
    pub(crate) storage: RawStorage,
    #[serde(default)]
    pub(crate) logs: RawLogs,
    #[serde(default)]
    pub(crate) features: RawFeatures,
    /// Requirements that do not apply, each with a written reason.
    #[serde(default)]
    pub(crate) not_applicable: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) intercept: RawIntercept,
}

/// A table that says how a verb is done, with further keys of its own.
macro_rules! verb_table {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub(crate) struct $name {
            /// A request: `"METHOD url"`.
            pub(crate) http: Option<String>,
            /// A program and its arguments; no shell.
            pub(crate) run: Option<Vec<String>>,
            /// The subject does it unaided.
            pub(crate) auto: Option<bool>,
            /// What a person is asked to do.
            pub(crate) human: Option<String>,
            /// A few steps as a person would take them.
            pub(crate) steps: Option<Vec<$crate::subject::manifest::raw::RawStep>>,
            /// Headers of the request.
            pub(crate) headers: Option<std::collections::BTreeMap<String, String>>,
            /// A form as the body of the request.
            pub(crate) form: Option<std::collections::BTreeMap<String, $crate::subject::manifest::values::Scalar>>,
            /// JSON as the body of the request.
            pub(crate) json: Option<serde_json::Value>,
            $($(#[$field_doc])* pub(crate) $field: $type,)*
        }

        impl $name {
            /// The keys of the verb alone.
            #[allow(dead_code, reason = "not every table needs it")]
            pub(crate) fn verb(&self) -> $crate::subject::manifest::raw::RawVerb {
                $crate::subject::manifest::raw::RawVerb {
                    http: self.http.clone(), run: self.run.clone(), auto: self.auto, human: self.human.clone(), steps: self.steps.clone(),
                    headers: self.headers.clone(), form: self.form.clone(), json: self.json.clone(),
                }
            }
        }
    };
}
pub(crate) use verb_table;

verb_table! {
    /// A verb or a probe.
    RawVerb {}
}
