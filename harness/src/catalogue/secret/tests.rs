//! SECRET on hand-written histories.

use crate::{
    evidence::{CanaryForm, Found, LogStream, Place, What},
    judge::testing::*,
};

fn seen(canary: &str, place: Place, form: CanaryForm) -> Story {
    let story = Story::connected().mark("offence").log("a line with something in it");
    let line = u32::try_from(story.history.events.len()).expect("short");
    let found = Found { form, ..found(canary, place) };
    story.event(What::CanarySeen { found, seen: line }).rest().epilogue()
}

#[test]
fn an_honest_story_passes() {
    Story::honest().passes("SECRET-01");
    Story::honest().passes("SECRET-02");
}

#[test]
fn a_secret_in_a_log_fails_in_any_form() {
    for canary in ["access#1", "refresh#1", "secret#1", "verifier#1"] {
        for form in [CanaryForm::Raw, CanaryForm::Base64, CanaryForm::Percent, CanaryForm::Prefix] {
            seen(canary, Place::Log(LogStream::Stdout), form).fails("SECRET-01", &format!("{canary} stands in standard output"));
        }
    }
    seen("access#1", Place::Log(LogStream::File("app.log".into())), CanaryForm::Raw).fails("SECRET-01", "app.log");
}

#[test]
fn a_secret_in_a_url_or_referer_fails() {
    seen("access#1", Place::Url, CanaryForm::Raw).fails("SECRET-02", "access#1 stands in the URL");
    seen("verifier#1", Place::Referer, CanaryForm::Raw).fails("SECRET-02", "the Referer");
}

#[test]
fn codes_states_and_other_places_belong_to_other_requirements() {
    for (canary, place) in [
        ("code#1", Place::Log(LogStream::Stdout)),
        ("state#1", Place::Log(LogStream::Stdout)),
        ("code#1", Place::Referer),
        ("access#1", Place::Page("prompt".into())),
        ("access#1", Place::Row("app.db tokens.value".into())),
    ] {
        let story = seen(canary, place, CanaryForm::Raw);
        story.passes("SECRET-01");
        story.passes("SECRET-02");
    }
}

#[test]
fn without_a_line_after_a_token_was_used_nothing_is_known() {
    let story = Story::connected().without(|e| e.n > 10 && matches!(e.what, What::Log { .. }));
    let finding = story.undecided("SECRET-01", "no log line was seen after a token was used");
    assert_eq!(finding.unlock.as_deref(), Some("logs.files"));
    Story::new().began().started().undecided("SECRET-01", "no token was used");
    Story::new().began().started().undecided("SECRET-02", "no token was on the wire");
    Story::honest().event(What::LogFlooded { lines: 7 }).undecided("SECRET-01", "too many log lines");
}
