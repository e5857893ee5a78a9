//! A small world for the unit tests: one authority, its clock, three clients and a user.

use std::{sync::Arc, time::Duration};

use crate::{
    Authority, AuthorizeRequest, Cause, Challenge, Client, ClientAuth, Consent, EndedBy, GrantId, Issued, Kind, Look, Mint, Policy,
    Refusal, Rotation, Stamp, Terms, Time, TokenGrant, TokenRequest, TokenState,
};

/// The confidential client that most tests are about, and its secret.
pub(crate) const BOOKS: (&str, &str) = ("books", "books-secret");
/// Another confidential client.
pub(crate) const TILL: (&str, &str) = ("till", "till-secret");
/// A public client.
pub(crate) const KIOSK: &str = "kiosk";

/// The redirect URI of them all.
pub(crate) const CALLBACK: &str = "https://app.example.test/callback";
/// RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

pub(crate) struct World {
    pub(crate) authority: Authority,
    pub(crate) now: Time,
    /// How many secrets were made.
    pub(crate) minted: u32,
}

/// A connected grant and its first pair.
#[derive(Clone)]
pub(crate) struct Connected {
    pub(crate) grant: GrantId,
    pub(crate) code: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl World {
    pub(crate) fn new() -> Self {
        let mut authority = Authority::new(Policy::default(), Arc::new(Plain));
        for client in [Client::confidential(BOOKS.0, BOOKS.1), Client::confidential(TILL.0, TILL.1), Client::public(KIOSK)] {
            authority.register(Client { redirect_uris: vec![CALLBACK.into()], scopes: vec!["read".into(), "write".into()], ..client });
        }
        Self { authority, now: Time(1_700_000_000_000), minted: 0 }
    }

    pub(crate) fn with(rotation: Rotation) -> Self {
        let mut world = Self::new();
        world.policy().rotation = rotation;
        world
    }

    pub(crate) fn policy(&mut self) -> &mut Policy {
        self.authority.policy_mut()
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        self.now = self.now.plus(span);
    }

    pub(crate) fn consent(&mut self, request: &AuthorizeRequest) -> Consent {
        self.authority.authorize(request, "user".into(), "company".into()).expect("the authorise request is good")
    }

    /// A grant without tokens, and its code.
    pub(crate) fn approved(&mut self) -> (GrantId, String) {
        let consent = self.consent(&request());
        self.approve(&consent)
    }

    pub(crate) fn approve(&mut self, consent: &Consent) -> (GrantId, String) {
        self.authority.approve(self.now, consent, &mut counting(&mut self.minted))
    }

    pub(crate) fn connected(&mut self) -> Connected {
        let (grant, code) = self.approved();
        let issued = self.exchange(&code).expect("the code is good");
        Connected { grant, code, access: issued.access_token, refresh: issued.refresh_token.expect("a code gives a refresh token") }
    }

    pub(crate) fn token(&mut self, auth: ClientAuth, grant: TokenGrant) -> Result<Issued, Refusal> {
        self.send(&TokenRequest { auth, grant, repeated: None })
    }

    pub(crate) fn send(&mut self, request: &TokenRequest) -> Result<Issued, Refusal> {
        self.authority.token(self.now, request, &mut counting(&mut self.minted))
    }

    pub(crate) fn exchange(&mut self, code: &str) -> Result<Issued, Refusal> {
        self.token(basic(BOOKS), code_grant(code, Some(CALLBACK), Some(VERIFIER)))
    }

    pub(crate) fn refresh(&mut self, token: &str) -> Result<Issued, Refusal> {
        self.token(basic(BOOKS), refresh_grant(token, None))
    }

    pub(crate) fn refresh_on(&mut self, terms: Terms, token: &str) -> Result<Issued, Refusal> {
        let request = TokenRequest { auth: basic(BOOKS), grant: refresh_grant(token, None), repeated: None };
        self.authority.token_on(terms, self.now, &request, &mut counting(&mut self.minted))
    }

    /// A refresh that must succeed and rotate; the new access and refresh token.
    pub(crate) fn rotate(&mut self, token: &str) -> (String, String) {
        let issued = self.refresh(token).expect("the refresh token is good");
        (issued.access_token, issued.refresh_token.expect("a rotation gives a refresh token"))
    }

    pub(crate) fn state(&self, token: &str) -> TokenState {
        self.authority.state(self.now, token)
    }

    pub(crate) fn revoke(&mut self, grant: GrantId, cause: Cause) -> bool {
        self.authority.revoke(self.now, grant, cause)
    }

    pub(crate) fn ended(&self, grant: GrantId) -> Option<EndedBy> {
        self.authority.grants().iter().find(|known| known.id == grant).and_then(|known| known.ended).map(|(_, by)| by)
    }
}

fn counting(count: &mut u32) -> impl FnMut(&Stamp, &str) {
    move |_, _| *count += 1
}

/// A mint without a key: every secret can be read by everybody.
#[derive(Debug)]
pub(crate) struct Plain;

const KINDS: [(&str, Kind); 3] = [("access", Kind::Access), ("refresh", Kind::Refresh), ("code", Kind::Code)];

impl Mint for Plain {
    fn write(&self, stamp: &Stamp) -> String {
        let word = KINDS.iter().find(|(_, kind)| *kind == stamp.kind).map_or("", |(word, _)| word);
        format!("{word}-{}-of-{}", stamp.number, stamp.grant.0)
    }

    fn read(&self, secret: &str) -> Option<Stamp> {
        let (word, rest) = secret.split_once('-')?;
        let (number, grant) = rest.split_once("-of-")?;
        let kind = KINDS.iter().find(|(known, _)| *known == word)?.1;
        Some(Stamp { kind, grant: GrantId(grant.parse().ok()?), number: number.parse().ok()?, look: Look::default() })
    }
}

/// A good authorise request of [`BOOKS`].
pub(crate) fn request() -> AuthorizeRequest {
    AuthorizeRequest {
        client_id: Some(BOOKS.0.into()),
        redirect_uri: Some(CALLBACK.into()),
        response_type: Some("code".into()),
        scope: Some("read write".into()),
        state: Some("from-page-7".into()),
        code_challenge: Some(Challenge::of(VERIFIER).0),
        code_challenge_method: Some("S256".into()),
        repeated: None,
    }
}

pub(crate) fn basic((id, secret): (&str, &str)) -> ClientAuth {
    ClientAuth::Basic { decoded: (id.into(), secret.into()), raw: (id.into(), secret.into()) }
}

pub(crate) fn body((id, secret): (&str, &str)) -> ClientAuth {
    ClientAuth::Body { id: id.into(), secret: secret.into() }
}

pub(crate) fn code_grant(code: &str, redirect_uri: Option<&str>, verifier: Option<&str>) -> TokenGrant {
    TokenGrant::AuthorizationCode {
        code: Some(code.into()),
        redirect_uri: redirect_uri.map(Into::into),
        code_verifier: verifier.map(Into::into),
    }
}

pub(crate) fn refresh_grant(token: &str, scope: Option<&str>) -> TokenGrant {
    TokenGrant::RefreshToken { refresh_token: Some(token.into()), scope: scope.map(Into::into) }
}

/// Status, `error` and the state of what was presented.
pub(crate) fn gist(answer: Result<Issued, Refusal>) -> (u16, String, Option<TokenState>) {
    let refusal = answer.expect_err("the request must be refused");
    (refusal.status, refusal.error, refusal.state)
}

pub(crate) fn invalid_grant(state: TokenState) -> (u16, String, Option<TokenState>) {
    (400, "invalid_grant".into(), Some(state))
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);
