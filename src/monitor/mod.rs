//! The monitor: assembles all parts, installs, drains, flushes and shuts down.
