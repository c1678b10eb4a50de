//! Scrubbing of secrets, before every sink.
