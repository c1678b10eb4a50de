//! What the receiver of a channel has heard of, and what it hears again.

use std::collections::BTreeMap;

use super::*;

/// As [`NEW`], of an alert that goes elsewhere by now.
const ELSEWHERE: AnnouncementOrigin = AnnouncementOrigin {
    is_routed: false,
    ..NEW
};

fn restarted(outbox: &ChannelOutbox, settings: OutboxSettings, now: u64) -> ChannelOutbox {
    let (content, problem) = decode(&encode(&outbox.content));
    assert_eq!(problem, None);
    let mut next = ChannelOutbox::new(settings);
    next.open(content, now);
    check(&next);
    next
}

/// The numbers of the alerts of a notification.
fn series(prepared: &PreparedDelivery) -> Vec<u64> {
    let alerts = prepared.notification.alerts.iter();
    alerts.map(|it| it.alert.fingerprint).collect()
}

/// A channel of an Alertmanager.
fn forgetful() -> OutboxSettings {
    OutboxSettings {
        grouping: NotificationGrouping::All,
        resend_every: Some(Duration::from_secs(60)),
        ..settings()
    }
}

fn refused() -> Result<(), DeliveryError> {
    Err(DeliveryError::rejected("no").code(400))
}

#[test]
fn the_end_goes_to_who_has_the_begin_with_its_severity_and_labels() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let first = due(&mut outbox, START + MINUTE).unwrap();
    complete(&mut outbox, &first, &Ok(()), START + MINUTE);
    let mut outbox = restarted(&outbox, settings(), START + MINUTE);
    // The rule is gone, so that nothing is known of it.
    let mut end = announcement(2, 1, AnnouncementKind::Resolved);
    let alert = &mut end.alert.alert;
    alert.severity = Severity::Warning;
    alert.labels = vec![("team".to_owned(), "other".to_owned())];
    (alert.annotations, alert.runbook) = (Vec::new(), None);
    outbox.offer(end, ELSEWHERE, START + MINUTE);
    check(&outbox);
    let end = due(&mut outbox, START + 3 * MINUTE).unwrap();
    assert_eq!(end.notification.status, NotificationStatus::Resolved);
    assert_eq!(end.notification.severity, Severity::Critical);
    let ended = &end.notification.alerts[0].alert;
    let begun = &first.notification.alerts[0].alert;
    assert_eq!(ended.labels, begun.labels);
    assert_eq!(ended.annotations, begun.annotations);
    assert_eq!(
        (ended.bound.as_str(), &ended.runbook),
        ("> 5", &begun.runbook)
    );
}

#[test]
fn who_has_not_heard_of_the_begin_does_not_hear_of_the_end() {
    let mut outbox = outbox();
    outbox.offer(
        announcement(1, 1, AnnouncementKind::First),
        ELSEWHERE,
        START,
    );
    for (number, kind) in [
        (2, AnnouncementKind::Acknowledged),
        (3, AnnouncementKind::Resolved),
    ] {
        outbox.offer(announcement(number, 1, kind), NEW, START);
    }
    assert!(due(&mut outbox, START + MINUTE).is_none());
    assert_eq!(outbox.counts.emitted, 0);
    // If a part of the file is damaged, it may have heard of it.
    let content = OutboxContent {
        is_incomplete: true,
        ..OutboxContent::default()
    };
    let mut outbox = ChannelOutbox::new(settings());
    outbox.open(content, START);
    for (number, series, origin) in [(4, 1, ELSEWHERE), (5, 2, NEW)] {
        let end = announcement(number, series, AnnouncementKind::Resolved);
        outbox.offer(end, origin, START);
    }
    let end = due(&mut outbox, START + MINUTE).unwrap();
    assert_eq!(series(&end), [2]);
}

/// What an earlier process has left takes no room from what is new while the file is read.
#[test]
fn a_new_alert_finds_room_beside_all_that_an_earlier_process_has_left() {
    let left = MAX_MEMBERS as u64;
    let mut outbox = ChannelOutbox::new(settings());
    for number in 1..=left {
        let old = announcement(number, 1, AnnouncementKind::Repeat);
        outbox.offer(old, RECOVERED, START);
    }
    outbox.offer(
        announcement(left + 1, 2, AnnouncementKind::First),
        NEW,
        START,
    );
    let content = OutboxContent {
        last_number: left,
        ..OutboxContent::default()
    };
    outbox.open(content, START);
    assert_eq!(series(&due(&mut outbox, START + MINUTE).unwrap()), [2]);
    assert_eq!(dropped(&outbox, OutboxDrop::QueueFull), 0);
}

#[test]
fn an_alert_that_is_refused_is_in_no_later_notification() {
    let mut now = START + MINUTE;
    let mut outbox = outbox_of(forgetful());
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let first = due(&mut outbox, now).unwrap();
    complete(&mut outbox, &first, &refused(), now);
    outbox.offer(announcement(2, 2, AnnouncementKind::First), NEW, now);
    now += MINUTE;
    let second = due(&mut outbox, now).unwrap();
    assert_eq!(series(&second), [2]);
    complete(&mut outbox, &second, &Ok(()), now);
    // Nor in what is sent again, also after a restart.
    let mut outbox = restarted(&outbox, forgetful(), now);
    for _ in 0..2 {
        now += MINUTE;
        let again = due(&mut outbox, now).unwrap();
        assert_eq!((again.is_resend, series(&again)), (true, vec![2]));
        complete(&mut outbox, &again, &Ok(()), now);
    }
    outbox.offer(announcement(3, 1, AnnouncementKind::Resolved), NEW, now);
    check(&outbox);
    assert_eq!(dropped(&outbox, OutboxDrop::Ended), 1);
}

#[test]
fn a_refused_state_of_a_known_alert_is_left_out_until_the_next_one() {
    let mut now = START + MINUTE;
    let mut outbox = outbox_of(forgetful());
    for series in [1, 2] {
        outbox.offer(
            announcement(series, series, AnnouncementKind::First),
            NEW,
            START,
        );
    }
    let first = due(&mut outbox, now).unwrap();
    complete(&mut outbox, &first, &Ok(()), now);
    outbox.offer(announcement(3, 1, AnnouncementKind::Repeat), NEW, now);
    now += MINUTE;
    let repeated = due(&mut outbox, now).unwrap();
    assert_eq!(series(&repeated), [1, 2]);
    complete(&mut outbox, &repeated, &refused(), now);
    let mut outbox = restarted(&outbox, forgetful(), now);
    now += MINUTE;
    let again = due(&mut outbox, now).unwrap();
    assert_eq!(series(&again), [2]);
    complete(&mut outbox, &again, &Ok(()), now);
    outbox.offer(announcement(4, 1, AnnouncementKind::Resolved), NEW, now);
    now += MINUTE;
    let end = due(&mut outbox, now).unwrap();
    assert_eq!(series(&end), [1, 2]);
    complete(&mut outbox, &end, &Ok(()), now);
}

#[test]
fn what_was_not_delivered_for_a_day_is_heard_of_once_the_receiver_is_back() {
    let mut outbox = outbox_of(forgetful());
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let mut now = START;
    while outbox.content.dead.is_empty() {
        now += MINUTE;
        if let Some(prepared) = due(&mut outbox, now) {
            let busy = DeliveryError::retry("busy").code(503);
            complete(&mut outbox, &prepared, &Err(busy), now);
        }
    }
    let again = due(&mut outbox, now + 10 * MINUTE).unwrap();
    assert_eq!((again.is_resend, series(&again)), (true, vec![1]));
}

#[test]
fn what_finds_no_place_in_a_notification_is_in_the_next_one() {
    let mut outbox = outbox_of(forgetful());
    for number in 1..=1500 {
        let new = announcement(number, number, AnnouncementKind::First);
        outbox.offer(new, NEW, START);
    }
    let mut now = START + MINUTE;
    let first = due(&mut outbox, now).unwrap();
    assert_eq!(first.notification.alerts.len(), 1000);
    assert_eq!(first.notification.truncated, 500);
    let again = restarted(&outbox, forgetful(), now).take_due(now, None);
    assert_eq!(again.unwrap().notification.id, first.notification.id);
    complete(&mut outbox, &first, &Ok(()), now);
    assert_eq!((outbox.counts.delivered, outbox.spooled()), (1000, 500));
    now += MINUTE;
    let second = due(&mut outbox, now).unwrap();
    assert_ne!(second.notification.id, first.notification.id);
    assert_eq!(second.notification.alerts.len(), 1000);
    let new = second.notification.alerts.iter().filter(|it| it.is_new);
    assert_eq!(new.count(), 500);
    complete(&mut outbox, &second, &Ok(()), now);
    assert_eq!((outbox.counts.delivered, outbox.spooled()), (1500, 0));
    // All of them are sent again.
    now += MINUTE;
    let mut heard = Vec::new();
    while let Some(again) = due(&mut outbox, now) {
        assert!(again.is_resend);
        heard.extend(series(&again));
        complete(&mut outbox, &again, &Ok(()), now);
    }
    heard.sort_unstable();
    assert_eq!(heard, (1..=1500).collect::<Vec<_>>());
}

#[test]
fn each_group_is_sent_again() {
    let mut settings = settings();
    settings.resend_every = Some(Duration::from_secs(60));
    let mut outbox = outbox_of(settings);
    for group in [1, 2, 3] {
        outbox.offer(
            announcement(group, group * 100, AnnouncementKind::First),
            NEW,
            START,
        );
    }
    let mut sent: BTreeMap<String, u32> = BTreeMap::new();
    for second in 0..=310 {
        let now = START + second * SECOND;
        while let Some(prepared) = due(&mut outbox, now) {
            *sent.entry(prepared.group.clone()).or_default() += 1;
            complete(&mut outbox, &prepared, &Ok(()), now);
        }
    }
    let counts: Vec<_> = sent.into_values().collect();
    assert_eq!(counts, [6, 6, 6]);
}

#[test]
fn a_receiver_that_asks_to_wait_gets_no_repetition_before() {
    let mut outbox = outbox_of(forgetful());
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let mut now = START + MINUTE;
    let first = due(&mut outbox, now).unwrap();
    complete(&mut outbox, &first, &Ok(()), now);
    now += MINUTE;
    let again = due(&mut outbox, now).unwrap();
    let busy = DeliveryError::retry("busy").retry_after(Duration::from_secs(600));
    complete(&mut outbox, &again, &Err(busy), now);
    assert!(due(&mut outbox, now + 599 * SECOND).is_none());
    assert!(due(&mut outbox, now + 600 * SECOND).is_some());
}

#[test]
fn a_long_interval_between_notifications_is_kept() {
    const HOUR: u64 = 60 * MINUTE;
    for hours in [3, 24] {
        let mut settings = settings();
        settings.group_interval = Duration::from_secs(hours * 3600);
        let mut outbox = outbox_of(settings);
        outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
        let first = due(&mut outbox, START + 10 * SECOND).unwrap();
        complete(&mut outbox, &first, &Ok(()), START + 10 * SECOND);
        outbox.offer(
            announcement(2, 2, AnnouncementKind::First),
            NEW,
            START + 20 * SECOND,
        );
        for minutes in 1..hours * 60 {
            let early = due(&mut outbox, START + minutes * MINUTE);
            assert!(early.is_none(), "{hours} h: after {minutes} min");
        }
        assert!(due(&mut outbox, START + hours * HOUR + 10 * SECOND).is_some());
        // A clock that was set back by a month does not delay it by one.
        outbox.offer(
            announcement(3, 3, AnnouncementKind::First),
            NEW,
            START + 30 * SECOND,
        );
        assert!(due(&mut outbox, START - 30 * 24 * HOUR).is_some());
    }
}

#[test]
fn an_acknowledgement_follows_on_what_is_still_to_be_delivered() {
    let mut settings = settings();
    settings.sends_acknowledgements = true;
    for fails in [false, true] {
        let mut now = START + 10 * SECOND;
        let mut outbox = outbox_of(settings.clone());
        outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
        let acknowledge = |outbox: &mut ChannelOutbox, number| {
            let new = announcement(number, 1, AnnouncementKind::Acknowledged);
            outbox.offer(new, NEW, START);
            check(outbox);
        };
        if fails {
            let first = due(&mut outbox, now).unwrap();
            acknowledge(&mut outbox, 2);
            let busy = DeliveryError::retry("no response");
            complete(&mut outbox, &first, &Err(busy), now);
            now += MINUTE;
        } else {
            acknowledge(&mut outbox, 2);
        }
        acknowledge(&mut outbox, 3);
        assert_eq!(dropped(&outbox, OutboxDrop::Coalesced), 1);
        let mut outbox = restarted(&outbox, settings.clone(), now);
        assert_eq!(outbox.spooled(), 2);
        let mut causes = Vec::new();
        for _ in 0..2 {
            let prepared = due(&mut outbox, now).unwrap();
            causes.push(prepared.notification.cause);
            complete(&mut outbox, &prepared, &Ok(()), now);
            now += MINUTE;
        }
        assert_eq!(
            causes,
            [NotificationCause::First, NotificationCause::Acknowledged]
        );
        assert_eq!((outbox.counts.delivered, outbox.spooled()), (2, 0));
    }
}

#[test]
fn an_acknowledgement_of_what_is_refused_or_over_is_not_sent() {
    let mut settings = settings();
    settings.sends_acknowledgements = true;
    let mut outbox = outbox_of(settings.clone());
    for (number, kind) in [
        (1, AnnouncementKind::First),
        (2, AnnouncementKind::Acknowledged),
    ] {
        outbox.offer(announcement(number, 1, kind), NEW, START);
    }
    let first = due(&mut outbox, START + MINUTE).unwrap();
    complete(&mut outbox, &first, &refused(), START + MINUTE);
    assert_eq!(dropped(&outbox, OutboxDrop::Rejected), 2);
    let late = announcement(3, 1, AnnouncementKind::Acknowledged);
    outbox.offer(late, NEW, START + MINUTE);
    assert!(due(&mut outbox, START + 9 * MINUTE).is_none());

    let mut outbox = outbox_of(settings);
    for (number, kind) in [
        (1, AnnouncementKind::First),
        (2, AnnouncementKind::Acknowledged),
        (3, AnnouncementKind::Resolved),
    ] {
        outbox.offer(announcement(number, 1, kind), NEW, START);
        check(&outbox);
    }
    assert_eq!(dropped(&outbox, OutboxDrop::Ended), 3);
}

#[test]
fn a_group_whose_waiting_alerts_are_damaged_does_not_stop_others() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let (mut content, _) = decode(&encode(&outbox.content));
    for member in content
        .groups
        .values_mut()
        .flat_map(|it| it.members.values_mut())
    {
        member.is_pending = false;
    }
    let mut outbox = ChannelOutbox::new(settings());
    outbox.open(content, START);
    outbox.offer(announcement(2, 200, AnnouncementKind::First), NEW, START);
    let prepared = due(&mut outbox, START + MINUTE).unwrap();
    assert_eq!(series(&prepared), [200]);
}

#[test]
fn a_group_that_changes_all_the_time_is_delivered() {
    let mut outbox = outbox();
    let (mut number, mut stored, mut heard) = (0, 0, Vec::new());
    for tenth in 0..300_u64 {
        let now = START + tenth * 100;
        number += 1;
        outbox.offer(
            announcement(number, number % 100, AnnouncementKind::First),
            NEW,
            now,
        );
        // As the task of the channels does: each second, while the file is still being written.
        if tenth % 10 == 0 {
            let prepared = outbox.take_due(now, Some(stored));
            stored = outbox.version;
            if let Some(prepared) = prepared {
                heard.extend(series(&prepared));
                complete(&mut outbox, &prepared, &Ok(()), now);
            }
        }
    }
    assert!(!heard.is_empty());
    // The others are on disk before they are sent.
    let last = due(&mut outbox, START + 10 * MINUTE).unwrap();
    complete(&mut outbox, &last, &Ok(()), START + 10 * MINUTE);
    assert_eq!(outbox.spooled(), 0);
}
