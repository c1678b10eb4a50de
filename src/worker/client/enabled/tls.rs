use std::io;
use std::path::Path;
use std::sync::Arc;
#[cfg(feature = "alerts")]
use std::sync::OnceLock;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, Error, RootCertStore};
use tokio_rustls::TlsConnector;

use super::{HttpError, TlsRoots};

/// The maximum number of characters of an error text of rustls.
const MAX_CAUSE: usize = 120;

/// A connector for TLS 1.2 and 1.3 with ring, independent of the default provider of the process.
pub(super) fn connector(roots: &TlsRoots) -> Result<TlsConnector, String> {
    let roots = match &roots.authorities {
        Some(path) => authorities(path)
            .map_err(|problem| format!("the certificates in `{}` {problem}", path.display()))?,
        None => webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect(),
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// The connector that trusts the public authorities. It is made once in a process, and belongs to no runtime.
#[cfg(feature = "alerts")]
pub(super) fn public() -> Result<TlsConnector, String> {
    static PUBLIC: OnceLock<Result<TlsConnector, String>> = OnceLock::new();
    PUBLIC
        .get_or_init(|| connector(&TlsRoots::default()))
        .clone()
}

fn authorities(path: &Path) -> Result<RootCertStore, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("cannot be read ({error})");
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    if roots.is_empty() {
        return Err("are none; write a PEM file with at least one".to_owned());
    }
    Ok(roots)
}

/// The name that the certificate must have.
pub(super) fn name(host: &str) -> Result<ServerName<'static>, HttpError> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned())
        .map_err(|_| HttpError::new("the host's name cannot stand in a certificate"))
}

/// Describes why a handshake failed.
pub(super) fn cause(error: &io::Error) -> HttpError {
    let Some(error) = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<Error>())
    else {
        return HttpError::new("the connection broke off during the TLS handshake");
    };
    HttpError::new(match error {
        Error::InvalidCertificate(why) => match why {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                "its certificate is for another name".to_owned()
            }
            CertificateError::UnknownIssuer => {
                "its certificate comes from an authority that is not trusted".to_owned()
            }
            other => short(&format!("its certificate is not good ({other})")),
        },
        Error::InvalidMessage(_) => "it does not speak TLS".to_owned(),
        other => short(&format!("the TLS handshake failed ({other})")),
    })
}

fn short(text: &str) -> String {
    text.chars().take(MAX_CAUSE).collect()
}
