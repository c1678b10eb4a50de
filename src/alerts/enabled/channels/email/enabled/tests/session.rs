//! What a mail server may do in a session.

use lettre::Address;

use super::super::message::ComposedMail;
use super::super::server::SmtpServer;
use super::super::session::{MailResponse, SmtpSession};
use super::smtp_peer::{SmtpPeer, SmtpReply, SmtpTls};
use super::*;
use crate::alerts::enabled::notify::DeliveryError;
use crate::worker::peer::{Authority, Certificate};
use crate::worker::{AllowedAddresses, TcpConnector, TlsRoots};

fn connector(roots: &TlsRoots) -> TcpConnector {
    TcpConnector::new(roots, AllowedAddresses::Internal).unwrap()
}

fn server(peer: &SmtpPeer) -> SmtpServer {
    SmtpServer::new("127.0.0.1").port(peer.port()).internal()
}

/// Sends a mail to `count` recipients, and names no further ones after `limit`.
fn send(peer: &SmtpPeer, limit: Duration, count: usize) -> Result<MailResponse, DeliveryError> {
    let server = server(peer).without_tls();
    let connector = connector(&TlsRoots::default());
    let from: Address = "watch@example.com".parse().unwrap();
    let to = (0..count).map(|at| format!("r{at}@example.com").parse::<Address>().unwrap());
    let to: Vec<_> = to.collect();
    let to: Vec<_> = to.iter().enumerate().collect();
    let mail = ComposedMail {
        id: "<a@example.com>".to_owned(),
        content: b"Subject: a\r\n\r\nb\r\n".to_vec(),
    };
    run(async {
        let mut session = SmtpSession::open(&server, &connector).await?;
        session.send_within(limit, &mail, &from, &to).await
    })
}

#[test]
fn a_response_without_an_end_is_not_read_to_the_end() {
    let line: &'static str = format!("250 {}", "a".repeat(1 << 20)).leak();
    for command in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA", "."] {
        let peer = SmtpPeer::once(command, SmtpReply::Line(line));
        let error = send(&peer, Duration::MAX, 1).unwrap_err();
        assert!(
            error.text.contains("has sent more than 256 KiB"),
            "{command}: {error}"
        );
        assert!(!error.is_final, "{command}");
        assert_eq!(error.is_uncertain, command == ".", "{command}");
    }
}

#[test]
fn a_connection_that_breaks_off_before_the_mail_has_certainly_delivered_nothing() {
    for command in ["CONNECT", "EHLO", "MAIL", "RCPT", "DATA"] {
        let peer = SmtpPeer::once(command, SmtpReply::Drop);
        let error = send(&peer, Duration::MAX, 1).unwrap_err();
        assert!(error.text.contains("broke off"), "{command}: {error}");
        assert!(!error.is_uncertain, "{command}");
    }
    let peer = SmtpPeer::once(".", SmtpReply::Drop);
    let error = send(&peer, Duration::MAX, 1).unwrap_err();
    assert!(error.is_uncertain, "{error}");
}

#[test]
fn a_connection_that_breaks_off_at_the_login_has_certainly_delivered_nothing() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let roots = TlsRoots {
        authorities: Some(authority.file(directory.path())),
    };
    let tls = SmtpTls::StartTls(authority.server(Certificate::Good));
    let peer = SmtpPeer::start(tls, |command| match command {
        _ if command.starts_with("AUTH") => SmtpReply::Drop,
        _ => SmtpReply::Usual,
    });
    let server = server(&peer).login("u", "p");
    let connector = connector(&roots);
    let opened = run(async { SmtpSession::open(&server, &connector).await.map(drop) });
    let error = opened.unwrap_err();
    assert!(error.text.contains("the login"), "{error}");
    assert!(!error.is_uncertain, "{error}");
}

#[test]
fn a_slow_server_gets_the_mail_for_the_recipients_that_it_has_taken() {
    // The first two are refused: the first that is accepted has all of the time until then.
    let peer = SmtpPeer::start(SmtpTls::Never, |command| match command {
        "RCPT TO:<r0@example.com>" => SmtpReply::Line("452 full"),
        "RCPT TO:<r1@example.com>" => SmtpReply::Line("550 nobody"),
        _ => SmtpReply::Usual,
    });
    let response = send(&peer, Duration::ZERO, 5).unwrap();
    assert_eq!(response.accepted, [2]);
    let indexes = |all: &[(usize, DeliveryError)]| -> Vec<usize> {
        all.iter().map(|(index, _)| *index).collect()
    };
    assert_eq!(indexes(&response.refused), [1]);
    assert_eq!(indexes(&response.deferred), [0, 3, 4]);
    assert!(!response.deferred.iter().any(|(_, error)| error.is_final));
    assert_eq!(peer.mails()[0].to, ["<r2@example.com>"]);
    let all = send(&peer, Duration::MAX, 5).unwrap();
    assert_eq!(all.accepted, [2, 3, 4]);
}
