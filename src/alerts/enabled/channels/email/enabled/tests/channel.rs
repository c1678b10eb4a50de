//! Which recipients get a mail again.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::task::Poll;

use super::super::channel::EmailChannel;
use super::super::server::SmtpServer;
use super::smtp_peer::{SmtpPeer, SmtpReply, SmtpTls};
use super::*;
use crate::alerts::enabled::notify::{Channel, DeliveryError};

fn channel(peer: &SmtpPeer, to: &[&str]) -> EmailChannel {
    let server = SmtpServer::new("127.0.0.1").port(peer.port());
    let server = server.internal().without_tls();
    EmailChannel::new(server, "watch@example.com", to).unwrap()
}

fn deliver(channel: &EmailChannel) -> Result<(), DeliveryError> {
    run(channel.deliver(&notification(&["a", "b"])))
}

fn recipients(peer: &SmtpPeer) -> Vec<String> {
    peer.mails().iter().map(|mail| mail.to.join(" ")).collect()
}

#[test]
fn a_recipient_that_has_the_mail_does_not_get_it_again_after_a_cancelled_attempt() {
    let connection = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&connection);
    let peer = SmtpPeer::start(SmtpTls::Never, move |command| {
        let number = seen.fetch_add(u64::from(command == "CONNECT"), SeqCst);
        match (command, number) {
            ("CONNECT", 1) => SmtpReply::Hang,
            ("RCPT TO:<full@example.com>", 1) => SmtpReply::Line("452 full"),
            _ => SmtpReply::Usual,
        }
    });
    let channel = channel(&peer, &["a@example.com", "full@example.com"]);
    let first = deliver(&channel).unwrap_err();
    assert!(first.is_partial && !first.is_final, "{first:?}");
    // The second attempt is cancelled while it waits for the server.
    let notification = notification(&["a", "b"]);
    let mut second = channel.deliver(&notification);
    run(poll_fn(|cx| {
        assert!(second.as_mut().poll(cx).is_pending());
        cx.waker().wake_by_ref();
        if connection.load(SeqCst) == 2 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    drop(second);
    deliver(&channel).unwrap();
    assert_eq!(recipients(&peer), ["<a@example.com>", "<full@example.com>"]);
}

#[test]
fn a_recipient_gets_all_its_attempts_whenever_the_first_one_gets_the_mail() {
    let is_up = Arc::new(AtomicU64::new(0));
    let up = Arc::clone(&is_up);
    let peer = SmtpPeer::start(SmtpTls::Never, move |command| match command {
        "RCPT TO:<gone@example.com>" => SmtpReply::Line("550 nobody"),
        "RCPT TO:<a@example.com>" if up.load(SeqCst) == 0 => SmtpReply::Line("451 later"),
        "RCPT TO:<full@example.com>" => SmtpReply::Line("452 full"),
        _ => SmtpReply::Usual,
    });
    let to = ["gone@example.com", "a@example.com", "full@example.com"];
    let channel = channel(&peer, &to);
    for _ in 0..12 {
        let error = deliver(&channel).unwrap_err();
        assert!(!error.is_partial && !error.is_final, "{error:?}");
    }
    is_up.store(1, SeqCst);
    // The one that delivers it to the first, and ten more.
    for attempt in 0..10 {
        let error = deliver(&channel).unwrap_err();
        assert!(error.is_partial, "{attempt}: {error:?}");
    }
    deliver(&channel).unwrap();
    assert_eq!(recipients(&peer), ["<a@example.com>"]);
    assert_eq!(channel.refused_recipients().count, 2);
}
