//! From request to request: redirects, pages that go on by themselves, steps of a person, signing in.

use url::Url;

use super::{
    Agent, AgentError, Answer, AuthorizeUrl, Follow,
    fetch::{Deadline, same_origin},
    page::{Button, Form, Page},
    request::{Request, parse},
};
use crate::subject::{
    Bindings,
    manifest::{HttpCall, Step},
};

/// How many redirects a browser follows; real ones allow 20, but nothing sound needs more than a few.
pub(super) const REDIRECTS: u32 = 10;

impl Agent {
    /// Makes a request and follows what leads on, up to the authorise endpoint.
    pub(super) async fn walk(&self, first: Request, follow: Follow, until: Deadline) -> Result<Answer, AgentError> {
        let mut request = first;
        let mut so_far: Option<Answer> = None;
        for redirects in 0..=REDIRECTS {
            if self.is_authorize(&request.url) {
                return Ok(before_authorize(so_far, request.url));
            }
            let answer = Answer { redirects, ..self.network.fetch(&request, until).await? };
            let next = match follow {
                Follow::Never => None,
                Follow::Pages => next_request(&request, &answer),
            };
            let Some(next) = next else { return Ok(answer) };
            request = next;
            so_far = Some(answer);
        }
        Err(AgentError::RedirectsForever { url: request.url.to_string() })
    }

    /// Performs a call, signed in if the manifest says how.
    pub(super) async fn perform(
        &self,
        call: &HttpCall,
        bindings: &Bindings,
        follow: Follow,
        until: Deadline,
    ) -> Result<Answer, AgentError> {
        if self.logins.is_empty() {
            return self.perform_once(call, bindings, follow, until).await;
        }
        self.sign_in(bindings, false, until).await?;
        let answer = self.perform_once(call, bindings, follow, until).await?;
        if !self.is_turned_away(&answer, bindings) {
            return Ok(answer);
        }
        // The session is gone. What was turned away did no work, so that it can be repeated.
        self.sign_in(bindings, true, until).await?;
        self.perform_once(call, bindings, follow, until).await
    }

    /// Signs in if it was not done yet; `again`: all the same.
    pub(super) async fn sign_in(&self, bindings: &Bindings, again: bool, until: Deadline) -> Result<(), AgentError> {
        let mut signed_in = self.signed_in.lock().await;
        if *signed_in && !again {
            return Ok(());
        }
        for steps in &self.logins {
            let failed = |error: &AgentError| AgentError::Login { reason: error.to_string() };
            let answer =
                self.take_steps(steps, bindings, until).await.map_err(|error| if error.is_no_answer() { error } else { failed(&error) })?;
            if answer.status >= 400 {
                return Err(AgentError::Login { reason: format!("{} answered {}", answer.url, answer.status) });
            }
        }
        *signed_in = true;
        Ok(())
    }

    async fn perform_once(&self, call: &HttpCall, bindings: &Bindings, follow: Follow, until: Deadline) -> Result<Answer, AgentError> {
        if call.steps.is_empty() {
            self.walk(Request::from_call(call, bindings)?, follow, until).await
        } else {
            self.take_steps(&call.steps, bindings, until).await
        }
    }

    /// 401, 403, or on the way to the page where one signs in.
    fn is_turned_away(&self, answer: &Answer, bindings: &Bindings) -> bool {
        if matches!(answer.status, 401 | 403) {
            return true;
        }
        let target = answer.header("location").and_then(|target| answer.url.join(target).ok());
        let landed = if answer.redirects > 0 { Some(answer.url.clone()) } else { None };
        self.logins
            .iter()
            .filter_map(|steps| login_page(steps, bindings))
            .any(|page| [&target, &landed].into_iter().flatten().any(|url| same_origin(url, &page) && url.path() == page.path()))
    }

    /// Does at a page what a person would do; ends early before the authorise endpoint.
    pub(super) async fn take_steps(&self, steps: &[Step], bindings: &Bindings, until: Deadline) -> Result<Answer, AgentError> {
        let mut current: Option<Answer> = None;
        for step in steps {
            let request = match (step, &current) {
                (Step::Get(address), _) => Request::get(parse(&bindings.fill(address)?)?, None),
                (_, None) => {
                    return Err(AgentError::StepFailed { url: "the beginning".into(), missing: "no page yet: begin with `get`".into() });
                }
                (Step::Click(text), Some(answer)) => click(answer, &bindings.fill(text)?)?,
                (Step::Fill { fields, submit }, Some(answer)) => {
                    let submit = submit.as_ref().map(|text| bindings.fill(text)).transpose()?;
                    fill(answer, &bindings.fill_map(fields)?, submit.as_deref())?
                }
            };
            let before = current.take();
            let answer = self.walk(request, Follow::Pages, until).await?;
            if let Some(found) = answer.authorize {
                return Ok(before_authorize(before, found.0));
            }
            current = Some(answer);
        }
        current.ok_or_else(|| AgentError::StepFailed { url: "the beginning".into(), missing: "no steps".into() })
    }
}

/// The last answer before the authorise endpoint; a way that begins there has none.
fn before_authorize(so_far: Option<Answer>, url: Url) -> Answer {
    let none = || Answer { status: 0, headers: Vec::new(), body: String::new(), url: url.clone(), redirects: 0, authorize: None };
    let answer = so_far.unwrap_or_else(none);
    Answer { authorize: Some(AuthorizeUrl(url)), ..answer }
}

fn next_request(request: &Request, answer: &Answer) -> Option<Request> {
    if matches!(answer.status, 301 | 302 | 303 | 307 | 308) {
        let target = answer.url.join(answer.header("location")?).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        return Some(request.redirected(answer.status, target));
    }
    let refresh = if answer.is_html() { Page::read(&answer.url, &answer.body).refresh } else { None };
    // A page that reloads itself is no way on.
    refresh.filter(|url| *url != answer.url).map(|url| Request::get(url, Some(&answer.url)))
}

fn login_page(steps: &[Step], bindings: &Bindings) -> Option<Url> {
    match steps.first() {
        Some(Step::Get(address)) => Url::parse(&bindings.fill(address).ok()?).ok(),
        Some(Step::Fill { .. } | Step::Click(_)) | None => None,
    }
}

fn click(answer: &Answer, text: &str) -> Result<Request, AgentError> {
    let page = Page::read(&answer.url, &answer.body);
    for exactly in [true, false] {
        if let Some(link) = page.links.iter().find(|link| reads(&link.text, text, exactly)) {
            return Ok(Request::get(link.target.clone(), Some(&answer.url)));
        }
        if let Some((form, button)) = page.forms.iter().find_map(|form| Some((form, button(form, text, exactly)?))) {
            return Ok(Request::submit(form, Some(button), &std::collections::BTreeMap::new(), &answer.url));
        }
    }
    let there =
        page.links.iter().map(|link| &link.text).chain(page.forms.iter().flat_map(|form| form.buttons.iter().map(|button| &button.text)));
    Err(missing(answer, &format!("no link or button {text:?}"), there))
}

fn fill(answer: &Answer, fields: &std::collections::BTreeMap<String, String>, submit: Option<&str>) -> Result<Request, AgentError> {
    let page = Page::read(&answer.url, &answer.body);
    let has = |form: &Form, name: &str| form.fields.iter().any(|field| field.name == name || field.id == name);
    let mut fitting = page.forms.iter().filter(|form| fields.keys().all(|name| has(form, name))).peekable();
    let Some(first) = fitting.peek().copied() else {
        let wanted: Vec<_> = fields.keys().map(String::as_str).collect();
        let there = page.forms.iter().flat_map(|form| form.fields.iter().map(|field| &field.name));
        return Err(missing(answer, &format!("no form with the fields {}", wanted.join(", ")), there));
    };
    let Some(text) = submit else { return Ok(Request::submit(first, first.buttons.first(), fields, &answer.url)) };
    // Several forms may have the fields: the button tells which is meant.
    let fitting: Vec<_> = fitting.collect();
    let with_button = |exactly| fitting.iter().find_map(|form| Some((*form, button(form, text, exactly)?)));
    let Some((form, pressed)) = with_button(true).or_else(|| with_button(false)) else {
        let there = fitting.iter().flat_map(|form| form.buttons.iter().map(|button| &button.text));
        return Err(missing(answer, &format!("no button {text:?} in that form"), there));
    };
    Ok(Request::submit(form, Some(pressed), fields, &answer.url))
}

fn button<'f>(form: &'f Form, text: &str, exactly: bool) -> Option<&'f Button> {
    form.buttons.iter().find(|button| reads(&button.text, text, exactly))
}

fn reads(said: &str, wanted: &str, exactly: bool) -> bool {
    let (said, wanted) = (said.to_lowercase(), wanted.to_lowercase());
    if exactly { said == wanted } else { said.contains(&wanted) }
}

fn missing<'a>(answer: &Answer, what: &str, there: impl Iterator<Item = &'a String>) -> AgentError {
    let there: Vec<_> = there.filter(|text| !text.is_empty()).take(12).map(|text| format!("{text:?}")).collect();
    let there = if there.is_empty() { "there is none at all".to_owned() } else { format!("there are {}", there.join(", ")) };
    AgentError::StepFailed { url: format!("{} (status {})", answer.url, answer.status), missing: format!("{what}; {there}") }
}
