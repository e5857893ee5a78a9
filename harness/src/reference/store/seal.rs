//! Tokens at rest: sealed with a key that comes from the environment and never lies beside the data.

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    rand::{SecureRandom, SystemRandom},
};
use sha2::{Digest, Sha256};

/// What is sealed begins with it; anything else is taken as it stands.
const MARK: &str = "sealed:";

/// Closes and opens what must not be read by whoever finds the file.
pub(crate) struct Seal {
    key: Option<LessSafeKey>,
    random: SystemRandom,
}

impl Seal {
    /// With a key made of this secret; the secret is long and random, so that one hash is enough.
    pub(crate) fn new(secret: &str) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &Sha256::digest(secret)).ok().map(LessSafeKey::new);
        Self { key, random: SystemRandom::new() }
    }

    /// Planted: seals nothing.
    pub(crate) fn none() -> Self {
        Self { key: None, random: SystemRandom::new() }
    }

    /// The sealed text, another one each time.
    pub(crate) fn close(&self, text: &str) -> String {
        let sealed = self.key.as_ref().and_then(|key| {
            let mut nonce = [0; NONCE_LEN];
            self.random.fill(&mut nonce).ok()?;
            let mut bytes = text.as_bytes().to_vec();
            key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut bytes).ok()?;
            Some(format!("{MARK}{}", BASE64_STANDARD.encode([nonce.as_slice(), &bytes].concat())))
        });
        // Without a key nothing is kept secret, and nothing gets lost.
        sealed.unwrap_or_else(|| text.to_owned())
    }

    /// What was sealed; none if it was with another key, or changed since.
    pub(crate) fn open(&self, text: &str) -> Option<String> {
        let Some(sealed) = text.strip_prefix(MARK) else { return Some(text.to_owned()) };
        let mut bytes = BASE64_STANDARD.decode(sealed).ok()?;
        let mut rest = bytes.split_off(NONCE_LEN.min(bytes.len()));
        let nonce = Nonce::try_assume_unique_for_key(&bytes).ok()?;
        let opened = self.key.as_ref()?.open_in_place(nonce, Aad::empty(), &mut rest).ok()?;
        String::from_utf8(opened.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_with_its_own_key_only_and_looks_different_each_time() {
        let seal = Seal::new("one secret");
        let (one, two) = (seal.close("token"), seal.close("token"));
        assert!(one != two && !one.contains("token"));
        assert_eq!((seal.open(&one), seal.open(&two)), (Some("token".into()), Some("token".into())));
        assert_eq!(Seal::new("another").open(&one), None);
        assert_eq!(seal.open(&one[..one.len() - 8]), None);
        assert_eq!((seal.open("sealed:"), seal.open("in the clear")), (None, Some("in the clear".into())));
    }
}
