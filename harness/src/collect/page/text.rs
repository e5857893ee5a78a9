//! What a person would read in an answer, and where its links and forms lead.

use scraper::{ElementRef, Html, Node};
use serde_json::Value;

use super::Answer;

/// An answer as it is seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// What is written.
    pub(super) text: String,
    /// `-> address` of a link, `=> METHOD address` of a form.
    pub(super) targets: Vec<String>,
}

impl Seen {
    pub(super) fn whole(&self) -> String {
        let mut lines = vec![self.text.as_str()];
        lines.extend(self.targets.iter().map(String::as_str));
        lines.retain(|line| !line.is_empty());
        lines.join("\n")
    }
}

/// What kind of text an answer holds.
pub(super) enum Content {
    Html(Html),
    Json(Value),
    Plain,
}

/// By its content type, or by how it begins.
pub(super) fn content(answer: Answer<'_>) -> Content {
    let text = answer.text();
    let kind = answer.content_type.unwrap_or_default().to_ascii_lowercase();
    let start = text.trim_start().get(..9).unwrap_or_default().to_ascii_lowercase();
    if kind.contains("html") || (kind.is_empty() && (start.starts_with("<!doctype") || start.starts_with("<html"))) {
        return Content::Html(Html::parse_document(&text));
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Content::Json(value),
        Ok(_) | Err(_) => Content::Plain,
    }
}

pub(super) fn seen(answer: Answer<'_>) -> Seen {
    match content(answer) {
        Content::Html(html) => of_html(&html),
        Content::Json(value) => {
            let mut lines = Vec::new();
            of_json("", &value, &mut lines);
            Seen { text: lines.join("\n"), targets: Vec::new() }
        }
        Content::Plain => Seen { text: lines(&answer.text()), targets: Vec::new() },
    }
}

/// Keys in order, so that it does not matter in which order they were written.
fn of_json(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            for (key, value) in entries {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                of_json(&path, value, lines);
            }
        }
        Value::Array(all) => all.iter().for_each(|value| of_json(path, value, lines)),
        Value::String(text) => lines.push(format!("{path}: {text}")),
        Value::Null | Value::Bool(_) | Value::Number(_) => lines.push(format!("{path}: {value}")),
    }
}

fn of_html(html: &Html) -> Seen {
    enum Step<N> {
        Node(N),
        Break,
    }
    let mut seen = Seen::default();
    let mut text = String::new();
    // A list of what is still to be done, not a recursion: pages may be nested as deep as they like.
    let mut steps = vec![Step::Node(html.tree.root())];
    while let Some(step) = steps.pop() {
        let node = match step {
            Step::Node(node) => node,
            Step::Break => {
                text.push('\n');
                continue;
            }
        };
        match node.value() {
            Node::Text(written) => text.push_str(&written.replace('\n', " ")),
            Node::Element(_) => {
                let Some(element) = ElementRef::wrap(node) else { continue };
                if is_hidden(element) {
                    continue;
                }
                seen.targets.extend(target(element).filter(|t| !seen.targets.contains(t)));
                if let Some(label) = label(element) {
                    text.push_str(&format!(" {label} "));
                }
                if !is_inline(element.value().name()) {
                    text.push('\n');
                    steps.push(Step::Break);
                }
                steps.extend(node.children().rev().map(Step::Node));
            }
            Node::Document | Node::Fragment => steps.extend(node.children().rev().map(Step::Node)),
            Node::Doctype(_) | Node::Comment(_) | Node::ProcessingInstruction(_) => {}
        }
    }
    seen.text = lines(&text);
    seen
}

fn is_hidden(element: ElementRef<'_>) -> bool {
    let attr = |name| element.value().attr(name);
    let style = attr("style").unwrap_or_default().replace(' ', "").to_ascii_lowercase();
    matches!(element.value().name(), "script" | "style" | "template" | "noscript" | "svg" | "iframe" | "object")
        || attr("hidden").is_some()
        || style.contains("display:none")
        || style.contains("visibility:hidden")
}

fn is_inline(name: &str) -> bool {
    matches!(
        name,
        "a" | "abbr"
            | "b"
            | "bdi"
            | "bdo"
            | "cite"
            | "code"
            | "data"
            | "del"
            | "dfn"
            | "em"
            | "font"
            | "i"
            | "img"
            | "input"
            | "ins"
            | "kbd"
            | "label"
            | "mark"
            | "q"
            | "s"
            | "samp"
            | "small"
            | "span"
            | "strong"
            | "sub"
            | "sup"
            | "time"
            | "u"
            | "var"
            | "wbr"
    )
}

/// What is written on an element itself. The value of a field is the user's, that of a button is a word.
fn label(element: ElementRef<'_>) -> Option<&str> {
    let attr = |name| element.value().attr(name);
    match element.value().name() {
        "img" => attr("alt"),
        "input" if matches!(attr("type"), Some("submit" | "button" | "reset")) => attr("value"),
        "input" => attr("placeholder"),
        _ => None,
    }
}

fn target(element: ElementRef<'_>) -> Option<String> {
    let attr = |name| element.value().attr(name).map(str::trim).filter(|value| !value.is_empty());
    match element.value().name() {
        "a" | "area" => attr("href").map(|href| format!("-> {href}")),
        "form" => {
            let method = attr("method").unwrap_or("get").to_ascii_uppercase();
            Some(format!("=> {method} {}", attr("action").unwrap_or_default()).trim_end().to_owned())
        }
        "button" | "input" => attr("formaction").map(|action| format!("=> {action}")),
        "meta" if attr("http-equiv").is_some_and(|value| value.eq_ignore_ascii_case("refresh")) => {
            let content = attr("content")?;
            let at = content.to_ascii_lowercase().find("url=")?;
            Some(format!("-> {}", content[at + 4..].trim_matches(['\'', '"', ' '])))
        }
        _ => None,
    }
}

/// Without empty lines and doubled spaces.
fn lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    lines.into_iter().filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer<'a>(content_type: Option<&'a str>, body: &'a str) -> Answer<'a> {
        Answer { status: 200, content_type, body: body.as_bytes() }
    }

    #[test]
    fn a_page_is_read_as_a_person_reads_it() {
        let body = "<html><head><title>T</title><meta http-equiv=Refresh content='0; URL=/next'><style>p{}</style></head>
            <p>Your <b>connection</b>\n has <a href='/a'>ended</a>.</p><p hidden>no</p><div style='display: none'>no</div>
            <ul><li>one<li>two</ul><input type=hidden value=no><input type=text value=no placeholder=Name><input type=submit value=Go>
            <noscript>no</noscript><!-- no --><img alt=Logo><form><button formaction=/b>B</button></form><a href='/a'>again</a>";
        let seen = seen(answer(None, body));
        assert_eq!(seen.text, "T\nYour connection has ended.\none\ntwo\nName Go Logo\nB\nagain");
        assert_eq!(seen.targets, ["-> /next", "-> /a", "=> GET", "=> /b"]);
    }

    #[test]
    fn json_is_read_in_the_order_of_its_keys() {
        let seen = seen(answer(Some("application/json"), r#"{"b":[{"x":"y"},null],"a":{"c":true,"n":5}}"#));
        assert_eq!(seen.text, "a.c: true\na.n: 5\nb.x: y\nb: null");
    }

    #[test]
    fn other_text_is_read_by_lines() {
        assert_eq!(seen(answer(Some("text/plain"), " a  b \n\n c\r\n")).text, "a b\nc");
    }

    #[test]
    fn deep_pages_are_no_danger() {
        let body = format!("<html>{}x", "<div>".repeat(8_000));
        assert_eq!(seen(answer(None, &body)).text, "x");
    }
}
