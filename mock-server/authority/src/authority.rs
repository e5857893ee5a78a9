//! The state machine itself.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use smallvec::SmallVec;

use crate::{
    AccessRefusal, AuthorizeError, AuthorizeRequest, Client, ClientId, Company, Consent, Grant, GrantId, Issued, Kind, Mint, Policy,
    Refusal, Stamp, Terms, Time, TokenGrant, TokenRequest, TokenState, User, Witness, authorise,
    exchange::Presented,
    family::{CodeFate, CodeRecord, Family, Slot},
    mint::{Minted, Press},
};

/// All clients, codes, grants and tokens of one provider.
#[derive(Debug, Clone)]
pub struct Authority {
    pub(crate) policy: Policy,
    pub(crate) mint: Arc<dyn Mint>,
    /// Of the token request that is decided just now.
    pub(crate) terms: Terms,
    pub(crate) clients: HashMap<ClientId, Registered>,
    /// Grant `n` stands at `n - 1`.
    pub(crate) slots: Vec<Slot>,
    pub(crate) minted: Minted,
    /// Grants that have ended and whose details are remembered, in the order of their ends.
    pub(crate) ended: VecDeque<GrantId>,
    pub(crate) remember_ended: usize,
}

/// A client, and what its grants share.
#[derive(Debug, Clone)]
pub(crate) struct Registered {
    pub(crate) client: Client,
    pub(crate) id: Arc<str>,
    /// What was granted last.
    granted: Arc<[String]>,
}

impl Authority {
    /// An authority without clients.
    #[must_use]
    pub fn new(policy: Policy, mint: Arc<dyn Mint>) -> Self {
        Self {
            policy,
            mint,
            terms: Terms::default(),
            clients: HashMap::new(),
            slots: Vec::new(),
            minted: Minted::default(),
            ended: VecDeque::new(),
            remember_ended: usize::MAX,
        }
    }

    /// Forgets all grants and what was issued for them; clients stay, and no token is ever issued twice.
    pub fn forget_grants(&mut self) {
        self.slots = Vec::new();
        self.ended = VecDeque::new();
        self.minted.begin_anew();
    }

    /// Keeps the details of so many ended grants; of the others it stays known that and by what they ended.
    pub fn remember_ended(&mut self, count: usize) {
        self.remember_ended = count;
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
        let (id, granted) = (Arc::from(client.id.as_str()), client.scopes.as_slice().into());
        self.clients.insert(client.id.clone(), Registered { client, id, granted });
    }

    /// A registered client.
    #[must_use]
    pub fn client(&self, id: &str) -> Option<&Client> {
        self.clients.get(id).map(|known| &known.client)
    }

    /// Checks an authorise request for `user` of `company`. Registers redirect URI and scopes where the client left them open.
    ///
    /// # Errors
    /// As RFC 6749 section 4.1.2.1 and RFC 7636 section 4.4.1 say.
    pub fn authorize(&mut self, request: &AuthorizeRequest, user: User, company: Company) -> Result<Consent, AuthorizeError> {
        let consent = self.check_authorize(request, user, company)?;
        if let Some(Registered { client, .. }) = self.clients.get_mut(&consent.client_id) {
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
    pub fn approve(&mut self, now: Time, consent: &Consent, witness: &mut dyn Witness) -> (GrantId, String) {
        let id = GrantId(u32::try_from(self.slots.len()).unwrap_or(u32::MAX).saturating_add(1));
        let (client, scopes) = self.shared(consent);
        let code = CodeRecord {
            redirect_uri: consent.redirect_uri.clone(),
            redirect_uri_sent: consent.redirect_uri_sent,
            challenge: consent.challenge.clone(),
            expires: now.plus(self.policy.code_lifetime),
        };
        self.slots.push(Slot::Kept(Box::new(Family {
            client,
            user: consent.user.as_str().into(),
            company: consent.company.as_str().into(),
            scopes,
            since: now,
            generation: 0,
            ended: None,
            access_outlives: false,
            fate: CodeFate::Fresh,
            code: Some(Box::new(code)),
            refresh: SmallVec::new(),
            access: SmallVec::new(),
            killed_up_to: 0,
        })));
        let Self { policy, terms, mint, minted, .. } = self;
        (id, Press { grant: id, policy, terms, mint: &**mint, minted, witness }.strike(Kind::Code).1)
    }

    /// Exchanges a code or a refresh token.
    ///
    /// Checked in this order: a repeated parameter (`invalid_request`), the client, the grant type, its parameters, the code
    /// or token, the scope. A request that fails before its code or token was looked at harms neither.
    ///
    /// # Errors
    /// As RFC 6749 section 5.2 says, dead refresh tokens in the words of [`Policy::refused_with`].
    pub fn token(&mut self, now: Time, request: &TokenRequest, witness: &mut dyn Witness) -> Result<Issued, Refusal> {
        if request.repeated.is_some() {
            return Err(Refusal::invalid_request("A parameter stands more than once"));
        }
        let client = self.authenticate(now, &request.auth)?;
        match &request.grant {
            TokenGrant::AuthorizationCode { code, redirect_uri, code_verifier } => {
                let presented =
                    Presented { code: code.as_deref(), redirect_uri: redirect_uri.as_deref(), verifier: code_verifier.as_deref() };
                self.exchange(now, &client, &presented, witness)
            }
            TokenGrant::RefreshToken { refresh_token, scope } => {
                self.refresh(now, &client, refresh_token.as_deref(), scope.as_deref(), witness)
            }
            TokenGrant::Other(Some(_)) => Err(Refusal::unsupported_grant_type()),
            TokenGrant::Other(None) => Err(Refusal::invalid_request("The parameter grant_type is missing")),
        }
    }

    /// Checks an access token for the API.
    ///
    /// # Errors
    /// The state of a token that is not active.
    pub fn access(&self, now: Time, token: &str) -> Result<Grant, AccessRefusal> {
        let stamp = self.mint.read(token).filter(|stamp| stamp.kind == Kind::Access).ok_or(AccessRefusal(TokenState::Unknown))?;
        let state = self.state_of(now, &stamp);
        match state {
            TokenState::Active => {
                self.family(stamp.grant).map(|family| family.grant(stamp.grant)).ok_or(AccessRefusal(TokenState::Unknown))
            }
            TokenState::Expired
            | TokenState::Superseded
            | TokenState::Revoked(_)
            | TokenState::FamilyEnded
            | TokenState::Rejected
            | TokenState::Used
            | TokenState::Unknown => Err(AccessRefusal(state)),
        }
    }

    /// The scopes of an access token that may still be good: those of its grant, or fewer if the refresh asked for fewer.
    #[must_use]
    pub fn access_scopes(&self, token: &str) -> Option<&[String]> {
        let stamp = self.mint.read(token).filter(|stamp| stamp.kind == Kind::Access)?;
        let family = self.slot(&stamp)?.kept()?;
        family.access(stamp.number).map(|access| &**access.scopes.as_ref().unwrap_or(&family.scopes))
    }

    /// All grants whose details are remembered, oldest first: every live one, and those that ended last.
    #[must_use]
    pub fn grants(&self) -> Vec<Grant> {
        self.families().map(|(id, family)| family.grant(id)).collect()
    }

    /// One grant whose details are remembered.
    #[must_use]
    pub fn grant(&self, id: GrantId) -> Option<Grant> {
        self.family(id).map(|family| family.grant(id))
    }

    /// All live grants, oldest first.
    pub fn live_grants(&self) -> impl DoubleEndedIterator<Item = GrantId> {
        self.families().filter(|(_, family)| family.ended.is_none()).map(|(id, _)| id)
    }

    /// The live grants of one client, oldest first.
    pub fn live_grants_of(&self, client: &str) -> impl Iterator<Item = GrantId> {
        self.families().filter(move |(_, family)| family.ended.is_none() && *family.client == *client).map(|(id, _)| id)
    }

    /// The current access and refresh token of a live grant, for the management listener.
    ///
    /// The pair that was issued last, be it expired or rejected. `None` before the code was exchanged.
    #[must_use]
    pub fn current(&self, grant: GrantId) -> Option<(String, Option<String>)> {
        let newest = self.connected(grant)?.newest()?;
        let write = |kind, (number, look)| self.mint.write(&Stamp { kind, grant, number, look });
        Some((write(Kind::Access, newest.access), Some(write(Kind::Refresh, (newest.number, newest.look)))))
    }

    pub(crate) fn family(&self, grant: GrantId) -> Option<&Family> {
        self.slots.get(grant.place()).and_then(Slot::kept)
    }

    pub(crate) fn family_mut(&mut self, grant: GrantId) -> Option<&mut Family> {
        self.slots.get_mut(grant.place()).and_then(Slot::kept_mut)
    }

    /// A family that lives and has tokens.
    pub(crate) fn connected(&self, grant: GrantId) -> Option<&Family> {
        self.family(grant).filter(|family| family.is_connected())
    }

    /// A family, and what is needed to issue tokens to it.
    pub(crate) fn press<'a>(&'a mut self, grant: GrantId, witness: &'a mut dyn Witness) -> Option<(&'a mut Family, Press<'a>)> {
        let family = self.slots.get_mut(grant.place()).and_then(Slot::kept_mut)?;
        let Self { policy, terms, mint, minted, .. } = self;
        Some((family, Press { grant, policy, terms, mint: &**mint, minted, witness }))
    }

    fn families(&self) -> impl DoubleEndedIterator<Item = (GrantId, &Family)> {
        let known = self.slots.iter().enumerate().filter_map(|(place, slot)| Some((u32::try_from(place).ok()?, slot.kept()?)));
        known.map(|(place, family)| (GrantId(place.saturating_add(1)), family))
    }

    /// The client's id and the scopes, as one string and one list for all grants that have the same.
    fn shared(&mut self, consent: &Consent) -> (Arc<str>, Arc<[String]>) {
        match self.clients.get_mut(&consent.client_id) {
            None => (consent.client_id.as_str().into(), consent.scopes.as_slice().into()),
            Some(known) => {
                if *known.granted != *consent.scopes {
                    known.granted = consent.scopes.as_slice().into();
                }
                (known.id.clone(), known.granted.clone())
            }
        }
    }
}
