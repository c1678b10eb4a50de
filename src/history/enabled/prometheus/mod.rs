//! Queries that a Prometheus server answers.

mod api;
mod forms;
mod lists;
mod reader;
mod response;
#[cfg(test)]
mod tests;

pub use self::reader::PrometheusReader;
