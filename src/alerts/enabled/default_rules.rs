use std::time::Duration;

use super::alert::Severity;
use super::bound::Bound;
use super::phase::MissingData;
use super::requests::{all_requests, failed_requests};
use super::rule::Rule;
use crate::history::{Aggregation, MetricQuery};

/// The guide with a section for each rule.
const RUNBOOK: &str = "https://docs.rs/watchpost/latest/watchpost/guide/runbook/index.html";
const TIME_TO_HEADERS: &str = "watchpost_http_time_to_headers_seconds";
const POOL: &str = "db_client_connection_pool_name";
const MINUTE: Duration = Duration::from_secs(60);

/// The rules that each monitor has, unless `alerts.default_rules` is `false`.
pub(super) fn default_rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    rules.extend(requests());
    rules.extend(resources());
    rules.extend(signals());
    // A label set that is gone is no problem of these rules: a pool that was closed, or a route without requests.
    let finish = |rule: Rule| {
        let runbook = format!("{RUNBOOK}#{}", rule.name);
        rule.missing_data(MissingData::Resolve).runbook(runbook)
    };
    rules.into_iter().map(finish).collect()
}

fn requests() -> [Rule; 3] {
    let (errors, all) = (failed_requests(5 * MINUTE), all_requests(5 * MINUTE));
    let (lately, before) = (all_requests(10 * MINUTE), all_requests(70 * MINUTE));
    [
        Rule::ratio("high-error-rate", errors, all, Bound::above(0.05))
            .min_samples(20)
            .hold_for(MINUTE)
            .severity(Severity::Critical)
            .cooldown(5 * MINUTE)
            .annotation(
                "summary",
                "{{ $value | humanizePercentage }} of the requests of five minutes failed",
            ),
        Rule::quantile("slow-response", 0.95, TIME_TO_HEADERS, Bound::above(1.0))
            .min_samples(20)
            .hold_for(5 * MINUTE)
            .cooldown(10 * MINUTE)
            .annotation(
                "summary",
                "The slowest 5 % of the responses take more than {{ $value | humanizeDuration }}",
            ),
        // At least a hundred requests in an hour, and then none.
        Rule::ratio("no-traffic", lately, before, Bound::at_most(0.0))
            .min_samples(100)
            .hold_for(MINUTE)
            .cooldown(30 * MINUTE)
            .annotation("summary", "There was no request for ten minutes"),
    ]
}

fn resources() -> [Rule; 6] {
    let memory = MetricQuery::last("system_memory_utilization_ratio").total();
    let used = MetricQuery::last("db_client_connection_count")
        .label("db_client_connection_state", "used")
        .by([POOL]);
    let most = MetricQuery::last("db_client_connection_max").by([POOL]);
    let wait = MetricQuery::quantile(0.95, "db_client_connection_wait_time_seconds").by([POOL]);
    let quota = MetricQuery::last("watchpost_external_rate_limit_used_ratio")
        .by(["service_peer_name", "watchpost_rate_limit_window"])
        .aggregation(Aggregation::Max);
    let disk = MetricQuery::last("system_filesystem_utilization_ratio").total();
    let busy = MetricQuery::min("tokio_busy_ratio").by(["runtime"]);
    [
        // Two percent of the limit in an hour, and little of it left.
        Rule::trend("memory-leak", memory.clone(), 30 * MINUTE, Bound::above(0.02))
            .and(memory, Bound::above(0.8))
            .keep_firing_for(5 * MINUTE)
            .cooldown(30 * MINUTE)
            .annotation(
                "summary",
                "More than 80 % of the memory is in use, and it rises by {{ $value | humanizePercentage }} an hour",
            ),
        Rule::ratio("database-connection-pool", used, most, Bound::at_least(0.9))
            .hold_for(MINUTE)
            .severity(Severity::Critical)
            .cooldown(5 * MINUTE)
            .annotation(
                "summary",
                "{{ $value | humanizePercentage }} of the connections of the pool {{ $labels.db_client_connection_pool_name }} are in use",
            ),
        Rule::threshold("slow-connections", wait.window(5 * MINUTE), Bound::above(1.0))
            .min_samples(20)
            .hold_for(MINUTE)
            .cooldown(5 * MINUTE)
            .annotation(
                "summary",
                "One of 20 waits {{ $value | humanizeDuration }} for a connection of the pool {{ $labels.db_client_connection_pool_name }}",
            ),
        Rule::threshold("api-rate-limit", quota, Bound::at_least(0.8))
            .cooldown(15 * MINUTE)
            .annotation(
                "summary",
                "{{ $value | humanizePercentage }} of the rate limit ({{ $labels.watchpost_rate_limit_window }}) of {{ $labels.service_peer_name }} is used",
            ),
        Rule::threshold("disk-full", disk, Bound::above(0.9))
            .hold_for(5 * MINUTE)
            .cooldown(30 * MINUTE)
            .annotation(
                "summary",
                "The disk of the data directory is {{ $value | humanizePercentage }} full",
            ),
        Rule::threshold("blocked-runtime", busy.window(MINUTE), Bound::above(0.95))
            .hold_for(5 * MINUTE)
            .cooldown(10 * MINUTE)
            .annotation(
                "summary",
                "The threads of the runtime {{ $labels.runtime }} are busy {{ $value | humanizePercentage }} of the time",
            ),
    ]
}

fn signals() -> [Rule; 6] {
    let errors = MetricQuery::increase("watchpost_errors_total").by(["error_type"]);
    let lately = errors.clone().window(5 * MINUTE);
    let hour = errors.window(60 * MINUTE);
    let noticed = |pattern| {
        let patterns = MetricQuery::increase("watchpost_error_patterns_total");
        patterns
            .label("pattern", pattern)
            .total()
            .window(5 * MINUTE)
    };
    let dropped = MetricQuery::increase("watchpost_records_dropped_total");
    let dropped = dropped.by(["signal"]).window(5 * MINUTE);
    let failing = MetricQuery::last("watchpost_alerts_channel_failing_seconds").by(["channel"]);
    let overdue = MetricQuery::last("watchpost_job_overdue_seconds").by(["job_name"]);
    [
        // More than half of the errors of an hour within five minutes, and more than ten.
        Rule::ratio("error-spike", lately.clone(), hour, Bound::above(0.5))
            .and(lately, Bound::above(10.0))
            .keep_firing_for(5 * MINUTE)
            .cooldown(15 * MINUTE)
            .annotation(
                "summary",
                "{{ $value | humanizePercentage }} of the errors {{ $labels.error_type }} of an hour occurred within five minutes",
            ),
        Rule::threshold("new-error", noticed("new"), Bound::above(0.0))
            .cooldown(15 * MINUTE)
            .annotation(
                "summary",
                "Errors within five minutes that were never seen before: {{ $value }}",
            ),
        Rule::threshold("regressed-error", noticed("regression"), Bound::above(0.0))
            .cooldown(15 * MINUTE)
            .annotation(
                "summary",
                "Resolved errors that occurred again within five minutes: {{ $value }}",
            ),
        Rule::threshold("missed-job", overdue, Bound::above(0.0))
            .cooldown(60 * MINUTE)
            .annotation(
                "summary",
                "The job {{ $labels.job_name }} should have succeeded {{ $value | humanizeDuration }} ago",
            ),
        Rule::threshold("failing-channel", failing, Bound::above(300.0))
            .severity(Severity::Critical)
            .cooldown(60 * MINUTE)
            .annotation(
                "summary",
                "No notification has reached the channel {{ $labels.channel }} for {{ $value | humanizeDuration }}",
            ),
        Rule::threshold("dropped-records", dropped, Bound::above(0.0))
            .severity(Severity::Info)
            .keep_firing_for(10 * MINUTE)
            .cooldown(60 * MINUTE)
            .annotation(
                "summary",
                "Records ({{ $labels.signal }}) that the monitor dropped in five minutes: {{ $value }}",
            ),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_is_valid_and_has_a_name_and_a_summary() {
        let rules = default_rules();
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.name.clone()).collect();
        assert_eq!(names.len(), rules.len());
        for rule in &rules {
            rule.check().unwrap();
            assert!(
                rule.annotations.iter().any(|(name, _)| name == "summary"),
                "{rule:?}"
            );
        }
    }

    #[test]
    fn each_rule_has_a_section_in_the_runbook_and_each_section_a_rule() {
        let guide = include_str!("../../guide/runbook.md");
        let sections = guide.lines().filter_map(|line| line.strip_prefix("## "));
        let sections: BTreeSet<_> = sections.collect();
        let rules = default_rules();
        let names: BTreeSet<_> = rules.iter().map(|rule| rule.name.as_str()).collect();
        assert_eq!(sections, names);
        for rule in &rules {
            let url = rule.runbook.as_deref().unwrap();
            assert_eq!(url.rsplit_once('#').unwrap().1, rule.name);
        }
        // A query and three causes.
        for section in guide.split("\n## ").skip(1) {
            assert!(
                section
                    .lines()
                    .filter(|line| line.starts_with("- "))
                    .count()
                    >= 4,
                "{section}"
            );
        }
    }

    #[test]
    fn the_five_rules_have_their_severities_and_cooldowns() {
        let rules = default_rules();
        for (name, severity, minutes) in [
            ("high-error-rate", Severity::Critical, 5),
            ("slow-response", Severity::Warning, 10),
            ("memory-leak", Severity::Warning, 30),
            ("database-connection-pool", Severity::Critical, 5),
            ("api-rate-limit", Severity::Warning, 15),
        ] {
            let rule = rules.iter().find(|rule| rule.name == name).unwrap();
            assert_eq!(
                (rule.severity, rule.cooldown),
                (severity, minutes * MINUTE),
                "{name}"
            );
        }
    }
}
