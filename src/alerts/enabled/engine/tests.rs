use super::super::alert::NotificationReason;
use super::super::silence::LabelMatcher;
use super::*;
use crate::error::Error;

const INTERVAL: Duration = Duration::from_secs(30);

/// An engine whose time passes by an interval with each round.
struct Simulation {
    engine: AlertEngine,
    rules: Vec<Arc<Rule>>,
    inhibitions: Vec<Inhibition>,
    seconds: u64,
}

impl Simulation {
    fn new(rules: impl IntoIterator<Item = Rule>) -> Self {
        Self {
            engine: AlertEngine::new(INTERVAL, 0),
            rules: rules.into_iter().map(Arc::new).collect(),
            inhibitions: Vec::new(),
            seconds: 0,
        }
    }

    /// A round in which the rules have these values, by the label `route`. A rule without an entry has failed.
    fn round(&mut self, values: &[(&str, &[(&str, f64)])]) -> Vec<AlertEvent> {
        let results = self.rules.iter().map(|rule| {
            let found = values.iter().find(|(name, _)| *name == rule.name);
            let signals = found
                .ok_or_else(|| Error::alert("no answer"))
                .map(|(_, values)| {
                    let signal = |(route, value): &(&str, f64)| {
                        let fires = rule.bound.holds(*value);
                        let signal = if fires {
                            Signal::Fires(*value)
                        } else {
                            Signal::Clears(*value)
                        };
                        (labels(route), signal)
                    };
                    values.iter().map(signal).collect()
                });
            (Arc::clone(rule), signals)
        });
        let round = Round {
            results: results.collect(),
            now: self.seconds * 1_000_000_000,
            wall: self.wall(),
        };
        let events = self.engine.round(round, &self.inhibitions);
        self.seconds += INTERVAL.as_secs();
        events
    }

    fn wall(&self) -> u64 {
        (1_000_000 + self.seconds) * 1_000_000_000
    }

    fn list(&self) -> Vec<Alert> {
        self.engine
            .list(time_of(self.wall() / 1_000_000), &self.inhibitions)
    }

    fn save(&self) -> SavedAlerts {
        SavedAlerts {
            time: self.engine.time(),
            wall: self.wall(),
            alerts: self.engine.alerts.clone(),
            silences: self.engine.silences.clone(),
            transitions: self.engine.transitions.clone(),
            last_number: self.engine.last_number,
            unsent: self.engine.unsent.clone(),
        }
    }

    /// The same rules in another process, some seconds later.
    fn restart(&self, downtime: u64) -> Self {
        let mut next = Self::new([]);
        next.rules.clone_from(&self.rules);
        next.seconds = self.seconds + downtime;
        let now = next.seconds * 1_000_000_000;
        next.engine
            .restore(self.save(), now, Duration::from_secs(downtime));
        next
    }
}

fn labels(route: &str) -> AlertLabels {
    if route.is_empty() {
        return AlertLabels::new();
    }
    vec![("route".to_owned(), route.to_owned())]
}

fn high(name: &str) -> Rule {
    Rule::of_values(name, Bound::above(1.0)).missing_data(MissingData::Resolve)
}

/// The rule, the route, the new state and the notification of each event.
fn texts(events: &[AlertEvent]) -> Vec<String> {
    let text = |event: &AlertEvent| {
        let route = label(&event.alert.labels, "route");
        let state = event.transition.as_ref().map_or("-", |it| it.to.as_str());
        let reason = event.notification.map_or("-", NotificationReason::as_str);
        format!("{} {route} {state} {reason}", event.alert.rule)
    };
    events.iter().map(text).collect()
}

#[test]
fn each_label_set_has_its_own_alert() {
    let mut simulation = Simulation::new([high("high").hold_for(INTERVAL)]);
    let events = simulation.round(&[("high", &[("/a", 2.0), ("/b", 0.5)])]);
    assert_eq!(texts(&events), ["high /a pending -"]);
    let events = simulation.round(&[("high", &[("/a", 2.0), ("/b", 2.0)])]);
    assert_eq!(
        texts(&events),
        ["high /a firing first", "high /b pending -"]
    );
    let events = simulation.round(&[("high", &[("/a", 0.0), ("/b", 2.0)])]);
    assert_eq!(
        texts(&events),
        ["high /a resolved resolved", "high /b firing first"]
    );
    // The other one goes on although this one is gone.
    let events = simulation.round(&[("high", &[("/b", 2.0)])]);
    assert!(events.is_empty());
    let states: Vec<_> = simulation.list().iter().map(|alert| alert.state).collect();
    assert_eq!(states, [AlertState::Firing, AlertState::Resolved]);
}

#[test]
fn an_event_says_what_and_since_when() {
    let rule = high("high")
        .severity(Severity::Critical)
        .label("team", "web")
        .annotation("summary", "{{ $labels.route }} at {{ $value }}")
        .runbook("https://runbook/high");
    let mut simulation = Simulation::new([rule]);
    let events = simulation.round(&[("high", &[("/a", 2.5)])]);
    let alert = &events[0].alert;
    assert_eq!(alert.annotations[0].1, "/a at 2.5");
    assert_eq!((alert.value, alert.bound.as_str()), (Some(2.5), "> 1"));
    assert_eq!(alert.fired_at, Some(time_of(1_000_000_000)));
    assert_eq!(alert.runbook.as_deref(), Some("https://runbook/high"));
    assert_eq!(label(&alert.labels, "alertname"), "high");
    assert_eq!(
        (
            label(&alert.labels, "severity"),
            label(&alert.labels, "team")
        ),
        ("critical", "web")
    );
    let incident = alert.incident();
    simulation.round(&[("high", &[("/a", 3.0)])]);
    assert_eq!(simulation.list()[0].incident(), incident);
    assert_eq!(simulation.list()[0].value, Some(3.0));
}

#[test]
fn a_rule_that_fails_keeps_its_alerts_and_others_go_on() {
    let mut simulation = Simulation::new([high("one"), high("two")]);
    simulation.round(&[("one", &[("", 2.0)]), ("two", &[("", 2.0)])]);
    for _ in 0..20 {
        assert!(simulation.round(&[("two", &[("", 2.0)])]).is_empty());
    }
    let failed: Vec<_> = simulation
        .list()
        .iter()
        .map(|alert| alert.has_failed)
        .collect();
    assert_eq!(failed, [true, false]);
    assert_eq!(simulation.engine.failures.len(), 1);
    let events = simulation.round(&[("one", &[("", 0.0)]), ("two", &[("", 2.0)])]);
    assert_eq!(texts(&events), ["one  resolved resolved"]);
    assert!(simulation.engine.failures.is_empty());
}

#[test]
fn an_alert_that_loses_its_data_is_stale_and_another_says_so() {
    let mut simulation = Simulation::new([high("high").missing_data(MissingData::Keep)]);
    simulation.round(&[("high", &[("/a", 2.0)])]);
    for _ in 0..5 {
        assert!(simulation.round(&[("high", &[])]).is_empty());
        assert!(simulation.list()[0].has_no_data);
    }
    let events = simulation.round(&[("high", &[])]);
    assert_eq!(
        texts(&events),
        ["high /a resolved resolved", "no_data /a firing first"]
    );
    assert_eq!(label(&events[1].alert.labels, "rule"), "high");
    assert_eq!(events[1].alert.annotations[0].1, "high has no data");
    // It stays for as long as there are no data.
    for _ in 0..200 {
        assert!(simulation.round(&[("high", &[])]).is_empty());
    }
    let events = simulation.round(&[("high", &[("/a", 0.0)])]);
    assert_eq!(texts(&events), ["no_data /a resolved resolved"]);
}

#[test]
fn a_missing_value_can_fire() {
    let rule = Rule::threshold(
        "watched",
        crate::history::MetricQuery::last("x").total(),
        Bound::above(1.0),
    );
    let mut simulation = Simulation::new([rule.missing_data(MissingData::Fire)]);
    assert_eq!(
        texts(&simulation.round(&[("watched", &[])])),
        ["watched  firing first"]
    );
    let events = simulation.round(&[("watched", &[("", 0.0)])]);
    assert_eq!(texts(&events), ["watched  resolved resolved"]);
    // A label set that is known and clear fires when it is gone.
    let events = simulation.round(&[("watched", &[])]);
    assert_eq!(texts(&events), ["watched  firing -"]);
}

#[test]
fn the_alerts_of_a_removed_rule_end() {
    let mut simulation = Simulation::new([high("one"), high("two").hold_for(INTERVAL)]);
    simulation.round(&[("one", &[("", 2.0)]), ("two", &[("", 2.0)])]);
    simulation.rules.clear();
    let events = simulation.round(&[]);
    assert_eq!(
        texts(&events),
        ["one  resolved resolved", "two  inactive -"]
    );
    let reason = events[0].transition.as_ref().map(|it| it.reason);
    assert_eq!(reason, Some(TransitionReason::RuleRemoved));
}

#[test]
fn a_silence_hides_alerts_and_says_which() {
    let mut simulation = Simulation::new([high("high")]);
    let now = time_of(simulation.wall() / 1_000_000);
    simulation.engine.silences.push(Silence {
        number: 7,
        matchers: vec![LabelMatcher::is("route", "/a")],
        starts: now,
        ends: now + 2 * INTERVAL,
        author: "ada".to_owned(),
        comment: String::new(),
    });
    let values: &[(&str, f64)] = &[("/a", 2.0), ("/b", 2.0)];
    let events = simulation.round(&[("high", values)]);
    assert_eq!(texts(&events), ["high /a firing -", "high /b firing first"]);
    assert_eq!(simulation.list()[0].silenced_by, [7]);
    assert!(simulation.round(&[("high", values)]).is_empty());
    // After its end, the alert is announced, and the silence forgotten.
    assert_eq!(
        texts(&simulation.round(&[("high", values)])),
        ["high /a - first"]
    );
    assert!(simulation.engine.silences.is_empty());
}

#[test]
fn an_alert_hides_others_while_it_fires() {
    let mut simulation = Simulation::new([high("bad"), high("down").severity(Severity::Critical)]);
    simulation.inhibitions = vec![Inhibition::new(
        [LabelMatcher::is("severity", "critical")],
        [LabelMatcher::is("severity", "warning")],
        ["route"],
    )];
    let bad: &[(&str, f64)] = &[("/a", 2.0), ("/b", 2.0)];
    let events = simulation.round(&[("bad", bad), ("down", &[("/a", 2.0)])]);
    assert_eq!(
        texts(&events),
        [
            "bad /a firing -",
            "bad /b firing first",
            "down /a firing first"
        ]
    );
    let hidden = simulation
        .list()
        .into_iter()
        .find(|alert| alert.inhibited_by.is_some());
    assert_eq!(
        hidden.and_then(|alert| alert.inhibited_by).as_deref(),
        Some("down")
    );
    let events = simulation.round(&[("bad", bad), ("down", &[])]);
    assert_eq!(
        texts(&events),
        ["bad /a - first", "down /a resolved resolved"]
    );
}

#[test]
fn an_acknowledged_alert_is_silent_until_that_ends() {
    let mut simulation = Simulation::new([high("high").repeat(INTERVAL).cooldown(INTERVAL)]);
    let firing: &[(&str, &[(&str, f64)])] = &[("high", &[("/a", 2.0)])];
    simulation.round(firing);
    let alert = simulation.list().remove(0);
    let now = time_of(simulation.wall() / 1_000_000);
    let by = Acknowledgement {
        by: "ada".to_owned(),
        comment: "on it".to_owned(),
        at: now,
        until: Some(now + 2 * INTERVAL),
    };
    assert!(
        simulation
            .engine
            .acknowledge(alert.fingerprint + 1, &by)
            .is_empty()
    );
    assert_eq!(
        simulation.engine.acknowledge(alert.fingerprint, &by).len(),
        1
    );
    assert!(simulation.round(firing).is_empty());
    assert_eq!(simulation.list()[0].acknowledged, Some(by));
    assert!(simulation.round(firing).is_empty());
    assert_eq!(texts(&simulation.round(firing)), ["high /a - repeat"]);
    assert_eq!(simulation.list()[0].acknowledged, None);
}

#[test]
fn a_restart_continues_alerts() {
    let rule = || high("high").hold_for(4 * INTERVAL).cooldown(10 * INTERVAL);
    let values: &[(&str, &[(&str, f64)])] = &[("high", &[("/a", 2.0)])];
    let mut first = Simulation::new([rule()]);
    first.round(values);
    // `for` keeps its begin, and needs one value more.
    let mut second = first.restart(300);
    assert_eq!(texts(&second.round(values)), ["high /a firing first"]);
    // Nothing is announced twice, and the end is.
    let mut third = second.restart(30);
    assert!(third.round(values).is_empty());
    assert_eq!(third.list()[0].incident(), second.list()[0].incident());
    let events = third.round(&[("high", &[])]);
    assert_eq!(texts(&events), ["high /a resolved resolved"]);
    // The cooldown goes on.
    let mut fourth = third.restart(30);
    for _ in 0..5 {
        fourth.round(values);
    }
    assert_eq!(fourth.list()[0].state, AlertState::Firing);
    let last = fourth.round(values);
    assert!(last.is_empty(), "{last:?}");
    let announced: usize = (0..10).map(|_| fourth.round(values).len()).sum();
    assert_eq!(announced, 1);
    // A value that is not high ends what was pending.
    let mut other = first.restart(300);
    assert_eq!(
        texts(&other.round(&[("high", &[("/a", 0.0)])])),
        ["high /a inactive -"]
    );
}

#[test]
fn a_long_downtime_ends_alerts() {
    let values: &[(&str, &[(&str, f64)])] = &[("one", &[("", 2.0)]), ("two", &[("", 2.0)])];
    let mut first = Simulation::new([high("one"), high("two").hold_for(INTERVAL)]);
    first.round(values);
    let mut second = first.restart(3600);
    let events = second.round(values);
    assert_eq!(
        texts(&events),
        ["one  resolved resolved", "two  inactive -"]
    );
    let reason = events[0].transition.as_ref().map(|it| it.reason);
    assert_eq!(reason, Some(TransitionReason::Downtime));
    let events = second.round(values);
    assert_eq!(texts(&events), ["one  firing first", "two  pending -"]);
}

#[test]
fn a_gap_counts_as_one_interval() {
    let values: &[(&str, &[(&str, f64)])] = &[("high", &[("", 2.0)])];
    let mut simulation = Simulation::new([high("high").hold_for(4 * INTERVAL)]);
    simulation.round(values);
    simulation.seconds += 1000;
    assert!(simulation.round(values).is_empty());
    for _ in 0..2 {
        assert!(simulation.round(values).is_empty());
    }
    assert_eq!(texts(&simulation.round(values)), ["high  firing first"]);
}

#[test]
fn what_is_kept_has_limits() {
    let mut simulation = Simulation::new([high("high")]);
    let routes: Vec<String> = (0..MAX_OF_RULE + 5).map(|n| format!("/{n}")).collect();
    let values: Vec<(&str, f64)> = routes.iter().map(|route| (route.as_str(), 2.0)).collect();
    simulation.round(&[("high", &values)]);
    assert_eq!(simulation.list().len(), MAX_OF_RULE);
    assert_eq!(simulation.engine.left_out, 5);
    simulation.round(&[("high", &[])]);
    assert_eq!(simulation.engine.transitions.len(), MAX_TRANSITIONS);
    // Resolved alerts are forgotten after an hour.
    for _ in 0..121 {
        simulation.round(&[("high", &[])]);
    }
    assert!(simulation.list().is_empty());
}

#[test]
fn alerts_that_are_over_make_room_for_those_that_fire() {
    let rule = high("high").missing_data(MissingData::Keep);
    let mut simulation = Simulation::new([rule.stale_after(1)]);
    let routes = |from: usize, to: usize| -> Vec<String> {
        (from..to).map(|n| format!("/{n:04}")).collect()
    };
    let values = |routes: &[String]| -> Vec<(String, f64)> {
        routes.iter().map(|route| (route.clone(), 2.0)).collect()
    };
    let mut round = |all: &[(String, f64)]| {
        let all: Vec<_> = all
            .iter()
            .map(|(route, value)| (&**route, *value))
            .collect();
        let events = simulation.round(&[("high", &all)]);
        let firing = events
            .iter()
            .filter(|it| it.alert.rule == "high" && it.alert.state == AlertState::Firing);
        let firing = firing.filter(|it| it.notification.is_some()).count();
        (firing, simulation.engine.left_out)
    };
    let first = values(&routes(0, MAX_OF_RULE));
    assert_eq!(round(&first), (MAX_OF_RULE, 0));
    // All but the first are stale, and kept because the alerts about their missing data need them.
    (0..3).for_each(|_| assert_eq!(round(&first[..1]), (0, 0)));
    let mut next = values(&routes(2000, 2005));
    next.push(first[0].clone());
    assert_eq!(round(&next), (5, 0));
    // Those that fire have their places.
    let mut all = values(&routes(3000, 3000 + MAX_OF_RULE));
    all.extend(next);
    assert_eq!(round(&all), (MAX_OF_RULE - 6, 6));
    assert_eq!(simulation.engine.alerts["high"].len(), MAX_OF_RULE);
}

#[test]
fn an_alert_is_known_until_the_channels_have_its_end() {
    let mut simulation = Simulation::new([high("high")]);
    simulation.round(&[("high", &[("/a", 2.0)])]);
    let firing = simulation.engine.fingerprints();
    let events = simulation.round(&[("high", &[("/a", 0.0)])]);
    assert!(simulation.engine.fingerprints().is_empty());
    let end = &events[0].alert;
    simulation
        .engine
        .announce(AnnouncementKind::Resolved, end, 7);
    assert_eq!(simulation.engine.fingerprints(), firing);
    simulation.engine.unsent.clear();
    assert!(simulation.engine.fingerprints().is_empty());
}

#[test]
fn an_announcement_that_pushes_out_another_is_counted() {
    let mut simulation = Simulation::new([high("high")]);
    let events = simulation.round(&[("high", &[("/a", 2.0)])]);
    let alert = &events[0].alert;
    let engine = &mut simulation.engine;
    let numbers: BTreeSet<_> = (0..MAX_UNSENT + 5)
        .map(|_| engine.announce(AnnouncementKind::Repeat, alert, 7).number)
        .collect();
    assert_eq!(numbers.len(), MAX_UNSENT + 5);
    assert_eq!((engine.unsent.len(), engine.pushed_out), (MAX_UNSENT, 5));
}
