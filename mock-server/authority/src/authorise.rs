//! The authorise request (RFC 6749 sections 3.1 and 4.1.1, RFC 7636 section 4.4.1).
//!
//! A request whose client or redirect URI is not known to be right is shown to the user and never redirected (RFC 6749
//! section 3.1.2.4). After that, in this order: a repeated parameter, `response_type`, PKCE, `scope`. Only a request without
//! any fault registers what the client left open. Without `scope` the client gets all it is registered for.

use crate::{Authority, AuthorizeError, AuthorizeRequest, Challenge, Client, Company, Consent, User, redirect, scope};

impl Authority {
    /// Checks an authorise request as [`Authority::authorize`] does, and changes nothing.
    ///
    /// # Errors
    /// As there.
    pub fn check_authorize(&self, request: &AuthorizeRequest, user: User, company: Company) -> Result<Consent, AuthorizeError> {
        let client = self.asking_client(request)?;
        let redirect_uri = redirect_uri(client, request)?;
        match self.check_rest(client, request) {
            Ok((challenge, scopes)) => Ok(Consent {
                client_id: client.id.clone(),
                redirect_uri,
                redirect_uri_sent: request.redirect_uri.is_some(),
                scopes,
                state: request.state.clone(),
                challenge,
                user,
                company,
            }),
            Err((error, description)) => Err(AuthorizeError::Redirect {
                redirect_uri,
                error,
                description: description.to_owned(),
                // Of two states nobody knows which is the client's.
                state: request.state.clone().filter(|_| request.repeated.as_deref() != Some("state")),
            }),
        }
    }

    fn asking_client(&self, request: &AuthorizeRequest) -> Result<&Client, AuthorizeError> {
        if let Some(name @ ("client_id" | "redirect_uri")) = request.repeated.as_deref() {
            return Err(page(&format!("The parameter {name} stands more than once.")));
        }
        let Some(id) = &request.client_id else { return Err(page("The parameter client_id is missing.")) };
        self.client(id).ok_or_else(|| page("No client with this client_id is registered."))
    }

    fn check_rest(&self, client: &Client, request: &AuthorizeRequest) -> Result<(Option<Challenge>, Vec<String>), Fault> {
        if request.repeated.is_some() {
            return Err(("invalid_request", "A parameter stands more than once"));
        }
        match request.response_type.as_deref() {
            Some("code") => {}
            Some(_) => return Err(("unsupported_response_type", "The response_type must be code")),
            None => return Err(("invalid_request", "The parameter response_type is missing")),
        }
        let challenge = challenge(request, self.policy().pkce_required && !client.pkce_exempt)?;
        Ok((challenge, scopes(client, request.scope.as_deref())?))
    }
}

/// An error code and its description.
type Fault = (&'static str, &'static str);

fn redirect_uri(client: &Client, request: &AuthorizeRequest) -> Result<String, AuthorizeError> {
    let Some(uri) = &request.redirect_uri else {
        return match client.redirect_uris.as_slice() {
            [only] => Ok(only.clone()),
            [] | [_, _, ..] => Err(page("The parameter redirect_uri is missing.")),
        };
    };
    let known = client.redirect_uris.contains(uri);
    let open = client.redirect_uris.is_empty() && !client.any_loopback_redirect && redirect::is_well_formed(uri);
    if known || open || is_free(client, uri) {
        return Ok(uri.clone());
    }
    Err(page(if client.any_loopback_redirect {
        "The redirect_uri is not registered for this client, and is no loopback address."
    } else {
        "The redirect_uri is not registered for this client."
    }))
}

/// Accepted without being registered.
pub(crate) fn is_free(client: &Client, uri: &str) -> bool {
    client.any_loopback_redirect && redirect::is_loopback(uri)
}

fn challenge(request: &AuthorizeRequest, required: bool) -> Result<Option<Challenge>, Fault> {
    let Some(text) = &request.code_challenge else {
        return match (&request.code_challenge_method, required) {
            (None, false) => Ok(None),
            (Some(_), _) | (None, true) => Err(("invalid_request", "The parameter code_challenge is missing")),
        };
    };
    match request.code_challenge_method.as_deref() {
        Some("S256") => {}
        // RFC 7636 section 4.3: without a method, `plain` is meant.
        Some(_) | None => return Err(("invalid_request", "The code_challenge_method must be S256")),
    }
    Challenge::parse(text).map(Some).ok_or(("invalid_request", "The code_challenge is not a base64url SHA-256 digest"))
}

fn scopes(client: &Client, asked: Option<&str>) -> Result<Vec<String>, Fault> {
    let Some(asked) = asked else { return Ok(client.scopes.clone()) };
    match scope::parse(asked) {
        None => Err(("invalid_scope", "The scope is malformed")),
        Some(scopes) if client.scopes.is_empty() || scopes.iter().all(|scope| client.scopes.contains(scope)) => Ok(scopes),
        Some(_) => Err(("invalid_scope", "The scope goes beyond what the client is registered for")),
    }
}

fn page(reason: &str) -> AuthorizeError {
    AuthorizeError::Page { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests;
