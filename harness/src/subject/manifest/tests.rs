//! Manifests, right and wrong; what a person is told about the wrong ones.
#![allow(clippy::expect_used, clippy::panic, reason = "a test may say what it expected")]

use std::{path::Path, time::Duration};

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::*;
use crate::subject::Signal;

/// The smallest useful one, from the contract.
const SMALLEST: &str = r#"contract = 1
name     = "crm-sync"

[start]
run   = ["python3", "app.py"]
ready = "{base_url}/"

[start.env]
AUTHORIZE_URL = "{authorize_url}"
TOKEN_URL     = "{token_url}"
API_URL       = "{api_url}"
CLIENT_ID     = "{client_id}"
CLIENT_SECRET = "{client_secret}"
REDIRECT_URI  = "{base_url}/callback"
PORT          = "{port}"

[connect]
http = "GET {base_url}/connect"

[trigger]
http = "POST {base_url}/sync"
"#;

/// Every key that this release acts on, or leaves aside with a note.
const LARGEST: &str = r#"contract = 1
name     = "crm-sync"
[build]
run = ["npm", "ci"]
[start]
run      = ["node", "."]
cwd      = "."
reset    = [["dropdb", "--if-exists", "crm_{run_id}"]]
prepare  = [["./migrate"]]
inherit  = ["AWS_PROFILE"]
ready    = { log = "listening on \\d+" }
timeout  = "45s"
restart  = "on-exit"
reload   = { signal = "HUP" }
redirect_uri = "{base_url}/callback"
[start.env]
PORT = "{port}"
WORKERS = 4
DEBUG = false
[[start.also]]
name = "queue"
run  = ["php", "artisan", "queue:work"]
role = "subject"
ready = { log = "Processing" }
[[start.also]]
name = "redis"
run  = ["redis-server", "--port", "{port:redis}"]
role = "service"
ready = { tcp = "{port:redis}" }
timeout = "10s"
[provider]
tls       = false
listen    = "127.0.0.1:0"
reachable_as = "host.docker.internal"
client    = { id = "a", secret = "b" }
scopes    = ["export-jobs:read"]
pkce      = "optional"
[[api.reply]]
on   = "POST /v1/accounting-entries:search"
json = { data = [] }
[[login]]
steps = [{ get = "{base_url}/login" }, { fill = { email = "test@example.test", password = "test" }, submit = "Log in" }]
[connect]
steps    = [{ get = "{base_url}/settings" }, { click = "Connect Pleo" }]
opens    = { json = "/url" }
callback = { run = ["./cli", "finish", "{callback_url}"] }
[trigger]
http     = "POST {base_url}/expenses"
headers  = { X-Tenant = "{connection}" }
json     = { id = "{item_id}", deep = [1, { x = "{run_id}" }] }
accepted = { status = "2xx" }
refused  = { status = [302, 401, "5xx"] }
done     = { poll = "{base_url}/jobs/{item_id}", json = "/state", is = "done" }
exits    = [0, 75]
[[trigger.also]]
name   = "webhook"
http   = "POST {base_url}/webhooks/pleo"
signed = true
[[trigger.also]]
name   = "cron"
run    = ["./cron", "{item_id}"]
[work]
kind = "push"
[status]
http         = "GET {base_url}/status"
connected    = { json = "/state", is = "connected" }
disconnected = { status = 401 }
broken       = { text = "(?i)error" }
count        = { json = "/connections", length = true }
[disconnect]
http = "POST {base_url}/disconnect"
form = { sure = true }
[stop]
signal  = "INT"
grace   = "1s"
kill    = { run = ["docker", "kill", "crm-{run_id}"] }
pause   = { run = ["docker", "pause", "crm-{run_id}"] }
resume  = { run = ["docker", "unpause", "crm-{run_id}"] }
cleanup = [["docker", "compose", "-p", "{run_id}", "down", "-v"]]
[prompt]
http    = "GET {base_url}/"
says    = "reconnect|expired"
from    = "/deep/page?x=1"
[settings]
http = "GET {base_url}/settings"
[data]
run = ["./cli", "records"]
[storage]
paths = ["{state_dir}"]
dump  = [["redis-cli", "-p", "{port:redis}", "--scan"]]
urls  = ["postgres://127.0.0.1/crm_{run_id}"]
[logs]
files = ["{state_dir}/logs/*.log"]
otlp  = true
refresh_failed   = "refresh failed"
detected         = { json = { event = "lost" } }
[features]
confidential     = true
processes        = 2
connections      = ["acme", "globex"]
period           = "none"
refresh_attempts = 2
token_timeout    = "30s"
memory           = "report"
[not_applicable]
"PROMPT-04" = "headless service; the operator is paged"
"#;

fn parse(text: &str) -> Result<Manifest, Box<ManifestError>> {
    Manifest::parse(text, "regrant.toml", Path::new(env!("CARGO_MANIFEST_DIR")), &[])
}

fn set(sets: &[(&str, &str)]) -> Result<Manifest, Box<ManifestError>> {
    let sets: Vec<_> = sets.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    Manifest::parse(SMALLEST, "regrant.toml", Path::new(env!("CARGO_MANIFEST_DIR")), &sets)
}

fn rendered(error: &ManifestError) -> String {
    let mut out = String::new();
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor()).with_width(100).with_links(false);
    handler.render_report(&mut out, error).expect("rendered");
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// What is told when `wrong` stands in place of `right` in the smallest manifest.
fn told(right: &str, wrong: &str) -> String {
    assert!(SMALLEST.contains(right), "{right}");
    match parse(&SMALLEST.replacen(right, wrong, 1)) {
        Ok(_) => panic!("{wrong:?} was accepted"),
        Err(error) => rendered(&error),
    }
}

fn told_with(more: &str) -> String {
    match parse(&format!("{SMALLEST}{more}")) {
        Ok(_) => panic!("{more:?} was accepted"),
        Err(error) => rendered(&error),
    }
}

#[test]
fn the_smallest_manifest_is_read() {
    let manifest = parse(SMALLEST).expect("right");
    let start = manifest.start.as_ref().expect("started");
    assert_eq!(start.run.as_deref(), Some(["python3".to_owned(), "app.py".to_owned()].as_slice()));
    assert!(matches!(&start.ready, Ready::Http(address) if address == "{base_url}/"));
    assert_eq!(start.timeout, Duration::from_secs(30));
    assert_eq!(start.env["PORT"], "{port}");
    let Verb::Http(call) = &manifest.trigger.verb else { panic!("{:?}", manifest.trigger.verb) };
    assert_eq!((call.method.as_str(), call.url.as_str()), ("POST", "{base_url}/sync"));
    assert_eq!(manifest.connect.opens, Opens::Redirect);
    assert_eq!(manifest.stop.how, StopHow::Signal(Signal::Term));
    assert_eq!(manifest.storage.paths, ["{state_dir}"]);
    assert_eq!(manifest.features.refresh_attempts, 1);
    assert_eq!(manifest.disconnect, Disconnect::Undeclared);
    assert_eq!((manifest.single_job_only(), manifest.unsupported().len(), manifest.one_shot()), (None, 0, false));
}

#[test]
fn the_largest_manifest_is_read() {
    let manifest = parse(LARGEST).map_err(|error| rendered(&error)).expect("right");
    let start = manifest.start.as_ref().expect("started");
    assert_eq!(start.reload, Some(Reload::Signal(Signal::Hup)));
    assert_eq!((start.env["WORKERS"].as_str(), start.env["DEBUG"].as_str()), ("4", "false"));
    assert_eq!(
        start.also.iter().map(|also| (also.name.as_str(), also.role)).collect::<Vec<_>>(),
        [("queue", Role::Subject), ("redis", Role::Service)]
    );
    assert_eq!(manifest.port_names().iter().collect::<Vec<_>>(), ["redis"]);
    assert!(manifest.trigger.refused.as_ref().is_some_and(
        |refused| matches!(refused, StatusPattern::Status(set) if set.contains(302) && set.contains(503) && !set.contains(404))
    ));
    assert_eq!(
        manifest.also.iter().map(|also| (also.name.as_str(), also.signed)).collect::<Vec<_>>(),
        [("webhook", true), ("cron", false)]
    );
    assert_eq!(manifest.work, Some(WorkKind::Push));
    assert_eq!(manifest.features.period, Some(None));
    assert_eq!(manifest.connect.opens, Opens::Json("/url".into()));
    let notes: Vec<_> = manifest.unsupported().iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(notes, ["logs.otlp", "storage.urls", "features.memory"]);
    assert_eq!(manifest.single_job_only(), None);
}

#[test]
fn only_a_request_can_be_signed() {
    let with = |source: &str| parse(&format!("{SMALLEST}\n[[trigger.also]]\nname = \"webhook\"\nsigned = true\n{source}\n"));
    let signed =
        with("http = \"POST {base_url}/hook\"\njson = { key = \"{webhook_secret}\" }").map_err(|error| rendered(&error)).expect("right");
    assert!(signed.also[0].signed && signed.unsupported().is_empty());
    for source in ["run = [\"./hook\"]", "steps = [{ get = \"{base_url}/hook\" }]", "auto = true"] {
        let error = with(source).expect_err("nothing to sign");
        assert!(rendered(&error).contains("only a request can be signed"), "{}", rendered(&error));
    }
}

#[test]
fn a_subscription_that_the_subject_makes_is_not_declared() {
    let source = "[[trigger.also]]\nname = \"own subscription\"\nhttp = \"POST {base_url}/hook\"\n";
    let error = parse(&format!("{SMALLEST}\n{source}")).expect_err("taken");
    assert!(rendered(&error).contains("leave this source out: it is one by itself"), "{}", rendered(&error));
}

#[test]
fn a_program_started_by_cron_needs_no_start() {
    let manifest = parse("contract = 1\nname = \"cron\"\nconnect.run = [\"./cli\", \"connect\"]\ntrigger.run = [\"./cli\", \"sync\"]\n")
        .expect("right");
    assert!(manifest.one_shot());
    assert_eq!(manifest.connect.opens, Opens::Stdout);
}

#[test]
fn a_folder_means_the_manifest_in_it() {
    let folder = tempfile::tempdir().expect("folder");
    std::fs::write(folder.path().join("regrant.toml"), SMALLEST).expect("written");
    let manifest = Manifest::load(folder.path(), &[]).expect("right");
    assert_eq!(manifest.base_dir, folder.path().canonicalize().expect("there"));
    let error = Manifest::load(&folder.path().join("none.toml"), &[]).expect_err("none");
    assert!(error.to_string().contains("cannot be read"), "{error}");
}

#[test]
fn literal_ports_and_shared_stores_allow_one_sandbox_at_a_time() {
    for (right, literal) in [
        ("GET {base_url}/connect", "GET http://localhost:8080/connect"),
        ("PORT          = \"{port}\"", "PORT = 8080"),
        ("PORT          = \"{port}\"", "HTTP_PORT = \"8080\""),
        ("PORT          = \"{port}\"", "BIND = \"127.0.0.1:8080\""),
    ] {
        let manifest = parse(&SMALLEST.replacen(right, literal, 1)).expect("right");
        assert!(manifest.single_job_only().is_some(), "{literal}");
    }
    for more in ["[storage]\nurls = [\"postgres://127.0.0.1/crm\"]", "[provider]\nlisten = \"127.0.0.1:4010\""] {
        assert!(parse(&format!("{SMALLEST}{more}")).expect("right").single_job_only().is_some(), "{more}");
    }
    for more in ["[storage]\nurls = [\"redis://127.0.0.1:{port:redis}/0\"]", "[provider]\nlisten = \"127.0.0.1:0\""] {
        assert_eq!(parse(&format!("{SMALLEST}{more}")).expect("right").single_job_only(), None, "{more}");
    }
}

#[test]
fn variables_and_fields_may_be_called_like_keys() {
    let manifest = parse(&SMALLEST.replacen("PORT ", "log = \"{port:log}\"\nget = \"/x\"\nrun = \"a\"\nPORT ", 1)).expect("right");
    assert_eq!(manifest.port_names().iter().collect::<Vec<_>>(), ["log"]);
    assert!(parse(&SMALLEST.replacen("PORT ", "text = \"{por}\"\nPORT ", 1)).is_err());
}

#[test]
fn keys_can_be_set_from_outside() {
    let manifest =
        set(&[("start.env.MODE", "fast and loose"), ("start.timeout", "5s"), ("start.run.1", "other.py"), ("stop.grace", "\"2s\"")])
            .expect("right");
    let start = manifest.start.expect("started");
    assert_eq!((start.env["MODE"].as_str(), start.timeout), ("fast and loose", Duration::from_secs(5)));
    assert_eq!(start.run.as_deref(), Some(["python3".to_owned(), "other.py".to_owned()].as_slice()));
    assert_eq!(manifest.stop.grace, Duration::from_secs(2));
    assert_eq!(set(&[("features.processes", "2")]).expect("right").features.processes, Some(2));
}

#[test]
fn the_place_of_an_error_is_known() {
    let error = parse(&SMALLEST.replacen("[trigger]", "[triger]", 1)).expect_err("wrong");
    assert_eq!(error.place(), Some((20, 2)));
}

#[test]
fn the_schema_knows_every_table_and_refuses_others() {
    let schema = Manifest::schema();
    let properties = schema["properties"].as_object().expect("properties");
    for table in [
        "build",
        "start",
        "provider",
        "api",
        "login",
        "connect",
        "trigger",
        "work",
        "status",
        "disconnect",
        "stop",
        "prompt",
        "settings",
        "data",
        "storage",
        "logs",
        "features",
        "not_applicable",
        "intercept",
    ] {
        assert!(properties.contains_key(table), "{table}");
    }
    assert_eq!(schema["additionalProperties"], serde_json::json!(false));
    assert_eq!(schema["required"], serde_json::json!(["contract", "name", "connect", "trigger"]));
}

#[test]
fn every_example_in_a_help_is_itself_right() {
    for (key, line) in super::wording::EXAMPLES {
        if line.starts_with('[') {
            continue;
        }
        let table: toml::Table = line.split(", or ").next().and_then(|one| one.parse().ok()).expect(line);
        let words: Vec<&str> = key.split('.').collect();
        assert!(words.iter().rev().take(2).any(|word| table.contains_key(*word)), "{key}: {line}");
    }
}

macro_rules! told {
    ($($name:ident: $told:expr;)*) => {
        $(#[test]
        fn $name() {
            insta::assert_snapshot!($told);
        })*
    };
}

told! {
    an_unknown_table_is_told_with_the_nearest: told("[trigger]", "[triger]");
    an_unknown_key_is_told_with_the_nearest: told("ready = ", "redy = ");
    an_unknown_key_in_a_list_is_told: told_with("[[start.also]]\nname = \"q\"\nrun = [\"q\"]\nrol = \"service\"\n");
    an_unknown_key_like_no_other_is_told: told_with("[status]\nhttp = \"GET {base_url}/s\"\nxyzzy = 1\n");
    an_unknown_placeholder_is_told_with_the_nearest: told("\"{port}\"", "\"{por}\"");
    a_placeholder_out_of_place_is_told: told("\"{port}\"", "\"{item_id}\"");
    a_wrong_type_is_told_with_an_example: told("[\"python3\", \"app.py\"]", "\"python3 app.py\"");
    a_wrong_type_deep_inside_is_told: told_with("[features]\nprocesses = \"two\"\n");
    a_wrong_word_is_told_with_the_right_ones: told_with("[work]\nkind = \"exports\"\n");
    two_forms_of_a_verb_are_told: told("[trigger]", "[trigger]\nrun = [\"x\"]");
    no_form_of_a_verb_is_told: told_with("[status]\nconnected = { status = 200 }\n");
    a_missing_table_is_told: told("[trigger]\nhttp = \"POST {base_url}/sync\"\n", "");
    a_missing_start_is_told: told(&SMALLEST[SMALLEST.find("[start]").unwrap_or(0)..SMALLEST.find("[connect]").unwrap_or(0)], "");
    a_missing_key_is_told: told_with("[[start.also]]\nname = \"q\"\n");
    a_bad_duration_is_told: told("ready = ", "timeout = \"30 seconds\"\nready = ");
    a_bad_regex_is_told: told_with("[prompt]\nhttp = \"GET {base_url}/\"\nsays = \"(reconnect\"\n");
    a_bad_status_is_told: told_with("[status]\nhttp = \"GET {base_url}/s\"\nconnected = { status = 1000 }\n");
    another_contract_is_told: told("contract = 1", "contract = 2");
    a_missing_contract_is_told: told("contract = 1\n", "");
    a_missing_folder_is_told: told("ready = ", "cwd = \"no/such/folder\"\nready = ");
    an_address_elsewhere_is_told: told("GET {base_url}/connect", "GET https://crm.example.com/connect");
    a_path_in_place_of_an_address_is_told: told("GET {base_url}/connect", "GET /connect");
    a_missing_method_is_told: told("GET {base_url}/connect", "{base_url}/connect");
    a_pattern_without_its_value_is_told: told_with("[status]\nhttp = \"GET {base_url}/s\"\nconnected = { json = \"/state\" }\n");
    a_pointer_without_a_slash_is_told: told_with("[status]\nhttp = \"GET {base_url}/s\"\nconnected = { json = \"a.b\", is = 1 }\n");
    broken_toml_is_told: told("[connect]", "[connect");
    what_is_not_supported_is_told: told("run   = [\"python3\", \"app.py\"]", "attach = \"http://127.0.0.1:8080\"");
    a_person_at_the_terminal_is_not_supported: told("http = \"POST {base_url}/sync\"", "human = \"Press Sync\"");
    a_reason_must_be_given: told_with("[not_applicable]\n\"PROMPT-04\" = \"\"\n");
    a_wrong_set_is_told: rendered(&set(&[("start.timeout", "soon")]).expect_err("wrong"));
    an_unknown_set_is_told: rendered(&set(&[("start.tiemout", "5s")]).expect_err("wrong"));
    an_impossible_set_is_told: rendered(&set(&[("name.first", "x")]).expect_err("wrong"));
}
