//! The queries of [`readers`](crate::readers), and their expected values by the log of the client.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use watchpost::history::{Aggregation, MetricQuery, MetricReader, ResultSeries};

use crate::AnyError;

/// The values of a query by their labels and times.
pub(crate) type Values = BTreeMap<String, f64>;

const JOBS: &str = "jobs_total";
const WAIT: &str = "job_wait_seconds";
const DEPTH: &str = "queue_depth";
const DURATION: &str = "http_server_request_duration_seconds";
const ROUTE: &str = "/work/{queue}/{status}/{micros}";
/// The window of most queries.
const WINDOW: Duration = Duration::from_secs(60);

/// A request that the client has made.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) at: SystemTime,
    pub(crate) queue: &'static str,
    pub(crate) status: u16,
    /// The value that the host has recorded.
    pub(crate) seconds: f64,
}

/// What the client has done.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) work: Vec<Work>,
    /// The values to which the depths of queues were set.
    pub(crate) depths: Vec<(SystemTime, &'static str, f64)>,
    /// The begin and end of the load before and after the restart.
    pub(crate) phases: [(SystemTime, SystemTime); 2],
}

impl Default for Log {
    fn default() -> Self {
        Self {
            work: Vec::new(),
            depths: Vec::new(),
            phases: [(UNIX_EPOCH, UNIX_EPOCH); 2],
        }
    }
}

type Expected = dyn Fn(&Log, SystemTime, SystemTime) -> Vec<(String, f64)> + Send + Sync;

/// A query in both languages, and its values by the client's log.
pub(crate) struct Case {
    pub(crate) name: String,
    query: MetricQuery,
    /// The same in `PromQL`, as a person would write it.
    pub(crate) raw: String,
    window: Duration,
    start: SystemTime,
    /// The number of steps after `start`.
    steps: u32,
    pub(crate) is_quantile: bool,
    /// Whether the history divides by another time than Prometheus.
    pub(crate) is_per_covered_time: bool,
    expected: Box<Expected>,
}

/// The time between two points of a range.
const STEP: Duration = Duration::from_secs(5);

impl Case {
    pub(crate) fn key<'a>(
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        at: SystemTime,
    ) -> String {
        let labels: Vec<_> = labels
            .map(|(label, value)| format!("{label}={value}"))
            .collect();
        with_time(&labels.join(","), at)
    }

    pub(crate) fn times(&self) -> impl Iterator<Item = SystemTime> {
        let start = self.start;
        (0..=self.steps).map(move |n| start + STEP * n)
    }

    /// The begin of the first window.
    pub(crate) fn begin(&self) -> SystemTime {
        self.start - self.window
    }

    pub(crate) async fn read(
        &self,
        reader: &dyn MetricReader,
    ) -> Result<Vec<ResultSeries>, AnyError> {
        let end = self.start + STEP * self.steps;
        Ok(match self.steps {
            0 => reader.at(&self.query, self.start).await?,
            _ => reader.range(&self.query, self.start, end, STEP).await?,
        })
    }

    pub(crate) fn expected(&self, log: &Log) -> Values {
        let mut values = Values::new();
        for at in self.times() {
            for (labels, value) in (self.expected)(log, at - self.window, at) {
                values.insert(with_time(&labels, at), value);
            }
        }
        values
    }

    /// The history's rates, per second of the window.
    pub(crate) fn per_window(
        &self,
        mut values: Values,
        covered: impl Fn(SystemTime, SystemTime) -> Duration,
    ) -> Values {
        if self.is_per_covered_time {
            let share = covered(self.begin(), self.start).as_secs_f64() / self.window.as_secs_f64();
            for value in values.values_mut() {
                *value *= share;
            }
        }
        values
    }
}

fn with_time(labels: &str, at: SystemTime) -> String {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{labels}@{}", since.as_millis())
}

/// How requests are grouped: the text of their labels.
type GroupBy = fn(&Work) -> String;

fn all(_: &Work) -> String {
    String::new()
}

fn by_queue(work: &Work) -> String {
    format!("queue={}", work.queue)
}

fn by_status(work: &Work) -> String {
    format!("http_response_status_code={}", work.status)
}

impl Log {
    /// The recorded values of each group, sorted.
    fn groups(
        &self,
        (from, to): (SystemTime, SystemTime),
        wanted: impl Fn(&Work) -> bool,
        by: GroupBy,
    ) -> BTreeMap<String, Vec<f64>> {
        let mut groups: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        let inside = self
            .work
            .iter()
            .filter(|work| work.at > from && work.at <= to);
        for work in inside.filter(|work| wanted(work)) {
            groups.entry(by(work)).or_default().push(work.seconds);
        }
        for values in groups.values_mut() {
            values.sort_by(f64::total_cmp);
        }
        groups
    }

    /// The depths of a queue in a window, each with its time in seconds.
    fn depths_of(&self, queue: &str, (from, to): (SystemTime, SystemTime)) -> Vec<(f64, f64)> {
        let sets: Vec<_> = self
            .depths
            .iter()
            .filter(|(_, it, _)| *it == queue)
            .collect();
        let ends = sets.iter().skip(1).map(|(at, _, _)| *at).chain([to]);
        let spans = sets
            .iter()
            .zip(ends)
            .filter_map(|((begin, _, value), end)| {
                let span = end.min(to).duration_since((*begin).max(from)).ok()?;
                Some((span.as_secs_f64(), *value))
            });
        spans.filter(|(span, _)| *span > 0.0).collect()
    }
}

/// Collects the queries.
#[derive(Default)]
struct Cases(Vec<Case>);

/// A window, and how it is named in the table.
#[derive(Clone, Copy)]
struct When {
    name: &'static str,
    at: SystemTime,
    window: Duration,
}

impl Cases {
    fn add(
        &mut self,
        when: When,
        what: &str,
        query: MetricQuery,
        raw: &str,
        expected: impl Fn(&Log, (SystemTime, SystemTime)) -> Vec<(String, f64)> + Send + Sync + 'static,
    ) -> &mut Case {
        self.0.push(Case {
            name: format!("{what}, {}", when.name),
            query: query.window(when.window),
            raw: raw.replace("[w]", &format!("[{}ms]", when.window.as_millis())),
            window: when.window,
            start: when.at,
            steps: 0,
            is_quantile: false,
            is_per_covered_time: false,
            expected: Box::new(move |log, from, to| expected(log, (from, to))),
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    /// A query whose value is calculated from the recorded values of each group.
    fn of_values(
        &mut self,
        when: When,
        what: &str,
        query: MetricQuery,
        raw: &str,
        (wanted, by): (fn(&Work) -> bool, GroupBy),
        value: impl Fn(&[f64], Duration) -> f64 + Send + Sync + 'static,
    ) -> &mut Case {
        let window = when.window;
        self.add(when, what, query, raw, move |log, times| {
            let groups = log.groups(times, wanted, by);
            let groups = groups.into_iter();
            groups
                .map(|(labels, values)| (labels, value(&values, window)))
                .collect()
        })
    }

    fn quantile(
        &mut self,
        when: When,
        rank: f64,
        (what, query, raw): (&str, MetricQuery, &str),
        group: (fn(&Work) -> bool, GroupBy),
    ) -> &mut Case {
        let case = self.of_values(when, what, query, raw, group, move |values, _| {
            #[expect(clippy::cast_sign_loss, reason = "a rank is not negative")]
            let index = (rank * values.len() as f64) as usize;
            values[index.min(values.len() - 1)]
        });
        case.is_quantile = true;
        case
    }

    /// A query whose value is calculated from the depths of each queue.
    fn of_depths(
        &mut self,
        when: When,
        what: &str,
        (query, raw): (MetricQuery, &str),
        value: impl Fn(&[(f64, f64)]) -> f64 + Send + Sync + 'static,
    ) -> &mut Case {
        self.add(when, what, query, raw, move |log, times| {
            let queues = crate::readers::QUEUES.iter();
            queues
                .map(|queue| {
                    (
                        format!("queue={queue}"),
                        value(&log.depths_of(queue, times)),
                    )
                })
                .collect()
        })
    }
}

fn every(_: &Work) -> bool {
    true
}

fn count(values: &[f64], _: Duration) -> f64 {
    values.len() as f64
}

fn per_second(values: &[f64], window: Duration) -> f64 {
    values.len() as f64 / window.as_secs_f64()
}

fn sum(values: &[f64], _: Duration) -> f64 {
    values.iter().sum()
}

fn mean(values: &[f64], _: Duration) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn mean_depth(depths: &[(f64, f64)]) -> f64 {
    let time: f64 = depths.iter().map(|(span, _)| span).sum();
    depths.iter().map(|(span, value)| span * value).sum::<f64>() / time
}

fn max_depth(depths: &[(f64, f64)]) -> f64 {
    depths
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MIN, f64::max)
}

fn min_depth(depths: &[(f64, f64)]) -> f64 {
    depths
        .iter()
        .map(|(_, value)| *value)
        .fold(f64::MAX, f64::min)
}

/// All queries, with windows whose borders are in the load.
pub(crate) fn cases(log: &Log) -> Vec<Case> {
    let before_end = Duration::from_secs(3);
    let [first, second] = log.phases;
    let after = When {
        name: "after the restart",
        at: second.1 - before_end,
        window: WINDOW,
    };
    let begin = first.0 + Duration::from_secs(10);
    let over = When {
        name: "over the restart",
        at: after.at,
        // Whole seconds, as the scrapes.
        window: Duration::from_secs(after.at.duration_since(begin).unwrap_or_default().as_secs()),
    };
    let before = When {
        name: "before the restart",
        at: first.1 - before_end,
        window: WINDOW,
    };
    let mut cases = Cases::default();
    counts(&mut cases, after);
    counts(&mut cases, over);
    for when in [before, after, over] {
        cases.of_values(
            when,
            "rate of jobs",
            MetricQuery::rate(JOBS).total(),
            "sum(rate(jobs_total[w]))",
            (every, all),
            per_second,
        );
        if when.name == over.name
            && let Some(case) = cases.0.last_mut()
        {
            case.is_per_covered_time = true;
        }
    }
    recorded_values(&mut cases, after);
    recorded_values(&mut cases, over);
    gauges(&mut cases, after);
    gauges(&mut cases, over);
    ranges(&mut cases, after);
    cases.0
}

fn counts(cases: &mut Cases, when: When) {
    let increase = || MetricQuery::increase(JOBS);
    cases.of_values(
        when,
        "increase of jobs",
        increase().total(),
        "sum(increase(jobs_total[w]))",
        (every, all),
        count,
    );
    cases.of_values(
        when,
        "increase of jobs by queue",
        increase().by(["queue"]),
        "sum by (queue) (increase(jobs_total[w]))",
        (every, by_queue),
        count,
    );
    cases.of_values(
        when,
        "increase of jobs, queue=mail, each series",
        increase().label("queue", "mail"),
        "increase(jobs_total{queue=\"mail\"}[w])",
        (|work| work.queue == "mail", by_queue),
        count,
    );
    cases.of_values(
        when,
        "increase of jobs, queue not mail or x",
        increase().label_not_in("queue", ["mail", "x"]).total(),
        "sum(increase(jobs_total{queue!~\"mail|x\"}[w]))",
        (|work| work.queue != "mail", all),
        count,
    );
    cases.of_values(
        when,
        "number of requests by status",
        MetricQuery::increase(DURATION)
            .label("http_route", ROUTE)
            .by(["http_response_status_code"]),
        &format!(
            "histogram_count(sum by (http_response_status_code) (increase({DURATION}{{http_route=\"{ROUTE}\"}}[w])))"
        ),
        (every, by_status),
        count,
    );
}

fn recorded_values(cases: &mut Cases, when: When) {
    cases.of_values(
        when,
        "sum of waits by queue",
        MetricQuery::sum_increase(WAIT).by(["queue"]),
        &format!("histogram_sum(sum by (queue) (increase({WAIT}[w])))"),
        (every, by_queue),
        sum,
    );
    cases.of_values(
        when,
        "mean wait",
        MetricQuery::mean(WAIT).total(),
        &format!("sum(histogram_sum(rate({WAIT}[w]))) / sum(histogram_count(rate({WAIT}[w])))"),
        (every, all),
        mean,
    );
    cases.of_values(
        when,
        "mean wait, queue in post, sms",
        MetricQuery::mean(WAIT).label_in("queue", ["post", "sms"]).by(["queue"]),
        &format!(
            "histogram_sum(rate({WAIT}{{queue=~\"post|sms\"}}[w])) / histogram_count(rate({WAIT}{{queue=~\"post|sms\"}}[w]))"
        ),
        (|work| work.queue != "mail", by_queue),
        mean,
    );
    for rank in [0.5, 0.95] {
        cases.quantile(
            when,
            rank,
            (
                &format!("quantile {rank} of waits"),
                MetricQuery::quantile(rank, WAIT).total(),
                &format!("histogram_quantile({rank}, sum(rate({WAIT}[w])))"),
            ),
            (every, all),
        );
    }
    cases.quantile(
        when,
        0.9,
        (
            "quantile 0.9 of waits by queue",
            MetricQuery::quantile(0.9, WAIT).by(["queue"]),
            &format!("histogram_quantile(0.9, sum by (queue) (rate({WAIT}[w])))"),
        ),
        (every, by_queue),
    );
}

fn gauges(cases: &mut Cases, when: When) {
    // A new gauge has a series without labels until it has others.
    let of_queues = |query: MetricQuery| query.label_not_in("queue", [""]);
    let raw = |function: &str| format!("{function}(queue_depth{{queue!=\"\"}}[w])");
    let last = |depths: &[(f64, f64)]| depths.last().map_or(f64::NAN, |(_, value)| *value);
    let query = (of_queues(MetricQuery::last(DEPTH)), raw("last_over_time"));
    cases.of_depths(when, "last depth, each series", (query.0, &query.1), last);
    let query = (
        of_queues(MetricQuery::min(DEPTH).by(["queue"])),
        raw("min_over_time"),
    );
    cases.of_depths(
        when,
        "lowest depth by queue",
        (query.0, &query.1),
        min_depth,
    );
    let query = (
        of_queues(MetricQuery::max(DEPTH).by(["queue"])),
        raw("max_over_time"),
    );
    cases.of_depths(
        when,
        "highest depth by queue",
        (query.0, &query.1),
        max_depth,
    );
    let mean = "mean depth by queue";
    let query = (
        of_queues(MetricQuery::mean(DEPTH).by(["queue"])),
        raw("avg_over_time"),
    );
    cases.of_depths(when, mean, (query.0, &query.1), mean_depth);
    let sum_of_means = MetricQuery::mean(DEPTH).total();
    cases.add(
        when,
        "sum of the mean depths",
        sum_of_means,
        "sum(avg_over_time(queue_depth[w]))",
        |log, times| {
            let queues = crate::readers::QUEUES.iter();
            let means = queues.map(|queue| mean_depth(&log.depths_of(queue, times)));
            vec![(String::new(), means.sum())]
        },
    );
    let highest = MetricQuery::max(DEPTH)
        .total()
        .aggregation(Aggregation::Max);
    cases.add(
        when,
        "highest depth of all",
        highest,
        "max(max_over_time(queue_depth[w]))",
        |log, times| {
            let queues = crate::readers::QUEUES.iter();
            let highest = queues.map(|queue| max_depth(&log.depths_of(queue, times)));
            vec![(String::new(), highest.fold(f64::MIN, f64::max))]
        },
    );
}

fn ranges(cases: &mut Cases, when: When) {
    let steps = 3;
    let when = When {
        name: "4 points after the restart",
        at: when.at - STEP * steps,
        window: Duration::from_secs(50),
    };
    let case = cases.of_values(
        when,
        "rate of jobs by queue",
        MetricQuery::rate(JOBS).by(["queue"]),
        "sum by (queue) (rate(jobs_total[w]))",
        (every, by_queue),
        per_second,
    );
    case.steps = steps;
    let case = cases.quantile(
        when,
        0.75,
        (
            "quantile 0.75 of waits",
            MetricQuery::quantile(0.75, WAIT).total(),
            &format!("histogram_quantile(0.75, sum(rate({WAIT}[w])))"),
        ),
        (every, all),
    );
    case.steps = steps;
}
