//! Requests to the receivers of notifications.

use std::fmt;
use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::uri::Authority;
use http::{Method, Request, Uri, header};

use super::super::notify::DeliveryError;
use crate::clock::Clock;
use crate::model::{port_of, suppressed};
use crate::worker::{AllowedAddresses, HttpClient, HttpResponse, retry_after};

/// The time limit of a request.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The maximum length of a URL, in bytes.
const MAX_URL: usize = 2048;

/// A URL that requests go to. Its path may be a secret, so nothing but the host is ever shown. It has a client of its own, so that
/// a name that cannot be looked up delays no other target.
#[derive(Clone)]
pub(in crate::alerts::enabled) struct HttpTarget {
    client: HttpClient,
    url: Uri,
}

impl HttpTarget {
    /// A target on the internet, over TLS. With `is_internal`, it may also be in a private network or on this machine, without
    /// TLS.
    ///
    /// # Errors
    ///
    /// Returns what is wrong with the URL, without its path.
    pub(in crate::alerts::enabled) fn new(url: &str, is_internal: bool) -> Result<Self, String> {
        let parsed = url.trim().parse::<Uri>().ok();
        let parsed = parsed.filter(|it| url.len() <= MAX_URL && it.host().is_some());
        let parsed = parsed.ok_or("it is not a URL: write one with `https://`")?;
        match parsed.scheme_str() {
            Some("https") => {}
            Some("http") if is_internal => {}
            Some("http") => {
                return Err(
                    "it is not `https://`: use TLS, or allow internal receivers if it is in your own network"
                        .to_owned(),
                );
            }
            _ => return Err("it is not a URL: write one with `https://`".to_owned()),
        }
        let has_user = parsed
            .authority()
            .is_some_and(|it| it.as_str().contains('@'));
        if has_user {
            return Err("it has a password before the host, which is not supported".to_owned());
        }
        if let Some(problem) = parsed.authority().and_then(|it| port_of(it).err()) {
            return Err(problem.to_owned());
        }
        let allowed = if is_internal {
            AllowedAddresses::Internal
        } else {
            AllowedAddresses::Public
        };
        Ok(Self {
            client: HttpClient::guarded(allowed)?,
            url: parsed,
        })
    }

    /// The same host and beginning of the path, with another end.
    pub(super) fn with_path(&self, path: &str) -> Result<Self, String> {
        let base = self.url.to_string();
        let base = base.trim_end_matches('/');
        let url = format!("{base}{path}").parse::<Uri>();
        Ok(Self {
            client: self.client.clone(),
            url: url.map_err(|_| "it is not a URL".to_owned())?,
        })
    }

    /// The host and the port, for messages.
    pub(super) fn host(&self) -> &str {
        self.url.authority().map_or("", Authority::as_str)
    }

    /// Sends a JSON body.
    pub(super) async fn post(
        &self,
        body: Vec<u8>,
        headers: &[(&str, String)],
    ) -> Result<HttpResponse, DeliveryError> {
        self.send(Method::POST, body, headers).await
    }

    pub(in crate::alerts::enabled) async fn get(&self) -> Result<HttpResponse, DeliveryError> {
        self.send(Method::GET, Vec::new(), &[]).await
    }

    async fn send(
        &self,
        method: Method,
        body: Vec<u8>,
        headers: &[(&str, String)],
    ) -> Result<HttpResponse, DeliveryError> {
        let mut request = Request::builder()
            .method(&method)
            .uri(self.url.clone())
            .header(
                header::USER_AGENT,
                concat!("watchpost/", env!("CARGO_PKG_VERSION")),
            );
        if method == Method::POST {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = request
            .body(Bytes::from(body))
            .map_err(|_| DeliveryError::rejected("the request cannot be built"))?;
        // Our own requests are no work of the host's.
        let mut send = Box::pin(self.client.send(request, TIMEOUT));
        let sent = poll_fn(|cx| suppressed(|| send.as_mut().poll(cx))).await;
        let mut response = sent.map_err(|error| DeliveryError::retry(error.to_string()))?;
        let now = Duration::from_millis(now_millis());
        response.retry_after = retry_after(&response.headers, now);
        Ok(response)
    }
}

/// Milliseconds since the Unix epoch.
pub(super) fn now_millis() -> u64 {
    let clock = Clock::system();
    clock.wall(clock.now()) / 1_000_000
}

/// Judges a status: one that `accepts`, one to be retried, or a final one. `detail` is a word of the receiver.
pub(super) fn judge(
    receiver: &str,
    response: &HttpResponse,
    accepts: impl Fn(u16) -> bool,
    retries: impl Fn(u16) -> bool,
    detail: &str,
) -> Result<(), DeliveryError> {
    let status = response.status.as_u16();
    if accepts(status) {
        return Ok(());
    }
    let detail = if detail.is_empty() {
        String::new()
    } else {
        format!(" ({detail})")
    };
    let advice = match status {
        300..=399 => "; redirects are not followed: set the final URL",
        401 | 403 => ": check the key or the URL",
        404 | 410 => ": check the URL",
        _ => "",
    };
    let text = format!("{receiver} responded with status {status}{detail}{advice}");
    let error = if retries(status) {
        DeliveryError::retry(text)
    } else {
        DeliveryError::rejected(text)
    };
    let error = error.code(status);
    Err(match response.retry_after {
        Some(wait) => error.retry_after(wait),
        None => error,
    })
}

impl fmt::Debug for HttpTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HttpTarget").field(&self.host()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::worker::peer::{Peer, Reply};

    #[test]
    fn a_url_shows_nothing_but_its_host_and_its_problem() {
        let target = HttpTarget::new("https://hooks.example.com/services/T0/hush?k=hush", false);
        assert_eq!(
            format!("{:?}", target.unwrap()),
            "HttpTarget(\"hooks.example.com\")"
        );
        for url in [
            "",
            "hush",
            "ftp://a/hush",
            "http://a/hush",
            "https://hush@a/",
            "https:///hush",
            "https://a:hush/",
            "https://a:65536/hush",
        ] {
            let problem = HttpTarget::new(url, false).unwrap_err();
            assert!(!problem.contains("hush"), "{problem}");
        }
        assert!(HttpTarget::new("http://10.0.0.1:9093/a", true).is_ok());
        let problem = HttpTarget::new("https://a:65536/", false).unwrap_err();
        assert!(problem.contains("port"), "{problem}");
    }

    #[test]
    fn a_target_whose_lookups_hang_delays_no_other() {
        let peer = Peer::always(Reply::status(200));
        let url = peer.url_by_name("localhost", "/");
        let hanging = HttpTarget::new("http://hangs.test/", true).unwrap();
        let good = HttpTarget::new(&url, true).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            // All its lookups hang.
            let mut sends = tokio::task::JoinSet::new();
            for _ in 0..8 {
                let target = hanging.clone();
                sends.spawn(async move { target.get().await });
            }
            let refused = sends.join_next().await.unwrap().unwrap().unwrap_err();
            assert!(refused.text.contains("still hang"), "{refused}");
            assert_eq!(good.get().await.unwrap().status.as_u16(), 200);
        });
        runtime.shutdown_background();
    }
}
