//! Whether a webhook is Pleo's: the signature of Standard Webhooks, and a time that is not long ago.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::hmac;

/// A message that is older, or newer, may be one that somebody has kept.
const TOLERANCE: Duration = Duration::from_secs(300);

/// What Pleo signs with.
#[derive(Clone)]
pub(crate) struct WebhookSecret(hmac::Key);

impl WebhookSecret {
    /// Reads `whsec_` and Base64.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let key = STANDARD.decode(text.strip_prefix("whsec_")?).ok()?;
        Some(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// Whether one of a message's signatures is good, and its time is about now.
    pub(crate) fn signed(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let (Some(id), Some(time), Some(signatures)) = (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
        else {
            return false;
        };
        let Some(sent) = time.parse().ok().and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds))) else { return false };
        let apart = now.duration_since(sent).unwrap_or_else(|ahead| ahead.duration());
        let message = [format!("{id}.{time}.").as_bytes(), body].concat();
        let good = |signature: &str| {
            let bytes = signature.strip_prefix("v1,").and_then(|text| STANDARD.decode(text).ok());
            bytes.is_some_and(|bytes| hmac::verify(&self.0, &message, &bytes).is_ok())
        };
        apart <= TOLERANCE && signatures.split(' ').any(good)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const GOOD: [(&str, &str); 3] = [
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ];
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    fn is_signed(headers: &[(&'static str, &str)], body: &[u8], seconds: u64) -> bool {
        let headers = headers.iter().map(|(name, value)| (name.parse().expect("a name"), value.parse().expect("a value"))).collect();
        WebhookSecret::read(SECRET).expect("a secret").signed(&headers, body, UNIX_EPOCH + Duration::from_secs(seconds))
    }

    #[test]
    fn the_specification_s_example_is_taken() {
        assert!(is_signed(&GOOD, BODY, 1_614_265_330));
        assert!(is_signed(&GOOD, BODY, 1_614_265_030) && is_signed(&GOOD, BODY, 1_614_265_630));
        let two = format!("v1,AAAA v2,x {}", GOOD[2].1);
        assert!(is_signed(&[GOOD[0], GOOD[1], ("webhook-signature", &two)], BODY, 1_614_265_330), "one good signature is enough");
    }

    #[test]
    fn anything_else_is_not() {
        assert!(!is_signed(&GOOD, b"{}", 1_614_265_330), "another body");
        assert!(!is_signed(&GOOD, BODY, 1_614_265_631), "too old");
        assert!(!is_signed(&GOOD, BODY, 1_614_265_029), "from the future");
        for (missing, _) in GOOD {
            let some: Vec<_> = GOOD.into_iter().filter(|(name, _)| *name != missing).collect();
            assert!(!is_signed(&some, BODY, 1_614_265_330), "without {missing}");
        }
        for (at, wrong) in [(0, "msg_other"), (1, "1614265331"), (1, "soon"), (2, "g0hM9SsE"), (2, "v1,"), (2, "v1,AAAA")] {
            let mut headers = GOOD;
            headers[at].1 = wrong;
            assert!(!is_signed(&headers, BODY, 1_614_265_330), "{wrong}");
        }
        assert!(WebhookSecret::read("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").is_none());
    }
}
