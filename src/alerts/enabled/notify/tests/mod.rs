//! Tests of the outbox of a channel, in driven time.

use std::time::{Duration, UNIX_EPOCH};

use super::announcement::{AlertAnnouncement, AnnouncementKind};
use super::channel::{DeliveryError, NotificationGrouping};
use super::delivery::DeliveryOutcome;
use super::group::OutboxSettings;
use super::notification::{NotificationCause, NotificationStatus};
use super::outbox::{
    AnnouncementOrigin, ChannelOutbox, MAX_MEMBERS, OutboxContent, PreparedDelivery,
};
use super::outbox_counts::OutboxDrop;
use super::stored::{decode, encode};
use crate::alerts::enabled::alert::{Alert, AlertState, Severity};

mod failures;
mod host_channel;
mod receiver;

/// An announcement of this process, for this channel.
const NEW: AnnouncementOrigin = AnnouncementOrigin {
    is_recovered: false,
    is_routed: true,
};
const RECOVERED: AnnouncementOrigin = AnnouncementOrigin {
    is_recovered: true,
    ..NEW
};

const START: u64 = 1_700_000_000_000;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

fn settings() -> OutboxSettings {
    OutboxSettings {
        channel: "slack".to_owned(),
        service: "shop".to_owned(),
        environment: None,
        dashboard_url: None,
        group_wait: Duration::from_secs(10),
        group_interval: Duration::from_secs(60),
        grouping: NotificationGrouping::ByRule,
        sends_acknowledgements: false,
        resend_every: None,
        valid_for: Duration::from_secs(120),
    }
}

fn outbox_of(settings: OutboxSettings) -> ChannelOutbox {
    let mut outbox = ChannelOutbox::new(settings);
    outbox.open(OutboxContent::default(), START);
    outbox
}

fn outbox() -> ChannelOutbox {
    outbox_of(settings())
}

fn alert(series: u64) -> Alert {
    let time = UNIX_EPOCH + Duration::from_millis(START);
    Alert {
        rule: format!("rule-{}", series / 100),
        labels: vec![("series".to_owned(), series.to_string())],
        annotations: vec![("summary".to_owned(), "too much".to_owned())],
        severity: Severity::Critical,
        state: AlertState::Firing,
        fingerprint: series,
        value: Some(7.5),
        bound: "> 5".to_owned(),
        since: time,
        fired_at: Some(time),
        resolved_at: None,
        has_no_data: false,
        has_failed: false,
        acknowledged: None,
        silenced_by: Vec::new(),
        inhibited_by: None,
        runbook: Some("https://wiki.example/a".to_owned()),
    }
}

fn announcement(number: u64, series: u64, kind: AnnouncementKind) -> AlertAnnouncement {
    let mut alert = alert(series);
    if kind == AnnouncementKind::Resolved {
        alert.state = AlertState::Resolved;
        alert.resolved_at = Some(UNIX_EPOCH + Duration::from_millis(START + MINUTE));
    }
    let mut announcement = AlertAnnouncement::new(number, kind, START, &alert);
    announcement.alert.top_routes = vec!["GET /a: 3 requests".to_owned()];
    announcement.alert.values = vec![1.0, 2.5];
    announcement
}

fn check(outbox: &ChannelOutbox) {
    let dropped: u64 = outbox.counts.dropped.values().sum();
    assert_eq!(
        outbox.counts.emitted,
        outbox.counts.delivered + outbox.spooled() + dropped,
        "{:?}",
        outbox.counts
    );
}

fn dropped(outbox: &ChannelOutbox, why: OutboxDrop) -> u64 {
    outbox.counts.dropped.get(&why).copied().unwrap_or(0)
}

fn due(outbox: &mut ChannelOutbox, now: u64) -> Option<PreparedDelivery> {
    let prepared = outbox.take_due(now, None);
    check(outbox);
    prepared
}

fn complete(
    outbox: &mut ChannelOutbox,
    prepared: &PreparedDelivery,
    result: &Result<(), DeliveryError>,
    now: u64,
) {
    outbox.complete(prepared, result, now, 0);
    check(outbox);
}

#[test]
fn a_group_waits_and_each_later_change_waits_for_the_interval() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    outbox.offer(
        announcement(2, 2, AnnouncementKind::First),
        NEW,
        START + 5 * SECOND,
    );
    assert!(due(&mut outbox, START + 9 * SECOND).is_none());
    let first = due(&mut outbox, START + 10 * SECOND).unwrap();
    assert_eq!(first.notification.cause, NotificationCause::First);
    assert_eq!(first.notification.alerts.len(), 2);
    assert_eq!(first.notification.title(), "[FIRING: 2] rule-0 of shop");
    complete(&mut outbox, &first, &Ok(()), START + 10 * SECOND);

    outbox.offer(
        announcement(3, 3, AnnouncementKind::First),
        NEW,
        START + 20 * SECOND,
    );
    outbox.offer(
        announcement(4, 1, AnnouncementKind::Resolved),
        NEW,
        START + 30 * SECOND,
    );
    assert!(due(&mut outbox, START + 69 * SECOND).is_none());
    let second = due(&mut outbox, START + 70 * SECOND).unwrap();
    assert_eq!(second.notification.cause, NotificationCause::NewAlert);
    let states = second.notification.alerts.iter();
    let states: Vec<_> = states
        .map(|it| (it.alert.fingerprint, it.status, it.is_new))
        .collect();
    assert_eq!(
        states,
        [
            (3, NotificationStatus::Firing, true),
            (1, NotificationStatus::Resolved, true),
            (2, NotificationStatus::Firing, false),
        ]
    );
    complete(&mut outbox, &second, &Ok(()), START + 70 * SECOND);
    for (number, series) in [(5, 2), (6, 3)] {
        outbox.offer(
            announcement(number, series, AnnouncementKind::Resolved),
            NEW,
            START,
        );
    }
    let last = due(&mut outbox, START + 10 * MINUTE).unwrap();
    assert_eq!(last.notification.cause, NotificationCause::AllResolved);
    assert_eq!(last.notification.status, NotificationStatus::Resolved);
    complete(&mut outbox, &last, &Ok(()), START + 10 * MINUTE);
    assert!(outbox.content.groups.is_empty());
    assert_eq!((outbox.counts.emitted, outbox.counts.delivered), (6, 6));
    assert_eq!(outbox.content.log.len(), 3);
}

#[test]
fn what_ends_before_it_was_delivered_is_not_sent() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    outbox.offer(
        announcement(2, 1, AnnouncementKind::Resolved),
        NEW,
        START + SECOND,
    );
    check(&outbox);
    assert!(due(&mut outbox, START + MINUTE).is_none());
    assert_eq!(dropped(&outbox, OutboxDrop::Ended), 2);
}

#[test]
fn the_end_is_sent_if_the_begin_may_have_arrived() {
    for (result, is_sent) in [
        (DeliveryError::retry("no response"), true),
        (DeliveryError::retry("busy").code(503), false),
        (DeliveryError::rejected("bad").code(400), false),
    ] {
        let mut outbox = outbox();
        outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
        let first = due(&mut outbox, START + 10 * SECOND).unwrap();
        complete(&mut outbox, &first, &Err(result), START + 11 * SECOND);
        outbox.offer(
            announcement(2, 1, AnnouncementKind::Resolved),
            NEW,
            START + 12 * SECOND,
        );
        let end = due(&mut outbox, START + 10 * MINUTE);
        assert_eq!(end.is_some(), is_sent);
        if let Some(end) = end {
            assert_eq!(end.notification.status, NotificationStatus::Resolved);
            assert_ne!(end.notification.id, first.notification.id);
        }
    }
}

#[test]
fn a_retry_has_the_same_id_and_waits_as_the_receiver_asks() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let mut now = START + 10 * SECOND;
    let first = due(&mut outbox, now).unwrap();
    let busy = DeliveryError::retry("busy")
        .code(429)
        .retry_after(Duration::from_secs(40));
    complete(&mut outbox, &first, &Err(busy), now);
    // Other groups wait too: the receiver is the same.
    outbox.offer(
        announcement(2, 200, AnnouncementKind::First),
        NEW,
        now - 10 * SECOND,
    );
    assert!(due(&mut outbox, now + 39 * SECOND).is_none());
    now += 40 * SECOND;
    let other = due(&mut outbox, now).unwrap();
    assert_eq!(other.group, "rule-2");
    complete(&mut outbox, &other, &Ok(()), now);
    let second = due(&mut outbox, now).unwrap();
    assert_eq!(second.notification, first.notification);
    // Ten years are an hour.
    let busy = DeliveryError::retry("busy").retry_after(Duration::from_secs(315_360_000));
    complete(&mut outbox, &second, &Err(busy), now);
    assert!(due(&mut outbox, now + 59 * MINUTE).is_none());
    now += 60 * MINUTE;
    let third = due(&mut outbox, now).unwrap();
    complete(&mut outbox, &third, &Ok(()), now);
    let log = outbox.content.log.iter();
    let log: Vec<_> = log.map(|it| (it.attempt, it.outcome, it.code)).collect();
    assert_eq!(
        log,
        [
            (1, DeliveryOutcome::Retried, Some(429)),
            (1, DeliveryOutcome::Delivered, None),
            (2, DeliveryOutcome::Retried, None),
            (3, DeliveryOutcome::Delivered, None),
        ]
    );
}

#[test]
fn waits_grow_to_five_minutes_and_after_a_day_it_is_a_dead_letter() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let (mut now, mut attempts) = (START, 0);
    while outbox.content.dead.is_empty() {
        now += SECOND;
        assert!(now < START + 25 * 60 * MINUTE);
        if let Some(prepared) = due(&mut outbox, now) {
            attempts += 1;
            complete(
                &mut outbox,
                &prepared,
                &Err(DeliveryError::retry("down")),
                now,
            );
        }
    }
    // With a random number of 0, a wait is a half: 150 s.
    assert!((500..600).contains(&attempts), "{attempts}");
    assert!(now >= START + 24 * 60 * MINUTE);
    assert_eq!(dropped(&outbox, OutboxDrop::Expired), 1);
    assert!(outbox.content.failing_since.is_some());
    assert_eq!(outbox.content.log.len(), 100);
}

#[test]
fn a_newer_state_replaces_one_that_waits_also_in_flight() {
    let mut outbox = outbox();
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let first = due(&mut outbox, START + 10 * SECOND).unwrap();
    outbox.offer(
        announcement(2, 1, AnnouncementKind::Resolved),
        NEW,
        START + 11 * SECOND,
    );
    check(&outbox);
    complete(&mut outbox, &first, &Ok(()), START + 12 * SECOND);
    assert_eq!(outbox.counts.delivered, 1);
    let end = due(&mut outbox, START + 72 * SECOND).unwrap();
    assert_eq!(end.notification.status, NotificationStatus::Resolved);
    complete(&mut outbox, &end, &Ok(()), START + 72 * SECOND);
    assert_eq!((outbox.counts.delivered, outbox.spooled()), (2, 0));

    outbox.offer(announcement(3, 5, AnnouncementKind::First), NEW, START);
    outbox.offer(announcement(4, 5, AnnouncementKind::Repeat), NEW, START);
    check(&outbox);
    assert_eq!(dropped(&outbox, OutboxDrop::Coalesced), 1);
}

#[test]
fn what_is_not_on_disk_waits_for_five_seconds() {
    let now = START + 4 * SECOND;
    let mut settings = settings();
    settings.group_wait = Duration::ZERO;
    let mut outbox = outbox_of(settings);
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    assert!(outbox.take_due(now, Some(0)).is_none());
    assert!(outbox.take_due(START, Some(outbox.version)).is_some());
    assert!(outbox.take_due(START + 5 * SECOND, Some(0)).is_some());
}

#[test]
fn it_is_bounded_and_the_end_of_what_is_known_finds_room() {
    let mut outbox = outbox();
    let count = MAX_MEMBERS as u64;
    for number in 1..=count + 10 {
        outbox.offer(
            announcement(number, number, AnnouncementKind::First),
            NEW,
            START,
        );
    }
    check(&outbox);
    assert_eq!(dropped(&outbox, OutboxDrop::QueueFull), 10);
    outbox.offer(
        announcement(9999, 7, AnnouncementKind::Resolved),
        NEW,
        START,
    );
    check(&outbox);
    assert_eq!(dropped(&outbox, OutboxDrop::Ended), 2);
}

#[test]
fn a_restart_at_any_time_loses_nothing_and_repeats_the_same_ids() {
    // A simple generator, so that a failure repeats.
    for seed in 0..200_u64 {
        let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        let mut outbox = outbox();
        let mut stored = encode(&outbox.content);
        let (mut now, mut number) = (START, 0);
        let mut firing = std::collections::BTreeMap::new();
        // What the receiver has seen, by alert, and the ids.
        let mut seen = std::collections::BTreeMap::new();
        let mut ids = std::collections::BTreeSet::new();
        let (mut repeated, mut kills, mut unanswered) = (0, 0, 0);
        for step in 0..400 {
            now += next(20 * SECOND);
            let is_last = step > 300;
            if !is_last && next(3) == 0 {
                let series = next(12);
                let is_firing = firing.entry(series).or_insert(false);
                let kind = if *is_firing {
                    AnnouncementKind::Resolved
                } else {
                    AnnouncementKind::First
                };
                *is_firing = !*is_firing;
                number += 1;
                outbox.offer(announcement(number, series * 30, kind), NEW, now);
                stored = encode(&outbox.content);
            }
            if let Some(prepared) = due(&mut outbox, now) {
                let is_received = is_last || next(3) > 0;
                let is_answered = is_received && (is_last || next(4) > 0);
                if is_received {
                    repeated += u64::from(!ids.insert(prepared.notification.id.clone()));
                    for it in &prepared.notification.alerts {
                        seen.insert(
                            it.alert.fingerprint,
                            it.status == NotificationStatus::Firing,
                        );
                    }
                }
                if !is_last && next(5) == 0 {
                    // Killed before the result is stored.
                    kills += 1;
                    let (content, problem) = decode(&stored);
                    assert_eq!(problem, None);
                    outbox = ChannelOutbox::new(settings());
                    outbox.open(content, now);
                    check(&outbox);
                    continue;
                }
                unanswered += u64::from(is_received && !is_answered);
                let result = if is_answered {
                    Ok(())
                } else {
                    Err(DeliveryError::retry("no response"))
                };
                complete(&mut outbox, &prepared, &result, now);
                stored = encode(&outbox.content);
            }
        }
        now += 60 * MINUTE;
        while let Some(prepared) = due(&mut outbox, now) {
            for it in &prepared.notification.alerts {
                seen.insert(
                    it.alert.fingerprint,
                    it.status == NotificationStatus::Firing,
                );
            }
            complete(&mut outbox, &prepared, &Ok(()), now);
        }
        assert_eq!(outbox.spooled(), 0);
        for (series, is_firing) in firing {
            // One that nobody heard of does not fire.
            let known = seen.get(&(series * 30)).copied().unwrap_or(false);
            assert_eq!(known, is_firing, "seed {seed}, series {series}");
        }
        assert!(repeated <= kills + unanswered, "seed {seed}");
    }
}

#[test]
fn announcements_of_an_earlier_process_are_taken_once() {
    let mut outbox = outbox();
    for number in [5, 6] {
        outbox.offer(
            announcement(number, number, AnnouncementKind::First),
            NEW,
            START,
        );
    }
    let (content, _) = decode(&encode(&outbox.content));
    let mut outbox = ChannelOutbox::new(settings());
    // Before the file is read.
    for number in [5, 6, 7] {
        outbox.offer(
            announcement(number, number, AnnouncementKind::First),
            RECOVERED,
            START,
        );
    }
    outbox.open(content, START);
    check(&outbox);
    assert_eq!((outbox.counts.emitted, outbox.spooled()), (3, 3));
}

#[test]
fn a_receiver_that_forgets_hears_of_what_fires_each_minute_and_of_the_end_for_five() {
    let mut settings = settings();
    settings.grouping = NotificationGrouping::All;
    settings.resend_every = Some(Duration::from_secs(60));
    let mut outbox = outbox_of(settings);
    outbox.offer(announcement(1, 1, AnnouncementKind::First), NEW, START);
    let mut sent = Vec::new();
    for second in 0..900 {
        let now = START + second * SECOND;
        if second == 60 {
            outbox.offer(announcement(2, 1, AnnouncementKind::Resolved), NEW, now);
        }
        if let Some(prepared) = due(&mut outbox, now) {
            sent.push((second, prepared.notification.status.as_str()));
            complete(&mut outbox, &prepared, &Ok(()), now);
        }
    }
    // The alert ended at second 60.
    assert!(sent.iter().all(|(second, _)| *second < 360), "{sent:?}");
    let ends = sent
        .iter()
        .filter(|(_, status)| *status == "resolved")
        .count();
    assert!((4..=6).contains(&ends), "{sent:?}");
    assert_eq!((outbox.counts.emitted, outbox.counts.delivered), (2, 2));
    assert!(outbox.content.groups.is_empty());
}

#[test]
fn a_damaged_byte_costs_one_record_at_most() {
    let mut outbox = outbox();
    for number in 1..=5 {
        outbox.offer(
            announcement(number, number, AnnouncementKind::First),
            NEW,
            START,
        );
    }
    let first = due(&mut outbox, START + MINUTE).unwrap();
    complete(
        &mut outbox,
        &first,
        &Err(DeliveryError::rejected("no").code(404)),
        START + MINUTE,
    );
    let file = encode(&outbox.content);
    let mut content = decode(&file).0;
    for group in content.groups.values_mut() {
        for (fingerprint, member) in &mut group.members {
            let groups = outbox.content.groups.values();
            let mut same = groups.filter_map(|group| group.members.get(fingerprint));
            member.changed = same.next().unwrap().changed;
        }
    }
    assert_eq!(content, outbox.content);
    let members = |content: &OutboxContent| -> usize {
        content
            .groups
            .values()
            .map(|group| group.members.len())
            .sum()
    };
    for at in (20..file.len()).step_by(7) {
        let mut damaged = file.clone();
        damaged[at] ^= 0x55;
        let (content, problem) = decode(&damaged);
        assert!(problem.is_some(), "byte {at}");
        let rest = members(&content) + content.dead.len() + content.log.len();
        assert!(rest >= 10, "byte {at}: {rest}");
    }
}
