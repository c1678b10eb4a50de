//! The state of a check: when it is due, and whether it is up. No clock, lock or I/O is used here.

use std::time::Duration;

use super::status::{CheckResult, format_span};
use crate::clock::{Nanos, nanos};
use crate::db::ProbeReport;

/// The longest interval until the first success, so that a service is ready soon after what it waits for.
const MAX_STARTING_INTERVAL: Nanos = 1_000_000_000;
/// The shortest interval.
const MIN_INTERVAL: Nanos = 10_000_000;

/// The settings for running and evaluating a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CheckRules {
    pub(super) timeout: Duration,
    pub(super) interval: Duration,
    /// Consecutive failures after which it is down.
    pub(super) failures: u32,
    /// Consecutive successes after which it is up again.
    pub(super) successes: u32,
    /// Whether the service is not ready while the check is down.
    pub(super) critical: bool,
}

/// Whether a check is up, by its results so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckVerdict {
    /// No success so far, and too few failures to be down.
    Starting,
    Up,
    Down,
}

/// What to do next for a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Start the run with this number now.
    Run(u64),
    /// Wait until this time, or until something changes.
    Wait(Nanos),
}

/// The state of a check.
#[derive(Debug)]
pub(super) struct CheckState {
    pub(super) rules: CheckRules,
    pub(super) verdict: CheckVerdict,
    /// The last result, if there is one.
    pub(super) last: Option<LastResult>,
    /// Consecutive results that contradict the verdict.
    contrary: u32,
    /// The number of the last run.
    runs: u64,
    running: Option<RunInProgress>,
    /// When the next run is due: an interval after the start of the last one.
    due: Nanos,
    /// What the current run was doing, for the error of a run that exceeds its time limit.
    pub(super) report: ProbeReport,
}

/// The last result of a check.
#[derive(Debug)]
pub(super) struct LastResult {
    pub(super) at: Nanos,
    pub(super) duration: Nanos,
    pub(super) result: CheckResult,
}

/// The current run.
#[derive(Debug, Clone, Copy)]
struct RunInProgress {
    since: Nanos,
    /// Whether it has exceeded its time limit. It counts as failed then, and its own result is ignored.
    timed_out: bool,
    /// When it counts as failed, for the first time or again.
    deadline: Nanos,
}

impl CheckState {
    /// The state of a new check, which is due at `now`.
    pub(super) fn new(rules: CheckRules, now: Nanos) -> Self {
        Self {
            rules,
            verdict: CheckVerdict::Starting,
            last: None,
            contrary: 0,
            runs: 0,
            running: None,
            due: now,
            report: ProbeReport::default(),
        }
    }

    /// Changes the rules. The new ones also apply to the current run and to the time until the next one.
    pub(super) fn change_rules(&mut self, change: impl FnOnce(&mut CheckRules)) {
        change(&mut self.rules);
        if let Some(running) = &mut self.running
            && !running.timed_out
        {
            running.deadline = running.since.saturating_add(nanos(self.rules.timeout));
        }
        if let Some(last) = &self.last {
            self.due = last
                .at
                .saturating_sub(last.duration)
                .saturating_add(self.interval());
        }
    }

    /// What to do at `now`.
    ///
    /// A run that exceeds its time limit is a failure, and another failure at each interval until it returns. No run
    /// starts while another one of the check is in progress.
    pub(super) fn next_step(&mut self, now: Nanos) -> NextStep {
        let Some(running) = self.running else {
            if now < self.due {
                return NextStep::Wait(self.due);
            }
            self.runs += 1;
            self.running = Some(RunInProgress {
                since: now,
                timed_out: false,
                deadline: now.saturating_add(nanos(self.rules.timeout)),
            });
            return NextStep::Run(self.runs);
        };
        if now < running.deadline {
            return NextStep::Wait(running.deadline);
        }
        let duration = now.saturating_sub(running.since);
        let error = if running.timed_out {
            format!(
                "no response for {}{}; still running, so not started again",
                format_span(duration),
                self.report.timed_out()
            )
        } else {
            timeout_error(self.rules.timeout, &self.report)
        };
        self.judge(now, duration, Err(error));
        let deadline = now.saturating_add(self.interval());
        self.running = Some(RunInProgress {
            timed_out: true,
            deadline,
            ..running
        });
        NextStep::Wait(deadline)
    }

    /// Takes the result of the run with this number. It counts unless the run has exceeded its time limit.
    pub(super) fn finish_run(&mut self, run: u64, now: Nanos, result: CheckResult) {
        let Some(running) = self.running.take_if(|_| run == self.runs) else {
            return;
        };
        if !running.timed_out {
            self.judge(now, now.saturating_sub(running.since), result);
        }
        self.due = running.since.saturating_add(self.interval()).max(now);
    }

    /// Records a result and updates the verdict.
    fn judge(&mut self, at: Nanos, duration: Nanos, result: CheckResult) {
        let (agrees, next, needed) = match (self.verdict, result.is_ok()) {
            (CheckVerdict::Starting, true) => (false, CheckVerdict::Up, 1),
            (CheckVerdict::Starting | CheckVerdict::Up, false) => {
                (false, CheckVerdict::Down, self.rules.failures)
            }
            (CheckVerdict::Down, true) => (false, CheckVerdict::Up, self.rules.successes),
            (CheckVerdict::Up, true) | (CheckVerdict::Down, false) => (true, self.verdict, 0),
        };
        self.contrary = if agrees {
            0
        } else {
            self.contrary.saturating_add(1)
        };
        if self.contrary >= needed {
            self.verdict = next;
            self.contrary = 0;
        }
        self.last = Some(LastResult {
            at,
            duration,
            result,
        });
    }

    /// The time from the start of one run to the start of the next.
    fn interval(&self) -> Nanos {
        let interval = nanos(self.rules.interval).max(MIN_INTERVAL);
        match self.verdict {
            CheckVerdict::Starting => interval.min(MAX_STARTING_INTERVAL),
            CheckVerdict::Up | CheckVerdict::Down => interval,
        }
    }

    /// The age of the last result, if there should be a newer one. Then the worker's runtime does not start runs.
    pub(super) fn stale(&self, now: Nanos) -> Option<Duration> {
        let last = self.last.as_ref()?;
        let age = now.saturating_sub(last.at);
        let expected = nanos(self.rules.interval)
            .saturating_mul(2)
            .saturating_add(nanos(self.rules.timeout));
        (age > expected).then(|| Duration::from_nanos(age))
    }
}

/// The error of a run that exceeded its time limit.
pub(super) fn timeout_error(timeout: Duration, report: &ProbeReport) -> String {
    format!(
        "no response within {}{}",
        format_span(nanos(timeout)),
        report.timed_out()
    )
}

#[cfg(test)]
mod tests {
    use super::super::status::SuccessDetail;
    use super::*;
    use crate::clock::Clock;

    const RULES: CheckRules = CheckRules {
        timeout: Duration::from_secs(5),
        interval: Duration::from_secs(10),
        failures: 3,
        successes: 2,
        critical: true,
    };

    struct DrivenCheck {
        clock: Clock,
        state: CheckState,
    }

    impl DrivenCheck {
        fn new() -> Self {
            let clock = Clock::driven(Duration::ZERO);
            Self {
                state: CheckState::new(RULES, clock.now()),
                clock,
            }
        }

        fn pass(&mut self, seconds: u64) {
            self.clock.advance(Duration::from_secs(seconds));
        }

        fn start(&mut self) -> u64 {
            match self.state.next_step(self.clock.now()) {
                NextStep::Run(run) => run,
                NextStep::Wait(until) => panic!("not due before {until}"),
            }
        }

        fn waits(&mut self, until: u64) {
            let step = self.state.next_step(self.clock.now());
            assert_eq!(step, NextStep::Wait(until * 1_000_000_000));
        }

        fn finish(&mut self, run: u64, ok: bool) -> CheckVerdict {
            let result = if ok {
                Ok(SuccessDetail::default())
            } else {
                Err("no".to_owned())
            };
            self.state.finish_run(run, self.clock.now(), result);
            self.state.verdict
        }

        /// One run of no length, then the pause to the next.
        fn run(&mut self, ok: bool) -> CheckVerdict {
            let run = self.start();
            let verdict = self.finish(run, ok);
            self.pass(10);
            verdict
        }
    }

    #[test]
    fn three_failures_bring_a_check_down_and_two_successes_up() {
        use CheckVerdict::{Down, Up};
        let mut check = DrivenCheck::new();
        for (ok, verdict) in [
            (true, Up),
            (false, Up),
            (false, Up),
            (true, Up),
            (false, Up),
            (false, Up),
            (false, Down),
            (true, Down),
            (false, Down),
            (true, Down),
            (true, Up),
            (false, Up),
        ] {
            assert_eq!(check.run(ok), verdict);
        }
    }

    #[test]
    fn a_check_starts_until_its_first_success() {
        use CheckVerdict::{Down, Starting, Up};
        let mut check = DrivenCheck::new();
        assert_eq!(check.state.verdict, Starting);
        assert_eq!([check.run(false), check.run(false)], [Starting; 2]);
        assert_eq!(check.run(true), Up);
        let mut check = DrivenCheck::new();
        assert_eq!(
            [check.run(false), check.run(false), check.run(false)],
            [Starting, Starting, Down]
        );
        assert_eq!([check.run(true), check.run(true)], [Down, Up]);
    }

    #[test]
    fn it_runs_each_interval_and_each_second_until_its_first_success() {
        let mut check = DrivenCheck::new();
        let run = check.start();
        check.waits(5);
        check.finish(run, false);
        check.waits(1);
        check.pass(1);
        let run = check.start();
        check.pass(2);
        check.finish(run, true);
        check.waits(11);
        check.pass(8);
        check.start();
    }

    #[test]
    fn a_run_that_hangs_is_a_failure_an_interval_and_is_not_started_again() {
        let mut check = DrivenCheck::new();
        assert_eq!(check.run(true), CheckVerdict::Up);
        let run = check.start();
        check.pass(4);
        check.waits(15);
        check.pass(1);
        check.waits(25);
        assert_eq!(check.state.verdict, CheckVerdict::Up);
        check.pass(10);
        check.waits(35);
        assert_eq!(check.state.verdict, CheckVerdict::Up);
        check.pass(10);
        check.waits(45);
        assert_eq!(check.state.verdict, CheckVerdict::Down);
        let last = check.state.last.as_ref().unwrap();
        let error = last.result.as_ref().unwrap_err();
        assert_eq!(
            error,
            "no response for 25 s; still running, so not started again"
        );
        // It returns a success: too late to count, but the next run may start.
        assert_eq!(check.finish(run, true), CheckVerdict::Down);
        assert_eq!(
            [check.run(true), check.run(true)],
            [CheckVerdict::Down, CheckVerdict::Up]
        );
    }

    #[test]
    fn a_late_result_does_not_end_the_next_run() {
        let mut check = DrivenCheck::new();
        let first = check.start();
        check.pass(5);
        check.waits(6);
        check.finish(first, true);
        let second = check.start();
        check.finish(first, false);
        check.waits(10);
        assert_eq!(check.finish(second, true), CheckVerdict::Up);
    }

    #[test]
    fn changed_rules_apply_at_once() {
        let mut check = DrivenCheck::new();
        check.start();
        check
            .state
            .change_rules(|rules| rules.timeout = Duration::from_secs(2));
        check.waits(2);
        let mut check = DrivenCheck::new();
        check.run(true);
        check
            .state
            .change_rules(|rules| rules.interval = Duration::from_secs(30));
        check.waits(30);
    }

    #[test]
    fn a_missing_result_is_reported() {
        let mut check = DrivenCheck::new();
        assert_eq!(check.state.stale(u64::MAX), None);
        check.run(true);
        assert_eq!(check.state.stale(check.clock.now()), None);
        check.pass(20);
        assert_eq!(
            check.state.stale(check.clock.now()),
            Some(Duration::from_secs(30))
        );
    }
}
