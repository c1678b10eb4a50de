//! Behaviour through the public API, in one binary.

mod console_faults;
mod health;
mod http_axum;
mod http_others;
mod life_cycle;
mod lines;
mod peer;
mod support;
