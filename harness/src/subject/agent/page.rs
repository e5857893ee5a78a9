//! What is on a page: links, forms, buttons, text.

use regex::Regex;
use scraper::{ElementRef, Html, Selector};
use url::Url;

/// The words of a page, for a message; no scripts, no styles. What a person sees of it is for `collect` to tell.
pub(super) fn words_of_page(html: &str) -> String {
    let document = Html::parse_document(html);
    let is_said =
        |parent: ElementRef<'_>| !matches!(parent.value().name(), "script" | "style" | "template" | "noscript" | "title" | "head");
    let said = document.root_element().descendants().filter(|node| node.parent().and_then(ElementRef::wrap).is_none_or(is_said));
    let texts = said.filter_map(|node| node.value().as_text());
    texts.flat_map(|text| text.split_whitespace()).collect::<Vec<_>>().join(" ")
}

/// A page with everything on it that leads on.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Links, and buttons that only go to an address.
    pub(super) links: Vec<Link>,
    /// Forms.
    pub(super) forms: Vec<Form>,
    /// Where the page itself goes on to.
    pub(super) refresh: Option<Url>,
}

/// A link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) text: String,
    pub(super) target: Url,
}

/// A form.
#[derive(Debug, Clone)]
pub(super) struct Form {
    pub(super) action: Url,
    pub(super) post: bool,
    pub(super) multipart: bool,
    pub(super) fields: Vec<Field>,
    pub(super) buttons: Vec<Button>,
    /// All its visible words, for forms whose button says little.
    pub(super) text: String,
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) value: String,
    /// It is sent: not an unchecked box.
    pub(super) sent: bool,
    /// A person types into it.
    pub(super) typed: bool,
}

/// A button that submits a form.
#[derive(Debug, Clone)]
pub(super) struct Button {
    pub(super) text: String,
    pub(super) name: Option<String>,
    pub(super) value: String,
    pub(super) action: Option<Url>,
    pub(super) post: Option<bool>,
}

impl Page {
    /// Reads a page that came from `url`.
    pub(super) fn read(url: &Url, html: &str) -> Self {
        let document = Html::parse_document(html);
        let base = select(document.root_element(), "base[href]").first().and_then(|base| url.join(base.attr("href")?).ok());
        let base = base.unwrap_or_else(|| url.clone());
        Self { links: links(&document, &base), forms: forms(&document, url, &base), refresh: refresh(&document, &base) }
    }
}

fn links(document: &Html, base: &Url) -> Vec<Link> {
    let anchors = select(document.root_element(), "a[href], area[href]")
        .into_iter()
        .filter_map(|link| Some((link, base.join(link.attr("href")?).ok()?)));
    let scripted = select(document.root_element(), "[onclick]")
        .into_iter()
        .filter_map(|link| Some((link, clicked_address(base, link.attr("onclick")?)?)));
    anchors
        .chain(scripted)
        .filter(|(_, target)| matches!(target.scheme(), "http" | "https"))
        .map(|(link, target)| Link { text: words(link), target })
        .collect()
}

/// The address in `location.href = '/connect'` and its kin.
fn clicked_address(base: &Url, script: &str) -> Option<Url> {
    let pattern = Regex::new(r#"(?:location(?:\.href)?\s*=|location\.(?:assign|replace)\(|open\()\s*["']([^"']+)["']"#).ok()?;
    base.join(pattern.captures(script)?.get(1)?.as_str()).ok()
}

fn forms(document: &Html, url: &Url, base: &Url) -> Vec<Form> {
    select(document.root_element(), "form").into_iter().map(|form| read_form(document, form, url, base)).collect()
}

fn read_form(document: &Html, form: ElementRef<'_>, url: &Url, base: &Url) -> Form {
    let action = form.attr("action").filter(|action| !action.is_empty()).and_then(|action| base.join(action).ok());
    let mut controls = select(form, "input, select, textarea, button");
    if let Some(id) = form.attr("id") {
        let elsewhere = select(document.root_element(), "[form]").into_iter().filter(|control| control.attr("form") == Some(id));
        controls.extend(elsewhere);
    }
    controls.retain(|control| control.attr("disabled").is_none());
    Form {
        action: action.unwrap_or_else(|| url.clone()),
        post: is_post(form.attr("method")),
        multipart: form.attr("enctype").is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data")),
        fields: controls.iter().filter_map(|control| read_field(*control)).collect(),
        buttons: controls.iter().filter_map(|control| read_button(*control, base)).collect(),
        text: words(form),
    }
}

fn is_post(method: Option<&str>) -> bool {
    method.is_some_and(|method| method.eq_ignore_ascii_case("post"))
}

fn read_field(control: ElementRef<'_>) -> Option<Field> {
    let name = control.attr("name").filter(|name| !name.is_empty())?.to_owned();
    let id = control.attr("id").unwrap_or_default().to_owned();
    let plain = control.attr("value").unwrap_or_default().to_owned();
    let kind = control.attr("type").unwrap_or("text").to_ascii_lowercase();
    let (value, sent, typed) = match (control.value().name(), kind.as_str()) {
        ("button", _) | ("input", "submit" | "button" | "image" | "reset" | "file") => return None,
        ("input", "checkbox" | "radio") => (control.attr("value").unwrap_or("on").to_owned(), control.attr("checked").is_some(), false),
        ("input", "hidden") => (plain, true, false),
        ("textarea", _) => (control.text().collect(), true, true),
        ("select", _) => (selected(control), true, false),
        _ => (plain, true, true),
    };
    Some(Field { name, id, value, sent, typed })
}

fn selected(list: ElementRef<'_>) -> String {
    let options = select(list, "option");
    let chosen = options.iter().find(|option| option.attr("selected").is_some()).or(options.first());
    chosen.map(|option| option.attr("value").map_or_else(|| words(*option), str::to_owned)).unwrap_or_default()
}

fn read_button(control: ElementRef<'_>, base: &Url) -> Option<Button> {
    let kind = control.attr("type").map(str::to_ascii_lowercase);
    match (control.value().name(), kind.as_deref()) {
        ("button", None | Some("submit")) | ("input", Some("submit" | "image")) => {}
        _ => return None,
    }
    Some(Button {
        text: words(control),
        name: control.attr("name").filter(|name| !name.is_empty()).map(str::to_owned),
        value: control.attr("value").unwrap_or_default().to_owned(),
        action: control.attr("formaction").and_then(|action| base.join(action).ok()),
        post: control.attr("formmethod").map(|method| is_post(Some(method))),
    })
}

fn refresh(document: &Html, base: &Url) -> Option<Url> {
    let content = select(document.root_element(), "meta[http-equiv]")
        .into_iter()
        .find(|meta| meta.attr("http-equiv").is_some_and(|name| name.eq_ignore_ascii_case("refresh")))
        .and_then(|meta| meta.attr("content"))?;
    let (_, target) = content.split_once([';', ','])?;
    let (key, address) = target.split_once('=')?;
    let address = address.trim().trim_matches(['\'', '"']);
    key.trim().eq_ignore_ascii_case("url").then(|| base.join(address).ok())?
}

/// What an element says: its text, else what stands for it.
fn words(element: ElementRef<'_>) -> String {
    let text = element.text().flat_map(str::split_whitespace).collect::<Vec<_>>().join(" ");
    if !text.is_empty() {
        return text;
    }
    let pictures = select(element, "img[alt]");
    let picture = pictures.first().and_then(|picture| picture.attr("alt"));
    let said = ["value", "aria-label", "title", "alt"].into_iter().find_map(|name| element.attr(name).filter(|said| !said.is_empty()));
    said.or(picture).unwrap_or_default().to_owned()
}

fn select<'a>(within: ElementRef<'a>, selector: &str) -> Vec<ElementRef<'a>> {
    Selector::parse(selector).map(|selector| within.select(&selector).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(html: &str) -> Page {
        Page::read(&Url::parse("http://127.0.0.1:9/a/b?q=1").expect("a URL"), html)
    }

    #[test]
    fn the_words_of_a_page_are_without_its_scripts() {
        let html = "<html><head><title>t</title><style>s{}</style></head><body><p>Access <b>expired</b></p><script>var x</script>\
                    <a href='/c?x=1'>Reconnect</a></body></html>";
        assert_eq!(words_of_page(html), "Access expired Reconnect");
    }

    #[test]
    fn a_page_nested_without_end_is_read() {
        let html = format!("{}deep", "<div>".repeat(3_000));
        assert_eq!(words_of_page(&html), "deep");
        assert!(page(&html).links.is_empty());
    }

    #[test]
    fn links_are_absolute_and_have_words() {
        let links = page("<base href='/x/'><a href=c>C <i>it</i></a><a href='mailto:a'>m</a><a href='/p'><img alt=Pic></a>").links;
        let links: Vec<_> = links.iter().map(|link| (link.text.as_str(), link.target.path())).collect();
        assert_eq!(links, [("C it", "/x/c"), ("Pic", "/p")]);
    }

    #[test]
    fn buttons_that_only_go_somewhere_are_links() {
        let links = page(r#"<button onclick="window.location.href='/connect'">Connect</button>"#).links;
        assert_eq!(links[0].target.path(), "/connect");
    }

    #[test]
    fn forms_are_read_as_a_browser_does() {
        let form = page(
            "<form method=POST><input type=hidden name=csrf value=c><input name=mail id=m><input type=checkbox name=a checked>\
             <input type=checkbox name=b><select name=s><option value=1><option value=2 selected></select><textarea name=t>x</textarea>\
             <input name=off disabled><button name=go value=1>Allow</button><button type=button>No</button></form>",
        )
        .forms
        .remove(0);
        assert_eq!((form.action.as_str(), form.post), ("http://127.0.0.1:9/a/b?q=1", true));
        let sent: Vec<_> = form.fields.iter().filter(|field| field.sent).map(|field| (field.name.as_str(), field.value.as_str())).collect();
        assert_eq!(sent, [("csrf", "c"), ("mail", ""), ("a", "on"), ("s", "2"), ("t", "x")]);
        assert_eq!(form.buttons.iter().map(|button| button.text.as_str()).collect::<Vec<_>>(), ["Allow"]);
    }

    #[test]
    fn a_control_elsewhere_belongs_to_its_form() {
        let form = page("<form id=f></form><input form=f name=x value=1><button form=f>Go</button>").forms.remove(0);
        assert_eq!((form.fields.len(), form.buttons.len()), (1, 1));
    }

    #[test]
    fn a_page_can_go_on_by_itself() {
        assert_eq!(
            page("<meta http-equiv=Refresh content=\"0; URL='/next'\">").refresh.map(|url| url.path().to_owned()),
            Some("/next".into())
        );
        assert_eq!(page("<meta http-equiv=refresh content=5>").refresh, None);
    }
}
