use std::sync::Arc;

use super::calls::ExternalCalls;
use super::guard::CallGuard;
use super::layer::ClientLayer;
use super::limits::LimitWindow;
use super::service_state::ServiceState;

/// A service that the host calls, made by [`Monitor::external`](crate::Monitor::external).
///
/// Cheap to clone. Store it next to the client.
#[derive(Debug, Clone)]
#[must_use = "nothing is recorded until a call is made through it"]
pub struct External {
    calls: Arc<ExternalCalls>,
    service: Arc<ServiceState>,
}

impl External {
    pub(crate) fn new(calls: &Arc<ExternalCalls>, name: &str) -> Self {
        Self {
            calls: Arc::clone(calls),
            service: calls.service(name),
        }
    }

    #[cfg(feature = "reqwest")]
    pub(super) fn parts(&self) -> (&Arc<ExternalCalls>, &Arc<ServiceState>) {
        (&self.calls, &self.service)
    }

    /// Begins a call. Credentials, query values and the fragment of the URL are not recorded.
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
    /// # async fn send() -> Result<http::Response<String>, std::io::Error> { Ok(http::Response::default()) }
    /// let openai = monitor.external("openai");
    /// let call = openai.call(http::Method::POST, "https://api.openai.com/v1/responses");
    /// let record = |call: watchpost::external::CallGuard, response: &http::Response<String>| {
    ///     call.status(response.status().as_u16()).headers(response.headers())
    /// };
    /// let response = call.try_run_with(send(), record).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn call(&self, method: impl AsRef<str>, url: impl AsRef<str>) -> CallGuard {
        CallGuard::begin(&self.calls, &self.service, method.as_ref(), url.as_ref())
    }

    /// Returns a tower layer for an HTTP client.
    ///
    /// Each request becomes a call: it carries the trace, and ends with the last byte of the response.
    ///
    /// # Examples
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
    /// let response = client.call(request).await;
    /// # }
    /// ```
    pub fn client_layer(&self) -> ClientLayer {
        ClientLayer::new(&self.calls, &self.service)
    }

    /// Sets how much of a quota is used, for a service that does not report it in its responses.
    ///
    /// It becomes the window `quota`, in addition to the windows that responses report.
    ///
    /// # Examples
    ///
    /// ```
    /// # fn example(monitor: watchpost::Monitor) {
    /// monitor.external("mailer").quota(10_000, 2_400);
    /// # }
    /// ```
    pub fn quota(&self, limit: u64, used: u64) {
        let window = LimitWindow {
            name: "quota".into(),
            limit: Some(limit),
            remaining: Some(limit.saturating_sub(used)),
            reset: None,
            length: None,
        };
        let now = self.calls.now();
        let gauges = &self.calls.limit_gauges;
        self.service.record_limits(gauges, vec![window], now);
    }
}
