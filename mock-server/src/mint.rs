//! Where secrets and ids come from: one seed, a key and three streams.
//!
//! Tokens and codes are not drawn but sealed (see [`regrant_authority::Key`]) and then dressed, so that a token of any age can be
//! read. The seed has 64 bits: this is a test double, not a vault.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use rand::Rng;
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use regrant_authority::{DICE, Key, Kind, Look, Mint, SEALED, Stamp, Witness};

use crate::{
    journal::{Journal, What},
    vault::Vault,
    webhook::SECRET_PREFIX,
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

/// Every shape, in the order of their looks.
const SHAPES: [TokenShape; 4] = [TokenShape::Plain, TokenShape::Odd, TokenShape::Jwt, TokenShape::Long];

const PLAIN: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// How long a long token is.
const LONG: usize = 2000;

impl TokenShape {
    /// The characters that are strewn in beside letters and digits.
    fn extra(self, kind: Kind) -> &'static [u8] {
        match (self, kind) {
            (Self::Plain | Self::Jwt | Self::Long, _) => b"",
            (Self::Odd, Kind::Access) => b"-._~+/",
            (Self::Odd, Kind::Refresh | Kind::Code) => b"-._~+/=%&;:,!*'()$@?#[]{}|^\\\"<>`",
            (Self::Odd, Kind::Secret) => b"-._~+/=%:",
        }
    }

    /// Dresses 43 letters and digits; `dice` says with what.
    fn dress(self, kind: Kind, core: &[u8], dice: &[u8]) -> String {
        let extra = self.extra(kind);
        let mut dressed = Vec::with_capacity(core.len() + STREWN);
        for (place, &letter) in core.iter().enumerate() {
            // In the middle, so that no form of trimming goes unnoticed as a lookup of something else.
            if let (Some(at), false) = (strewn(place), extra.is_empty()) {
                let roll = usize::from(dice.get(at).copied().unwrap_or_default());
                dressed.push(extra.get(roll % extra.len()).copied().unwrap_or(b'x'));
            }
            dressed.push(letter);
        }
        let text = String::from_utf8(dressed).unwrap_or_default();
        match (self, kind) {
            (Self::Jwt, Kind::Access) => misleading_jwt(&text),
            (Self::Long, Kind::Access | Kind::Refresh) => text + &filling(dice),
            (Self::Plain | Self::Odd | Self::Jwt | Self::Long, _) => text,
        }
    }

    /// The letters and digits of what may be a secret of this shape.
    fn undress(self, secret: &str) -> Option<[u8; SEALED]> {
        let mut core = [0; SEALED];
        match self {
            Self::Plain => core = secret.as_bytes().try_into().ok()?,
            Self::Odd if secret.len() == SEALED + STREWN => {
                let mut rest = secret.bytes();
                for (place, letter) in core.iter_mut().enumerate() {
                    if strewn(place).is_some() {
                        rest.next();
                    }
                    *letter = rest.next()?;
                }
            }
            Self::Odd => return None,
            Self::Jwt => core = secret.rsplit_once('.')?.1.as_bytes().try_into().ok()?,
            Self::Long => core = secret.get(..SEALED).filter(|_| secret.len() == LONG)?.as_bytes().try_into().ok()?,
        }
        Some(core)
    }
}

/// How many characters are strewn in.
const STREWN: usize = DICE;

/// Which of the strewn characters stands before a place of the core.
fn strewn(place: usize) -> Option<usize> {
    place.checked_sub(3).filter(|from| from.is_multiple_of(4)).map(|from| from / 4).filter(|at| *at < STREWN)
}

/// Writes and reads tokens and codes in the shape of the day.
#[derive(Debug)]
pub(crate) struct Keyed {
    key: Key,
    shape: AtomicU8,
    /// What was read last: one exchange asks for the same token several times, and each answer takes several hashes.
    last: Mutex<Option<(String, Stamp)>>,
}

impl Keyed {
    fn new(seed: u64) -> Self {
        Self { key: Key::from_seed(&seed.to_le_bytes()), shape: AtomicU8::new(0), last: Mutex::default() }
    }

    fn shape(&self) -> TokenShape {
        shape_of(self.look())
    }
}

impl Default for Keyed {
    fn default() -> Self {
        Self::new(0)
    }
}

impl Mint for Keyed {
    fn write(&self, stamp: &Stamp) -> String {
        let sealed = self.key.seal(stamp);
        shape_of(stamp.look).dress(stamp.kind, &sealed.letters, &sealed.dice)
    }

    fn read(&self, secret: &str) -> Option<Stamp> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, stamp)) = last.as_ref().filter(|(known, _)| known == secret) {
            return Some(*stamp);
        }
        let stamp = self.open(secret)?;
        *last = Some((secret.to_owned(), stamp));
        Some(stamp)
    }

    fn look(&self) -> Look {
        Look(self.shape.load(Ordering::SeqCst))
    }
}

impl Keyed {
    fn open(&self, secret: &str) -> Option<Stamp> {
        (0..).zip(SHAPES).find_map(|(look, shape)| {
            let stamp = Stamp { look: Look(look), ..self.key.open(shape.undress(secret)?)? };
            // What is strewn in counts too: one secret, one form.
            (shape == TokenShape::Plain || self.write(&stamp) == secret).then_some(stamp)
        })
    }
}

fn shape_of(look: Look) -> TokenShape {
    SHAPES.get(usize::from(look.0)).copied().unwrap_or_default()
}

/// Draws client secrets and ids, and holds the key of tokens. Ids and webhooks have streams of their own, so that they do not depend on how many secrets were drawn.
#[derive(Debug)]
pub(crate) struct Source {
    secrets: ChaCha20Rng,
    ids: ChaCha20Rng,
    webhooks: ChaCha20Rng,
    pub(crate) keyed: Arc<Keyed>,
}

impl Source {
    pub(crate) fn new(seed: u64) -> Self {
        let secrets = ChaCha20Rng::seed_from_u64(seed);
        let mut ids = ChaCha20Rng::seed_from_u64(seed);
        ids.set_stream(1);
        let mut webhooks = ChaCha20Rng::seed_from_u64(seed);
        webhooks.set_stream(2);
        Self { secrets, ids, webhooks, keyed: Arc::new(Keyed::new(seed)) }
    }

    /// What is minted from now on looks like this.
    pub(crate) fn set_shape(&mut self, shape: TokenShape) {
        let look = SHAPES.iter().position(|known| *known == shape).and_then(|look| u8::try_from(look).ok());
        self.keyed.shape.store(look.unwrap_or_default(), Ordering::SeqCst);
    }

    /// What is minted now looks like this.
    pub(crate) fn shape(&self) -> TokenShape {
        self.keyed.shape()
    }

    /// A new client secret of about 250 bits.
    pub(crate) fn secret(&mut self) -> String {
        let core: Vec<u8> = (0..SEALED).map(|_| pick(&mut self.secrets, PLAIN)).collect();
        let dice = self.secrets.next_u64().to_le_bytes();
        self.keyed.shape().dress(Kind::Secret, &core, &dice)
    }

    /// A new client secret that has each of the characters beside letters and digits that one may have.
    pub(crate) fn odd_secret(&mut self) -> String {
        let mut extra = TokenShape::Odd.extra(Kind::Secret).to_vec();
        let mut secret = Vec::with_capacity(SEALED + extra.len());
        for place in 0..SEALED {
            // In the middle and never two in a row: a form of trimming must not go unnoticed.
            if place % 4 == 3 && !extra.is_empty() {
                let at = usize::try_from(self.secrets.next_u64() % extra.len() as u64).unwrap_or_default();
                secret.push(extra.swap_remove(at));
            }
            secret.push(pick(&mut self.secrets, PLAIN));
        }
        String::from_utf8(secret).unwrap_or_default()
    }

    /// A secret that webhooks are signed with: 24 bytes, as the one on Pleo's pages.
    pub(crate) fn webhook_secret(&mut self) -> String {
        use base64::Engine as _;
        let mut key = [0; 24];
        self.webhooks.fill_bytes(&mut key);
        format!("{SECRET_PREFIX}{}", base64::engine::general_purpose::STANDARD.encode(key))
    }

    /// A `webhook-id`.
    pub(crate) fn message_id(&mut self) -> String {
        let letters: String = (0..27).map(|_| char::from(pick(&mut self.webhooks, PLAIN))).collect();
        format!("msg_{letters}")
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
/// What makes a long token long.
fn filling(dice: &[u8]) -> String {
    let seed = dice.iter().take(8).fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    let mut letters = ChaCha20Rng::seed_from_u64(seed);
    (SEALED..LONG).map(|_| char::from(pick(&mut letters, PLAIN))).collect()
}

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

/// Names each secret that the authority mints in the vault, and tells the journal.
pub(crate) struct Minting<'a> {
    pub(crate) vault: &'a mut Vault,
    pub(crate) journal: &'a Journal,
}

impl Witness for Minting<'_> {
    fn minted(&mut self, stamp: &Stamp, secret: &str) {
        let name = self.vault.enter(stamp.kind, Some(stamp.grant), secret.to_owned()).name.clone();
        self.journal.push(What::Minted { name });
    }
}

#[cfg(test)]
mod tests;
