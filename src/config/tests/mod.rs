//! Tests of the precedence of sources and of the values that each source rejects.

mod bad;
mod good;
mod guide;
mod otel;
mod precedence;
mod random;

use std::path::PathBuf;

use super::{CodeSettings, Environment, ResolvedConfig, Sources, resolve};
use crate::Result;

/// A secret that no message may show.
const SECRET: &str = "Zq7Rf2Lw9Xk4Tn8Vb3Mc6Hd1Js5Pg0Qy";

/// A settings file in a temporary directory, removed when dropped.
struct Written {
    path: PathBuf,
    _directory: tempfile::TempDir,
}

fn written(bytes: impl AsRef<[u8]>) -> Written {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("watchpost.toml");
    std::fs::write(&path, bytes).unwrap();
    Written {
        path,
        _directory: directory,
    }
}

fn from_file(bytes: impl AsRef<[u8]>) -> Result<ResolvedConfig> {
    let written = written(bytes);
    resolve(Sources {
        file: Some(written.path.clone()),
        ..Sources::default()
    })
}

fn from_environment(variables: &[(&str, &str)]) -> Result<ResolvedConfig> {
    resolve(Sources {
        environment: Environment::of(variables.iter().copied()),
        ..Sources::default()
    })
}

fn from_code(key: &'static str, value: &str) -> Result<ResolvedConfig> {
    resolve(Sources {
        code: vec![code(key, value)],
        ..Sources::default()
    })
}

fn code(key: &'static str, value: &str) -> CodeSettings {
    CodeSettings::text(".call(..)", key, value)
}
