//! A hash-indexed cache for one thread, bounded in slots and bytes.

/// The number of consecutive slots that may hold an entry of one hash.
const WINDOW: usize = 8;
/// The slots of a cache after its first entry.
const FIRST_SLOTS: usize = 64;

/// Entries by their hash. The table starts small and doubles while more than half of it is in use. Once it has reached
/// its limit of slots or bytes, a new entry reslots an older one.
#[derive(Debug)]
pub(crate) struct Cache<T> {
    /// `capacity` slots, and `WINDOW - 1` more so that no window wraps around.
    slots: Vec<Option<CacheSlot<T>>>,
    /// A power of two, or 0 before the first entry.
    capacity: usize,
    len: usize,
    /// The sum of the sizes of all entries.
    bytes: usize,
    /// Where the search for the next entry to evict begins.
    hand: usize,
    max_slots: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct CacheSlot<T> {
    hash: u32,
    size: u32,
    value: T,
}

impl<T> Cache<T> {
    /// An empty cache, which allocates with its first entry. `max_slots` is a power of two of at least 64.
    pub(crate) const fn new(max_slots: usize, max_bytes: usize) -> Self {
        Self {
            slots: Vec::new(),
            capacity: 0,
            len: 0,
            bytes: 0,
            hand: 0,
            max_slots,
            max_bytes,
        }
    }

    /// The number of slots that hashes are spread over: 0 before the first entry, then a power of two.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// The maximum size of an entry.
    pub(crate) const fn max_size(&self) -> usize {
        self.max_bytes / 16
    }

    #[inline]
    fn start(&self, hash: u32) -> usize {
        hash as usize & self.capacity.wrapping_sub(1)
    }

    /// The entry with this hash for which `is` returns true, and its slot.
    #[inline]
    pub(crate) fn find(&self, hash: u32, is: impl Fn(&T) -> bool) -> Option<(usize, &T)> {
        let start = self.start(hash);
        let window = self.slots.get(start..start.wrapping_add(WINDOW))?;
        let mut window = (start..).zip(window);
        window.find_map(|(at, place)| {
            let place = place.as_ref()?;
            (place.hash == hash && is(&place.value)).then_some((at, &place.value))
        })
    }

    /// The entry in a slot that [`find`](Self::find) returned. By now the slot may hold another entry, or none.
    #[inline]
    pub(crate) fn at(&self, place: usize) -> Option<&T> {
        Some(&self.slots.get(place)?.as_ref()?.value)
    }

    /// Adds an entry of this size in bytes, unless it exceeds [`max_size`](Self::max_size).
    pub(crate) fn insert(&mut self, hash: u32, size: usize, value: T) {
        if size > self.max_size() {
            return;
        }
        while self.bytes + size > self.max_bytes {
            self.evict_one();
        }
        if (self.len + 1) * 2 > self.capacity {
            self.grow();
        }
        let new = CacheSlot {
            hash,
            size: size as u32,
            value,
        };
        let mut new = self.put(new);
        // The window is full, but the rest of the table has room. The fill is checked so that equal hashes alone do not
        // make the table grow.
        if let Some(place) = new.take_if(|_| self.len * 4 > self.capacity)
            && self.grow()
        {
            new = self.put(place);
        }
        if let Some(place) = new {
            self.replace(place);
        }
    }

    /// Removes the entries for which `keep` returns false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        for at in 0..self.slots.len() {
            if self.at(at).is_some_and(|value| !keep(value)) {
                self.remove(at);
            }
        }
    }

    /// Removes all entries.
    pub(crate) fn clear(&mut self) {
        *self = Self::new(self.max_slots, self.max_bytes);
    }

    /// Puts an entry into a free slot of its window, or returns it if there is none.
    fn put(&mut self, new: CacheSlot<T>) -> Option<CacheSlot<T>> {
        let start = self.start(new.hash);
        let window = self.slots.get_mut(start..start + WINDOW);
        let free = window.and_then(|window| window.iter_mut().find(|place| place.is_none()));
        let Some(free) = free else { return Some(new) };
        self.len += 1;
        self.bytes += new.size as usize;
        *free = Some(new);
        None
    }

    /// Replaces an entry of the window.
    fn replace(&mut self, new: CacheSlot<T>) {
        let at = self.start(new.hash) + self.hand % WINDOW;
        self.hand += 1;
        self.remove(at);
        let _put = self.put(new);
    }

    fn remove(&mut self, at: usize) {
        if let Some(old) = self.slots.get_mut(at).and_then(Option::take) {
            self.len -= 1;
            self.bytes -= old.size as usize;
        }
    }

    /// Removes the next entry after the one that was removed last. The cache is not empty.
    fn evict_one(&mut self) {
        let before = self.len;
        while self.len == before && before > 0 {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            self.remove(self.hand);
        }
    }

    /// Doubles the table; `false` if it has its full number of slots.
    fn grow(&mut self) -> bool {
        if self.capacity >= self.max_slots {
            return false;
        }
        self.capacity = (self.capacity * 2).max(FIRST_SLOTS);
        let mut slots = Vec::new();
        slots.resize_with(self.capacity + WINDOW - 1, || None);
        let old = std::mem::replace(&mut self.slots, slots);
        (self.len, self.bytes) = (0, 0);
        for place in old.into_iter().flatten() {
            // An entry whose window is full is lost. The caller makes it again when it is needed.
            let _forgotten = self.put(place);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 4096;

    /// A hash without a pattern.
    fn hash(key: u32) -> u32 {
        (u64::from(key + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
    }

    fn has(cache: &Cache<u32>, key: u32) -> bool {
        let found = cache.find(hash(key), |of| *of == key);
        if let Some((place, of)) = found {
            assert_eq!((cache.at(place), *of), (Some(&key), key));
        }
        found.is_some()
    }

    fn filled(keys: u32, size: usize, max_bytes: usize) -> Cache<u32> {
        let mut cache = Cache::new(PLACES, max_bytes);
        for key in 0..keys {
            cache.insert(hash(key), size, key);
        }
        cache
    }

    fn held(cache: &Cache<u32>, keys: u32) -> u32 {
        (0..keys).filter(|key| has(cache, *key)).count() as u32
    }

    #[test]
    fn all_of_two_thousand_are_found_and_none_that_is_not_there() {
        for keys in [0, 1, 5, 32, 33, 100, 500, 2000] {
            let cache = filled(keys, 1, 1 << 20);
            assert_eq!(held(&cache, keys), keys);
            assert!(!has(&cache, keys), "{keys}");
            assert!(cache.capacity() <= (4 * keys as usize).max(FIRST_SLOTS));
        }
    }

    #[test]
    fn slots_and_bytes_are_bounded_and_still_in_use_beyond_that() {
        let cache = filled(100_000, 1, 1 << 20);
        assert_eq!(cache.capacity(), PLACES);
        assert!(cache.len > PLACES * 8 / 10, "{}", cache.len);
        assert_eq!(cache.bytes, cache.len);
        let cache = filled(5000, 100, 64 * 1024);
        assert!(cache.bytes <= 64 * 1024 && cache.len > 600);
        assert_eq!(cache.bytes, cache.len * 100);
        assert!((4990..5000).all(|key| has(&cache, key)));
    }

    #[test]
    fn what_comes_in_turn_beyond_the_bound_is_found_in_part() {
        let mut cache = filled(0, 100, 64 * 1024);
        let mut found = 0;
        for key in (0..1000).cycle().take(20_000) {
            match has(&cache, key) {
                true => found += 1,
                false => cache.insert(hash(key), 100, key),
            }
        }
        assert!(cache.bytes <= 64 * 1024);
        // Entries are evicted in the order of their hashes, not of their age.
        assert!((2_000..18_000).contains(&found), "{found}");
    }

    #[test]
    fn equal_hashes_are_told_apart_and_do_not_make_it_grow() {
        let mut cache = Cache::new(PLACES, 1 << 20);
        for key in 0..1000_u32 {
            cache.insert(7, 1, key);
            assert_eq!(cache.find(7, |of| *of == key).map(|(_, of)| *of), Some(key));
        }
        assert_eq!((cache.capacity(), cache.len), (FIRST_SLOTS, WINDOW));
    }

    #[test]
    fn entries_that_are_not_retained_give_their_room_back() {
        let mut cache = filled(1000, 1, 1 << 20);
        cache.retain(|key| key % 4 == 0);
        assert_eq!((cache.len, cache.bytes), (250, 250));
        assert!((0..1000).all(|key| has(&cache, key) == (key % 4 == 0)));
    }

    #[test]
    fn what_is_too_large_is_not_kept_and_a_cleared_one_is_empty() {
        let mut cache = Cache::new(PLACES, 1600);
        cache.insert(1, 101, 1);
        cache.insert(2, 100, 2);
        assert!(cache.find(1, |_| true).is_none() && cache.find(2, |_| true).is_some());
        cache.clear();
        assert!(cache.find(2, |_| true).is_none());
        assert_eq!((cache.capacity(), cache.bytes), (0, 0));
    }
}
