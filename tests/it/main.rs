//! Behaviour through the public API, in one binary.

mod console_faults;
mod errors;
mod health;
mod http_axum;
mod http_others;
mod life_cycle;
mod lines;
mod never_hurt;
mod peer;
mod spans;
mod support;
