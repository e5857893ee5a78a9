//! PROMPT-04 on hand-written histories.

use crate::{
    evidence::{Outcome, What},
    judge::testing::*,
};

const NOTICE: &str = "NOTICE mail sent: please reconnect";

fn telling(before: &[&str], each: &[&str]) -> Story {
    let say = |story: Story, lines: &[&str]| lines.iter().fold(story, |story, line| story.log(line));
    let story = Story::connected().terms(|t| t.prompt_log = Some("mail sent".into()));
    let story = say(story.revoked().rejected().trigger().api(401).refused("invalid_grant").gives_up(), before);
    let story = story.answered(Outcome::Accepted).rest();
    let story = (0..2).fold(story, |story, _| say(story.trigger(), each).answered(Outcome::Accepted)).rest();
    story.epilogue()
}

#[test]
fn once_passes_never_and_every_time_fail() {
    telling(&[NOTICE], &[]).passes("PROMPT-04");
    // One to the user, one to the operator.
    telling(&[NOTICE, NOTICE], &[]).passes("PROMPT-04");
    telling(&[], &[]).fails("PROMPT-04", "nobody was told");
    telling(&[NOTICE], &[NOTICE]).fails("PROMPT-04", "with each piece of work");
    telling(&[], &[NOTICE]).fails("PROMPT-04", "told again");
}

#[test]
fn without_a_channel_it_does_not_apply_and_without_work_nothing_is_known() {
    Story::honest().not_applicable("PROMPT-04");
    let story = Story::connected().terms(|t| t.prompt_log = Some("mail sent".into())).dies().rest().epilogue();
    story.undecided("PROMPT-04", "at least 2 are needed");
    Story::honest().terms(|t| t.prompt_log = Some("(".into())).undecided("PROMPT-04", "no regular expression");
}

#[test]
fn of_which_of_several_connections_a_message_speaks_is_not_known() {
    let several = |story: Story| {
        story.with(|s| {
            for event in &mut s.history.events {
                if let What::VerbCalled { connection, .. } = &mut event.what {
                    *connection = Some("acme".into());
                }
            }
        })
    };
    several(telling(&[NOTICE], &[NOTICE])).undecided("PROMPT-04", "of which connection is not known");
    several(telling(&[NOTICE], &[])).passes("PROMPT-04");
    several(telling(&[], &[])).fails("PROMPT-04", "nobody was told");
}
