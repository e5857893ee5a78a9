//! Through which door a connection came, and what is served behind it.

use super::{reply::Reply, request::Request};
use crate::{
    intercept::{
        Host, Hosts,
        head::{self, Asked},
    },
    journal::Endpoint,
};

/// A door.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// The subject's port: all of Pleo at one address.
    Own,
    /// A tunnel to one of Pleo's hosts.
    Tunnel(Host),
    /// A proxy's plain connection: each request names its host in a whole URL.
    Absolute(Hosts),
}

/// Why a request is not served: whom it asked for, and what it is told.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) authority: String,
    pub(super) status: u16,
    pub(super) why: String,
}

impl Door {
    /// Lets a request in, as one of the host that it asks for.
    pub(super) fn admit(&self, target: &str, request: &mut Request) -> Result<(), Refused> {
        match self {
            Self::Own => Ok(()),
            Self::Tunnel(host) => {
                let asked = request.host.clone();
                let name = asked.strip_suffix(":443").unwrap_or(&asked);
                if !name.is_empty() && !name.eq_ignore_ascii_case(host.name) {
                    let why = format!("this tunnel leads to {}, and the request asks for {asked}", host.name);
                    return Err(Refused { authority: asked, status: 421, why });
                }
                enter(request, *host);
                Ok(())
            }
            Self::Absolute(hosts) => {
                let refused = |authority: String, why: String| Refused { authority, status: 403, why };
                match head::target_of(target) {
                    Ok(Asked::Absolute { scheme, authority }) => {
                        let host = hosts.absolute(&scheme, &authority).map_err(|why| refused(authority.to_string(), why.to_string()))?;
                        enter(request, host);
                        Ok(())
                    }
                    Ok(Asked::Origin | Asked::Tunnel(_)) | Err(_) => {
                        Err(refused(request.host.clone(), "this is a proxy: requests to it hold a whole URL, or CONNECT".into()))
                    }
                }
            }
        }
    }
}

/// What a host does not serve does not exist there.
fn enter(request: &mut Request, host: Host) {
    request.host = host.name.to_owned();
    request.audience = host.api;
    if !host.site.offers(request.endpoint) {
        request.endpoint = Endpoint::Unknown;
    }
}

impl Refused {
    pub(super) fn reply(&self) -> Reply {
        Reply::with_body(self.status, "text/plain; charset=utf-8", format!("{}\n", self.why))
    }
}
