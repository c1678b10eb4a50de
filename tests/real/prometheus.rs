//! Prometheus: its process and its HTTP API.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::process::{Process, Server, free_port, size_of_files};
use crate::{AnyError, Place};

pub(crate) type Labels = BTreeMap<String, String>;

pub(crate) struct Prometheus {
    binary: PathBuf,
    /// The folder of its files.
    dir: PathBuf,
    /// The name of its configuration `NAME.yml`, its data `NAME` and its log `NAME.log`.
    name: &'static str,
    /// The features that are enabled.
    features: &'static str,
    pids: PathBuf,
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
    pub(crate) server: Server,
}

impl Prometheus {
    pub(crate) async fn start(place: &Place, binary: PathBuf) -> Result<Self, AnyError> {
        Self::start_as(place, binary, "prometheus", "exemplar-storage").await
    }

    /// Starts one with the configuration `NAME.yml`.
    pub(crate) async fn start_as(
        place: &Place,
        binary: PathBuf,
        name: &'static str,
        features: &'static str,
    ) -> Result<Self, AnyError> {
        let mut prometheus = Self {
            binary,
            dir: place.dir.clone(),
            name,
            features,
            pids: place.pids.clone(),
            address: free_port().await?,
            client: Client::builder(TokioExecutor::new()).build_http(),
            server: Server::default(),
        };
        prometheus.start_again().await?;
        Ok(prometheus)
    }

    /// Starts it with its existing data, and waits until it responds.
    pub(crate) async fn start_again(&mut self) -> Result<(), AnyError> {
        let flag = |name: &str, value: String| format!("--{name}={value}");
        let name = self.name;
        let path = |name: &str| self.dir.join(name).display().to_string();
        let mut command = Command::new(&self.binary);
        command.args([
            flag("config.file", path(&format!("{name}.yml"))),
            flag("storage.tsdb.path", path(name)),
            flag("web.listen-address", self.address.to_string()),
            flag("enable-feature", self.features.to_owned()),
        ]);
        // For the size of its samples.
        command.arg("--web.enable-admin-api");
        let log = self.dir.join(format!("{name}.log"));
        let files = (log.as_path(), log.as_path());
        self.server.runs(Process::start(
            "prometheus",
            &mut command,
            &self.pids,
            files,
        )?);
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = self.get("/api/v1/status/buildinfo").await {
            if Instant::now() > deadline {
                let log = std::fs::read_to_string(&log).unwrap_or_default();
                let last = log.lines().last().unwrap_or_default();
                return Err(format!("it did not start: {error}, {last}").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// The latest value of each series of one job.
    pub(crate) async fn query(
        &self,
        name: &str,
        job: &str,
    ) -> Result<Vec<(Labels, u64)>, AnyError> {
        let response = self.get(&format!("/api/v1/query?query={name}")).await?;
        let series = response["data"]["result"].as_array().cloned();
        let mut values = Vec::new();
        for series in series.unwrap_or_default() {
            let labels: Labels = serde_json::from_value(series["metric"].clone())?;
            if labels.get("job").is_some_and(|label| label == job) {
                let value = series["value"][1].as_str().unwrap_or_default();
                values.push((labels, value.parse()?));
            }
        }
        Ok(values)
    }

    /// The value of a query with one series in its result.
    pub(crate) async fn number(&self, query: &str, at: SystemTime) -> Result<f64, AnyError> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let time = at.duration_since(UNIX_EPOCH)?.as_secs_f64();
        let response = self
            .get(&format!("/api/v1/query?query={encoded}&time={time:.3}"))
            .await?;
        match response["data"]["result"].as_array().map(Vec::as_slice) {
            Some([series]) => Ok(series["value"][1].as_str().unwrap_or_default().parse()?),
            _ => Err(format!("{query}: {}", response["data"]["result"]).into()),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The labels and the value of each series in the result of a query.
    pub(crate) async fn values(
        &self,
        query: &str,
        at: SystemTime,
    ) -> Result<Vec<(Labels, f64)>, AnyError> {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let time = at.duration_since(UNIX_EPOCH)?.as_secs_f64();
        let response = self
            .get(&format!("/api/v1/query?query={encoded}&time={time:.3}"))
            .await?;
        let mut values = Vec::new();
        for series in response["data"]["result"].as_array().into_iter().flatten() {
            let labels = serde_json::from_value(series["metric"].clone())?;
            let value = series["value"][1].as_str().unwrap_or_default();
            values.push((labels, value.parse()?));
        }
        Ok(values)
    }

    /// Writes all samples into blocks; returns the number of bytes, samples and series in them.
    pub(crate) async fn snapshot_size(&self) -> Result<(u64, u64, u64), AnyError> {
        let url = format!("{}/api/v1/admin/tsdb/snapshot", self.url());
        let body = self.client.request(Request::post(url).body(Body::empty())?);
        let body = body.await?.into_body().collect().await?.to_bytes();
        let response: Value = serde_json::from_slice(&body)?;
        let name = response["data"]["name"].as_str().ok_or("no snapshot")?;
        let folder = self.dir.join(self.name).join("snapshots").join(name);
        let (mut samples, mut series) = (0, 0);
        for block in std::fs::read_dir(&folder)? {
            let meta = std::fs::read_to_string(block?.path().join("meta.json"))?;
            let meta: Value = serde_json::from_str(&meta)?;
            samples += meta["stats"]["numSamples"].as_u64().unwrap_or_default();
            series += meta["stats"]["numSeries"].as_u64().unwrap_or_default();
        }
        Ok((size_of_files(&folder), samples, series))
    }

    /// The trace ID of each exemplar of a metric, with the labels of its series.
    pub(crate) async fn exemplars(&self, name: &str) -> Result<Vec<(Labels, String)>, AnyError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let (start, end) = (now - 1800, now + 60);
        let path = format!("/api/v1/query_exemplars?query={name}&start={start}&end={end}");
        let response = self.get(&path).await?;
        let mut found = Vec::new();
        for series in response["data"].as_array().cloned().unwrap_or_default() {
            let labels: Labels = serde_json::from_value(series["seriesLabels"].clone())?;
            for exemplar in series["exemplars"].as_array().cloned().unwrap_or_default() {
                let trace = exemplar["labels"]["trace_id"].as_str().unwrap_or_default();
                found.push((labels.clone(), trace.to_owned()));
            }
        }
        Ok(found)
    }

    async fn get(&self, path: &str) -> Result<Value, AnyError> {
        let request = Request::get(format!("http://{}{path}", self.address)).body(Body::empty())?;
        let body = self.client.request(request).await?.into_body();
        let response: Value = serde_json::from_slice(&body.collect().await?.to_bytes())?;
        if response["status"] == "success" {
            Ok(response)
        } else {
            Err(response.to_string().into())
        }
    }
}
