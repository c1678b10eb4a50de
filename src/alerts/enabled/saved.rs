//! The encoding of the alerts in their file.

use std::collections::VecDeque;

use super::active_alert::{ActiveAlert, AlertMap, SavedAlerts};
use super::alert::{AlertState, AlertTransition, TransitionReason};
use super::codec::{
    InvalidFile, RecordFile, put_acknowledgement, put_count, put_labels, put_optional, put_time,
    read_records, take_acknowledgement, take_labels, take_optional, take_time,
};
use super::evaluate::AlertLabels;
use super::notify::{AlertAnnouncement, put_announcement, take_announcement};
use super::phase::{EndedEpisode, Episode, Moment, Phase, Tracking};
use super::silence::{LabelMatcher, Silence};
use crate::clock::Nanos;
use crate::model::codec::{Reader, put_str};

const CLOCK: u8 = 0;
const SILENCE: u8 = 1;
const ALERT: u8 = 2;
const TRANSITION: u8 = 3;
const LAST_NUMBER: u8 = 4;
const UNSENT: u8 = 5;

/// The content of the file. If there is no room for all, the latest transitions are in it, and the alerts in order.
pub(super) fn encode(
    time: Nanos,
    wall: u64,
    alerts: &AlertMap,
    silences: &[Silence],
    transitions: &VecDeque<AlertTransition>,
    (last_number, unsent): (u64, &VecDeque<AlertAnnouncement>),
) -> Vec<u8> {
    let mut file = RecordFile::default();
    file.push(CLOCK, |out| {
        out.extend_from_slice(&time.to_le_bytes());
        out.extend_from_slice(&wall.to_le_bytes());
    });
    file.push(LAST_NUMBER, |out| {
        out.extend_from_slice(&last_number.to_le_bytes());
    });
    for announcement in unsent {
        file.push(UNSENT, |out| put_announcement(out, announcement));
    }
    for silence in silences {
        file.push(SILENCE, |out| put_silence(out, silence));
    }
    for (rule, of_rule) in alerts {
        for (labels, alert) in of_rule {
            file.push(ALERT, |out| put_alert(out, rule, labels, alert));
        }
    }
    for transition in transitions.iter().rev() {
        file.push(TRANSITION, |out| put_transition(out, transition));
    }
    file.finish()
}

/// Reads a file. Returns what is not damaged, and why something is missing.
pub(super) fn decode(file: &[u8]) -> (SavedAlerts, Option<InvalidFile>) {
    let mut saved = SavedAlerts::default();
    let problem = read_records(file, |kind, reader| take_record(&mut saved, kind, reader));
    (saved, problem)
}

fn take_record(saved: &mut SavedAlerts, kind: u8, reader: &mut Reader<'_>) -> Option<()> {
    match kind {
        CLOCK => (saved.time, saved.wall) = (reader.u64()?, reader.u64()?),
        SILENCE => saved.silences.push(take_silence(reader)?),
        ALERT => {
            let rule = reader.str()?.to_owned();
            let labels = take_labels(reader)?;
            let alert = take_alert(reader)?;
            saved.alerts.entry(rule).or_default().insert(labels, alert);
        }
        LAST_NUMBER => saved.last_number = reader.u64()?,
        UNSENT => saved.unsent.push_back(take_announcement(reader)?),
        TRANSITION => saved.transitions.push_front(take_transition(reader)?),
        _ => return None,
    }
    Some(())
}

fn put_moment(out: &mut Vec<u8>, moment: Moment) {
    out.extend_from_slice(&moment.rule.to_le_bytes());
    out.extend_from_slice(&moment.wall.to_le_bytes());
}

fn take_moment(reader: &mut Reader<'_>) -> Option<Moment> {
    Some(Moment {
        rule: reader.u64()?,
        wall: reader.u64()?,
    })
}

fn put_alert(out: &mut Vec<u8>, rule: &str, labels: &AlertLabels, alert: &ActiveAlert) {
    put_str(out, rule);
    put_labels(out, labels);
    put_optional(out, alert.announced);
    out.push(u8::from(alert.changed.is_some()));
    put_moment(out, alert.changed.unwrap_or(Moment { rule: 0, wall: 0 }));
    put_optional(out, alert.tracking.value.map(f64::to_bits));
    put_optional(out, alert.tracking.missing_since);
    put_str(out, alert.tracking.phase.state().as_str());
    match &alert.tracking.phase {
        Phase::Inactive => {}
        Phase::Pending { since } => put_moment(out, *since),
        Phase::Firing(episode) => put_episode(out, episode),
        Phase::Recovering { episode, since } => {
            put_episode(out, episode);
            put_moment(out, *since);
        }
        Phase::Resolved(ended) => {
            put_moment(out, ended.fired);
            put_moment(out, ended.ended);
            out.push(u8::from(ended.owes_end));
        }
    }
}

fn take_alert(reader: &mut Reader<'_>) -> Option<ActiveAlert> {
    let announced = take_optional(reader)?.0;
    let has_changed = reader.u8()? != 0;
    let changed = take_moment(reader)?;
    let value = take_optional(reader)?.0.map(f64::from_bits);
    let missing_since = take_optional(reader)?.0;
    let phase = match AlertState::of_name(reader.str()?)? {
        AlertState::Inactive => Phase::Inactive,
        AlertState::Pending => Phase::Pending {
            since: take_moment(reader)?,
        },
        AlertState::Firing => Phase::Firing(take_episode(reader)?),
        AlertState::Recovering => Phase::Recovering {
            episode: take_episode(reader)?,
            since: take_moment(reader)?,
        },
        AlertState::Resolved => Phase::Resolved(EndedEpisode {
            fired: take_moment(reader)?,
            ended: take_moment(reader)?,
            owes_end: reader.u8()? != 0,
        }),
    };
    Some(ActiveAlert {
        tracking: Tracking {
            phase,
            value,
            missing_since,
            has_failed: false,
        },
        announced,
        changed: has_changed.then_some(changed),
    })
}

fn put_episode(out: &mut Vec<u8>, episode: &Episode) {
    put_moment(out, episode.fired);
    put_optional(out, episode.announced);
    put_acknowledgement(out, episode.acknowledged.as_ref());
}

fn take_episode(reader: &mut Reader<'_>) -> Option<Episode> {
    let fired = take_moment(reader)?;
    let announced = take_optional(reader)?.0;
    let acknowledged = take_acknowledgement(reader)?.0;
    Some(Episode {
        fired,
        announced,
        acknowledged,
    })
}

fn put_silence(out: &mut Vec<u8>, silence: &Silence) {
    out.extend_from_slice(&silence.number.to_le_bytes());
    put_time(out, silence.starts);
    put_time(out, silence.ends);
    put_str(out, &silence.author);
    put_str(out, &silence.comment);
    put_count(out, silence.matchers.len());
    for matcher in &silence.matchers {
        put_str(out, &matcher.label);
        put_str(out, &matcher.value);
        out.push(u8::from(matcher.is_negated));
    }
}

fn take_silence(reader: &mut Reader<'_>) -> Option<Silence> {
    let number = reader.u64()?;
    let (starts, ends) = (take_time(reader)?, take_time(reader)?);
    let (author, comment) = (reader.str()?.to_owned(), reader.str()?.to_owned());
    let count = reader.u32()?;
    let matcher = |_| {
        Some(LabelMatcher {
            label: reader.str()?.to_owned(),
            value: reader.str()?.to_owned(),
            is_negated: reader.u8()? != 0,
        })
    };
    Some(Silence {
        number,
        starts,
        ends,
        author,
        comment,
        matchers: (0..count).map(matcher).collect::<Option<_>>()?,
    })
}

fn put_transition(out: &mut Vec<u8>, transition: &AlertTransition) {
    put_time(out, transition.at);
    put_str(out, &transition.rule);
    put_labels(out, &transition.labels);
    put_str(out, transition.from.as_str());
    put_str(out, transition.to.as_str());
    put_str(out, transition.reason.as_str());
    put_optional(out, transition.value.map(f64::to_bits));
}

fn take_transition(reader: &mut Reader<'_>) -> Option<AlertTransition> {
    Some(AlertTransition {
        at: take_time(reader)?,
        rule: reader.str()?.to_owned(),
        labels: take_labels(reader)?,
        from: AlertState::of_name(reader.str()?)?,
        to: AlertState::of_name(reader.str()?)?,
        reason: TransitionReason::of_name(reader.str()?)?,
        value: take_optional(reader)?.0.map(f64::from_bits),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::alert::{Acknowledgement, Alert, Severity};
    use super::super::codec::{MAX_BYTES, VERSION};
    use super::super::notify::AnnouncementKind;
    use super::*;
    use crate::files::{header, put};

    fn moment(number: u64) -> Moment {
        Moment {
            rule: number * 1_000_000_000,
            wall: number * 1000,
        }
    }

    fn all() -> SavedAlerts {
        let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
        let episode = Episode {
            fired: moment(7),
            announced: Some(9),
            acknowledged: Some(Acknowledgement {
                by: "ada".to_owned(),
                comment: "on it".to_owned(),
                at: at(5),
                until: Some(at(6)),
            }),
        };
        let phases = [
            Phase::Inactive,
            Phase::Pending { since: moment(1) },
            Phase::Firing(episode.clone()),
            Phase::Recovering {
                episode,
                since: moment(2),
            },
            Phase::Resolved(EndedEpisode {
                fired: moment(3),
                ended: moment(4),
                owes_end: true,
            }),
        ];
        let mut saved = SavedAlerts {
            time: 5,
            wall: 6,
            ..SavedAlerts::default()
        };
        let labels = vec![("route".to_owned(), "/ä".to_owned())];
        for (number, phase) in phases.into_iter().enumerate() {
            let alert = ActiveAlert {
                tracking: Tracking {
                    phase,
                    value: Some(0.25),
                    missing_since: (number > 2).then_some(3),
                    has_failed: false,
                },
                announced: Some(4),
                changed: Some(moment(8)),
            };
            let of_rule = saved.alerts.entry(format!("rule {number}")).or_default();
            of_rule.insert(labels.clone(), alert);
        }
        saved.silences.push(Silence {
            number: 3,
            matchers: vec![LabelMatcher::is_not("a", "b")],
            starts: at(1),
            ends: at(2),
            author: "bob".to_owned(),
            comment: "night".to_owned(),
        });
        for value in [1.0, 2.0] {
            saved.transitions.push_back(AlertTransition {
                at: at(3),
                from: AlertState::Pending,
                to: AlertState::Firing,
                reason: TransitionReason::HeldFor,
                value: Some(value),
                rule: "rule 2".to_owned(),
                labels: labels.clone(),
            });
        }
        let alert = Alert {
            rule: "hot".to_owned(),
            labels: labels.clone(),
            annotations: labels,
            severity: Severity::Critical,
            state: AlertState::Firing,
            fingerprint: 3,
            value: Some(0.5),
            bound: "> 0.1".to_owned(),
            since: at(1),
            fired_at: Some(at(2)),
            resolved_at: None,
            has_no_data: false,
            has_failed: false,
            acknowledged: None,
            silenced_by: Vec::new(),
            inhibited_by: None,
            runbook: None,
        };
        saved.last_number = 8;
        let unsent = AlertAnnouncement::new(8, AnnouncementKind::First, 5, &alert);
        saved.unsent.push_back(unsent);
        saved
    }

    fn file(saved: &SavedAlerts) -> Vec<u8> {
        let (alerts, silences) = (&saved.alerts, &saved.silences);
        let unsent = (saved.last_number, &saved.unsent);
        encode(
            saved.time,
            saved.wall,
            alerts,
            silences,
            &saved.transitions,
            unsent,
        )
    }

    #[test]
    fn each_state_is_restored() {
        let saved = all();
        assert_eq!(decode(&file(&saved)), (saved, None));
    }

    #[test]
    fn damage_costs_one_record_and_is_known() {
        let saved = all();
        let good = file(&saved);
        let count = |saved: &SavedAlerts| {
            saved.alerts.len() + saved.silences.len() + saved.transitions.len() + saved.unsent.len()
        };
        for at in 0..good.len() {
            let mut damaged = good.clone();
            damaged[at] ^= 0x10;
            let (read, problem) = decode(&damaged);
            assert_eq!(problem, Some(InvalidFile::Damaged), "byte {at}");
            assert!(count(&read) + 1 >= count(&saved) || at < 20, "byte {at}");
        }
        for len in 0..good.len() {
            assert!(decode(&good[..len]).1.is_some(), "cut at {len}");
        }
    }

    #[test]
    fn a_newer_version_is_told() {
        let mut bytes = header(1).to_vec();
        put(&mut bytes, 0, &[9, CLOCK]);
        let expected = (SavedAlerts::default(), Some(InvalidFile::NewerVersion(9)));
        assert_eq!(decode(&bytes), expected);
        // Also beside a record that cannot be read.
        let (unknown, newer): (&[u8], &[u8]) = (&[VERSION, 99], &[9, CLOCK]);
        for bodies in [[unknown, newer], [newer, unknown]] {
            let mut bytes = header(2).to_vec();
            for (number, body) in (0..).zip(bodies) {
                put(&mut bytes, number, body);
            }
            assert_eq!(decode(&bytes).1, Some(InvalidFile::NewerVersion(9)));
        }
    }

    #[test]
    fn the_file_has_a_limit() {
        let mut saved = all();
        let (name, of_rule) = saved.alerts.pop_last().unwrap();
        let alert = of_rule.into_values().next().unwrap();
        for number in 0..200 {
            let labels = vec![("text".to_owned(), "x".repeat(100_000) + &number.to_string())];
            let of_rule = saved.alerts.entry(name.clone()).or_default();
            of_rule.insert(labels, alert.clone());
        }
        let file = file(&saved);
        assert!(file.len() <= MAX_BYTES + 20);
        let (read, problem) = decode(&file);
        assert_eq!((problem, read.silences.len()), (None, 1));
        assert!(read.alerts.len() == 5 && !read.transitions.is_empty());
    }
}
