//! A key under which a token tells whose it is.
//!
//! 16 digits in base 62 say what a token is, whose and which; they are masked by 27 digits of a keyed hash over them. So who has
//! the key can read a token of any age, and to everybody else it looks like any random string of 43 letters and digits. The
//! construction is that of a synthetic initialisation vector (RFC 5297), on SHA-256: forging a token means guessing 27 digits,
//! 160 bits.

mod digits;

use sha2::{Digest as _, Sha256};

use self::digits::{LETTERS, pull, put};
use crate::{GrantId, Kind, Look, Mint, Stamp};

/// How many letters and digits a sealed stamp has.
pub const SEALED: usize = TAG + TEXT;
/// How many bytes of chance come with it, for those who dress it.
pub const DICE: usize = 8;

const TAG: usize = 27;
const TEXT: usize = 16;

/// The key. With 23 bytes of input it still hashes in one block.
#[derive(Clone)]
pub struct Key([u8; 24]);

/// A stamp that only the key can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sealed {
    /// Letters and digits.
    pub letters: [u8; SEALED],
    /// Bytes that follow from the key and the stamp alone.
    pub dice: [u8; DICE],
}

impl Key {
    /// The key that follows from some bytes; it is as hard to guess as they are.
    #[must_use]
    pub fn from_seed(seed: &[u8]) -> Self {
        let mut key = [0; 24];
        let digest = Sha256::new().chain_update(b"the key of a mint: ").chain_update(seed).finalize();
        key.iter_mut().zip(digest).for_each(|(byte, digit)| *byte = digit);
        Self(key)
    }

    /// Seals all of a stamp but its look.
    ///
    /// Numbers from 2^47 on would not be read again; there are not that many tokens.
    #[must_use]
    pub fn seal(&self, stamp: &Stamp) -> Sealed {
        let text = [u64::from(stamp.grant.0) | word(stamp.kind) << 32, stamp.number];
        let tag = self.tag(text);
        let (mask, dice) = self.mask(&tag);
        let mut values = [0; SEALED];
        values[..TAG].copy_from_slice(&tag);
        put(text, &mask, &mut values[TAG..]);
        Sealed { letters: values.map(|value| LETTERS.get(usize::from(value)).copied().unwrap_or_default()), dice }
    }

    /// The stamp, of the plain look, that [`Key::seal`] sealed; `None` for everything else.
    #[must_use]
    pub fn open(&self, letters: [u8; SEALED]) -> Option<Stamp> {
        let values = digits::values(letters)?;
        let (tag, text) = values.split_first_chunk::<TAG>()?;
        let text = pull(text, &self.mask(tag).0)?;
        if self.tag(text) != *tag {
            return None;
        }
        let kind = [Kind::Access, Kind::Refresh, Kind::Code].into_iter().find(|kind| word(*kind) == text[0] >> 32)?;
        let grant = GrantId(u32::try_from(text[0] & u64::from(u32::MAX)).ok()?);
        Some(Stamp { kind, grant, number: text[1], look: Look::default() })
    }

    /// The tag of a text: digits of its keyed hash.
    fn tag(&self, text: [u64; 2]) -> [u8; TAG] {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&text[0].to_le_bytes());
        bytes[8..].copy_from_slice(&text[1].to_le_bytes());
        digits::uniform(&self.hash(1, &bytes))
    }

    /// What masks the text under a tag, and the dice.
    fn mask(&self, tag: &[u8; TAG]) -> ([u8; TEXT], [u8; DICE]) {
        let hash = self.hash(2, tag);
        let mut dice = [0; DICE];
        dice.copy_from_slice(&hash[24..]);
        (digits::uniform(&hash), dice)
    }

    fn hash(&self, what: u8, bytes: &[u8]) -> [u8; 32] {
        Sha256::new().chain_update(self.0).chain_update([what]).chain_update(bytes).finalize().into()
    }
}

/// A key alone is a mint of plain tokens.
impl Mint for Key {
    fn write(&self, stamp: &Stamp) -> String {
        String::from_utf8(self.seal(stamp).letters.to_vec()).unwrap_or_default()
    }

    fn read(&self, secret: &str) -> Option<Stamp> {
        self.open(secret.as_bytes().try_into().ok()?)
    }
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key")
    }
}

fn word(kind: Kind) -> u64 {
    match kind {
        Kind::Access => 0,
        Kind::Refresh => 1,
        Kind::Code => 2,
        Kind::Secret => 3,
    }
}

#[cfg(test)]
mod tests;
