//! A harness for tests: one monitor's series, lines and requests as values.
