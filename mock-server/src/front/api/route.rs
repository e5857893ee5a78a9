//! Which resource a path means, and which scopes it wants.

use super::super::request::Request;
use crate::ApiReply;

/// What a request of the API is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// An answer that the user supplied, by index.
    Supplied(usize),
    Employees,
    Employee {
        id: String,
    },
    Companies,
    Company {
        id: String,
    },
    Jobs,
    CreateJob,
    Job {
        id: String,
    },
    Items {
        job: String,
    },
    UpdateItems {
        job: String,
    },
    ExportItems,
    JobEvents,
    Introspect,
    Installation,
    Activate,
    Subscriptions,
    Subscribe,
    Subscription {
        id: String,
    },
    ChangeSubscription {
        id: String,
    },
    Unsubscribe {
        id: String,
    },
    Activities {
        subscription: String,
    },
    SubscriptionSecret {
        subscription: String,
    },
    /// Pleo documents it, and it is not modelled.
    Fallback,
    /// It exists, with other methods.
    Method {
        allow: &'static str,
    },
    /// Pleo does not document it.
    Undocumented,
}

/// One of these is needed; none at all if empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scopes {
    pub(super) any_of: Vec<String>,
}

/// Resources that Pleo documents beside those modelled, and the scopes they want as far as any source names them.
/// A third party's client knows tag groups under two names, of which one is for staging.
const DOCUMENTED: &[(&str, &[&str])] = &[
    ("accounting-entries", &[]),
    ("accounting-entry-enrichments", &[]),
    ("accounts", &["accounts"]),
    ("app-bundles", &[]),
    ("bookkeeping", &[]),
    ("companies", &["companies"]),
    ("employees", &["users"]),
    ("expenses", &[]),
    ("export", &[]),
    ("export-items", &["export-items"]),
    ("export-job-events", &["export-jobs"]),
    ("export-job-items", &["export-jobs"]),
    ("export-jobs", &["export-jobs"]),
    ("installations", &[]),
    ("receipts", &[]),
    ("subscriptions", &[]),
    ("tag-groups", &["tag-groups", "tag-group"]),
    ("tags", &["tag-groups", "tag-group", "tags"]),
    ("tax-codes", &["tax-codes"]),
    ("teams", &[]),
    ("vendors", &["vendors"]),
];

/// What a request is about.
pub(super) fn find(request: &Request, supplied: &[ApiReply]) -> Route {
    let own = |reply: &ApiReply| reply.method.eq_ignore_ascii_case(&request.method) && matches_template(&reply.path, &request.path);
    if let Some(index) = supplied.iter().position(own) {
        return Route::Supplied(index);
    }
    let parts: Vec<&str> = request.path.trim_start_matches('/').trim_end_matches('/').split('/').collect();
    let get = if request.method == "HEAD" { "GET" } else { request.method.as_str() };
    let id = |text: &str| text.to_owned();
    match (get, parts.as_slice()) {
        ("GET", ["v2", "employees"]) => Route::Employees,
        ("GET", ["v2", "employees", one]) => Route::Employee { id: id(one) },
        ("GET", ["v1", "companies"]) => Route::Companies,
        ("GET", ["v1", "companies", one]) => Route::Company { id: id(one) },
        ("GET", ["v3", "export-jobs"]) => Route::Jobs,
        ("POST", ["v3", "export-jobs"]) => Route::CreateJob,
        ("GET", ["v3", "export-jobs", one]) => Route::Job { id: id(one) },
        ("GET", ["v3", "export-jobs", job, "items"]) => Route::Items { job: id(job) },
        ("PUT", ["v3", "export-jobs", job, "items"]) => Route::UpdateItems { job: id(job) },
        ("GET", ["v3", "export-items"]) => Route::ExportItems,
        ("POST", ["v3", "export-job-events"]) => Route::JobEvents,
        ("GET", ["v1", "introspect"]) => Route::Introspect,
        ("GET" | "POST" | "PUT" | "DELETE", ["v1", "installations", "me"]) => Route::Installation,
        ("POST", ["v1", "installations", "me:activate"]) => Route::Activate,
        ("GET", ["v1", "subscriptions"]) => Route::Subscriptions,
        ("POST", ["v1", "subscriptions"]) => Route::Subscribe,
        ("GET", ["v1", "subscriptions", one]) => Route::Subscription { id: id(one) },
        ("PUT", ["v1", "subscriptions", one]) => Route::ChangeSubscription { id: id(one) },
        ("DELETE", ["v1", "subscriptions", one]) => Route::Unsubscribe { id: id(one) },
        ("GET", ["v1", "subscriptions", one, "activities"]) => Route::Activities { subscription: id(one) },
        ("GET", ["v1", "subscriptions", one, "secret"]) => Route::SubscriptionSecret { subscription: id(one) },
        (_, ["v1", "subscriptions"]) => Route::Method { allow: "GET, POST" },
        (_, ["v1", "subscriptions", _]) => Route::Method { allow: "GET, PUT, DELETE" },
        (_, ["v1", "subscriptions", _, "activities" | "secret"]) => Route::Method { allow: "GET" },
        (_, ["v2", "employees"] | ["v2", "employees", _] | ["v3", "export-jobs", _] | ["v3", "export-items"] | ["v1", "introspect"]) => {
            Route::Method { allow: "GET" }
        }
        (_, ["v3", "export-jobs"]) => Route::Method { allow: "GET, POST" },
        (_, ["v3", "export-jobs", _, "items"]) => Route::Method { allow: "GET, PUT" },
        (_, ["v3", "export-job-events"] | ["v1", "installations", "me:activate"]) => Route::Method { allow: "POST" },
        (_, ["v1", "installations", "me"]) => Route::Method { allow: "GET, POST, PUT, DELETE" },
        ("POST", [version, resource, ..]) if is_documented(version, resource) => Route::Fallback,
        (_, [version, resource, ..]) if is_documented(version, resource) && request.path.ends_with(":search") => {
            Route::Method { allow: "POST" }
        }
        ("GET" | "PUT" | "PATCH" | "DELETE", [version, resource, ..]) if is_documented(version, resource) => Route::Fallback,
        (_, [version, resource, ..]) if is_documented(version, resource) => Route::Method { allow: "GET, POST, PUT, PATCH, DELETE" },
        _ => Route::Undocumented,
    }
}

/// The scopes that a request wants.
pub(super) fn scopes(route: &Route, request: &Request) -> Scopes {
    let right = if request.only_looks() { "read" } else { "write" };
    let resources: &[&str] = match route {
        Route::Employees | Route::Employee { .. } => &["users"],
        Route::Companies | Route::Company { .. } => &["companies"],
        Route::Jobs | Route::CreateJob | Route::Job { .. } | Route::Items { .. } | Route::UpdateItems { .. } | Route::JobEvents => {
            &["export-jobs"]
        }
        Route::ExportItems => &["export-items"],
        Route::Fallback => request.path.split('/').nth(2).and_then(documented).unwrap_or_default(),
        // Which scope subscriptions want is not documented; what they are about has its own.
        Route::Subscriptions
        | Route::Subscribe
        | Route::Subscription { .. }
        | Route::ChangeSubscription { .. }
        | Route::Unsubscribe { .. }
        | Route::Activities { .. }
        | Route::SubscriptionSecret { .. } => &[],
        Route::Supplied(_) | Route::Introspect | Route::Installation | Route::Activate | Route::Method { .. } | Route::Undocumented => &[],
    };
    Scopes { any_of: resources.iter().map(|resource| format!("{resource}:{right}")).collect() }
}

fn documented(segment: &str) -> Option<&'static [&'static str]> {
    let resource = segment.split(':').next().unwrap_or_default();
    DOCUMENTED.iter().find(|(name, _)| *name == resource).map(|(_, scopes)| *scopes)
}

fn is_documented(version: &str, resource: &str) -> bool {
    is_version(version) && documented(resource).is_some()
}

/// `v1`, `v0`, `v1-beta`.
fn is_version(segment: &str) -> bool {
    let number = segment.strip_prefix('v').map(|rest| rest.strip_suffix("-beta").unwrap_or(rest));
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

/// `{name}` stands for one segment.
fn matches_template(template: &str, path: &str) -> bool {
    let (mut wanted, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return true,
            (Some(hole), Some(part)) if hole.starts_with('{') && hole.ends_with('}') && !part.is_empty() => {}
            (Some(wanted), Some(given)) if wanted == given => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(method: &str, target: &str) -> Route {
        find(&Request::new(method.into(), target, Vec::new(), bytes::Bytes::new()), &[])
    }

    #[test]
    fn paths_that_pleo_documents_are_told_from_others() {
        assert_eq!(at("GET", "/v2/employees?limit=1"), Route::Employees);
        assert_eq!(at("POST", "/v1/accounting-entries:search"), Route::Fallback);
        assert_eq!(at("GET", "/v1-beta/accounts"), Route::Fallback);
        assert_eq!(at("PATCH", "/v2/employees"), Route::Method { allow: "GET" });
        assert_eq!(at("PUT", "/v1/accounting-entries:search"), Route::Method { allow: "POST" });
        assert_eq!(at("TRACE", "/v1/vendors"), Route::Method { allow: "GET, POST, PUT, PATCH, DELETE" });
        assert_eq!(at("GET", "/v1/subscriptions/7/secret"), Route::SubscriptionSecret { subscription: "7".into() });
        assert_eq!(at("POST", "/v1/subscriptions/7"), Route::Method { allow: "GET, PUT, DELETE" });
        assert_eq!(at("GET", "/v9/nonsense"), Route::Undocumented);
        assert_eq!(at("GET", "/vx/employees"), Route::Undocumented);
    }

    #[test]
    fn a_template_matches_one_segment_for_each_hole() {
        assert!(matches_template("/v1/a/{id}/b", "/v1/a/7/b"));
        assert!(!matches_template("/v1/a/{id}", "/v1/a/7/b"));
        assert!(!matches_template("/v1/a/{id}", "/v1/a/"));
    }
}
