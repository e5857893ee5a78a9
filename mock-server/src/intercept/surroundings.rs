//! The environment variables by which programs learn of a proxy and of an authority to trust.

use std::path::Path;

/// The files and addresses that a program is told of.
#[derive(Debug, Clone, Copy)]
pub struct Handed<'a> {
    /// The proxy; `None`: only trust is handed over.
    pub proxy_url: Option<&'a str>,
    /// The authority's certificate as PEM ([`crate::Provider::ca_pem`]).
    pub ca_file: &'a Path,
    /// The same for Java ([`crate::Provider::trust_store`]).
    pub trust_store: &'a Path,
    /// A folder with the file `regrant.ini` for PHP ([`Handed::php_ini`]).
    pub php_folder: &'a Path,
}

/// Where no proxy is asked: this machine.
const DIRECT: &str = "localhost,127.0.0.1,::1";
/// OpenSSL, Go, .NET and much else on Linux; Node and Bun; Python's requests; curl; Deno; AWS's SDKs.
const PEM: &[&str] = &["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "DENO_CERT", "AWS_CA_BUNDLE"];

/// The variables, in an order for people.
#[must_use]
pub fn variables(handed: &Handed<'_>) -> Vec<(&'static str, String)> {
    let mut variables = Vec::new();
    if let Some(url) = handed.proxy_url {
        // Half of the world reads one case, half the other. Ruby asks http_proxy for https too.
        variables.extend(["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].map(|name| (name, url.to_owned())));
        variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, DIRECT.to_owned())));
        // Node 22.21 and 24 heed the proxy only when told so; older ones ignore this.
        variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
    }
    variables.extend(PEM.iter().map(|name| (*name, handed.ca_file.display().to_string())));
    variables.push(("JAVA_TOOL_OPTIONS", java(handed)));
    // The empty first entry keeps the folder that PHP was built with.
    variables.push(("PHP_INI_SCAN_DIR", format!(":{}", handed.php_folder.display())));
    variables
}

impl Handed<'_> {
    /// What `regrant.ini` must hold: PHP's curl does not read the common variables.
    #[must_use]
    pub fn php_ini(&self) -> String {
        let file = self.ca_file.display();
        format!("curl.cainfo=\"{file}\"\nopenssl.cafile=\"{file}\"\n")
    }
}

fn java(handed: &Handed<'_>) -> String {
    let mut options = format!("-Djavax.net.ssl.trustStore={} -Djavax.net.ssl.trustStoreType=PKCS12", handed.trust_store.display());
    let address = handed.proxy_url.and_then(|url| url.strip_prefix("http://")).and_then(|address| address.rsplit_once(':'));
    if let Some((host, port)) = address {
        options += &format!(
            " -Dhttps.proxyHost={host} -Dhttps.proxyPort={port} -Dhttp.proxyHost={host} -Dhttp.proxyPort={port} \
             -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
        );
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed(proxy_url: Option<&'static str>) -> Handed<'static> {
        Handed { proxy_url, ca_file: Path::new("/x/ca.pem"), trust_store: Path::new("/x/ca.p12"), php_folder: Path::new("/x/php") }
    }

    #[test]
    fn without_a_proxy_only_trust_is_handed_over() {
        let names: Vec<_> = variables(&handed(None)).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"SSL_CERT_FILE") && !names.iter().any(|name| name.to_uppercase().contains("PROXY")), "{names:?}");
        assert!(!java(&handed(None)).contains("proxyHost"));
    }

    #[test]
    fn java_is_told_host_and_port_apart() {
        let options = java(&handed(Some("http://127.0.0.1:4012")));
        assert!(options.contains("-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=4012 "), "{options}");
    }
}
