//! The dialogue with a mail server.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, AsyncTokioStream};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Starttls};
use lettre::transport::smtp::extension::ClientId;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::limited_stream::LimitedStream;
use super::message::ComposedMail;
use super::server::{SmtpSecurity, SmtpServer};
use super::stream::{PlainStream, SecureStream};
use crate::alerts::enabled::channels::text::line;
use crate::alerts::enabled::notify::DeliveryError;
use crate::model::suppressed;
use crate::worker::TcpConnector;

/// The time limit of a command.
const COMMAND: Duration = Duration::from_secs(10);
/// After this time, no further recipients are named: those that are accepted get the mail before the delivery is given up.
const RECIPIENTS: Duration = Duration::from_secs(10);
/// The time limit of the mail itself: a server may check it before it responds.
const CONTENT: Duration = Duration::from_secs(15);
/// The time limit of `QUIT`, which nobody waits for.
const QUIT: Duration = Duration::from_secs(2);
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];
/// The most characters of a response that are shown.
const MAX_DETAIL: usize = 200;

/// What a mail server said about each recipient of a mail that it accepted for at least one.
#[derive(Debug, Default)]
pub(super) struct MailResponse {
    /// The indexes of those that get the mail.
    pub(super) accepted: Vec<usize>,
    /// Those that were refused for good, and why.
    pub(super) refused: Vec<(usize, DeliveryError)>,
    /// Those that were refused for now, and why.
    pub(super) deferred: Vec<(usize, DeliveryError)>,
}

/// An open connection. Dropping it ends it.
pub(super) struct SmtpSession {
    connection: AsyncSmtpConnection,
    /// The name of the server, for messages.
    server: String,
}

impl SmtpSession {
    /// Connects, with TLS unless it is switched off, and logs in.
    ///
    /// # Errors
    ///
    /// Fails if one of them does. The server is known to have nothing of the mail.
    pub(super) async fn open(
        server: &SmtpServer,
        connector: &TcpConnector,
    ) -> Result<Self, DeliveryError> {
        Self::open_and_login(server, connector)
            .await
            .map_err(certain)
    }

    async fn open_and_login(
        server: &SmtpServer,
        connector: &TcpConnector,
    ) -> Result<Self, DeliveryError> {
        let (host, port) = (&*server.host, server.port_or_default());
        let name = format!("{host}:{port}");
        let failed = |why: &dyn std::fmt::Display| {
            DeliveryError::retry(format!("the mail server {name}: {why}"))
        };
        let stream = connector
            .connect(host, port)
            .await
            .map_err(|error| failed(&error))?;
        // The name of this machine is often none that the server could look up. Its address always is one.
        let hello = match stream.local_addr().map(|it| it.ip()) {
            Ok(IpAddr::V4(address)) => ClientId::Ipv4(address),
            Ok(IpAddr::V6(address)) => ClientId::Ipv6(address),
            Err(_) => ClientId::default(),
        };
        let stream: Box<dyn AsyncTokioStream> = match server.security {
            SmtpSecurity::PlainText => Box::new(LimitedStream::new(stream)),
            SmtpSecurity::Implicit => {
                let secured = connector.secure(host, stream).await;
                let secured = SecureStream::implicit(secured.map_err(|it| failed(&it))?);
                Box::new(LimitedStream::new(secured))
            }
            SmtpSecurity::StartTls => {
                let stream = Self::starttls(stream, &hello, &name).await?;
                let secured = connector.secure(host, stream).await;
                let secured = SecureStream::upgraded(secured.map_err(|it| failed(&it))?);
                Box::new(LimitedStream::new(secured))
            }
        };
        let greet = AsyncSmtpConnection::connect_with_transport(stream, &hello);
        let mut session = Self {
            connection: step(&name, "the greeting", COMMAND, greet).await?,
            server: name,
        };
        if let Some((user, password)) = &server.login {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            session.login(&credentials).await?;
        }
        Ok(session)
    }

    /// Asks for TLS. Returns the connection that goes on with it.
    ///
    /// Anybody between could have sent what is said before TLS, so nothing of it is final: the alert would be lost.
    async fn starttls(
        stream: TcpStream,
        hello: &ClientId,
        name: &str,
    ) -> Result<TcpStream, DeliveryError> {
        let stream = Arc::new(stream);
        let plain = Box::new(LimitedStream::new(PlainStream::new(&stream)));
        let ask = async {
            let greet = AsyncSmtpConnection::connect_with_transport(plain, hello);
            let mut connection = step(name, "the greeting", COMMAND, greet).await?;
            if !connection.can_starttls() {
                return Err(DeliveryError::retry(format!(
                    "the mail server {name} offers no TLS, so nothing was sent: use a port with TLS, or say that it has none"
                )));
            }
            let asked = connection.command(Starttls);
            step(name, "STARTTLS", COMMAND, asked).await?;
            Ok(())
        };
        ask.await.map_err(|error| DeliveryError {
            is_final: false,
            ..error
        })?;
        let lost =
            || DeliveryError::retry(format!("the mail server {name}: the connection is in use"));
        Arc::into_inner(stream).ok_or_else(lost)
    }

    async fn login(&mut self, credentials: &Credentials) -> Result<(), DeliveryError> {
        let server = &self.server;
        let info = self.connection.server_info();
        if info.get_auth_mechanism(MECHANISMS).is_none() {
            return Err(DeliveryError::rejected(format!(
                "the mail server {server} offers no login with PLAIN or LOGIN: set no user, or use another port"
            )));
        }
        let asked = within(COMMAND, self.connection.auth(MECHANISMS, credentials)).await;
        let Some(result) = asked else {
            return Err(hangs(server, "the login", COMMAND));
        };
        let Err(error) = result else { return Ok(()) };
        // The response could repeat what was sent, so it is not shown.
        Err(match code_of(&error) {
            Some(code) if code >= 500 => DeliveryError::rejected(format!(
                "the mail server {server} refused the login ({code}): check the user and the password"
            ))
            .code(code),
            Some(code) => DeliveryError::retry(format!(
                "the mail server {server} could not check the login ({code})"
            ))
            .code(code),
            None => judge(server, "the login", &error),
        })
    }

    /// Sends a mail to those of `recipients` that the server accepts. If it is slow, only some are named, and the others are
    /// deferred.
    ///
    /// # Errors
    ///
    /// Fails if it does not accept the mail, or ends the connection.
    pub(super) async fn send(
        &mut self,
        mail: &ComposedMail,
        from: &Address,
        recipients: &[(usize, &Address)],
    ) -> Result<MailResponse, DeliveryError> {
        self.send_within(RECIPIENTS, mail, from, recipients).await
    }

    /// As [`send`](Self::send). Names no further recipients after `limit`, once one is accepted.
    pub(super) async fn send_within(
        &mut self,
        limit: Duration,
        mail: &ComposedMail,
        from: &Address,
        recipients: &[(usize, &Address)],
    ) -> Result<MailResponse, DeliveryError> {
        let sender = Mail::new(Some(from.clone()), Vec::new());
        self.command("the sender", sender).await?;
        let mut response = MailResponse::default();
        let begun = Instant::now();
        for (index, address) in recipients {
            if !response.accepted.is_empty() && begun.elapsed() >= limit {
                let text = format!(
                    "the mail server {} was too slow to take the recipient {address} at the same time as the others",
                    self.server
                );
                let error = certain(DeliveryError::retry(text));
                response.deferred.push((*index, error));
                continue;
            }
            let recipient = Rcpt::new((*address).clone(), Vec::new());
            match self
                .command(&format!("the recipient {address}"), recipient)
                .await
            {
                Ok(()) => response.accepted.push(*index),
                // It says that it closes the connection, or has.
                Err(error) if matches!(error.code, None | Some(421)) => return Err(error),
                Err(error) if error.is_final => response.refused.push((*index, error)),
                Err(error) => response.deferred.push((*index, error)),
            }
        }
        if response.accepted.is_empty() {
            return Ok(response);
        }
        self.command("DATA", Data).await?;
        let content = self.connection.message(&mail.content);
        match within(CONTENT, content).await {
            Some(Ok(_)) => Ok(response),
            Some(Err(error)) => Err(judge(&self.server, "the mail", &error)),
            None => Err(DeliveryError {
                is_uncertain: true,
                ..hangs(&self.server, "the mail", CONTENT)
            }),
        }
    }

    async fn command(
        &mut self,
        what: &str,
        command: impl std::fmt::Display,
    ) -> Result<(), DeliveryError> {
        let sent = self.connection.command(command);
        let sent = step(&self.server, what, COMMAND, sent).await;
        // The server has nothing of the mail yet.
        sent.map(drop).map_err(certain)
    }

    /// Takes leave, on a task of its own: the server has accepted the mail already.
    pub(super) fn quit(mut self) {
        tokio::spawn(async move {
            drop(within(QUIT, self.connection.quit()).await);
        });
    }
}

/// Runs a step within a limit, and hides it from the monitoring of the host. `None` if it takes longer.
async fn within<T>(limit: Duration, future: impl Future<Output = T>) -> Option<T> {
    let mut future = Box::pin(timeout(limit, future));
    let done = poll_fn(|cx| suppressed(|| future.as_mut().poll(cx))).await;
    done.ok()
}

async fn step<T>(
    server: &str,
    what: &str,
    limit: Duration,
    future: impl Future<Output = Result<T, SmtpError>>,
) -> Result<T, DeliveryError> {
    match within(limit, future).await {
        Some(result) => result.map_err(|error| judge(server, what, &error)),
        None => Err(hangs(server, what, limit)),
    }
}

fn hangs(server: &str, what: &str, limit: Duration) -> DeliveryError {
    certain(DeliveryError::retry(format!(
        "the mail server {server} did not respond to {what} within {} s",
        limit.as_secs()
    )))
}

/// The server is known not to have accepted the mail.
fn certain(error: DeliveryError) -> DeliveryError {
    DeliveryError {
        is_uncertain: false,
        ..error
    }
}

/// Whether the server has sent more than a [`LimitedStream`] reads.
fn is_too_large(error: &SmtpError) -> bool {
    let source = error.source().and_then(|it| it.downcast_ref::<io::Error>());
    source.is_some_and(|it| it.kind() == io::ErrorKind::FileTooLarge)
}

fn code_of(error: &SmtpError) -> Option<u16> {
    error.status().map(u16::from)
}

/// Judges a response: 4yz is retried, 5yz is final, and none is retried.
fn judge(server: &str, what: &str, error: &SmtpError) -> DeliveryError {
    let Some(code) = code_of(error) else {
        let why = if is_too_large(error) {
            "was not read to its end: the server has sent more than 256 KiB"
        } else if error.is_response() && !error.to_string().contains("incomplete") {
            "is not one of SMTP"
        } else {
            "did not arrive: the connection broke off"
        };
        return DeliveryError::retry(format!(
            "the response of the mail server {server} to {what} {why}"
        ));
    };
    let detail = error.source().map(ToString::to_string).unwrap_or_default();
    let detail: String = line(detail.trim()).chars().take(MAX_DETAIL).collect();
    let advice = match code {
        530 => ": set a user and a password",
        552 => ": the mail is too large for it",
        _ => "",
    };
    let text = format!("the mail server {server} responded to {what} with {code} {detail}{advice}");
    let error = if code >= 500 {
        DeliveryError::rejected(text)
    } else {
        DeliveryError::retry(text)
    };
    error.code(code)
}
