//! The state machine itself.

use crate::*;

/// All clients, codes, grants and tokens of one provider.
#[derive(Debug, Clone)]
pub struct Authority {
    policy: Policy,
}

#[allow(clippy::todo, unused_variables, reason = "filled in by the next commits")]
impl Authority {
    /// An authority without clients.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy }
    }

    /// The policy in force; it may be changed at any time and applies to what is issued or judged from then on.
    pub fn policy_mut(&mut self) -> &mut Policy {
        &mut self.policy
    }

    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Registers `client`, replacing one of the same id.
    pub fn register(&mut self, client: Client) {
        todo!()
    }

    /// A registered client.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Client> {
        todo!()
    }

    /// Adds `secret` to the client's timeline; the secrets valid now are retired after `overlap`.
    ///
    /// # Errors
    /// Unknown or public client.
    pub fn rotate_secret(&mut self, now: Time, client: &str, secret: String, overlap: std::time::Duration) -> Result<(), ClientError> {
        todo!()
    }

    /// Checks an authorise request for `user` of `company`. Registers redirect URI and scopes where the client left them open.
    ///
    /// # Errors
    /// As RFC 6749 section 4.1.2.1 and RFC 7636 section 4.4.1 say.
    pub fn authorize(&mut self, request: &AuthorizeRequest, user: User, company: Company) -> Result<Consent, AuthorizeError> {
        todo!()
    }

    /// The user agreed: a grant without tokens, and a code for it.
    pub fn approve(&mut self, now: Time, consent: &Consent, mint: &mut dyn Mint) -> (GrantId, String) {
        todo!()
    }

    /// Exchanges a code or a refresh token.
    ///
    /// # Errors
    /// As RFC 6749 section 5.2 says, dead refresh tokens in the words of [`Policy::refused_with`].
    pub fn token(&mut self, now: Time, request: &TokenRequest, mint: &mut dyn Mint) -> Result<Issued, Refusal> {
        todo!()
    }

    /// Checks an access token for the API.
    ///
    /// # Errors
    /// The state of a token that is not active.
    pub fn access(&self, now: Time, token: &str) -> Result<&Grant, AccessRefusal> {
        todo!()
    }

    /// What an access token, a refresh token or a code is good for just now, without using it. Codes and refresh tokens of every age are known.
    #[must_use]
    pub fn state(&self, now: Time, token: &str) -> TokenState {
        todo!()
    }

    /// Introspects a token for a client that has authenticated itself; `None`: inactive.
    ///
    /// # Errors
    /// Failed client authentication.
    pub fn introspect(&self, now: Time, auth: &ClientAuth, token: &str) -> Result<Option<Introspection>, Refusal> {
        todo!()
    }

    /// Ends a grant on purpose; its refresh tokens and (by policy) access tokens die. Idempotent; false if there is no such live grant.
    pub fn revoke(&mut self, now: Time, grant: GrantId, cause: Cause) -> bool {
        todo!()
    }

    /// Lets the current access token of a grant expire now.
    pub fn expire_access(&mut self, now: Time, grant: GrantId) -> bool {
        todo!()
    }

    /// Lets the current refresh token of a grant expire now.
    pub fn expire_refresh(&mut self, now: Time, grant: GrantId) -> bool {
        todo!()
    }

    /// Makes the API reject the current access token (401) though it is good by the clock; a refresh gives a good one.
    pub fn reject_access(&mut self, grant: GrantId) -> bool {
        todo!()
    }

    /// All grants, oldest first.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        todo!()
    }

    /// The current access and refresh token of a live grant, for the management listener.
    #[must_use]
    pub fn current(&self, grant: GrantId) -> Option<(String, Option<String>)> {
        todo!()
    }
}
