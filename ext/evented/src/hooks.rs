//! The hooks that involve no kernel: block, sleep, spawn, interrupt.
//!
//! Plain C functions, without argument conversion: they are called for every mutex, queue and sleep.

use std::ffi::{CStr, c_int};

use evented_core::{Outcome, Token};
use rb_sys::{
    NIL_P, Qfalse, Qtrue, VALUE, rb_eArgError, rb_ensure, rb_fiber_current,
    rb_funcall_passing_block_kw, rb_keyword_given_p, rb_raise, rb_thread_current, rb_yield,
};

use crate::{
    convert,
    define::{
        Function::{Any, One, Two, Zero},
        methods,
    },
    errors,
    known::known,
    park,
    scheduler::Scheduler,
    turn,
    waiter::{NIL, Parked, Reason},
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
                (c"block", Two(block)),
                (c"unblock", Two(unblock)),
                (c"kernel_sleep", Any(kernel_sleep)),
                (c"yield", Zero(yield_turn)),
                (c"fiber", Any(fiber)),
                (c"fiber_interrupt", Two(fiber_interrupt)),
                (c"__interrupt", Two(interrupt)),
                (c"__condition=", One(set_condition)),
                (c"__enter", One(enter)),
                (c"__switching", Zero(switching)),
                (c"transfer", Zero(transfer)),
            ],
        );
    }
}

/// `block(blocker, timeout)`: waits for `unblock`; false if `timeout` seconds passed first. Callers
/// check their own condition in a loop, so it may return early.
///
/// # Suspends
///
/// Always.
unsafe extern "C" fn block(this: VALUE, blocker: VALUE, timeout: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    if scheduler.time.is_stopped() && !NIL_P(timeout) {
        errors::raise(errors::ERROR, RUBYS_OWN_TIMEOUT);
    }
    let deadline = scheduler.time.deadline(convert::remaining(timeout));
    let root = scheduler.parked(Reason::Block, [blocker, NIL]);
    let token = scheduler.tables(|tables| tables.park(root, deadline));
    let woken = park::park(scheduler, token) != Outcome::TimedOut;
    (if woken { Qtrue } else { Qfalse }) as VALUE
}

/// `unblock(blocker, fiber)`: ends the fiber's block or sleep.
///
/// # GVL
///
/// Held; any thread. Raises nothing and switches to nobody.
unsafe extern "C" fn unblock(this: VALUE, _blocker: VALUE, fiber: VALUE) -> VALUE {
    let Some(scheduler) = Scheduler::reach(this) else {
        return Qfalse as VALUE;
    };
    let woken = scheduler.tables(|tables| tables.unpark(fiber as usize));
    wake_from_elsewhere(scheduler);
    (if woken { Qtrue } else { Qfalse }) as VALUE
}

/// `kernel_sleep(duration = nil)`: sleeps that many seconds, or until `unblock`; a mutex sleeps like
/// this for its condition variable. Zero lets every other ready fiber run once.
///
/// # Suspends
///
/// Always.
unsafe extern "C" fn kernel_sleep(argc: c_int, argv: *const VALUE, this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let duration = match argc {
        0 => None,
        // SAFETY: Ruby passes `argc` values.
        1 => convert::timeout(unsafe { *argv }),
        // SAFETY: with the GVL.
        _ => unsafe {
            rb_raise(
                rb_eArgError,
                c"kernel_sleep takes a duration or nothing".as_ptr(),
            )
        },
    };
    let condition = scheduler.condition.replace(NIL);
    let root = scheduler.parked(Reason::Sleep, [condition, NIL]);
    let token = match duration {
        Some(duration) if duration.is_zero() => scheduler.tables(|tables| tables.yield_turn(root)),
        _ => {
            let deadline = scheduler.time.deadline(duration);
            scheduler.tables(|tables| tables.park(root, deadline))
        }
    };
    park::park(scheduler, token);
    Qtrue as VALUE
}

/// `__condition = condition_variable`: that the sleep which is about to begin in this fiber is for.
unsafe extern "C" fn set_condition(this: VALUE, condition: VALUE) -> VALUE {
    Scheduler::enter(this).condition.set(condition);
    condition
}

/// `yield`: lets every other ready fiber run once.
///
/// # Suspends
///
/// Always.
unsafe extern "C" fn yield_turn(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let_others_run(scheduler);
    NIL
}

/// Lets every other ready fiber run once.
pub(crate) fn let_others_run(scheduler: &Scheduler) {
    let root = scheduler.parked(Reason::Turn, [NIL, NIL]);
    let token = scheduler.tables(|tables| tables.yield_turn(root));
    park::park(scheduler, token);
}

/// `fiber(**options, &block)`: makes a non-blocking fiber (options as for `Fiber.new`), runs it until
/// it first waits, and returns it.
///
/// # Suspends
///
/// Until the new fiber first waits or ends.
unsafe extern "C" fn fiber(argc: c_int, argv: *const VALUE, this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // SAFETY: arguments and block are passed on as they came.
    let fiber = unsafe {
        let keywords = rb_keyword_given_p();
        rb_funcall_passing_block_kw(known().fiber, known().new, argc, argv, keywords)
    };
    run_until_it_waits(scheduler, fiber);
    fiber
}

/// Gives a fiber control that is not known to wait, until it waits or ends.
///
/// # Suspends
///
/// Until then.
pub(crate) fn run_until_it_waits(scheduler: &Scheduler, fiber: VALUE) {
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    if me == scheduler.home.get() && !scheduler.looping.get() {
        scheduler.started.set(0);
        park::start_from_home(scheduler, fiber);
        // It may have started others and been set aside for them; it has not waited yet.
        turn::finish_starting(scheduler);
    } else {
        let root = scheduler.parked(Reason::Turn, [fiber, NIL]);
        let token = if scheduler.may_start_another() {
            scheduler.tables(|tables| tables.yield_first(root))
        } else {
            scheduler.tables(|tables| tables.yield_turn(root))
        };
        park::park_behind(scheduler, token, fiber);
    }
}

/// `fiber_interrupt(fiber, exception)`: raises `exception` where the fiber waits. From 4.1 on `fiber` is
/// Ruby's proxy for the operation, which is told to raise it when its turn comes.
///
/// # GVL
///
/// Held; any thread. Raises nothing and switches to nobody.
unsafe extern "C" fn fiber_interrupt(this: VALUE, fiber: VALUE, exception: VALUE) -> VALUE {
    let Some(scheduler) = Scheduler::reach(this) else {
        return Qfalse as VALUE;
    };
    let is_fiber = turn::is_fiber(fiber);
    let delivered = scheduler.tables(|tables| {
        if is_fiber {
            // A fiber that has moved on is left alone: the exception was for an operation that is over.
            tables.interrupt(fiber as usize, None, |root| root.exception = exception)
        } else {
            let root = Parked {
                exception,
                ..Parked::fiber(fiber)
            };
            tables.enter_ready(root, Outcome::Raised);
            true
        }
    });
    wake_from_elsewhere(scheduler);
    (if delivered { Qtrue } else { Qfalse }) as VALUE
}

/// `__interrupt(fiber, exception)`: as `fiber_interrupt`, but if what the fiber waits for turns out to have
/// happened after all, the exception is raised where it waits next. False if it does not wait.
unsafe extern "C" fn interrupt(this: VALUE, fiber: VALUE, exception: VALUE) -> VALUE {
    let root = Parked {
        exception,
        ..Parked::fiber(fiber)
    };
    let delivered = Scheduler::enter(this)
        .tables(|tables| tables.interrupt_for_good(root, |waiting| waiting.exception = exception));
    (if delivered { Qtrue } else { Qfalse }) as VALUE
}

/// `__enter(fiber)`: has the loop start a fiber in its next turn.
unsafe extern "C" fn enter(this: VALUE, fiber: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    scheduler.tables(|tables| tables.enter_ready(Parked::fiber(fiber), Outcome::Woken));
    fiber
}

/// `__switching { … }`: the block switches to another fiber by itself (`Fiber#raise`); notes who does, so
/// that it is gone on with. The block's value.
unsafe extern "C" fn switching(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // SAFETY: with the GVL.
    let me = unsafe { rb_fiber_current() };
    scheduler.running.set(me);
    if me == scheduler.home.get() && !scheduler.looping.get() {
        return turn::yield_from_home(scheduler);
    }
    // It goes on in its turn, whatever becomes of the fiber that gets control now.
    let token = scheduler.tables(|tables| {
        (!tables.knows(me as usize)).then(|| tables.enter_ready(Parked::fiber(me), Outcome::Woken))
    });
    let mut aside = Aside { scheduler, token };
    let at = (&raw mut aside) as VALUE;
    // SAFETY: `aside` outlives the call.
    unsafe { rb_ensure(Some(call_block), at, Some(come_back), at) }
}

struct Aside {
    scheduler: &'static Scheduler,
    token: Option<Token>,
}

unsafe extern "C" fn call_block(_aside: VALUE) -> VALUE {
    // SAFETY: `switching` was called with a block.
    unsafe { rb_yield(NIL) }
}

unsafe extern "C" fn come_back(aside: VALUE) -> VALUE {
    // SAFETY: `switching` passes its own.
    let Aside { scheduler, token } = unsafe { &*(aside as *const Aside) };
    if let Some(token) = *token {
        scheduler.tables(|tables| tables.leave(token));
    }
    NIL
}

/// `transfer`: gives control to the loop's fiber without waiting for anything; whoever wants to go on
/// has to be transferred to.
unsafe extern "C" fn transfer(this: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    park::transfer_home(scheduler);
    NIL
}

fn wake_from_elsewhere(scheduler: &Scheduler) {
    // SAFETY: with the GVL.
    if unsafe { rb_thread_current() } != scheduler.thread() {
        scheduler.wake();
    }
}

const RUBYS_OWN_TIMEOUT: &CStr =
    c"in virtual time a timeout of Queue#pop or Thread#join can't pass, because Ruby measures it itself: wrap \
      the call in Evented.timeout instead";
