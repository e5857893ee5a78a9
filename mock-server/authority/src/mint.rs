//! How secrets come into being and are read again. The authority has neither randomness nor keys of its own.

use crate::{GrantId, Kind};

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
    access: u64,
    refresh: u64,
    code: u64,
}

impl Minted {
    /// Whether a stamp was ever used here. Client secrets are never stamped.
    pub(crate) fn knows(self, stamp: &Stamp) -> bool {
        let last = match stamp.kind {
            Kind::Access => self.access,
            Kind::Refresh => self.refresh,
            Kind::Code => self.code,
            Kind::Secret => 0,
        };
        (1..=last).contains(&stamp.number)
    }

    /// The number of the youngest access token.
    pub(crate) fn last_access(self) -> u64 {
        self.access
    }

    fn next(&mut self, kind: Kind) -> u64 {
        let count = match kind {
            Kind::Access => &mut self.access,
            Kind::Refresh => &mut self.refresh,
            Kind::Code | Kind::Secret => &mut self.code,
        };
        *count += 1;
        *count
    }
}

/// All that is needed to make secrets for one grant.
pub(crate) struct Press<'a> {
    pub(crate) grant: GrantId,
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

    /// A secret that was made before.
    pub(crate) fn again(&self, kind: Kind, (number, look): (u64, Look)) -> String {
        self.mint.write(&Stamp { kind, grant: self.grant, number, look })
    }
}
