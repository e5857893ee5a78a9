//! Readiness and verbs with real programs.
#![allow(clippy::expect_used, missing_docs, unreachable_pub, dead_code, reason = "a test may say what it expected")]

mod server;

use std::{path::Path, sync::Arc, time::Duration};

use regex::Regex;
use regrant::subject::{
    Agent, AgentSetup, Answered, Bindings, Blame, CallbackUrl, Driver, Follow, Outcome, Sandbox, SpawnRequest, Stdin, SubjectError,
    Supervisor, SupervisorEvent, lease_port,
    manifest::{Callback, Connect, Opens, Ready, StatusPattern, StatusSet, Trigger, Verb},
    start_and_wait,
};
use server::{Reply, Server};
use tokio::sync::mpsc::UnboundedReceiver;
use url::Url;

const LIMIT: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(400);

struct Scene {
    sandbox: Sandbox,
    driver: Driver,
    events: UnboundedReceiver<SupervisorEvent>,
}

impl Scene {
    async fn new() -> Self {
        let sandbox = Sandbox::create().expect("sandbox");
        let (supervisor, events) = Supervisor::launch(Path::new(env!("CARGO_BIN_EXE_regrant")), &sandbox).await.expect("launched");
        let setup = AgentSetup {
            authorize_endpoint: Url::parse("http://127.0.0.1:9/oauth/authorize").expect("a URL"),
            provider: Vec::new(),
            provider_address: None,
            intercepted: None,
            token: "t".into(),
            ca_pem: None,
            logins: Vec::new(),
            connect_url: None,
            connect_words: Vec::new(),
        };
        let agent = Arc::new(Agent::new(setup).expect("an agent"));
        let driver = Driver { agent, supervisor: Arc::new(supervisor), env: sandbox.env(&[]), cwd: sandbox.path().to_owned() };
        Self { sandbox, driver, events }
    }

    async fn start(&self, script: &str, ready: &Ready, limit: Duration) -> Result<(), SubjectError> {
        let request = SpawnRequest {
            name: "subject".into(),
            argv: argv(script),
            env: self.driver.env.clone(),
            cwd: self.driver.cwd.clone(),
            stdin: Stdin::Empty,
            private: false,
        };
        start_and_wait(&self.driver.supervisor, &self.driver.agent, &request, ready, &Bindings::new(), limit).await.map(|_| ())
    }
}

fn argv(script: &str) -> Vec<String> {
    ["sh", "-c", script].map(str::to_owned).to_vec()
}

fn log(pattern: &str) -> Ready {
    Ready::Log(Regex::new(pattern).expect("a pattern"))
}

#[tokio::test]
async fn a_subject_is_ready_by_address_port_line_or_end() {
    let scene = Scene::new().await;
    let server = Server::start(|_| Some(Reply::new(404, &[], ""))).await;
    for ready in [Ready::Http(server.url("/")), Ready::Tcp(server.address.port().to_string()), log("^listening on \\d+$"), Ready::AtOnce] {
        scene.start("echo listening on 1; sleep 600", &ready, LIMIT).await.unwrap_or_else(|error| panic!("{ready:?}: {error}"));
    }
    scene.start("exit 0", &Ready::Exit, LIMIT).await.expect("ended well");
}

#[tokio::test]
async fn a_server_error_is_not_ready_yet() {
    let scene = Scene::new().await;
    let server = Server::start(|_| Some(Reply::new(503, &[], ""))).await;
    let error = scene.start("echo booting; sleep 600", &Ready::Http(server.url("/up")), SHORT).await.expect_err("never ready");
    let told = error.to_string();
    assert!(
        matches!(&error, SubjectError::NotReady { .. })
            && told.contains("answered 503")
            && told.contains("booting")
            && told.contains("start.ready"),
        "{told}"
    );
    assert_eq!(error.blame(), Blame::Subject);
    assert_eq!(scene.driver.supervisor.finish().await.expect("finished"), 0, "what was not ready was killed");
}

#[tokio::test]
async fn an_early_end_is_told_with_what_was_printed_first_and_last() {
    let scene = Scene::new().await;
    for ready in [Ready::Http("http://127.0.0.1:9/".into()), Ready::Tcp("9".into()), log("never"), Ready::Exit] {
        let error = scene.start("echo starting; echo 'no config' >&2; exit 1", &ready, LIMIT).await.expect_err("it ended");
        let told = error.to_string();
        assert!(told.starts_with("subject exited with code 1 before it was ready; it printed:"), "{ready:?}: {told}");
        assert!(told.contains("no config") && told.contains("starting"), "{told}");
    }
    let much = "for i in $(seq 40); do echo line $i; done; exit 1";
    let told = scene.start(much, &log("never"), LIMIT).await.expect_err("it ended").to_string();
    assert!(["line 1\n", "line 5\n", "25 more lines", "line 31\n", "line 40"].iter().all(|part| told.contains(part)), "{told}");
    assert!(!told.contains("line 6\n") && !told.contains("line 30\n"), "{told}");
    let error = scene.start("kill -9 $$", &log("never"), LIMIT).await.expect_err("it ended");
    assert!(error.to_string().contains("was killed by signal 9"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_recognised_in_the_words_of_many_runtimes() {
    let scene = Scene::new().await;
    for words in [
        "Error: listen EADDRINUSE: address already in use 127.0.0.1:8080",
        "OSError: [Errno 98] Address already in use",
        "listen tcp 127.0.0.1:8080: bind: address already in use",
        "java.net.BindException: Address already in use (Bind failed)",
        "Web server failed to start. Port 8080 was already in use.",
        "Error: Address already in use (os error 98)",
        "Address already in use - bind(2) for \"127.0.0.1\" port 3000 (Errno::EADDRINUSE)",
    ] {
        let script = format!("echo '{}' >&2; exit 1", words.replace('\'', ""));
        let error = scene.start(&script, &Ready::Tcp("9".into()), LIMIT).await.expect_err("taken");
        assert!(matches!(&error, SubjectError::PortTaken { .. }), "{words}: {error}");
        assert_eq!(error.blame(), Blame::Environment);
    }
}

#[tokio::test]
async fn a_port_that_never_accepts_is_told() {
    let scene = Scene::new().await;
    let lease = lease_port().expect("leased");
    let error = scene.start("sleep 600", &Ready::Tcp(lease.port().to_string()), SHORT).await.expect_err("nobody listens");
    assert!(error.to_string().contains("did not accept") && error.to_string().contains("it printed nothing"), "{error}");
    let error = scene.start("sleep 600", &log("ready"), SHORT).await.expect_err("no line");
    assert!(error.to_string().contains("no line of its output matched \"ready\""), "{error}");
}

#[tokio::test]
async fn verbs_that_are_programs_answer_with_output_and_exit() {
    let mut scene = Scene::new().await;
    let trigger = Trigger {
        name: "trigger".into(),
        verb: Verb::Run(argv("echo did {item_id}; exit 75")),
        accepted: None,
        refused: Some(StatusPattern::Exit(75)),
        done: None,
        exits: vec![0, 75],
        signed: false,
    };
    let mut bindings = Bindings::new();
    bindings.set("item_id", "i-7");
    let answered = scene.driver.trigger(&trigger, &bindings, &|_, _| Vec::new(), LIMIT).await.expect("ran");
    assert_eq!((answered.status(), answered.text(), answered.outcome(&trigger)), (75, "did i-7\n", Outcome::Refused));
    assert!(!answered.crashed(&trigger.exits) && answered.crashed(&[0]));
    let other = Trigger { refused: Some(StatusPattern::Exit(3)), ..trigger.clone() };
    assert_eq!(answered.outcome(&other), Outcome::Neither);
    let line = loop {
        if let SupervisorEvent::Line { text, .. } = scene.events.recv().await.expect("an event") {
            break text;
        }
    };
    assert_eq!(line, "did i-7", "what a verb prints is log");
    let probe = scene.driver.perform("status", &Verb::Run(argv("echo fine")), &bindings, Follow::Pages, LIMIT).await.expect("ran");
    assert_eq!(probe.text(), "fine\n");
    assert!(!probe.crashed(&[75]), "0 is never a crash");
    while let Ok(event) = scene.events.try_recv() {
        assert!(!matches!(&event, SupervisorEvent::Line { text, .. } if text == "fine"), "what a probe prints is its answer");
    }
    let slow = Verb::Run(argv("sleep 600"));
    let error = scene.driver.perform("trigger", &slow, &bindings, Follow::Never, SHORT).await.expect_err("too slow");
    assert!(error.is_no_answer(), "{error}");
    let unknown = Verb::Run(argv("{item}"));
    assert!(matches!(scene.driver.perform("x", &unknown, &bindings, Follow::Never, LIMIT).await, Err(SubjectError::Placeholder(_))));
}

#[tokio::test]
async fn answers_are_read_by_the_patterns_of_the_manifest() {
    let scene = Scene::new().await;
    let server =
        Server::start(|_| Some(Reply::new(401, &[("content-type", "application/json")], r#"{"state":"needs_reauth","n":[1,2]}"#))).await;
    let mut bindings = Bindings::new();
    bindings.set("base_url", server.url(""));
    let verb =
        Verb::Http(regrant::subject::manifest::HttpCall { method: "GET".into(), url: "{base_url}/status".into(), ..Default::default() });
    let answered = scene.driver.perform("status", &verb, &bindings, Follow::Pages, LIMIT).await.expect("answered");
    let json = |pointer: &str, is: serde_json::Value| StatusPattern::Json { pointer: pointer.into(), is };
    assert!(answered.matches(&json("/state", "needs_reauth".into())));
    assert!(answered.matches(&json("/n/1", 2.into())));
    assert!(!answered.matches(&json("/state", "connected".into())));
    assert!(answered.matches(&StatusPattern::Status(StatusSet { ranges: vec![(302, 302), (400, 499)] })));
    assert!(answered.matches(&StatusPattern::Text(Regex::new("(?i)REAUTH").expect("a pattern"))));
    assert!(!answered.matches(&StatusPattern::Exit(0)));
}

#[tokio::test]
async fn a_program_connects_by_printing_the_address_and_reading_the_callback() {
    let scene = Scene::new().await;
    let script =
        "echo Open; echo '  http://127.0.0.1:9/oauth/authorize?client_id=c&state=s in a browser'; read url; echo got $url >&2; exit 6";
    let connect = Connect { verb: Verb::Run(argv(script)), opens: Opens::Stdout, callback: Callback::Stdin };
    let (url, waiting) = scene.driver.begin(&connect, &Bindings::new(), LIMIT).await.expect("begun");
    assert_eq!(url.0.query(), Some("client_id=c&state=s"));
    let callback = CallbackUrl(Url::parse("http://127.0.0.1:1/callback?code=1").expect("a URL"));
    let answered = scene.driver.deliver(&connect, &callback, waiting, &Bindings::new(), LIMIT).await.expect("delivered");
    assert_eq!(answered.status(), 6);
    let other = Connect { callback: Callback::Run(argv("echo {callback_url}")), ..connect };
    let answered = scene.driver.deliver(&other, &callback, None, &Bindings::new(), LIMIT).await.expect("delivered");
    assert_eq!(answered.text(), "http://127.0.0.1:1/callback?code=1\n");
}

#[tokio::test]
async fn a_program_that_prints_no_address_is_told() {
    let scene = Scene::new().await;
    let connect = |script: &str| Connect { verb: Verb::Run(argv(script)), opens: Opens::Stdout, callback: Callback::Served };
    let error = scene.driver.begin(&connect("echo http://127.0.0.1:9/other; exit 2"), &Bindings::new(), LIMIT).await.expect_err("none");
    assert!(error.to_string().contains("it exited with code 2 without printing one"), "{error}");
    let error = scene.driver.begin(&connect("sleep 600"), &Bindings::new(), SHORT).await.expect_err("none");
    assert!(error.to_string().contains("it printed none within"), "{error}");
    assert_eq!(scene.driver.supervisor.finish().await.expect("finished"), 0);
}

#[tokio::test]
async fn a_prompt_can_be_what_a_program_prints() {
    let scene = Scene::new().await;
    let look = |script: &str| {
        let (verb, driver) = (Verb::Run(argv(script)), scene.driver.clone());
        async move { driver.look(&verb, &Bindings::new(), LIMIT).await.expect("looked") }
    };
    let found = look("echo 'Access expired: http://127.0.0.1:9/oauth/authorize?client_id=c'; exit 3").await;
    assert_eq!((found.status, found.leads_to_authorize, found.actions), (3, true, 1));
    assert!(!look("echo fine").await.leads_to_authorize);
}

#[tokio::test]
async fn what_the_subject_does_unaided_is_not_asked() {
    let scene = Scene::new().await;
    let answered = scene.driver.perform("trigger", &Verb::Auto, &Bindings::new(), Follow::Never, LIMIT).await.expect("nothing to do");
    assert!(matches!(answered, Answered::Unasked));
    let error =
        scene.driver.perform("trigger", &Verb::Human("x".into()), &Bindings::new(), Follow::Never, LIMIT).await.expect_err("nobody");
    assert!(error.to_string().contains("`trigger.human` is not supported"), "{error}");
}
