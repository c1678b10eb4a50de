use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::{Clock, Nanos, nanos, seconds};
use crate::error::{Error, Result};
use crate::model::{lock, lock_for_status};

/// The maximum number of jobs.
const MAX_JOBS: usize = 1000;

/// A background job that is expected to succeed at regular times. [`Monitor::job`](crate::Monitor::job) returns it. Cheap to
/// clone.
#[derive(Clone)]
pub struct Job {
    name: Arc<str>,
    clock: Clock,
    jobs: Arc<JobList>,
}

/// The jobs of a monitor.
#[derive(Debug, Default)]
pub(super) struct JobList(Mutex<BTreeMap<Arc<str>, BackgroundJob>>);

#[derive(Debug, Clone, Copy)]
struct BackgroundJob {
    every: Duration,
    /// The last success; the first registration if there was none.
    last: Nanos,
    succeeded: u64,
    failed: u64,
}

/// Figures of a job, for the metrics.
#[derive(Debug, Clone)]
pub(crate) struct JobFigures {
    pub(crate) name: Arc<str>,
    pub(crate) succeeded: u64,
    pub(crate) failed: u64,
    /// The seconds since the next success was due; 0 if it is not due yet.
    pub(crate) overdue: f64,
}

impl JobList {
    /// Adds a job. A job of the same name gets the new time between successes, and keeps its counts.
    pub(super) fn add(self: &Arc<Self>, name: &str, every: Duration, clock: &Clock) -> Result<Job> {
        let mut jobs = lock(&self.0);
        if !jobs.contains_key(name) && jobs.len() >= MAX_JOBS {
            return Err(Error::alert("there are a thousand jobs: add no more"));
        }
        let name: Arc<str> = name.into();
        let new = BackgroundJob {
            every,
            last: clock.now(),
            succeeded: 0,
            failed: 0,
        };
        jobs.entry(Arc::clone(&name)).or_insert(new).every = every;
        Ok(Job {
            name,
            clock: clock.clone(),
            jobs: Arc::clone(self),
        })
    }

    /// `None` in a child made by `fork` if a thread of the parent held the lock.
    pub(super) fn figures(&self, now: Nanos) -> Option<Vec<JobFigures>> {
        let figures = |(name, job): (&Arc<str>, &BackgroundJob)| {
            let due = job.last.saturating_add(nanos(job.every));
            JobFigures {
                name: Arc::clone(name),
                succeeded: job.succeeded,
                failed: job.failed,
                overdue: seconds(now.saturating_sub(due)),
            }
        };
        let jobs = lock_for_status(&self.0)?;
        Some(jobs.iter().map(figures).collect())
    }
}

impl Job {
    /// Notes that the job has succeeded.
    pub fn succeeded(&self) {
        let now = self.clock.now();
        if let Some(job) = lock(&self.jobs.0).get_mut(&self.name) {
            job.last = now;
            job.succeeded = job.succeeded.saturating_add(1);
        }
    }

    /// Notes that the job has failed. It is still due.
    pub fn failed(&self) {
        if let Some(job) = lock(&self.jobs.0).get_mut(&self.name) {
            job.failed = job.failed.saturating_add(1);
        }
    }

    /// Runs the job, and notes whether it succeeded.
    ///
    /// # Errors
    ///
    /// Returns the error of the job.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is noted: the job is still due.
    pub async fn run<T, E>(
        &self,
        work: impl Future<Output = std::result::Result<T, E>>,
    ) -> std::result::Result<T, E> {
        let result = work.await;
        if result.is_ok() {
            self.succeeded();
        } else {
            self.failed();
        }
        result
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_overdue_until_it_succeeds() {
        let clock = Clock::driven(Duration::ZERO);
        let jobs = Arc::new(JobList::default());
        let job = jobs
            .add("nightly", Duration::from_secs(60), &clock)
            .unwrap();
        let overdue = || jobs.figures(clock.now()).unwrap()[0].overdue;
        clock.advance(Duration::from_secs(60));
        assert_eq!(overdue(), 0.0);
        clock.advance(Duration::from_secs(5));
        job.failed();
        assert_eq!(overdue(), 5.0);
        job.succeeded();
        clock.advance(Duration::from_secs(61));
        assert_eq!(overdue(), 1.0);
        // Registered again, it keeps its counts.
        jobs.add("nightly", Duration::from_secs(100), &clock)
            .unwrap();
        let figures = jobs.figures(clock.now()).unwrap().remove(0);
        assert_eq!(
            (figures.succeeded, figures.failed, figures.overdue),
            (1, 1, 0.0)
        );
    }

    #[test]
    fn the_number_of_jobs_has_a_limit() {
        let clock = Clock::driven(Duration::ZERO);
        let jobs = Arc::new(JobList::default());
        for number in 0..MAX_JOBS {
            jobs.add(&number.to_string(), Duration::ZERO, &clock)
                .unwrap();
        }
        assert!(jobs.add("another", Duration::ZERO, &clock).is_err());
        assert!(jobs.add("0", Duration::ZERO, &clock).is_ok());
    }
}
