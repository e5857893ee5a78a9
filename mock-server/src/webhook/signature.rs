//! The signature of a message (Standard Webhooks, "Signature scheme"; Pleo, webhooks-authentication-authorisation).

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;

/// How every secret begins.
pub const SECRET_PREFIX: &str = "whsec_";

/// How many bytes a secret may have.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What a signed message carries beside its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// `webhook-id`: the message, the same at a second attempt.
    pub id: String,
    /// `webhook-timestamp`: when it was sent, in seconds since 1970.
    pub timestamp: u64,
    /// `webhook-signature`: `v1,` and Base64.
    pub signature: String,
}

/// This is no secret to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a webhook secret is `whsec_` and the Base64 of 24 to 64 bytes")]
pub struct NoSecret;

impl Signed {
    /// As headers.
    #[must_use]
    pub fn headers(&self) -> [(&'static str, String); 3] {
        [("webhook-id", self.id.clone()), ("webhook-timestamp", self.timestamp.to_string()), ("webhook-signature", self.signature.clone())]
    }
}

/// Signs a message: HMAC-SHA256 over `id.timestamp.body`, to the byte.
///
/// # Errors
/// What is given as a secret is none.
pub fn sign(secret: &str, id: &str, timestamp: u64, body: &[u8]) -> Result<Signed, NoSecret> {
    let key = secret.strip_prefix(SECRET_PREFIX).and_then(|key| STANDARD.decode(key).ok());
    let key = key.filter(|key| SECRET_BYTES.contains(&key.len())).ok_or(NoSecret)?;
    let mut message = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &key));
    message.update(format!("{id}.{timestamp}.").as_bytes());
    message.update(body);
    Ok(Signed { id: id.to_owned(), timestamp, signature: format!("v1,{}", STANDARD.encode(message.sign())) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::expect_used, reason = "tests say what they expect")]
    use super::*;

    /// The example of the specification; Pleo's pages show its id, time and signature.
    #[test]
    fn the_specification_s_example_is_signed_as_it_says() {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = sign(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#).expect("a secret");
        assert_eq!(signed.signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(signed.headers().map(|(name, _)| name), ["webhook-id", "webhook-timestamp", "webhook-signature"]);
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for no_secret in ["", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS", "whsec_c2hvcnQ="] {
            assert_eq!(sign(no_secret, "msg_1", 1, b"").map_err(|error| error.to_string()), Err(NoSecret.to_string()), "{no_secret}");
        }
    }
}
