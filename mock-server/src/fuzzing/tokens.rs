//! Requests to the front, above all to the token endpoint.

use serde_json::Value;

use super::{Broken, hold, replies};
use crate::{ProviderConfig, Urls, fault::everything, front, journal::Endpoint, state::Shared, tenants::Origin};

/// More in one input find nothing that fewer do not.
const MOST_REQUESTS: usize = 8;
/// The verifier and challenge of RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const CALLBACK: &str = "http%3A%2F%2F127.0.0.1%3A9%2Fcallback";

/// Lets a provider with one live grant and one fresh code answer the input: requests as they stand if it holds `HTTP/1.`, else the
/// body of a token request, before which header lines and an empty line may stand. `{id}`, `{secret}`, `{code}`, `{access}`, `{refresh}`,
/// `{verifier}` and `{callback}` in it are replaced.
///
/// # Errors
/// A reply that no client could read, or a token for a request that deserves none.
pub fn token_request(input: &[u8]) -> Result<(), Broken> {
    let shared = alone();
    let words = words(&shared)?;
    let bytes = requests(input, &words);
    let mut rest = &bytes[..];
    for _ in 0..MOST_REQUESTS {
        let before = minted(&shared);
        let Some(answered) = front::answer(&shared, rest) else { return Ok(()) };
        let seen = replies::read(&answered)?;
        let issued = minted(&shared) > before;
        let may_issue = matches!(answered.endpoint, Endpoint::Token | Endpoint::Authorize) && matches!(seen.status, 200 | 302);
        hold(!issued || may_issue, "only a granted request mints", &answered)?;
        if answered.endpoint == Endpoint::Token && seen.status == 200 {
            hold(issued && proves_itself(rest, &words), "tokens are for who knows the secret", &answered)?;
        }
        let Some(length) = answered.length else { return Ok(()) };
        rest = rest.get(length..).unwrap_or_default();
    }
    Ok(())
}

/// A provider that nobody can reach.
fn alone() -> Shared {
    let (config, urls) = (ProviderConfig::local(4711), Urls::default());
    Shared::first(Origin { config, urls, tls: None, file: None, founders: Vec::new(), runtime: None, reach: everything })
}

/// What stands for what, in an input.
type Words = Vec<(&'static str, String)>;

/// Connects once, and asks for another code.
fn words(shared: &Shared) -> Result<Words, Broken> {
    let (id, secret) = shared.first_client();
    let secret = secret.unwrap_or_default();
    let first = code(shared, &id)?;
    let body = format!(
        "grant_type=authorization_code&code={first}&redirect_uri={CALLBACK}&code_verifier={VERIFIER}&client_id={id}&client_secret={secret}"
    );
    let answered = front::answer(shared, &token_post("", body.as_bytes())).ok_or("the exchange is answered")?;
    let pair = replies::read(&answered)?.json.unwrap_or_default();
    let token =
        |name: &str| pair.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(format!("an upright exchange is granted: {pair}"));
    let (access, refresh) = (token("access_token")?, token("refresh_token")?);
    let code = code(shared, &id)?;
    let fixed = [("{verifier}", VERIFIER.to_owned()), ("{challenge}", CHALLENGE.to_owned()), ("{callback}", CALLBACK.to_owned())];
    let own = [("{id}", id), ("{secret}", secret), ("{code}", code), ("{access}", access), ("{refresh}", refresh)];
    Ok(fixed.into_iter().chain(own).collect())
}

fn code(shared: &Shared, id: &str) -> Result<String, Broken> {
    let query = format!("response_type=code&client_id={id}&redirect_uri={CALLBACK}&code_challenge={CHALLENGE}&code_challenge_method=S256");
    let request = format!("GET /oauth/authorize?{query} HTTP/1.1\r\nHost: x\r\n\r\n");
    let answered = front::answer(shared, request.as_bytes()).ok_or("consent is answered")?;
    let text = String::from_utf8_lossy(&answered.reply).into_owned();
    let code = text.split("code=").nth(1).and_then(|rest| rest.split(['&', '\r']).next());
    code.map(str::to_owned).ok_or(format!("an upright request gets a code: {text}"))
}

fn requests(input: &[u8], words: &Words) -> Vec<u8> {
    let input = words.iter().fold(input.to_vec(), |input, (word, value)| replaced(&input, word.as_bytes(), value.as_bytes()));
    if position(&input, b"HTTP/1.").is_some() {
        return input;
    }
    match position(&input, b"\n\n") {
        None => token_post("", &input),
        Some(at) => token_post(&(String::from_utf8_lossy(&input[..at]).replace('\n', "\r\n") + "\r\n"), &input[at + 2..]),
    }
}

fn token_post(headers: &str, body: &[u8]) -> Vec<u8> {
    let kind =
        if headers.to_ascii_lowercase().contains("content-type:") { "" } else { "Content-Type: application/x-www-form-urlencoded\r\n" };
    let length = body.len();
    let head = format!("POST /oauth/token HTTP/1.1\r\nHost: x\r\n{kind}{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

/// Whether the secret is in the request in any form that the provider reads: as it is, or in base64, which is not looked into.
fn proves_itself(request: &[u8], words: &Words) -> bool {
    let secret = words.iter().find(|(word, _)| *word == "{secret}").map(|(_, secret)| secret.as_bytes());
    let decoded: Vec<u8> = url::form_urlencoded::parse(request)
        .flat_map(|(name, value)| [name.into_owned(), value.into_owned()].concat().into_bytes())
        .collect();
    let has = |needle: &[u8]| position(request, needle).is_some() || position(&decoded, needle).is_some();
    secret.is_some_and(|secret| !secret.is_empty() && has(secret)) || has(b"asic ")
}

fn replaced(input: &[u8], word: &[u8], value: &[u8]) -> Vec<u8> {
    let mut output = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some(at) = position(rest, word) {
        output.extend_from_slice(&rest[..at]);
        output.extend_from_slice(value);
        rest = &rest[at + word.len()..];
    }
    output.extend_from_slice(rest);
    output
}

fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    bytes.windows(needle.len()).position(|window| window == needle)
}

fn minted(shared: &Shared) -> usize {
    shared.journal.entries().iter().filter(|entry| matches!(entry.what, crate::journal::What::Minted { .. })).count()
}
