//! Messages to the user, on hand-written histories.

use crate::{
    evidence::{Channel, Outcome, Says, What},
    judge::{ConnectBy, testing::*},
};

fn mail(notice: u32, text: &str, says: Says) -> What {
    What::Notified { channel: Channel::Mail, text: text.into(), says, notice }
}

fn followed(notice: u32, leads: bool) -> What {
    What::NoticeFollowed { notice, leads_to_authorize: leads, actions: leads.then_some(1), fields: leads.then_some(0) }
}

/// There is no page, but mails; refused, it sends these, and these with each piece of work that is asked for later.
fn mailing(before: &[What], each: &[What]) -> Story {
    let send = |story: Story, mails: &[What]| mails.iter().fold(story, |story, mail| story.event(mail.clone()));
    let story = Story::connected().revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let story = send(story, before).answered(Outcome::Accepted).rest();
    let story = (0..2).fold(story, |story, _| send(story.trigger(), each).answered(Outcome::Accepted)).rest();
    by_mail(story.epilogue())
}

fn by_mail(story: Story) -> Story {
    story.terms(|t| {
        t.prompt = false;
        t.prompt_notices = true;
    })
}

fn tells(notice: u32) -> What {
    mail(notice, "Please reconnect", Says::Yes)
}

#[test]
fn a_mail_that_tells_the_user_once_and_leads_back_passes() {
    let story = mailing(&[tells(1), followed(1, true)], &[]);
    for id in ["PROMPT-01", "PROMPT-02", "PROMPT-04", "LOG-07"] {
        story.passes(id);
    }
}

#[test]
fn a_mail_with_every_piece_of_work_is_told_more_than_once() {
    mailing(&[tells(1)], &[tells(2)]).fails("PROMPT-04", "with each piece of work");
    mailing(&[], &[]).fails("PROMPT-04", "nobody was told");
    mailing(&[mail(1, "digest", Says::No)], &[]).fails("PROMPT-04", "nobody was told");
}

#[test]
fn a_mail_without_a_link_accuses_nobody() {
    let finding = mailing(&[tells(1), followed(1, false)], &[]).undecided("PROMPT-01", "without a link");
    assert_eq!(finding.unlock.as_deref(), Some("prompt.http, beside prompt.webhook or prompt.mail"));
    mailing(&[tells(1)], &[]).undecided("PROMPT-01", "were not followed");
    let command = mailing(&[tells(1), followed(1, false)], &[]).terms(|t| t.connect = ConnectBy::Command);
    command.passes("PROMPT-01");
}

#[test]
fn silence_and_other_messages_decide_nothing_of_what_the_user_sees() {
    for id in ["PROMPT-01", "PROMPT-02"] {
        mailing(&[], &[]).undecided(id, "no message came");
        mailing(&[mail(1, "sync failed", Says::No)], &[]).undecided(id, "no words were recognised");
    }
    let declared = mailing(&[mail(1, "sync failed", Says::No)], &[]).terms(|t| t.prompt_says = true);
    declared.fails("PROMPT-02", "no message after the refusal says");
    declared.undecided("PROMPT-01", "tells the user");
}

#[test]
fn a_message_that_comes_all_the_time_tells_nobody_of_the_refusal() {
    let digest = || mail(1, "7 expenses were exported", Says::No);
    let habitual = Story::connected().event(digest()).revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    let habitual = habitual.event(digest()).answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue();
    assert!(!habitual.finding("LOG-07").reason.contains("somebody was told"));
    mailing(&[mail(1, "the refresh for acme was refused", Says::No)], &[]).passes("LOG-07");
}

/// Two triggers meet a fault, with these messages meanwhile; then the provider is back, and later the grant dies and this comes.
fn blip(during: &[What], due: &[What]) -> Story {
    let send = |story: Story, mails: &[What]| mails.iter().fold(story, |story, mail| story.event(mail.clone()));
    let story = (0..2).fold(Story::connected().rejected(), |story, _| {
        story.trigger().faulted(Answer::Unavailable).answered(Outcome::Accepted).settled().scan()
    });
    let story = send(story, during).trigger().refreshes().delivers().answered(Outcome::Accepted).rest();
    let story = story.revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up();
    by_mail(send(story, due).answered(Outcome::Accepted).rest().asked_in_vain(2).rest().epilogue())
}

#[test]
fn no_mail_during_a_fault_and_one_when_it_is_due_pass() {
    blip(&[], &[tells(1)]).passes("PROMPT-03");
    blip(&[mail(1, "7 exported", Says::No)], &[tells(2)]).passes("PROMPT-03");
    blip(&[], &[]).undecided("PROMPT-03", "no message came when one was due");
}

#[test]
fn a_mail_that_prompts_during_a_fault_fails_and_one_that_may_be_a_mere_report_does_not() {
    blip(&[tells(1), followed(1, true)], &[tells(2)]).fails("PROMPT-03", "a fault that would have passed");
    blip(&[tells(1)], &[tells(2)]).terms(|t| t.prompt_says = true).fails("PROMPT-03", "a fault that would have passed");
    let lost = || mail(1, "Connection lost, we will try again", Says::Yes);
    blip(&[lost(), followed(1, false)], &[tells(2)]).undecided("PROMPT-03", "it is not certain");
    let several = blip(&[tells(1), followed(1, true)], &[tells(2)]).with(|s| {
        for event in &mut s.history.events {
            if let What::VerbCalled { connection, .. } = &mut event.what {
                *connection = Some("acme".into());
            }
        }
    });
    several.undecided("PROMPT-03", "which connection");
    // Beside a page, too.
    let beside = blip(&[tells(1), followed(1, true)], &[tells(2)]).terms(|t| t.prompt = true);
    beside.fails("PROMPT-03", "a fault that would have passed");
}
