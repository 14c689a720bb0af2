//! Turns in which many fibers are ready: what they send leaves together, with the one system call that ends the turn.
//!
//! That costs less than a call each, and receivers are woken up less often. (Measured with 64 clients of an HTTP server
//! on loopback, one fiber a connection: an eighth less CPU a request.) Where nobody else is ready a write leaves at once.

use std::{
    cell::Cell,
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use evented_core::clock;

use crate::{scheduler::Scheduler, turn};

/// So many fibers are a crowd. Each is resumed once more for what it sends, so in a larger turn, whose fibers are in no
/// cache any more, it would cost more.
const CROWD: RangeInclusive<usize> = 8..=192;

/// A turn is quick if its fibers take no longer each, on average.
const QUICK: Duration = Duration::from_micros(25);

/// Only after so many quick turns in a row: what one has sent must not wait for what others compute.
const PROVEN: u32 = 8;

/// The crowd of the turn that a scheduler is in.
pub(crate) struct Crowd {
    fibers: Cell<usize>,
    began: Cell<Instant>,
    /// How many crowded turns in a row were quick.
    quick: Cell<u32>,
    together: Cell<bool>,
}

impl Crowd {
    pub(crate) fn new() -> Self {
        Self {
            fibers: Cell::new(0),
            began: Cell::new(clock::now()),
            quick: Cell::new(PROVEN),
            together: Cell::new(false),
        }
    }

    /// Whether what is sent now had better be handed to the driver, to leave with what the others send.
    pub(crate) fn sends_together(&self) -> bool {
        self.together.get()
    }

    fn end(&self) {
        let Ok(fibers @ 1..) = u32::try_from(self.fibers.replace(0)) else {
            return;
        };
        let quick = clock::now().duration_since(self.began.get()) / fibers < QUICK;
        self.quick.set(if quick {
            self.quick.get().saturating_add(1)
        } else {
            0
        });
    }
}

/// A turn of so many fibers begins.
pub(crate) fn begin(scheduler: &Scheduler, fibers: usize) {
    let crowd = &scheduler.crowd;
    crowd.end();
    let is_crowd = CROWD.contains(&fibers);
    if is_crowd {
        crowd.fibers.set(fibers);
        crowd.began.set(clock::now());
    }
    let together = is_crowd && crowd.quick.get() >= PROVEN && scheduler.has_driver();
    crowd
        .together
        .set(together && scheduler.driver(|driver| driver.batches()));
}

/// All of its fibers have been resumed.
pub(crate) fn end(scheduler: &Scheduler) {
    scheduler.crowd.end();
    scheduler.crowd.together.set(false);
}

/// What has been sent leaves now, and is done with as far as the kernel takes it at once: before a descriptor is closed.
pub(crate) fn let_out(scheduler: &Scheduler) {
    let together = scheduler.crowd.sends_together() && scheduler.has_driver();
    if together && scheduler.driver(|driver| driver.wants_wait()) {
        scheduler.reactor(|reactor| reactor.flush_cancels());
        turn::ask(scheduler);
        turn::dispatch(scheduler);
    }
}
