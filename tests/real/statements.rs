//! The monitor's fingerprints of statements compared with the `queryid` of `PostgreSQL`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use watchpost::db::{Database, DbSystem};
use watchpost::{Monitor, MonitorGuard};

use crate::AnyError;
use crate::postgres::Postgres;

/// What is compared.
const CORPUS: &str = include_str!("statements.txt");
/// The minimum of statements.
const STATEMENTS: usize = 300;
const CLASSES: usize = 12;
/// In the text of what is not of the corpus.
const OURS: &str = "/* watchpost */";
/// The most faults that are printed.
const TOLD: usize = 20;

/// Statements that have the same fingerprint.
#[derive(Debug, Default)]
struct Group<'a> {
    line: usize,
    statements: Vec<String>,
    /// Why `PostgreSQL` gives them different IDs.
    apart: Option<&'a str>,
    /// Why it gives other groups the same ID.
    alike: Vec<&'a str>,
    /// Refused inside a transaction.
    alone: bool,
}

#[derive(Debug)]
struct Class<'a> {
    groups: Vec<Group<'a>>,
}

/// A statement with its fingerprint and its `queryid`.
#[derive(Debug)]
struct Known<'a> {
    group: &'a Group<'a>,
    text: &'a str,
    shape: String,
    id: i64,
}

/// The pairs of statements in one class.
#[derive(Debug, Default)]
struct Pairs<'a> {
    /// One fingerprint and one ID.
    same: u64,
    /// Two fingerprints and two IDs.
    different: u64,
    /// One fingerprint and two IDs, by cause.
    apart: BTreeMap<&'a str, u64>,
    /// Two fingerprints and one ID, by cause.
    alike: BTreeMap<&'a str, u64>,
}

/// Checks that all statements of a group have one fingerprint, that those of two groups differ, and that `PostgreSQL` agrees
/// except for the causes in the corpus.
pub(crate) async fn check(postgres: &Postgres) -> Result<String, AnyError> {
    let classes = read(CORPUS)?;
    let (schema, classes) = classes.split_first().ok_or("the corpus is empty")?;
    let of_schema: Vec<_> = statements(schema)
        .map(|(_, text)| text.to_owned())
        .collect();
    let all: Vec<_> = classes.iter().flat_map(statements).collect();
    if all.len() < STATEMENTS || classes.len() < CLASSES {
        let (statements, classes) = (all.len(), classes.len());
        return Err(format!("{statements} statements in {classes} classes alone").into());
    }
    let mut faults = Vec::new();
    let mut ids = ids(postgres, &of_schema, &all, &mut faults).await?;
    let mut shapes = Shapes::new()?;
    let mut owners = BTreeMap::new();
    let mut pairs = Pairs::default();
    let mut groups = 0;
    for class in classes {
        let mut known = Vec::new();
        for (group, text) in statements(class) {
            let shape = shapes.of(text)?;
            let owner = *owners.entry(shape.clone()).or_insert(group.line);
            if owner != group.line {
                let line = group.line;
                faults.push(format!(
                    "the groups of lines {owner} and {line} share a shape: {shape}"
                ));
            }
            if let Some(id) = ids.remove(text) {
                known.push(Known {
                    group,
                    text,
                    shape,
                    id,
                });
            }
        }
        groups += class.groups.len();
        for group in &class.groups {
            let of_group = || known.iter().filter(|known| known.group.line == group.line);
            let shapes: BTreeSet<_> = of_group().map(|known| &known.shape).collect();
            if shapes.len() > 1 {
                let line = group.line;
                faults.push(format!("the group of line {line} has shapes: {shapes:?}"));
            }
        }
        pairs.count(&known, &mut faults);
    }
    if faults.is_empty() {
        let (statements, classes) = (all.len(), classes.len());
        return Ok(format!(
            "{statements} statements in {groups} groups and {classes} classes, {}",
            pairs.summary()
        ));
    }
    let more = faults.len().saturating_sub(TOLD);
    faults.truncate(TOLD);
    let mut summary = faults.join("\n  ");
    if more > 0 {
        write!(summary, "\n  and {more} more")?;
    }
    Err(summary.into())
}

/// The classes of a corpus.
fn read(corpus: &str) -> Result<Vec<Class<'_>>, AnyError> {
    let mut classes: Vec<Class<'_>> = Vec::new();
    let mut open = false;
    for (number, line) in (1..).zip(corpus.lines()) {
        if let Some(name) = line.strip_prefix('[') {
            name.strip_suffix(']').ok_or("a class without an end")?;
            let groups = Vec::new();
            classes.push(Class { groups });
            open = false;
            continue;
        }
        if line.is_empty() || line.starts_with('#') {
            open &= !line.is_empty();
            continue;
        }
        let outside = || format!("line {number} is in no class");
        let groups = &mut classes.last_mut().ok_or_else(outside)?.groups;
        if !open {
            groups.push(Group {
                line: number,
                ..Group::default()
            });
            open = true;
        }
        let Some(group) = groups.last_mut() else {
            continue;
        };
        if let Some(cause) = line.strip_prefix("apart: ") {
            group.apart = Some(cause);
        } else if let Some(cause) = line.strip_prefix("alike: ") {
            group.alike.push(cause);
        } else if line == "no transaction" {
            group.alone = true;
        } else {
            let text = line.replace('⏎', "\n").replace('⇥', "\t");
            group.statements.push(text);
        }
    }
    Ok(classes)
}

fn statements<'a>(class: &'a Class<'a>) -> impl Iterator<Item = (&'a Group<'a>, &'a str)> {
    let of = |group: &'a Group<'a>| {
        let texts = group.statements.iter();
        texts.map(move |text| (group, text.as_str()))
    };
    class.groups.iter().flat_map(of)
}

/// The `queryid` of each statement, each run by itself and rolled back.
async fn ids<'a>(
    postgres: &Postgres,
    schema: &[String],
    statements: &[(&'a Group<'a>, &'a str)],
    faults: &mut Vec<String>,
) -> Result<BTreeMap<&'a str, i64>, AnyError> {
    let summary =
        |at: usize| format!(r"\echo watchpost ran {at} :ERROR :SQLSTATE :LAST_ERROR_MESSAGE");
    let mut commands = vec!["CREATE EXTENSION pg_stat_statements".to_owned()];
    commands.extend_from_slice(schema);
    commands.insert(0, r"\set ON_ERROR_STOP on".to_owned());
    commands.push(r"\set ON_ERROR_STOP off".to_owned());
    commands.push(r"\echo watchpost begins".to_owned());
    for (at, (group, text)) in statements.iter().enumerate() {
        commands.push(format!("SELECT {OURS} pg_stat_statements_reset()"));
        if !group.alone {
            commands.push(format!("BEGIN {OURS}"));
        }
        commands.push((*text).to_owned());
        commands.push(summary(at));
        commands.push(format!("ROLLBACK {OURS}"));
        commands.push(format!(
            "SELECT 'watchpost knows {at} ' || queryid FROM pg_stat_statements WHERE query NOT LIKE '%{OURS}%' {OURS}"
        ));
    }
    let printed = postgres.run(&commands).await?;
    if !printed.lines().any(|line| line == "watchpost begins") {
        return Err("the schema was refused: see postgres.log".into());
    }
    let mut ids: BTreeMap<&str, i64> = BTreeMap::new();
    let mut ran = 0;
    for line in printed.lines() {
        let Some(line) = line.strip_prefix("watchpost ") else {
            continue;
        };
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (what, at) = (word(), word());
        let Some((group, text)) = at.parse().ok().and_then(|at: usize| statements.get(at)) else {
            continue;
        };
        let line = group.line;
        match (what, word(), word()) {
            ("ran", "false", _) => ran += 1,
            ("ran", _, why) => {
                ran += 1;
                faults.push(format!("PostgreSQL refused, at line {line}: {text}: {why}"));
            }
            (_, id, _) => {
                if ids.insert(text, id.parse()?).is_some() {
                    faults.push(format!("PostgreSQL counted two, at line {line}: {text}"));
                }
            }
        }
    }
    if ran != statements.len() {
        return Err(format!("psql ran {ran} of {} statements", statements.len()).into());
    }
    for (group, text) in statements {
        if !ids.contains_key(text) {
            let line = group.line;
            faults.push(format!("PostgreSQL counted none, at line {line}: {text}"));
        }
    }
    Ok(ids)
}

/// The monitor's fingerprints, read through its public API.
#[derive(Debug)]
struct Shapes {
    monitor: MonitorGuard,
    db: Database,
    /// The calls by normalized text.
    calls: BTreeMap<String, u64>,
}

impl Shapes {
    fn new() -> Result<Self, AnyError> {
        let monitor = Monitor::builder("statements")
            .env(false)
            .console(false)
            .build()?;
        Ok(Self {
            db: monitor.db(DbSystem::Postgresql),
            monitor,
            calls: BTreeMap::new(),
        })
    }

    /// The normalized text whose calls increase with this statement.
    fn of(&mut self, statement: &str) -> Result<String, AnyError> {
        self.db.query(statement).finish();
        let mut grown = Vec::new();
        let mut calls = BTreeMap::new();
        for shape in self.monitor.queries() {
            let text = shape.text.to_string();
            let before = self.calls.get(&text).copied().unwrap_or_default();
            if shape.calls != before {
                grown.push(text.clone());
            }
            if calls.insert(text, shape.calls).is_some() {
                let text = shape.text;
                return Err(format!("two shapes have one text: {text}, by {statement}").into());
            }
        }
        self.calls = calls;
        match grown.as_slice() {
            [one] => Ok(one.clone()),
            _ => Err(format!("{} shapes counted {statement}", grown.len()).into()),
        }
    }
}

impl<'a> Pairs<'a> {
    fn count(&mut self, known: &[Known<'a>], faults: &mut Vec<String>) {
        let mut needed = BTreeSet::new();
        for (at, one) in known.iter().enumerate() {
            for other in known.iter().skip(at + 1) {
                let (causes, cause) = match (one.shape == other.shape, one.id == other.id) {
                    (true, true) => {
                        self.same += 1;
                        continue;
                    }
                    (false, false) => {
                        self.different += 1;
                        continue;
                    }
                    (true, false) => (&mut self.apart, one.group.apart),
                    (false, true) => {
                        let also = |cause: &&&str| other.group.alike.contains(cause);
                        let cause = one.group.alike.iter().find(also);
                        (&mut self.alike, cause.copied())
                    }
                };
                if let Some(cause) = cause {
                    *causes.entry(cause).or_default() += 1;
                    needed.insert((one.group.line, cause));
                    needed.insert((other.group.line, cause));
                } else {
                    let what = if one.id == other.id {
                        "not apart"
                    } else {
                        "apart"
                    };
                    let lines = (one.group.line, other.group.line);
                    let (one, other) = (one.text, other.text);
                    faults.push(format!(
                        "without a cause PostgreSQL treats these as {what}, of the groups of lines {lines:?}: {one} | {other}"
                    ));
                }
            }
        }
        let mut seen = BTreeSet::new();
        for Known { group, .. } in known {
            for cause in group.apart.iter().chain(&group.alike) {
                if !needed.contains(&(group.line, *cause)) && seen.insert((group.line, *cause)) {
                    let line = group.line;
                    faults.push(format!("nothing needs the cause of line {line}: {cause}"));
                }
            }
        }
    }

    fn summary(&self) -> String {
        let by_cause = |causes: &BTreeMap<&str, u64>| {
            let each = causes
                .iter()
                .map(|(cause, pairs)| format!("{cause} {pairs}"));
            let each: Vec<_> = each.collect();
            format!("{} ({})", causes.values().sum::<u64>(), each.join(", "))
        };
        let (same, different) = (self.same, self.different);
        let (apart, alike) = (by_cause(&self.apart), by_cause(&self.alike));
        let agreed = same + different;
        let all = agreed + self.apart.values().sum::<u64>() + self.alike.values().sum::<u64>();
        let percent = 100.0 * agreed as f64 / all as f64;
        format!(
            "{all} pairs, agreed on {agreed} ({percent:.1} %): {same} same, {different} different; \
             PostgreSQL distinguishes {apart}; does not distinguish {alike}"
        )
    }
}
