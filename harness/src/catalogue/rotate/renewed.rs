//! The subject was given a new secret: does it use it, and is it understood?

use regrant_mock_server::journal::AuthStyle;

use crate::{
    catalogue::{Finding, shared::*},
    evidence::{TokenResult, What},
    judge::{Ended, Exchange, Mark, NewSecret, View, control},
};

/// The newest secret when it was handed over, and when that was.
pub(super) struct Handed<'h> {
    pub(super) secret: &'h str,
    pub(super) odd: bool,
    /// When the client got it.
    pub(super) rotated: Mark,
    pub(super) at: Mark,
}

/// The first time after a moment that the subject was given a new secret.
///
/// # Errors
/// It was not, or the manifest does not say how it could.
pub(super) fn handed<'h>(view: &View<'h>, from: Mark) -> Result<Handed<'h>, Finding> {
    if view.terms.new_secret == NewSecret::Unknown {
        return Err(Finding::locked("the manifest does not hand {client_secret} over: the subject cannot have the new one", "[start.env]"));
    }
    let Some(at) = view.marks(|what| matches!(what, What::SecretHanded)).into_iter().find(|mark| *mark > from) else {
        return Err(unrealised(view, "the subject was not given the new secret in this story"));
    };
    let newest = view.events().rfind(|(mark, what)| *mark < at && matches!(what, What::SecretRotated { .. }));
    match newest {
        Some((rotated, What::SecretRotated { secret, odd })) => Ok(Handed { secret, odd: *odd, rotated, at }),
        _ => Err(unrealised(view, "the client's secret was not rotated in this story")),
    }
}

/// Token requests of the subject that began after a moment and were decided.
pub(super) fn token_requests<'v, 'h>(view: &'v View<'h>, from: Mark) -> impl Iterator<Item = &'v Exchange<'h>> {
    view.exchanges.iter().filter(move |x| (x.is_refresh() || x.is_code_exchange()) && x.began > from.at)
}

/// Refused because the client was not believed.
pub(super) fn is_barred(x: &Exchange<'_>) -> bool {
    matches!(x.token.as_ref().map(|t| t.result), Some(TokenResult::Refused { error, .. }) if error == "invalid_client")
}

/// It presents a secret that the provider knows, and not this one.
pub(super) fn sends_another(x: &Exchange<'_>, secret: &str) -> bool {
    x.token.as_ref().and_then(|t| t.secret).is_some_and(|sent| sent != secret)
}

/// Whether the old secret is the subject's own choice, or may be what a command of the manifest wrote down for it.
pub(super) fn still_old(view: &View<'_>, reason: &str, cited: Vec<u32>) -> Finding {
    match view.terms.new_secret {
        NewSecret::Handed => Finding::fail(reason, cited),
        NewSecret::Prepared | NewSecret::Unknown => Finding::locked(
            format!("{reason}; a command that runs before the first start only may have written it down"),
            "start.reload = { run = [...] }",
        ),
    }
}

pub(super) fn rotate_04(view: &View<'_>) -> Finding {
    each_death(view, Ended::Client, |death| {
        let handed = match handed(view, death.knew) {
            Ok(handed) => handed,
            Err(finding) => return finding,
        };
        let granted = token_requests(view, handed.at).find(|x| x.pair().is_some());
        let worked = granted.and_then(|granted| {
            let from = granted.replied.map(|(mark, ..)| mark)?;
            view.api_calls(from, Mark::END).find(|x| x.answered(2)).map(|x| (granted, x))
        });
        if let Some((granted, call)) = worked {
            let how = if granted.is_refresh() { "with a refresh" } else { "once the user had reauthenticated" };
            let cited = vec![death.refused.n, handed.at.n, granted.arrived.n, call.arrived.n];
            return Finding::pass(format!("it works again under the new secret, {how}"), cited);
        }
        not_working(view, &handed)
    })
}

/// It did not work again: was it given every chance?
fn not_working(view: &View<'_>, handed: &Handed<'_>) -> Finding {
    let back = view.callbacks.iter().find(|callback| callback.at > handed.at && !callback.forged && callback.code.is_some());
    let Some(back) = back else {
        return Finding::undecided("it did not work again, and the user did not come back from the consent page under the new secret");
    };
    let asked = match control::delivered(view, control::MAIN, back.at, Mark::END, 2, "after the user had come back") {
        Ok(asked) => asked,
        Err(reason) => return Finding::undecided(format!("it did not work again; {reason}")),
    };
    if view.rest_after(back.at).is_none_or(|rest| !rest.quiet) {
        return Finding::undecided("the subject did not come to rest after the user had come back");
    }
    let requests: Vec<_> = token_requests(view, handed.at).collect();
    let cited = |x: &Exchange<'_>| [vec![handed.at.n, x.arrived.n], asked.clone()].concat();
    if let Some(x) = requests.iter().find(|x| is_barred(x) && sends_another(x, handed.secret)) {
        return still_old(view, "it was given the new secret and still presents the old one", cited(x));
    }
    if let Some(x) = requests.iter().find(|x| x.met_transient_fault() || x.is_obscure()) {
        return Finding::undecided(format!("a token request under the new secret met a fault (event {})", x.arrived.n));
    }
    if handed.odd {
        // Whether such a secret is understood is another line's.
        return Finding::undecided("the new secret has every character that one may have, and it did not work again");
    }
    Finding::fail("it was given the new secret and the user came back, but nothing works", [vec![handed.at.n, back.at.n], asked].concat())
}

pub(super) fn rotate_05(view: &View<'_>) -> Finding {
    let handed = match handed(view, START) {
        Ok(handed) if handed.odd => handed,
        Ok(_) => return unrealised(view, "the new secret has letters and digits only"),
        Err(finding) => return finding,
    };
    let decided = |x: &&Exchange<'_>| x.token.as_ref().is_some_and(|t| !matches!(t.result, TokenResult::Undecided));
    let requests: Vec<_> = token_requests(view, handed.at).filter(decided).collect();
    if let Some(x) = requests.iter().find(|x| !is_barred(x) && x.token.as_ref().is_some_and(|t| t.secret == Some(handed.secret))) {
        let how = match x.token.as_ref().map(|t| t.auth) {
            Some(AuthStyle::Basic) => "in the Basic header, encoded as RFC 6749 has it",
            Some(AuthStyle::BasicRaw) => "in the Basic header, in the raw form",
            Some(AuthStyle::Body) => "in the body",
            Some(AuthStyle::Both | AuthStyle::Malformed | AuthStyle::None) | None => "in a form that was understood",
        };
        return Finding::pass(format!("a secret with every legal character was understood: {how}"), vec![handed.at.n, x.arrived.n]);
    }
    let is_garbled = |x: &&&Exchange<'_>| is_barred(x) || is_no_form_any_more(view, x, &handed);
    let garbled: Vec<_> = requests.iter().filter(is_garbled).filter(|x| x.token.as_ref().is_some_and(|t| t.secret.is_none())).collect();
    match garbled.as_slice() {
        [] => Finding::undecided("the subject made no token request with the new secret"),
        some if view.terms.new_secret == NewSecret::Handed => {
            let reason = "a secret with every legal character was refused: no reading of what was sent gives the secret that it has";
            let cited = some.iter().take(4).map(|x| x.arrived.n);
            Finding::fail(reason, std::iter::once(handed.at.n).chain(cited).collect())
        }
        _ => Finding::locked("a secret was refused; whether the subject has the new one is not known", "start.reload = { run = [...] }"),
    }
}

/// A body with the secret in it that cannot be read as a form, while the bodies of this subject could be before the secret changed: what else
/// the request holds is as it was.
fn is_no_form_any_more(view: &View<'_>, x: &Exchange<'_>, handed: &Handed<'_>) -> bool {
    let in_body = |x: &Exchange<'_>| x.token.as_ref().is_some_and(|t| t.auth == AuthStyle::Body);
    let unreadable = |x: &Exchange<'_>| matches!(x.token.as_ref().map(|t| t.result), Some(TokenResult::Refused { error, .. }) if error == "invalid_request");
    let before = || token_requests(view, START).filter(|y| y.arrived < handed.rotated && in_body(y));
    in_body(x) && unreadable(x) && before().next().is_some() && !before().any(unreadable)
}
