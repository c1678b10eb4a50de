use std::time::SystemTime;

use super::grammar::{Condition, Expression, LogSeverity, Test};
use super::index::BlockFacts;
use super::line_head::{LineHead, level_of};
use super::matcher::is_fulfilled;
use super::sieve::Sieve;
use crate::logs::line_fields::fields;
use crate::logs::log_query::{LogQuery, is_of_target};

/// Which lines a query selects.
#[derive(Debug)]
pub(in crate::logs) struct LineFilter {
    /// By the number of the severity.
    levels: [bool; LogSeverity::ALL.len()],
    /// From this microsecond on, and before that one.
    since: u64,
    until: u64,
    target: Option<String>,
    expression: Expression,
    sieve: Sieve,
}

impl LineFilter {
    pub(in crate::logs) fn new(query: &LogQuery) -> Self {
        let exact = |name: &str, value: &str| {
            Expression::Condition(Condition {
                field: Some(super::grammar::canonical_name(name).into()),
                test: Test::Exact(value.to_owned()),
            })
        };
        let mut all = Vec::new();
        if query.expression != Expression::All {
            all.push(query.expression.clone());
        }
        let named = query.fields.iter().map(|(name, value)| exact(name, value));
        all.extend(named);
        all.extend(query.route.iter().map(|route| exact("http.route", route)));
        all.extend(query.trace_id.map(|id| exact("trace_id", &id.to_string())));
        if query.without_requests {
            // The host cannot have a field with this name.
            all.push(Expression::Not(Box::new(Expression::Condition(
                Condition {
                    field: Some("watchpost.outcome".into()),
                    test: Test::Exists,
                },
            ))));
        }
        let expression = Expression::And(all);
        Self {
            levels: LogSeverity::ALL.map(|severity| query.has_level(level_of(severity))),
            since: query.since.map_or(0, |it| nanos(it) / 1000),
            until: query.until.map_or(u64::MAX, |it| nanos(it).div_ceil(1000)),
            target: query.target.clone(),
            sieve: Sieve::of(&expression),
            expression,
        }
    }

    /// What a line must contain.
    pub(super) fn sieve(&self) -> &Sieve {
        &self.sieve
    }

    /// Whether lines of these times may match.
    pub(super) fn may_have_times(&self, first: u64, last: u64) -> bool {
        last >= self.since && first < self.until
    }

    /// Whether a block may have a line that matches.
    pub(super) fn may_have_block(&self, facts: &BlockFacts) -> bool {
        let mut counts = LogSeverity::ALL.into_iter().zip(facts.counts);
        self.may_have_times(facts.first, facts.last)
            && counts.any(|(severity, count)| count > 0 && self.has_severity(severity))
    }

    /// Whether every line of a block matches that has one of the levels.
    pub(super) fn has_whole_block(&self, facts: &BlockFacts) -> bool {
        self.needs_only_head() && facts.first >= self.since && facts.last < self.until
    }

    /// Which levels match, as in [`LogSeverity::ALL`].
    pub(super) fn levels(&self) -> [bool; LogSeverity::ALL.len()] {
        self.levels
    }

    /// Whether lines of a severity match.
    fn has_severity(&self, severity: LogSeverity) -> bool {
        self.levels.get(severity as usize).copied().unwrap_or(true)
    }

    /// Whether it depends on nothing but times and levels.
    fn needs_only_head(&self) -> bool {
        self.target.is_none() && matches!(&self.expression, Expression::And(all) if all.is_empty())
    }

    /// Whether a line with this beginning may match.
    #[inline]
    pub(super) fn may_match(&self, head: LineHead) -> bool {
        self.has_severity(head.severity) && self.may_have_times(head.micros, head.micros)
    }

    /// Whether the fields of a line match, whatever its time and level are.
    pub(in crate::logs) fn matches_fields(&self, line: &str) -> bool {
        if self.needs_only_head() {
            return true;
        }
        let fields: Vec<_> = fields(line).collect();
        let target = fields.iter().find(|(key, _)| key == "target");
        let has_target = self.target.as_deref().is_none_or(|wanted| {
            is_of_target(wanted, target.map_or("", |(_, value)| value.as_text()))
        });
        has_target && is_fulfilled(&self.expression, &fields)
    }
}

/// Nanoseconds since the Unix epoch.
fn nanos(time: SystemTime) -> u64 {
    crate::clock::wall_nanos(time)
}
