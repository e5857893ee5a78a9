//! The oauth2 crate, the usual one for Rust.

use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, HttpRequest, HttpResponse, PkceCodeChallenge, RedirectUrl, RefreshToken,
    RequestTokenError, Scope, TokenResponse, TokenUrl, basic::BasicClient, url::Url,
};
use regrant_mock_server::journal::AuthStyle::Basic;

use super::{Bench, CALLBACK, Library, SCOPES};

/// Plays the story.
pub(crate) async fn oauth2_crate() {
    let bench = Bench::new(true).await;
    let (urls, http) = (bench.provider.urls().clone(), agent(bench.provider.ca_pem().expect("a certificate")));
    let client = BasicClient::new(ClientId::new(bench.provider.client().0))
        .set_client_secret(ClientSecret::new(bench.secret.clone()))
        .set_auth_uri(AuthUrl::new(urls.authorize).expect("a URL"))
        .set_token_uri(TokenUrl::new(urls.token).expect("a URL"))
        .set_redirect_uri(RedirectUrl::new(CALLBACK.into()).expect("a URL"));
    let send = |request| send(http.clone(), request);
    let employees = format!("{}/v2/employees", urls.api);
    let call = async |token: &str| http.get(&employees).bearer_auth(token).send().await.expect("an answer").status().as_u16();

    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let scopes = SCOPES.split(' ').map(|scope| Scope::new(scope.into()));
    let (url, state) = client.authorize_url(CsrfToken::new_random).add_scopes(scopes).set_pkce_challenge(challenge).url();
    let sent_back = http.get(url).send().await.expect("an answer");
    let back = Url::parse(sent_back.headers()["location"].to_str().expect("text")).expect("a URL");
    let parameter = |wanted: &str| back.query_pairs().find(|(name, _)| name == wanted).expect("it is there").1.into_owned();
    assert_eq!(parameter("state"), *state.secret());

    let code = AuthorizationCode::new(parameter("code"));
    let mut pair = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&send).await.expect("tokens");
    for _ in 0..2 {
        assert_eq!(call(pair.access_token().secret()).await, 200);
        let refresh = pair.refresh_token().expect("a refresh token").clone();
        pair = client.exchange_refresh_token(&refresh).request_async(&send).await.expect("tokens");
    }
    assert_eq!(call(pair.access_token().secret()).await, 200);
    bench.revoke();
    let last = RefreshToken::new(pair.refresh_token().expect("a refresh token").secret().clone());
    match client.exchange_refresh_token(&last).request_async(&send).await {
        Err(RequestTokenError::ServerResponse(refusal)) => assert_eq!(refusal.error().to_string(), "invalid_grant"),
        other => panic!("{other:?}"),
    }
    let surfaced_as = "RequestTokenError";
    bench.assert_story(Library { name: "oauth2", exchange: Basic, refresh: Basic, surfaced_as });
}

fn agent(pem: &str) -> reqwest::Client {
    // Another test of this process may have done it.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let root = reqwest::Certificate::from_pem(pem.as_bytes()).expect("a certificate");
    reqwest::Client::builder().tls_certs_only([root]).redirect(reqwest::redirect::Policy::none()).build().expect("a client")
}

async fn send(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let answer = http.execute(request.try_into()?).await?;
    let mut response = HttpResponse::new(Vec::new());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    *response.body_mut() = answer.bytes().await?.to_vec();
    Ok(response)
}
