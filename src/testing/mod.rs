//! A test harness: a monitor whose log records and series are available as values, with a clock that the test advances.
//!
//! Requires the feature `testing`; enable it in `[dev-dependencies]`. Each harness has its own monitor and sets no
//! process global, so tests can run in parallel.
//!
//! ```toml
//! [dev-dependencies]
//! watchpost = { version = "0.1", features = ["testing"] }
//! ```
//!
//! A request is recorded when its body has been read to the end. Read it before you look at the metrics: a response
//! that is still alive is not counted yet, and one that is dropped unread is `body_dropped`.
//!
//! ```
//! # #[cfg(feature = "axum")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! use axum::{Router, body::Body, http::Request, routing::get};
//! use tower::ServiceExt;
//! use watchpost::{Monitor, testing::Harness};
//!
//! fn app(monitor: &Monitor) -> Router {
//!     Router::new().route("/books/{id}", get(|| async { "a book" })).layer(monitor.layer())
//! }
//!
//! let harness = Harness::new();
//! let response = app(&harness).oneshot(Request::new(Body::empty())).await.unwrap();
//! axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
//! let unmatched = [("http_route", "_unmatched"), ("watchpost_outcome", "completed")];
//! assert_eq!(harness.page().sum("http_server_request_duration_seconds_count", &unmatched), 1.0);
//! # }
//! # #[cfg(not(feature = "axum"))]
//! # fn main() {}
//! ```
//!
//! A harness sets no subscriber. To record `tracing` events, set one for the test's thread:
//!
//! ```
//! use tracing_subscriber::layer::SubscriberExt;
//! use watchpost::testing::Harness;
//!
//! let harness = Harness::new();
//! let subscriber = tracing_subscriber::registry().with(harness.tracing_layer());
//! let _guard = tracing::subscriber::set_default(subscriber);
//! tracing::info!("loading the book");
//! assert!(harness.lines()[0].contains("loading the book"));
//! ```

mod harness;
mod page;

pub use self::harness::Harness;
pub use self::page::{Page, Sample};
