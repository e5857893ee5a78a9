//! With the same seed both doors give the same answers, to the byte, and write the same journal.

use regrant_mock_server::{
    Call, Pleo, PleoServer,
    journal::{Entry, What},
};
use wiremock::MockServer;

use crate::support::http;

/// What a client can see of an answer, but for its date.
type Answer = (u16, Vec<(String, String)>, String);

/// A life with good and bad requests; its answers.
async fn life(pleo: &Pleo) -> Vec<Answer> {
    let connected = pleo.connect().expect("connected");
    pleo.add_employees(2);
    let api = |path: &str| format!("{}{path}", pleo.api_url());
    let refresh = |token: &str| {
        let fields = [("grant_type", "refresh_token"), ("refresh_token", token)];
        http().post(pleo.token_url()).basic_auth(pleo.client_id(), pleo.client_secret()).form(&fields)
    };
    let requests = [
        http().get(api("/v2/employees?limit=2")).bearer_auth(&connected.access_token),
        http().get(api("/v2/employees")),
        http().get(api("/v2/employees?access_token=x")).bearer_auth("undefined"),
        http().head(api("/v2/employees")).bearer_auth(&connected.access_token),
        http().get(api("/v9/nothing")).bearer_auth(&connected.access_token),
        http().get(api("/nothing/of/ours?x=1")),
        http().get(pleo.token_url()),
        http().post(pleo.token_url()).body("grant_type=refresh_token"),
        refresh("made up"),
        refresh(&connected.refresh_token),
        refresh(&connected.refresh_token),
        http().post(pleo.introspect_url()).basic_auth(pleo.client_id(), pleo.client_secret()).form(&[("token", &connected.access_token)]),
        http().get(pleo.authorize_url()).query(&[("client_id", "nobody"), ("state", "ä ' \" +")]),
        http().post(api("/v3/export-job-events")).bearer_auth(&connected.access_token).body("{"),
    ];
    let mut answers = Vec::new();
    for request in requests {
        let answer = request.send().await.expect("an answer");
        let status = answer.status().as_u16();
        let text = |value: &reqwest::header::HeaderValue| value.to_str().expect("text").to_owned();
        let mut headers: Vec<_> = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        headers.retain(|(name, _)| name != "date");
        headers.sort();
        answers.push((status, headers, answer.text().await.expect("a body")));
    }
    answers
}

#[tokio::test]
async fn both_doors_answer_the_same_to_the_byte() {
    let settings = || PleoServer::builder().seed(4711).client("crm", "s3cret");
    let server = settings().start().await.expect("it starts");
    let wiremock = MockServer::start().await;
    let mock = settings().mount(&wiremock).await.expect("it is mounted");
    let (one, other) = (life(&server).await, life(&mock).await);
    assert_eq!(one, other);
    assert_eq!(one.iter().map(|(status, ..)| *status).collect::<std::collections::BTreeSet<_>>().len(), 5, "it was not all the same");
    assert_eq!(story(&server.calls()), story(&mock.calls()));
    let words = |pleo: &Pleo| pleo.control().journal().iter().filter_map(word).collect::<Vec<_>>();
    assert_eq!(words(&server), words(&mock));
}

fn story(calls: &[Call]) -> Vec<String> {
    calls.iter().map(ToString::to_string).collect()
}

/// What both doors can know of.
fn word(entry: &Entry) -> Option<String> {
    match &entry.what {
        What::Opened { .. } | What::Closed { .. } | What::Read { .. } | What::ReadUnknown { .. } => None,
        What::Arrived(arrived) => Some(format!("{} {} {:?} {:?}", arrived.exchange, arrived.path, arrived.query, arrived.presented)),
        What::Replied(replied) => {
            let mut headers = replied.headers.clone();
            headers.retain(|(name, _)| name != "date");
            headers.sort();
            Some(format!("{} {} {headers:?} {:?}", replied.exchange, replied.status, replied.body))
        }
        other => Some(format!("{other:?}")),
    }
}
