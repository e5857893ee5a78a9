//! Each event as a sentence, in the words of the subject, the user and the provider.

use std::collections::HashMap;

use super::words;
use crate::evidence::{Authorized, Channel, Event, History, Instance, Micros, Phase, Says, TokenResult, Verb, What};

/// Tells the events of one story; knows which request an exchange is.
pub(super) struct Narrator<'h> {
    requests: HashMap<u64, &'h What>,
    calls: HashMap<u32, (Verb, Option<&'h str>)>,
}

impl<'h> Narrator<'h> {
    /// Reads the joins it needs.
    pub(super) fn new(history: &'h History) -> Self {
        let mut narrator = Self { requests: HashMap::new(), calls: HashMap::new() };
        for event in &history.events {
            narrator.note(event);
        }
        narrator
    }

    fn note(&mut self, event: &'h Event) {
        match &event.what {
            what @ What::Requested { exchange, .. } => {
                self.requests.insert(*exchange, what);
            }
            What::VerbCalled { call, verb, source, .. } => {
                self.calls.insert(*call, (*verb, source.as_deref()));
            }
            _ => {}
        }
    }

    /// The event as a sentence without a full stop.
    pub(super) fn tell(&self, what: &What) -> String {
        match what {
            What::StoryBegan { story, refreshing } => {
                format!("the story {story} begins; the subject is made to refresh {}", words::refreshing(*refreshing))
            }
            What::PhaseBegan { phase } => match phase {
                Phase::Prologue => "the prologue begins: start, connect, one unit of work".into(),
                Phase::Story => "the story itself begins".into(),
                Phase::Epilogue => "the epilogue begins: settle, restart, reconnect, one unit of work".into(),
            },
            What::Awaited { what, came: true } => format!("awaited, and it came: {what}"),
            What::Awaited { what, came: false } => format!("awaited in vain: {what}"),
            What::NotRealised { reason } => format!("the story could not be told as planned: {reason}"),
            What::Settled { quiet: true, window } => format!("all is quiet: nothing for {}", span(*window)),
            What::Settled { quiet: false, window } => {
                format!("the wait for {} of quiet was given up: the subject is still active", span(*window))
            }
            What::HarnessFault { reason } => format!("the harness failed: {reason}"),
            What::EnvironmentFault { reason } => format!("the surroundings failed: {reason}"),
            What::ProcessStarted { .. }
            | What::ProcessReady { .. }
            | What::ProcessStopping { .. }
            | What::ProcessExited { .. }
            | What::ProcessesLeft { .. } => process(what),
            What::VerbCalled { verb, source, wanted, item, connection, instance, .. } => {
                let said = words::call(*verb, source.as_deref(), *wanted, item.as_deref());
                let connection = connection.as_ref().map(|name| format!(" (connection {name})")).unwrap_or_default();
                format!("{said}{connection}{}", instance.map(of_instance).unwrap_or_default())
            }
            What::VerbAnswered { call, outcome, status, detail } => {
                let verb = self.calls.get(call).map_or("call".into(), |(verb, source)| words::verb(*verb, *source));
                let status = status.map(|status| format!(" ({status})")).unwrap_or_default();
                format!("the {verb} is {}{status}{}", words::outcome(*outcome), tail(detail))
            }
            What::JobPolled { done: true, polls, .. } => format!("the subject says that the work is done (asked {polls} times)"),
            What::JobPolled { done: false, status: Some(status), polls, says, .. } => {
                let said = says.as_ref().map(|says| format!("{says}, ")).unwrap_or_default();
                format!("the subject does not say that the work is done ({said}{status}, asked {polls} times)")
            }
            What::JobPolled { done: false, status: None, .. } => "the subject does not answer how its work stands".into(),
            What::OtherCompany { company, .. } => format!("the user consents for another company, number {company}"),
            What::Returned { to, there: true, .. } => format!("the user is back where the login began: {to}"),
            What::Returned { to, there: false, .. } => format!("the user set out from elsewhere and is now at {to}"),
            What::JobReported { job, report, accepted: true, .. } => format!("export job {job} is reported as {report}"),
            What::JobReported { job, report, accepted: false, .. } => format!("export job {job} is reported as {report}, which is refused"),
            What::CallbackDelivered { .. }
            | What::StatusRead { .. }
            | What::PromptRead(_)
            | What::SettingsRead { .. }
            | What::DataRead { .. }
            | What::StorageScanned { .. }
            | What::Notified { .. }
            | What::NoticeFollowed { .. } => probe(what),
            What::Log { stream, text } => format!("{} says: {}", words::stream(stream), shortened(text, 200)),
            What::LogFlooded { lines } => format!("{lines} further lines of log were left out"),
            What::LogUnread { reason } => format!("a log could not be searched: {reason}"),
            What::CanarySeen { found, .. } => format!("found {}", words::found(found)),
            What::Revoked { grants, cause } => format!("{} ends {}", words::cause(*cause), words::grants(grants)),
            What::Expired { grants, refresh: true } => format!("the access and refresh tokens of {} expire", words::grants(grants)),
            What::Expired { grants, refresh: false } => format!("the access tokens of {} expire", words::grants(grants)),
            What::AccessRejected { grants } => format!("from now on the API rejects the access tokens of {}", words::grants(grants)),
            What::SecretRotated { secret, odd: _ } => format!("the client has a new secret at the provider: {secret}"),
            What::SecretAdded { secret } => format!("the client has a further secret at the provider: {secret}"),
            What::SecretEnds { secret } => format!("the end of {secret} is set at the provider"),
            What::ApiClockSet { ahead: 0 } => "the API's clock goes like the authorisation server's".into(),
            What::ApiClockSet { ahead } => {
                let side = if *ahead < 0 { "behind" } else { "ahead" };
                format!("the API's clock is {side} by {}", span(ahead.unsigned_abs()))
            }
            What::SecretHanded => "the subject is given the newest client secret".into(),
            What::WorkAdded { units } => format!("new work at the provider: {}", listed(units)),
            What::WebhookSent { delivery, told, units } => {
                format!("the provider sends webhook {delivery} to the subject, which subscribed to {told}: {}", listed(units))
            }
            What::WebhookAnswered { delivery, status: Some(status) } => format!("the subject answers webhook {delivery} -> {status}"),
            What::WebhookAnswered { delivery, status: None } => format!("webhook {delivery} was not answered"),
            What::ClockMoved { by } => format!("the provider's clock moves by {}", span(*by)),
            What::RuleBegan { rule } => format!("from now on rule {rule} of the story befalls traffic"),
            What::RuleEnded { rule } => format!("rule {rule} of the story has ended"),
            What::Paused { instance: None } => "the subject's processes are stopped where they are".into(),
            What::Paused { instance: Some(instance) } => format!("process {instance} of the subject is stopped where it is"),
            What::Continued => "what was stopped of the subject goes on".into(),
            What::Requested { .. }
            | What::Token { .. }
            | What::Api { .. }
            | What::Authorize { .. }
            | What::Introspected { .. }
            | What::Undocumented { .. }
            | What::Held { .. }
            | What::Released { .. }
            | What::Faulted { .. }
            | What::CameElsewhere { .. }
            | What::AskedToWait { .. }
            | What::Replied { .. }
            | What::Read { .. }
            | What::ReadUnknown { .. }
            | What::Aborted { .. } => self.wire(what),
        }
    }

    fn wire(&self, what: &What) -> String {
        match what {
            What::Requested { exchange, .. } => format!("{} calls {}", self.caller(*exchange), self.target(*exchange)),
            What::Token { exchange, presented, result, grant_type, .. } => {
                let carried = presented.as_ref().map_or(String::new(), |token| format!(" with {}", words::presented(token)));
                let grant_type = grant_type.as_deref().unwrap_or("no grant type");
                format!("{} asks for tokens ({grant_type}){carried} -> {}", self.caller(*exchange), token_result(result))
            }
            What::Api { exchange, presented, carried, status, handed_out, delivered } => format!(
                "{} calls {} {} -> {status}{}",
                self.caller(*exchange),
                self.target(*exchange),
                words::carried(*carried, presented.as_ref()),
                words::units(handed_out, delivered)
            ),
            What::Authorize { exchange, result, state, method, .. } => {
                let state = if state.is_some() { "" } else { ", without state" };
                let method = if method.is_some() { "" } else { ", without PKCE" };
                format!("{} opens the authorise endpoint{state}{method} -> {}", self.caller(*exchange), authorized(result))
            }
            What::Introspected { exchange } => format!("{} introspects a token", self.caller(*exchange)),
            What::Undocumented { exchange } => {
                format!("{} calls {}, which Pleo does not document", self.caller(*exchange), self.target(*exchange))
            }
            What::Held { exchange, gate } => format!("{} is held at {gate}", self.target(*exchange)),
            What::Released { exchange, dropped: true } => format!("{} is let go by dropping its connection", self.target(*exchange)),
            What::Released { exchange, dropped: false } => format!("{} is let go", self.target(*exchange)),
            What::Faulted { exchange, fate, committed, rule: _ } => {
                let when = if *committed { "after the provider had made its change" } else { "before the provider changed anything" };
                format!("{} meets a fault, {when}: {fate}", self.target(*exchange))
            }
            What::CameElsewhere { method, carried } if carried.is_empty() => {
                format!("{method} arrives at another origin, without any secret")
            }
            What::CameElsewhere { method, carried } => format!("{method} arrives at another origin, with {}", carried.join(", ")),
            What::AskedToWait { wait, .. } => format!("the provider asks to be left alone for {}", span(*wait)),
            What::Replied { exchange, status, reply } => {
                format!("the provider answers {}: {status}{}", self.target(*exchange), words::reply(reply))
            }
            What::Read { exchange } => format!("the subject has read the answer to {}", self.target(*exchange)),
            What::ReadUnknown { exchange } => format!("it cannot be seen when the subject reads the answer to {}", self.target(*exchange)),
            What::Aborted { exchange, by_subject: true } => {
                format!("the subject gives up {} before it was answered", self.target(*exchange))
            }
            What::Aborted { exchange, by_subject: false } => format!("{} ends without a whole answer", self.target(*exchange)),
            // Only called with the variants above.
            other => format!("{other:?}"),
        }
    }

    fn caller(&self, exchange: u64) -> String {
        match self.requests.get(&exchange) {
            Some(What::Requested { by_agent: true, .. }) => "the user's browser".into(),
            Some(What::Requested { instance: Some(instance), .. }) => format!("the subject{}", of_instance(*instance)),
            _ => "the subject".into(),
        }
    }

    fn target(&self, exchange: u64) -> String {
        match self.requests.get(&exchange) {
            Some(What::Requested { method, path, .. }) => format!("{method} {path}"),
            _ => format!("request {exchange}"),
        }
    }
}

/// `+2.104 s`, counted from the beginning of the story.
pub(super) fn clock(at: Micros) -> String {
    format!("+{}.{:03} s", at / 1_000_000, at / 1_000 % 1_000)
}

/// Which of several instances, as `{process}` counts them.
fn of_instance(instance: Instance) -> String {
    format!(" [{{process}} {instance}]")
}

fn process(what: &What) -> String {
    match what {
        What::ProcessStarted { incarnation, process, instance } => {
            format!("{process} is started (process {incarnation}){}", instance.map(of_instance).unwrap_or_default())
        }
        What::ProcessReady { incarnation } => format!("process {incarnation} is ready"),
        What::ProcessStopping { incarnation, kill: true } => format!("the harness kills process {incarnation} (kill -9)"),
        What::ProcessStopping { incarnation, kill: false } => format!("the harness stops process {incarnation}"),
        What::ProcessExited { incarnation, code, expected } => {
            let how = if *code < 0 { format!("by signal {}", -code) } else { format!("with exit code {code}") };
            format!("process {incarnation} ends {how}{}", if *expected { "" } else { ", unasked" })
        }
        What::ProcessesLeft { count } => format!("{count} processes of the subject were left over and were killed"),
        other => format!("{other:?}"),
    }
}

fn probe(what: &What) -> String {
    match what {
        What::CallbackDelivered { forged, status, code, .. } => {
            let kind = if *forged { "a forged callback" } else { "the callback" };
            let carrying = code.as_ref().map_or(String::new(), |code| format!(" with {code}"));
            let answer = status.map_or_else(String::new, |status| format!(" -> {status}"));
            format!("the user's browser delivers {kind}{carrying}{answer}")
        }
        What::StatusRead { state, raw, connection, count: _ } => {
            let of = connection.as_ref().map_or(String::new(), |name| format!(" of {name}"));
            format!("status{of} reads {}{}", words::status(*state), tail(&shortened(raw, 120)))
        }
        What::PromptRead(page) => words::page(page),
        What::SettingsRead { digest, parts: _ } => match digest {
            Some(digest) => format!("settings are read (digest {})", shortened(digest, 12)),
            None => "settings could not be read".into(),
        },
        What::Notified { channel, text, says, notice: _ } => {
            let way = match channel {
                Channel::Webhook => "call of the webhook",
                Channel::Mail => "mail",
            };
            let says = if *says == Says::Yes { "tells" } else { "does not tell" };
            format!("a {way} comes; it {says} the user that access must be restored{}", tail(&shortened(text, 120)))
        }
        What::NoticeFollowed { notice, leads_to_authorize: true, .. } => {
            format!("a link in message {notice} leads to the authorise endpoint")
        }
        What::NoticeFollowed { notice, .. } => format!("no link in message {notice} leads to the authorise endpoint"),
        What::DataRead { count } => match count {
            Some(count) => format!("data is read: {count} records"),
            None => "data could not be read".into(),
        },
        What::StorageScanned { places, found, unread, open_to_others, files: _ } => {
            let what = if found.is_empty() {
                "no secret found".into()
            } else {
                format!("found {}", found.iter().map(words::found).collect::<Vec<_>>().join(", "))
            };
            let unread = if unread.is_empty() { String::new() } else { format!("; not readable: {}", unread.join(", ")) };
            let open = if open_to_others.is_empty() { "" } else { "; open to other users" };
            format!("storage is searched ({places} files and rows): {what}{unread}{open}")
        }
        other => format!("{other:?}"),
    }
}

fn token_result(result: &TokenResult) -> String {
    match result {
        TokenResult::Issued { access, refresh: Some(refresh), .. } => format!("{access} and {refresh}"),
        TokenResult::Issued { access, refresh: None, .. } => format!("{access}, no refresh token"),
        TokenResult::Refused { error, status } => format!("{status} {error}"),
        TokenResult::Undecided => "nothing decided: a fault took the provider's place".into(),
    }
}

fn authorized(result: &Authorized) -> String {
    match result {
        Authorized::Page => "the consent page".into(),
        Authorized::Code { code, .. } => format!("{code} goes back"),
        Authorized::Sent(error) => format!("{error} goes back"),
        Authorized::Shown(error) => format!("the user is shown {error}"),
    }
}

fn span(micros: Micros) -> String {
    if micros >= 60_000_000 {
        format!("{} s", micros / 1_000_000)
    } else {
        format!("{}.{:03} s", micros / 1_000_000, micros / 1_000 % 1_000)
    }
}

fn tail(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(": {detail}") }
}

fn listed(names: &[String]) -> String {
    match names {
        [] => "nothing".into(),
        [a, b, c, rest @ ..] if rest.len() > 1 => format!("{a}, {b}, {c} and {} more", rest.len()),
        all => all.join(", "),
    }
}

/// One line of at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let line = text.trim().replace(['\n', '\r', '\t'], " ");
    if line.chars().count() <= most { line } else { line.chars().take(most - 1).chain(['…']).collect() }
}

#[cfg(test)]
mod tests;
