//! What the garbage collector has to keep for a waiter: VALUEs live on the stack or here, nowhere else.

use std::time::Instant;

use evented_core::Root;
use rb_sys::{Qnil, VALUE, rb_gc_mark};

/// The Ruby side of a waiter or of an alarm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parked {
    /// The fiber; or what stands for one (Ruby 4.1 interrupts through a proxy).
    pub(crate) fiber: VALUE,
    /// The IO and the buffer of an operation; the class and the message of an alarm.
    pub(crate) objects: [VALUE; 2],
    /// Whether we locked the buffer and have to unlock it.
    pub(crate) locked: bool,
    /// What to raise in the fiber, if its outcome is `Raised`.
    pub(crate) exception: VALUE,
    /// What it waits for, for those who look from outside.
    pub(crate) reason: Reason,
    /// Since when, as exactly as the loop has last looked at the clock.
    pub(crate) since: Option<Instant>,
}

/// What a fiber waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// To be unblocked: a mutex, a queue, another task.
    Block,
    /// For time to pass, or for ever.
    Sleep,
    /// For the others to have had their turn.
    Turn,
    /// For the operation of its waiter.
    Operation,
    /// For one of many descriptors.
    Select,
    /// For a child process.
    Process,
    /// For a name to be resolved.
    Resolve,
    /// For work on another thread.
    Offload,
}

impl Parked {
    /// A fiber that can go on.
    pub(crate) fn fiber(fiber: VALUE) -> Self {
        Self::new(fiber, Reason::Turn, [NIL, NIL], None)
    }

    /// A fiber, what it waits for and since when, and what has to stay alive with it.
    pub(crate) fn new(
        fiber: VALUE,
        reason: Reason,
        objects: [VALUE; 2],
        since: Option<Instant>,
    ) -> Self {
        Self {
            fiber,
            objects,
            locked: false,
            exception: NIL,
            reason,
            since,
        }
    }

    /// Marks, and pins: the addresses are kept in tables that no compaction updates.
    pub(crate) fn mark(&self) {
        for value in [self.fiber, self.objects[0], self.objects[1], self.exception] {
            // SAFETY: called by the garbage collector in its mark phase; each is a live VALUE,
            // because it has been marked in every collection since it came here.
            unsafe { rb_gc_mark(value) };
        }
    }
}

impl Root for Parked {
    fn fiber(&self) -> usize {
        self.fiber as usize
    }
}

/// `nil`.
pub(crate) const NIL: VALUE = Qnil as VALUE;
