use std::fmt;
use std::sync::Mutex;

use lettre::message::{Mailbox, Mailboxes};

use super::address::mailbox;
use super::message::{ComposedMail, compose};
use super::part_deliveries::{MAX_ATTEMPTS, PartDeliveries, PartDelivery};
use super::server::SmtpServer;
use super::session::{MailResponse, SmtpSession};
use super::smtp_config::SmtpConfig;
use crate::alerts::enabled::notify::{
    Channel, DeliveryError, DeliveryFuture, Notification, RefusedRecipients,
};
use crate::error::{Error, Result};
use crate::model::lock;
use crate::worker::{AllowedAddresses, TcpConnector, TlsRoots};

/// The maximum number of recipients.
const MAX_RECIPIENTS: usize = 50;

/// Mails to people, by SMTP.
///
/// A mail has a text and an HTML part. The mails of an incident are one thread. A mail that is sent again, such as after a crash,
/// has the same `Message-ID`, so that most servers and clients show it once.
///
/// ```
/// # fn main() -> watchpost::Result<()> {
/// # let monitor = watchpost::Monitor::builder("shop").env(false).console(false).build()?;
/// use watchpost::alerts::{EmailChannel, SmtpServer};
///
/// let server = SmtpServer::new("smtp.example.com").login("alerts@example.com", "a password");
/// let channel = EmailChannel::new(server, "Shop alerts <alerts@example.com>", ["ops@example.com"])?;
/// monitor.alerts().add_channel(channel)?;
/// # Ok(())
/// # }
/// ```
///
/// # Which responses are final
///
/// A code from 400 to 499, a connection that fails, and TLS that fails are tried again; a code from 500 to 599 is final. If the
/// server accepts some recipients, they get the mail, and those that are refused for good are counted as
/// [`refused_recipients`](crate::alerts::ChannelStatus::refused_recipients). Those that are refused for now get it up to ten times
/// more, within about 13 minutes, and the others do not get it again. Other notifications do not wait for them.
/// A server that is slow with the recipients gets the mail for those that it has accepted within about ten seconds, and for the
/// others later.
pub struct EmailChannel {
    name: String,
    server: SmtpServer,
    from: Mailbox,
    to: Mailboxes,
    connector: TcpConnector,
    parts: Mutex<PartDeliveries>,
    refused: Mutex<RefusedRecipients>,
}

impl EmailChannel {
    /// Creates a channel named `email`. Addresses are written as `ops@example.com` or `Operations <ops@example.com>`.
    ///
    /// Reads the file of [`SmtpServer::authorities`].
    ///
    /// # Errors
    ///
    /// Returns an error unless there are from 1 to 50 recipients, if an address is invalid, if that file cannot be read, or if the
    /// settings of the server contradict each other.
    pub fn new<A: AsRef<str>>(
        server: SmtpServer,
        from: &str,
        to: impl IntoIterator<Item = A>,
    ) -> Result<Self> {
        server.check()?;
        let failed = |what: String| Error::alert(&format!("an e-mail address: {what}"));
        let from = mailbox(from).map_err(failed)?;
        let to = to.into_iter().map(|it| mailbox(it.as_ref()));
        let to: Vec<Mailbox> = to.collect::<std::result::Result<_, _>>().map_err(failed)?;
        if to.is_empty() {
            return Err(Error::alert(
                "there is no recipient of e-mails: set `alerts.email_to`, such as `ops@example.com`",
            ));
        }
        if to.len() > MAX_RECIPIENTS {
            return Err(Error::alert(
                "there are more than 50 recipients of e-mails: use a mailing list",
            ));
        }
        let roots = TlsRoots {
            authorities: server.authorities.clone(),
        };
        let allowed = if server.is_internal {
            AllowedAddresses::Internal
        } else {
            AllowedAddresses::Public
        };
        let connector = TcpConnector::new(&roots, allowed)
            .map_err(|what| Error::alert(&format!("the mail server: {what}")))?;
        Ok(Self {
            name: "email".to_owned(),
            server,
            from,
            to: Mailboxes::from(to),
            connector,
            parts: Mutex::default(),
            refused: Mutex::default(),
        })
    }

    /// Creates a channel named `email` from one text, as in the variable `SMTP_CONFIG`: see
    /// [e-mail](crate::alerts#e-mail). It has the sender and the recipients as well.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and if the text is neither a URL nor JSON. The error shows no part of it.
    pub fn parse(config: &str) -> Result<Self> {
        let config = SmtpConfig::parse(config);
        Self::of_config(config.map_err(|what| Error::alert(&format!("the mail server: {what}")))?)
    }

    pub(super) fn of_config(config: SmtpConfig) -> Result<Self> {
        let user = config.server.login.as_ref().map(|(user, _)| user.clone());
        let from = config.from.or(user.filter(|user| user.contains('@')));
        let from = from.ok_or_else(|| {
            Error::alert("there is no sender of e-mails: set `alerts.email_from`, such as `alerts@example.com`")
        })?;
        Self::new(config.server, &from, config.to)
    }

    /// Sets another name, for a second channel with other recipients. Default: `email`.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    async fn send(&self, notification: &Notification) -> std::result::Result<(), DeliveryError> {
        let mail = compose(notification, &self.from, &self.to).map_err(DeliveryError::rejected)?;
        let part = lock(&self.parts).begin(&mail.id);
        let result = self.send_to_rest(&mail, &part).await;
        self.settle(&mail.id, part, result)
    }

    async fn send_to_rest(
        &self,
        mail: &ComposedMail,
        part: &PartDelivery,
    ) -> std::result::Result<MailResponse, DeliveryError> {
        let mut session = SmtpSession::open(&self.server, &self.connector).await?;
        let recipients = self.to.iter().map(|it| &it.email).enumerate();
        let recipients: Vec<_> = recipients
            .filter(|(index, _)| !part.settled.contains(index))
            .collect();
        let response = session.send(mail, &self.from.email, &recipients).await?;
        session.quit();
        Ok(response)
    }

    /// Notes what became of each recipient, and decides whether there is something to try again.
    fn settle(
        &self,
        id: &str,
        mut part: PartDelivery,
        result: std::result::Result<MailResponse, DeliveryError>,
    ) -> std::result::Result<(), DeliveryError> {
        let all = self.to.iter().count();
        let response = match result {
            Ok(response) => response,
            // Some have it already: the others are refused, and not the whole notification.
            Err(error) if part.has_it && (error.is_final || part.attempts >= MAX_ATTEMPTS) => {
                self.count_refused(all.saturating_sub(part.settled.len()), &error);
                self.forget(id);
                return Ok(());
            }
            Err(error) => {
                if error.is_final {
                    self.forget(id);
                }
                return Err(DeliveryError {
                    is_uncertain: error.is_uncertain || part.has_it,
                    ..error
                });
            }
        };
        let MailResponse {
            accepted,
            refused,
            deferred,
        } = response;
        if let Some((_, error)) = refused.first() {
            self.count_refused(refused.len(), error);
        }
        part.has_it |= !accepted.is_empty();
        part.settled.extend(accepted);
        part.settled.extend(refused.iter().map(|(index, _)| index));
        let Some((_, error)) = deferred.first() else {
            self.forget(id);
            return match refused.into_iter().next() {
                Some((_, error)) if !part.has_it => Err(error),
                _ => Ok(()),
            };
        };
        if part.has_it && part.attempts >= MAX_ATTEMPTS {
            self.count_refused(deferred.len(), error);
            self.forget(id);
            return Ok(());
        }
        let error = DeliveryError {
            is_uncertain: part.has_it,
            is_partial: part.has_it,
            ..error.clone()
        };
        lock(&self.parts).put(id, part);
        Err(error)
    }

    fn forget(&self, id: &str) {
        lock(&self.parts).remove(id);
    }

    fn count_refused(&self, count: usize, error: &DeliveryError) {
        lock(&self.refused).add(count as u64, error.to_string());
    }
}

impl Channel for EmailChannel {
    fn name(&self) -> &str {
        &self.name
    }

    fn refused_recipients(&self) -> RefusedRecipients {
        lock(&self.refused).clone()
    }

    fn deliver<'a>(&'a self, notification: &'a Notification) -> DeliveryFuture<'a> {
        Box::pin(self.send(notification))
    }
}

impl fmt::Debug for EmailChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmailChannel")
            .field("name", &self.name)
            .field("server", &self.server)
            .field("to", &self.to.to_string())
            .finish_non_exhaustive()
    }
}
