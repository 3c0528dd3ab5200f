//! The queue for the one password hash that runs: one is all that a small board can give without
//! its streams suffering.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::throttle::Source;

/// How many may have a place, the one that is served included.
pub const PLACES: usize = 17;

/// How many places one address may have. A browser opens six connections at once, and several may
/// be behind one router; all of one user have the same password, and one hash serves them all.
pub const SHARE: usize = 12;

/// The queue. `serving` is held while a hash runs, on purpose; `places` only for a look.
#[derive(Default)]
pub struct Queue {
    serving: Mutex<()>,
    places: Mutex<Vec<Source>>,
}

/// There is no place in the queue.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Queue {
    /// Runs a hash while no other runs, for somebody from `source`.
    ///
    /// # Errors
    /// At once, when all places or all of the source's share are taken.
    pub fn alone<T>(&self, source: Source, hash: impl FnOnce() -> T) -> Result<T, Full> {
        let _place = self.take(source).ok_or(Full)?;
        let _serving = self.serving.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(hash())
    }

    fn take(&self, source: Source) -> Option<Place<'_>> {
        let mut places = self.places();
        let share = places.iter().filter(|taken| **taken == source).count();
        if places.len() >= PLACES || share >= SHARE {
            return None;
        }
        places.push(source);
        Some(Place { queue: self, source })
    }

    /// The list is whole after every operation on it.
    fn places(&self) -> MutexGuard<'_, Vec<Source>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The hold of a test on the queue: nobody is served meanwhile.
    #[cfg(test)]
    pub fn stop(&self) -> MutexGuard<'_, ()> {
        self.serving.lock().unwrap()
    }

    /// How many have a place.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.places().len()
    }
}

/// A place in the queue, given back when dropped.
struct Place<'a> {
    queue: &'a Queue,
    source: Source,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut places = self.queue.places();
        if let Some(at) = places.iter().position(|taken| *taken == self.source) {
            places.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(number: u32) -> Source {
        Source::of(std::net::IpAddr::V4(number.into()))
    }

    #[test]
    fn one_address_cannot_fill_the_queue() {
        let queue = Queue::default();
        let flood: Vec<_> = (0..100).filter_map(|_| queue.take(source(1))).collect();
        assert_eq!(flood.len(), SHARE);
        assert_eq!(queue.alone(source(2), || 7), Ok(7), "another address is served");
        let others: Vec<_> = (0..100).filter_map(|number| queue.take(source(number))).collect();
        assert_eq!(flood.len() + others.len(), PLACES);
        assert_eq!(queue.alone(source(200), || 7), Err(Full));
        drop((flood, others));
        assert_eq!(queue.waiting(), 0);
        assert_eq!(queue.alone(source(1), || 7), Ok(7));
    }
}
