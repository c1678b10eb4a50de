//! Circles of imports between the files of the crate.
//!
//! The rule: a file imports another file if its code names, in a `use` or by a path, something that the other file
//! defines. Re-exports are followed to the definition, so `super::Span` is an import of `trace/span.rs` where
//! `trace/mod.rs` only contains `pub use self::span::Span`. Neither `mod` nor a `use` with a visibility (`pub use`,
//! `pub(crate) use`) is an import by itself; a re-exported name that the same file's code uses is one. Tests are
//! left out. Several files form a circle if each of them reaches all others through imports.

use std::collections::{BTreeMap, BTreeSet};

use crate::module_of;
use crate::paths::{File, Named, Place};

/// The names that each file imports, by the file that defines them.
pub(crate) type Imports<'a> = BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<String>>>;

/// The most re-exports between a name and its definition.
const MAX_REEXPORTS: usize = 16;

/// What the files of the crate, those for tests removed, import from each other.
pub(crate) fn imports<'a>(files: &'a BTreeMap<&'a str, File>) -> Imports<'a> {
    let resolver = Resolver::new(files);
    files
        .iter()
        .filter(|(name, _)| **name != "lib.rs")
        .map(|(name, file)| (*name, resolver.imports_of(name, file)))
        .collect()
}

/// The files of each circle.
pub(crate) fn circles<'a>(imports: &Imports<'a>) -> Vec<BTreeSet<&'a str>> {
    let reached: BTreeMap<_, _> = imports
        .keys()
        .map(|file| (*file, reachable(file, imports)))
        .collect();
    let mut circles: Vec<BTreeSet<&str>> = Vec::new();
    for (file, others) in &reached {
        let back = |other: &&str| reached.get(other).is_some_and(|far| far.contains(file));
        let circle: BTreeSet<_> = others.iter().copied().filter(back).collect();
        if circle.len() > 1 && !circles.contains(&circle) {
            circles.push(circle);
        }
    }
    circles
}

/// A circle as text: its files, and below them which of their imports close it.
pub(crate) fn shown(circle: &BTreeSet<&str>, imports: &Imports<'_>) -> String {
    let files: Vec<_> = circle.iter().copied().collect();
    let mut text = format!("{} form a circle:\n", files.join(", "));
    for file in circle {
        for (other, names) in imports[file]
            .iter()
            .filter(|(other, _)| circle.contains(**other))
        {
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            text += &format!("    {file} imports {} from {other}\n", names.join(", "));
        }
    }
    text
}

/// The files that `from` imports, directly or through others.
fn reachable<'a>(from: &'a str, imports: &Imports<'a>) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut left = vec![from];
    while let Some(file) = left.pop() {
        for other in imports.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(*other) {
                left.push(other);
            }
        }
    }
    reached
}

struct Resolver<'a> {
    /// The file of each module, inline modules included.
    modules: BTreeMap<Vec<String>, &'a str>,
    /// What each module imports or re-exports: the module and the name there, and the path behind the name.
    names: BTreeMap<(Vec<String>, String), Vec<String>>,
}

impl<'a> Resolver<'a> {
    fn new(files: &BTreeMap<&'a str, File>) -> Self {
        let mut modules = BTreeMap::new();
        let mut names = BTreeMap::new();
        for (name, file) in files {
            modules.insert(module_of(name), *name);
            for named in &file.named {
                modules.entry(named.module.clone()).or_insert(*name);
                if let (Place::Import | Place::Reexport, Some(local)) =
                    (named.place, named.local_name())
                {
                    let key = (named.module.clone(), local.to_owned());
                    names.insert(key, named.path.clone());
                }
            }
        }
        Self { modules, names }
    }

    fn imports_of(&self, name: &str, file: &File) -> BTreeMap<&'a str, BTreeSet<String>> {
        let mut imports: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for named in &file.named {
            let used = |local: &str| file.referred.contains(local);
            if named.place == Place::Reexport && !named.local_name().is_some_and(used) {
                continue;
            }
            if let Some((other, item)) = self.definition(named)
                && other != name
            {
                imports.entry(other).or_default().insert(item);
            }
        }
        imports
    }

    /// The file that defines what `named` leads to, and the name there. A module by itself is no definition: the
    /// paths that begin with it are looked up one by one. Names of other crates are left out.
    fn definition(&self, named: &Named) -> Option<(&'a str, String)> {
        let mut path = self.absolute(&named.module, &named.path)?;
        for _ in 0..MAX_REEXPORTS {
            let inside = path.get(1..)?;
            // The longest beginning that is a module; the item in it comes next.
            let depth = (0..inside.len())
                .rev()
                .find(|depth| self.modules.contains_key(&inside[..*depth]))?;
            let (module, rest) = inside.split_at(depth);
            let item = rest[0].clone();
            match self.names.get(&(module.to_vec(), item.clone())) {
                Some(target) => {
                    let mut next = self.absolute(module, target)?;
                    next.extend_from_slice(&rest[1..]);
                    path = next;
                }
                None if self.modules.contains_key(inside) => return None,
                None => return Some((self.modules.get(module)?, item)),
            }
        }
        None
    }

    /// The absolute path of a path in `module`; none if it leads to another crate.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<Vec<String>> {
        let (first, rest) = path.split_first()?;
        if first == "crate" {
            return Some(path.to_vec());
        }
        let child: Vec<_> = module.iter().chain([first]).cloned().collect();
        let mut absolute = vec!["crate".to_owned()];
        if self.modules.contains_key(&child) {
            absolute.extend(child);
        } else {
            let target = self.names.get(&(module.to_vec(), first.clone()))?;
            let to_crate = target.first().is_some_and(|first| first == "crate");
            to_crate.then(|| absolute.clone_from(target))?;
        }
        absolute.extend_from_slice(rest);
        Some(absolute)
    }
}
