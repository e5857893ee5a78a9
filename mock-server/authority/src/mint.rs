//! How secrets come into being and are read again. The authority has neither randomness nor keys of its own.

use std::time::Duration;

use crate::{GrantId, Kind, Policy, Terms};

/// What a secret says to those who hold the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Stamp {
    /// What it is.
    pub kind: Kind,
    /// Whose it is.
    pub grant: GrantId,
    /// Counted by kind, from 1, over all grants.
    pub number: u64,
    /// How it is dressed.
    pub look: Look,
}

/// One of the looks that a [`Mint`] can give to secrets; only it knows what the number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Look(pub u8);

/// Writes secrets that nobody else can write, and reads them again: a keyed function without a memory.
///
/// `read(write(stamp))` is `stamp`; everything else reads as `None`; different stamps never give the same string.
pub trait Mint: std::fmt::Debug + Send + Sync {
    /// The secret of this stamp.
    fn write(&self, stamp: &Stamp) -> String;

    /// The stamp of a secret that [`Mint::write`] made.
    fn read(&self, secret: &str) -> Option<Stamp>;

    /// How secrets are dressed from now on.
    fn look(&self) -> Look {
        Look::default()
    }
}

/// Is told of each new secret before anybody else has it.
pub trait Witness {
    /// `secret` has come into being.
    fn minted(&mut self, stamp: &Stamp, secret: &str);
}

impl<F: FnMut(&Stamp, &str)> Witness for F {
    fn minted(&mut self, stamp: &Stamp, secret: &str) {
        self(stamp, secret);
    }
}

/// How many secrets of each kind there are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Minted {
    access: Count,
    refresh: Count,
    code: Count,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    last: u64,
    /// Those up to this one were forgotten with their grants.
    forgotten: u64,
}

impl Minted {
    /// Whether a stamp was used here, for a grant that was not forgotten. Client secrets are never stamped.
    pub(crate) fn knows(self, stamp: &Stamp) -> bool {
        let of = |count: Count| count.forgotten < stamp.number && stamp.number <= count.last;
        match stamp.kind {
            Kind::Access => of(self.access),
            Kind::Refresh => of(self.refresh),
            Kind::Code => of(self.code),
            Kind::Secret => false,
        }
    }

    /// The number of the youngest access token.
    pub(crate) fn last_access(self) -> u64 {
        self.access.last
    }

    /// Nothing that there is now will be known.
    pub(crate) fn begin_anew(&mut self) {
        for count in [&mut self.access, &mut self.refresh, &mut self.code] {
            count.forgotten = count.last;
        }
    }

    fn next(&mut self, kind: Kind) -> u64 {
        let count = match kind {
            Kind::Access => &mut self.access,
            Kind::Refresh => &mut self.refresh,
            Kind::Code | Kind::Secret => &mut self.code,
        };
        count.last += 1;
        count.last
    }
}

/// All that is needed to make secrets for one grant, on the terms of the moment.
pub(crate) struct Press<'a> {
    pub(crate) grant: GrantId,
    pub(crate) policy: &'a Policy,
    pub(crate) terms: &'a Terms,
    pub(crate) mint: &'a dyn Mint,
    pub(crate) minted: &'a mut Minted,
    pub(crate) witness: &'a mut dyn Witness,
}

impl Press<'_> {
    /// A new secret.
    pub(crate) fn strike(&mut self, kind: Kind) -> (Stamp, String) {
        let stamp = Stamp { kind, grant: self.grant, number: self.minted.next(kind), look: self.mint.look() };
        let secret = self.mint.write(&stamp);
        self.witness.minted(&stamp, &secret);
        (stamp, secret)
    }

    /// The life of an access token.
    pub(crate) fn access_lifetime(&self) -> Duration {
        self.terms.access_lifetime.unwrap_or(self.policy.access_lifetime)
    }

    /// A secret that was made before.
    pub(crate) fn again(&self, kind: Kind, (number, look): (u64, Look)) -> String {
        self.mint.write(&Stamp { kind, grant: self.grant, number, look })
    }
}
