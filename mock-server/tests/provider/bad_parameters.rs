//! Requests that are well formed and ask for nonsense: RFC 6749's error where there is one, nothing spent, nothing issued.

use regrant_mock_server::{ClientConfig, Provider, TokenShape};

use crate::support::*;

/// A form that no library would send.
fn raw_form(headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("POST /oauth/token HTTP/1.1\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

async fn answer(provider: &Provider, bytes: &[u8]) -> Answer {
    use tokio::io::AsyncWriteExt as _;
    let mut raw = Raw::open(provider).await;
    raw.tcp.write_all(bytes).await.expect("sent");
    raw.receive().await
}

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

#[tokio::test]
async fn nonsense_at_the_token_endpoint_gets_the_rfc_s_error_and_spends_nothing() {
    let provider = provider().await;
    let tokens = connect(&provider).await;
    let (id, secret) = provider.client();
    let me = format!("client_id={id}&client_secret={}", secret.expect("confidential"));
    let refresh_token = &tokens.refresh;
    let good = format!("grant_type=refresh_token&refresh_token={refresh_token}&{me}");
    let many: String = (0..100_000).map(|n| format!("&p{n:x}")).collect();
    let huge = "a".repeat(1_000_000);
    let nothing = String::new();
    let cases: Vec<(&str, &str, &str, Vec<u8>)> = vec![
        ("no body", FORM, "invalid_client", Vec::new()),
        ("no grant type", FORM, "invalid_request", me.clone().into()),
        ("an empty grant type", FORM, "invalid_request", format!("grant_type=&{me}").into()),
        ("an unknown grant type", FORM, "unsupported_grant_type", format!("grant_type=password&{me}").into()),
        ("no refresh token", FORM, "invalid_request", format!("grant_type=refresh_token&{me}").into()),
        ("an empty refresh token", FORM, "invalid_request", format!("grant_type=refresh_token&refresh_token=&{me}").into()),
        ("a grant type twice", FORM, "invalid_request", format!("{good}&grant_type=refresh_token").into()),
        ("a refresh token twice", FORM, "invalid_request", format!("{good}&refresh_token={refresh_token}").into()),
        ("an unknown parameter twice", FORM, "invalid_request", format!("{good}&x=1&x=1").into()),
        ("no code", FORM, "invalid_request", format!("grant_type=authorization_code&{me}").into()),
        (
            "an unknown code",
            FORM,
            "invalid_grant",
            format!("grant_type=authorization_code&code=x&redirect_uri=x&code_verifier={VERIFIER}&{me}").into(),
        ),
        ("a refresh token of a megabyte", FORM, "invalid_grant", format!("grant_type=refresh_token&refresh_token={huge}&{me}").into()),
        ("a scope that was never granted", FORM, "invalid_scope", format!("{good}&scope=%22").into()),
        ("an escape that is none", FORM, "invalid_request", format!("{good}&x=%zz").into()),
        ("half an escape", FORM, "invalid_request", format!("{good}&x=%f").into()),
        ("no UTF-8", FORM, "invalid_request", [good.as_bytes(), b"&x=\xff"].concat()),
        ("no UTF-8 in an escape", FORM, "invalid_request", format!("{good}&x=%C3").into()),
        ("NUL", FORM, "invalid_grant", format!("grant_type=refresh_token&refresh_token=%00&{me}").into()),
        ("a hundred thousand parameters, one of them twice", FORM, "invalid_request", format!("{good}{many}&p0").into()),
        ("no content type", "", "invalid_request", good.clone().into()),
        ("JSON", "Content-Type: application/json\r\n", "invalid_request", b"{}".to_vec()),
        ("a form in parts", "Content-Type: multipart/form-data; boundary=x\r\n", "invalid_request", good.clone().into()),
        ("no client", FORM, "invalid_client", format!("grant_type=refresh_token&refresh_token={refresh_token}").into()),
        (
            "an empty client",
            FORM,
            "invalid_client",
            format!("grant_type=refresh_token&refresh_token={refresh_token}&client_id=&client_secret=").into(),
        ),
    ];
    for (what, headers, error, body) in cases {
        let refused = answer(&provider, &raw_form(headers, &body)).await;
        assert_eq!(refused.json()["error"], error, "{what}: {refused:?}");
        assert_eq!(refused.status, if error == "invalid_client" { 401 } else { 400 }, "{what}");
        assert_eq!(refused.header("cache-control").as_deref(), Some("no-store"), "{what}");
    }
    for (what, error, authorization) in [
        ("no base64", "invalid_client", "Basic !!!".to_owned()),
        ("no colon", "invalid_client", "Basic aWQ=".to_owned()),
        ("no UTF-8", "invalid_client", "Basic //8=".to_owned()),
        ("another scheme", "invalid_client", "Negotiate abc".to_owned()),
        ("nothing", "invalid_client", nothing),
        ("a long one", "invalid_client", format!("Basic {}", "QUFB".repeat(10_000))),
        ("one besides the body", "invalid_request", "Basic aWQ6c2VjcmV0".to_owned()),
    ] {
        let body =
            if what == "one besides the body" { good.clone() } else { format!("grant_type=refresh_token&refresh_token={refresh_token}") };
        let refused = answer(&provider, &raw_form(&format!("{FORM}Authorization: {authorization}\r\n"), body.as_bytes())).await;
        assert_eq!(refused.json()["error"], error, "{what}: {refused:?}");
        let challenged = refused.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Basic"));
        assert_eq!((refused.status, challenged), if error == "invalid_client" { (401, true) } else { (400, false) }, "{what}");
    }
    for method in ["GET", "PUT", "DELETE", "TRACE", "BREW"] {
        let refused = once(&provider, &format!("{method} /oauth/token HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some("POST")), "{method}");
    }
    assert_eq!(issued(provider.control()), 1, "the first exchange alone");
    let fresh = crate::support::tokens(&answer(&provider, &raw_form(FORM, good.as_bytes())).await);
    assert_ne!(fresh.refresh, tokens.refresh);
}

#[tokio::test]
async fn nonsense_at_the_authorise_endpoint_goes_back_only_where_that_is_safe() {
    let registered = ClientConfig { redirect_uris: vec!["http://127.0.0.1:9/callback".into()], ..ClientConfig::default() };
    let provider = provider_with(|config| config.clients.push(registered)).await;
    let (id, _) = provider.client();
    let callback = "redirect_uri=http%3A%2F%2F127.0.0.1%3A9%2Fcallback";
    let rest = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
    let ask = async |query: String| once(&provider, &format!("GET /oauth/authorize?{query} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
    let long = "s".repeat(6_000);
    for (what, query) in [
        ("nothing", String::new()),
        ("no client", format!("response_type=code&{callback}&{rest}")),
        ("an unknown client", format!("response_type=code&client_id=x&{callback}&{rest}")),
        ("a client twice", format!("response_type=code&client_id={id}&client_id={id}&{callback}&{rest}")),
        ("a script", format!("response_type=code&client_id={id}&redirect_uri=javascript%3Aalert(1)&{rest}")),
        ("another site", format!("response_type=code&client_id={id}&redirect_uri=https%3A%2F%2Fevil.test%2F&{rest}")),
        ("a fragment", format!("response_type=code&client_id={id}&{callback}%23x&{rest}")),
        ("line breaks in the redirect URI", format!("response_type=code&client_id={id}&{callback}%0D%0AX:1&{rest}")),
        ("an escape that is none", format!("response_type=code&client_id={id}&{callback}&{rest}&state=%zz")),
        ("no UTF-8", format!("response_type=code&client_id={id}&{callback}&{rest}&state=%ff")),
    ] {
        let shown = ask(query).await;
        assert_eq!((shown.status, shown.header("location")), (400, None), "{what}: {shown:?}");
    }
    for (what, error, query) in [
        ("no response type", "invalid_request", format!("client_id={id}&{callback}&{rest}")),
        ("another response type", "unsupported_response_type", format!("response_type=token&client_id={id}&{callback}&{rest}")),
        ("no challenge", "invalid_request", format!("response_type=code&client_id={id}&{callback}")),
        (
            "a plain challenge",
            "invalid_request",
            format!("response_type=code&client_id={id}&{callback}&code_challenge={CHALLENGE}&code_challenge_method=plain"),
        ),
        (
            "a challenge that is none",
            "invalid_request",
            format!("response_type=code&client_id={id}&{callback}&code_challenge=x&code_challenge_method=S256"),
        ),
        ("a state twice", "invalid_request", format!("response_type=code&client_id={id}&{callback}&{rest}&state=a&state=b")),
    ] {
        let sent_back = ask(query).await;
        assert_eq!((sent_back.status, redirected(&sent_back, "error").as_deref()), (302, Some(error)), "{what}: {sent_back:?}");
    }
    for state in ["%0D%0ASet-Cookie:%20evil=1%0D%0A%0D%0A", "%00%01%7f", "%E2%98%83%26code%3Dmine", long.as_str()] {
        let sent_back = ask(format!("response_type=code&client_id={id}&{callback}&{rest}&state={state}")).await;
        let expected = url::form_urlencoded::parse(format!("state={state}").as_bytes()).next().expect("a pair").1.into_owned();
        assert_eq!((sent_back.status, redirected(&sent_back, "state")), (302, Some(expected)), "{state:.40}");
        assert_eq!(sent_back.header("set-cookie"), None);
    }
    let refused = once(&provider, "DELETE /oauth/authorize HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert_eq!((refused.status, refused.header("allow").as_deref()), (405, Some("GET, POST")));
    for body in ["", "ticket=", "ticket=x&decision=allow", "ticket=%zz", "decision=allow&decision=deny"] {
        let refused = once(&provider, &form_text("/oauth/authorize", body)).await;
        assert_eq!(refused.status, 400, "{body}: {refused:?}");
    }
}

fn form_text(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn nonsense_at_the_api_is_the_caller_s_fault() {
    let provider = provider().await;
    provider.control().token_shape(TokenShape::Odd);
    let Tokens { access, .. } = connect(&provider).await;
    for authorization in
        ["Bearer", "Bearer ", "bearer \t", "Basic x", "Bearer a b c", "\u{1}", "Bearer \u{e5}", &format!("Bearer {}", "t".repeat(60_000))]
    {
        let text = format!("GET /v2/employees HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n");
        let status = once(&provider, &text).await.status;
        assert!([400, 401].contains(&status), "{authorization:.40}: {status}");
    }
    let nested = "[".repeat(200_000);
    let number = format!("{{\"items\": [{{\"id\": 1{}}}]}}", "0".repeat(100_000));
    for body in ["", "{", "nonsense", "null", "[]", "\"\u{0}\"", "{\"items\": 7}", "{\"items\": [null]}", "1e999999", &nested, &number] {
        for (method, path) in
            [("POST", "/v3/export-jobs"), ("PUT", "/v3/export-jobs/x/items"), ("POST", "/v3/export-job-events"), ("POST", "/v1/vendors")]
        {
            let status = once(&provider, &with_body(method, path, &access, body)).await.status;
            assert!((200..500).contains(&status), "{method} {path} {body:.40}: {status}");
        }
    }
    for query in [
        "limit=-1",
        "limit=0",
        "limit=99999999999999999999",
        "offset=18446744073709551615",
        "after=%ff",
        "companyId=%00",
        "limit=1&limit=2",
        "%zz",
        "?",
        "&&&=",
    ] {
        for path in ["/v2/employees", "/v1/companies", "/v3/export-jobs", "/v3/export-items", "/v1/vendors"] {
            let status = once(&provider, &get(&format!("{path}?{query}"), &access)).await.status;
            assert!((200..500).contains(&status), "{path}?{query}: {status}");
        }
    }
    for path in [
        "//",
        "/v2//employees",
        "/v2/employees/%00",
        "/v2/employees/..",
        "/v99999999999999999999/x",
        "*",
        "/v2/employees/%F0%9F%92%A9",
        "http://x/v2/employees",
    ] {
        let status = once(&provider, &get(path, &access)).await.status;
        assert!((200..500).contains(&status), "{path}: {status}");
    }
    assert_eq!(once(&provider, &get("/v2/employees", &access)).await.status, 200);
}
