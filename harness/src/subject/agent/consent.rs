//! At the provider: the consent page answered, and the redirect back caught.

use std::collections::BTreeMap;

use url::Url;

use super::{
    Agent, AgentError, Answer, AuthorizeUrl, CallbackUrl, Consent, Consented,
    fetch::Deadline,
    page::{Button, Form, Page},
    request::Request,
    walk::REDIRECTS,
};

/// What a button that consents says, in text, name or value.
const ALLOW: &[&str] = &["allow", "approve", "accept", "authorize", "authorise", "consent", "grant", "continue", "yes"];
/// What a button that denies says.
const DENY: &[&str] = &["deny", "decline", "reject", "refuse", "cancel", "disallow", "no"];

impl Agent {
    /// Requests the authorise endpoint and goes on within the provider until it sends the user back.
    pub(super) async fn consent(&self, url: &AuthorizeUrl, consent: Consent, until: Deadline) -> Result<Consented, AgentError> {
        let mut request = Request::get(url.0.clone(), None);
        for _ in 0..=REDIRECTS {
            let answer = self.network.fetch(&request, until).await?;
            if let Some(target) = redirect_of(&answer) {
                if !self.network.is_provider(&target) {
                    return Ok(Consented::Callback(CallbackUrl(target)));
                }
                request = request.redirected(answer.status, target);
                continue;
            }
            let forms = if answer.status < 400 && answer.is_html() { Page::read(&answer.url, &answer.body).forms } else { Vec::new() };
            if forms.is_empty() || consent == Consent::WalkAway {
                return Ok(Consented::Page(answer));
            }
            request = answered(&forms, consent, &answer.url)?;
        }
        Err(AgentError::RedirectsForever { url: request.url.to_string() })
    }
}

fn redirect_of(answer: &Answer) -> Option<Url> {
    let status = matches!(answer.status, 301 | 302 | 303 | 307 | 308);
    answer.header("location").filter(|_| status).and_then(|target| answer.url.join(target).ok())
}

fn answered(forms: &[Form], consent: Consent, url: &Url) -> Result<Request, AgentError> {
    let (words, wanted) = match consent {
        Consent::Allow => (ALLOW, "allow"),
        Consent::Deny | Consent::WalkAway => (DENY, "deny"),
    };
    let pairs = || forms.iter().flat_map(|form| form.buttons.iter().map(move |button| (form, button)));
    match pairs().find(|(_, button)| says(button, words)) {
        Some((form, button)) => Ok(Request::submit(form, Some(button), &BTreeMap::new(), url)),
        None => Err(AgentError::NoConsentButton { url: url.to_string(), wanted }),
    }
}

fn says(button: &Button, words: &[&str]) -> bool {
    let all = [button.text.as_str(), button.value.as_str(), button.name.as_deref().unwrap_or_default()].join(" ").to_lowercase();
    all.split(|c: char| !c.is_alphabetic()).any(|said| words.contains(&said))
}
