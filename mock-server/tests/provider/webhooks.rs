//! Webhooks: subscriptions, and what is sent to those who subscribed.

use std::{process::Stdio, time::Instant};

use regrant_mock_server::{
    Provider,
    control::UnitKind,
    journal::{Entry, WebhookEnd, WebhookSent, What},
};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    process::Command,
};

use crate::support::*;

const JOB_CREATED: &str = "v1.export-job.created";

/// Somebody who takes webhooks in.
struct Receiver {
    listener: TcpListener,
}

/// A request that it got.
struct Message {
    head: String,
    body: String,
}

impl Receiver {
    async fn open() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.expect("a port") }
    }

    fn url(&self) -> String {
        format!("http://{}/hook?of=pleo", self.listener.local_addr().expect("bound"))
    }

    /// Takes one in, and answers.
    async fn receive(&self, answer: &str) -> Message {
        tokio::time::timeout(PATIENCE, self.one(answer)).await.expect("in time")
    }

    async fn one(&self, answer: &str) -> Message {
        let (mut tcp, _) = self.listener.accept().await.expect("a connection");
        let mut bytes = Vec::new();
        let end = loop {
            bytes.push(tcp.read_u8().await.expect("a head"));
            if bytes.ends_with(b"\r\n\r\n") {
                break bytes.len();
            }
        };
        let mut message = Message { head: String::from_utf8_lossy(&bytes[..end]).into_owned(), body: String::new() };
        let length = message.header("content-length").expect("a length").parse().expect("a number");
        let mut body = vec![0; length];
        tcp.read_exact(&mut body).await.expect("a body");
        message.body = String::from_utf8(body).expect("UTF-8");
        tcp.write_all(answer.as_bytes()).await.expect("answered");
        message
    }
}

impl Message {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.split_once(": ").filter(|(n, _)| *n == name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

const TAKEN: &str = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

fn subscribe(token: &str, url: &str) -> String {
    with_body("POST", "/v1/subscriptions", token, &json!({"endpointUrl": url, "eventTypes": [JOB_CREATED]}).to_string())
}

async fn subscribed(provider: &Provider, token: &str, url: &str) -> String {
    let answer = once(provider, &subscribe(token, url)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["data"]["id"].as_str().expect("an id").to_owned()
}

async fn secret_of(provider: &Provider, token: &str, id: &str) -> String {
    let answer = once(provider, &get(&format!("/v1/subscriptions/{id}/secret"), token)).await;
    answer.json()["data"]["secretKey"].as_str().expect("a secret").to_owned()
}

fn ended(entry: &Entry) -> Option<&WebhookEnd> {
    if let What::WebhookEnded { end, .. } = &entry.what { Some(end) } else { None }
}

fn sent(provider: &Provider) -> Vec<std::sync::Arc<WebhookSent>> {
    let journal = provider.control().journal();
    journal.into_iter().filter_map(|entry| if let What::WebhookSent(sent) = entry.what { Some(sent) } else { None }).collect()
}

/// What Python's own library takes for the signature.
async fn by_python(secret: &str, message: &Message) -> String {
    const PROGRAM: &str = r#"
import base64, hashlib, hmac, sys
secret, id, timestamp = sys.argv[1:]
key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
signed = id.encode() + b"." + timestamp.encode() + b"." + sys.stdin.buffer.read()
print("v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode(), end="")
"#;
    let header = |name| message.header(name).expect("a header");
    let mut python = Command::new("python3")
        .args(["-c", PROGRAM, secret, header("webhook-id"), header("webhook-timestamp")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    python.stdin.take().expect("piped").write_all(message.body.as_bytes()).await.expect("written");
    let output = tokio::time::timeout(PATIENCE, python.wait_with_output()).await.expect("in time").expect("it ended");
    String::from_utf8(output.stdout).expect("text")
}

#[tokio::test]
async fn who_subscribed_is_sent_a_signed_message_for_each_new_export_job() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let receiver = Receiver::open().await;
    let id = subscribed(&provider, &token, &receiver.url()).await;
    let secret = secret_of(&provider, &token, &id).await;
    assert!(secret.starts_with("whsec_"), "{secret}");
    provider.control().advance(std::time::Duration::from_secs(600));
    provider.control().add_work(UnitKind::Export, 2);
    provider.control().add_work(UnitKind::Employee, 1);
    let messages = [receiver.receive(TAKEN).await, receiver.receive(TAKEN).await];
    let jobs = once(&provider, &get("/v3/export-jobs", &token)).await.json();
    let mut told = Vec::new();
    for message in &messages {
        assert!(message.head.starts_with("POST /hook?of=pleo HTTP/1.1\r\n"), "{}", message.head);
        assert_eq!(message.header("webhook-signature"), Some(by_python(&secret, message).await.as_str()));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let time: u64 = message.header("webhook-timestamp").expect("a time").parse().expect("a number");
        assert!(now.abs_diff(time) < 60, "{time} is not the host's {now}");
        let body = message.json();
        assert_eq!(body["eventType"], JOB_CREATED);
        assert!(body["eventId"].is_string());
        assert_eq!((&body["data"]["status"], &body["data"]["numberOfItems"]), (&json!("pending"), &json!(1)));
        told.push(body["data"]["id"].clone());
    }
    let all: Vec<Value> = jobs["data"].as_array().expect("a list").iter().map(|job| job["id"].clone()).collect();
    assert!(all.len() == 2 && all.iter().all(|job| told.contains(job)), "{all:?} {told:?}");
    assert_ne!(messages[0].header("webhook-id"), messages[1].header("webhook-id"));
    until(provider.control(), |entry| ended(entry) == Some(&WebhookEnd::Answered(202))).await;
    let sent = sent(&provider);
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|one| one.subscription == id && one.url == receiver.url() && one.headers.len() == 3));
}

#[tokio::test]
async fn a_subscription_is_shown_changed_and_deleted() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let first = subscribed(&provider, &token, "http://127.0.0.1:9/a").await;
    let other = subscribed(&provider, &token, "http://localhost:9/b").await;
    assert_ne!(secret_of(&provider, &token, &first).await, secret_of(&provider, &token, &other).await);
    let listed = async |query: &str| {
        let page = once(&provider, &get(&format!("/v1/subscriptions{query}"), &token)).await.json();
        assert!(page["pagination"]["total"].is_number());
        page["data"].as_array().expect("a list").iter().filter_map(|one| one["id"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(listed("").await, [first.clone(), other.clone()]);
    let body = json!({"endpointUrl": "http://[::1]:9/c", "eventTypes": ["v1.vendor.created"], "status": "INACTIVE"}).to_string();
    let changed = once(&provider, &with_body("PUT", &format!("/v1/subscriptions/{first}"), &token, &body)).await.json();
    assert_eq!((&changed["data"]["status"], &changed["data"]["endpointUrl"]), (&json!("INACTIVE"), &json!("http://[::1]:9/c")));
    assert_eq!(listed("?status=ACTIVE").await, std::slice::from_ref(&other));
    assert_eq!(listed("?event_types=v1.vendor.created").await, std::slice::from_ref(&first));
    let activities = once(&provider, &get(&format!("/v1/subscriptions/{first}/activities"), &token)).await.json();
    let done: Vec<&str> =
        activities["data"].as_array().expect("a list").iter().filter_map(|activity| activity["operationType"].as_str()).collect();
    assert_eq!(done, ["CREATE", "UPDATE"]);
    let gone = with_body("DELETE", &format!("/v1/subscriptions/{first}"), &token, "");
    assert_eq!(once(&provider, &gone).await.status, 204);
    for path in
        [format!("/v1/subscriptions/{first}"), format!("/v1/subscriptions/{first}/secret"), format!("/v1/subscriptions/{first}/activities")]
    {
        let answer = once(&provider, &get(&path, &token)).await;
        assert_eq!((answer.status, answer.json()["type"].as_str()), (404, Some("SUBSCRIPTION_NOT_FOUND")), "{path}");
    }
    assert_eq!(once(&provider, &gone).await.status, 404);
    assert_eq!(once(&provider, &get("/v1/subscriptions", "nonsense")).await.status, 401);
    assert_eq!(once(&provider, &with_body("PATCH", "/v1/subscriptions", &token, "{}")).await.status, 405);
}

#[tokio::test]
async fn nobody_is_told_who_did_not_ask_for_it() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let receiver = Receiver::open().await;
    let all = json!({"endpointUrl": receiver.url(), "eventTypes": ["v1.vendor.created"]});
    let inactive = json!({"endpointUrl": receiver.url(), "eventTypes": [JOB_CREATED], "status": "INACTIVE"});
    for body in [all, inactive] {
        assert_eq!(once(&provider, &with_body("POST", "/v1/subscriptions", &token, &body.to_string())).await.status, 200);
    }
    let id = subscribed(&provider, &token, &receiver.url()).await;
    provider.control().consent_for(1);
    let elsewhere = connect(&provider).await.access;
    assert_eq!(once(&provider, &get("/v1/subscriptions", &elsewhere)).await.json()["data"], json!([]), "another company's are not shown");
    assert_eq!(once(&provider, &get(&format!("/v1/subscriptions/{id}/secret"), &elsewhere)).await.status, 404);
    provider.control().add_work_in(1, UnitKind::Export, 1);
    provider.control().add_work(UnitKind::Export, 1);
    receiver.receive(TAKEN).await;
    until(provider.control(), |entry| ended(entry).is_some()).await;
    assert_eq!(sent(&provider).iter().map(|one| one.subscription.as_str()).collect::<Vec<_>>(), [id]);
    // It ends with the installation.
    let tokens = connect(&provider).await;
    assert_eq!(once(&provider, &with_body("DELETE", "/v1/installations/me", &tokens.access, "")).await.status, 204);
    provider.control().consent_for(0);
    let again = connect(&provider).await.access;
    assert_eq!(once(&provider, &get("/v1/subscriptions", &again)).await.json()["data"], json!([]));
}

#[tokio::test]
async fn an_end_of_the_grant_leaves_the_subscription_alone() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let receiver = Receiver::open().await;
    subscribed(&provider, &token, &receiver.url()).await;
    provider.control().revoke(regrant_mock_server::control::Target::All, regrant_mock_server::authority::Cause::User);
    provider.control().add_work(UnitKind::Export, 1);
    receiver.receive(TAKEN).await;
    provider.control().reset();
    let again = connect(&provider).await.access;
    assert_eq!(once(&provider, &get("/v1/subscriptions", &again)).await.json()["data"], json!([]));
}

#[tokio::test]
async fn whoever_has_it_told_to_subscribers_waits_for_their_answers() {
    let provider = provider().await;
    assert_eq!((provider.control().subscribers(0), provider.control().tell_subscribers(0).await), (0, Vec::new()));
    let token = connect(&provider).await.access;
    let receiver = Receiver::open().await;
    subscribed(&provider, &token, &receiver.url()).await;
    let told = tokio::join!(provider.control().tell_subscribers(0), receiver.receive(TAKEN));
    assert_eq!((provider.control().subscribers(0), told.0), (1, vec![WebhookEnd::Answered(202)]));
    assert_eq!(told.1.json()["eventType"], JOB_CREATED);
    drop(receiver);
    let told = provider.control().tell_subscribers(0).await;
    assert!(matches!(told.as_slice(), [WebhookEnd::Failed(_)]), "{told:?}");
}

#[tokio::test]
async fn what_cannot_be_delivered_to_is_refused_and_says_why() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let here = "http://127.0.0.1:9/hook";
    let ask = |body: Value| with_body("POST", "/v1/subscriptions", &token, &body.to_string());
    for (body, why) in [
        (
            json!({"endpointUrl": "https://crm.example.com/hook", "eventTypes": [JOB_CREATED]}),
            "this machine only, and crm.example.com is not",
        ),
        (json!({"endpointUrl": "https://127.0.0.1/hook", "eventTypes": [JOB_CREATED]}), "plain HTTP only"),
        (json!({"endpointUrl": "/hook", "eventTypes": [JOB_CREATED]}), "no http address"),
        (json!({"eventTypes": [JOB_CREATED]}), "endpointUrl is required"),
        (json!({"endpointUrl": here}), "eventTypes must be a list"),
        (json!({"endpointUrl": here, "eventTypes": []}), "eventTypes must be a list"),
        (json!({"endpointUrl": here, "eventTypes": ["v1.token.revoked"]}), "no event type \"v1.token.revoked\""),
        (json!({"endpointUrl": here, "eventTypes": [JOB_CREATED], "status": "PAUSED"}), "ACTIVE or INACTIVE"),
        (json!({"endpointUrl": here, "eventTypes": [JOB_CREATED], "customHeaders": {"webhook-id": "1"}}), "Pleo's own"),
        (json!({"endpointUrl": here, "eventTypes": [JOB_CREATED], "customHeaders": {"x": "a\r\nb: c"}}), "can stand in a header"),
        (json!({"endpointUrl": here, "eventTypes": [JOB_CREATED], "customHeaders": {"a b": "c"}}), "no name of a header"),
        (json!({"endpointUrl": here, "eventTypes": [JOB_CREATED], "endpointAuth": {"type": "BASIC"}}), "username"),
        (json!({"endpointUrl": here, "eventTypes": [JOB_CREATED], "endpointAuth": {"type": "OAUTH"}}), "NONE or BASIC"),
    ] {
        let answer = once(&provider, &ask(body.clone())).await;
        assert_eq!(answer.status, 400, "{body}");
        assert!(answer.json()["message"].as_str().is_some_and(|message| message.contains(why)), "{body}: {answer:?}");
    }
    for number in 0..100 {
        subscribed(&provider, &token, &format!("http://127.0.0.1:9/{number}")).await;
    }
    assert_eq!(once(&provider, &subscribe(&token, here)).await.json()["type"], "SUBSCRIPTION_LIMIT");
}

#[tokio::test]
async fn who_may_not_read_export_jobs_is_not_told_of_them() {
    let provider = provider().await;
    let narrow = connect_for(&provider, "users:read").await.access;
    let refused = once(&provider, &subscribe(&narrow, "http://127.0.0.1:9/")).await;
    assert_eq!(refused.status, 403);
    assert!(refused.header("www-authenticate").is_some_and(|header| header.contains("insufficient_scope")), "{refused:?}");
    let wide = crate::support::provider().await;
    let token = connect_for(&wide, "users:read export-jobs:read").await.access;
    subscribed(&wide, &token, "http://127.0.0.1:9/").await;
}

#[tokio::test]
async fn a_provider_that_others_can_reach_delivers_nothing() {
    let provider = provider_with(|config| {
        config.listen = ([0, 0, 0, 0], 0).into();
        config.reachable_as = Some("127.0.0.1".into());
    })
    .await;
    let token = connect(&provider).await.access;
    let refused = once(&provider, &subscribe(&token, "http://127.0.0.1:9/")).await;
    assert_eq!(refused.status, 400, "{refused:?}");
}

#[tokio::test]
async fn custom_headers_and_credentials_go_along() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let receiver = Receiver::open().await;
    let auth = json!({"type": "BASIC", "credentials": {"username": "pleo", "password": "pass"}});
    let body = json!({"endpointUrl": receiver.url(), "eventTypes": ["v2.export-job.created"], "customHeaders": {"X-Key": "k"}, "endpointAuth": auth});
    let made = once(&provider, &with_body("POST", "/v1/subscriptions", &token, &body.to_string())).await.json();
    assert_eq!((&made["data"]["customHeaders"], &made["data"]["endpointAuth"]["type"]), (&json!({"X-Key": "k"}), &json!("BASIC")));
    provider.control().add_work(UnitKind::Export, 1);
    let message = receiver.receive(TAKEN).await;
    assert_eq!((message.header("x-key"), message.header("authorization")), (Some("k"), Some("Basic cGxlbzpwYXNz")));
    assert_eq!(message.json()["eventType"], "v2.export-job.created", "under the name that was asked for");
}

#[tokio::test]
async fn a_subscriber_that_does_not_answer_holds_nobody_up() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let (silent, closed) = (Receiver::open().await, Receiver::open().await);
    subscribed(&provider, &token, &silent.url()).await;
    let begun = Instant::now();
    provider.control().add_work(UnitKind::Export, 1_200);
    assert_eq!(once(&provider, &get("/v3/export-jobs?limit=1", &token)).await.status, 200);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let not_made = provider.control().journal().iter().filter(|entry| matches!(ended(entry), Some(WebhookEnd::Failed(_)))).count();
    assert_eq!(not_made, 200, "a thousand are under way or wait");
    provider.control().reset();
    let token = connect(&provider).await.access;
    let url = closed.url();
    drop(closed);
    subscribed(&provider, &token, &url).await;
    provider.control().add_work(UnitKind::Export, 1);
    let entry = until(provider.control(), |entry| ended(entry).is_some()).await;
    assert!(matches!(ended(&entry), Some(WebhookEnd::Failed(_))), "{entry:?}");
}

#[tokio::test]
async fn any_answer_is_written_down_and_no_redirect_is_followed() {
    let provider = provider().await;
    let token = connect(&provider).await.access;
    let receiver = Receiver::open().await;
    subscribed(&provider, &token, &receiver.url()).await;
    for (answer, end) in [
        ("HTTP/1.1 307 Temporary Redirect\r\nLocation: /elsewhere\r\n\r\n", WebhookEnd::Answered(307)),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\n\r\n", WebhookEnd::Answered(401)),
    ] {
        provider.control().add_work(UnitKind::Export, 1);
        receiver.receive(answer).await;
        until(provider.control(), |entry| ended(entry) == Some(&end)).await;
    }
    provider.control().add_work(UnitKind::Export, 1);
    receiver.receive("what?\r\n\r\n").await;
    until(provider.control(), |entry| matches!(ended(entry), Some(WebhookEnd::Failed(why)) if why.contains("no HTTP answer"))).await;
    assert_eq!(sent(&provider).len(), 3, "nothing is sent twice");
}

#[tokio::test]
async fn each_tenant_s_subscriptions_are_its_own_and_the_seed_decides_the_secret() {
    let provider = provider().await;
    let (one, other) = (provider.tenant("one").expect("made"), provider.tenant("other").expect("made"));
    assert_ne!(one.control().webhook_secret(), other.control().webhook_secret());
    assert_eq!(provider.control().webhook_secret(), crate::support::provider().await.control().webhook_secret());
    let url = "http://127.0.0.1:9/hook";
    let signed = one.control().sign_webhook(url, 0, b"{}").expect("signed");
    let own = regrant_mock_server::webhook::sign(one.control().webhook_secret(), &signed.id, signed.timestamp, b"{}").expect("signed");
    assert_eq!(signed, own);
    let token = connect(&provider).await.access;
    let id = subscribed(&provider, &token, url).await;
    let secret = secret_of(&provider, &token, &id).await;
    let signed = provider.control().sign_webhook(url, 0, b"{}").expect("signed");
    let subscriber = regrant_mock_server::webhook::sign(&secret, &signed.id, signed.timestamp, b"{}").expect("signed");
    assert_eq!(signed, subscriber, "who subscribed there has a secret of its own");
}
