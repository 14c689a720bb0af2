//! What tasks ask of their reactor beyond the hooks: to be interrupted as soon as they wait, to be told
//! that nothing can end any wait, what everybody waits for, and another order.
//!
//! What is made of it is decided in `lib/evented/scheduler.rb`, whose methods are called here.

use std::{
    ffi::{CStr, c_int},
    time::Duration,
};

use evented_core::op::Op;
use rb_sys::{
    LONG2FIX, NIL_P, Qfalse, Qtrue, TEST, VALUE, rb_ary_new, rb_ary_new_from_values, rb_ary_push,
    rb_fiber_scheduler_get, rb_float_new, rb_funcallv, rb_id2sym, rb_intern, rb_num2ull,
    rb_protect,
};

use crate::{
    define::{
        Function::{One, Two, Zero},
        methods,
    },
    known::known,
    scheduler::Scheduler,
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
                (c"__expect_interruption", One(expect_interruption)),
                (c"__raise_inside", Two(raise_inside)),
                (c"__watch_deadlock=", One(watch_deadlock)),
                (c"__parked?", One(is_parked)),
                (c"__known?", One(is_known)),
                (c"__waits", Zero(waits)),
                (c"__seed=", One(seed)),
            ],
        );
    }
}

/// `__expect_interruption(expected)`: counts one task more (true) or one less (false) that is to be
/// interrupted as soon as it waits; then `__interruption` is asked at each park.
unsafe extern "C" fn expect_interruption(this: VALUE, expected: VALUE) -> VALUE {
    let interruptions = &Scheduler::of(this).interruptions;
    interruptions.set(if TEST(expected) {
        interruptions.get() + 1
    } else {
        interruptions.get().saturating_sub(1)
    });
    NIL
}

/// What the current fiber is to raise instead of waiting.
pub(crate) fn interruption(scheduler: &Scheduler) -> Option<VALUE> {
    if scheduler.interruptions.get() == 0 {
        return None;
    }
    // SAFETY: with the GVL, on the fiber's own stack; what it raises is raised there.
    let exception = unsafe {
        let this = rb_fiber_scheduler_get();
        if NIL_P(this) {
            return None;
        }
        rb_funcallv(this, known().interruption, 0, std::ptr::null())
    };
    (!NIL_P(exception)).then_some(exception)
}

/// `__raise_inside(fiber, exception)`: has the loop raise it where a fiber waits that is not known to wait but
/// resumes another one that does (an Enumerator's). False if the fiber itself waits or is ready.
unsafe extern "C" fn raise_inside(this: VALUE, fiber: VALUE, exception: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let root = Parked {
        exception,
        ..Parked::fiber(fiber)
    };
    let known = scheduler.tables(|tables| {
        let known = tables.knows(fiber as usize);
        if !known {
            let alarm = tables.set_alarm_once(root);
            // SAFETY: owner only; nobody else looks at it during this closure.
            unsafe { &mut *scheduler.due.get() }.push_back(alarm);
        }
        known
    });
    (if known { Qfalse } else { Qtrue }) as VALUE
}

/// `__watch_deadlock = true`: has `__stuck` called.
unsafe extern "C" fn watch_deadlock(this: VALUE, watch: VALUE) -> VALUE {
    Scheduler::enter(this).watches_deadlock.set(TEST(watch));
    NIL
}

/// The loop is about to sleep, for `timeout`. In virtual time it does not: the clock jumps. Tells whether
/// the loop goes on instead, and the state of an exception as rb_protect reports it.
pub(crate) fn before_sleep(scheduler: &Scheduler, timeout: Option<Duration>) -> Option<c_int> {
    let (in_flight, offloaded) =
        scheduler.tables(|tables| (tables.in_flight(), tables.offloaded()));
    match timeout {
        // What other threads do for it ends by itself, and takes real time.
        Some(pause) if scheduler.time.is_stopped() && offloaded == 0 => {
            if in_flight > 0 {
                return Some(call(known().real_wait_pending));
            }
            scheduler.time.jump(pause);
            Some(0)
        }
        // Streams wait for whatever comes.
        None if scheduler.watches_deadlock.get() && in_flight == 0 && !scheduler.has_streams() => {
            let state = call(known().stuck);
            let nobody = scheduler.tables(|tables| tables.ready.is_empty());
            (state != 0 || !nobody).then_some(state)
        }
        _ => None,
    }
}

/// Calls a method of the scheduler.
fn call(method: rb_sys::ID) -> c_int {
    unsafe extern "C" fn call_protected(method: VALUE) -> VALUE {
        // SAFETY: with the GVL; a scheduler that runs is the thread's.
        unsafe {
            let this = rb_fiber_scheduler_get();
            if !NIL_P(this) {
                rb_funcallv(this, method as rb_sys::ID, 0, std::ptr::null());
            }
        }
        NIL
    }
    let mut state = 0;
    // SAFETY: the function takes a method's ID.
    unsafe { rb_protect(Some(call_protected), method as VALUE, &raw mut state) };
    state
}

/// `__parked?(fiber)`: whether the fiber waits.
unsafe extern "C" fn is_parked(this: VALUE, fiber: VALUE) -> VALUE {
    let parked = Scheduler::of(this).tables(|tables| tables.is_parked(fiber as usize));
    (if parked { Qtrue } else { Qfalse }) as VALUE
}

/// `__known?(fiber)`: whether the fiber waits or is ready.
unsafe extern "C" fn is_known(this: VALUE, fiber: VALUE) -> VALUE {
    let known = Scheduler::of(this).tables(|tables| tables.knows(fiber as usize));
    (if known { Qtrue } else { Qfalse }) as VALUE
}

/// `__waits`: for each fiber that waits an array: the fiber, what it waits for (a Symbol), the object
/// that stands for that or nil, the descriptor or nil, and for how many seconds, as a Float.
unsafe extern "C" fn waits(this: VALUE) -> VALUE {
    let scheduler = Scheduler::of(this);
    let now = scheduler.time.now();
    let waits: Vec<(Parked, Option<Op>)> = scheduler.tables(|tables| {
        tables
            .parked()
            .filter_map(|token| tables.root(token).map(|root| (root, tables.op(token))))
            .collect()
    });
    // SAFETY: with the GVL. The tables keep these fibers and objects alive: none of them runs before this
    // returns. Should Ruby be out of memory, the list is lost with it.
    unsafe {
        let list = rb_ary_new();
        for (root, op) in waits {
            let fd = op.and_then(|op| op.fd());
            let since = root
                .since
                .map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
            let wait = [
                root.fiber,
                rb_id2sym(rb_intern(name_of(root.reason, op).as_ptr())),
                root.objects[0],
                fd.map_or(NIL, |fd| LONG2FIX(fd.into())),
                rb_float_new(since.as_secs_f64()),
            ];
            rb_ary_push(list, rb_ary_new_from_values(5, wait.as_ptr()));
        }
        list
    }
}

fn name_of(reason: Reason, op: Option<Op>) -> &'static CStr {
    match (reason, op) {
        (_, Some(Op::Read(_) | Op::Recv(_))) => c"io_read",
        (_, Some(Op::Write(_) | Op::Send(_))) => c"io_write",
        (_, Some(Op::WaitId(_))) | (Reason::Process, _) => c"process_wait",
        (_, Some(_)) | (Reason::Operation, _) => c"io_wait",
        (Reason::Block, _) => c"block",
        (Reason::Sleep, _) => c"sleep",
        (Reason::Turn, _) => c"turn",
        (Reason::Select, _) => c"io_select",
        (Reason::Resolve, _) => c"address_resolve",
        (Reason::Offload, _) => c"offload",
    }
}

/// `__seed = number`: has those of a turn run in an order that depends on it alone; nil ends that.
unsafe extern "C" fn seed(this: VALUE, number: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // SAFETY: raises what is no integer.
    let seed = (!NIL_P(number)).then(|| unsafe { rb_num2ull(number) });
    scheduler.tables(|tables| tables.ready.seed(seed));
    NIL
}
