//! Scenario files, right and wrong.
#![allow(clippy::expect_used, clippy::panic, reason = "tests say what they expect")]

use regrant_authority::{Policy, Rotation};

use super::*;
use crate::fault::{Fate, Order, Point};

const STORY: &str = r#"
title = "The user revokes access while a refresh is in flight"
about = "Two things at once."
tests = ["RACE-08"]

[provider]
access_token_lifetime = "2s"
rotation = "grace:5s:sibling"
refused_with = { status = 401, error = "invalid_token" }

[[rule]]
on = { endpoint = "token", grant = "refresh_token", nth = 1 }
at = "committed"
fate = { hold = "gate-a" }

[[step]]
do = [{ need_refresh = "access" }, { trigger = { times = 1 } }]

[[step]]
await = { held = "gate-a", within = "10s", else = "not-realised" }
do = [{ revoke = "grant" }, { release = "gate-a" }]
"#;

fn wrong(from: &str, to: &str) -> (usize, usize, String) {
    let text = STORY.replacen(from, to, 1);
    assert_ne!(text, STORY, "{from:?} stands in the story");
    let error = Scenario::parse(&text).expect_err("it is wrong");
    (error.line, error.column, error.to_string())
}

#[test]
fn a_story_is_read() {
    let scenario = Scenario::parse(STORY).expect("a right story");
    assert_eq!((scenario.rules[0].at, &scenario.rules[0].fate), (Point::Committed, &Fate::Hold("gate-a".into())));
    assert!(scenario.prologue);
    let mut policy = Policy::default();
    apply_policy(&scenario.provider, &mut policy);
    assert_eq!(policy.access_lifetime, Duration::from_secs(2));
    assert_eq!(policy.rotation, Rotation::Grace { window: Duration::from_secs(5), sibling: true });
    assert_eq!((policy.refused_with.status, policy.refused_with.error.as_str()), (401, "invalid_token"));
    assert_eq!(policy.refresh_lifetime, Policy::default().refresh_lifetime, "what the story leaves out stays");
}

#[test]
fn an_unknown_key_shows_its_place_and_the_nearest_right_one() {
    let (line, column, message) = wrong("tests =", "test =");
    assert_eq!((line, column), (4, 1), "{message}");
    assert!(message.contains("did you mean \"tests\"?"), "{message}");
    let (line, _, message) = wrong("nth = 1", "nht = 1");
    assert_eq!(line, 12, "{message}");
    assert!(message.contains("did you mean \"nth\"?"), "{message}");
    let (line, _, message) = wrong("need_refresh", "needs_refresh");
    assert_eq!(line, 17, "{message}");
    assert!(message.contains("did you mean \"need_refresh\"?"), "{message}");
}

#[test]
fn a_wrong_value_shows_what_would_be_right() {
    let (line, _, message) = wrong("\"2s\"", "\"2 seconds\"");
    assert!(line == 7 && message.contains("write a number with ms, s, m, h or d"), "{message}");
    let (line, _, message) = wrong("grace:5s:sibling", "gracious");
    assert!(line == 8 && message.contains("strict+revoke-family"), "{message}");
}

#[test]
fn an_await_waits_for_exactly_one_thing() {
    for await_for in ["{ within = \"1s\" }", "{ settled = true, request = \"api\" }"] {
        let (line, column, message) = wrong("{ held = \"gate-a\", within = \"10s\", else = \"not-realised\" }", await_for);
        assert_eq!((line, column), (20, 1), "{message}");
        assert!(message.contains("exactly one thing"), "{message}");
    }
    assert!(wrong("else = \"not-realised\"", "count = 2, settled = true").2.contains("exactly one thing"));
}

#[test]
fn a_gate_must_have_a_rule_that_holds_there() {
    let (line, _, message) = wrong("release = \"gate-a\"", "release = \"gate-b\"");
    assert!(line == 21 && message.contains("did you mean \"gate-a\"?"), "{message}");
    let (line, _, message) = wrong("hold = \"gate-a\"", "hold = \"gate\"");
    assert_eq!(line, 20, "{message}");
}

#[test]
fn all_of_the_subject_is_paused_or_the_process_whose_request_a_gate_holds() {
    let paused = |written: &str| {
        let text = STORY.replace("revoke = \"grant\"", &format!("pause = {written}")).replace("not-realised", "go-on");
        Scenario::parse(&text).map(|story| (story.steps[1].acts[0].clone(), story.steps[1].wait.as_ref().map(|wait| wait.otherwise)))
    };
    let all = Act::Pause(Whom::All(Times::Number(1)));
    assert_eq!(paused("1").expect("is right"), (all, Some(Otherwise::GoOn)));
    let one = Act::Pause(Whom::One(Held { held: "gate-a".into() }));
    assert_eq!(paused("{ held = \"gate-a\" }").expect("is right").0, one);
    let error = paused("{ held = \"gate-b\" }").expect_err("nothing is held there").to_string();
    assert!(error.contains("did you mean \"gate-a\"?"), "{error}");
}

#[test]
fn a_story_tests_something() {
    let (line, _, message) = wrong("[\"RACE-08\"]", "[]");
    assert!(line == 4 && message.contains("at least one requirement"), "{message}");
}

#[test]
fn a_reply_cannot_be_replaced_when_half_of_it_is_out() {
    let text = STORY.replace("at = \"committed\"", "at = \"replying\"").replace("{ hold = \"gate-a\" }", "{ status = { code = 503 } }");
    let error = Scenario::parse(&text).expect_err("too late");
    assert_eq!((error.line, error.advice.as_deref()), (13, Some("at = \"committed\"")), "{error}");
}

#[test]
fn an_act_without_its_argument_is_told_what_is_missing() {
    for (act, message, advice) in [
        (r#""restart""#, "an act is a table that holds its argument", "{ restart = 1 }"),
        ("{ restart = {} }", "how often is missing", "{ restart = 1 }"),
        ("{ disconnect = \"now\" }", "how often is missing", "{ disconnect = 1 }"),
        ("{ need_refresh = 1 }", "what must be refreshed is missing", "{ need_refresh = \"access\" }"),
        ("{ revoke = 1 }", "what is revoked is missing", "{ revoke = \"grant\" }"),
    ] {
        let error = Scenario::parse(&format!("title = \"\"\nabout = \"\"\ntests = []\n\n[[step]]\ndo = [{act}]\n")).expect_err(act);
        assert_eq!((error.line, error.message.as_str()), (6, message), "{act}: {error}");
        assert!(error.to_string().contains(advice), "{act}: {error}");
    }
}

#[test]
fn what_is_no_toml_is_an_error_with_a_place() {
    assert_eq!(wrong("[provider]", "[provider").0, 6);
}

#[test]
fn the_name_that_ends_a_rule_can_be_released() {
    let text = STORY.replace("nth = 1 }", "nth = 1 }\nuntil = \"end\"").replace("{ release = \"gate-a\" }", "{ release = \"end\" }");
    assert!(Scenario::parse(&text).is_ok(), "{:?}", Scenario::parse(&text));
    assert!(Scenario::parse(&text.replace("{ release = \"end\" }", "{ drop = \"end\" }")).is_err(), "nothing is held there");
}

#[test]
fn every_story_that_ships_is_right() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios");
    let stories: Vec<_> = std::fs::read_dir(folder).expect("the stories").map(|entry| entry.expect("an entry").path()).collect();
    assert!(!stories.is_empty());
    for story in stories.iter().filter(|path| path.extension().is_some_and(|extension| extension == "toml")) {
        let text = std::fs::read_to_string(story).expect("readable");
        Scenario::parse(&text).unwrap_or_else(|error| panic!("{}: {error}", story.display()));
    }
}

const GATED: &str = r#"
title = "x"
about = "y"
tests = ["RACE-08"]
[gate.gate-a]
opens_at = 8
order = "reverse"
timeout = "10s"
then = "drop"
rearm = true
[[rule]]
on = { endpoint = "token", client = "crm", company = 1, generation = 2, probability = 0.5, from = "1s", for = "2s", clock = "real" }
fate = { hold = "gate-a" }
[[step]]
do = [{ release = { gate = "gate-a", order = "seeded" } }, { release = { gate = "gate-a", nth = 2 } }, { release = "gate-a" }]
"#;

#[test]
fn gates_open_as_told() {
    let story = Scenario::parse(GATED).expect("a right story");
    let options = &story.gates["gate-a"];
    assert_eq!((options.opens_at, options.order, options.timeout), (Some(8), Order::Reverse, Some(Duration::from_secs(10))));
    let never = GATED.replace("opens_at = 8\n", "").replace("timeout = \"10s\"\n", "");
    let error = Scenario::parse(&never).expect_err("it never opens by itself");
    assert!(error.line == 5 && error.message.contains("rearm goes with"), "{error}");
    let said = |from: &str, to: &str| {
        let text = GATED.replacen(from, to, 1);
        assert_ne!(text, GATED);
        let error = Scenario::parse(&text).expect_err("it is wrong");
        (error.line, error.to_string())
    };
    for (from, to, line, message) in [
        ("opens_at = 8", "opens_at = 0", 5, "counts from 1"),
        ("order = \"reverse\"", "order = \"backwards\"", 7, "reverse"),
        ("timeout = ", "timeuot = ", 8, "did you mean \"timeout\"?"),
        ("[gate.gate-a]", "[gate.gate-b]", 5, "did you mean \"gate-a\"?"),
        ("order = \"seeded\" }", "order = \"seeded\", nth = 1 }", 15, "either order or nth"),
        ("nth = 2", "nht = 2", 15, "did you mean \"nth\"?"),
        ("release = { gate = \"gate-a\", nth = 2 }", "release = 7", 15, "the name of a gate"),
    ] {
        let (at, told) = said(from, to);
        assert!(at == line && told.contains(message), "{from} -> {to}: {told}");
    }
}

#[test]
fn every_fate_is_written_as_the_contract_names_it() {
    for fate in [
        r#""pass""#,
        r#"{ delay = "2s" }"#,
        r#"{ hold = "gate-a" }"#,
        r#"{ status = { code = 503, retry_after = 30 } }"#,
        r#"{ status = { code = 429, retry_after = { date = "30s" } } }"#,
        r#"{ status = { code = 429, retry_after = "soon" } }"#,
        r#"{ replace = { status = 502, content_type = "text/html", headers = { X-Cache = "MISS" }, body = "<html>" } }"#,
        r#"{ redirect = { to = "/elsewhere", status = 307 } }"#,
        r#""drop""#,
        r#"{ truncate = {} }"#,
        r#"{ truncate = { after = 10, then = "reset" } }"#,
        r#"{ garble = "json" }"#,
        r#""reset""#,
        r#"{ throttle = { bytes_per_second = 20 } }"#,
        r#""hang""#,
        r#"{ reshape = { expires_in = "string", refresh_token = "absent", token_type = "bearer", tokens = "jwt", scopes = 1 } }"#,
        r#"{ reshape = { expires_in = 7, scopes = ["a"], extra = { id_token = "x", list = [1, { a = true }] } } }"#,
    ] {
        let text = format!("on = {{}}\nfate = {fate}");
        let rule: Rule = toml::from_str(&text).unwrap_or_else(|error| panic!("{fate}: {error}"));
        assert_eq!(rule.check(), Ok(()), "{fate}");
        let json = serde_json::to_string(&rule).expect("it is shown as JSON");
        assert_eq!(serde_json::from_str::<Rule>(&json).expect("it can be read again"), rule, "{json}");
    }
}

#[test]
fn a_fate_that_cannot_come_true_says_what_would() {
    for (rule, advice) in [
        (r#"fate = { redirect = { to = "http://example.test/" } }"#, "to = \"/elsewhere\""),
        (r#"fate = { redirect = { to = "/", status = 305 } }"#, "301, 302, 303, 307 or 308"),
        (r#"fate = { status = { code = 700 } }"#, "200 to 599"),
        (r#"fate = { reshape = {} }"#, "reshape = { expires_in"),
        (r#"fate = { reshape = { extra = { scope = "x" } } }"#, "extra is for"),
        ("at = \"replying\"\nfate = { garble = \"json\" }", "at = \"committed\""),
        (r#"fate = { replace = { body = "", headers = { "a b" = "c" } } }"#, "letters, digits"),
    ] {
        let rule: Rule = toml::from_str(&format!("on = {{}}\n{rule}")).unwrap_or_else(|error| panic!("{rule}: {error}"));
        let fault = rule.check().expect_err("it cannot come true");
        assert!(fault.advice.contains(advice), "{fault}");
    }
    for on in ["probability = 1.5", "clock = \"real\"", "nth = 0"] {
        let rule: Rule = toml::from_str(&format!("on = {{ {on} }}\nfate = \"drop\"")).expect("grammar");
        assert_eq!(rule.check().expect_err("it cannot come true").member, "on");
    }
    for (fate, near) in
        [("{ trunkate = {} }", "truncate"), ("{ garble = \"jsn\" }", "json"), ("{ reshape = { expires = 1 } }", "expires_in")]
    {
        let text = GATED.replace("{ hold = \"gate-a\" }", fate);
        let error = Scenario::parse(&text).expect_err("wrong").to_string();
        assert!(error.contains(&format!("did you mean {near:?}?")), "{error}");
    }
}

#[test]
fn the_schema_knows_all_that_is_read() {
    let schema = schemars::schema_for!(Scenario).to_value().to_string();
    for word in [
        "redirect",
        "truncate",
        "garble",
        "throttle",
        "bytes_per_second",
        "reshape",
        "expires_in",
        "fractional",
        "generation",
        "probability",
        "company",
        "for",
        "clock",
        "opens_at",
        "rearm",
        "seeded",
        "timeout",
        "retry_after",
        "gate",
    ] {
        assert!(schema.contains(&format!("\"{word}\"")), "{word}");
    }
}
