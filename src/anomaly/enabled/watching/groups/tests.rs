use super::super::rules::{BUSIEST, default_rules};
use super::*;

const STEP: Duration = Duration::from_secs(10);
const STEP_NANOS: Nanos = 10_000_000_000;

struct Steps {
    groups: SeriesGroups,
    wall: i64,
}

impl Steps {
    /// Watches requests by route alone.
    fn new(max_series: usize) -> Self {
        let mut groups = SeriesGroups::new(GroupConfig {
            step: STEP,
            false_alarms: 3.0,
            max_series,
        });
        let rules = default_rules().into_iter();
        let rules = rules.filter(|rule| rule.name == "requests by route");
        groups.set_rules(&rules.map(Arc::new).collect::<Vec<_>>());
        Self {
            groups,
            wall: 1_700_000_000_000,
        }
    }

    /// Judges a snapshot with these numbers of requests of routes.
    fn step(&mut self, requests: impl Iterator<Item = (u32, f64)>) -> StepOutcome {
        let steps: Vec<_> = requests
            .map(|(route, count)| {
                let key = SeriesKey {
                    name: "http_server_request_duration_seconds".into(),
                    labels: format!("http_request_method=\"GET\",http_route=\"/{route}\"").into(),
                };
                (key, SeriesKind::Counter, Step::Number(count))
            })
            .collect();
        self.wall += 10_000;
        self.groups.observe(&TakenSnapshot {
            wall: self.wall,
            elapsed: Some(STEP_NANOS),
            steps: &steps,
        })
    }

    fn routes(&self) -> Vec<String> {
        let watched = self.groups.identities().into_iter();
        watched
            .map(|identity| identity.labels().remove(1).1)
            .collect()
    }
}

#[test]
fn the_busiest_groups_take_the_places_of_others() {
    let mut steps = Steps::new(1000);
    let requests = || (0..60).map(|route| (route, if route < 50 { 1.0 } else { 100.0 }));
    steps.step(requests());
    let first = steps.routes();
    assert_eq!((first.len(), &*first[49]), (BUSIEST, "/49"));
    for _ in 0..SWEEP_EVERY {
        steps.step(requests());
    }
    let routes = steps.routes();
    assert_eq!(routes.len(), BUSIEST);
    assert!((50..60).all(|route| routes.contains(&format!("/{route}"))));
    // Those that are equally busy keep their places.
    for _ in 0..SWEEP_EVERY {
        steps.step(requests());
    }
    assert_eq!(steps.routes(), routes);
}

#[test]
fn a_series_without_values_is_forgotten_and_goes_on_when_it_returns() {
    let mut steps = Steps::new(1000);
    for n in 0..100 {
        steps.step([(1, f64::from(n % 5)), (2, 1.0)].into_iter());
    }
    for _ in 0..GONE_AFTER + SWEEP_EVERY {
        steps.step([(2, 1.0)].into_iter());
    }
    assert_eq!(steps.routes(), ["/2"]);
    assert_eq!(steps.groups.states().len(), 2);
    steps.step([(1, 3.0), (2, 1.0)].into_iter());
    let watched = steps.groups.identities();
    assert_eq!(watched.len(), 2);
    assert!(watched.iter().all(|it| !it.watched().unwrap().learning));
    assert_eq!(steps.groups.states().len(), 2);
}

#[test]
fn series_beyond_the_limit_are_counted() {
    let mut steps = Steps::new(3);
    let outcome = steps.step((0..5).map(|route| (route, 1.0)));
    assert_eq!((outcome.left_out, steps.groups.watched()), (2, 3));
}

#[test]
fn series_of_a_watch_beyond_those_that_are_known_are_counted() {
    let mut steps = Steps::new(1500);
    steps.groups.set_rules(&[Arc::new(WatchRule {
        name: "a watch".to_owned(),
        by: None,
        max_groups: usize::MAX,
        ..WatchRule::clone(&steps.groups.rules[0].rule)
    })]);
    for _ in 0..2 {
        let outcome = steps.step((0..2300).map(|route| (route, 1.0)));
        assert_eq!((outcome.left_out, steps.groups.watched()), (800, 1500));
    }
    // Of a rule that watches the busiest, the others are meant to be left out.
    let mut steps = Steps::new(1500);
    let outcome = steps.step((0..2300).map(|route| (route, 1.0)));
    assert_eq!((outcome.left_out, steps.groups.watched()), (0, BUSIEST));
}

#[test]
fn a_late_snapshot_counts_for_one_step() {
    assert_eq!(in_step(30.0, 3 * STEP_NANOS, STEP), 10.0);
    assert_eq!(in_step(30.0, STEP_NANOS + 1_000, STEP), 30.0);
    assert_eq!(in_step(30.0, 0, STEP), 30.0);
}
