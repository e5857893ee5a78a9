//! A connection without a browser.

use std::{fmt, time::Duration};

use regrant_authority::{ClientAuth, Consent, GrantId, Issued, TokenGrant, TokenRequest};

use super::Pleo;
use crate::{
    ConsentMode,
    control::Action,
    journal::What,
    state::{Shared, State},
};

/// A connection, as a client that went through consent and exchange would have it.
#[derive(Clone, PartialEq, Eq)]
pub struct Connected {
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
    /// The user's consent behind them.
    pub grant: GrantId,
    /// What was consented to; empty: everything.
    pub scopes: Vec<String>,
    /// Life of the access token.
    pub expires_in: Duration,
}

/// Why there is no connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The consent page answers no.
    #[error("the user denies: nobody connects while the consent mode is `Deny`")]
    Denied,
    /// More was asked for than is registered.
    #[error("the client is not registered for {0:?}: add it to `PleoBuilder::scopes`")]
    Scope(String),
    /// The authority refused the exchange.
    #[error("the exchange was refused: {0}")]
    Refused(String),
}

impl Pleo {
    /// Connects the client for all its scopes, without a request on the wire: the user consents and the code is exchanged in one
    /// step. Each call is a new grant.
    ///
    /// # Errors
    /// The consent mode is `Deny`.
    pub fn connect(&self) -> Result<Connected, ConnectError> {
        connect(&self.control().shared, None)
    }

    /// [`connect`](Self::connect) for some scopes only.
    ///
    /// # Errors
    /// The consent mode is `Deny`, or a scope is not registered.
    pub fn connect_for(&self, scopes: &[&str]) -> Result<Connected, ConnectError> {
        connect(&self.control().shared, Some(scopes))
    }
}

impl fmt::Debug for Connected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connected").field("grant", &self.grant).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

fn connect(shared: &Shared, scopes: Option<&[&str]>) -> Result<Connected, ConnectError> {
    let mut state = shared.state();
    if state.consent == ConsentMode::Deny {
        return Err(ConnectError::Denied);
    }
    let consent = consent(&state, scopes)?;
    let auth = authentication(&state, &consent.client_id);
    let now = shared.clock.now();
    let (authority, mut mint) = state.minting(&shared.journal);
    let (grant, code) = authority.approve(now, &consent, &mut mint);
    let exchange = TokenGrant::AuthorizationCode { code: Some(code), redirect_uri: None, code_verifier: None };
    let issued = authority.token(now, &TokenRequest { auth, grant: exchange, repeated: None }, &mut mint);
    let Issued { access_token, refresh_token, expires_in, scopes, .. } =
        issued.map_err(|refusal| ConnectError::Refused(refusal.description.unwrap_or(refusal.error)))?;
    shared.journal.push(What::Controlled(Action::Connected { grant }));
    Ok(Connected { access_token, refresh_token: refresh_token.unwrap_or_default(), grant, scopes: scopes.to_vec(), expires_in })
}

/// What the user agrees to. Made here and not by an authorise request, which would register the redirect URI of a client that left
/// it open.
fn consent(state: &State, scopes: Option<&[&str]>) -> Result<Consent, ConnectError> {
    let client_id = state.clients.first().cloned().unwrap_or_default();
    let registered = state.authority.client(&client_id).map(|client| client.scopes.clone()).unwrap_or_default();
    let strange = scopes.unwrap_or_default().iter().find(|scope| !registered.is_empty() && !registered.iter().any(|known| known == *scope));
    if let Some(scope) = strange {
        return Err(ConnectError::Scope((*scope).to_owned()));
    }
    let scopes = scopes.map_or(registered, |scopes| scopes.iter().map(|scope| (*scope).to_owned()).collect());
    let (user, company) = state.store.person(state.company);
    let redirect_uri = "http://127.0.0.1/".to_owned();
    Ok(Consent { client_id, redirect_uri, redirect_uri_sent: false, scopes, state: None, challenge: None, user, company })
}

fn authentication(state: &State, id: &str) -> ClientAuth {
    let newest = state.authority.client(id).and_then(|client| client.secrets.last());
    match newest {
        None => ClientAuth::None { id: Some(id.to_owned()) },
        Some(secret) => {
            let pair = (id.to_owned(), secret.value.clone());
            ClientAuth::Basic { decoded: pair.clone(), raw: pair }
        }
    }
}
