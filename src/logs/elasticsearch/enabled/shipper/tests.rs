use std::io::Write as _;

use super::super::batch::tests::document;
use super::super::line_queue::{LineQueue, QueueWriter};
use super::*;
use crate::logs::ElasticsearchConfig;
use crate::worker::{HttpClient, TlsRoots};

/// A shipper of lines in memory, whose server does not exist.
fn shipper() -> LogShipper {
    shipper_of(&Arc::default())
}

fn shipper_of(queue: &Arc<LineQueue>) -> LogShipper {
    let config = ElasticsearchConfig::default().urls(["http://127.0.0.1:9"]);
    let client = HttpClient::new(&TlsRoots::default()).unwrap();
    LogShipper {
        source: LineSource::queue(queue, 1),
        names: IndexNames::new("logs", false),
        server: SearchServer::new(&config, client, Arc::default()).unwrap(),
        limit: BatchLimit::new(10, 1 << 20),
        files: None,
        books: Arc::new(ShipBooks::new()),
        diagnostics: Arc::default(),
        wants_template: false,
        batch: Vec::new(),
        state: ShipState::default(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn items(statuses: &[u16]) -> Vec<BulkItem> {
    let item = |status: &u16| BulkItem {
        status: *status,
        ..BulkItem::default()
    };
    statuses.iter().map(item).collect()
}

#[test]
fn a_document_that_is_refused_for_long_does_not_slow_down_the_others() {
    let (runtime, mut shipper) = (runtime(), shipper());
    shipper.batch.push(document(0));
    for round in 1..20 {
        shipper.batch.push(document(round));
        shipper.settle(runtime.handle(), items(&[429, 201]));
        assert_eq!(shipper.state.failures, 1);
        assert_eq!(shipper.batch, [document(0)]);
    }
    // Nothing is delivered any more.
    for failures in 2..5 {
        shipper.settle(runtime.handle(), items(&[429]));
        assert_eq!(shipper.state.failures, failures);
    }
    let figures = shipper.books.figures().unwrap();
    assert_eq!((figures.delivered, figures.in_batch), (19, 1));
    assert!(figures.problem.unwrap().contains("429"));
}

#[test]
fn an_index_that_cannot_be_created_is_tried_less_and_less_often() {
    let (runtime, mut shipper) = (runtime(), shipper());
    shipper.batch.push(document(0));
    for failures in 1..4 {
        // Nobody listens at this address.
        shipper.settle(runtime.handle(), items(&[404]));
        assert_eq!(shipper.state.failures, failures);
        assert!(shipper.state.not_before > 0);
        let figures = shipper.books.figures().unwrap();
        assert_eq!(figures.failed_requests, u64::from(failures));
        let problem = figures.problem.unwrap();
        assert!(
            problem.starts_with("the index `logs-2026.11.30` cannot be created now (http://127"),
            "{problem}"
        );
        assert_eq!(shipper.batch, [document(0)]);
        shipper.end(None);
    }
}

#[test]
fn foreign_lines_are_kept_all_at_once_and_no_more_of_them_than_a_batch_has() {
    let (runtime, directory) = (runtime(), tempfile::tempdir().unwrap());
    let queue = Arc::new(LineQueue::default());
    let mut shipper = shipper_of(&queue);
    shipper.files = Some((
        ShipCursor::open(directory.path()),
        DeadLetters::new(directory.path()),
    ));
    QueueWriter(Arc::clone(&queue))
        .write_all("no log line\n".repeat(25).as_bytes())
        .unwrap();
    for (step, kept) in [
        (ShipStep::Goes, 10),
        (ShipStep::Goes, 20),
        (ShipStep::Goes, 25),
        (ShipStep::Idle, 25),
    ] {
        assert_eq!(shipper.step(runtime.handle()), step);
        let path = directory.path().join("elasticsearch.dead.log");
        let letters = std::fs::read_to_string(path).unwrap();
        assert_eq!(letters.lines().count(), kept);
        assert_eq!(shipper.books.figures().unwrap().rejected, kept as u64);
    }
    // One notice for each time that the file was written.
    let notices = shipper.diagnostics.notices();
    let numbers: Vec<_> = notices
        .iter()
        .map(|it| it.split(' ').next().unwrap())
        .collect();
    assert_eq!(numbers, ["10", "5"], "{notices:?}");
}
