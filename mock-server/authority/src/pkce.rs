//! Proof Key for Code Exchange, S256 only (RFC 7636).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::Challenge;

impl Challenge {
    /// The challenge in a `code_challenge` parameter; `None` if it cannot be the unpadded base64url of a SHA-256 digest.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digest = URL_SAFE_NO_PAD.decode(text).ok()?;
        (digest.len() == Sha256::output_size()).then(|| Self(text.to_owned()))
    }

    /// The S256 challenge of `verifier` (RFC 7636 section 4.2).
    #[must_use]
    pub fn of(verifier: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())))
    }

    /// Whether `verifier` is well formed and the one this challenge was made of (RFC 7636 section 4.6).
    #[must_use]
    pub fn is_met_by(&self, verifier: &str) -> bool {
        is_verifier(verifier) && Self::of(verifier) == *self
    }
}

/// 43 to 128 unreserved characters (RFC 7636 section 4.1).
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_vector_of_rfc_7636_appendix_b_holds() {
        assert_eq!(Challenge::of(VERIFIER), Challenge(CHALLENGE.to_owned()));
        assert_eq!(Challenge::parse(CHALLENGE), Some(Challenge(CHALLENGE.to_owned())));
        assert!(Challenge(CHALLENGE.to_owned()).is_met_by(VERIFIER));
    }

    #[test]
    fn another_verifier_does_not_meet_the_challenge() {
        let other = VERIFIER.replace('k', "K");
        assert!(!Challenge(CHALLENGE.to_owned()).is_met_by(&other));
        assert!(!Challenge(CHALLENGE.to_owned()).is_met_by(CHALLENGE), "the challenge itself, as `plain` would have it");
    }

    #[test]
    fn a_verifier_has_43_to_128_unreserved_characters() {
        for (verifier, good) in [
            ("a".repeat(42), false),
            ("a".repeat(43), true),
            ("a".repeat(128), true),
            ("a".repeat(129), false),
            ("~.-_".repeat(12), true),
            ("a+b/".repeat(12), false),
            ("é".repeat(30), false),
        ] {
            assert_eq!(Challenge::of(&verifier).is_met_by(&verifier), good, "{verifier}");
        }
    }

    #[test]
    fn a_challenge_is_an_unpadded_base64url_digest() {
        for text in ["", "abc", VERIFIER.get(..42).unwrap_or_default(), &format!("{CHALLENGE}="), &CHALLENGE.replace('-', "+")] {
            assert_eq!(Challenge::parse(text), None, "{text:?}");
        }
    }
}
