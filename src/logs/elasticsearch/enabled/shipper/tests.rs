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
    tokio::runtime::Builder::new_current_thread()
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
