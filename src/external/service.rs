use std::sync::Arc;

use super::calls::Calls;
use super::guard::CallGuard;
use super::layer::ClientLayer;
use super::limits::Window;
use super::watched::Watched;

/// A service elsewhere whose calls are watched, made by [`Monitor::external`](crate::Monitor::external). Cheap to
/// clone; keep it where the client is kept.
#[derive(Debug, Clone)]
#[must_use = "a service is watched by the calls that are made of it"]
pub struct External {
    calls: Arc<Calls>,
    service: Arc<Watched>,
}

impl External {
    pub(crate) fn new(calls: &Arc<Calls>, name: &str) -> Self {
        Self {
            calls: Arc::clone(calls),
            service: calls.service(name),
        }
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn parts(&self) -> (&Arc<Calls>, &Arc<Watched>) {
        (&self.calls, &self.service)
    }

    /// Begins a call. Of the URL credentials and the values of the query are not kept.
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn send() -> Result<http::Response<String>, std::io::Error> { Ok(http::Response::default()) }
    /// let openai = monitor.external("openai");
    /// let call = openai.call(http::Method::POST, "https://api.openai.com/v1/responses");
    /// let note = |call: watchpost::external::CallGuard, answer: &http::Response<String>| {
    ///     call.status(answer.status().as_u16()).headers(answer.headers())
    /// };
    /// let answer = call.try_run_with(send(), note).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self, method: impl AsRef<str>, url: impl AsRef<str>) -> CallGuard {
        CallGuard::begin(&self.calls, &self.service, method.as_ref(), url.as_ref())
    }

    /// A tower layer around an HTTP client: each of its requests is a call, carries the trace, and ends with the last
    /// byte of its answer.
    ///
    /// ```
    /// use tower::{Layer, Service};
    ///
    /// # async fn example(monitor: watchpost::Monitor) {
    /// let client = tower::service_fn(async |_: http::Request<String>| {
    ///     Ok::<_, std::io::Error>(http::Response::new(String::new()))
    /// });
    /// let mut client = monitor.external("openai").client_layer().layer(client);
    /// let request = http::Request::get("http://127.0.0.1:9/").body(String::new()).unwrap();
    /// let answer = client.call(request).await;
    /// # }
    /// ```
    pub fn client_layer(&self) -> ClientLayer {
        ClientLayer::new(&self.calls, &self.service)
    }

    /// Tells how much of a quota is used, where the service does not say it in its answers.
    ///
    /// Shown as the window `quota` beside those that answers tell.
    pub fn quota(&self, limit: u64, used: u64) {
        let window = Window {
            name: "quota".into(),
            limit: Some(limit),
            remaining: Some(limit.saturating_sub(used)),
            reset: None,
            window: None,
        };
        let now = self.calls.now();
        self.service.told(&self.calls, vec![window], now);
    }
}
