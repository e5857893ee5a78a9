//! A certificate authority made for this run, and certificates under it.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// The run's certificate authority. Its key never leaves the process, and dies with it.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error(transparent)]
    Certificate(#[from] rcgen::Error),
    #[error(transparent)]
    Config(#[from] rustls::Error),
}

impl Authority {
    /// Makes a key on P-256, which takes well under a millisecond.
    pub(crate) fn new() -> Result<Self, TlsError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign, KeyUsagePurpose::DigitalSignature];
        params.distinguished_name.push(DnType::CommonName, "regrant, for one run");
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        Ok(Self { pem: certificate.pem(), der: certificate.der().clone(), issuer: Issuer::new(params, key) })
    }

    /// Its certificate, as PEM.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// Its certificate, as DER.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// What is needed to serve TLS for `names`, host names or addresses.
    pub(crate) fn certify(&self, names: Vec<String>, http2: bool) -> Result<Arc<ServerConfig>, TlsError> {
        let mut leaf = CertificateParams::new(names)?;
        leaf.distinguished_name.push(DnType::CommonName, "regrant mock provider");
        leaf.use_authority_key_identifier_extension = true;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf_key = KeyPair::generate()?;
        let certificate = leaf.signed_by(&leaf_key, &self.issuer)?;

        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(leaf_key.serialize_der()));
        let mut config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)?;
        // A client that asks for HTTP/1.0 alone, as curl does when told to, is understood too.
        let spoken: &[&[u8]] = if http2 { &[b"h2", b"http/1.1", b"http/1.0"] } else { &[b"http/1.1", b"http/1.0"] };
        config.alpn_protocols = spoken.iter().map(|name| name.to_vec()).collect();
        Ok(Arc::new(config))
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// The names of the subject's own port: those of loopback, `listen` and `reachable_as`.
pub(crate) fn own_names(listen: SocketAddr, reachable_as: Option<&str>) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let more = reachable_as.map(|host| host.trim_matches(['[', ']']).to_owned()).into_iter().chain([listen.ip().to_string()]);
    names.extend(more.filter(|name| !["localhost", "127.0.0.1", "::1"].contains(&name.as_str())));
    names
}
