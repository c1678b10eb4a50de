//! Metrics: typed handles and the `metrics` facade on one registry, and the page that Prometheus scrapes.
