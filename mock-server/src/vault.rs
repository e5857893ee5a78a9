//! The secrets that the provider issued, by name and by value.

use std::{collections::HashMap, sync::Arc};

use regrant_authority::{GrantId, Kind, Mint as _, Stamp};

use crate::mint::Keyed;

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

/// How much of the past is kept at hand. Every token of any age is recognised all the same, by its state and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Remember {
    /// All tokens and all grants, for a search.
    #[default]
    All,
    /// About so many of the newest tokens, and so many of the grants that ended last; client secrets and live grants always.
    Newest(usize),
}

impl Remember {
    /// How many at most.
    pub(crate) fn most(self) -> usize {
        match self {
            Self::All => usize::MAX,
            Self::Newest(count) => count,
        }
    }
}

/// The register of secrets. A client secret that was fixed by configuration has no canary.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    all: Vec<Canary>,
    /// How many secrets of its kind each secret's grant had before it; those of `all`, in the same order.
    generations: Vec<u32>,
    /// How many secrets of a kind a grant has had.
    issued: HashMap<(GrantId, Kind), u32>,
    /// Names of the client secrets.
    secrets: HashMap<String, String>,
    counts: HashMap<Kind, u64>,
    remember: Remember,
    /// How many were forgotten.
    forgotten: usize,
    keyed: Arc<Keyed>,
    /// How many there were, in all and of each kind, when the grants were last forgotten.
    grantless: (usize, HashMap<Kind, u64>),
}

impl Vault {
    /// An empty one, which reads tokens with this key.
    pub(crate) fn new(remember: Remember, keyed: Arc<Keyed>) -> Self {
        Self { remember, keyed, ..Self::default() }
    }

    /// Enters a new secret and names it.
    pub fn enter(&mut self, kind: Kind, grant: Option<GrantId>, value: String) -> &Canary {
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let name = name(kind, *count);
        if kind == Kind::Secret {
            self.secrets.insert(value.clone(), name.clone());
        }
        self.forget();
        let earlier = grant.map_or(0, |grant| {
            let issued = self.issued.entry((grant, kind)).or_default();
            let earlier = *issued;
            *issued = issued.saturating_add(1);
            earlier
        });
        self.all.push(Canary { name, value, kind, grant });
        self.generations.push(earlier);
        &self.all[self.all.len() - 1]
    }

    /// The name of a client secret.
    #[must_use]
    pub fn secret(&self, value: &str) -> Option<&str> {
        self.secrets.get(value).map(String::as_str)
    }

    /// Forgets which grants the secrets belong to, not the secrets: they are known by name wherever they turn up.
    pub fn forget_grants(&mut self) {
        self.all.iter_mut().for_each(|canary| canary.grant = None);
        self.issued.clear();
        self.grantless = (self.count(), self.counts.clone());
    }

    /// Those that came into being since the grants were last forgotten, and the client secrets.
    pub fn current(&self) -> impl Iterator<Item = &Canary> {
        let later = self.since(self.grantless.0);
        let earlier = self.all.iter().take(self.all.len() - later.len());
        earlier.filter(|canary| canary.kind == Kind::Secret).chain(later)
    }

    /// All that are remembered, oldest first.
    #[must_use]
    pub fn all(&self) -> &[Canary] {
        &self.all
    }

    /// Whether nothing is ever forgotten.
    pub(crate) fn remembers_all(&self) -> bool {
        self.remember == Remember::All
    }

    /// Those entered since there were `known`, as far as they are remembered.
    #[must_use]
    pub fn since(&self, known: usize) -> &[Canary] {
        self.all.get(known.saturating_sub(self.forgotten)..).unwrap_or_default()
    }

    /// How many there ever were.
    #[must_use]
    pub fn count(&self) -> usize {
        self.forgotten + self.all.len()
    }

    /// What a secret is called, and whose it is; also one that was forgotten.
    #[must_use]
    pub fn find(&self, value: &str) -> Option<Canary> {
        if let Some(name) = self.secret(value) {
            return Some(Canary { name: name.to_owned(), value: value.to_owned(), kind: Kind::Secret, grant: None });
        }
        // The pair that has just come into being is asked for once more.
        if let Some(newest) = self.all.iter().rev().take(2).find(|canary| canary.value == value) {
            return Some(newest.clone());
        }
        let Stamp { kind, grant, number, .. } = self.keyed.read(value)?;
        let issued = self.counts.get(&kind).is_some_and(|count| (1..=*count).contains(&number));
        let has_grant = self.grantless.1.get(&kind).is_none_or(|last| number > *last);
        issued.then(|| Canary { name: name(kind, number), value: value.to_owned(), kind, grant: Some(grant).filter(|_| has_grant) })
    }

    /// How many secrets of its kind its grant had before it; `None`: it is none of ours, or so old that it was forgotten.
    pub(crate) fn generation(&self, value: &str) -> Option<u32> {
        // What is presented is seldom old.
        let place = self.all.iter().rposition(|canary| canary.value == value)?;
        self.generations.get(place).copied()
    }

    /// Lets go of the oldest tokens once there are twice as many as are to be kept, so that it costs next to nothing each time.
    fn forget(&mut self) {
        let most = self.remember.most();
        if self.all.len() < most.saturating_mul(2).max(1) {
            return;
        }
        let before = self.all.len();
        let mut spare = before.saturating_sub(most);
        let keeps = |canary: &Canary| {
            let keep = spare == 0 || canary.kind == Kind::Secret;
            spare = spare.saturating_sub(1);
            keep
        };
        let keeps: Vec<bool> = self.all.iter().map(keeps).collect();
        let mut keep = keeps.iter();
        self.all.retain(|_| keep.next().is_none_or(|keep| *keep));
        let mut keep = keeps.iter();
        self.generations.retain(|_| keep.next().is_none_or(|keep| *keep));
        self.forgotten += before - self.all.len();
    }
}

fn name(kind: Kind, number: u64) -> String {
    let word = match kind {
        Kind::Access => "access",
        Kind::Refresh => "refresh",
        Kind::Code => "code",
        Kind::Secret => "secret",
    };
    format!("{word}#{number}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mint::Source;

    #[test]
    fn the_oldest_tokens_are_forgotten_and_recognised_all_the_same() {
        let keyed = Source::new(7).keyed;
        let mut vault = Vault::new(Remember::Newest(10), keyed.clone());
        vault.enter(Kind::Secret, None, "the client's".into());
        let mut tokens = Vec::new();
        for number in 1..=100 {
            let stamp = Stamp { kind: Kind::Refresh, grant: GrantId(3), number, look: keyed.look() };
            tokens.push(keyed.write(&stamp));
            vault.enter(stamp.kind, Some(stamp.grant), tokens[tokens.len() - 1].clone());
            assert!(vault.all().len() <= 22, "{}", vault.all().len());
        }
        assert_eq!((vault.count(), vault.since(100).len()), (101, 1));
        assert_eq!(vault.since(100)[0].name, "refresh#100");
        assert_eq!(vault.find(&tokens[0]).map(|canary| (canary.name, canary.grant)), Some(("refresh#1".into(), Some(GrantId(3)))));
        assert_eq!(vault.find("the client's").map(|canary| canary.name), Some("secret#1".into()));
        assert_eq!((vault.generation(&tokens[99]), vault.generation(&tokens[0])), (Some(99), None));
        assert_eq!(vault.generation("the client's"), Some(0));
        let later = keyed.write(&Stamp { kind: Kind::Refresh, grant: GrantId(3), number: 101, look: keyed.look() });
        assert_eq!(vault.find(&later), None, "it was never issued");
        vault.forget_grants();
        assert_eq!(vault.find(&tokens[99]).map(|canary| (canary.name, canary.grant)), Some(("refresh#100".into(), None)));
        vault.enter(Kind::Refresh, Some(GrantId(3)), later.clone());
        assert_eq!(vault.current().map(|canary| canary.name.as_str()).collect::<Vec<_>>(), ["secret#1", "refresh#101"]);
        assert_eq!(vault.find(&later).and_then(|canary| canary.grant), Some(GrantId(3)), "it has a grant again");
    }

    #[test]
    fn everything_is_remembered_unless_told_otherwise() {
        let mut vault = Vault::default();
        for number in 0..1_000 {
            vault.enter(Kind::Access, Some(GrantId(1)), number.to_string());
        }
        assert_eq!((vault.all().len(), vault.since(999).len()), (1_000, 1));
    }
}
