use std::io::Write as _;

use super::*;
use crate::logs::ElasticsearchConfig;
use crate::model::Diagnostics;

/// The shipping of lines in memory to a server that does not exist.
fn in_memory() -> Shipping {
    let config = ElasticsearchConfig::default().urls(["http://127.0.0.1:9"]);
    let diagnostics = Arc::new(Diagnostics::default());
    let setup = ShippingSetup {
        config: &config,
        files: None,
        diagnostics: &diagnostics,
    };
    Shipping::new(&setup).unwrap()
}

fn dropped(status: &ShippingStatus) -> u64 {
    status.dropped.iter().map(|(_, count)| count).sum()
}

#[test]
fn the_end_comes_after_some_rounds_in_a_row_without_lines() {
    use LastRound::{Empty, Ended, Lines};
    for (rounds, used) in [
        (vec![Empty, Empty, Empty, Lines], 3),
        (
            vec![
                Lines, Empty, Lines, Empty, Empty, Lines, Empty, Empty, Empty, Lines,
            ],
            9,
        ),
        (vec![Empty, Ended, Empty], 2),
    ] {
        let mut left = rounds.iter();
        until_quiet(|| *left.next().unwrap(), || {});
        assert_eq!(rounds.len() - left.len(), used, "{rounds:?}");
    }
}

#[test]
fn what_a_shipper_that_hangs_has_taken_is_dropped_and_counted_once() {
    let shipping = in_memory();
    let line = "{\"timestamp\":\"2026-11-30T00:00:00Z\"}\n";
    let mut writer = shipping.writer().unwrap();
    writer.write_all(line.repeat(5).as_bytes()).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    // The server refuses the connection, so the lines are in the batch.
    shipping.0.run();
    writer.write_all(line.as_bytes()).unwrap();
    let status = shipping.status().unwrap();
    assert_eq!(
        (status.emitted, status.spooled, dropped(&status)),
        (6, 6, 0)
    );
    let mut hanging = lock(&shipping.0.shipper);
    assert_eq!(hanging.batch.len(), 5);
    assert!(!shipping.0.finish(), "something is lost");
    // It goes on after all, and lines come.
    hanging.books.update(|books, _| books.delivered += 5);
    writer.write_all(line.as_bytes()).unwrap();
    let status = shipping.status().unwrap();
    assert_eq!(status.dropped[4], ("shutdown", 7));
    assert_eq!(
        status.emitted,
        status.delivered + status.spooled + dropped(&status)
    );
    hanging.batch.clear();
}

#[test]
fn an_end_without_lines_loses_nothing() {
    let shipping = in_memory();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    assert!(shipping.0.finish());
}
