//! The user's browser against tiny servers: a subject and a provider.
#![allow(clippy::expect_used, missing_docs, unreachable_pub, reason = "a test may say what it expected")]

mod server;

use std::{collections::BTreeMap, time::Duration};

use regrant::subject::{
    Agent, AgentError, AgentSetup, AuthorizeUrl, Bindings, CallbackUrl, Consent, Consented, Follow, Look,
    manifest::{Callback, Connect, HttpCall, Opens, Step, Verb},
};
use server::{Asked, Reply, Server};
use url::Url;

const LIMIT: Duration = Duration::from_secs(10);

/// A provider whose consent is automatic, with a page (`?page=1`), or refused (`?bad=1`).
async fn provider() -> Server {
    Server::start(|asked| {
        let target = asked.target.as_str();
        let back = |query: &str| {
            let url = Url::parse(&format!("http://x{target}")).expect("a URL");
            let uri = url.query_pairs().find(|(name, _)| name == "redirect_uri").map(|(_, uri)| uri.into_owned()).unwrap_or_default();
            Some(Reply::to(&format!("{uri}?{query}")))
        };
        if target.contains("bad=1") {
            Some(Reply::new(400, &[("content-type", "text/html")], "<form><button>Allow</button></form>unknown client"))
        } else if target.contains("page=1") && asked.method == "GET" {
            let page = "<form method=post><input type=hidden name=csrf value=c1><button name=answer value=deny>Deny</button>\
                        <button name=answer value=allow>Allow access</button></form>";
            Some(Reply::html(page))
        } else if asked.method == "POST" {
            back(if asked.body == "csrf=c1&answer=allow" { "code=granted" } else { "error=access_denied" })
        } else if target.starts_with("/oauth/authorize") {
            back("code=auto")
        } else {
            Some(Reply::new(404, &[], ""))
        }
    })
    .await
}

struct Scene {
    subject: Server,
    provider: Server,
    agent: Agent,
    bindings: Bindings,
}

impl Scene {
    /// A subject whose answers may name the provider's authorise URL as `AUTHORIZE` in its targets.
    async fn new(answer: impl Fn(&Asked, &str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        Self::with_login(Vec::new(), answer).await
    }

    async fn with_login(login: Vec<Step>, answer: impl Fn(&Asked, &str) -> Option<Reply> + Send + Sync + 'static) -> Self {
        let provider = provider().await;
        let authorize = provider.url("/oauth/authorize?client_id=c&response_type=code&state=s");
        let subject = Server::start(move |asked| answer(asked, &authorize)).await;
        let setup = AgentSetup {
            authorize_endpoint: Url::parse(&provider.url("/oauth/authorize")).expect("a URL"),
            provider: Vec::new(),
            provider_address: None,
            intercepted: None,
            token: "only-for-the-provider".into(),
            ca_pem: None,
            logins: if login.is_empty() { Vec::new() } else { vec![login] },
            connect_url: Some(subject.url("/pleo/begin")),
            connect_words: vec!["Verbinden".into()],
        };
        let mut bindings = Bindings::new();
        bindings.set("base_url", subject.url(""));
        Self { agent: Agent::new(setup).expect("an agent"), subject, provider, bindings }
    }

    async fn get(&self, path: &str, follow: Follow) -> Result<regrant::subject::Answer, AgentError> {
        self.agent.send(&get(path), &self.bindings, follow, LIMIT).await
    }

    async fn begin(&self, path: &str, opens: Opens) -> Result<AuthorizeUrl, AgentError> {
        let connect = Connect { verb: Verb::Http(get(path)), opens, callback: Callback::Served };
        self.agent.begin(&connect, &self.bindings, LIMIT).await
    }

    async fn look(&self, path: &str) -> Look {
        self.agent.look(&get(path), &self.bindings, LIMIT).await.expect("looked")
    }
}

fn get(path: &str) -> HttpCall {
    HttpCall { method: "GET".into(), url: format!("{{base_url}}{path}"), ..HttpCall::default() }
}

#[tokio::test]
async fn a_trigger_is_sent_as_written_and_its_redirect_is_its_answer() {
    let scene = Scene::new(|_, _| Some(Reply::to("/elsewhere"))).await;
    let mut bindings = scene.bindings.clone();
    bindings.set("item_id", "i-1");
    let call = HttpCall {
        method: "POST".into(),
        url: "{base_url}/expenses".into(),
        headers: BTreeMap::from([("X-Tenant".to_owned(), "acme".to_owned())]),
        json: Some(serde_json::json!({"id": "{item_id}"})),
        ..HttpCall::default()
    };
    let answer = scene.agent.send(&call, &bindings, Follow::Never, LIMIT).await.expect("answered");
    assert_eq!((answer.status, answer.redirects, answer.header("location")), (302, 0, Some("/elsewhere")));
    let asked = &scene.subject.asked()[0];
    assert_eq!((asked.line().as_str(), asked.body.as_str()), ("POST /expenses", r#"{"id":"i-1"}"#));
    assert_eq!((asked.header("x-tenant"), asked.header("content-type")), (Some("acme"), Some("application/json")));
    assert_eq!(asked.header("x-regrant-agent"), None);
}

#[tokio::test]
async fn redirects_of_pages_are_followed_with_cookies_as_a_browser_does() {
    let scene = Scene::new(|asked, _| {
        Some(match asked.target.as_str() {
            "/a" => Reply::new(303, &[("location", "b?x=1"), ("set-cookie", "s=1; Path=/; HttpOnly; Secure")], ""),
            "/b?x=1" => Reply::html(&format!("<meta http-equiv=refresh content='0;url=/c'>{}", asked.body)),
            "/c" => Reply::html(&format!("cookie: {}", asked.header("cookie").unwrap_or("none"))),
            _ => Reply::new(404, &[], ""),
        })
    })
    .await;
    let call = HttpCall { method: "POST".into(), form: Some(BTreeMap::from([("k".into(), "v w".into())])), ..get("/a") };
    let answer = scene.agent.send(&call, &scene.bindings, Follow::Pages, LIMIT).await.expect("answered");
    assert_eq!((answer.body.as_str(), answer.redirects, answer.url.path()), ("cookie: s=1", 2, "/c"));
    assert_eq!(scene.subject.lines(), ["POST /a", "GET /b?x=1", "GET /c"]);
    assert_eq!(scene.subject.asked()[0].body, "k=v+w");
}

#[tokio::test]
async fn the_words_that_connect_clicks_lead_on_in_any_language() {
    let scene = Scene::new(|asked, authorize| {
        Some(match asked.target.as_str() {
            "/" => Reply::html("<a href=/liste>Liste</a><a href=/los>verbinden</a>"),
            "/los" => Reply::to(authorize),
            "/fremd" => Reply::html("<a href=/los>Freigeben</a>"),
            _ => Reply::html(""),
        })
    })
    .await;
    assert!(scene.look("/").await.leads_to_authorize);
    assert!(!scene.look("/fremd").await.leads_to_authorize);
}

#[tokio::test]
async fn a_form_that_posts_to_connect_leads_on_by_the_address_in_its_answer() {
    let scene = Scene::new(|asked, authorize| {
        let json = [("content-type", "application/json")];
        Some(match asked.target.as_str() {
            "/" => Reply::html("<form method=post action=/pleo/begin><button>Los</button></form>"),
            "/other" => Reply::html("<form method=post action=/export><button>Connect</button></form>"),
            "/pleo/begin" | "/export" => Reply::new(200, &json, &format!(r#"{{"url":"{authorize}"}}"#)),
            _ => Reply::html(""),
        })
    })
    .await;
    assert!(scene.look("/").await.leads_to_authorize);
    assert!(!scene.look("/other").await.leads_to_authorize);
}

#[tokio::test]
async fn a_redirect_that_keeps_the_method_keeps_the_body() {
    let scene =
        Scene::new(|asked, _| Some(if asked.target == "/a" { Reply::new(307, &[("location", "/b")], "") } else { Reply::html("") })).await;
    let call = HttpCall { method: "POST".into(), form: Some(BTreeMap::from([("k".into(), "v".into())])), ..get("/a") };
    scene.agent.send(&call, &scene.bindings, Follow::Pages, LIMIT).await.expect("answered");
    let second = &scene.subject.asked()[1];
    assert_eq!((second.line().as_str(), second.body.as_str()), ("POST /b", "k=v"));
}

#[tokio::test]
async fn redirects_for_ever_are_an_error_of_their_own() {
    let scene = Scene::new(|asked, _| Some(Reply::to(if asked.target == "/a" { "/b" } else { "/a" }))).await;
    assert!(matches!(scene.get("/a", Follow::Pages).await, Err(AgentError::RedirectsForever { .. })));
    assert_eq!(scene.subject.asked().len(), 11);
}

#[tokio::test]
async fn the_way_off_this_machine_is_not_taken() {
    let scene = Scene::new(|_, _| Some(Reply::to("https://auth.example.com/oauth/authorize?client_id=c"))).await;
    assert!(matches!(scene.get("/a", Follow::Pages).await, Err(AgentError::NotLoopback { url }) if url.contains("auth.example.com")));
}

#[tokio::test]
async fn time_and_size_are_bounded() {
    let scene = Scene::new(|asked, _| (asked.target == "/big").then(|| Reply::html(&"x".repeat(3 << 20)))).await;
    assert_eq!(scene.get("/big", Follow::Pages).await.expect("answered").body.len(), 1 << 20);
    let hung = scene.agent.send(&get("/hung"), &scene.bindings, Follow::Pages, Duration::from_millis(200)).await.expect_err("no answer");
    assert!(matches!(&hung, AgentError::TimedOut { .. }), "{hung}");
    assert!(hung.is_no_answer());
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_no_answer() {
    let scene = Scene::new(|_, _| None).await;
    let mut bindings = Bindings::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("bound").local_addr().expect("an address");
    bindings.set("base_url", format!("http://{free}"));
    let error = scene.agent.send(&get("/"), &bindings, Follow::Pages, LIMIT).await.expect_err("nobody");
    assert!(error.is_no_answer() && error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn connect_stops_before_the_authorise_endpoint() {
    let scene = Scene::new(|asked, authorize| Some(if asked.target == "/connect" { Reply::to("/go") } else { Reply::to(authorize) })).await;
    let url = scene.begin("/connect", Opens::Redirect).await.expect("begun");
    assert_eq!(url.0.query(), Some("client_id=c&response_type=code&state=s"));
    assert_eq!(scene.provider.asked().len(), 0);
}

#[tokio::test]
async fn connect_finds_the_authorise_url_in_json_in_scripts_and_behind_a_button() {
    let scene = Scene::new(|asked, authorize| {
        Some(match asked.target.as_str() {
            "/json" => Reply::json(&serde_json::json!({"data": {"url": authorize}}).to_string()),
            "/json-relative" => Reply::json(r#"{"data": {"url": "/go"}}"#),
            "/go" => Reply::to(authorize),
            "/script" => {
                Reply::html(&format!("<script>window.location = \"{}\"</script>", authorize.replace('/', "\\/").replace('&', "\\u0026")))
            }
            "/link" => Reply::html(&format!("<a href=/logout>Log out</a><a href='{}'>On</a>", authorize.replace('&', "&amp;"))),
            "/form" => {
                Reply::html("<form method=post action=/start><input type=hidden name=csrf value=t><button>Connect Pleo</button></form>")
            }
            "/start" if asked.body == "csrf=t" => Reply::to(authorize),
            "/refused" => Reply::new(503, &[], "come back later"),
            _ => Reply::html("nothing here"),
        })
    })
    .await;
    for (path, opens) in [
        ("/json", Opens::Json("/data/url".into())),
        ("/json-relative", Opens::Json("/data/url".into())),
        ("/json", Opens::Redirect),
        ("/script", Opens::Redirect),
        ("/link", Opens::Redirect),
        ("/form", Opens::Redirect),
    ] {
        let url = scene.begin(path, opens).await.unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(url.0.query_pairs().count(), 3, "{path}: {}", url.0);
    }
    assert_eq!(scene.provider.asked().len(), 0);
    assert!(!scene.subject.lines().contains(&"GET /logout".to_owned()));
    let error = scene.begin("/refused", Opens::Redirect).await.expect_err("refused");
    assert!(matches!(&error, AgentError::NoWayToAuthorize { status: 503, hint, .. } if hint.contains("come back later")), "{error}");
    assert!(scene.begin("/none", Opens::Redirect).await.is_err());
    assert!(scene.begin("/json", Opens::Json("/other".into())).await.is_err());
}

#[tokio::test]
async fn connect_can_be_steps() {
    let scene = Scene::new(|asked, authorize| {
        Some(match asked.target.as_str() {
            "/settings" => Reply::html("<a href=/integrations>Integrations</a>"),
            "/integrations" => Reply::html(
                "<form action=/search><input name=company><button>Search</button></form>
                 <form method=post action=/start><input name=company><button>Connect</button></form>",
            ),
            "/start" if asked.body == "company=acme" => Reply::to(authorize),
            _ => Reply::new(404, &[], ""),
        })
    })
    .await;
    let steps = |last: Step| {
        let call = HttpCall {
            method: "GET".into(),
            steps: vec![Step::Get("{base_url}/settings".into()), Step::Click("integrations".into()), last],
            ..HttpCall::default()
        };
        Connect { verb: Verb::Http(call), opens: Opens::Redirect, callback: Callback::Served }
    };
    let fields = BTreeMap::from([("company".to_owned(), "acme".to_owned())]);
    let good = steps(Step::Fill { fields: fields.clone(), submit: Some("Connect".into()) });
    assert!(scene.agent.begin(&good, &scene.bindings, LIMIT).await.is_ok());
    let wrong = steps(Step::Fill { fields, submit: Some("Send".into()) });
    let error = scene.agent.begin(&wrong, &scene.bindings, LIMIT).await.expect_err("no such button");
    assert!(error.to_string().contains("no button \"Send\" in that form; there are \"Search\", \"Connect\""), "{error}");
}

#[tokio::test]
async fn the_user_allows_denies_or_walks_away() {
    let scene = Scene::new(|_, _| None).await;
    let callback = scene.subject.url("/callback");
    let url = |more: &str| {
        AuthorizeUrl(Url::parse(&scene.provider.url(&format!("/oauth/authorize?redirect_uri={callback}{more}"))).expect("a URL"))
    };
    let answered = |more: &'static str, consent| {
        let (url, agent) = (url(more), &scene.agent);
        async move {
            match agent.authorize(&url, consent, LIMIT).await.expect("answered") {
                Consented::Callback(back) => back.0.query().unwrap_or_default().to_owned(),
                Consented::Page(page) => format!("page {}", page.status),
            }
        }
    };
    assert_eq!(answered("", Consent::Allow).await, "code=auto");
    assert_eq!(answered("&page=1", Consent::Allow).await, "code=granted");
    assert_eq!(answered("&page=1", Consent::Deny).await, "error=access_denied");
    assert_eq!(answered("&page=1", Consent::WalkAway).await, "page 200");
    assert_eq!(answered("&bad=1", Consent::Allow).await, "page 400");
    assert!(scene.provider.asked().iter().all(|asked| asked.header("x-regrant-agent") == Some("only-for-the-provider")));
    assert_eq!(scene.subject.asked().len(), 0, "the callback is left to `deliver`");
}

#[tokio::test]
async fn the_callback_is_delivered_once_and_followed_to_its_page() {
    let scene =
        Scene::new(|asked, _| Some(if asked.target.starts_with("/callback") { Reply::to("/done") } else { Reply::html("connected") }))
            .await;
    let callback = CallbackUrl(Url::parse(&scene.subject.url("/callback?code=1&state=s")).expect("a URL"));
    let answer = scene.agent.deliver(&callback, LIMIT).await.expect("delivered");
    assert_eq!(answer.body, "connected");
    assert_eq!(scene.subject.lines(), ["GET /callback?code=1&state=s", "GET /done"]);
    assert!(scene.subject.asked().iter().all(|asked| asked.header("x-regrant-agent").is_none()));
}

#[tokio::test]
async fn a_prompt_is_walked_up_to_the_consent_page_and_no_further() {
    let scene = Scene::new(|asked, authorize| {
        Some(match asked.target.as_str() {
            "/" => Reply::html(
                "<p>Access to Pleo has expired.</p><a href=/logout>Log out of Pleo</a><a href=/pleo/disconnect>Disconnect Pleo</a>\
                 <a href='https://pleo.example.com/connect'>Pleo</a><a href=/help/pleo>About Pleo</a><a href=/renew>Restore access</a>",
            ),
            "/renew" => Reply::html("<form action=/pleo/go method=post><input type=hidden name=csrf value=t><input name=email><button>Reconnect now</button></form>"),
            "/pleo/go" if asked.body == "csrf=t&email=" => Reply::to(authorize),
            _ => Reply::html("nothing"),
        })
    })
    .await;
    let look = scene.look("/").await;
    assert!(look.leads_to_authorize);
    assert_eq!((look.status, look.actions, look.fields), (200, 2, 1));
    assert!(look.body.contains("Access to Pleo has expired."), "{}", look.body);
    assert_eq!(scene.provider.asked().len(), 0);
    let lines = scene.subject.lines();
    assert!(!lines.iter().any(|line| line.contains("logout") || line.contains("disconnect")), "{lines:?}");
}

#[tokio::test]
async fn data_that_names_connect_leads_on_if_the_address_is_asked_for_with_a_post() {
    let scene = Scene::new(|asked, authorize| {
        Some(match (asked.method.as_str(), asked.target.as_str()) {
            ("GET", "/state") => Reply::json(r#"{"login": {"method": "POST", "href": "/pleo/begin"}}"#),
            ("POST", "/pleo/begin") => Reply::json(&serde_json::json!({"url": authorize}).to_string()),
            ("GET", "/elsewhere") => Reply::json(r#"{"href": "/export"}"#),
            ("POST", "/export") => panic!("it was not asked to work"),
            _ => Reply::new(405, &[], ""),
        })
    })
    .await;
    let look = scene.look("/state").await;
    assert_eq!((look.leads_to_authorize, look.actions), (true, 1));
    assert!(!scene.look("/elsewhere").await.leads_to_authorize);
    assert_eq!(scene.provider.asked().len(), 0);
}

#[tokio::test]
async fn a_prompt_can_be_a_redirect_a_link_to_connect_or_data() {
    let scene = Scene::new(|asked, authorize| {
        Some(match asked.target.as_str() {
            "/redirect" | "/pleo/begin" => Reply::to(authorize),
            "/link" => Reply::html("<button onclick=\"location.href='/pleo/begin'\">!</button>"),
            "/json-authorize" => Reply::json(&serde_json::json!({"a": [{"url": authorize}]}).to_string()),
            "/json-connect" => Reply::json(r#"{"actions": {"fix": "/pleo/begin"}}"#),
            "/json-nothing" => Reply::json(r#"{"state": "connected", "home": "/"}"#),
            "/page-nothing" => Reply::html("<a href=/other>Other</a><a href=/loop>Connect</a>"),
            "/loop" => Reply::to("/loop"),
            _ => Reply::html("nothing"),
        })
    })
    .await;
    let mut seen = Vec::new();
    for path in ["/redirect", "/link", "/json-authorize", "/json-connect", "/json-nothing", "/page-nothing"] {
        let look = scene.look(path).await;
        assert_eq!(look.leads_to_authorize, look.authorize.is_some());
        seen.push((path, look.leads_to_authorize, look.actions));
    }
    let expected = [
        ("/redirect", true, 0),
        ("/link", true, 1),
        ("/json-authorize", true, 1),
        ("/json-connect", true, 1),
        ("/json-nothing", false, 0),
        ("/page-nothing", false, 0),
    ];
    assert_eq!(seen, expected);
    assert_eq!(scene.provider.asked().len(), 0);
}

#[tokio::test]
async fn few_ways_are_tried_from_a_page_full_of_them() {
    let scene =
        Scene::new(|_, _| Some(Reply::html(&(0..200).map(|n| format!("<a href=/connect/{n}>Connect {n}</a>")).collect::<String>()))).await;
    assert!(!scene.look("/").await.leads_to_authorize);
    assert!(scene.subject.asked().len() <= 17, "{}", scene.subject.asked().len());
}

#[tokio::test]
async fn signing_in_happens_before_first_use_and_again_when_turned_away() {
    let login = vec![
        Step::Get("{base_url}/login".into()),
        Step::Fill { fields: BTreeMap::from([("password".to_owned(), "test".to_owned())]), submit: None },
    ];
    let scene = Scene::with_login(login, |asked, _| {
        let session = asked.header("cookie").and_then(|cookie| cookie.strip_prefix("session=")).unwrap_or_default().to_owned();
        Some(match asked.target.as_str() {
            "/login" if asked.method == "GET" => Reply::html(
                "<form method=post><input type=hidden name=csrf value=t><input name=password type=password><button>In</button></form>",
            ),
            "/login" if asked.body == "csrf=t&password=test" => {
                let next = if session.is_empty() { "session=1; Path=/" } else { "session=2; Path=/" };
                Reply::new(303, &[("location", "/"), ("set-cookie", next)], "")
            }
            // The subject forgets its first session for this page, as after a restart.
            "/guarded" if session == "2" => Reply::html("work"),
            "/guarded" => Reply::new(401, &[], ""),
            "/led" if session.is_empty() => Reply::to("/login"),
            _ => Reply::html(&format!("session {session}")),
        })
    })
    .await;
    assert_eq!(scene.get("/led", Follow::Never).await.expect("answered").body, "session 1");
    assert_eq!(scene.get("/guarded", Follow::Never).await.expect("answered").body, "work");
    assert_eq!(scene.subject.lines().iter().filter(|line| *line == "POST /login").count(), 2);
}

#[tokio::test]
async fn a_login_that_fails_is_told_as_such() {
    let scene =
        Scene::with_login(vec![Step::Get("{base_url}/login".into()), Step::Click("Enter".into())], |_, _| Some(Reply::html("closed")))
            .await;
    let error = scene.get("/", Follow::Pages).await.expect_err("not signed in");
    assert!(matches!(&error, AgentError::Login { reason } if reason.contains("no link or button \"Enter\"")), "{error}");
}

#[tokio::test]
async fn the_names_of_this_machine_are_one_origin() {
    let scene = Scene::new(|_, authorize| Some(Reply::to(&authorize.replace("127.0.0.1", "localhost")))).await;
    assert!(scene.begin("/connect", Opens::Redirect).await.is_ok());
}
