use std::path::PathBuf;

use super::address::is_host;
use crate::error::{Error, Result};
use crate::model::Secret;

/// The server that mails go to, and how it is reached.
///
/// ```
/// use watchpost::alerts::SmtpServer;
///
/// let server = SmtpServer::new("smtp.example.com").login("alerts@example.com", "a password");
/// assert!(!format!("{server:?}").contains("a password"));
/// ```
#[derive(Debug, Clone)]
pub struct SmtpServer {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) security: SmtpSecurity,
    pub(super) login: Option<(String, Secret)>,
    pub(super) authorities: Option<PathBuf>,
    pub(super) is_internal: bool,
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SmtpSecurity {
    /// With the command `STARTTLS`, which the server must know.
    StartTls,
    /// With the connection.
    Implicit,
    /// Never.
    PlainText,
}

impl SmtpServer {
    /// A server with this name or address, by `STARTTLS`. Nothing is sent if it has no TLS, or no valid certificate.
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: None,
            security: SmtpSecurity::StartTls,
            login: None,
            authorities: None,
            is_internal: false,
        }
    }

    /// Sets the port. Default: 587, with [`implicit_tls`](Self::implicit_tls) 465, and 25 [without TLS](Self::without_tls).
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The connection begins with TLS. Default: TLS begins with `STARTTLS`.
    #[must_use]
    pub fn implicit_tls(mut self) -> Self {
        self.security = SmtpSecurity::Implicit;
        self
    }

    /// Mails are sent in plain text. Anyone between can read and change them, so the server has to be
    /// [internal](Self::internal), and no password is sent.
    #[must_use]
    pub fn without_tls(mut self) -> Self {
        self.security = SmtpSecurity::PlainText;
        self
    }

    /// Sets the user and the password, which is a secret. Default: none.
    #[must_use]
    pub fn login(mut self, user: impl Into<String>, password: impl Into<String>) -> Self {
        self.login = Some((user.into(), Secret::new(password)));
        self
    }

    /// Sets a PEM file with the authorities whose certificates are trusted in place of the public ones. Default: none.
    #[must_use]
    pub fn authorities(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities = Some(path.into());
        self
    }

    /// The server may be in a private network or on this machine. Default: it has to be on the internet.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.is_internal = true;
        self
    }

    pub(super) fn port_or_default(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            SmtpSecurity::StartTls => 587,
            SmtpSecurity::Implicit => 465,
            SmtpSecurity::PlainText => 25,
        })
    }

    /// Checks what does not need the server.
    pub(super) fn check(&self) -> Result<()> {
        let problem = if !is_host(&self.host) {
            "it has no name of a host, such as `smtp.example.com`"
        } else if self.port == Some(0) {
            "its port is 0: use one from 1 to 65535"
        } else if self.security != SmtpSecurity::PlainText {
            match &self.login {
                Some((user, password)) if has_control(user) || has_control(password.reveal()) => {
                    "its user or its password has a control character"
                }
                Some((user, _)) if user.is_empty() => "its user is empty: set both, or none",
                _ => return Ok(()),
            }
        } else if self.login.is_some() {
            "a password would be sent in plain text: use TLS, or set no user"
        } else if !self.is_internal {
            "without TLS, it has to be in your own network: use TLS, or allow internal receivers"
        } else {
            return Ok(());
        };
        Err(Error::alert(&format!("the mail server: {problem}")))
    }
}

fn has_control(text: &str) -> bool {
    text.len() > 2048 || text.chars().any(char::is_control)
}
