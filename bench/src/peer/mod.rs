//! What is measured side by side, and how each of them is started.

pub(crate) mod hyper;
mod install;
pub(crate) mod wiremock;

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{error::BenchError, load::Consent};

/// Id and secret of the one client that all of them know, or take for one.
pub(crate) const CLIENT: (&str, &str) = ("bench", "bench-secret");

/// An alternative to regrant, or regrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Hyper,
    Regrant,
    OidcProvider,
    NavMock,
    OauthMock,
    OidcMock,
    Wiremock,
}

/// All of them, the measure of all things first.
pub(crate) const ALL: [Peer; 7] =
    [Peer::Hyper, Peer::Regrant, Peer::OidcProvider, Peer::NavMock, Peer::OauthMock, Peer::OidcMock, Peer::Wiremock];

/// Where things are on this machine, and what servers of a constant answer.
#[derive(Debug)]
pub(crate) struct Place {
    /// The `regrant` program.
    pub(crate) regrant: PathBuf,
    /// Where peers are installed, under `target/`.
    pub(crate) folder: PathBuf,
    /// A token reply of regrant's.
    pub(crate) body: String,
    /// First tokens that a peer has to make by itself.
    pub(crate) chains: u32,
}

impl Peer {
    /// Its name and version.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hyper => "bare hyper",
            Self::Regrant => "regrant",
            Self::OidcProvider => "oidc-provider 9.13.3",
            Self::NavMock => "mock-oauth2-server 3.0.1",
            Self::OauthMock => "oauth2-mock-server 8.2.3",
            Self::OidcMock => "oidc-provider-mock 0.3.4",
            Self::Wiremock => "wiremock 0.6.5",
        }
    }

    /// What becomes of a refresh token, and what else to know.
    pub(crate) fn note(self) -> &'static str {
        match self {
            Self::Hyper => "one constant body",
            Self::Regrant => "rotates; journal on",
            Self::OidcProvider => "rotates; store in a map; node",
            Self::NavMock => "rotates; RS256; JVM",
            Self::OauthMock => "takes any token; RS256; node",
            Self::OidcMock => "keeps the token; Python",
            Self::Wiremock => "one constant body; recording off",
        }
    }

    /// Whether the token presented is spent and replaced by another.
    pub(crate) fn rotates(self) -> bool {
        matches!(self, Self::Regrant | Self::OidcProvider | Self::NavMock)
    }

    /// Its token endpoint.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Hyper | Self::Regrant | Self::Wiremock => "/oauth/token",
            Self::OidcProvider | Self::OauthMock => "/token",
            Self::NavMock => "/default/token",
            Self::OidcMock => "/oauth2/token",
        }
    }

    /// Where first tokens come from.
    pub(crate) fn consent(self, place: &Place) -> Consent {
        match self {
            Self::Hyper | Self::Wiremock | Self::OauthMock => Consent::Anything,
            Self::Regrant => Consent::pleo(),
            Self::OidcProvider => {
                let tokens = fs::read_to_string(place.tokens()).unwrap_or_default();
                Consent::Given(tokens.lines().map(str::to_owned).collect())
            }
            Self::NavMock => Consent::Code { authorize: "/default/authorize", token: self.path(), says: None },
            Self::OidcMock => Consent::Code { authorize: "/oauth2/authorize", token: self.path(), says: Some("sub=user") },
        }
    }

    /// Makes sure that it can be started.
    ///
    /// # Errors
    /// What it needs is not to be had.
    pub(crate) fn install(self, place: &Place) -> Result<(), BenchError> {
        match self {
            Self::Hyper | Self::Regrant | Self::Wiremock => Ok(()),
            Self::OidcProvider | Self::OauthMock => install::node(&place.folder),
            Self::NavMock => install::maven(&place.folder),
            Self::OidcMock => install::python(&place.folder),
        }
    }

    /// The command that serves on `port`.
    pub(crate) fn command(self, place: &Place, port: u16) -> Command {
        let port = port.to_string();
        match self {
            Self::Hyper => ourselves(["hyper", &port, &place.body]),
            Self::Wiremock => ourselves(["wiremock", &port, &place.body]),
            Self::Regrant => {
                let (listen, client) = (format!("127.0.0.1:{port}"), format!("{}:{}", CLIENT.0, CLIENT.1));
                let words = ["serve", "--listen", &listen, "--management", "127.0.0.1:0", "--consent", "auto", "--client", &client];
                command(&place.regrant, words)
            }
            Self::OidcProvider => {
                let mut node = command("node", [OsStr::new("oidc-provider.mjs"), port.as_ref(), place.tokens().as_ref()]);
                node.arg(place.chains.to_string()).current_dir(place.folder.join("node"));
                node
            }
            Self::OauthMock => {
                let mut node = command("node", ["oauth2-mock-server.mjs", &port]);
                node.current_dir(place.folder.join("node"));
                node
            }
            Self::NavMock => {
                let mut java = command("java", ["-cp", "lib/*", "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt"]);
                java.current_dir(place.folder.join("maven")).env("SERVER_HOSTNAME", "127.0.0.1").env("SERVER_PORT", port);
                java.env("JSON_CONFIG", include_str!("../../peers/maven/config.json"));
                java
            }
            Self::OidcMock => {
                let mut python = command(place.folder.join("python/bin/oidc-provider-mock"), ["--port", &port]);
                python.env("PYTHONWARNINGS", "ignore");
                python
            }
        }
    }
}

impl Place {
    fn tokens(&self) -> PathBuf {
        self.folder.join("node/first-tokens")
    }
}

fn ourselves<'a>(words: impl IntoIterator<Item = &'a str>) -> Command {
    command(std::env::current_exe().unwrap_or_default(), words)
}

fn command(program: impl AsRef<Path>, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(words);
    command
}
