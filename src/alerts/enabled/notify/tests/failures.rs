//! What a failed delivery means for others, and for what follows on it.

use std::collections::BTreeSet;

use super::*;

/// Some recipients have it, and the others are to be tried again.
fn partial() -> Result<(), DeliveryError> {
    Err(DeliveryError {
        is_partial: true,
        ..DeliveryError::retry("one mailbox is full")
    })
}

fn busy() -> Result<(), DeliveryError> {
    Err(DeliveryError::retry("busy").code(503))
}

#[test]
fn what_some_recipients_have_delays_no_other_notification() {
    for (result, waits) in [(partial(), false), (busy(), true)] {
        let mut outbox = outbox();
        let other = BTreeSet::from(["rule-2".to_owned()]);
        for (number, series) in [(1, 100), (2, 200)] {
            let new = announcement(number, series, AnnouncementKind::First);
            outbox.offer(new, NEW, START);
        }
        let now = START + MINUTE;
        // So that the next attempt is far away.
        for _ in 0..8 {
            let first = outbox.take_last(&other).unwrap();
            complete(&mut outbox, &first, &result, now);
        }
        let second = due(&mut outbox, now);
        assert_eq!(second.is_none(), waits);
        assert!(outbox.content.failing_since.is_some());
        if let Some(second) = second {
            assert_eq!(second.group, "rule-2");
        }
    }
}

#[test]
fn a_new_alert_does_not_wait_for_recipients_that_lack_an_earlier_one() {
    for (result, waits) in [(partial(), false), (busy(), true)] {
        let mut outbox = outbox();
        outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
        let now = START + MINUTE;
        for _ in 0..12 {
            let first = outbox.take_last(&BTreeSet::new()).unwrap();
            complete(&mut outbox, &first, &result, now);
        }
        outbox.offer(announcement(2, 2, AnnouncementKind::First), NEW, now);
        assert!(due(&mut outbox, now + 59 * SECOND).is_none());
        let second = due(&mut outbox, now + 60 * SECOND);
        assert_eq!(second.is_none(), waits);
    }
}

/// The end arrives while the begin is in flight, and the begin then fails.
#[test]
fn an_end_is_delivered_only_to_who_may_have_heard_of_the_begin() {
    let uncertain = || Err(DeliveryError::retry("the connection broke off"));
    let rejected = || Err(DeliveryError::rejected("no").code(400));
    for resend_every in [None, Some(Duration::from_secs(60))] {
        for (result, is_heard) in [
            (busy(), false),
            (rejected(), false),
            (uncertain(), true),
            (Ok(()), true),
        ] {
            let case = format!("{result:?} {resend_every:?}");
            let mut outbox = outbox_of(OutboxSettings {
                resend_every,
                ..settings()
            });
            outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
            let now = START + MINUTE;
            let begin = due(&mut outbox, now).unwrap();
            outbox.offer(announcement(2, 1, AnnouncementKind::Resolved), NEW, now);
            complete(&mut outbox, &begin, &result, now);
            assert_eq!(outbox.spooled(), u64::from(is_heard), "{case}");
            let end = due(&mut outbox, now + 60 * MINUTE);
            assert_eq!(end.is_some(), is_heard, "{case}");
            assert_eq!(outbox.content.groups.is_empty(), !is_heard, "{case}");
            let retried = outbox.content.log[0].next_retry.is_some();
            assert!(is_heard || !retried, "{case}");
        }
    }
}

#[test]
fn an_idempotency_key_differs_between_services_environments_and_channels() {
    let id = |settings: OutboxSettings| {
        let mut outbox = outbox_of(settings);
        outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
        due(&mut outbox, START + MINUTE).unwrap().notification.id
    };
    let mut other = [settings(), settings(), settings(), settings()];
    other[1].service = "billing".to_owned();
    other[2].environment = Some("staging".to_owned());
    other[3].channel = "teams".to_owned();
    let ids: BTreeSet<String> = other.into_iter().map(id).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
}
