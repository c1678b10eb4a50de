//! The host with a real `PostgreSQL`: its query counts compared with those of the server.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::collector::Collector;
use crate::host::Host;
use crate::postgres::Postgres;
use crate::relay::text_page;
use crate::tally::Tally;
use crate::traces::whole_trace;
use crate::web::Web;
use crate::{AnyError, Checks, Place, until, visits};

/// The name of the host's instance and of its database user.
const NAME: &str = "database";
/// How often the table is locked, so that queries on it wait.
const LOCKS: u32 = 5;
/// Clients that disconnect meanwhile.
const LEAVE: usize = 20;

pub(crate) async fn check(
    place: &Place,
    postgres: &Postgres,
    collector: Option<&Collector>,
    checks: &mut Checks,
) -> Result<(), AnyError> {
    let set_up = [
        format!("CREATE ROLE {NAME} LOGIN"),
        format!("CREATE DATABASE {NAME} OWNER {NAME}"),
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements".to_owned(),
    ];
    postgres.run(&set_up).await?;
    let url = postgres.url(NAME, NAME);
    let endpoint = collector.map(Collector::endpoint);
    let endpoint = endpoint.iter();
    let settings: Vec<_> = endpoint
        .map(|endpoint| ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()))
        .chain([("DATABASE_URL", url.as_str())])
        .collect();
    let host = Host::start(place, NAME, &settings).await?;
    if let Some(collector) = collector {
        checks.note(
            "a whole trace in the Collector, of a host on PostgreSQL",
            whole_trace(collector, &host, (NAME, "postgresql")).await,
        );
    }
    let mut tally = Tally::default();
    checks.note(
        "10,000 requests to a host on PostgreSQL",
        visits::make(host.address, &mut tally).await,
    );
    checks.note(
        "finished queries beside pg_stat_statements.calls",
        until(async || exact(postgres, &host).await).await,
    );
    checks.note(
        "queries that nobody waits for any more",
        cancelled(postgres, &host).await,
    );
    let report = host.end().await;
    checks.note(
        "the host on PostgreSQL ends cleanly",
        report.map(|report| format!("{:?}", report.get("request"))),
    );
    Ok(())
}

/// The queries to `PostgreSQL` on the host's page, by outcome.
async fn ended(host: &Host) -> Result<BTreeMap<String, u64>, AnyError> {
    let mut ended = BTreeMap::new();
    let page = text_page(host.address).await?;
    for line in page.lines() {
        let name = "db_client_operation_duration_seconds_count{";
        let Some((labels, value)) = line.strip_prefix(name).and_then(|it| it.split_once("} "))
        else {
            continue;
        };
        let label = |name: &str| {
            let (_, rest) = labels.split_once(&format!("{name}=\""))?;
            Some(rest.split_once('"')?.0)
        };
        let system = label("db_system_name");
        if system != Some("postgresql") {
            return Err(format!("a query to {system:?}: {line}").into());
        }
        let outcome = label("watchpost_outcome").unwrap_or_default().to_owned();
        *ended.entry(outcome).or_default() += value.parse::<u64>()?;
    }
    Ok(ended)
}

/// Without cancelled and failed queries, the server has executed the finished ones.
async fn exact(postgres: &Postgres, host: &Host) -> Result<String, AnyError> {
    // Twice in this order, since a query of a health check may come between.
    let before = ended(host).await?;
    let calls = postgres.calls(NAME).await?;
    let after = ended(host).await?;
    let finished = after.get("completed").copied().unwrap_or_default();
    let summary = format!("{after:?}, {calls} calls");
    if before == after && after.len() == 1 && finished == calls && calls > 5000 {
        Ok(summary)
    } else {
        Err(summary.into())
    }
}

/// Clients disconnect while their queries wait for a lock; the server still executes these.
async fn cancelled(postgres: &Postgres, host: &Host) -> Result<String, AnyError> {
    let before = ended(host).await?;
    for _ in 0..LOCKS {
        let lock = ["BEGIN; LOCK TABLE contents; SELECT pg_sleep(0.6); COMMIT".to_owned()];
        let (locked, left) = tokio::join!(postgres.run_in(NAME, &lock), leave(host));
        locked?;
        left?;
        // Some get a response.
        let web = Web::default();
        for _ in 0..10 {
            web.get(format!("http://{}/api/content", host.address))
                .await?;
        }
    }
    until(async || {
        let now = ended(host).await?;
        let calls = postgres.calls(NAME).await?;
        let count = |outcome: &str| now.get(outcome).copied().unwrap_or_default();
        let (finished, cancelled) = (count("completed"), count("cancelled"));
        let summary = format!("{finished} finished, {cancelled} cancelled, {calls} calls");
        let all = now.values().sum::<u64>() == finished + cancelled;
        let were = before.get("cancelled").copied().unwrap_or_default();
        let enough = cancelled >= were + u64::from(LOCKS);
        if all && enough && (finished..=finished + cancelled).contains(&calls) {
            Ok(summary)
        } else {
            Err(format!("{summary}; {now:?}").into())
        }
    })
    .await
}

/// Clients that send a request and disconnect before the response.
async fn leave(host: &Host) -> Result<(), AnyError> {
    sleep(Duration::from_millis(200)).await;
    let mut clients = Vec::new();
    for _ in 0..LEAVE {
        let mut client = TcpStream::connect(host.address).await?;
        let request = format!(
            "GET /api/content HTTP/1.1\r\nhost: {}\r\n\r\n",
            host.address
        );
        client.write_all(request.as_bytes()).await?;
        clients.push(client);
    }
    sleep(Duration::from_millis(150)).await;
    drop(clients);
    Ok(())
}
