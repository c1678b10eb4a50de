use std::sync::{Arc, RwLock};

use rustc_hash::FxHashMap;

use crate::model::prefix;
use crate::model::read_for_status;
use crate::model::{read_lock, write_lock};

/// Routes that one monitor tells apart. A router has hundreds.
const MAX_ROUTES: usize = 4096;
/// Those of them that hooks and connections name: they may name anything, and leave room for the router's patterns.
const MAX_NAMED: usize = 512;
/// Bytes of a pattern.
pub(crate) const MAX_NAME: usize = 1024;

/// The route of a request that no route matched.
pub(crate) const UNMATCHED: RouteId = RouteId(0);
/// The route of all that came after [`MAX_ROUTES`].
pub(crate) const OVERFLOW: RouteId = RouteId(1);
/// What has no request has no route: it has no name, and so no label and no field.
pub(crate) const NO_REQUEST: RouteId = RouteId(2);
/// The names of the above.
const RESERVED: [&str; 3] = ["_unmatched", "_overflow", ""];

/// A route of one monitor, as a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RouteId(pub(crate) u32);

impl RouteId {
    /// A number that no other route of the monitor has.
    #[inline]
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// The append-only table of one monitor's route patterns. Threads keep a cache of it.
#[derive(Debug)]
pub(crate) struct Routes(RwLock<RouteTable>);

#[derive(Debug, Default)]
struct RouteTable {
    names: Vec<Arc<str>>,
    /// How many of them hooks and connections named.
    named: usize,
    ids: FxHashMap<Arc<str>, RouteId>,
}

impl Default for Routes {
    fn default() -> Self {
        let mut table = RouteTable::default();
        for name in RESERVED {
            table.add(name);
        }
        Self(RwLock::new(table))
    }
}

impl Routes {
    /// The number of a router's pattern, by content; of a longer one its first 1024 bytes count.
    pub(crate) fn id(&self, name: &str) -> RouteId {
        self.known(name).unwrap_or_else(|| self.add(name, 0))
    }

    /// The number of a name that a hook or a connection gives, by content.
    pub(crate) fn named(&self, name: &str) -> RouteId {
        // The empty name is that of work outside requests.
        if name.is_empty() {
            return UNMATCHED;
        }
        self.known(name).unwrap_or_else(|| self.add(name, 1))
    }

    fn known(&self, name: &str) -> Option<RouteId> {
        let table = read_lock(&self.0);
        table.ids.get(prefix(name, MAX_NAME)).copied()
    }

    fn add(&self, name: &str, named: usize) -> RouteId {
        let name = prefix(name, MAX_NAME);
        let mut table = write_lock(&self.0);
        match table.ids.get(name) {
            Some(id) => *id,
            None if table.names.len() >= MAX_ROUTES || named > 0 && table.named >= MAX_NAMED => {
                OVERFLOW
            }
            None => {
                table.named += named;
                table.add(name)
            }
        }
    }

    /// Whether no pattern came yet.
    pub(crate) fn none_seen(&self) -> bool {
        read_lock(&self.0).names.len() == RESERVED.len()
    }

    /// The pattern of a number.
    pub(crate) fn name(&self, id: RouteId) -> Arc<str> {
        // A child made by `fork` whose parent was adding one knows none.
        let Some(table) = read_for_status(&self.0) else {
            return Arc::default();
        };
        let name = table.names.get(id.0 as usize).or(table.names.first());
        name.cloned().unwrap_or_default()
    }
}

impl RouteTable {
    fn add(&mut self, name: &str) -> RouteId {
        let name: Arc<str> = name.into();
        let id = RouteId(u32::try_from(self.names.len()).unwrap_or(OVERFLOW.0));
        self.names.push(Arc::clone(&name));
        self.ids.insert(name, id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_leave_room_for_patterns() {
        let routes = Routes::default();
        for n in 0..10_000 {
            routes.named(&format!("/{n}"));
        }
        assert_eq!(routes.named("/one-more"), OVERFLOW);
        assert_eq!(&*routes.name(routes.named("/511")), "/511");
        let users = routes.id("/users/{id}");
        assert_eq!(routes.named("/users/{id}"), users);
        assert_eq!(&*routes.name(users), "/users/{id}");
        assert_eq!(routes.named(""), UNMATCHED);
    }

    #[test]
    fn patterns_are_told_apart_by_content_up_to_a_limit() {
        let routes = Routes::default();
        assert_eq!(&*routes.name(UNMATCHED), "_unmatched");
        assert_eq!(&*routes.name(NO_REQUEST), "");
        assert!(routes.none_seen());
        let users = routes.id("/users/{id}");
        assert_eq!(routes.id(&String::from("/users/{id}")), users);
        assert_eq!(&*routes.name(users), "/users/{id}");
        for n in 0..10_000 {
            routes.id(&format!("/{n}"));
        }
        assert_eq!(routes.id("/one-more"), OVERFLOW);
        assert_eq!(routes.id("/users/{id}"), users);
    }
}
