//! Named checks and the health endpoints.
