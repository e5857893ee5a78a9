//! The web page for people: one file, no dependencies, nothing from elsewhere.

use std::sync::LazyLock;

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::Engine as _;
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The one script and the one style sheet of the page may run, and nothing else; it may talk to this port only.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("script"),
        hash("style"),
    );
    // Base64 is ASCII.
    HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// `GET /`.
pub(super) async fn page() -> Response {
    let fixed = |name: &'static str, value: &'static str| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let headers = [
        fixed("content-type", "text/html; charset=utf-8"),
        fixed("cache-control", "no-store"),
        fixed("referrer-policy", "no-referrer"),
        fixed("x-content-type-options", "nosniff"),
        (header::CONTENT_SECURITY_POLICY, POLICY.clone()),
    ];
    (headers, PAGE).into_response()
}

/// What the policy calls the page's one element of that name.
fn hash(element: &str) -> String {
    let content = PAGE.split_once(&format!("<{element}>")).and_then(|(_, rest)| rest.split_once(&format!("</{element}>")));
    let digest = Sha256::digest(content.map_or("", |(content, _)| content));
    format!("sha256-{}", base64::engine::general_purpose::STANDARD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_that_needs_nothing_from_elsewhere() {
        assert_eq!((PAGE.matches("<script>").count(), PAGE.matches("<style>").count()), (1, 1), "the policy names one of each");
        assert_eq!((PAGE.matches("<script").count(), PAGE.matches("<style").count()), (1, 1));
        for outside in ["http://", "https://", "src=", "@import", "url(", " style=", " onclick=", "innerHTML"] {
            assert!(!PAGE.contains(outside), "{outside}");
        }
        assert_ne!(hash("script"), hash("no-such-element"));
    }
}
