//! Settings: defaults, a TOML file, the environment and code, in rising order of precedence.
