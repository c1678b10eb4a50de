//! Generated content: how many items of each kind the service generates, how long that takes, and how often it fails.
//!
//! [`Monitor::content`](crate::Monitor::content) returns a handle for one kind of content. Keep it, such as in the state
//! of the application: getting one takes a lock, recording through it does not.
//!
//! ```
//! # async fn example(monitor: watchpost::Monitor) -> Result<(), std::io::Error> {
//! # async fn write_article() -> Result<String, std::io::Error> { Ok(String::new()) }
//! # fn draw_image() -> Option<Vec<u8>> { None }
//! let articles = monitor.content("article");
//! let article = articles.try_run(write_article()).await?;
//!
//! // Code that is no future:
//! let generation = monitor.content("image").begin();
//! match draw_image() {
//!     Some(_) => generation.finish(),
//!     None => generation.fail(),
//! }
//!
//! // A duration that is known already:
//! monitor.content("summary").generated(std::time::Duration::from_millis(1250));
//! # Ok(())
//! # }
//! ```
//!
//! # Metrics
//!
//! | metric | what | labels |
//! |---|---|---|
//! | `content_generated_total` | items that were generated | `content_kind` |
//! | `content_generation_duration_seconds` | the time that generating one took: a histogram | `content_kind` |
//! | `content_generation_failures_total` | attempts that generated nothing | `content_kind`, `watchpost_outcome` |
//!
//! The outcome of an attempt is `failed`, `cancelled` if it was dropped before its end, or `panicked`. Attempts that
//! generated nothing have no duration. A kind is exposed from the first call of `content` on, and an outcome from its first
//! attempt on:
//!
//! ```text
//! # TYPE content_generated_total counter
//! content_generated_total{content_kind="article"} 2
//! # TYPE content_generation_duration_seconds histogram
//! content_generation_duration_seconds_bucket{content_kind="article",le="0.01"} 0
//! content_generation_duration_seconds_bucket{content_kind="article",le="0.1"} 0
//! content_generation_duration_seconds_bucket{content_kind="article",le="0.5"} 1
//! content_generation_duration_seconds_bucket{content_kind="article",le="1"} 1
//! content_generation_duration_seconds_bucket{content_kind="article",le="2.5"} 2
//! # ..
//! content_generation_duration_seconds_sum{content_kind="article"} 2.25
//! content_generation_duration_seconds_count{content_kind="article"} 2
//! # TYPE content_generation_failures_total counter
//! content_generation_failures_total{content_kind="article",watchpost_outcome="failed"} 1
//! ```
//!
//! `sum(rate(content_generated_total[5m])) by (content_kind)` is the number of items a second.
//!
//! A kind is a label, so it must be a name from a small set, never text from a client. Its length and the number of
//! kinds are [limited](crate::metrics#cardinality-limits) like those of every label.

mod generation;
mod handle;
mod instruments;
mod series;

pub use self::generation::ContentGeneration;
pub use self::handle::Content;

pub(crate) use self::instruments::ContentInstruments;
