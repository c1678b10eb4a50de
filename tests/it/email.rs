//! Mails of a whole monitor, to a server that follows a script.

use std::time::Duration;

use watchpost::Monitor;
use watchpost::alerts::{
    AlertRoute, AlertsConfig, Bound, ChannelStatus, DeliveryOutcome, EmailChannel, MissingData,
    Rule, Severity, SmtpServer,
};
use watchpost::history::MetricQuery;
use watchpost::testing::Harness;

use crate::peer::{Authority, Certificate};
use crate::smtp_peer::{ReceivedMail, SmtpPeer, SmtpReply, SmtpTls};

const STEP: Duration = Duration::from_secs(30);
const FROM: &str = "Watch <watch@example.com>";

fn config() -> AlertsConfig {
    AlertsConfig::default()
        .default_rules(false)
        .group_wait(Duration::ZERO)
        .group_interval(Duration::from_secs(1))
        .dashboard_url(http::Uri::from_static("https://monitoring.example/"))
}

fn server(peer: &SmtpPeer) -> SmtpServer {
    SmtpServer::new("127.0.0.1").port(peer.port()).internal()
}

fn channel(peer: &SmtpPeer, to: &[&str]) -> EmailChannel {
    EmailChannel::new(server(peer).without_tls(), FROM, to).unwrap()
}

fn harness(channel: EmailChannel) -> Harness {
    let harness = Harness::with(|builder| builder.alerts(config()));
    let rule = Rule::threshold(
        "hot",
        MetricQuery::last("heat").by(["room"]),
        Bound::above(30.0),
    );
    let rule = rule
        .severity(Severity::Critical)
        .cooldown(Duration::ZERO)
        .missing_data(MissingData::Resolve)
        .annotation(
            "summary",
            "It is {{ $value }} degrees in {{ $labels.room }}",
        )
        .runbook("https://wiki.example/hot?a=b&c");
    harness.alerts().add_rule(rule).unwrap();
    harness.alerts().add_channel(channel).unwrap();
    harness
}

fn heat(harness: &Harness, room: &str, degrees: f64) {
    let heat = harness.metrics().gauge("heat").build();
    heat.with([("room", room.to_owned())]).set(degrees);
    harness.advance(STEP);
    harness.snapshot();
    harness.evaluate_alerts();
    harness.deliver_notifications();
}

fn status(harness: &Harness) -> ChannelStatus {
    let status = harness.alerts().channels().remove(0);
    let dropped: u64 = status.dropped.iter().map(|(_, count)| count).sum();
    let settled = status.delivered + status.spooled + dropped;
    assert_eq!(status.emitted, settled, "{status:?}");
    status
}

fn dropped(status: &ChannelStatus, why: &str) -> u64 {
    let of_reason = status.dropped.iter().filter(|(reason, _)| *reason == why);
    of_reason.map(|(_, count)| count).sum()
}

/// The table of responses: to each step, one that is retried and one that is final.
#[test]
fn codes_from_400_are_retried_and_codes_from_500_are_final() {
    let line = SmtpReply::Line;
    let cases = [
        ("CONNECT", line("421 busy"), Some(421), true),
        ("CONNECT", line("554 no"), Some(554), false),
        ("CONNECT", line("what"), None, true),
        ("CONNECT", SmtpReply::Drop, None, true),
        ("EHLO", line("421 bye"), Some(421), true),
        ("EHLO", SmtpReply::Drop, None, true),
        ("MAIL", line("451 later"), Some(451), true),
        ("MAIL", line("550 no"), Some(550), false),
        ("MAIL", line("530 log in"), Some(530), false),
        ("RCPT", line("450 busy"), Some(450), true),
        ("RCPT", line("421 bye"), Some(421), true),
        ("RCPT", line("550 5.1.1 nobody"), Some(550), false),
        ("DATA", line("451 later"), Some(451), true),
        ("DATA", line("554 no"), Some(554), false),
        ("DATA", SmtpReply::Drop, None, true),
        (".", line("452 full"), Some(452), true),
        (".", line("552 large"), Some(552), false),
        (".", SmtpReply::Drop, None, true),
    ];
    for (command, reply, code, is_retried) in cases {
        let case = format!("{command} {reply:?}");
        let peer = SmtpPeer::once(command, reply);
        let harness = harness(channel(&peer, &["ops@example.com"]));
        heat(&harness, "oven", 35.0);
        let first = status(&harness);
        assert_eq!(first.spooled, u64::from(is_retried), "{case}: {first:?}");
        assert_eq!(
            dropped(&first, "rejected"),
            u64::from(!is_retried),
            "{case}"
        );
        assert_eq!(
            harness.alerts().dead_letters().len(),
            usize::from(!is_retried)
        );
        assert!(first.failing_since.is_some(), "{case}");
        harness.advance(Duration::from_secs(2));
        harness.deliver_notifications();
        let second = status(&harness);
        assert_eq!(
            second.delivered,
            u64::from(is_retried),
            "{case}: {second:?}"
        );
        assert_eq!(peer.mails().len(), usize::from(is_retried), "{case}");
        let log = harness.alerts().deliveries();
        assert_eq!(log[0].code, code, "{case}");
        if is_retried {
            assert_eq!(log[1].outcome, DeliveryOutcome::Delivered, "{case}");
        }
    }
}

#[test]
fn a_refused_login_is_final_and_shows_no_password() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    for (reply, is_retried, says) in [
        (
            "535 5.7.8 hush AHUAaHVzaA==",
            false,
            "refused the login (535): check the user",
        ),
        (
            "454 4.7.0 later hush",
            true,
            "could not check the login (454)",
        ),
    ] {
        let tls = SmtpTls::StartTls(authority.server(Certificate::Good));
        let peer = SmtpPeer::start(tls, move |command| {
            if command.starts_with("AUTH") {
                SmtpReply::Line(reply)
            } else {
                SmtpReply::Usual
            }
        });
        let server = server(&peer).authorities(authority.file(directory.path()));
        let channel =
            EmailChannel::new(server.login("u", "hush"), FROM, ["ops@example.com"]).unwrap();
        assert!(!format!("{channel:?}").contains("hush"));
        let harness = harness(channel);
        heat(&harness, "oven", 35.0);
        let status = status(&harness);
        assert_eq!(status.spooled, u64::from(is_retried), "{status:?}");
        let problem = status.problem.unwrap();
        assert!(problem.contains(says), "{problem}");
        assert!(
            !problem.contains("hush") && !problem.contains("AHUA"),
            "{problem}"
        );
        assert!(!peer.commands().iter().any(|it| it.starts_with("MAIL")));
    }
}

#[test]
fn nothing_is_sent_without_tls_and_a_good_certificate() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let file = authority.file(directory.path());
    let of = |kind| authority.server(kind);
    let cases = [
        (SmtpTls::Never, false, "offers no TLS"),
        (
            SmtpTls::StartTls(of(Certificate::Expired)),
            false,
            "has expired",
        ),
        (
            SmtpTls::StartTls(of(Certificate::OtherHost)),
            false,
            "for another name",
        ),
        (
            SmtpTls::StartTls(of(Certificate::SelfSigned)),
            false,
            "certificate",
        ),
        (
            SmtpTls::Implicit(of(Certificate::OtherHost)),
            true,
            "for another name",
        ),
        (SmtpTls::Never, true, "does not speak TLS"),
    ];
    for (tls, is_implicit, says) in cases {
        let peer = SmtpPeer::start(tls, |_| SmtpReply::Usual);
        let mut server = server(&peer).authorities(&file).login("u", "hush");
        if is_implicit {
            server = server.implicit_tls();
        }
        let channel = EmailChannel::new(server, FROM, ["ops@example.com"]).unwrap();
        let harness = harness(channel);
        heat(&harness, "oven", 35.0);
        let status = status(&harness);
        // An attacker between could otherwise discard alerts.
        assert_eq!(status.spooled, 1, "{status:?}");
        let problem = status.problem.unwrap();
        assert!(problem.contains(says), "{says}: {problem}");
        let sent = peer.commands();
        let is_harmless = |it: &String| {
            ["CONNECT", "EHLO", "STARTTLS"]
                .iter()
                .any(|begin| it.starts_with(begin))
        };
        // What does not speak TLS reads a part of the handshake as a command.
        assert!(is_implicit || sent.iter().all(is_harmless), "{sent:?}");
    }
}

/// Responses in plain text that follow the one to `STARTTLS` must not be taken for those after the handshake.
#[test]
fn what_was_sent_before_tls_is_no_response_after_it() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let tls = SmtpTls::StartTls(authority.server(Certificate::Good));
    let peer = SmtpPeer::start(tls, |command| match command {
        "STARTTLS" => SmtpReply::Line("220 go\r\n250-evil\r\n250 AUTH PLAIN"),
        _ => SmtpReply::Usual,
    });
    let server = server(&peer).authorities(authority.file(directory.path()));
    let channel = EmailChannel::new(server.login("u", "p"), FROM, ["ops@example.com"]).unwrap();
    let harness = harness(channel);
    heat(&harness, "oven", 35.0);
    let status = status(&harness);
    assert_eq!((status.spooled, status.delivered), (1, 0), "{status:?}");
    assert!(status.problem.unwrap().contains("does not speak TLS"));
}

#[test]
fn a_login_and_a_mail_go_over_tls() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let file = authority.file(directory.path());
    for (offer, is_implicit) in [("PLAIN", false), ("LOGIN", false), ("PLAIN LOGIN", true)] {
        let config = authority.server(Certificate::Good);
        let tls = if is_implicit {
            SmtpTls::Implicit(config)
        } else {
            SmtpTls::StartTls(config)
        };
        let mut is_secure = is_implicit;
        let mut answers = 0;
        let peer = SmtpPeer::start(tls, move |command| {
            is_secure |= command == "STARTTLS";
            match command {
                // The user and the password of LOGIN.
                "dQ==" | "aHVzaA==" => {
                    answers += 1;
                    SmtpReply::Line(if answers == 1 {
                        "334 UGFzc3dvcmQ6"
                    } else {
                        "235 good"
                    })
                }
                "AUTH LOGIN" => SmtpReply::Line("334 VXNlcm5hbWU6"),
                _ if command.starts_with("EHLO") && is_secure && command.len() > 5 => match offer {
                    "LOGIN" if answers == 0 => SmtpReply::Line("250 AUTH LOGIN"),
                    _ => SmtpReply::Usual,
                },
                _ => SmtpReply::Usual,
            }
        });
        let mut server = server(&peer).authorities(&file).login("u", "hush");
        if is_implicit {
            server = server.implicit_tls();
        }
        let channel = EmailChannel::new(server, FROM, ["ops@example.com"]).unwrap();
        let harness = harness(channel);
        heat(&harness, "oven", 35.0);
        let status = status(&harness);
        assert_eq!(status.delivered, 1, "{offer} {status:?}");
        assert_eq!(peer.mails().len(), 1);
        let commands = peer.commands();
        let login = commands.iter().find(|it| it.starts_with("AUTH")).unwrap();
        let expected = if offer == "LOGIN" {
            "AUTH LOGIN"
        } else {
            "AUTH PLAIN AHUAaHVzaA=="
        };
        assert_eq!(login, expected);
    }
}

#[test]
fn the_rest_of_the_recipients_get_the_mail_once() {
    let mut attempt = 0;
    let peer = SmtpPeer::start(SmtpTls::Never, move |command| {
        attempt += u32::from(command == "CONNECT");
        match command {
            "RCPT TO:<gone@example.com>" => SmtpReply::Line("550 5.1.1 nobody"),
            "RCPT TO:<full@example.com>" if attempt < 3 => SmtpReply::Line("452 4.2.2 full"),
            _ => SmtpReply::Usual,
        }
    });
    let to = [
        "a@example.com",
        "gone@example.com",
        "full@example.com",
        "b@example.com",
    ];
    let harness = harness(channel(&peer, &to));
    heat(&harness, "oven", 35.0);
    let first = status(&harness);
    assert_eq!((first.delivered, first.spooled), (0, 1), "{first:?}");
    assert_eq!(first.refused_recipients.count, 1);
    let why = first.refused_recipients.last.unwrap();
    assert!(why.contains("gone@example.com with 550"), "{why}");
    for _ in 0..3 {
        harness.advance(Duration::from_secs(10));
        harness.deliver_notifications();
    }
    let last = status(&harness);
    assert_eq!((last.delivered, last.spooled), (1, 0), "{last:?}");
    assert_eq!(last.refused_recipients.count, 1, "it counts once: {last:?}");
    let mails = peer.mails();
    let got: Vec<_> = mails.iter().map(|mail| mail.to.join(" ")).collect();
    assert_eq!(
        got,
        ["<a@example.com> <b@example.com>", "<full@example.com>"]
    );
    assert_eq!(mails[0].content, mails[1].content);
    let labels = [("channel", "email")];
    let refused = harness
        .page()
        .sum("watchpost_alerts_recipients_refused_total", &labels);
    assert_eq!(refused, 1.0);
}

#[test]
fn a_recipient_that_is_refused_for_now_is_given_up_and_the_others_wait_no_longer() {
    let peer = SmtpPeer::start(SmtpTls::Never, |command| {
        if command.starts_with("RCPT TO:<full") {
            SmtpReply::Line("452 4.2.2 full")
        } else {
            SmtpReply::Usual
        }
    });
    let harness = harness(channel(&peer, &["a@example.com", "full@example.com"]));
    heat(&harness, "oven", 35.0);
    for _ in 0..9 {
        harness.advance(Duration::from_secs(301));
        harness.deliver_notifications();
        assert_eq!(status(&harness).spooled, 1);
    }
    harness.advance(Duration::from_secs(301));
    harness.deliver_notifications();
    let last = status(&harness);
    assert_eq!(
        (last.delivered, last.refused_recipients.count),
        (1, 1),
        "{last:?}"
    );
    assert!(last.failing_since.is_none());
    assert_eq!(peer.mails().len(), 1);
}

#[test]
fn a_mail_says_what_and_its_end_says_for_how_long_in_one_thread() {
    let peer = SmtpPeer::usual();
    let harness = harness(channel(&peer, &["Ops <ops@example.com>", "b@example.com"]));
    heat(&harness, "oven", 35.5);
    heat(&harness, "attic", 40.0);
    heat(&harness, "oven", 20.0);
    heat(&harness, "attic", 20.0);
    let mails = peer.mails();
    let subjects: Vec<_> = mails
        .iter()
        .map(|it| it.header("Subject").unwrap())
        .collect();
    assert_eq!(
        subjects,
        [
            "[FIRING] hot of harness",
            "[FIRING: 2] hot of harness",
            "[FIRING: 2] hot of harness",
            "[RESOLVED] hot of harness",
        ]
    );
    let first = &mails[0];
    assert_eq!(first.from, "<watch@example.com>");
    assert_eq!(first.to, ["<ops@example.com>", "<b@example.com>"]);
    let header = |name| first.header(name).unwrap_or_default();
    assert_eq!(header("From"), FROM);
    assert_eq!(header("To"), "Ops <ops@example.com>, b@example.com");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(header("Importance"), "high");
    let parts = first.parts();
    assert_eq!(parts.len(), 2);
    for expected in [
        "It is 35.5 degrees in oven",
        "It has been critical since 20",
        "35.5, and the limit is > 30",
        "room=oven",
        "https://monitoring.example/",
    ] {
        let html = expected.replace('>', "&gt;");
        assert!(parts[0].contains(expected), "{expected}: {}", parts[0]);
        assert!(parts[1].contains(&html), "{html}: {}", parts[1]);
    }
    assert!(parts[0].contains("https://wiki.example/hot?a=b&c"));
    assert!(parts[1].contains("https://wiki.example/hot?a=b&amp;c"));
    let last = mails[3].parts();
    for part in &last {
        assert!(part.contains("It ended after 1m 0s."), "{part}");
    }
    // Each mail refers to one that the mail before refers to, and no two have the same ID.
    let references = |mail: &ReceivedMail| -> Vec<String> {
        let all = mail.header("References").unwrap();
        all.split(' ').map(str::to_owned).collect()
    };
    for pair in mails.windows(2) {
        let (one, other) = (references(&pair[0]), references(&pair[1]));
        assert!(one.iter().any(|it| other.contains(it)), "{one:?} {other:?}");
        assert_ne!(pair[0].header("Message-ID"), pair[1].header("Message-ID"));
    }
    assert_eq!(
        mails[0].header("In-Reply-To").unwrap(),
        references(&mails[0])[0]
    );
    // Another incident is another thread.
    heat(&harness, "oven", 36.0);
    let next = peer.mails().pop().unwrap();
    for reference in references(&next) {
        assert!(!references(&mails[3]).contains(&reference));
        assert!(!references(&mails[0]).contains(&reference));
    }
    let plain = |mail: &ReceivedMail| mail.content.split("\r\n").all(|line| line.len() <= 998);
    assert!(mails.iter().all(plain));
}

/// After a crash, and after a response that did not arrive, the same mail is sent again.
#[test]
fn a_mail_that_is_sent_again_is_the_same() {
    let mut drops = 2;
    let peer = SmtpPeer::start(SmtpTls::Never, move |command| {
        if command == "." && drops > 0 {
            drops -= 1;
            return SmtpReply::Drop;
        }
        SmtpReply::Usual
    });
    // It drops the connection once it has the mail.
    let harness = harness(channel(&peer, &["ops@example.com"]));
    heat(&harness, "oven", 35.0);
    for _ in 0..3 {
        harness.advance(Duration::from_secs(10));
        harness.deliver_notifications();
    }
    let log = harness.alerts().deliveries();
    assert_eq!(log.len(), 3);
    assert!(log.windows(2).all(|pair| pair[0].id == pair[1].id));
    let mails = peer.mails();
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0]
            .header("Message-ID")
            .unwrap()
            .starts_with(&format!("<{}.", log[0].id))
    );
}

#[test]
fn no_text_from_outside_becomes_a_header_or_a_tag() {
    let peer = SmtpPeer::usual();
    let harness = harness(channel(&peer, &["ops@example.com"]));
    let evil = "</p><script>alert(1)</script>\"'\r\nBcc: evil@example.com\r\n\r\n.\r\nMAIL FROM:<e@e>\u{202e}";
    let rule = Rule::threshold(
        "hot\r\nBcc: evil@example.com",
        MetricQuery::last("heat").by(["room"]),
        Bound::above(30.0),
    );
    // The names of rules are checked, or cleaned.
    drop(harness.alerts().add_rule(rule.severity(Severity::Critical)));
    heat(&harness, evil, 35.0);
    for mail in peer.mails() {
        assert!(mail.header("Bcc").is_none());
        assert_eq!(mail.to, ["<ops@example.com>"]);
        let parts = mail.parts();
        assert_eq!(parts.len(), 2);
        assert!(!parts[1].contains("<script>"), "{}", parts[1]);
        assert!(parts[1].contains("&lt;script&gt;"), "{}", parts[1]);
        assert!(!parts[0].contains('\u{202e}'));
        assert!(!parts[0].contains("\r\nBcc:"), "{}", parts[0]);
    }
    assert!(!peer.mails().is_empty());
    assert!(!peer.commands().iter().any(|it| it.contains("e@e")));
}

#[tokio::test]
async fn a_mail_channel_can_be_tested() {
    let peer = SmtpPeer::once("RCPT", SmtpReply::Line("550 nobody"));
    let monitor = Monitor::builder("host")
        .env(false)
        .console(false)
        .alerts(config())
        .build()
        .unwrap();
    let alerts = monitor.alerts();
    alerts
        .add_channel(channel(&peer, &["ops@example.com"]))
        .unwrap();
    let error = alerts.test_channel("email").await.unwrap_err();
    assert!(error.to_string().contains("with 550 nobody"), "{error}");
    alerts.test_channel("email").await.unwrap();
    let mails = peer.mails();
    assert_eq!(
        mails[0].header("Subject").unwrap(),
        "[TEST] channel-test of host"
    );
    assert!(mails[0].header("References").is_none());
}

#[test]
fn warnings_and_criticals_go_to_mails_and_a_name_makes_a_second_channel() {
    let peer = SmtpPeer::usual();
    let harness = harness(channel(&peer, &["ops@example.com"]));
    let second = channel(&peer, &["boss@example.com"]).named("email-boss");
    harness.alerts().add_channel(second).unwrap();
    for (name, severity) in [("warm", Severity::Warning), ("mild", Severity::Info)] {
        let heat = MetricQuery::last("heat").by(["room"]);
        let rule = Rule::threshold(name, heat, Bound::above(10.0)).severity(severity);
        harness.alerts().add_rule(rule).unwrap();
    }
    harness
        .alerts()
        .set_routes([AlertRoute::to(["email-boss"]).severity(Severity::Critical)])
        .unwrap();
    heat(&harness, "oven", 35.0);
    let to: Vec<_> = peer.mails().into_iter().map(|it| it.to.join(" ")).collect();
    assert_eq!(to, ["<boss@example.com>"]);
    let other = SmtpPeer::usual();
    let harness = self::harness(channel(&other, &["ops@example.com"]));
    for (name, severity) in [("warm", Severity::Warning), ("mild", Severity::Info)] {
        let heat = MetricQuery::last("heat").by(["room"]);
        let rule = Rule::threshold(name, heat, Bound::above(10.0)).severity(severity);
        harness.alerts().add_rule(rule).unwrap();
    }
    heat(&harness, "oven", 35.0);
    harness.deliver_notifications();
    harness.deliver_notifications();
    let mails = other.mails();
    let mut subjects: Vec<_> = mails.iter().filter_map(|it| it.header("Subject")).collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        ["[FIRING] hot of harness", "[FIRING] warm of harness"]
    );
}

#[test]
fn the_settings_describe_a_mail_server_and_show_no_password() {
    let names = |config: AlertsConfig| {
        let monitor = Monitor::builder("host")
            .env(false)
            .console(false)
            .alerts(config)
            .build()
            .unwrap();
        let report = monitor.report().to_string();
        assert!(!report.contains("hush"), "{report}");
        let names: Vec<_> = monitor
            .alerts()
            .channels()
            .into_iter()
            .map(|it| it.name)
            .collect();
        (names.join(" "), report)
    };
    let url = "smtps://watch@example.com:hush@mail.example.com?to=ops@example.com";
    assert_eq!(names(config().smtp_config(url)).0, "email");
    let json = r#"{"host":"mail.example.com","secure":true,"auth":{"user":"u","pass":"hush"},"pool":true}"#;
    let config_json = config()
        .smtp_config(json)
        .email_from(FROM)
        .email_to(vec!["ops@example.com".to_owned()]);
    let (name, report) = names(config_json);
    assert_eq!(name, "email");
    assert!(report.contains("`pool` has no effect"), "{report}");
    for (text, says) in [
        (json, "there is no sender of e-mails"),
        (
            "smtps://watch@example.com:hush@mail.example.com",
            "there is no recipient",
        ),
        (
            "smtp://watch@example.com:hush@mail.example.com?tls=none&to=a@b.c",
            "plain text",
        ),
        (
            "smtp://10.0.0.1?tls=none&to=a@b.c&from=a@b.c",
            "in your own network",
        ),
        ("hush", "it is no URL"),
        ("smtp://h?to=nobody&from=a@b.c", "is no address"),
    ] {
        let (name, report) = names(config().smtp_config(text));
        assert_eq!(name, "", "{text}");
        let report = report.replace('\n', " ");
        assert!(
            report.contains("`alerts.smtp_config` is not used"),
            "{report}"
        );
        assert!(report.contains(says), "{says}: {report}");
    }
}

#[test]
fn a_server_in_the_own_network_has_to_be_allowed() {
    let peer = SmtpPeer::usual();
    for host in ["127.0.0.1", "localhost", "::ffff:127.0.0.1"] {
        let server = SmtpServer::new(host).port(peer.port());
        let harness = harness(EmailChannel::new(server, FROM, ["ops@example.com"]).unwrap());
        heat(&harness, "oven", 35.0);
        let problem = status(&harness).problem.unwrap();
        assert!(problem.contains("address that is not allowed"), "{problem}");
    }
    assert!(peer.commands().is_empty());
}

/// A server that hangs stops neither the other channels nor the caller, and the mail is tried again.
#[test]
fn a_server_that_hangs_is_left_after_ten_seconds() {
    let peer = SmtpPeer::once("EHLO", SmtpReply::Hang);
    let harness = harness(channel(&peer, &["ops@example.com"]));
    heat(&harness, "oven", 35.0);
    let first = status(&harness);
    assert_eq!(first.spooled, 1);
    let problem = first.problem.unwrap();
    assert!(
        problem.contains("did not respond to the greeting within 10 s"),
        "{problem}"
    );
    harness.advance(Duration::from_secs(2));
    harness.deliver_notifications();
    assert_eq!(status(&harness).delivered, 1);
}
