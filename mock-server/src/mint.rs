//! Where secrets and ids come from: one seed, two streams.

use rand::Rng;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use regrant_authority::{GrantId, Kind};

use crate::{
    journal::{Journal, What},
    vault::Vault,
};

/// What minted secrets look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenShape {
    /// Letters and digits.
    #[default]
    Plain,
    /// All that the grammars allow: b64token for access tokens (RFC 6750 section 2.1), VSCHAR for refresh tokens and codes
    /// (RFC 6749 appendix A), `-._~+/=%:` in secrets.
    Odd,
    /// Access tokens that look like a signed JWT whose `exp` is long past, though they are opaque and good; the rest as `plain`.
    Jwt,
    /// Letters and digits, 2000 of them: more than a column of 255 or a cookie would like.
    Long,
}

const PLAIN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How long a long token is.
const LONG: usize = 2000;

/// Draws secrets and ids. Ids have a stream of their own, so that they do not depend on how many tokens were minted.
#[derive(Debug)]
pub(crate) struct Source {
    secrets: ChaCha20Rng,
    ids: ChaCha20Rng,
    pub(crate) shape: TokenShape,
}

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        let secrets = ChaCha20Rng::seed_from_u64(seed);
        let mut ids = ChaCha20Rng::seed_from_u64(seed);
        ids.set_stream(1);
        Self { secrets, ids, shape: TokenShape::Plain }
    }

    /// A new secret of about 250 bits.
    pub(crate) fn secret(&mut self, kind: Kind) -> String {
        let extra: &[u8] = match (self.shape, kind) {
            (TokenShape::Plain | TokenShape::Jwt | TokenShape::Long, _) => b"",
            (TokenShape::Odd, Kind::Access) => b"-._~+/",
            (TokenShape::Odd, Kind::Refresh | Kind::Code) => b"-._~+/=%&;:,!*'()$@?#[]{}|^\\\"<>`",
            (TokenShape::Odd, Kind::Secret) => b"-._~+/=%:",
        };
        let mut text: Vec<u8> = (0..43).map(|_| pick(&mut self.secrets, PLAIN)).collect();
        // In the middle, so that no form of trimming goes unnoticed as a lookup of something else.
        for (i, _) in extra.iter().take(8).enumerate() {
            text[3 + 5 * i] = pick(&mut self.secrets, extra);
        }
        match (self.shape, kind) {
            (TokenShape::Long, Kind::Access | Kind::Refresh) => text.extend((43..LONG).map(|_| pick(&mut self.secrets, PLAIN))),
            (TokenShape::Long, Kind::Code | Kind::Secret) | (TokenShape::Plain | TokenShape::Odd | TokenShape::Jwt, _) => {}
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        if self.shape == TokenShape::Jwt && kind == Kind::Access { misleading_jwt(&text) } else { text }
    }

    /// A random UUID (version 4).
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.ids.next_u64(), self.ids.next_u64());
        let (high, low) = ((high & !0xf000) | 0x4000, (low & !(0b11 << 62)) | (0b10 << 62));
        format!("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, high >> 16 & 0xffff, high & 0xffff, low >> 48, low & 0xffff_ffff_ffff)
    }

    /// A short random word for names and addresses.
    pub(crate) fn word(&mut self) -> String {
        (0..8).map(|_| char::from(pick(&mut self.ids, b"abcdefghijkmnpqrstuvwxyz23456789"))).collect()
    }
}

/// A JWT in form, which says that it expired in 2001. `random` is its id and its signature.
fn misleading_jwt(random: &str) -> String {
    use base64::Engine as _;
    let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
    let header = part(r#"{"alg":"RS256","typ":"at+jwt","kid":"2001"}"#);
    let claims =
        part(&format!(r#"{{"iss":"https://auth.example.test","aud":"elsewhere","iat":999996400,"exp":1000000000,"jti":"{random}"}}"#));
    format!("{header}.{claims}.{random}")
}

fn pick(rng: &mut ChaCha20Rng, from: &[u8]) -> u8 {
    // The modulo's bias is far below what anybody could notice.
    let count = from.len().max(1) as u64;
    usize::try_from(rng.next_u64() % count).ok().and_then(|i| from.get(i)).copied().unwrap_or(b'x')
}

/// Mints for the authority: names each secret in the vault and tells the journal.
pub(crate) struct Minting<'a> {
    pub(crate) source: &'a mut Source,
    pub(crate) vault: &'a mut Vault,
    pub(crate) journal: &'a Journal,
}

impl regrant_authority::Mint for Minting<'_> {
    fn mint(&mut self, kind: Kind, grant: GrantId) -> String {
        let value = self.source.secret(kind);
        let name = self.vault.enter(kind, Some(grant), value.clone()).name.clone();
        self.journal.push(What::Minted { name });
        value
    }
}

/// Mints for a trial run whose outcome is thrown away.
#[derive(Debug, Default)]
pub(crate) struct Discarded(u32);

impl regrant_authority::Mint for Discarded {
    fn mint(&mut self, _: Kind, _: GrantId) -> String {
        self.0 += 1;
        format!("discarded {}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_whatever_was_minted_between() {
        let (mut one, mut other) = (Source::new(7), Source::new(7));
        other.secret(Kind::Access);
        assert_eq!(one.uuid(), other.uuid());
        assert_ne!(one.uuid(), Source::new(8).uuid());
    }

    #[test]
    fn a_misleading_token_says_that_it_is_long_past() {
        use base64::Engine as _;
        let mut source = Source::new(1);
        source.shape = TokenShape::Jwt;
        let (one, other) = (source.secret(Kind::Access), source.secret(Kind::Access));
        assert_ne!(one, other);
        let claims = one.split('.').nth(1).and_then(|part| base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).ok());
        let claims: serde_json::Value = serde_json::from_slice(&claims.unwrap_or_default()).unwrap_or_default();
        assert_eq!(claims["exp"], 1_000_000_000);
        assert!(!source.secret(Kind::Refresh).contains('.'));
    }

    #[test]
    fn a_long_token_is_long() {
        let mut source = Source::new(1);
        source.shape = TokenShape::Long;
        assert_eq!([Kind::Access, Kind::Refresh, Kind::Code].map(|kind| source.secret(kind).len()), [LONG, LONG, 43]);
    }

    #[test]
    fn an_odd_refresh_token_has_characters_that_need_care() {
        let mut source = Source::new(1);
        source.shape = TokenShape::Odd;
        let token = source.secret(Kind::Refresh);
        assert!(token.bytes().any(|b| !b.is_ascii_alphanumeric()), "{token}");
        assert!(token.bytes().all(|b| (0x20..=0x7e).contains(&b)), "{token}");
    }
}
