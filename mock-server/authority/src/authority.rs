//! The state machine itself.

use std::{collections::HashMap, time::Duration};

use crate::{
    AccessRefusal, AuthorizeError, AuthorizeRequest, Client, ClientError, ClientId, Company, Consent, EndedBy, Grant, GrantId, Issued,
    Kind, Mint, Policy, Refusal, Secret, Terms, Time, TokenGrant, TokenRequest, TokenState, User, authorise,
    exchange::Presented,
    family::{AccessRecord, CodeFate, CodeRecord, Family, RefreshRecord},
    refresh::index,
};

/// All clients, codes, grants and tokens of one provider.
#[derive(Debug, Clone)]
pub struct Authority {
    pub(crate) policy: Policy,
    /// Of the token request that is decided just now.
    pub(crate) terms: Terms,
    pub(crate) clients: HashMap<ClientId, Client>,
    /// The family of grant `n` stands at `n - 1`.
    pub(crate) families: Vec<Family>,
    pub(crate) codes: HashMap<String, CodeRecord>,
    pub(crate) access: HashMap<String, AccessRecord>,
    pub(crate) refresh: HashMap<String, RefreshRecord>,
}

impl Authority {
    /// An authority without clients.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            terms: Terms::default(),
            clients: HashMap::new(),
            families: Vec::new(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
        }
    }

    /// The policy in force; it may be changed at any time and applies to what is issued or judged from then on.
    ///
    /// What has happened stays: an access token that a refresh or the end of its grant has killed does not come back.
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
        self.clients.insert(client.id.clone(), client);
    }

    /// A registered client.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id)
    }

    /// Adds `secret` to the client's timeline; the secrets valid now are retired after `overlap`.
    ///
    /// # Errors
    /// Unknown or public client.
    pub fn rotate_secret(&mut self, now: Time, client: &str, secret: String, overlap: Duration) -> Result<(), ClientError> {
        let Some(client) = self.clients.get_mut(client) else { return Err(ClientError::Unknown(client.to_owned())) };
        if client.is_public() {
            return Err(ClientError::Public(client.id.clone()));
        }
        let retired = now.plus(overlap);
        for old in client.secrets.iter_mut().filter(|old| old.is_valid(now)) {
            old.until = Some(old.until.map_or(retired, |until| until.min(retired)));
        }
        client.secrets.push(Secret { value: secret, from: now, until: None });
        Ok(())
    }

    /// Checks an authorise request for `user` of `company`. Registers redirect URI and scopes where the client left them open.
    ///
    /// # Errors
    /// As RFC 6749 section 4.1.2.1 and RFC 7636 section 4.4.1 say.
    pub fn authorize(&mut self, request: &AuthorizeRequest, user: User, company: Company) -> Result<Consent, AuthorizeError> {
        let consent = self.check_authorize(request, user, company)?;
        if let Some(client) = self.clients.get_mut(&consent.client_id) {
            if client.redirect_uris.is_empty() && !authorise::is_free(client, &consent.redirect_uri) {
                client.redirect_uris.push(consent.redirect_uri.clone());
            }
            if client.scopes.is_empty() {
                client.scopes.clone_from(&consent.scopes);
            }
        }
        Ok(consent)
    }

    /// The user agreed: a grant without tokens, and a code for it.
    pub fn approve(&mut self, now: Time, consent: &Consent, mint: &mut dyn Mint) -> (GrantId, String) {
        let id = GrantId(u32::try_from(self.families.len()).unwrap_or(u32::MAX).saturating_add(1));
        self.families.push(Family::new(Grant {
            id,
            client_id: consent.client_id.clone(),
            user: consent.user.clone(),
            company: consent.company.clone(),
            scopes: consent.scopes.clone(),
            since: now,
            generation: 0,
            ended: None,
        }));
        let code = mint.mint(Kind::Code, id);
        self.codes.insert(
            code.clone(),
            CodeRecord {
                grant: id,
                client_id: consent.client_id.clone(),
                redirect_uri: consent.redirect_uri.clone(),
                redirect_uri_sent: consent.redirect_uri_sent,
                challenge: consent.challenge.clone(),
                expires: now.plus(self.policy.code_lifetime),
                fate: CodeFate::Fresh,
            },
        );
        (id, code)
    }

    /// Exchanges a code or a refresh token.
    ///
    /// Checked in this order: a repeated parameter (`invalid_request`), the client, the grant type, its parameters, the code
    /// or token, the scope. A request that fails before its code or token was looked at harms neither.
    ///
    /// # Errors
    /// As RFC 6749 section 5.2 says, dead refresh tokens in the words of [`Policy::refused_with`].
    pub fn token(&mut self, now: Time, request: &TokenRequest, mint: &mut dyn Mint) -> Result<Issued, Refusal> {
        if request.repeated.is_some() {
            return Err(Refusal::invalid_request("A parameter stands more than once"));
        }
        let client = self.authenticate(now, &request.auth)?;
        match &request.grant {
            TokenGrant::AuthorizationCode { code, redirect_uri, code_verifier } => {
                let presented =
                    Presented { code: code.as_deref(), redirect_uri: redirect_uri.as_deref(), verifier: code_verifier.as_deref() };
                self.exchange(now, &client, &presented, mint)
            }
            TokenGrant::RefreshToken { refresh_token, scope } => {
                self.refresh(now, &client, refresh_token.as_deref(), scope.as_deref(), mint)
            }
            TokenGrant::Other(Some(_)) => Err(Refusal::unsupported_grant_type()),
            TokenGrant::Other(None) => Err(Refusal::invalid_request("The parameter grant_type is missing")),
        }
    }

    /// Checks an access token for the API.
    ///
    /// # Errors
    /// The state of a token that is not active.
    pub fn access(&self, now: Time, token: &str) -> Result<&Grant, AccessRefusal> {
        let Some(record) = self.access.get(token) else { return Err(AccessRefusal(TokenState::Unknown)) };
        let state = self.access_state(now, record);
        match state {
            TokenState::Active => self.family(record.grant).map(|family| &family.grant).ok_or(AccessRefusal(TokenState::Unknown)),
            TokenState::Expired
            | TokenState::Superseded
            | TokenState::Revoked(_)
            | TokenState::FamilyEnded
            | TokenState::Rejected
            | TokenState::Used
            | TokenState::Unknown => Err(AccessRefusal(state)),
        }
    }

    /// The scopes of an access token of any age: those of its grant, or fewer if the refresh asked for fewer.
    #[must_use]
    pub fn access_scopes(&self, token: &str) -> Option<&[String]> {
        self.access.get(token).map(|record| record.scopes.as_slice())
    }

    /// What an access token, a refresh token or a code is good for just now, without using it. Codes and refresh tokens of every age are known.
    #[must_use]
    pub fn state(&self, now: Time, token: &str) -> TokenState {
        if let Some(record) = self.access.get(token) {
            self.access_state(now, record)
        } else if let Some(record) = self.refresh.get(token) {
            self.refresh_state(now, token, record)
        } else if let Some(record) = self.codes.get(token) {
            self.code_state(now, record)
        } else {
            TokenState::Unknown
        }
    }

    /// All grants, oldest first.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        self.families.iter().map(|family| family.grant.clone()).collect()
    }

    /// A grant, live or ended.
    #[must_use]
    pub fn grant(&self, id: GrantId) -> Option<&Grant> {
        self.family(id).map(|family| &family.grant)
    }

    /// The current access and refresh token of a live grant, for the management listener.
    ///
    /// The pair that was issued last, be it expired or rejected. `None` before the code was exchanged.
    #[must_use]
    pub fn current(&self, grant: GrantId) -> Option<(String, Option<String>)> {
        let newest = self.live(grant)?.newest.as_ref()?;
        self.refresh.get(newest).map(|refresh| (refresh.access.clone(), Some(newest.clone())))
    }

    pub(crate) fn family(&self, grant: GrantId) -> Option<&Family> {
        self.families.get(index(grant))
    }

    pub(crate) fn family_mut(&mut self, grant: GrantId) -> Option<&mut Family> {
        self.families.get_mut(index(grant))
    }

    /// A family that lives and has tokens.
    pub(crate) fn live(&self, grant: GrantId) -> Option<&Family> {
        self.family(grant).filter(|family| family.grant.ended.is_none() && family.newest.is_some())
    }

    pub(crate) fn belongs(&self, grant: GrantId, client: &str) -> bool {
        self.family(grant).is_some_and(|family| family.grant.client_id == client)
    }

    /// Ends a live grant; what ended it first stays on record.
    pub(crate) fn end(&mut self, now: Time, grant: GrantId, by: EndedBy) -> bool {
        let access_outlives = !self.policy.end_kills_access;
        match self.family_mut(grant).filter(|family| family.grant.ended.is_none()) {
            Some(family) => {
                family.grant.ended = Some((now, by));
                family.access_outlives = access_outlives;
                true
            }
            None => false,
        }
    }
}
