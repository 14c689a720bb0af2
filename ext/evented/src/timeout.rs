//! `timeout_after`: a deadline over a stretch of code, without a thread.

use evented_core::inflight::AlarmKey;
use rb_sys::{
    NIL_P, RSTRING_LEN, RSTRING_PTR, VALUE, rb_ensure, rb_fiber_alive_p, rb_fiber_raise,
    rb_funcallv, rb_make_exception, rb_protect, rb_yield,
};

use crate::{
    convert,
    define::{Function::Three, methods},
    known::known,
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
                (c"timeout_after", Three(timeout_after)),
                // The same, where lib/evented/scheduler.rb has nothing to add.
                (c"__timeout_after", Three(timeout_after)),
            ],
        );
    }
}

struct Stretch {
    scheduler: &'static Scheduler,
    alarm: AlarmKey,
    seconds: VALUE,
}

/// `timeout_after(seconds, class, message) { |seconds| … }`: the block's value; raises
/// `class.new(message)` in this fiber where it waits when the time is up. If it does not wait then, at
/// its next wait: code that computes can't be interrupted.
///
/// # Suspends
///
/// Only if the block does.
unsafe extern "C" fn timeout_after(
    this: VALUE,
    seconds: VALUE,
    class: VALUE,
    message: VALUE,
) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let deadline = scheduler.time.deadline(convert::timeout(seconds));
    let root = scheduler.parked(Reason::Turn, [class, message]);
    let alarm = scheduler.tables(|tables| tables.set_alarm(root, deadline));
    let mut stretch = Stretch {
        scheduler,
        alarm,
        seconds,
    };
    let at = (&raw mut stretch) as VALUE;
    // SAFETY: `stretch` outlives the call.
    unsafe { rb_ensure(Some(run_block), at, Some(clear), at) }
}

unsafe extern "C" fn run_block(stretch: VALUE) -> VALUE {
    // SAFETY: `timeout_after` passes its own, and was given the block that is yielded to.
    unsafe { rb_yield((*(stretch as *const Stretch)).seconds) }
}

unsafe extern "C" fn clear(stretch: VALUE) -> VALUE {
    // SAFETY: `timeout_after` passes its own.
    let Stretch {
        scheduler, alarm, ..
    } = unsafe { &*(stretch as *const Stretch) };
    scheduler.tables(|tables| tables.clear_alarm(*alarm));
    NIL
}

/// Interrupts the fibers whose alarms have gone off. From the loop.
pub(crate) fn fire(scheduler: &Scheduler) -> std::ffi::c_int {
    loop {
        // The earliest first.
        // SAFETY: owner only; the borrow ends here.
        let Some(alarm) = (unsafe { &mut *scheduler.due.get() }).pop_front() else {
            return 0;
        };
        let Some(root) = scheduler.tables(|tables| tables.alarm(alarm)) else {
            continue;
        };
        let mut making = Making {
            root,
            exception: root.exception,
        };
        let mut state = 0;
        // With an exception it is no deadline but an interruption (tasks.rs).
        if NIL_P(making.exception) {
            // SAFETY: `making` outlives the call.
            unsafe { rb_protect(Some(make), (&raw mut making) as VALUE, &raw mut state) };
            if state != 0 {
                return state;
            }
        }
        let (interrupted, known) = scheduler.tables(|tables| {
            let fiber = root.fiber as usize;
            let interrupted =
                tables.interrupt(fiber, Some(alarm), |root| root.exception = making.exception);
            (interrupted, tables.knows(fiber))
        });
        if !interrupted && (known || !resumes_another(root.fiber)) {
            scheduler.tables(|tables| tables.postpone_alarm(alarm));
        } else if !interrupted {
            // It waits inside a fiber that it resumed (an Enumerator): Ruby finds the innermost.
            scheduler.tables(|tables| tables.heard_alarm(alarm));
            let at = (&raw mut making) as VALUE;
            // SAFETY: `making` outlives the call.
            state = unsafe { turn::hand_over(scheduler, raise, at) };
            if state != 0 {
                return state;
            }
        }
    }
}

/// Whether the fiber has resumed another that has not come back yet. Else it has yielded and waits for
/// nothing; raising in it would resume it, here. Ruby has no other way to ask than `Fiber#to_s`.
fn resumes_another(fiber: VALUE) -> bool {
    // SAFETY: with the GVL; Fiber#to_s makes a new string, which nothing changes before it is compared.
    unsafe {
        let text = rb_funcallv(fiber, known().to_s, 0, std::ptr::null());
        let len = usize::try_from(RSTRING_LEN(text)).unwrap_or(0);
        std::slice::from_raw_parts(RSTRING_PTR(text).cast::<u8>(), len).ends_with(b"by resuming)>")
    }
}

/// The exception of an alarm that went off while `fiber` could not be interrupted.
pub(crate) fn overdue(scheduler: &Scheduler, fiber: VALUE) -> Option<VALUE> {
    if !scheduler.has_overdue_alarms() {
        return None;
    }
    let Some(root) = scheduler.tables(|tables| tables.overdue_alarm(fiber as usize)) else {
        forget_the_dead(scheduler);
        return None;
    };
    if !NIL_P(root.exception) {
        return Some(root.exception);
    }
    let mut making = Making {
        root,
        exception: NIL,
    };
    // SAFETY: on the fiber's own stack, where raising is what is wanted anyway.
    unsafe { make((&raw mut making) as VALUE) };
    Some(making.exception)
}

/// Takes back what fibers can't meet any more because they have ended.
fn forget_the_dead(scheduler: &Scheduler) {
    let mut next = 0;
    while let Some((alarm, root)) = scheduler.tables(|tables| {
        let alarm = *tables.overdue_alarms().get(next)?;
        tables.alarm(alarm).map(|root| (alarm, root))
    }) {
        // SAFETY: a fiber, which the alarm keeps alive.
        if unsafe { rb_fiber_alive_p(root.fiber) } == rb_sys::Qtrue as VALUE {
            next += 1;
        } else {
            scheduler.tables(|tables| tables.clear_alarm(alarm));
        }
    }
}

struct Making {
    root: Parked,
    exception: VALUE,
}

unsafe extern "C" fn make(making: VALUE) -> VALUE {
    // SAFETY: the callers pass their own.
    let making = unsafe { &mut *(making as *mut Making) };
    // SAFETY: class and message, as `raise` takes them.
    making.exception = unsafe { rb_make_exception(2, making.root.objects.as_ptr()) };
    NIL
}

unsafe extern "C" fn raise(making: VALUE) -> VALUE {
    // SAFETY: `fire` passes its own.
    let making = unsafe { &*(making as *const Making) };
    // SAFETY: any fiber may be asked.
    if unsafe { rb_fiber_alive_p(making.root.fiber) } == rb_sys::Qtrue as VALUE {
        // SAFETY: one exception, for a fiber of this thread.
        unsafe { rb_fiber_raise(making.root.fiber, 1, &raw const making.exception) };
    }
    NIL
}
