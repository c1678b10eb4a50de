//! Writes some log records to files and searches them.
//!
//! ```text
//! $ cargo run --example search_logs -- 'timeout OR "timed out"'
//! ```
//!
//! The first argument is the query, in the language of searches; see the guide "How to search". This is its output for the
//! query above:
//!
//! ```text
//! WARN  payment timed out, retrying in 5 s
//! ERROR cannot charge the card: timeout
//! 2 of 6 lines, complete, from files
//! ```

use std::time::Duration;

use watchpost::Monitor;
use watchpost::logs::{LogQuery, LogsConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::temp_dir().join(format!("watchpost-search-{}", std::process::id()));
    let monitor = Monitor::builder("shop")
        .data_dir(&directory)
        .logs(LogsConfig::default().console(false))
        .install()?;

    tracing::info!(order.id = 17, "loading the order");
    tracing::error!(
        order.id = 17,
        customer = "O'Reilly Media",
        "cannot charge the card: timeout"
    );
    tracing::warn!(
        order.id = 18,
        attempt = 1,
        "payment timed out, retrying in 5 s"
    );
    tracing::info!(order.id = 18, attempt = 2, "payment accepted");
    tracing::info!(took_ms = 2500.5, "report written");
    tracing::info!(took_ms = 12.25, "report written");
    // A record is in the files within 100 ms. The example does not wait for that.
    monitor.flush(Duration::from_secs(5)).await;

    let text = std::env::args().nth(1);
    let text = text.as_deref().unwrap_or("timeout OR \"timed out\"");
    let query = match LogQuery::default().text(text) {
        Ok(query) => query.limit(20),
        Err(error) => {
            // Shows where the text is not valid.
            println!(
                "{text}\n{}^ expected {}",
                " ".repeat(error.position()),
                error.expected()
            );
            return Ok(());
        }
    };
    let found = monitor.search_logs(&query).await?;
    for line in &found.lines {
        println!("{:<5} {}", line.level.as_str(), line.message());
    }
    println!(
        "{} of {} lines, {}, from {}",
        found.lines.len(),
        monitor.totals(watchpost::RecordKind::Log).emitted(),
        found.end.as_str(),
        found.source.as_str()
    );
    monitor.shutdown(Duration::from_secs(3)).await;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}
