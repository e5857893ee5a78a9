//! What programs are handed so that they find the proxy and trust the run's authority: files, and environment variables.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::Provider;

/// Where no proxy is asked: this machine.
const DIRECT: &str = "localhost,127.0.0.1,::1";
/// OpenSSL, Go, .NET and much else on Linux; Node and Bun; Python's requests; curl; Deno; AWS's SDKs.
const PEM: &[&str] = &["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "DENO_CERT", "AWS_CA_BUNDLE"];

/// The files by which runtimes learn to trust the run's authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Its certificate as PEM.
    pub ca_file: PathBuf,
    /// The same for Java.
    store: PathBuf,
    /// The same for PHP, whose curl reads none of the common variables: a folder of settings.
    php_folder: PathBuf,
}

impl Trust {
    /// Files in this folder, whether they are there or not.
    #[must_use]
    pub fn within(folder: &Path) -> Self {
        Self { ca_file: folder.join("ca.pem"), store: folder.join("ca.p12"), php_folder: folder.join("php") }
    }

    /// Writes them; nothing where the provider has no authority.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn write(&self, provider: &Provider) -> io::Result<()> {
        let (Some(pem), Some(store)) = (provider.ca_pem(), provider.trust_store()) else { return Ok(()) };
        let file = self.ca_file.display();
        fs::write(&self.ca_file, pem)?;
        fs::write(&self.store, store)?;
        fs::create_dir_all(&self.php_folder)?;
        fs::write(self.php_folder.join("regrant.ini"), format!("curl.cainfo=\"{file}\"\nopenssl.cafile=\"{file}\"\n"))
    }

    /// The variables that name the files and, if there is one, the proxy; in an order for people.
    #[must_use]
    pub fn variables(&self, proxy_url: Option<&str>) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(url) = proxy_url {
            // Half of the world reads one case, half the other. Ruby asks http_proxy for https too.
            variables.extend(["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"].map(|name| (name, url.to_owned())));
            variables.extend(["NO_PROXY", "no_proxy"].map(|name| (name, DIRECT.to_owned())));
            // Node from 22.21 on heeds the proxy only when told so; older ones ignore this.
            variables.push(("NODE_USE_ENV_PROXY", "1".to_owned()));
        }
        variables.extend(PEM.iter().map(|name| (*name, self.ca_file.display().to_string())));
        variables.push(("JAVA_TOOL_OPTIONS", self.java(proxy_url)));
        // The empty first entry keeps the folder that PHP was built with.
        variables.push(("PHP_INI_SCAN_DIR", format!(":{}", self.php_folder.display())));
        variables
    }

    fn java(&self, proxy_url: Option<&str>) -> String {
        // The JVM splits at blanks unless they are quoted.
        let mut options = format!("-Djavax.net.ssl.trustStore='{}' -Djavax.net.ssl.trustStoreType=PKCS12", self.store.display());
        let address = proxy_url.and_then(|url| url.strip_prefix("http://")).and_then(|address| address.rsplit_once(':'));
        if let Some((host, port)) = address {
            options += &format!(
                " -Dhttps.proxyHost={host} -Dhttps.proxyPort={port} -Dhttp.proxyHost={host} -Dhttp.proxyPort={port} \
                 -Dhttp.nonProxyHosts=localhost|127.*|[::1]"
            );
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_proxy_only_trust_is_handed_over() {
        let names: Vec<_> = Trust::within(Path::new("/x")).variables(None).into_iter().map(|(name, _)| name).collect();
        assert!(names.contains(&"SSL_CERT_FILE") && !names.iter().any(|name| name.to_uppercase().contains("PROXY")), "{names:?}");
    }

    #[test]
    fn java_is_told_host_and_port_apart() {
        let options = Trust::within(Path::new("/x y")).java(Some("http://127.0.0.1:4012"));
        assert!(options.starts_with("-Djavax.net.ssl.trustStore='/x y/ca.p12' "), "{options}");
        assert!(options.contains("-Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=4012 "), "{options}");
    }
}
