//! Log records in an Elasticsearch or an OpenSearch, also after an outage.
//!
//! ```text
//! $ cargo run --example ship_to_elasticsearch --features elasticsearch -- http://127.0.0.1:9200
//! 1000 log records are in ./shipped/logs
//! delivered 1000, waiting 0
//! ```
//!
//! The server has them under their day:
//!
//! ```text
//! $ curl 'http://127.0.0.1:9200/watchpost-logs-*/_search?q=order.id:7&filter_path=hits.hits._source'
//! {"hits":{"hits":[{"_source":{"@timestamp":"2026-11-30T11:06:11.620440Z","log.level":"INFO",
//!   "log.logger":"ship_to_elasticsearch","message":"an order","order.id":7,"service.name":"shop"}}]}}
//! ```
//!
//! If the server is down, the records wait in the files. Start the example again when it is back: it sends the records of both
//! runs, each of them once.
//!
//! Without an argument, the server is that of `ELASTICSEARCH_URL`, with `ELASTICSEARCH_USERNAME` and `ELASTICSEARCH_PASSWORD`, or
//! with `ELASTICSEARCH_API_KEY`.

use std::thread::sleep;
use std::time::Duration;

use watchpost::Monitor;
use watchpost::logs::{ElasticsearchConfig, LogsConfig};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Monitor::builder("shop")
        .data_dir("shipped")
        .logs(LogsConfig::default().console(false));
    if let Some(url) = std::env::args().nth(1) {
        builder = builder.elasticsearch(ElasticsearchConfig::default().urls([url]));
    }
    let monitor = builder.install()?;
    for id in 0..1000 {
        tracing::info!(order.id = id, "an order");
    }
    // They are synced to the disk: from here on, neither the end of the process nor an outage of the server loses one.
    monitor.flush_blocking(Duration::from_secs(5))?;
    println!("1000 log records are in ./shipped/logs");
    let read = || {
        let delivered = "watchpost_elasticsearch_records_total{result=\"delivered\"}";
        let delivered = figure(&monitor, delivered).unwrap_or_default();
        let waiting = figure(&monitor, "watchpost_elasticsearch_waiting").unwrap_or_default();
        (delivered, waiting)
    };
    // Both are 0 until the files are open, which takes a quarter of a second.
    for _ in 0..100 {
        let (delivered, waiting) = read();
        if delivered > 0.0 && waiting == 0.0 {
            break;
        }
        sleep(Duration::from_millis(100));
    }
    let (delivered, waiting) = read();
    println!("delivered {delivered}, waiting {waiting}");
    // Sends what is left, and stores the position.
    monitor.shutdown_blocking(Duration::from_secs(5))?;
    Ok(())
}

/// A value of the metrics page; `None` if no server is set.
fn figure(monitor: &Monitor, name: &str) -> Option<f64> {
    let page = monitor.metrics().render();
    let line = page
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line?.parse().ok()
}
