use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::Response;
use reqwest::{Body, RequestBuilder, ResponseBuilderExt as _};

use super::super::calls::Calls;
use super::super::guard::CallGuard;
use super::super::layer::ClientFuture;
use super::super::service::External;
use super::super::watched::Watched;

/// A request of reqwest that is to be sent, made by [`External::send`].
#[must_use = "a request is sent when it is awaited"]
pub struct SendRequest {
    calls: Arc<Calls>,
    service: Arc<Watched>,
    builder: RequestBuilder,
    template: Option<Cow<'static, str>>,
}

impl External {
    /// Sends a request of reqwest as a call: it carries the trace and ends with the last byte of its answer. Feature
    /// `reqwest`.
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor, client: reqwest::Client) -> reqwest::Result<()> {
    /// let weather = monitor.external("weather");
    /// let request = client.get("http://weather.internal/v1/cities/17?key=secret");
    /// let answer = weather.send(request).template("/v1/cities/{id}").await?;
    /// let text = answer.text().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Redirects and retries are reqwest's own and belong to the one call; the trace's headers go along where a
    /// redirect leads, to other servers too. A request that cannot be built is no call. To say more of a call, such as the [tokens](CallGuard::tokens) that its answer tells, begin it by
    /// [`call`](External::call), [`inject`](CallGuard::inject) its headers into the request and read the answer in
    /// [`try_run_with`](CallGuard::try_run_with).
    ///
    /// # Errors
    ///
    /// Those of [`RequestBuilder::send`](reqwest::RequestBuilder::send).
    ///
    /// # Cancel safety
    ///
    /// Dropped before the answer came, the call was cancelled; with the answer dropped before its end, its body was.
    pub fn send(&self, request: RequestBuilder) -> SendRequest {
        let (calls, service) = self.parts();
        SendRequest {
            calls: Arc::clone(calls),
            service: Arc::clone(service),
            builder: request,
            template: None,
        }
    }
}

impl SendRequest {
    /// Sets the URL's template, such as `/v1/models/{id}`, which names the span; at most 256 bytes.
    pub fn template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.template = Some(template.into());
        self
    }

    async fn send(self) -> reqwest::Result<reqwest::Response> {
        let (client, request) = self.builder.build_split();
        let mut request = request?;
        if !matches!(request.url().scheme(), "http" | "https") {
            // reqwest refuses it: nothing is sent, and no service is to blame.
            return client.execute(request).await;
        }
        let url = request.url().as_str();
        let mut guard =
            CallGuard::begin(&self.calls, &self.service, request.method().as_str(), url);
        if let Some(template) = self.template {
            guard = guard.template(template);
        }
        guard.inject(request.headers_mut());
        let answer = guard.inside(|| client.execute(request));
        let answer = ClientFuture::new(guard, async {
            let answer = answer.await?;
            let url = answer.url().clone();
            let (mut parts, body) = Response::<Body>::from(answer).into_parts();
            // The URL's place among the extensions is reqwest's secret.
            if let Ok(with_url) = Response::builder().url(url).body(()) {
                parts.extensions.extend(with_url.into_parts().0.extensions);
            }
            Ok(Response::from_parts(parts, body))
        });
        Ok(reqwest::Response::from(answer.await?.map(Body::wrap)))
    }
}

impl IntoFuture for SendRequest {
    type Output = reqwest::Result<reqwest::Response>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

impl fmt::Debug for SendRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request's own may show secrets.
        f.debug_struct("SendRequest")
            .field("service", &self.service.name)
            .finish_non_exhaustive()
    }
}
