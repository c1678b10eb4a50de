//! The table of ranks in `ARCHITECTURE.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

/// A module of the crate's root.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) rank: u8,
    /// The module does not exist yet.
    pub(crate) planned: bool,
}

/// The modules of the crate's root by name.
pub(crate) type Ranks = BTreeMap<String, Entry>;

/// The table of `ARCHITECTURE.md`.
pub(crate) static RANKS: LazyLock<Ranks> = LazyLock::new(|| {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md");
    let text = fs::read_to_string(file).expect("ARCHITECTURE.md can be read");
    table(&text).unwrap_or_else(|problem| panic!("ARCHITECTURE.md: {problem}"))
});

/// Reads the rows `| rank | `module` `module`.. | what is in them |`; the last column begins with `planned` if the
/// row's modules do not exist yet.
pub(crate) fn table(text: &str) -> Result<Ranks, String> {
    let mut entries = BTreeMap::new();
    let rows = text
        .lines()
        .skip_while(|line| !line.starts_with("| rank | module |"))
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    for row in rows {
        let columns: Vec<_> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [rank, modules, content] = columns.as_slice() else {
            return Err(format!("`{row}` has no three columns"));
        };
        let rank = rank
            .parse()
            .map_err(|_| format!("`{row}` does not begin with a rank"))?;
        let planned = content.starts_with("planned");
        for module in modules.split_whitespace() {
            let name = module.trim_matches('`').to_owned();
            if let Some(twice) = entries.insert(name, Entry { rank, planned }) {
                return Err(format!("{module} has rank {rank} and rank {}", twice.rank));
            }
        }
    }
    Ok(entries)
}
