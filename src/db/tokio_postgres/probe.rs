use super::super::pool::{Probe, ProbeReport};
use super::client::Client;

impl Probe for tokio_postgres::Client {
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        report.stage("waiting for the response to a sync message");
        let response = self.check_connection().await;
        response.map_err(|error| report.error(&error))
    }
}

impl Probe for Client {
    async fn probe(&self, report: &ProbeReport) -> Result<(), String> {
        self.inner().probe(report).await
    }
}
