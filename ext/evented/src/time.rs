//! The time of a reactor: the clock's own, or for tests one that stands still and jumps.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use evented_core::clock;
use rb_sys::{TEST, VALUE, rb_float_new};

use crate::{
    define::{
        Function::{One, Zero},
        methods,
    },
    scheduler::Scheduler,
    waiter::NIL,
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(
            class,
            &[(c"__clock", Zero(read)), (c"__virtual_time=", One(freeze))],
        );
    }
}

/// A monotonic clock that can be stopped.
pub(crate) struct Time {
    /// When the reactor was opened; `__clock` counts from here.
    origin: Instant,
    /// How far this clock has run ahead of the system's while it was stopped.
    ahead: Cell<Duration>,
    /// Where it stands, if it is stopped.
    stopped: Cell<Option<Instant>>,
}

impl Time {
    pub(crate) fn new() -> Self {
        Self {
            origin: clock::now(),
            ahead: Cell::new(Duration::ZERO),
            stopped: Cell::new(None),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match self.stopped.get() {
            Some(instant) => instant,
            None => clock::now() + self.ahead.get(),
        }
    }

    /// The instant `timeout` from now, or `None` if it has no end.
    pub(crate) fn deadline(&self, timeout: Option<Duration>) -> Option<Instant> {
        timeout.and_then(|timeout| clock::deadline(self.now(), Some(timeout)))
    }

    /// Whether it only moves by [`Self::jump`].
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.get().is_some()
    }

    /// Lets `pause` have passed at once.
    pub(crate) fn jump(&self, pause: Duration) {
        self.stopped
            .set(self.stopped.get().map(|instant| instant + pause));
    }

    fn stop(&self) {
        self.stopped.set(Some(self.now()));
    }

    /// Goes on from where it stands: monotonic, even if that is ahead of the system's clock.
    fn go_on(&self) {
        if let Some(instant) = self.stopped.take() {
            self.ahead
                .set(instant.saturating_duration_since(clock::now()));
        }
    }
}

/// `__clock`: seconds since the reactor was opened, as a Float.
unsafe extern "C" fn read(this: VALUE) -> VALUE {
    let time = &Scheduler::enter(this).time;
    let seconds = time.now().saturating_duration_since(time.origin);
    // SAFETY: with the GVL.
    unsafe { rb_float_new(seconds.as_secs_f64()) }
}

/// `__virtual_time = true`: stops the clock; from then on it jumps to the next deadline whenever
/// nothing else can run. `false`: goes on from where it stands.
unsafe extern "C" fn freeze(this: VALUE, stop: VALUE) -> VALUE {
    let time = &Scheduler::enter(this).time;
    if TEST(stop) {
        time.stop();
    } else {
        time.go_on();
    }
    NIL
}
