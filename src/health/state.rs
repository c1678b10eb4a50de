//! The pure part of a check: when it is due, and what its results amount to.

use std::time::Duration;

use super::component::SuccessDetail;
use crate::clock::{Nanos, nanos};
use crate::db::ProbeReport;

/// Until its first success a check runs at least this often, so that a service is ready soon after
/// what it waits for.
const EAGER: Nanos = 1_000_000_000;
/// No check runs more often than this, whatever its interval.
const BREATH: Nanos = 10_000_000;

/// How a check is run and judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CheckRules {
    pub(super) timeout: Duration,
    pub(super) interval: Duration,
    /// Failures in a row that bring it down.
    pub(super) failures: u32,
    /// Successes in a row that bring it up again.
    pub(super) successes: u32,
    pub(super) critical: bool,
}

/// What the results so far amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckVerdict {
    /// No success yet, and too few failures to call it down.
    Starting,
    Up,
    Down,
}

/// The result of one run.
pub(super) type CheckResult = Result<SuccessDetail, String>;

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// Start the run of this number now.
    Run(u64),
    /// Nothing until this time, or until something changes.
    Wait(Nanos),
}

#[derive(Debug)]
pub(super) struct CheckState {
    pub(super) rules: CheckRules,
    pub(super) verdict: CheckVerdict,
    /// The last result.
    pub(super) last: Option<LastResult>,
    /// Results of the other kind than the verdict, in a row.
    contrary: u32,
    runs: u64,
    running: Option<RunInProgress>,
    /// When the next run is due, counted from the start of the last one.
    due: Nanos,
    /// What a run that is out of time was at.
    pub(super) report: ProbeReport,
}

#[derive(Debug)]
pub(super) struct LastResult {
    pub(super) at: Nanos,
    pub(super) took: Nanos,
    pub(super) ran: CheckResult,
}

#[derive(Debug, Clone, Copy)]
struct RunInProgress {
    since: Nanos,
    /// Whether it has been counted as a failure, so that its own result comes too late.
    given_up: bool,
    /// When it is to be counted, for the first time or once more.
    overdue: Nanos,
}

impl CheckState {
    /// A check that is due at `now`.
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

    /// Changes the rules. What is under way is measured by the new ones.
    pub(super) fn set(&mut self, change: impl FnOnce(&mut CheckRules)) {
        change(&mut self.rules);
        if let Some(running) = &mut self.running
            && !running.given_up
        {
            running.overdue = running.since.saturating_add(nanos(self.rules.timeout));
        }
        if let Some(last) = &self.last {
            self.due = last
                .at
                .saturating_sub(last.took)
                .saturating_add(self.pause());
        }
    }

    /// What is to be done at `now`. A run that is not back in time is a failure, and one more at each
    /// interval for as long as it does not come back; it is never started a second time beside itself.
    pub(super) fn step(&mut self, now: Nanos) -> NextStep {
        let Some(running) = self.running else {
            if now < self.due {
                return NextStep::Wait(self.due);
            }
            self.runs += 1;
            self.running = Some(RunInProgress {
                since: now,
                given_up: false,
                overdue: now.saturating_add(nanos(self.rules.timeout)),
            });
            return NextStep::Run(self.runs);
        };
        if now < running.overdue {
            return NextStep::Wait(running.overdue);
        }
        let took = now.saturating_sub(running.since);
        let told = if running.given_up {
            format!(
                "no answer for {}{}; still running, so not started again",
                told(took),
                self.report.timed_out()
            )
        } else {
            timed_out(self.rules.timeout, &self.report)
        };
        self.judge(now, took, Err(told));
        let overdue = now.saturating_add(self.pause());
        self.running = Some(RunInProgress {
            given_up: true,
            overdue,
            ..running
        });
        NextStep::Wait(overdue)
    }

    /// The run of this number has come back. Its result counts unless it had been given up.
    pub(super) fn finished(&mut self, run: u64, now: Nanos, ran: CheckResult) {
        let Some(running) = self.running.take_if(|_| run == self.runs) else {
            return;
        };
        if !running.given_up {
            self.judge(now, now.saturating_sub(running.since), ran);
        }
        self.due = running.since.saturating_add(self.pause()).max(now);
    }

    fn judge(&mut self, at: Nanos, took: Nanos, ran: CheckResult) {
        let (agrees, turned, needed) = match (self.verdict, ran.is_ok()) {
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
            self.verdict = turned;
            self.contrary = 0;
        }
        self.last = Some(LastResult { at, took, ran });
    }

    fn pause(&self) -> Nanos {
        let interval = nanos(self.rules.interval).max(BREATH);
        match self.verdict {
            CheckVerdict::Starting => interval.min(EAGER),
            CheckVerdict::Up | CheckVerdict::Down => interval,
        }
    }

    /// For how long there should have been a newer result, where that is so: the one who starts the runs
    /// does not.
    pub(super) fn stale(&self, now: Nanos) -> Option<Duration> {
        let last = self.last.as_ref()?;
        let age = now.saturating_sub(last.at);
        let expected = nanos(self.rules.interval)
            .saturating_mul(2)
            .saturating_add(nanos(self.rules.timeout));
        (age > expected).then(|| Duration::from_nanos(age))
    }
}

/// What is said of a run that took longer than it may.
pub(super) fn timed_out(timeout: Duration, report: &ProbeReport) -> String {
    format!(
        "no answer within {}{}",
        told(nanos(timeout)),
        report.timed_out()
    )
}

/// A span of time in a sentence.
pub(super) fn told(span: Nanos) -> String {
    match span / 1_000_000 {
        ms @ 0..10_000 => format!("{ms} ms"),
        ms => format!("{} s", ms / 1000),
    }
}

#[cfg(test)]
mod tests {
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
            match self.state.step(self.clock.now()) {
                NextStep::Run(run) => run,
                NextStep::Wait(until) => panic!("not due before {until}"),
            }
        }

        fn waits(&mut self, until: u64) {
            let step = self.state.step(self.clock.now());
            assert_eq!(step, NextStep::Wait(until * 1_000_000_000));
        }

        fn finish(&mut self, run: u64, ok: bool) -> CheckVerdict {
            let ran = if ok {
                Ok(SuccessDetail::default())
            } else {
                Err("no".to_owned())
            };
            self.state.finished(run, self.clock.now(), ran);
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
    fn three_failures_bring_down_and_two_successes_up() {
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
        let told = last.ran.as_ref().unwrap_err();
        assert_eq!(
            told,
            "no answer for 25 s; still running, so not started again"
        );
        // It comes back with a success: too late to count, but it may be started again.
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
    fn changed_rules_hold_at_once() {
        let mut check = DrivenCheck::new();
        check.start();
        check
            .state
            .set(|rules| rules.timeout = Duration::from_secs(2));
        check.waits(2);
        let mut check = DrivenCheck::new();
        check.run(true);
        check
            .state
            .set(|rules| rules.interval = Duration::from_secs(30));
        check.waits(30);
    }

    #[test]
    fn results_that_stay_away_are_told() {
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
