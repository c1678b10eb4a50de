//! The mails themselves.

use lettre::message::Mailboxes;
use proptest::prelude::*;

use super::super::html::escaped;
use super::super::message::{MAX_SIZE, compose};
use super::*;

fn mail(notification: &Notification) -> (String, String) {
    let from = mailbox("Watch <watch@example.com>").unwrap();
    let to = Mailboxes::from(mailbox("ops@example.com").unwrap());
    let mail = compose(notification, &from, &to).unwrap();
    assert!(mail.content.len() <= MAX_SIZE);
    (mail.id, String::from_utf8(mail.content).unwrap())
}

#[test]
fn a_message_id_tells_services_and_incidents_apart_and_is_the_same_again() {
    let one = notification(&["a", "b"]);
    assert_eq!(mail(&one), mail(&one.clone()));
    let (id, content) = mail(&one);
    assert!(id.starts_with("<0123456789abcdef-7."), "{id}");
    assert!(id.ends_with("@example.com>"), "{id}");
    let mut later = one.clone();
    later.at += Duration::from_millis(1);
    let mut other = one.clone();
    other.group_key = "other/a".to_owned();
    for another in [later, other] {
        assert_ne!(mail(&another).0, id);
    }
    let incidents = |content: &str| content.matches("<incident.").count();
    // Two in the references, and one that it replies to.
    assert_eq!(incidents(&content), 3);
}

#[test]
fn a_mail_is_never_too_large() {
    let long = "é<&\"".repeat(5000);
    let texts: Vec<&str> = (0..1000).map(|_| &*long).collect();
    let (_, content) = mail(&notification(&texts));
    assert!(content.lines().all(|line| line.len() <= 998));
    let small: Vec<&str> = (0..1000).map(|_| "a").collect();
    let (_, content) = mail(&notification(&small));
    assert!(content.contains("and 980 more alerts"), "{content}");
}

proptest! {
    #[test]
    fn no_text_becomes_a_header_a_part_or_a_tag(
        text in "[\\PC\r\n\t\0<>\"'&=.:;,@\u{202e}-]{0,80}",
        other in "(\r\n)?(Bcc: |--=_|\\.\r\n|Content-Type: |</td>)[\\PC\r\n]{0,40}",
    ) {
        let (_, content) = mail(&notification(&[&text, &other]));
        let (head, body) = content.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = head
            .split("\r\n")
            .filter(|line| !line.starts_with([' ', '\t']))
            .filter_map(|line| line.split(": ").next())
            .collect();
        let expected = [
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "X-Auto-Response-Suppress",
            "In-Reply-To", "References", "Importance", "MIME-Version", "Content-Type",
        ];
        prop_assert_eq!(names, expected);
        prop_assert!(content.is_ascii());
        prop_assert!(!content.replace("\r\n", "").contains(['\r', '\n', '\0']));
        let boundary = head.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
        prop_assert_eq!(body.matches(&format!("--{boundary}")).count(), 3);
        let escaped = escaped(&text);
        prop_assert!(!escaped.contains(['<', '>', '"', '\'']));
    }
}
