//! How a chain gets its first refresh token.

use std::net::SocketAddr;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::Full;
use sha2::{Digest as _, Sha256};

use super::{
    Chain, Connection,
    chain::{basic, form, string},
};
use crate::error::BenchError;

/// Where a server registered nothing, this is what it hears.
const REDIRECT: &str = "http://127.0.0.1:9/callback";
const VERIFIER: &str = "a-verifier-that-is-long-enough-for-anybody-43";

/// Where first tokens come from.
#[derive(Debug, Clone)]
pub(crate) enum Consent {
    /// An authorise request that is answered with a code at once, and where codes are exchanged.
    Code {
        authorize: &'static str,
        token: &'static str,
        /// A form to post with the authorise request: the user's answer.
        says: Option<&'static str>,
    },
    /// The server made them before it said that it is ready.
    Given(Vec<String>),
    /// Whatever is sent is taken for a refresh token.
    Anything,
}

impl Consent {
    /// Pleo's paths.
    pub(crate) fn pleo() -> Self {
        Self::Code { authorize: "/oauth/authorize", token: "/oauth/token", says: None }
    }
}

/// So many chains of different grants.
///
/// # Errors
/// The server does not give them.
pub(crate) async fn chains(server: SocketAddr, consent: &Consent, client: (&str, &str), count: u32) -> Result<Vec<Chain>, BenchError> {
    let mut connection = Connection::open(server).await?;
    let mut chains = Vec::new();
    for i in 0..count {
        let token = match consent {
            Consent::Code { authorize, token, says } => connect(&mut connection, authorize, token, *says, client).await?,
            Consent::Given(tokens) => {
                let missing = || BenchError::Answer(format!("only {i} first tokens were made"));
                tokens.get(i as usize).cloned().ok_or_else(missing)?
            }
            Consent::Anything => format!("any-{i}"),
        };
        chains.push(Chain::new(client, token));
    }
    Ok(chains)
}

/// One grant by authorization code.
async fn connect(
    connection: &mut Connection,
    authorize: &str,
    token: &str,
    says: Option<&'static str>,
    client: (&str, &str),
) -> Result<String, BenchError> {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("response_type", "code"), ("client_id", client.0), ("redirect_uri", REDIRECT), ("scope", "openid")])
        .extend_pairs([
            ("state", "state-of-the-benchmark"),
            ("nonce", "n"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ])
        .finish();
    let mut asked = Request::new(Full::new(Bytes::from(says.unwrap_or_default())));
    if says.is_some() {
        *asked.method_mut() = http::Method::POST;
        asked.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/x-www-form-urlencoded"));
    }
    *asked.uri_mut() = format!("{authorize}?{query}").parse().unwrap_or_default();
    let sent_back = connection.send(asked).await?;
    let code = sent_back.location.as_deref().and_then(code).ok_or_else(|| unexpected("the authorise request", &sent_back.body))?;
    let exchange = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("grant_type", "authorization_code"), ("code", &code), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)])
        .finish();
    let reply = connection.send(form(token, basic(client), exchange)).await?;
    string(&reply.body, "refresh_token").map(str::to_owned).ok_or_else(|| unexpected("the code", &reply.body))
}

fn code(location: &str) -> Option<String> {
    let (_, query) = location.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "code").map(|(_, code)| code.into_owned())
}

fn unexpected(asked: &str, body: &[u8]) -> BenchError {
    let start: String = String::from_utf8_lossy(body).chars().take(200).collect();
    BenchError::Answer(format!("{asked} was answered otherwise: {start}"))
}
