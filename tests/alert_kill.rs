//! `kill -9` at any time while alerts begin and end and their notifications are delivered: what was announced reaches each
//! receiver, and each kill repeats one notification of a channel at most, with the same idempotency key.
//!
//! Without arguments, the program starts and kills children of itself, one after another in one directory. It is the receiver of
//! their notifications. `WATCHPOST_KILLS` is the number of kills, and `WATCHPOST_KILLS_FROM` the number of the first one, which
//! determines when it is killed.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use watchpost::alerts::{AlertsConfig, Bound, MissingData, Rule, Severity, WebhookChannel};
use watchpost::testing::Harness;

use crate::peer::{Peer, Reply};

#[path = "it/peer.rs"]
mod peer;

/// The default number of kills.
const KILLS: u64 = 20;
/// How long to wait for the worker and the disk. Only a hang takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
const CHANNELS: [&str; 2] = ["one", "two"];

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("child") {
        let mut args = args.map(|it| it.parse::<u64>().map_err(|_| it));
        let mut number = || args.next().and_then(Result::ok).expect("a number");
        let alerts = AlertNumbers {
            fired: number(),
            ended: number(),
        };
        let (heard, steps, port) = (number(), number(), number());
        let directory = args.next().and_then(Result::err).expect("a directory");
        child(Path::new(&directory), alerts, (heard, steps), port);
    }
    let number = |name| std::env::var(name).ok().and_then(|it| it.parse().ok());
    let kills: u64 = number("WATCHPOST_KILLS").unwrap_or(KILLS);
    let from: u64 = number("WATCHPOST_KILLS_FROM").unwrap_or_default();
    let directory = tempfile::tempdir().expect("a directory");
    let receiver = Receiver::start();
    let mut known = AlertNumbers::default();
    for n in from..from + kills {
        let lines = 25 + n * 7 % 40;
        let then = Duration::from_micros(n * 7919 % 50_000);
        let mut running = Running::start(directory.path(), known, &receiver, u64::MAX);
        for _ in 0..lines {
            known = running.report().expect("a report");
        }
        std::thread::sleep(then);
        known = running.kill().unwrap_or(known);
    }
    // The last one has nothing new but what was under way, and goes on until all is delivered.
    let mut running = Running::start(directory.path(), known, &receiver, 1);
    known = running.report().expect("a report");
    let begun = Instant::now();
    while receiver.missing(known) > 0 && begun.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(10));
    }
    running.kill();
    let lost = receiver.missing(known);
    let Repetitions { same, other } = receiver.repetitions();
    let AlertNumbers { fired, ended } = known;
    println!(
        "kill: {kills} kills with notifications in flight, {fired} alerts announced and {ended} ends to {} channels, {lost} lost, {same} repeated with the same key, {other} with another",
        CHANNELS.len()
    );
    println!(
        "result: {{\"kills\":{kills},\"announced\":{fired},\"ended\":{ended},\"lost\":{lost},\"repeated\":{same},\"other_key\":{other}}}"
    );
    let most = kills * CHANNELS.len() as u64;
    if lost > 0 || other > 0 || same > most || fired < kills || ended == 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

/// Alerts have the numbers from 1. How many have fired, and how many of these have ended.
#[derive(Debug, Clone, Copy, Default)]
struct AlertNumbers {
    fired: u64,
    ended: u64,
}

/// What the channels have delivered.
struct Receiver {
    peer: Peer,
    heard: Arc<Mutex<BTreeMap<String, Heard>>>,
}

/// What one channel has delivered.
#[derive(Debug, Default)]
struct Heard {
    firing: BTreeSet<u64>,
    resolved: BTreeSet<u64>,
    keys: BTreeSet<String>,
    repetitions: Repetitions,
}

/// The notifications that said nothing new, by whether their key was known.
#[derive(Debug, Clone, Copy, Default)]
struct Repetitions {
    same: u64,
    other: u64,
}

impl Receiver {
    fn start() -> Self {
        let heard = Arc::<Mutex<BTreeMap<String, Heard>>>::default();
        let of_script = Arc::clone(&heard);
        let mut count = 0_u64;
        let peer = Peer::start(move |seen| {
            let mut heard = of_script.lock().unwrap_or_else(PoisonError::into_inner);
            let key = seen.header("idempotency-key").expect("a key").to_owned();
            let body: Value = serde_json::from_slice(&seen.body).expect("JSON");
            heard
                .entry(seen.target.clone())
                .or_default()
                .take(key, &body);
            // So that many kills come between a request and its response.
            count += 1;
            Reply::Late(Duration::from_millis(count * 37 % 300), 200)
        });
        Self { peer, heard }
    }

    fn with<T>(&self, name: &str, read: impl FnOnce(&mut Heard) -> T) -> T {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        read(heard.entry(format!("/{name}")).or_default())
    }

    /// How many begins and ends have not arrived, of all channels.
    fn missing(&self, known: AlertNumbers) -> u64 {
        let missing = |all: &BTreeSet<u64>, count| (1..=count).filter(|n| !all.contains(n)).count();
        let of_channel = |heard: &mut Heard| {
            missing(&heard.firing, known.fired) + missing(&heard.resolved, known.ended)
        };
        CHANNELS
            .iter()
            .map(|name| self.with(name, of_channel) as u64)
            .sum()
    }

    /// The number up to which all channels have delivered that alerts fire.
    fn heard_through(&self) -> u64 {
        let through = |heard: &mut Heard| {
            (1..=u64::MAX)
                .take_while(|n| heard.firing.contains(n))
                .count()
        };
        let all = CHANNELS.iter().map(|name| self.with(name, through) as u64);
        all.min().unwrap_or(0)
    }

    fn repetitions(&self) -> Repetitions {
        let mut all = Repetitions::default();
        for name in CHANNELS {
            let of_channel = self.with(name, |heard| heard.repetitions);
            all.same += of_channel.same;
            all.other += of_channel.other;
        }
        all
    }
}

impl Heard {
    fn take(&mut self, key: String, body: &Value) {
        let mut is_new = false;
        for alert in body["alerts"].as_array().expect("alerts") {
            let series = alert["labels"]["series"].as_str().expect("a label");
            let number = series.parse().expect("a number");
            let states = match alert["status"].as_str() {
                Some("firing") => &mut self.firing,
                _ => &mut self.resolved,
            };
            is_new |= states.insert(number);
        }
        let is_known = !self.keys.insert(key);
        if !is_new {
            self.repetitions.same += u64::from(is_known);
            self.repetitions.other += u64::from(!is_known);
        }
    }
}

/// A child that runs.
struct Running {
    child: Child,
    out: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// Starts a child that goes on after `known`, for this number of steps.
    fn start(directory: &Path, known: AlertNumbers, receiver: &Receiver, steps: u64) -> Self {
        let numbers = [
            known.fired,
            known.ended,
            // What ends before a receiver has heard of it is not sent at all.
            receiver.heard_through(),
            steps,
            u64::from(receiver.peer.address().port()),
        ];
        let program = std::env::current_exe().expect("the program");
        let mut child = Command::new(program)
            .arg("child")
            .args(numbers.map(|it| it.to_string()))
            .arg(directory)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a child");
        let out = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, out }
    }

    /// What is stored, once more is.
    fn report(&mut self) -> Option<AlertNumbers> {
        let line = self.out.next()?.ok()?;
        let mut numbers = line.split(' ').filter_map(|it| it.parse().ok());
        Some(AlertNumbers {
            fired: numbers.next()?,
            ended: numbers.next()?,
        })
    }

    /// Kills the child. Returns its last report, if it made another one.
    fn kill(mut self) -> Option<AlertNumbers> {
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
        std::iter::from_fn(|| self.report()).last()
    }
}

/// Lets alerts fire and end until it is killed. Reports what is stored.
fn child(directory: &Path, stored: AlertNumbers, (heard, steps): (u64, u64), port: u64) -> ! {
    // The rules are evaluated by hand, and everything else is left to the worker.
    let config = AlertsConfig::default()
        .default_rules(false)
        .interval(Duration::from_secs(3600))
        .group_wait(Duration::ZERO)
        .group_interval(Duration::from_secs(1));
    let harness = Harness::in_real_time(|builder| builder.data_dir(directory).alerts(config));
    for name in CHANNELS {
        let url = format!("http://127.0.0.1:{port}/{name}");
        let channel = WebhookChannel::internal(name, &url).expect("a URL");
        harness.alerts().add_channel(channel).expect("a channel");
    }
    let (fired, ended) = (
        Arc::new(AtomicU64::new(stored.fired)),
        Arc::new(AtomicU64::new(stored.ended)),
    );
    let of_rule = (Arc::clone(&fired), Arc::clone(&ended));
    let values = move |_: &watchpost::history::History, _| {
        let numbers = of_rule.1.load(SeqCst) + 1..=of_rule.0.load(SeqCst);
        let series = |n: u64| (vec![("series".to_owned(), n.to_string())], 1.0);
        Ok(numbers.map(series).collect())
    };
    let rule = Rule::custom("lasting", values, Bound::above(0.0))
        .severity(Severity::Critical)
        .missing_data(MissingData::Resolve)
        .cooldown(Duration::ZERO)
        .repeat(Duration::from_secs(86_400));
    harness.alerts().add_rule(rule).expect("a rule");
    for _ in 0..steps {
        let next = AlertNumbers {
            fired: fired.load(SeqCst) + 1,
            ended: (ended.load(SeqCst) + 2).min(heard).max(ended.load(SeqCst)),
        };
        fired.store(next.fired, SeqCst);
        ended.store(next.ended, SeqCst);
        harness.evaluate_alerts();
        // A single write: a pipe accepts a short line as a whole.
        let line = format!("{} {}\n", next.fired, next.ended);
        drop(std::io::stdout().lock().write_all(line.as_bytes()));
        std::thread::sleep(Duration::from_millis(20));
    }
    loop {
        std::thread::park();
    }
}
