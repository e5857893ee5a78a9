//! PROMPT on hand-written histories.

use crate::{
    evidence::{Outcome, Says, What},
    judge::ConnectBy,
    judge::testing::*,
};

/// Refused; its page shows this.
fn shows(text: &str, says: Says, leads: bool) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    story.with(|s| s.subject.page = (text.into(), says, leads)).answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue()
}

/// Its page looks like this whenever it is connected.
fn always(text: &str, says: Says, leads: bool, story: Story) -> Story {
    story.with(|s| {
        for event in &mut s.history.events {
            if let What::PromptRead(page) = &mut event.what
                && page.text == "All is well"
            {
                page.text = text.into();
                page.says = says;
                page.leads_to_authorize = leads;
            }
        }
    })
}

#[test]
fn an_honest_story_passes() {
    Story::honest().passes("PROMPT-01");
    Story::honest().passes("PROMPT-02");
}

#[test]
fn a_page_without_a_way_back_fails() {
    shows("Something went wrong", Says::No, false).fails("PROMPT-01", "nothing on the page leads to the authorise endpoint");
    shows("Access has ended. Write to support", Says::Yes, false).fails("PROMPT-01", "nothing on the page leads");
    shows("Access has ended. Write to support", Says::Yes, false).passes("PROMPT-02");
}

#[test]
fn a_page_that_never_differs_is_no_prompt() {
    for leads in [true, false] {
        let story = always("All is well", Says::No, leads, shows("All is well", Says::No, leads));
        // No offence either, unless the status knows better and nothing leads back.
        let story = if leads { story } else { story.without(|e| matches!(e.what, What::StatusRead { .. })) };
        story.undecided("PROMPT-01", "same as while connected");
        story.undecided("PROMPT-02", "same as while connected");
        story.terms(|t| t.prompt_says = true).undecided("PROMPT-02", "same as while connected");
    }
}

#[test]
fn beside_a_permanent_button_the_new_sentences_count() {
    let button = "Bridge\nBooks accounts for Pleo.\nConnect Pleo, or reconnect it";
    let permanent = |text: &str| always(button, Says::Yes, true, shows(&format!("{text}\n{button}"), Says::Yes, true));
    let told = permanent("Pleo no longer lets us in. Please reconnect to go on.");
    told.passes("PROMPT-01");
    told.passes("PROMPT-02");
    for text in ["Error 17.", "/connect?please reconnect", "The last run was on Monday."] {
        permanent(text).undecided("PROMPT-01", "led to the authorise endpoint while connected, too");
        let finding = permanent(text).undecided("PROMPT-02", "says so while connected, too");
        assert_eq!(finding.unlock.as_deref(), Some("prompt.says = \"regex\""));
    }
    told.terms(|t| t.prompt_says = true).undecided("PROMPT-02", "says so while connected, too");
}

#[test]
fn a_page_that_goes_on_to_say_connected_fails_where_no_way_back_is_shown() {
    let stale = |text: &str, leads| always(text, Says::No, leads, shows(text, Says::No, leads));
    for text in ["Pleo is connected.", "Pleo: connected", "Keeper. Connected with Pleo. Last run yesterday"] {
        stale(text, false).fails("PROMPT-01", "still says that it is connected");
        stale(text, false).fails("PROMPT-02", "still says that it is connected");
        stale(text, false).terms(|t| t.connect = ConnectBy::Command).undecided("PROMPT-01", "same as while connected");
        stale(text, true).undecided("PROMPT-01", "same as while connected");
        stale(text, true).undecided("PROMPT-02", "same as while connected");
        // Told elsewhere.
        stale(text, false).terms(|t| t.prompt_log = Some("TELL".into())).undecided("PROMPT-02", "same as while connected");
    }
    let vague = [
        "Status: connected",
        "Fortnox is connected. Exports from Pleo run at night",
        "Not connected yet?",
        "Get connected to Pleo",
        "You can be connected in a minute",
        "Is connected. Bank: not connected",
        "Disconnected",
    ];
    for text in vague {
        let unread = stale(text, false).without(|e| matches!(e.what, What::StatusRead { .. }));
        unread.undecided("PROMPT-01", "same as while connected");
        stale(text, false).undecided("PROMPT-02", "same as while connected");
    }
}

#[test]
fn a_permanent_link_neither_acquits_nor_accuses() {
    let permanent = |text: &str, says| always("All is well. Reconnect", Says::No, true, shows(text, says, true));
    permanent("Error 17. Reconnect", Says::No).undecided("PROMPT-01", "led to the authorise endpoint while connected, too");
    permanent("Access has ended. Reconnect", Says::Yes).passes("PROMPT-01");
    let both = always("Access is fine. Reconnect", Says::Yes, true, shows("Access is gone. Reconnect", Says::Yes, true));
    both.undecided("PROMPT-01", "while connected, too");
    both.undecided("PROMPT-02", "says so while connected, too");
}

#[test]
fn where_a_command_connects_the_words_are_the_way() {
    let by_command = |text: &str, says: Says| shows(text, says, false).terms(|t| t.connect = ConnectBy::Command);
    let finding = by_command("Access has ended: run `sync login`", Says::Yes).passes("PROMPT-01");
    assert_eq!(finding.evidence.len(), 3);
    let finding = by_command("Error 17", Says::No).undecided("PROMPT-01", "no words were recognised");
    assert_eq!(finding.unlock.as_deref(), Some("prompt.says = \"regex\""));
    by_command("Error 17", Says::No).terms(|t| t.prompt_says = true).fails("PROMPT-01", "nothing on the page leads");
    let never_back = Story::connected().dies().asked_in_vain(2).rest().with(|s| {
        for event in &mut s.history.events {
            if let What::PromptRead(page) = &mut event.what {
                page.leads_to_authorize = false;
            }
        }
    });
    never_back.terms(|t| t.connect = ConnectBy::Command).undecided("PROMPT-01", "was not seen to work");
    blip(("All is well", Says::No, false), 2).terms(|t| t.connect = ConnectBy::Command).passes("PROMPT-03");
    let story = Story::connected().rejected().trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).settled().scan();
    let story = story.with(|s| s.subject.page = ("Run `sync login`".into(), Says::Yes, false)).looks().rest().epilogue();
    story.terms(|t| t.connect = ConnectBy::Command).fails("PROMPT-03", "a fault that would have passed");
}

#[test]
fn where_a_script_connects_a_page_without_links_accuses_nobody_and_acquits_nobody() {
    for says in [Says::Yes, Says::No] {
        let finding = shows("Access has ended", says, false).terms(|t| t.connect = ConnectBy::Script).undecided("PROMPT-01", "a script");
        assert!(finding.unlock.is_some());
    }
    shows("Access has ended", Says::Yes, true).terms(|t| t.connect = ConnectBy::Script).passes("PROMPT-01");
}

#[test]
fn words_that_are_not_known_accuse_only_where_the_manifest_gives_them() {
    let bare = || shows("Verbinden", Says::No, true);
    let finding = bare().undecided("PROMPT-02", "no words were recognised");
    assert_eq!(finding.unlock.as_deref(), Some("prompt.says = \"regex\""));
    bare().terms(|t| t.prompt_says = true).fails("PROMPT-02", "does not say that access must be restored");
    bare().passes("PROMPT-01");
}

#[test]
fn without_a_page_nothing_is_known() {
    for id in ["PROMPT-01", "PROMPT-02", "PROMPT-03"] {
        let finding = Story::honest().terms(|t| t.prompt = false).undecided(id, "it is not known where");
        assert_eq!(finding.unlock.as_deref(), Some("[prompt]"));
    }
    let unread = || Story::honest().without(|e| matches!(e.what, What::PromptRead(_)));
    unread().undecided("PROMPT-01", "was not read while connected");
    let not_after = Story::honest().without(|e| matches!(&e.what, What::PromptRead(page) if page.says == Says::Yes));
    not_after.undecided("PROMPT-01", "was not read after the refusal");
}

/// Two triggers meet a fault, with the page read after each; then the provider is back, and later the grant dies.
fn blip(page: (&str, Says, bool), faults: usize) -> Story {
    let page = (page.0.to_owned(), page.1, page.2);
    let story = Story::connected().rejected();
    let story = (0..faults).fold(story, |story, _| {
        let story = story.trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).settled().scan();
        story.with(|s| s.subject.page = page.clone()).mark("offence").looks()
    });
    let story = story.with(|s| s.subject.page = ("All is well".into(), Says::No, false));
    story.trigger().refreshes().delivers().answered(Outcome::Accepted).rest().dies().asked_in_vain(2).rest().epilogue()
}

#[test]
fn no_prompt_during_a_fault_and_one_when_it_is_due_pass() {
    blip(("All is well", Says::No, false), 2).passes("PROMPT-03");
    blip(("Pleo does not answer; trying again", Says::No, false), 2).passes("PROMPT-03");
}

#[test]
fn a_prompt_for_a_fault_fails() {
    let story =
        Story::connected().rejected().trigger().mark("fault").faulted(Answer::Unavailable).answered(Outcome::Accepted).settled().scan();
    let story = story.with(|s| s.subject.page = ("Please reconnect".into(), Says::Yes, true)).looks();
    let finding = story.rest().epilogue().fails("PROMPT-03", "a fault that would have passed");
    assert_eq!(finding.evidence.len(), 2);
    blip(("A link", Says::No, true), 2).finding("PROMPT-03");
}

#[test]
fn a_notice_beside_a_permanent_link_is_no_prompt() {
    let story = always("All is well. Reconnect", Says::No, true, blip(("Pleo does not answer. Reconnect", Says::No, true), 2));
    story.passes("PROMPT-03");
    // What the user asked for, and what became of the grant meanwhile, is no fault's doing.
    let denied = Story::connected().rejected().trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).rest().disconnects();
    let denied = denied.with(|s| s.subject.page = ("Connect".into(), Says::Yes, true)).answered(Outcome::Accepted).rest();
    denied.is_not_accused(&["PROMPT-03"]);
}

#[test]
fn each_missing_control_of_prompt_03_is_named() {
    blip(("All is well", Says::No, false), 1).undecided("PROMPT-03", "only once");
    Story::honest().undecided("PROMPT-03", "no transient fault was met");
    let alive =
        Story::connected().rejected().trigger().faulted(Answer::Dropped).faulted(Answer::Dropped).answered(Outcome::Accepted).rest();
    alive.rest().epilogue().undecided("PROMPT-03", "no real refusal followed");
    let dumb = blip(("All is well", Says::No, false), 2).with(|s| {
        for event in &mut s.history.events {
            if let What::PromptRead(page) = &mut event.what {
                page.leads_to_authorize = false;
            }
        }
    });
    dumb.undecided("PROMPT-03", "showed no prompt when one was due");
}

/// Asked to restore access, the user does, and the page shows this from then on.
fn restored_and_shows(text: &str, says: Says, leads: bool) -> Story {
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let prompt = "Access has ended. Please reconnect";
    let story = story.with(|s| s.subject.page = (prompt.into(), Says::Yes, true)).answered(Outcome::Accepted).rest();
    let story = story.asked_in_vain(2).rest();
    story.undecided("PROMPT-05", "the reconnection did not succeed");
    let story = story.connects();
    story.clone().rest().looks().undecided("PROMPT-05", "no API call succeeded after the reconnection");
    story.with(|s| s.subject.page = (text.into(), says, leads)).works().rest().looks()
}

#[test]
fn a_prompt_that_goes_with_the_reconnection_passes() {
    Story::honest().passes("PROMPT-05");
    restored_and_shows("All is well", Says::No, false).passes("PROMPT-05");
    // Thanks are no prompt.
    restored_and_shows("Pleo was reconnected. All is well", Says::Yes, false).passes("PROMPT-05");
}

#[test]
fn a_prompt_that_stays_fails() {
    restored_and_shows("Access has ended. Please reconnect", Says::Yes, true).fails("PROMPT-05", "the page is still the one that asks");
    restored_and_shows("3 employees. Please reconnect", Says::Yes, true).fails("PROMPT-05", "the page still says: Please reconnect");
}

#[test]
fn what_may_be_a_record_or_another_button_is_not_accused() {
    restored_and_shows("All is well. Access has ended. Connected again", Says::Yes, false).undecided("PROMPT-05", "cannot be told");
    restored_and_shows("All is well. Change account", Says::No, true).undecided("PROMPT-05", "leads to the authorise endpoint");
    shows("Something went wrong", Says::No, false).undecided("PROMPT-05", "no prompt was seen");
}

#[test]
fn a_page_that_never_changes_fails_if_the_status_knows_better_and_nobody_is_told() {
    let quiet = shows("All is well", Says::No, false).with(|s| {
        for event in &mut s.history.events {
            if let What::PromptRead(page) = &mut event.what {
                (page.text, page.says, page.leads_to_authorize) = ("All is well".into(), Says::No, false);
            }
        }
    });
    quiet.fails("PROMPT-01", "the status says that access is lost");
    quiet.clone().terms(|t| t.prompt_notices = true).is_not_accused(&["PROMPT-01"]);
    quiet.clone().terms(|t| t.connect = ConnectBy::Command).is_not_accused(&["PROMPT-01"]);
}
