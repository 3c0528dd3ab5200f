//! Atomics, cells and futexes: those of `std` and the kernel in the program, those of loom under
//! `--cfg loom`. Nothing else belongs here.

#[cfg(not(loom))]
pub(super) use real::*;

#[cfg(loom)]
pub(super) use model::*;

#[cfg(not(loom))]
mod real {
    pub use std::hint::spin_loop as pause;
    pub use std::sync::Arc;
    pub use std::sync::atomic::{AtomicBool, AtomicI16, AtomicU32, Ordering, fence};

    use std::time::Duration;

    use rustix::thread::futex;

    /// `std`'s cell with the shape of loom's: access only inside a closure.
    #[derive(Debug)]
    pub struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        pub fn with<R>(&self, read: impl FnOnce(*const T) -> R) -> R {
            read(self.0.get())
        }

        pub fn with_mut<R>(&self, write: impl FnOnce(*mut T) -> R) -> R {
            write(self.0.get())
        }
    }

    /// A futex: a counter that threads sleep on.
    #[derive(Debug)]
    pub struct Futex(AtomicU32);

    impl Futex {
        pub const fn new() -> Self {
            Self(AtomicU32::new(0))
        }

        pub fn word(&self) -> &AtomicU32 {
            &self.0
        }

        /// Sleeps while the counter is `expected`, until woken, or for `timeout`. May return early.
        pub fn wait(&self, expected: u32, timeout: Option<Duration>) {
            // A timeout beyond the kernel's range is as good as none.
            let timeout = timeout.and_then(|timeout| timeout.try_into().ok());
            // EAGAIN (the counter changed), EINTR and ETIMEDOUT all mean "look again": the caller does.
            let _ = futex::wait(&self.0, futex::Flags::PRIVATE, expected, timeout.as_ref());
        }

        pub fn wake_all(&self) {
            // Fails only for a bad address, which a reference cannot be.
            let _ = futex::wake(&self.0, futex::Flags::PRIVATE, i32::MAX as u32);
        }
    }
}

#[cfg(loom)]
mod model {
    pub use loom::cell::UnsafeCell;
    pub use loom::sync::Arc;
    pub use loom::sync::atomic::{AtomicBool, AtomicI16, AtomicU32, Ordering, fence};
    pub use loom::thread::yield_now as pause;

    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};

    /// The kernel's guarantee about futexes, modelled: to a thread that wakes others, compare and sleep are
    /// one step.
    #[derive(Debug)]
    pub struct Futex {
        word: AtomicU32,
        queue: Mutex<()>,
        woken: Condvar,
    }

    impl Futex {
        pub fn new() -> Self {
            Self { word: AtomicU32::new(0), queue: Mutex::new(()), woken: Condvar::new() }
        }

        pub fn word(&self) -> &AtomicU32 {
            &self.word
        }

        /// Time stands still in the model: only a wake ends the sleep.
        pub fn wait(&self, expected: u32, _timeout: Option<Duration>) {
            let queue = self.queue.lock().unwrap();
            if self.word.load(Ordering::SeqCst) == expected {
                drop(self.woken.wait(queue).unwrap());
            }
        }

        pub fn wake_all(&self) {
            let _queue = self.queue.lock().unwrap();
            self.woken.notify_all();
        }
    }
}
