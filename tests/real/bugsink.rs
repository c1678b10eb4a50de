//! A real server for Sentry's protocol, and the events that it has received, read through its API.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::process::{Process, Server, free_port};
use crate::web::Web;
use crate::{AnyError, Place};

#[derive(Debug)]
pub(crate) struct Bugsink {
    /// The folder of its programs.
    installed: PathBuf,
    /// The folder of its database.
    dir: PathBuf,
    pids: PathBuf,
    log: PathBuf,
    address: SocketAddr,
    token: String,
    web: Web,
    pub(crate) server: Server,
}

/// A project; each instance has its own.
#[derive(Debug)]
pub(crate) struct Project {
    id: String,
    pub(crate) dsn: String,
}

impl Bugsink {
    pub(crate) async fn start(place: &Place, installed: &Path) -> Result<Self, AnyError> {
        let dir = place.dir.join("bugsink");
        std::fs::create_dir(&dir)?;
        for file in ["bugsink_conf.py", "db.sqlite3", "snappea.sqlite3", "token"] {
            std::fs::copy(installed.join("new").join(file), dir.join(file))?;
        }
        let mut bugsink = Self {
            installed: installed.to_owned(),
            token: std::fs::read_to_string(dir.join("token"))?
                .trim()
                .to_owned(),
            dir,
            pids: place.pids.clone(),
            log: place.dir.join("bugsink.log"),
            address: free_port().await?,
            web: Web::default(),
            server: Server::default(),
        };
        bugsink.start_again().await?;
        Ok(bugsink)
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start_again(&mut self) -> Result<(), AnyError> {
        let mut command = Command::new(self.installed.join("bin/gunicorn"));
        command
            .args(["--workers", "1", "--threads", "4", "--no-control-socket"])
            .args(["--bind", &self.address.to_string(), "--chdir"])
            .arg(&self.dir)
            .arg("bugsink.wsgi")
            .env("BUGSINK_DIR", &self.dir)
            .env("PYTHONPATH", &self.dir);
        let files = (self.log.as_path(), self.log.as_path());
        self.server
            .runs(Process::start("bugsink", &mut command, &self.pids, files)?);
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ready = self
                .web
                .get(format!("http://{}/health/ready", self.address));
            match ready.await {
                Ok(response) if response.status == 200 => return Ok(()),
                refused if Instant::now() > deadline => {
                    let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                    let last = log.lines().last().unwrap_or_default();
                    return Err(format!("it did not start: {refused:?}, {last}").into());
                }
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
    }

    pub(crate) async fn project(&self, name: &str) -> Result<Project, AnyError> {
        let team = self.post("teams", &json!({ "name": name })).await?;
        let project = json!({ "name": name, "team": team["id"] });
        let project = self.post("projects", &project).await?;
        let id = project["id"].as_str().ok_or("a project has no id")?;
        let project = self.get(&format!("projects/{id}/")).await?;
        let dsn = project["dsn"].as_str().ok_or("a project has no DSN")?;
        // The DSN that it generates has the address of its settings.
        let (key, _) = dsn.split_once('@').ok_or("the DSN has no key")?;
        Ok(Project {
            id: id.to_owned(),
            dsn: format!("{key}@{}/{id}", self.address),
        })
    }

    /// The events of a project by ID, each with the number for requests to the API.
    pub(crate) async fn events(
        &self,
        project: &Project,
    ) -> Result<BTreeMap<String, String>, AnyError> {
        let mut events = BTreeMap::new();
        for issue in self.all(&format!("issues/?project={}", project.id)).await? {
            let issue = issue["id"].as_str().unwrap_or_default();
            for event in self.all(&format!("events/?issue={issue}")).await? {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                events.insert(text("event_id").replace('-', ""), text("id"));
            }
        }
        Ok(events)
    }

    /// The sent data of an event, by its number.
    pub(crate) async fn event(&self, number: &str) -> Result<Value, AnyError> {
        Ok(self.get(&format!("events/{number}/")).await?["data"].clone())
    }

    async fn all(&self, path: &str) -> Result<Vec<Value>, AnyError> {
        let (mut all, mut path) = (Vec::new(), Some(path.to_owned()));
        while let Some(page) = path {
            let page = self.get(&page).await?;
            all.extend(page["results"].as_array().cloned().unwrap_or_default());
            let next = page["next"].as_str().and_then(|url| url.split_once("/0/"));
            path = next.map(|(_, path)| path.to_owned());
        }
        Ok(all)
    }

    async fn get(&self, path: &str) -> Result<Value, AnyError> {
        self.send(Request::get(self.url(path)).body(Body::empty())?)
            .await
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, AnyError> {
        let request = Request::post(self.url(&format!("{path}/")));
        let request = request.header("content-type", "application/json");
        self.send(request.body(Body::from(body.to_string()))?).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}/api/canonical/0/{path}", self.address)
    }

    async fn send(&self, mut request: Request<Body>) -> Result<Value, AnyError> {
        let token = format!("Bearer {}", self.token).parse()?;
        request.headers_mut().insert("authorization", token);
        let response = self.web.send(request).await?;
        if !matches!(response.status, 200 | 201) {
            let (status, body) = (response.status, response.body);
            return Err(format!("Bugsink responded with {status}: {body:?}").into());
        }
        Ok(serde_json::from_slice(&response.body)?)
    }
}
