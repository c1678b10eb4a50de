//! The encoding of announcements and of the outbox of a channel.

use super::announcement::{AlertAnnouncement, AnnouncementKind};
use super::delivery::{Delivery, DeliveryOutcome};
use super::group::{AlertGroup, GroupMember};
use super::notification::{NotificationCause, NotifiedAlert, millis};
use super::outbox::OutboxContent;
use crate::alerts::enabled::alert::{Alert, AlertState, Severity};
use crate::alerts::enabled::codec::{
    InvalidFile, RecordFile, put_acknowledgement, put_count, put_labels, put_optional, put_time,
    read_records, take_acknowledgement, take_labels, take_optional, take_time,
};
use crate::model::codec::{Reader, put_str};

const HEAD: u8 = 0;
const GROUP: u8 = 1;
const MEMBER: u8 = 2;
const LOG: u8 = 3;
const DEAD: u8 = 4;
/// What follows on a member.
const NEXT: u8 = 5;

/// The content of the file. If there is no room for all, the alerts come first, then the latest attempts.
pub(super) fn encode(content: &OutboxContent) -> Vec<u8> {
    let mut file = RecordFile::default();
    file.push(HEAD, |out| {
        out.extend_from_slice(&content.last_number.to_le_bytes());
        put_optional(out, content.failing_since);
        put_str(out, content.problem.as_deref().unwrap_or_default());
    });
    for (key, group) in &content.groups {
        file.push(GROUP, |out| {
            put_str(out, key);
            put_optional(out, group.due);
            put_optional(out, group.flushed);
            out.extend_from_slice(&group.attempts.to_le_bytes());
            put_optional(out, group.first_failed);
        });
        for member in group.members.values() {
            file.push(MEMBER, |out| {
                put_str(out, key);
                out.push(u8::from(member.is_pending));
                out.push(u8::from(member.is_known) | u8::from(member.is_refused) << 1);
                put_announcement(out, &member.newest);
            });
            if let Some(next) = &member.next {
                file.push(NEXT, |out| {
                    put_str(out, key);
                    put_announcement(out, next);
                });
            }
        }
    }
    for delivery in content.log.iter().rev() {
        file.push(LOG, |out| put_delivery(out, delivery));
    }
    for letter in content.dead.iter().rev() {
        file.push(DEAD, |out| put_announcement(out, letter));
    }
    file.finish()
}

/// Reads a file. Returns what is not damaged, and why something is missing.
pub(super) fn decode(file: &[u8]) -> (OutboxContent, Option<InvalidFile>) {
    let mut content = OutboxContent::default();
    let problem = read_records(file, |kind, reader| take_record(&mut content, kind, reader));
    content.groups.retain(|_, group| !group.members.is_empty());
    (content, problem)
}

fn take_record(content: &mut OutboxContent, kind: u8, reader: &mut Reader<'_>) -> Option<()> {
    match kind {
        HEAD => {
            content.last_number = reader.u64()?;
            content.failing_since = take_optional(reader)?.0;
            let problem = reader.str()?;
            content.problem = (!problem.is_empty()).then(|| problem.to_owned());
        }
        GROUP => {
            let key = reader.str()?.to_owned();
            let group = AlertGroup {
                due: take_optional(reader)?.0,
                flushed: take_optional(reader)?.0,
                attempts: reader.u32()?,
                first_failed: take_optional(reader)?.0,
                ..AlertGroup::default()
            };
            content.groups.insert(key, group);
        }
        MEMBER => {
            let key = reader.str()?.to_owned();
            let (is_pending, flags) = (reader.u8()? != 0, reader.u8()?);
            let newest = take_announcement(reader)?;
            let group = content.groups.entry(key).or_default();
            if is_pending {
                // Also if the record of the group is damaged.
                group.due = group.due.or(Some(0));
            }
            let member = GroupMember {
                newest,
                next: None,
                is_pending,
                is_known: flags & 1 != 0,
                is_refused: flags & 2 != 0,
                in_flight: None,
                changed: (0, 0),
            };
            let fingerprint = member.newest.alert.alert.fingerprint;
            group.members.insert(fingerprint, member);
        }
        NEXT => {
            let group = content.groups.get_mut(reader.str()?);
            let next = take_announcement(reader)?;
            let fingerprint = next.alert.alert.fingerprint;
            // Without the record of its member, nobody has to hear of it.
            if let Some(member) = group.and_then(|it| it.members.get_mut(&fingerprint)) {
                member.next = Some(next);
            }
        }
        LOG => content.log.push_front(take_delivery(reader)?),
        DEAD => content.dead.push_front(take_announcement(reader)?),
        _ => return None,
    }
    Some(())
}

pub(in crate::alerts::enabled) fn put_announcement(out: &mut Vec<u8>, it: &AlertAnnouncement) {
    out.extend_from_slice(&it.number.to_le_bytes());
    out.push(it.kind.code());
    out.extend_from_slice(&it.at.to_le_bytes());
    let NotifiedAlert {
        alert,
        status: _,
        is_new: _,
        top_routes,
        values,
    } = &it.alert;
    put_str(out, &alert.rule);
    put_labels(out, &alert.labels);
    put_labels(out, &alert.annotations);
    put_str(out, alert.severity.as_str());
    put_str(out, alert.state.as_str());
    out.extend_from_slice(&alert.fingerprint.to_le_bytes());
    put_optional(out, alert.value.map(f64::to_bits));
    put_str(out, &alert.bound);
    put_time(out, alert.since);
    put_optional(out, alert.fired_at.map(millis));
    put_optional(out, alert.resolved_at.map(millis));
    put_acknowledgement(out, alert.acknowledged.as_ref());
    put_str(out, alert.runbook.as_deref().unwrap_or_default());
    put_count(out, top_routes.len());
    for route in top_routes {
        put_str(out, route);
    }
    put_count(out, values.len());
    for value in values {
        out.extend_from_slice(&value.to_bits().to_le_bytes());
    }
}

pub(in crate::alerts::enabled) fn take_announcement(
    reader: &mut Reader<'_>,
) -> Option<AlertAnnouncement> {
    let number = reader.u64()?;
    let kind = AnnouncementKind::of_code(reader.u8()?)?;
    let at = reader.u64()?;
    let rule = reader.str()?.to_owned();
    let (labels, annotations) = (take_labels(reader)?, take_labels(reader)?);
    let severity = Severity::of_name(reader.str()?)?;
    let state = AlertState::of_name(reader.str()?)?;
    let fingerprint = reader.u64()?;
    let value = take_optional(reader)?.0.map(f64::from_bits);
    let bound = reader.str()?.to_owned();
    let since = take_time(reader)?;
    let time = |millis| std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
    let fired_at = take_optional(reader)?.0.map(time);
    let resolved_at = take_optional(reader)?.0.map(time);
    let acknowledged = take_acknowledgement(reader)?.0;
    let runbook = reader.str()?;
    let runbook = (!runbook.is_empty()).then(|| runbook.to_owned());
    let routes = reader.u32()?;
    let top_routes = (0..routes).map(|_| Some(reader.str()?.to_owned()));
    let top_routes = top_routes.collect::<Option<_>>()?;
    let count = reader.u32()?;
    let values = (0..count).map(|_| Some(f64::from_bits(reader.u64()?)));
    let values = values.collect::<Option<_>>()?;
    let alert = Alert {
        rule,
        labels,
        annotations,
        severity,
        state,
        fingerprint,
        value,
        bound,
        since,
        fired_at,
        resolved_at,
        has_no_data: false,
        has_failed: false,
        acknowledged,
        silenced_by: Vec::new(),
        inhibited_by: None,
        runbook,
    };
    Some(AlertAnnouncement {
        number,
        kind,
        at,
        alert: NotifiedAlert {
            alert,
            status: kind.status(),
            is_new: true,
            top_routes,
            values,
        },
    })
}

fn put_delivery(out: &mut Vec<u8>, it: &Delivery) {
    put_time(out, it.at);
    put_str(out, &it.channel);
    put_str(out, &it.id);
    put_str(out, &it.title);
    put_str(out, it.cause.as_str());
    out.extend_from_slice(&it.attempt.to_le_bytes());
    put_str(out, it.outcome.as_str());
    put_optional(out, it.code.map(u64::from));
    put_str(out, it.problem.as_deref().unwrap_or_default());
    put_optional(out, it.next_retry.map(millis));
}

fn take_delivery(reader: &mut Reader<'_>) -> Option<Delivery> {
    Some(Delivery {
        at: take_time(reader)?,
        channel: reader.str()?.to_owned(),
        id: reader.str()?.to_owned(),
        title: reader.str()?.to_owned(),
        cause: NotificationCause::of_name(reader.str()?)?,
        attempt: reader.u32()?,
        outcome: DeliveryOutcome::of_name(reader.str()?)?,
        code: take_optional(reader)?
            .0
            .and_then(|it| u16::try_from(it).ok()),
        problem: Some(reader.str()?.to_owned()).filter(|it| !it.is_empty()),
        next_retry: take_optional(reader)?
            .0
            .map(|it| std::time::UNIX_EPOCH + std::time::Duration::from_millis(it)),
    })
}

impl NotificationCause {
    fn of_name(name: &str) -> Option<Self> {
        let all = [
            Self::First,
            Self::NewAlert,
            Self::SomeResolved,
            Self::AllResolved,
            Self::Repeat,
            Self::Acknowledged,
            Self::Test,
        ];
        all.into_iter().find(|cause| cause.as_str() == name)
    }
}

impl DeliveryOutcome {
    fn of_name(name: &str) -> Option<Self> {
        let all = [
            Self::Delivered,
            Self::Retried,
            Self::Rejected,
            Self::Expired,
        ];
        all.into_iter().find(|outcome| outcome.as_str() == name)
    }
}
