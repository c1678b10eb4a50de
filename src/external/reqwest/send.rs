use std::borrow::Cow;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::Response;
use reqwest::{Body, RequestBuilder, ResponseBuilderExt as _};

use super::super::calls::ExternalCalls;
use super::super::guard::CallGuard;
use super::super::layer::ClientFuture;
use super::super::service::External;
use super::super::service_state::ServiceState;

/// A reqwest request that is sent when it is awaited, made by [`External::send`].
#[must_use = "the request is sent only when this is awaited"]
pub struct SendRequest {
    calls: Arc<ExternalCalls>,
    service: Arc<ServiceState>,
    builder: RequestBuilder,
    template: Option<Cow<'static, str>>,
}

impl External {
    /// Sends a reqwest request as a call, with the feature `reqwest`.
    ///
    /// The request carries the trace, and the call ends with the last byte of the response. Redirects and retries of
    /// reqwest belong to the one call; the trace's headers are sent along a redirect, also to other servers. A request
    /// that cannot be built is not recorded as a call.
    ///
    /// To record more, such as the [tokens](CallGuard::tokens) that a response reports, begin the call with
    /// [`call`](External::call), [`inject`](CallGuard::inject) its headers into the request, and read the response in
    /// [`try_run_with`](CallGuard::try_run_with).
    ///
    /// # Examples
    ///
    /// ```
    /// # async fn example(monitor: watchpost::Monitor, client: reqwest::Client) -> reqwest::Result<()> {
    /// let weather = monitor.external("weather");
    /// let request = client.get("http://weather.internal/v1/cities/17?key=secret");
    /// let response = weather.send(request).template("/v1/cities/{id}").await?;
    /// let text = response.text().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the errors of [`RequestBuilder::send`](reqwest::RequestBuilder::send).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before the response arrives, the call ends as cancelled. If the response is dropped
    /// before its end, the outcome is `body_dropped`.
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
    /// Sets the URL template, such as `/v1/models/{id}`, which names the span. It is cut to 256 bytes.
    pub fn template(mut self, template: impl Into<Cow<'static, str>>) -> Self {
        self.template = Some(template.into());
        self
    }

    async fn send(self) -> reqwest::Result<reqwest::Response> {
        let (client, request) = self.builder.build_split();
        let mut request = request?;
        if !matches!(request.url().scheme(), "http" | "https") {
            // reqwest returns an error and sends nothing, so this is not a call of the service.
            return client.execute(request).await;
        }
        let url = request.url().as_str();
        let mut guard =
            CallGuard::begin(&self.calls, &self.service, request.method().as_str(), url);
        if let Some(template) = self.template {
            guard = guard.template(template);
        }
        guard.inject(request.headers_mut());
        let response = guard.in_scope(|| client.execute(request));
        let response = ClientFuture::new(guard, async {
            let response = response.await?;
            let url = response.url().clone();
            let (mut parts, body) = Response::<Body>::from(response).into_parts();
            // reqwest stores the URL in an extension of a private type, which only its builder can make.
            if let Ok(with_url) = Response::builder().url(url).body(()) {
                parts.extensions.extend(with_url.into_parts().0.extensions);
            }
            Ok(Response::from_parts(parts, body))
        });
        Ok(reqwest::Response::from(response.await?.map(Body::wrap)))
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
        // The request is left out, since its `Debug` output may show secrets.
        f.debug_struct("SendRequest")
            .field("service", &self.service.name)
            .finish_non_exhaustive()
    }
}
