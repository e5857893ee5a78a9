//! SECRET on hand-written histories.

use crate::{
    evidence::{CanaryForm, Found, LogStream, Outcome, Place, What},
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

#[test]
fn what_was_packed_away_counts_as_log_and_what_cannot_be_unpacked_decides_nothing() {
    let packed = || Place::Log(LogStream::File("app.log.2.gz".into()));
    seen("access#1", packed(), CanaryForm::Compressed).fails("SECRET-01", "access#1 stands in app.log.2.gz");
    seen("code#1", packed(), CanaryForm::Compressed).fails("SECRET-07", "code#1 stands in app.log.2.gz");
    let unread = || Story::honest().event(What::LogUnread { reason: "app.log.2.gz: not wholly unpacked".into() });
    for id in ["SECRET-01", "SECRET-07"] {
        unread().undecided(id, "app.log.2.gz: not wholly unpacked");
    }
}

// --- pages ---

#[test]
fn a_token_or_the_client_secret_on_a_page_fails() {
    for canary in ["access#1", "refresh#1", "secret#1"] {
        seen(canary, Place::Page("status".into()), CanaryForm::Raw).fails("SECRET-03", &format!("{canary} stands in what `status`"));
    }
    for canary in ["code#1", "state#1", "verifier#1"] {
        seen(canary, Place::Page("status".into()), CanaryForm::Raw).passes("SECRET-03");
    }
}

#[test]
fn a_page_must_have_been_answered_with_success() {
    Story::honest().passes("SECRET-03");
    let mute = Story::honest().without(|e| matches!(e.what, What::PromptRead(_) | What::VerbAnswered { .. }));
    let finding = mute.undecided("SECRET-03", "no page was answered with success");
    assert!(finding.unlock.is_some());
}

// --- at rest ---

/// Two refreshes, after each of which the store is searched.
fn twice_refreshed(story: Story) -> Story {
    (0..2).fold(story, |story, _| story.rejected().trigger().api(401).refreshes().delivers().answered(Outcome::Accepted).rest())
}

fn with_places(story: Story, to: &Place) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::StorageScanned { found, .. } = &mut event.what {
                found.iter_mut().for_each(|found| found.place = to.clone());
            }
        }
    })
}

fn told(story: Story, text: bool, open: bool) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::StorageScanned { files, open_to_others, .. } = &mut event.what {
                for file in files {
                    (file.text, file.open) = (text, open);
                    if open {
                        open_to_others.push((Place::File(file.path.clone()), "0644".into()));
                    }
                }
            }
        }
    })
}

#[test]
fn an_encrypted_store_passes_once_it_changed_twice() {
    let story = twice_refreshed(Story::connected());
    for id in ["SECRET-04", "SECRET-05", "SECRET-08"] {
        story.passes(id);
        // Nobody can show its content either.
        with_places(story.clone(), &Place::Log(LogStream::Stdout)).passes(id);
        Story::connected().is_not_accused(&[id]);
    }
    Story::connected().undecided("SECRET-04", "nothing under the probes changed");
}

#[test]
fn a_token_in_a_row_is_in_the_clear_but_in_no_text_file() {
    let story = with_places(twice_refreshed(Story::connected()), &Place::Row("app.db tokens.value".into()));
    story.fails("SECRET-04", "access#1 lies in the clear in the database, app.db tokens.value");
    story.passes("SECRET-08");
    story.passes("SECRET-05");
    told(story, false, true).fails("SECRET-05", "may be read by every user of the machine (mode 0644)");
}

#[test]
fn a_token_in_a_text_file_fails_both() {
    let story = with_places(twice_refreshed(Story::connected()), &Place::File("app.db".into()));
    told(story.clone(), true, false).fails("SECRET-04", "in the file app.db");
    told(story.clone(), true, false).fails("SECRET-08", "app.db, which is plain text");
    told(story, false, false).undecided("SECRET-08", "which is no plain text");
}

#[test]
fn encoded_is_not_encrypted_and_a_part_decides_nothing() {
    let form = |form: CanaryForm| {
        with_places(twice_refreshed(Story::connected()), &Place::File("app.db".into())).with(|s| {
            for event in &mut s.history.events {
                if let What::StorageScanned { found, .. } = &mut event.what {
                    found.iter_mut().for_each(|found| found.form = form);
                }
            }
        })
    };
    told(form(CanaryForm::Base64), true, false).fails("SECRET-04", "in base64, which is no encryption");
    told(form(CanaryForm::Base64), true, false).is_not_accused(&["SECRET-08"]);
    told(form(CanaryForm::Compressed), false, false).fails("SECRET-04", "compressed, which is no encryption");
    told(form(CanaryForm::Compressed), false, false).is_not_accused(&["SECRET-08"]);
    form(CanaryForm::Prefix).undecided("SECRET-04", "a part of access#1");
}

#[test]
fn an_open_file_that_cannot_be_read_is_no_proof() {
    told(twice_refreshed(Story::connected()), false, true).undecided("SECRET-05", "what it holds cannot be read");
}

// --- logins ---

/// The user takes their time at the consent page, then comes back; these are found before and after.
fn lingering(before: &[&str], after: &[&str]) -> Story {
    let dump = |names: &[&str]| {
        let found = names.iter().map(|name| found(name, Place::Dump("show tokens".into()))).collect();
        What::StorageScanned { places: 9, found, unread: Vec::new(), open_to_others: Vec::new(), files: Vec::new() }
    };
    let mut story = Story::connected().sets_out().authorizes();
    let callback = story.history.events.pop().expect("the callback");
    story = story.settled().event(dump(before)).event(callback.what).exchanges().arrives();
    story.settled().mark("offence").event(dump(after)).works()
}

#[test]
fn what_a_login_needed_must_be_gone_after_it() {
    lingering(&["state#2"], &[]).passes("SECRET-06");
    lingering(&["state#2"], &["access#2"]).passes("SECRET-06");
    for left in ["state#2", "verifier#2", "code#2"] {
        lingering(&["state#2"], &[left]).fails("SECRET-06", &format!("{left} is still in the output of `show tokens`"));
    }
    // A state that was never used is none of this.
    lingering(&["state#2"], &["state#3"]).passes("SECRET-06");
    lingering(&[], &[]).undecided("SECRET-06", "no state was found in storage");
    lingering(&[], &["verifier#2"]).fails("SECRET-06", "verifier#2");
}

#[test]
fn a_code_in_a_log_or_a_referer_fails() {
    seen("code#1", Place::Log(LogStream::Stderr), CanaryForm::Percent).fails("SECRET-07", "code#1 stands in standard error");
    seen("code#1", Place::Referer, CanaryForm::Raw).fails("SECRET-07", "code#1 stands in the Referer");
    seen("state#1", Place::Log(LogStream::Stderr), CanaryForm::Raw).passes("SECRET-07");
    Story::honest().passes("SECRET-07");
    let silent = Story::connected().without(|e| e.n > 3 && matches!(e.what, What::Log { .. }));
    silent.undecided("SECRET-07", "no log line was seen after a code was delivered");
}
