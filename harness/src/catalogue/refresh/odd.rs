//! REFRESH-05, 06, 07 and 11: token answers in odd but legal forms.
//!
//! Which form an answer had is told by the fate that gave it: `reshape tokens=odd`, `reshape refresh_token=null`.

use std::collections::BTreeSet;

use regrant_mock_server::{authority::TokenState, fault::scenario::Status, journal::Carried};

use crate::{
    catalogue::{Finding, retry::bursts, shared::*, storage, work},
    evidence::{Reply, What},
    judge::{Exchange, Mark, View, control},
};

/// A token answer in an odd form, until the user or the provider does something else to the connection.
struct Odd<'v, 'h> {
    x: &'v Exchange<'h>,
    /// When it had been written.
    given: Mark,
    access: &'h str,
    refresh: Option<&'h str>,
    until: Mark,
}

/// The answers to refreshes whose form has to do with this member.
fn odd<'v, 'h>(view: &'v View<'h>, member: &str) -> Vec<Odd<'v, 'h>> {
    let all = view.exchanges.iter().filter(|x| x.is_refresh() && has_form(x, member)).filter_map(|x| {
        let (access, refresh) = x.pair()?;
        let (given, ..) = x.replied?;
        Some(Odd { x, given, access, refresh, until: decided_after(view, given) })
    });
    all.collect()
}

fn has_form(x: &Exchange<'_>, member: &str) -> bool {
    x.fates.iter().any(|fate| fate.starts_with("reshape") && fate.contains(&format!(" {member}")))
}

/// The API took the token for dead.
fn denied(x: &Exchange<'_>) -> bool {
    matches!(x.replied, Some((_, 401, _)))
}

/// The status sends the user to consent, though the provider would go on.
fn asks_the_user(view: &View<'_>, from: Mark, until: Mark) -> Option<Mark> {
    view.statuses().find(|(mark, state, _)| *mark > from && *mark < until && *state == Some(Status::Disconnected)).map(|(mark, ..)| mark)
}

// --- REFRESH-05 ---

pub(super) fn refresh_05(view: &View<'_>) -> Finding {
    let answers = odd(view, "tokens=");
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else {
        return unrealised(view, "no refresh gave tokens in an unusual form in this story");
    };
    let after = |x: &&Exchange<'_>| !x.by_agent && x.began > first.given.at && x.arrived < last.until;
    if let Some((x, how)) = view.exchanges.iter().filter(after).find_map(|x| altered(x).map(|how| (x, how))) {
        return Finding::fail(how, vec![first.given.n, x.arrived.n]);
    }
    if view.exchanges.iter().filter(after).any(Exchange::is_obscure) {
        return Finding::undecided("what a request carried is not known");
    }
    if let Some(finding) = needless(view, first, last.until) {
        return finding;
    }
    let used = |odd: &&Odd<'_, '_>| {
        let call = view.api_calls(odd.given, odd.until).find(|x| x.answered(2) && x.token_name() == Some(odd.access))?;
        let next = view.refreshes(odd.given, odd.until).find(|x| x.token_name().is_some() && x.token_name() == odd.refresh)?;
        Some(vec![odd.given.n, call.arrived.n, next.arrived.n])
    };
    if let Some(cited) = answers.iter().find_map(|odd| used(&odd)) {
        return Finding::pass("both tokens came back as they were given", cited);
    }
    if view.api_calls(first.given, last.until).any(|x| x.answered(2)) {
        return Finding::undecided("the access token came back as it was given; the refresh token was not needed again");
    }
    not_used(view, first, last.until)
}

/// It presents what was never issued.
fn altered(x: &Exchange<'_>) -> Option<&'static str> {
    let bearer = x.api.as_ref().is_some_and(|api| matches!(api.carried, Carried::Bearer | Carried::EmptyBearer));
    match (bearer, x.is_refresh(), x.carries_unknown()) {
        (true, _, true) => Some("after tokens of an unusual form it called the API with a token that was never issued"),
        (_, true, true) => Some("after tokens of an unusual form it tried to refresh with a token that was never issued"),
        (_, _, _) => None,
    }
}

/// It refreshes for each stimulus though nothing asks for it, which it did not do while tokens looked as usual: it reads something into them.
fn needless(view: &View<'_>, first: &Odd<'_, '_>, until: Mark) -> Option<Finding> {
    let calm = |call: Mark| {
        let rest = view.settled_after(call).unwrap_or(Mark::END).min(first.x.arrived);
        view.api_calls(call, rest).any(|x| x.answered(2)) && view.refreshes(call, rest).next().is_none()
    };
    let usual = view.triggers(START, first.x.arrived).any(|call| calm(call.called));
    if !usual || view.terms.period.is_none_or(|period| period.is_some()) {
        return None;
    }
    let mut stimuli = BTreeSet::new();
    let mut cited = vec![first.given.n];
    for y in view.refreshes(first.given, until) {
        let Some(held) = view.held_before(y.began, None) else { continue };
        let Some((given, _, Reply::Tokens { expires_in: Some(600..), .. })) = held.from.replied else { continue };
        let needed = view.events().any(|(mark, what)| mark > given && mark.at <= y.began && matches!(what, What::AccessRejected { .. }))
            || view.api_calls(given, y.arrived).any(|x| matches!(x.replied, Some((_, 401 | 403, _))));
        let Some(stimulus) = view.stimulus_before(y.began).filter(|mark| *mark > given && !needed) else { continue };
        if view.triggers(given, y.arrived).any(|call| call.called == stimulus) && stimuli.insert(stimulus) {
            cited.push(y.arrived.n);
        }
    }
    let reason = "it refreshes whenever it is asked to work, though the tokens are good, which it did not do before they looked like that";
    (stimuli.len() >= 2).then(|| Finding::fail(reason, cited))
}

fn not_used(view: &View<'_>, first: &Odd<'_, '_>, until: Mark) -> Finding {
    // Started anew it may have lost them, whatever their lifetime.
    let alive = view.restart_after(first.given).unwrap_or(until).min(until);
    if let Some(mark) = asks_the_user(view, first.given, alive) {
        return Finding::fail("it did not use tokens of an unusual form, and sends the user to consent", vec![first.given.n, mark.n]);
    }
    let Some(settled) = view.settled_after(first.given).filter(|mark| *mark < until) else { return not_at_rest() };
    match control::delivered(view, control::MAIN, settled, until, 2, "after the answer") {
        Ok(stimuli) => {
            Finding::fail("it never worked with tokens of an unusual form, though it was asked to", [vec![first.given.n], stimuli].concat())
        }
        Err(reason) => Finding::undecided(reason),
    }
}

// --- REFRESH-06 ---

/// So many refreshes in so short a time, and fewer calls than half of them, are a loop at any lifetime.
const LOOP: usize = 20;
const LOOP_SPAN: u64 = 2_000_000;

pub(super) fn refresh_06(view: &View<'_>) -> Finding {
    let answers = odd(view, "expires_in=");
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else {
        return unrealised(view, "no refresh gave a token with an unusual lifetime in this story");
    };
    // A text or a fraction is no lifetime that the RFC knows.
    let illegal = ["expires_in=string", "expires_in=fractional", "expires_in=null"].iter().any(|form| has_form(first.x, form));
    let finding = lives_with_it(view, first, last.until);
    if illegal { finding.as_warning() } else { finding }
}

fn lives_with_it(view: &View<'_>, first: &Odd<'_, '_>, until: Mark) -> Finding {
    if let Some(looping) = refresh_loop(view, first.x.arrived, until) {
        return Finding::fail("the lifetime sends it round in circles: it refreshes over and over", looping);
    }
    // What a restart may have lost is no matter of its lifetime.
    let until = lossy_restart(view, first.given, until).unwrap_or(until);
    if let Some(mark) = asks_the_user(view, first.given, until) {
        return Finding::fail("after an answer with an unusual lifetime it sends the user to consent", vec![first.given.n, mark.n]);
    }
    let settled = view.settled_after(first.given).filter(|mark| *mark < until);
    let Some(settled) = settled else { return not_at_rest() };
    // A token works while it lives, whatever was said of its life. What becomes of it afterwards is the question, if that was seen.
    let ended = view.api_calls(first.given, until).find(|x| x.token_name() == Some(first.access) && denied(x));
    let from = ended.map_or(settled, |x| x.arrived.max(settled));
    let worked = view.api_calls(from, until).find(|x| x.answered(2));
    match (control::delivered(view, control::MAIN, from, until, 2, "after the answer"), worked) {
        (_, Some(x)) => Finding::pass("it went on with an unusual lifetime", vec![first.given.n, x.arrived.n]),
        (Ok(stimuli), None) => {
            let reason = "after an answer with an unusual lifetime no API call succeeded any more, though it was asked to work";
            Finding::fail(reason, [vec![first.given.n], stimuli].concat())
        }
        (Err(reason), None) => Finding::undecided(reason),
    }
}

/// The first restart after which nothing shows that the subject still had the newest pair: it was neither found in its storage before, nor used
/// afterwards.
fn lossy_restart(view: &View<'_>, from: Mark, until: Mark) -> Option<Mark> {
    let starts = view.starts().into_iter().filter(|start| *start > from && *start < until);
    starts.into_iter().find(|start| {
        let Some(held) = view.held_before(start.at, None) else { return true };
        let has = |token: Option<&str>| token.is_some() && (token == Some(held.access) || token == held.refresh);
        let after: Vec<_> = view.api_calls(*start, until).chain(view.refreshes(*start, until)).map(Exchange::token_name).collect();
        let scan = storage::scans(view).into_iter().rfind(|scan| scan.mark < *start);
        let stored =
            scan.is_some_and(|scan| held.refresh.is_some_and(|token| scan.found.iter().any(|found| storage::is_copy(found, token))));
        let kept = after.iter().any(|token| has(*token)) || (stored && after.is_empty());
        !kept
    })
}

fn refresh_loop(view: &View<'_>, from: Mark, until: Mark) -> Option<Vec<u32>> {
    let refreshes: Vec<_> = view.refreshes(from, until).collect();
    let dense = refreshes.windows(LOOP).find(|some| {
        let (Some(a), Some(b)) = (some.first(), some.last()) else { return false };
        let calls = view.api_calls(a.arrived, b.arrived).count();
        b.began.saturating_sub(a.began) <= LOOP_SPAN && calls < LOOP / 2
    })?;
    Some(dense.iter().take(8).map(|x| x.arrived.n).collect())
}

// --- REFRESH-07 ---

pub(super) fn refresh_07(view: &View<'_>) -> Finding {
    let answers: Vec<_> = odd(view, "refresh_token=").into_iter().filter(|odd| odd.refresh.is_none()).collect();
    let Some(first) = answers.first() else { return unrealised(view, "no refresh gave an answer without a refresh token in this story") };
    let illegal = ["refresh_token=null", "refresh_token=empty"].iter().any(|form| has_form(first.x, form));
    let finding = keeps(view, first);
    if illegal { finding.as_warning() } else { finding }
}

fn keeps(view: &View<'_>, odd: &Odd<'_, '_>) -> Finding {
    let Some(kept) = odd.x.token_name() else { return Finding::undecided("the refresh presented no token that is known") };
    if let Some(next) = view.refreshes(odd.given, odd.until).next() {
        let cited = vec![odd.given.n, next.arrived.n];
        return match next.token_name() {
            Some(name) if name == kept => Finding::pass(format!("it refreshed again with {kept}, which it was to keep"), cited),
            Some(name) => Finding::fail(format!("after an answer without a refresh token it presented {name} in place of {kept}"), cited),
            None => Finding::fail(
                format!("after an answer without a refresh token it presented none that was ever issued: {kept} is lost"),
                cited,
            ),
        };
    }
    let denied = view.api_calls(odd.given, odd.until).find(|x| denied(x));
    if let Some(mark) = asks_the_user(view, odd.given, odd.until) {
        let cited = [vec![odd.given.n], denied.map(|x| x.arrived.n).into_iter().collect(), vec![mark.n]].concat();
        return Finding::fail(
            format!("after an answer without a refresh token it sends the user to consent, though {kept} is good"),
            cited,
        );
    }
    let Some(denied) = denied else {
        let unneeded = || Finding::undecided("no refresh was needed after the answer without a refresh token");
        return stands_still(view, odd, kept).unwrap_or_else(unneeded);
    };
    match control::delivered(view, control::MAIN, denied.arrived, odd.until, 2, "after the 401") {
        Ok(stimuli) => Finding::fail(
            format!("after an answer without a refresh token it does not refresh any more, though {kept} is good"),
            [vec![odd.given.n, denied.arrived.n], stimuli].concat(),
        ),
        Err(reason) => Finding::undecided(reason),
    }
}

/// From the first rest after the answer on it calls nobody, and work that it took on then gets done only once the user has logged in again.
fn stands_still(view: &View<'_>, odd: &Odd<'_, '_>, kept: &str) -> Option<Finding> {
    let rest = view.rest_after(odd.given).filter(|rest| rest.quiet && rest.mark < odd.until)?;
    let back = view.reconnection_after(odd.given)?;
    if view.api_calls(rest.mark, back.called).next().is_some() || view.refreshes(rest.mark, back.called).next().is_some() {
        return None;
    }
    let stimuli = control::delivered(view, control::MAIN, rest.mark, odd.until, 2, "after the answer").ok()?;
    let units = work::ledger(view);
    let (id, unit) = units.iter().find(|(_, unit)| {
        let taken = unit.accepted.is_some_and(|accepted| accepted > rest.mark && accepted < odd.until);
        taken && !unit.deliveries.is_empty() && unit.deliveries.iter().all(|delivery| delivery.sent > back.called)
    })?;
    let reason = format!(
        "after an answer without a refresh token it stands still, though {kept} is good: {id} was done once the user had reconnected"
    );
    Some(Finding::fail(reason, [vec![odd.given.n, rest.mark.n], stimuli, unit.accepted.map(|mark| mark.n).into_iter().collect()].concat()))
}

// --- REFRESH-11 ---

/// Denied calls that one stimulus entitles to: several kinds of work, each tried again after a refresh.
const DENIED: usize = 10;

pub(super) fn refresh_11(view: &View<'_>) -> Finding {
    let answers = odd(view, "scopes");
    let (Some(first), Some(last)) = (answers.first(), answers.last()) else {
        return unrealised(view, "no refresh gave a token with fewer scopes in this story");
    };
    let denied: Vec<_> = view
        .api_calls(first.x.arrived, last.until)
        .filter(|x| x.token_state() == Some(TokenState::Active) && matches!(x.replied, Some((_, 403, _))))
        .collect();
    if let Some(finding) = bursts::unbounded(view, &denied, DENIED) {
        return Finding { reason: format!("a storm of calls that Pleo forbids: {}", finding.reason), ..finding };
    }
    if denied.len() < 2 {
        return Finding::undecided("the missing scopes were needed fewer than twice");
    }
    let Some(back) = view.reconnection_after(first.given) else { return Finding::undecided("the user did not reconnect") };
    let same_process = !view.terms.one_shot && !view.terms.restarts_on_exit;
    let end = view.restart_after(back.called).filter(|_| same_process).unwrap_or(Mark::END);
    match view.api_calls(back.called, end).find(|x| x.answered(2)) {
        Some(x) if control::caused_work(view, control::MAIN, back.called, end) => {
            let cited = vec![first.given.n, denied[0].arrived.n, x.arrived.n];
            Finding::pass(format!("{} calls were forbidden for want of a scope, and it left it at that", denied.len()), cited)
        }
        Some(_) | None => Finding::undecided("after the reconnection `trigger` caused no API call again"),
    }
}

#[cfg(test)]
mod tests;
