use std::sync::{Arc, RwLock};

use rustc_hash::FxHashMap;

use crate::model::prefix;
use crate::model::read_for_status;
use crate::model::{read_lock, write_lock};

/// The maximum number of routes of one monitor. A router typically has hundreds.
const MAX_ROUTES: usize = 4096;
/// The maximum number of those routes that hooks and connections name. Their names are arbitrary, so the limit leaves
/// room for the router's patterns.
const MAX_NAMED: usize = 512;
/// The maximum length of a pattern, in bytes.
pub(crate) const MAX_NAME: usize = 1024;

/// The route of requests that match no route.
pub(crate) const UNMATCHED: RouteId = RouteId(0);
/// The route of all requests whose route exceeds [`MAX_ROUTES`].
pub(crate) const OVERFLOW: RouteId = RouteId(1);
/// The route of work outside of requests. Its name is empty, so it appears in no label and no field.
pub(crate) const NO_REQUEST: RouteId = RouteId(2);
/// The names of the reserved routes above.
const RESERVED: [&str; 3] = ["_unmatched", "_overflow", ""];

/// The number of a route of one monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RouteId(pub(crate) u32);

impl RouteId {
    /// Returns the number, which is unique among the routes of the monitor.
    #[inline]
    pub(crate) const fn number(self) -> u32 {
        self.0
    }
}

/// The append-only table of one monitor's route patterns. Each thread caches it.
#[derive(Debug)]
pub(crate) struct Routes(RwLock<RouteTable>);

#[derive(Debug, Default)]
struct RouteTable {
    names: Vec<Arc<str>>,
    /// The number of routes that hooks and connections named.
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
    /// Returns the number of a router's pattern, by content. Only the first 1024 bytes of a longer pattern count.
    pub(crate) fn id(&self, name: &str) -> RouteId {
        self.known(name).unwrap_or_else(|| self.add(name, 0))
    }

    /// Returns the number of a name from a hook or a connection, by content.
    pub(crate) fn named(&self, name: &str) -> RouteId {
        // The empty name is reserved for work outside of requests.
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

    /// Whether no pattern has been added yet.
    pub(crate) fn none_seen(&self) -> bool {
        read_lock(&self.0).names.len() == RESERVED.len()
    }

    /// Returns the pattern of a route.
    pub(crate) fn name(&self, id: RouteId) -> Arc<str> {
        // After a `fork` while the parent process was adding a route, the child process cannot read the table.
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
