//! A client's secrets over the wire: every legal character in every way of sending it, and a timeline that moves.

use std::time::Duration;

use base64::Engine as _;
use regrant_mock_server::{
    Provider,
    authority::{Cause, EndedBy, SecretState, TokenState},
    journal::{AuthStyle, Decision, What},
};

use crate::support::{Answer, Raw, connect, decision, form, last_exchange, once, provider, provider_with, refresh, tokens};

/// A refresh with a token that nobody knows: 400 says that the client was believed, 401 that it was not.
fn ask(header: Option<&str>, fields: &[(&str, &str)]) -> String {
    let all = [&[("grant_type", "refresh_token"), ("refresh_token", "nobody-knows-it")], fields].concat();
    let text = form("/oauth/token", &all);
    match header {
        None => text,
        Some(credentials) => {
            let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
            text.replacen("\r\n", &format!("\r\nAuthorization: Basic {encoded}\r\n"), 1)
        }
    }
}

fn encoded(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn every_printable_character_proves_a_client_in_the_body_and_in_both_forms_of_the_header() {
    let provider = provider().await;
    let (id, _) = provider.client();
    let all: String = (' '..='~').collect();
    let mut secrets = vec![all.clone(), format!("  {all}%41%2B+  ")];
    for one in ' '..='~' {
        secrets.extend([one.to_string(), format!("a{one}b"), format!("{one}{one}")]);
    }
    assert_eq!(secrets.len(), 2 + 3 * 95);
    let mut wire = Raw::open(&provider).await;
    for secret in &secrets {
        provider.control().add_secret(None, Some(secret), Duration::ZERO).expect("it is legal");
        let ways = [
            (ask(Some(&format!("{}:{}", encoded(&id), encoded(secret))), &[]), AuthStyle::Basic),
            (ask(Some(&format!("{id}:{secret}")), &[]), AuthStyle::BasicRaw),
            (ask(None, &[("client_id", &id), ("client_secret", secret)]), AuthStyle::Body),
        ];
        for (request, style) in ways {
            let answer = wire.ask(&request).await;
            assert_eq!((answer.status, answer.json()["error"].as_str()), (400, Some("invalid_grant")), "{secret:?} by {style:?}");
            let Some(Decision::Token { auth, .. }) = decision(provider.control(), last_exchange(provider.control())) else {
                panic!("a token request")
            };
            // Without a character that form-encoding changes there is only one reading of the header.
            let alike = style == AuthStyle::BasicRaw && auth == AuthStyle::Basic;
            assert!(auth == style || alike, "{secret:?} by {style:?} was read as {auth:?}");
        }
        for wrong in [format!("{secret}x"), format!("x{secret}")] {
            let request = ask(None, &[("client_id", &id), ("client_secret", &wrong)]);
            assert_eq!(wire.ask(&request).await.status, 401, "{wrong:?}");
        }
    }
}

async fn refreshed(provider: &Provider, secret: &str, token: &str) -> Answer {
    let (id, _) = provider.client();
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &id), ("client_secret", secret)];
    once(provider, &form("/oauth/token", &fields)).await
}

#[tokio::test]
async fn a_secret_is_added_overlaps_is_retired_and_revoked_while_the_provider_runs() {
    let provider = provider().await;
    let control = provider.control();
    let (_, first) = provider.client();
    let first = first.expect("a confidential client");
    let mut pair = connect(&provider).await;
    let next = control.add_secret(None, None, Duration::from_secs(60)).expect("a confidential client");
    assert_eq!(refreshed(&provider, &next.value, &pair.refresh).await.status, 401, "it begins later");

    control.advance(Duration::from_secs(60));
    control.retire_secret(None, "secret#1", Duration::from_secs(60)).expect("it is known by name");
    for secret in [&next.value, &first] {
        pair = tokens(&refreshed(&provider, secret, &pair.refresh).await);
    }
    let states = || {
        let shown = control.secrets(None).expect("a confidential client");
        shown.into_iter().map(|secret| (secret.name, secret.state)).collect::<Vec<_>>()
    };
    assert_eq!(states(), [("secret#1".into(), SecretState::Retiring), ("secret#2".into(), SecretState::Active)]);

    control.advance(Duration::from_secs(60));
    assert_eq!(refreshed(&provider, &first, &pair.refresh).await.status, 401, "it was retired");
    pair = tokens(&refreshed(&provider, &next.value, &pair.refresh).await);

    let third = control.rotate_secret(None, Duration::from_secs(600)).expect("a confidential client");
    control.revoke_secret(None, &next.value).expect("it is known by value");
    assert_eq!(refreshed(&provider, &next.value, &pair.refresh).await.status, 401, "the overlap does not save what is revoked");
    assert_eq!(refreshed(&provider, &third.value, &pair.refresh).await.status, 200);
    let expected = [SecretState::Retired, SecretState::Revoked, SecretState::Active];
    assert_eq!(states().into_iter().map(|(_, state)| state).collect::<Vec<_>>(), expected);
    let told = control.journal().iter().filter(|entry| matches!(&entry.what, What::Controlled(_))).count();
    assert_eq!(told, 6, "two moves of the clock and four changes of secrets");
}

#[tokio::test]
async fn by_policy_a_refresh_token_dies_with_its_secret_and_a_rotation_ends_grants() {
    let provider = provider_with(|config| config.policy.refresh_bound_to_secret = true).await;
    let control = provider.control();
    let pair = connect(&provider).await;
    let new = control.rotate_secret(None, Duration::ZERO).expect("a confidential client");
    assert_eq!(refreshed(&provider, &new.value, &pair.refresh).await.json()["error"], "invalid_grant");
    let Some(Decision::Token { presented: Some(presented), .. }) = decision(control, last_exchange(control)) else {
        panic!("a token was presented")
    };
    assert_eq!(presented.state, TokenState::Revoked(Cause::CredentialRotation));
    assert!(control.grants()[0].ended.is_none());

    control.policy(|policy| policy.rotation_ends_grants = true);
    control.rotate_secret(None, Duration::from_secs(60)).expect("a confidential client");
    assert_eq!(control.grants()[0].ended.map(|(_, by)| by), Some(EndedBy::Revoked(Cause::CredentialRotation)));
}

#[tokio::test]
async fn a_configured_secret_is_named_by_its_place() {
    let client = regrant_mock_server::ClientConfig { secret: Some("fixed".into()), ..Default::default() };
    let provider = provider_with(|config| config.clients = vec![client]).await;
    let control = provider.control();
    control.add_secret(None, Some("another"), Duration::ZERO).expect("it is legal");
    assert!(control.add_secret(None, Some("another"), Duration::ZERO).is_err(), "once is enough");
    assert!(control.add_secret(None, Some("caf\u{e9}"), Duration::ZERO).is_err());
    assert!(control.retire_secret(None, "configured#3", Duration::ZERO).is_err());
    let names: Vec<String> = control.secrets(None).expect("a confidential client").into_iter().map(|secret| secret.name).collect();
    assert_eq!(names, ["configured#1", "configured#2"]);
    assert!(control.canaries().is_empty(), "what came from outside is not searched for");
    let pair = connect(&provider).await;
    assert_eq!(once(&provider, &refresh(&provider, &pair.refresh)).await.status, 200);
}
