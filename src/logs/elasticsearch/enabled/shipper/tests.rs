use super::super::batch::tests::document;
use super::super::line_queue::LineQueue;
use super::*;
use crate::logs::ElasticsearchConfig;
use crate::worker::{HttpClient, TlsRoots};

/// A shipper of lines in memory, whose server nobody asks.
fn shipper() -> LogShipper {
    let config = ElasticsearchConfig::default().urls(["http://127.0.0.1:9"]);
    let client = HttpClient::new(&TlsRoots::default()).unwrap();
    LogShipper {
        source: LineSource::queue(&Arc::new(LineQueue::default()), 1),
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
