//! Locks whose values stay whole when a thread panics.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// Locks `mutex`, also after a thread that held it panicked. Only for values that are whole after each statement:
/// a panic then loses the change that was under way and nothing else.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// As [`lock`], for the results of an `RwLock` or a `Condvar`.
pub fn unpoisoned<T>(result: LockResult<T>) -> T {
    result.unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{self, AssertUnwindSafe};

    #[test]
    fn a_panic_under_the_lock_leaves_the_value() {
        let mutex = Mutex::new(1);
        let panicked = panic::catch_unwind(AssertUnwindSafe(|| {
            *lock(&mutex) = 2;
            let _guard = mutex.lock();
            panic!("under the lock");
        }));
        assert!(panicked.is_err() && mutex.is_poisoned());
        assert_eq!(*lock(&mutex), 2);
    }
}
