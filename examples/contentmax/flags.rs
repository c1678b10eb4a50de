//! The command line.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
A content API that watches itself.

Usage: contentmax [--listen ADDR] [--data-dir DIR] [--traffic RPS] [--for SECONDS]

  --listen ADDR     address and port to serve on (default 127.0.0.1:3000; port 0 takes a free one)
  --data-dir DIR    where the database is kept (default: a temporary directory)
  --traffic RPS     requests per second of the built-in visitors, 0 to 1000 (default 20; 0 = none)
  --for SECONDS     end cleanly after that time (default: at ctrl-c or SIGTERM)
  --help            this text";

/// The most visitors that one process plays.
const MAX_TRAFFIC: u32 = 1000;

#[derive(Debug, PartialEq)]
pub(crate) struct Flags {
    pub(crate) listen: SocketAddr,
    pub(crate) data_dir: Option<PathBuf>,
    pub(crate) traffic: u32,
    pub(crate) run_for: Option<Duration>,
}

impl Default for Flags {
    fn default() -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 3000).into(),
            data_dir: None,
            traffic: 20,
            run_for: None,
        }
    }
}

/// Why there are no flags to go on with.
#[derive(Debug, PartialEq)]
pub(crate) enum Stop {
    Help,
    Wrong(String),
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Help => f.write_str(USAGE),
            Self::Wrong(what) => write!(f, "contentmax: {what}\n\n{USAGE}"),
        }
    }
}

/// Reads `--name value` and `--name=value`; the last of a repeated flag counts.
pub(crate) fn parse(arguments: impl IntoIterator<Item = String>) -> Result<Flags, Stop> {
    let mut flags = Flags::default();
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let (name, joined) = match argument.split_once('=') {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument, None),
        };
        if name == "--help" || name == "-h" {
            return Err(Stop::Help);
        }
        let mut value = |wants: &str| {
            joined
                .clone()
                .or_else(|| arguments.next())
                .ok_or_else(|| Stop::Wrong(format!("{name} wants {wants} behind it")))
        };
        match name.as_str() {
            "--listen" => {
                let wants = "an address and port such as 127.0.0.1:3000";
                let text = value(wants)?;
                flags.listen = text.parse().map_err(|_| wrong(&name, wants, &text))?;
            }
            "--data-dir" => {
                let wants = "a directory";
                let text = value(wants)?;
                if text.is_empty() {
                    return Err(wrong(&name, wants, &text));
                }
                flags.data_dir = Some(text.into());
            }
            "--traffic" => {
                let wants = "a whole number of requests per second from 0 to 1000";
                let text = value(wants)?;
                flags.traffic = text
                    .parse()
                    .ok()
                    .filter(|rps| *rps <= MAX_TRAFFIC)
                    .ok_or_else(|| wrong(&name, wants, &text))?;
            }
            "--for" => {
                let wants = "a number of seconds, 0 or more";
                let text = value(wants)?;
                let seconds: f64 = text.parse().map_err(|_| wrong(&name, wants, &text))?;
                let run_for = Duration::try_from_secs_f64(seconds);
                flags.run_for = Some(run_for.map_err(|_| wrong(&name, wants, &text))?);
            }
            _ => return Err(Stop::Wrong(format!("there is no flag `{name}`"))),
        }
    }
    Ok(flags)
}

fn wrong(name: &str, wants: &str, text: &str) -> Stop {
    Stop::Wrong(format!("{name} wants {wants}, not `{text}`"))
}
