//! Inbound requests: the endpoint layer.
