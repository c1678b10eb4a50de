use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::*;
use crate::clock::Clock;
use crate::metrics::MetricsConfig;

/// A history in which a counter rose by 30 within ten seconds, and the time of its snapshot.
fn history() -> (History, SystemTime) {
    let clock = Clock::driven(Duration::from_secs(1_000_000));
    let metrics = Metrics::new(MetricsConfig::default(), clock.clone(), Arc::default());
    let history = History::in_memory(&HistoryConfig::default(), &metrics);
    metrics.counter("jobs").build().add(30);
    clock.advance(Duration::from_secs(10));
    history.record();
    let now = UNIX_EPOCH + Duration::from_nanos(clock.wall(clock.now()));
    (history, now)
}

fn runtime() -> tokio::runtime::Runtime {
    // Without timers and I/O.
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

fn query() -> MetricQuery {
    MetricQuery::increase("jobs_total")
}

#[test]
fn a_reader_answers_as_the_history_on_any_runtime() {
    let (history, now) = history();
    let begin = now - Duration::from_secs(30);
    let step = Duration::from_secs(10);
    let reader: Arc<dyn MetricReader> = Arc::new(history.clone());
    let read = async {
        let query = query();
        let at = reader.at(&query, now).await.unwrap();
        (at, reader.range(&query, begin, now, step).await.unwrap())
    };
    let expected = (
        history.at(&query(), now).unwrap(),
        history.range(&query(), begin, now, step).unwrap(),
    );
    // The window begins before the history.
    let has_gap = true;
    let only = Point {
        has_gap,
        ..Point::new(now, 30.0)
    };
    assert_eq!(expected.0[0].points, [only]);
    assert_eq!(runtime().block_on(read), expected);
    let many = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .build()
        .unwrap();
    let of_task = many.block_on(many.spawn({
        let reader = Arc::clone(&reader);
        async move { reader.at(&query(), now).await.unwrap() }
    }));
    assert_eq!(of_task.unwrap(), expected.0);
    // Without a runtime.
    let query = query();
    let mut read = reader.at(&query, now);
    let poll = read
        .as_mut()
        .poll(&mut std::task::Context::from_waker(Waker::noop()));
    assert!(matches!(poll, Poll::Ready(Ok(results)) if results == expected.0));
}

#[test]
fn an_invalid_query_is_an_error_of_the_query() {
    let (history, now) = history();
    let query = MetricQuery::quantile(2.0, "jobs");
    let error = runtime()
        .block_on(MetricReader::at(&history, &query, now))
        .unwrap_err();
    assert!(error.is_query() && !error.is_reader(), "{error}");
    let query = self::query();
    let range = MetricReader::range(&history, &query, now, now, Duration::ZERO);
    assert!(runtime().block_on(range).unwrap_err().is_query());
}

#[test]
fn a_dropped_read_frees_its_place() {
    let (history, now) = history();
    let query = query();
    runtime().block_on(async {
        for _ in 0..100 {
            let mut read = MetricReader::at(&history, &query, now);
            // Begins the read, and drops it.
            poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx).is_ready())).await;
        }
        // The reads that have begun end by themselves.
        assert_eq!(
            MetricReader::at(&history, &query, now).await.unwrap().len(),
            1
        );
    });
}

#[test]
fn a_runtime_that_ends_is_an_error() {
    let (history, now) = history();
    let query = query();
    let runtime = runtime();
    let mut read = MetricReader::at(&history, &query, now);
    let handle = runtime.handle().clone();
    runtime.shutdown_background();
    let _inside = handle.enter();
    let poll = read
        .as_mut()
        .poll(&mut std::task::Context::from_waker(Waker::noop()));
    let Poll::Ready(Err(error)) = poll else {
        panic!("{poll:?}")
    };
    assert!(
        error.is_reader() && error.to_string().contains("shutting down"),
        "{error}"
    );
}
