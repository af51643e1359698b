//! Whom we trust: the one list of certificates for registries and for the web.

use rustls::RootCertStore;

/// The system's certificates (a company's proxy is only known there; `SSL_CERT_FILE` names others) and
/// Mozilla's (a bare container has none).
pub(crate) fn roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}
