//! Whether a page leads to the authorise endpoint: its links, forms and buttons, tried in order of plausibility.

use http::Method;
use regex::Regex;
use url::Url;

use super::{
    Agent, Answer, AuthorizeUrl, Follow,
    fetch::{Deadline, same_origin},
    page::{Button, Form, Page},
    request::Request,
};

/// How many ways are tried from the page itself.
const FIRST: usize = 5;
/// How many from a page that one of them leads to.
const FURTHER: usize = 2;
/// How deep: a person gives up sooner, but it can be said how far it is.
const DEPTH: u32 = 5;
/// How many requests in all.
const REQUESTS: u32 = 16;

/// Words on the way to Pleo.
const TOWARDS: &str = r"re-?connect|connect|authori[sz]|re-?auth|oauth|sign[ _-]?in|log[ _-]?in|pleo|restore|renew|(^|[^a-z])(re-?)?link";
/// Words on ways that a curious visitor must not take.
const AWAY: &str = r"(^|[^a-z])(log[ _-]?out|sign[ _-]?out|disconnect|delete|remove|revoke|cancel|unlink|destroy|deny|dismiss)($|[^a-z])";

/// A way that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Way {
    /// Where it leads.
    pub(super) authorize: AuthorizeUrl,
    /// Clicks.
    pub(super) actions: u32,
    /// Empty fields to fill in.
    pub(super) fields: u32,
}

/// Something to click.
struct Candidate {
    weight: u32,
    request: Request,
    fields: u32,
}

impl Agent {
    /// Whether an address is the authorise endpoint.
    pub(super) fn is_authorize(&self, url: &Url) -> bool {
        let path = self.authorize_endpoint.path();
        let beneath = url.path() == path || url.path().strip_prefix(path).is_some_and(|rest| rest.starts_with('/'));
        beneath && self.network.is_provider(url)
    }

    fn is_connect(&self, url: &Url) -> bool {
        self.connect_url.as_ref().is_some_and(|connect| same_origin(connect, url) && connect.path() == url.path())
    }

    /// The way from an answer to the authorise endpoint, which is not requested.
    pub(super) async fn find_way(&self, answer: &Answer, until: Deadline) -> Option<Way> {
        if let Some(found) = &answer.authorize {
            return Some(Way { authorize: found.clone(), actions: 0, fields: 0 });
        }
        if !answer.is_html() {
            return self.find_in_data(answer, until).await;
        }
        let mut left = REQUESTS;
        let mut pages = vec![(answer.clone(), 0)];
        for depth in 1..=DEPTH {
            let mut further = Vec::new();
            for (page, fields) in &pages {
                let number = if depth == 1 { FIRST } else { FURTHER };
                for candidate in self.candidates(page, number) {
                    if left == 0 {
                        return None;
                    }
                    left -= 1;
                    let fields = fields + candidate.fields;
                    let connects = self.is_connect(&candidate.request.url);
                    let Ok(reached) = self.walk(candidate.request, Follow::Pages, until).await else { continue };
                    // A form that posts to `connect`, whose script goes on with the address in the answer.
                    if connects
                        && !reached.is_html()
                        && let Some(authorize) = self.find_authorize_url(&reached.body)
                    {
                        return Some(Way { authorize, actions: depth, fields });
                    }
                    if let Some(authorize) = reached.authorize {
                        return Some(Way { authorize, actions: depth, fields });
                    }
                    if reached.is_html() && reached.status < 400 && reached.url != page.url {
                        further.push((reached, fields));
                    }
                }
            }
            pages = further;
        }
        None
    }

    /// JSON and plain text: an address of the authorise endpoint, or of `connect`, is a link for whoever shows it.
    async fn find_in_data(&self, answer: &Answer, until: Deadline) -> Option<Way> {
        if let Some(authorize) = self.find_authorize_url(&answer.body) {
            return Some(Way { authorize, actions: 1, fields: 0 });
        }
        let connect = self.connect_url.as_ref()?;
        let value: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_else(|_| answer.body.clone().into());
        if !strings(&value).any(|text| leads_to(text, &answer.url, connect)) {
            return None;
        }
        let visit = Request::get(connect.clone(), Some(&answer.url));
        // A program that reads data asks for the address of a login with a post as often as with a visit.
        let post = Request { method: Method::POST, ..visit.clone() };
        for request in [visit, post] {
            let Ok(reached) = self.walk(request, Follow::Pages, until).await else { continue };
            let named = || (!reached.is_html()).then(|| self.find_authorize_url(&reached.body)).flatten();
            if let Some(authorize) = reached.authorize.clone().or_else(named) {
                return Some(Way { authorize, actions: 1, fields: 0 });
            }
        }
        None
    }

    fn candidates(&self, answer: &Answer, number: usize) -> Vec<Candidate> {
        let page = Page::read(&answer.url, &answer.body);
        let links = page.links.iter().filter_map(|link| {
            let weight = self.weight(&answer.url, &link.text, "", &link.target)?;
            Some(Candidate { weight, request: Request::get(link.target.clone(), Some(&answer.url)), fields: 0 })
        });
        let forms = page.forms.iter().flat_map(|form| self.submissions(&answer.url, form));
        let mut found: Vec<Candidate> = links.chain(forms).collect();
        // Stable: among equals the first on the page.
        found.sort_by_key(|candidate| std::cmp::Reverse(candidate.weight));
        let mut seen = Vec::new();
        found.retain(|candidate| {
            let key = (candidate.request.method.clone(), candidate.request.url.clone(), candidate.request.body.clone());
            let fresh = !seen.contains(&key);
            seen.push(key);
            fresh
        });
        found.truncate(number);
        found
    }

    fn submissions(&self, from: &Url, form: &Form) -> Vec<Candidate> {
        let fields = form.fields.iter().filter(|field| field.typed && field.value.is_empty()).count();
        let buttons: Vec<Option<&Button>> = if form.buttons.is_empty() { vec![None] } else { form.buttons.iter().map(Some).collect() };
        buttons
            .into_iter()
            .filter_map(|button| {
                let text = button.map_or(form.text.as_str(), |button| button.text.as_str());
                let action = button.and_then(|button| button.action.as_ref()).unwrap_or(&form.action);
                let around = if form.buttons.len() > 1 { "" } else { form.text.as_str() };
                let weight = self.weight(from, text, around, action)?;
                let request = Request::submit(form, button, &std::collections::BTreeMap::new(), from);
                Some(Candidate { weight, request, fields: u32::try_from(fields).unwrap_or(u32::MAX) })
            })
            .collect()
    }

    /// How plausible a way is; none: not to be taken.
    fn weight(&self, from: &Url, text: &str, around: &str, target: &Url) -> Option<u32> {
        if self.is_authorize(target) {
            return Some(100);
        }
        let path = [target.path(), target.query().unwrap_or_default()].join(" ").to_lowercase();
        let text = text.to_lowercase();
        if self.network.is_provider(target) || target.host_str() != from.host_str() || matches(AWAY, &text) || matches(AWAY, &path) {
            return None;
        }
        if self.is_connect(target) {
            return Some(90);
        }
        if self.connect_words.contains(&text) {
            return Some(90);
        }
        let said = matches(TOWARDS, &text);
        let aimed = matches(TOWARDS, &path);
        match (said, aimed) {
            (true, true) => Some(60),
            (true, false) => Some(50),
            (false, true) => Some(40),
            (false, false) => matches(TOWARDS, &around.to_lowercase()).then_some(20),
        }
    }

    /// The first URL of the authorise endpoint in a text, written plainly, in HTML or in JSON.
    pub(super) fn authorize_url_in(&self, text: &str) -> Option<AuthorizeUrl> {
        let plain = text.replace("\\/", "/").replace("\\u0026", "&").replace("&amp;", "&").replace("&#38;", "&");
        let found = Regex::new(r#"https?://[^\s"'<>\\`]+"#).ok()?;
        let urls = found.find_iter(&plain).filter_map(|found| Url::parse(found.as_str().trim_end_matches(['.', ',', ')', ']', ';'])).ok());
        urls.filter(|url| url.query().is_some()).find(|url| self.is_authorize(url)).map(AuthorizeUrl)
    }
}

impl Agent {
    /// Whether a text names the address of `connect`, as a program does that tells its user where to go.
    pub(in crate::subject) fn connect_url_in(&self, text: &str) -> bool {
        let Some(connect) = &self.connect_url else { return false };
        text.split(|c: char| c.is_whitespace() || "\"'<>()".contains(c))
            .any(|word| leads_to(word.trim_end_matches(['.', ',']), connect, connect))
    }
}

fn matches(pattern: &str, text: &str) -> bool {
    Regex::new(pattern).is_ok_and(|pattern| pattern.is_match(text))
}

fn leads_to(text: &str, base: &Url, connect: &Url) -> bool {
    let looks_like_one = text.starts_with("http://") || text.starts_with("https://") || text.starts_with('/');
    looks_like_one && base.join(text).is_ok_and(|url| same_origin(&url, connect) && url.path() == connect.path())
}

/// All strings in a JSON value, without recursion.
fn strings(value: &serde_json::Value) -> impl Iterator<Item = &str> {
    let mut left = vec![value];
    let mut found = Vec::new();
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::String(text) => found.push(text.as_str()),
            serde_json::Value::Array(items) => left.extend(items),
            serde_json::Value::Object(members) => left.extend(members.values()),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }
    found.into_iter()
}
