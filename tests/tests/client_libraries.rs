//! OAuth libraries that nobody here wrote do their flows against the mock provider, over TLS and with tokens that must be encoded:
//! what each says to its user is held against the provider's journal.
//!
//! The programs are in `tests/clients/`. What they need is installed by `cargo xtask test`, which names in `REGRANT_LEFT_OUT` what it
//! could not install; a folder is left out only then, and says so.

#![allow(clippy::expect_used, clippy::panic, reason = "a test")]

mod clients;

use clients::{Library, tells_its_story};
use regrant_mock_server::journal::AuthStyle::{Basic, BasicRaw, Body};

#[tokio::test]
async fn python_libraries_connect_refresh_and_are_refused() {
    tells_its_story(
        "python",
        &[".venv/bin/python", "client.py"],
        &[
            Library { name: "authlib", exchange: BasicRaw, refresh: BasicRaw, surfaced_as: "OAuthError" },
            Library { name: "requests-oauthlib", exchange: BasicRaw, refresh: Body, surfaced_as: "InvalidGrantError" },
            Library { name: "requests_oauth2client", exchange: Body, refresh: Body, surfaced_as: "InvalidGrant" },
        ],
    )
    .await;
}

#[tokio::test]
async fn node_libraries_connect_refresh_and_are_refused() {
    tells_its_story(
        "node",
        &["node", "client.mjs"],
        &[
            Library { name: "openid-client", exchange: Basic, refresh: Basic, surfaced_as: "ResponseBodyError" },
            Library { name: "simple-oauth2", exchange: Body, refresh: Body, surfaced_as: "Error" },
            Library { name: "arctic", exchange: BasicRaw, refresh: BasicRaw, surfaced_as: "OAuth2RequestError" },
            Library { name: "@badgateway/oauth2-client", exchange: Basic, refresh: Basic, surfaced_as: "OAuth2HttpError" },
        ],
    )
    .await;
}

#[tokio::test]
async fn go_s_library_connects_refreshes_and_is_refused() {
    tells_its_story(
        "go",
        &["./.built/client"],
        &[Library { name: "golang.org/x/oauth2", exchange: Basic, refresh: Basic, surfaced_as: "*oauth2.RetrieveError" }],
    )
    .await;
}

#[tokio::test]
async fn libraries_of_the_jvm_connect_refresh_and_are_refused() {
    tells_its_story(
        "jvm",
        &["java", "-cp", "target/lib/*", "Client.java"],
        &[
            Library { name: "nimbus", exchange: Basic, refresh: Basic, surfaced_as: "TokenErrorResponse" },
            Library { name: "scribejava", exchange: BasicRaw, refresh: BasicRaw, surfaced_as: "OAuth2AccessTokenErrorResponse" },
        ],
    )
    .await;
}

#[tokio::test]
async fn the_oauth2_crate_connects_refreshes_and_is_refused() {
    clients::oauth2_crate().await;
}

#[tokio::test]
async fn curl_speaks_to_the_provider_in_the_clear_and_under_tls() {
    clients::curl().await;
}
