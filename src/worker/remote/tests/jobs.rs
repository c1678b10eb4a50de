//! Encoders that make their batches on the blocking pool.

use std::sync::Condvar;

use super::*;

/// Each job makes one batch with its number, once it may.
#[derive(Default)]
struct Jobs {
    state: Mutex<JobState>,
    changed: Condvar,
}

#[derive(Default)]
struct JobState {
    is_held: bool,
    panics: bool,
    started: u32,
}

impl Jobs {
    fn change(&self, change: impl FnOnce(&mut JobState)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn run(&self) -> Vec<Batch> {
        let mut state = self.state.lock().unwrap();
        state.started += 1;
        let number = state.started;
        self.changed.notify_all();
        let state = self.changed.wait_while(state, |it| it.is_held).unwrap();
        if state.panics {
            drop(state);
            planned_panic();
        }
        vec![batch(&[number])]
    }

    fn await_started(&self, number: u32) {
        let state = self.state.lock().unwrap();
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |it| it.started < number);
        assert_eq!(waited.unwrap().0.started, number);
    }
}

/// Makes a job for each flush.
struct JobEncoder(Arc<Jobs>, bool);

impl Encode for JobEncoder {
    fn takes(&self, _: RecordKind) -> bool {
        false
    }

    fn encode(&mut self, _: &Record<'_>) -> u64 {
        0
    }

    fn request_flush(&mut self) {
        self.1 = true;
    }

    fn take_job(&mut self, _: Nanos) -> Option<BatchJob> {
        let jobs = Arc::clone(&self.0);
        std::mem::take(&mut self.1).then(|| Box::new(move || jobs.run()) as BatchJob)
    }

    fn take_batches(&mut self, _: Nanos, _: bool, _: &mut Vec<Batch>) {}

    fn due(&self) -> Option<Nanos> {
        None
    }

    fn clear(&mut self) {}
}

fn start(peer: &Peer) -> (Arc<Worker>, Arc<Jobs>, Arc<RecordCounters>) {
    let (jobs, counters) = (Arc::<Jobs>::default(), Arc::<RecordCounters>::default());
    let encode = JobEncoder(Arc::clone(&jobs), false);
    let worker = Worker::start(WorkerSetup {
        observer: None,
        processors: Vec::new(),
        config: WorkerConfig::default(),
        clock: Clock::system(),
        record_queue: Arc::new(RecordQueue::new(1 << 20, Arc::clone(&counters))),
        counters: Arc::clone(&counters),
        diagnostics: Arc::default(),
        sinks: Vec::new(),
        remotes: vec![setup(peer, encode, &Arc::default())],
        tasks: Vec::new(),
    });
    (worker.unwrap(), jobs, counters)
}

#[test]
fn a_job_that_hangs_stops_nothing_else_and_goes_on_when_it_returns() {
    let taken = Taken::default();
    let peer = Peer::start(keeping(&taken, |_| Reply::status(200)));
    let (worker, jobs, counters) = start(&peer);
    jobs.change(|it| it.is_held = true);
    assert!(!worker.flush_blocking(Duration::from_millis(50)));
    jobs.await_started(1);
    let job_age = || worker.status().sinks[0].job_age;
    assert!(job_age().is_some());
    // The worker takes commands, so its thread does not hang.
    let begun = Instant::now();
    while worker.status().round_age > Duration::from_millis(500) {
        assert!(begun.elapsed() < PATIENCE);
    }
    assert_eq!(counters.totals(RecordKind::Span).emitted(), 0);
    // A flush that is requested meanwhile waits for a job that starts after it.
    let second = {
        let worker = Arc::clone(&worker);
        std::thread::spawn(move || worker.flush_blocking(PATIENCE))
    };
    assert!(!worker.flush_blocking(Duration::from_millis(50)));
    jobs.change(|it| it.is_held = false);
    assert!(second.join().unwrap());
    assert!(worker.flush_blocking(PATIENCE));
    assert_eq!(job_age(), None);
    let taken = taken.lock().unwrap().clone();
    assert_eq!(taken[..2], [1, 2], "{taken:?}");
    let totals = counters.totals(RecordKind::Span);
    assert_eq!(totals.emitted(), taken.len() as u64);
    assert_eq!(totals.delivered(), taken.len() as u64);
}

#[test]
fn a_flush_tries_at_once_what_its_job_made() {
    let taken = Taken::default();
    let mut statuses = vec![200, 401];
    let peer = Peer::start(keeping(&taken, move |_| {
        Reply::status(statuses.pop().unwrap_or(200))
    }));
    let (worker, _, counters) = start(&peer);
    // The first batch is refused, and the sink pauses for five minutes.
    assert!(worker.flush_blocking(PATIENCE));
    assert!(worker.flush_blocking(PATIENCE));
    assert_eq!(*taken.lock().unwrap(), [2]);
    assert_eq!(counters.totals(RecordKind::Span).delivered(), 1);
}

#[test]
fn a_shutdown_waits_for_its_job_and_keeps_its_deadline() {
    let taken = Taken::default();
    let peer = Peer::start(keeping(&taken, |_| Reply::status(200)));
    let (worker, _, _) = start(&peer);
    assert!(worker.shutdown_blocking(PATIENCE).is_complete());
    assert_eq!(*taken.lock().unwrap(), [1]);

    let (worker, jobs, counters) = start(&peer);
    jobs.change(|it| it.is_held = true);
    let begun = Instant::now();
    let report = worker.shutdown_blocking(Duration::from_millis(50));
    assert!(begun.elapsed() < PATIENCE);
    assert!(!report.is_complete(), "its batches are missing: {report}");
    jobs.change(|it| it.is_held = false);
    assert_eq!(counters.totals(RecordKind::Span).emitted(), 0);
}

#[test]
fn a_job_that_panics_is_counted_and_the_next_one_runs() {
    let peer = Peer::always(Reply::status(200));
    let (worker, jobs, counters) = start(&peer);
    jobs.change(|it| it.panics = true);
    assert!(
        worker.flush_blocking(PATIENCE),
        "nothing is left to wait for"
    );
    let status = worker.status();
    assert_eq!(status.recovered_panics, 1);
    assert_eq!(status.sinks[0].error, Some(SinkError::Panicked));
    jobs.change(|it| it.panics = false);
    assert!(worker.flush_blocking(PATIENCE));
    assert_eq!(counters.totals(RecordKind::Span).delivered(), 1);
    assert_eq!(worker.status().sinks[0].error, None);
}
