//! What may happen to the subject, and the requirements that it misses meanwhile: a small judge, independent of the suite's own.

mod faults;
mod kills;
mod logins;
mod outage;
mod races;

use std::collections::BTreeSet;

use regrant_mock_server::{fault::Fate, journal::Arrived};
use url::form_urlencoded;

use crate::bench::Bench;

pub use faults::{blips, hanging, refusals, shapes};
pub use kills::{killed, kills};
pub use logins::{logins, rotated};
pub use outage::outage;
pub use races::races;

/// Requirements that were missed.
pub type Misses = BTreeSet<&'static str>;

/// Notes a miss unless something holds.
pub struct Sheet(pub Misses);

impl Sheet {
    pub fn new() -> Self {
        Self(Misses::new())
    }

    pub fn holds(&mut self, id: &'static str, holds: bool) {
        if !holds {
            self.0.insert(id);
        }
    }
}

pub const UNAVAILABLE: Fate = Fate::Status { code: 503, error: None, description: None, retry_after: None };

/// Does one of these requests carry a secret, as Bearer or in its body?
pub fn presented(requests: &[Arrived], secret: &str) -> bool {
    let header = format!("Bearer {secret}");
    let form: String = form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    requests.iter().any(|request| {
        let body = String::from_utf8_lossy(&request.body).into_owned();
        request.headers.iter().any(|(name, value)| name == "authorization" && *value == header)
            || body.contains(&form)
            || body.contains(secret)
    })
}

/// The front page.
pub async fn page(bench: &Bench) -> String {
    bench.get("/").await.map(|(_, body)| body).unwrap_or_default()
}
