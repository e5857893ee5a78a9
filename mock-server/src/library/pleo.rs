//! A Pleo as a test holds it, whatever door leads to it.

use std::fmt;

use crate::{Control, Provider, TenantError, Urls};

/// One Pleo: where it is, who its client is, what can be done to it and what is expected of its client. Cheap to clone.
///
/// A test body that takes `&Pleo` runs against every door.
#[derive(Clone)]
pub struct Pleo {
    control: Control,
    ca_pem: Option<String>,
}

impl Pleo {
    #[cfg(feature = "wiremock")]
    pub(super) fn new(control: Control) -> Self {
        Self { control, ca_pem: None }
    }

    pub(super) fn of(provider: &Provider) -> Self {
        Self { control: provider.control().clone(), ca_pem: provider.ca_pem().map(str::to_owned) }
    }

    /// Where users consent.
    #[must_use]
    pub fn authorize_url(&self) -> &str {
        &self.urls().authorize
    }

    /// Where codes and refresh tokens are exchanged.
    #[must_use]
    pub fn token_url(&self) -> &str {
        &self.urls().token
    }

    /// Where tokens are introspected.
    #[must_use]
    pub fn introspect_url(&self) -> &str {
        &self.urls().introspect
    }

    /// Base of the resource API, no slash at the end.
    #[must_use]
    pub fn api_url(&self) -> &str {
        &self.urls().api
    }

    /// All of them.
    #[must_use]
    pub fn urls(&self) -> &Urls {
        &self.control.shared.urls
    }

    /// The client's id.
    #[must_use]
    pub fn client_id(&self) -> String {
        self.control.shared.first_client().0
    }

    /// The client's newest secret; none if it is public.
    #[must_use]
    pub fn client_secret(&self) -> Option<String> {
        self.control.shared.first_client().1
    }

    /// The CA that the client has to trust, as PEM, where https is served.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.ca_pem.as_deref()
    }

    /// The seed of all tokens and ids.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.control.seed()
    }

    /// A Pleo beside this one, on the same port: the same client, and grants, clock, journal and rules of its own. It comes to be when
    /// it is first asked for; a test suite that shares one server takes one for each test.
    ///
    /// # Errors
    /// No name for a tenant, or there are as many as may be.
    pub fn tenant(&self, name: &str) -> Result<Self, TenantError> {
        let tenants = self.control.shared.tenants.as_ref().ok_or(TenantError::Full(0))?;
        let (shared, _) = tenants.enter(name)?;
        Ok(Self { control: Control { shared }, ca_pem: self.ca_pem.clone() })
    }

    /// All that can be done to it, and the journal of what crossed the wire.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }
}

impl fmt::Debug for Pleo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pleo").field("api", &self.urls().api).field("seed", &self.seed()).finish_non_exhaustive()
    }
}
