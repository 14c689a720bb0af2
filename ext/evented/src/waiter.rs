//! What the garbage collector has to keep for a waiter: VALUEs live on the stack or here, nowhere else.

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
}

impl Parked {
    /// A fiber that waits for nothing that has to be kept.
    pub(crate) fn fiber(fiber: VALUE) -> Self {
        Self::with(fiber, [NIL, NIL])
    }

    /// A fiber, and what has to stay alive with it.
    pub(crate) fn with(fiber: VALUE, objects: [VALUE; 2]) -> Self {
        Self {
            fiber,
            objects,
            locked: false,
            exception: NIL,
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
