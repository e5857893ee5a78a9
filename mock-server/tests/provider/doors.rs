//! More than one port onto one provider: the same grants, one journal, and the port tells who called.

use std::{collections::BTreeMap, net::SocketAddr};

use regrant_mock_server::{Urls, intercept::Interception, journal::What};
use tokio::net::TcpStream;

use crate::support::*;

fn address(url: &str) -> SocketAddr {
    let url = url::Url::parse(url).expect("a URL");
    url.socket_addrs(|| None).expect("an address")[0]
}

async fn at(urls: &Urls, text: &str) -> Answer {
    Raw { tcp: TcpStream::connect(address(&urls.api)).await.expect("connected") }.ask(text).await
}

#[tokio::test]
async fn a_second_door_leads_to_the_same_grants_and_the_journal_tells_by_which_one_a_request_came() {
    let mut provider = provider().await;
    let (first, second) = (provider.urls().clone(), provider.open_door().await.expect("a port"));
    let (one, other) = (address(&first.api), address(&second.api));
    assert_ne!(one, other);
    assert_eq!(one.ip(), other.ip());
    for url in [&second.authorize, &second.token, &second.introspect] {
        assert_eq!(address(url), other, "{url}");
    }
    // A grant of the first door's is renewed at the second, and the first knows what became of it.
    let old = connect(&provider).await;
    let new = tokens(&at(&second, &refresh(&provider, &old.refresh)).await);
    assert_eq!(at(&first, &get("/v2/employees", &new.access)).await.status, 200);
    assert_eq!(at(&first, &refresh(&provider, &old.refresh)).await.status, 400);
    // The reuse has ended the family, and the second door knows of it.
    assert_eq!(at(&second, &get("/v2/employees", &new.access)).await.status, 401);

    let journal = provider.control().journal();
    let ends: BTreeMap<_, _> = journal
        .iter()
        .filter_map(|entry| if let What::Opened { conn, local, .. } = entry.what { Some((conn, local)) } else { None })
        .collect();
    let came: Vec<SocketAddr> = journal
        .iter()
        .filter_map(|entry| if let What::Arrived(arrived) = &entry.what { Some(ends[&arrived.conn]) } else { None })
        .collect();
    assert_eq!(came, [one, one, other, one, one, other]);
}

#[tokio::test]
async fn a_second_door_closes_with_the_provider() {
    let mut provider = provider().await;
    let second = provider.open_door().await.expect("a port");
    assert_eq!(at(&second, &get("/v2/employees", "no token")).await.status, 401);
    provider.stop().await;
    assert!(TcpStream::connect(address(&second.api)).await.is_err());
}

#[tokio::test]
async fn beside_a_proxy_a_second_door_has_a_proxy_of_its_own() {
    let listen = ([127, 0, 0, 1], 0).into();
    let mut provider = provider_with(|config| config.intercept = Some(Interception { listen, hosts: Vec::new() })).await;
    let second = provider.open_door().await.expect("two ports");
    let proxies = [provider.urls().proxy.clone(), second.proxy].map(|proxy| address(&proxy.expect("a proxy")));
    assert_ne!(proxies[0], proxies[1]);
    for proxy in proxies {
        let mut raw = Raw { tcp: TcpStream::connect(proxy).await.expect("connected") };
        assert_eq!(raw.ask("CONNECT auth.pleo.io:443 HTTP/1.1\r\nHost: auth.pleo.io:443\r\n\r\n").await.status, 200);
    }
}
