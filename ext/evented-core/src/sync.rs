//! What threads share, and threads: those of std or, in the tests under `cfg(loom)`, those of loom, which runs a
//! test in every order that its threads may have.
#![forbid(unsafe_code)]

#[cfg(not(all(loom, test)))]
pub(crate) use std::{
    sync::{Mutex, MutexGuard, atomic::AtomicBool, mpsc},
    thread,
};

#[cfg(all(loom, test))]
pub(crate) use loom::{
    sync::{Mutex, MutexGuard, atomic::AtomicBool, mpsc},
    thread,
};

#[cfg(all(loom, test))]
pub(crate) use self::of_loom::Signal;
#[cfg(not(all(loom, test)))]
pub(crate) use self::of_std::Signal;

#[cfg(not(all(loom, test)))]
mod of_std {
    use std::{
        sync::{Condvar, MutexGuard, PoisonError},
        time::Duration,
    };

    /// A condition variable.
    #[derive(Debug)]
    pub(crate) struct Signal(Condvar);

    impl Signal {
        pub(crate) fn new() -> Self {
            Self(Condvar::new())
        }

        /// Ends one wait, if there is one.
        pub(crate) fn give(&self) {
            self.0.notify_one();
        }

        /// Waits for it, for at most `limit`. Tells whether that has passed.
        pub(crate) fn wait<'a, T>(
            &self,
            guard: MutexGuard<'a, T>,
            limit: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            let (guard, waited) = self
                .0
                .wait_timeout(guard, limit)
                .unwrap_or_else(PoisonError::into_inner);
            (guard, waited.timed_out())
        }
    }
}

#[cfg(all(loom, test))]
mod of_loom {
    use std::{sync::PoisonError, time::Duration};

    use loom::sync::{
        Condvar, MutexGuard,
        atomic::{AtomicBool, Ordering::SeqCst},
    };

    /// A condition variable whose limits pass when a test says so.
    #[derive(Debug)]
    pub(crate) struct Signal {
        condvar: Condvar,
        late: AtomicBool,
    }

    impl Signal {
        pub(crate) fn new() -> Self {
            Self {
                condvar: Condvar::new(),
                late: AtomicBool::new(false),
            }
        }

        pub(crate) fn give(&self) {
            self.condvar.notify_one();
        }

        pub(crate) fn wait<'a, T>(
            &self,
            mut guard: MutexGuard<'a, T>,
            _limit: Duration,
        ) -> (MutexGuard<'a, T>, bool) {
            if !self.late.load(SeqCst) {
                guard = self
                    .condvar
                    .wait(guard)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            (guard, self.late.load(SeqCst))
        }

        /// The limits of all waits have passed, of these and later ones. `_guard`: what they wait with.
        pub(crate) fn pass_limits<T>(&self, _guard: &MutexGuard<'_, T>) {
            self.late.store(true, SeqCst);
            self.condvar.notify_all();
        }
    }
}
