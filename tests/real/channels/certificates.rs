//! An authority of the checks, and the certificate of a server, as files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::AnyError;

pub(crate) struct Certificates {
    pub(crate) authority: PathBuf,
    pub(crate) server: PathBuf,
    pub(crate) key: PathBuf,
}

impl Certificates {
    /// Writes the files into a folder. The server is `localhost` and `127.0.0.1`.
    pub(crate) fn write(dir: &Path) -> Result<Self, AnyError> {
        let mut params = CertificateParams::new(Vec::new())?;
        // Authorities of one name would be taken for each other.
        let name = dir.display().to_string();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate()?;
        let authority = params.self_signed(&key)?;
        let issuer = Issuer::new(params, key);
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let key = KeyPair::generate()?;
        let server = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
        let write = |name: &str, text: String| -> Result<PathBuf, AnyError> {
            let path = dir.join(name);
            std::fs::write(&path, text)?;
            Ok(path)
        };
        Ok(Self {
            authority: write("authority.pem", authority.pem())?,
            server: write("server.pem", server.pem())?,
            key: write("server.key", key.serialize_pem())?,
        })
    }
}
