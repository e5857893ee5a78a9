//! Every secret the provider ever issued, by value and by name.

use std::collections::HashMap;

use regrant_authority::{GrantId, Kind};

/// A secret that can be searched for because it is unique.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// `access#1`, `refresh#1`, `code#1`, `secret#1`, counted by kind from 1.
    pub name: String,
    /// The secret itself.
    pub value: String,
    /// What it is.
    pub kind: Kind,
    /// Its family; none for a client secret.
    pub grant: Option<GrantId>,
}

/// The register of secrets. A client secret that was fixed by configuration has no canary.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    all: Vec<Canary>,
    by_value: HashMap<String, usize>,
    counts: HashMap<Kind, u32>,
    /// Secrets before this one belong to grants that were forgotten.
    since: usize,
}

impl Vault {
    /// Enters a new secret and names it.
    pub fn enter(&mut self, kind: Kind, grant: Option<GrantId>, value: String) -> &Canary {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let word = match kind {
            Kind::Access => "access",
            Kind::Refresh => "refresh",
            Kind::Code => "code",
            Kind::Secret => "secret",
        };
        let name = format!("{word}#{count}");
        self.by_value.insert(value.clone(), self.all.len());
        self.all.push(Canary { name, value, kind, grant });
        &self.all[self.all.len() - 1]
    }

    /// The canary of a secret.
    #[must_use]
    pub fn find(&self, value: &str) -> Option<&Canary> {
        self.by_value.get(value).map(|&i| &self.all[i])
    }

    /// Forgets which grants the secrets belong to, not the secrets: they are known by name wherever they turn up.
    pub fn forget_grants(&mut self) {
        self.all.iter_mut().for_each(|canary| canary.grant = None);
        self.since = self.all.len();
    }

    /// Those that came into being since the grants were last forgotten, and the client secrets.
    pub fn current(&self) -> impl Iterator<Item = &Canary> {
        let is_current = |(i, canary): &(usize, &Canary)| *i >= self.since || canary.kind == Kind::Secret;
        self.all.iter().enumerate().filter(is_current).map(|(_, canary)| canary)
    }

    /// All of them, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Canary] {
        &self.all
    }
}
