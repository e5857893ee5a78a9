//! The pages that people see at the authorise endpoint.

use regrant_authority::Consent;

use super::reply::Reply;

/// Asks the user to allow or to deny.
pub(super) fn ask(ticket: &str, consent: &Consent, company: &str) -> Reply {
    let scopes = match consent.scopes.as_slice() {
        [] => "<li>everything it was registered for</li>".to_owned(),
        scopes => scopes.iter().map(|scope| format!("<li><code>{}</code></li>", escape(scope))).collect(),
    };
    let body = format!(
        "<h1>Allow access to {company}?</h1>\
         <p>The application <code>{client}</code> wants to use Pleo for <strong>{company}</strong>:</p><ul>{scopes}</ul>\
         <form method=\"post\" action=\"authorize\"><input type=\"hidden\" name=\"ticket\" value=\"{ticket}\">\
         <button name=\"decision\" value=\"allow\">Allow</button> <button name=\"decision\" value=\"deny\">Deny</button></form>\
         <p class=\"to\">You will be sent to {to}</p>",
        company = escape(company),
        client = escape(&consent.client_id),
        ticket = escape(ticket),
        to = escape(&consent.redirect_uri),
    );
    page(200, "Allow access?", &body)
}

/// Tells the user what is wrong, where sending the browser back would not be safe (RFC 6749 section 4.1.2.1).
pub(super) fn refuse(status: u16, reason: &str) -> Reply {
    let body = format!("<h1>This request cannot be granted</h1><p>{}</p>", escape(reason));
    page(status, "Request refused", &body)
}

fn page(status: u16, title: &str, body: &str) -> Reply {
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>body{{font:16px/1.5 system-ui;max-width:34rem;margin:4rem auto;padding:0 1rem}}\
         button{{font:inherit;padding:.4rem 1.2rem}}.to{{color:#666;font-size:.85rem}}</style></head><body>{body}</body></html>"
    );
    Reply::with_body(status, "text/html;charset=UTF-8", html)
        .unstored()
        .header("referrer-policy", "no-referrer")
        .header("x-frame-options", "DENY")
        .header("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}
