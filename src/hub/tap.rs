//! A tap: a function that is called with each value that is published, in the thread of the writer.
//!
//! It is for who needs every value, as a recorder does: nobody has to be woken for it, and none is missed.
//!
//! Invariant: the writer does not wait for who sets a tap. Where the lock is held, a tap just begins or ends, and the value counts as
//! published before the one or after the other.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

/// What is called with each value. It returns one that it does not need any more, if there is one.
type Function<T> = Box<dyn FnMut(Arc<T>) -> Option<T> + Send>;

/// Where the function is, if there is one.
pub(super) struct Tap<T>(Mutex<Option<Function<T>>>);

impl<T> Tap<T> {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Replaces the function.
    pub(super) fn set(&self, function: Option<Function<T>>) {
        let before = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), function);
        // Not under the lock: it may own much memory.
        drop(before);
    }

    /// Calls the function, if there is one, and returns the value that it gives back.
    pub(super) fn take(&self, value: Arc<T>) -> Option<T> {
        let mut function = match self.0.try_lock() {
            Ok(function) => function,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        function.as_mut()?(value)
    }
}
