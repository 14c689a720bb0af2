//! A wake-up that is not used by the one it was for.
//!
//! Ruby wakes one of those who wait for a mutex, a queue or a condition variable, and takes it off its list. If that
//! fiber is raised in before it goes on, nobody else would hear of the wake-up: the mutex is free, the item is there,
//! and all others wait for ever. So it goes to another one.

use std::ffi::c_int;

use rb_sys::{
    Qtrue, VALUE, rb_funcallv, rb_mutex_trylock, rb_mutex_unlock, rb_obj_is_kind_of, rb_protect,
    rb_thread_current,
};

use crate::{
    known::known,
    registry,
    scheduler::Scheduler,
    waiter::{NIL, Parked, Reason},
};

/// The wait of `left` is over and an exception is passing through its fiber, which had been woken. Returns the state of
/// an exception, as rb_protect reports it: another one, or the `state` there was.
pub(crate) fn to_another(scheduler: &Scheduler, left: &Parked, state: c_int) -> c_int {
    let on = left.objects[0];
    let mut raised = 0;
    match left.reason {
        Reason::Block if is_a(on, known().mutex) => {
            // SAFETY: a mutex; the function undoes what it does.
            unsafe { rb_protect(Some(lock_and_unlock), on, &raw mut raised) };
        }
        Reason::Block => wake_one_who_waits_for(scheduler, on),
        Reason::Sleep if is_a(on, known().condition_variable) => {
            // SAFETY: a condition variable.
            unsafe { rb_protect(Some(signal), on, &raw mut raised) };
        }
        // Nobody else waits for the same.
        _ => {}
    }
    if raised == 0 { state } else { raised }
}

/// Unlocking a mutex wakes the next one who waits for it, in whatever thread. If it is locked, whoever has it will.
unsafe extern "C" fn lock_and_unlock(mutex: VALUE) -> VALUE {
    // SAFETY: `to_another` passes a mutex.
    unsafe {
        if rb_mutex_trylock(mutex) == Qtrue as VALUE {
            rb_mutex_unlock(mutex);
        }
    }
    NIL
}

unsafe extern "C" fn signal(condition: VALUE) -> VALUE {
    // SAFETY: `to_another` passes a condition variable.
    unsafe { rb_funcallv(condition, known().signal, 0, std::ptr::null()) }
}

/// Whoever blocks asks again whether it may go on, so this may wake one too many, for a queue that is full and empty by
/// turns for one. (Threads without a reactor are out of reach: only Ruby knows which of them wait.)
fn wake_one_who_waits_for(scheduler: &Scheduler, blocker: VALUE) {
    let wakes = |scheduler: &Scheduler| {
        scheduler.tables(|tables| {
            let another = tables
                .find_parked(|root| root.reason == Reason::Block && root.objects[0] == blocker);
            another.is_some_and(|fiber| tables.unpark(fiber))
        })
    };
    if wakes(scheduler) {
        return;
    }
    registry::find(|other| {
        // SAFETY: with the GVL.
        let is_ours = unsafe { rb_thread_current() } == other.thread();
        let woken = !is_ours && wakes(other);
        if woken {
            other.wake();
        }
        woken
    });
}

fn is_a(value: VALUE, class: VALUE) -> bool {
    // SAFETY: with the GVL; any value, and a class.
    unsafe { rb_obj_is_kind_of(value, class) == Qtrue as VALUE }
}
