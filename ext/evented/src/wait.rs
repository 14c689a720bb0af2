//! The hooks for descriptors themselves: wait until one is ready, close one.

use std::{ffi::c_int, mem::transmute, ptr};

use evented_core::{
    Outcome, Token, clock,
    op::{Attempt, Close, Interest, Op, Poll, Progress},
};
use rb_sys::{
    NIL_P, Qfalse, Qtrue, VALUE, rb_eArgError, rb_errno_ptr, rb_io_descriptor, rb_raise,
    rb_syserr_fail, rb_thread_current,
};

use crate::{
    convert, crowd,
    define::{
        Function::{One, Three},
        methods,
    },
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
            &[(c"io_wait", Three(io_wait)), (c"io_close", One(io_close))],
        );
    }
}

/// `io_wait(io, events, timeout)`: the subset of `events` that is ready, or false when `timeout` seconds
/// (nil: the IO's own timeout) have passed. A hang-up or an error counts as ready.
///
/// # Suspends
///
/// Unless `timeout` is zero.
unsafe extern "C" fn io_wait(this: VALUE, io: VALUE, events: VALUE, timeout: VALUE) -> VALUE {
    // SAFETY: raises IOError if it is closed.
    let fd = unsafe { rb_io_descriptor(io) };
    let bits = convert::int(events);
    let Some(interest) = u8::try_from(bits).ok().and_then(Interest::from_bits) else {
        // SAFETY: with the GVL.
        unsafe {
            let message =
                c"events must be a sum of IO::READABLE, IO::PRIORITY and IO::WRITABLE, not %d";
            rb_raise(rb_eArgError, message.as_ptr(), bits)
        }
    };
    let implicit = NIL_P(timeout);
    let timeout = if implicit {
        convert::io_timeout(io)
    } else {
        convert::timeout(timeout)
    };
    let mut op = Op::Poll(Poll::new(fd, interest));
    if is_foreign_thread(this) {
        return wait_on_this_thread(fd, interest, timeout);
    }
    let scheduler = Scheduler::enter(this);
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return match op.syscall() {
            Attempt::Done(result) => match op.advance(result) {
                Progress::Complete(ready) => readiness(ready),
                Progress::Again | Progress::Never => Qfalse as VALUE,
            },
            _ => Qfalse as VALUE,
        };
    }
    let deadline = scheduler.time.deadline(timeout);
    let root = scheduler.parked(Reason::Operation, [io, NIL]);
    let token = scheduler.reactor(|reactor| reactor.submit(root, op, deadline));
    match crate::park::park(scheduler, token) {
        Outcome::Done(ready) => readiness(ready),
        _ => {
            if implicit {
                // Up to 3.3 Ruby makes an exception of the errno that it finds now.
                // SAFETY: this thread's errno.
                unsafe { *rb_errno_ptr() = libc::ETIMEDOUT };
            }
            Qfalse as VALUE
        }
    }
}

/// `io_close(fd)`: wakes who waits on the descriptor (with IOError) and closes it.
unsafe extern "C" fn io_close(this: VALUE, fd: VALUE) -> VALUE {
    let scheduler = Scheduler::enter(this);
    let fd = convert::int(fd);
    crowd::let_out(scheduler);
    scheduler.tables(|tables| tables.close(fd));
    // What waits on it and has not left yet must not leave after it: the number may be another's then.
    scheduler.reactor(|reactor| reactor.flush_cancels());
    // Nobody waits for this completion: the descriptor is gone, whatever close(2) says.
    scheduler.driver(|driver| driver.push(Op::Close(Close { fd }), Token::default()));
    Qtrue as VALUE
}

/// The satisfied events as `io_wait` returns them; raises the error if there was one.
fn readiness(ready: i32) -> VALUE {
    if ready < 0 {
        // SAFETY: with the GVL.
        unsafe { rb_syserr_fail(-ready, c"io_wait".as_ptr()) }
    }
    convert::result(ready)
}

/// Whether this is called from a thread that the scheduler does not belong to: `IO.copy_stream` waits
/// through the scheduler of the thread that called it, even when a worker carries it out.
fn is_foreign_thread(this: VALUE) -> bool {
    Scheduler::reach(this).is_some_and(|scheduler| {
        // SAFETY: with the GVL.
        scheduler.in_use() && unsafe { rb_thread_current() } != scheduler.thread()
    })
}

/// Waits by blocking this thread, without the GVL.
fn wait_on_this_thread(
    fd: c_int,
    interest: Interest,
    timeout: Option<std::time::Duration>,
) -> VALUE {
    struct Wait {
        asked: libc::pollfd,
        milliseconds: c_int,
    }
    unsafe extern "C" fn poll(wait: *mut std::ffi::c_void) -> *mut std::ffi::c_void {
        // SAFETY: the `Wait` below.
        let wait = unsafe { &mut *wait.cast::<Wait>() };
        // SAFETY: one pollfd that outlives the call.
        unsafe { libc::poll(&raw mut wait.asked, 1, wait.milliseconds) };
        ptr::null_mut()
    }
    let deadline = timeout.and_then(|timeout| clock::deadline(clock::now(), Some(timeout)));
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(clock::now()));
        let milliseconds = left.map_or(-1, |left| {
            c_int::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(c_int::MAX)
        });
        let asked = libc::pollfd {
            fd,
            events: interest.poll_mask(),
            revents: 0,
        };
        let mut wait = Wait {
            asked,
            milliseconds,
        };
        // SAFETY: `wait` outlives the call. The unblocking function is Ruby's RUBY_UBF_IO, which is
        // defined as this number.
        unsafe {
            let unblock = transmute::<isize, rb_sys::rb_unblock_function_t>(-1);
            rb_sys::rb_thread_call_without_gvl(
                Some(poll),
                (&raw mut wait).cast(),
                unblock,
                ptr::null_mut(),
            );
        }
        if wait.asked.revents & libc::POLLNVAL != 0 {
            // SAFETY: with the GVL.
            unsafe { rb_syserr_fail(libc::EBADF, c"io_wait".as_ptr()) }
        }
        let ready = interest.satisfied_by(wait.asked.revents);
        if ready != 0 {
            return convert::result(ready.into());
        }
        if left.is_some_and(|left| left.is_zero()) {
            return Qfalse as VALUE;
        }
    }
}
