//! `blocking_operation_wait`: work that a Ruby thread does while the fiber is parked.
//!
//! Which thread, and whether it is worth it, is decided in `lib/evented/scheduler.rb`.

use evented_core::Token;
use rb_sys::{VALUE, rb_jump_tag, rb_num2ull, rb_protect, rb_ull2inum, rb_yield};

use crate::{
    define::{
        Function::{One, Zero},
        methods,
    },
    park,
    scheduler::Scheduler,
    waiter::{NIL, Reason},
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(
            class,
            &[
                (c"__offload", Zero(offload)),
                (c"__offloaded", One(offloaded)),
            ],
        );
    }
}

/// `__offload { |ticket| … }`: calls the block, which has a thread start on the work, and waits until
/// somebody calls `__offloaded(ticket)`.
///
/// # Suspends
///
/// Until then, whatever is raised in the fiber: the work may use this fiber's stack (I-1).
unsafe extern "C" fn offload(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let root = scheduler.parked(Reason::Offload, [NIL, NIL]);
    let token = scheduler.tables(|tables| tables.park_offloaded(root, true));
    let mut state = 0;
    // SAFETY: the block gets a number; what it raises is passed on below.
    unsafe {
        rb_protect(
            Some(rb_yield),
            rb_ull2inum(token.into_bits()),
            &raw mut state,
        )
    };
    if state != 0 {
        scheduler.tables(|tables| {
            tables.complete_offloaded(token);
            tables.leave(token);
        });
        // SAFETY: the state that rb_protect reported.
        unsafe { rb_jump_tag(state) }
    }
    park::park(scheduler, token);
    NIL
}

/// `__offloaded(ticket)`: the work is done.
///
/// # GVL
///
/// Held; any thread.
unsafe extern "C" fn offloaded(this: VALUE, ticket: VALUE) -> VALUE {
    // SAFETY: with the GVL.
    let token = Token::from_bits(unsafe { rb_num2ull(ticket) });
    if let Some(scheduler) = Scheduler::reach(this) {
        scheduler.tables(|tables| tables.complete_offloaded(token));
        scheduler.wake();
    }
    NIL
}
