//! `io_select`: many descriptors at once, without a thread.

use std::{ffi::c_int, ptr};

use evented_core::{
    Outcome,
    op::{Interest, Op, Poll},
};
use rb_sys::{
    NIL_P, RARRAY_AREF, RARRAY_LEN, RFile, VALUE, rb_alloc_tmp_buffer, rb_ary_new, rb_ary_push,
    rb_check_array_type, rb_eArgError, rb_eTypeError, rb_free_tmp_buffer, rb_io_descriptor,
    rb_io_get_io, rb_io_read_pending, rb_raise, rb_syserr_fail,
};

use crate::{
    convert,
    define::{Function::Any, methods},
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
        methods(class, &[(c"io_select", Any(io_select))]);
    }
}

/// `io_select(readables, writables = nil, exceptables = nil, timeout = nil)`: as IO.select: the three
/// lists of what is ready, with the objects that were given, or nil when `timeout` seconds have passed.
///
/// # Suspends
///
/// Unless something is ready or `timeout` is zero.
unsafe extern "C" fn io_select(argc: c_int, argv: *const VALUE, this: VALUE) -> VALUE {
    if !(1..=4).contains(&argc) {
        // SAFETY: with the GVL.
        unsafe {
            rb_raise(
                rb_eArgError,
                c"io_select takes one to four arguments".as_ptr(),
            )
        }
    }
    let argument = |index: c_int| {
        if index < argc {
            // SAFETY: Ruby passes `argc` values.
            unsafe { *argv.add(index as usize) }
        } else {
            NIL
        }
    };
    let scheduler = Scheduler::enter(this);
    let lists = [0, 1, 2].map(|index| list(argument(index)));
    let timeout = convert::timeout(argument(3));
    let deadline = scheduler.time.deadline(timeout);
    let set = Set::new(lists);
    let ready = loop {
        if set.poll() {
            break true;
        }
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            break false;
        }
        let root = scheduler.parked(Reason::Select, [lists[0], lists[1]]);
        let token = scheduler.tables(|tables| tables.park(root, deadline));
        scheduler.reactor(|reactor| {
            for asked in set.asked() {
                // What has hung up would wake us for ever, and for what it was asked it will not.
                if asked.revents != 0 {
                    continue;
                }
                if let Some(interest) = interest_of(asked.events) {
                    reactor.submit_member(token, Op::Poll(Poll::new(asked.fd, interest)));
                }
            }
        });
        // Who else reads from these may have been quicker, so what woke us is asked for again.
        if park::park(scheduler, token) == Outcome::TimedOut
            || deadline.is_some_and(|deadline| scheduler.time.now() >= deadline)
        {
            break set.poll();
        }
    };
    let result = if ready { set.result(lists) } else { NIL };
    set.free();
    result
}

/// What poll(2) is asked, in memory that Ruby's garbage collector owns: an exception that passes
/// through here leaves nothing behind (I-4).
struct Set {
    /// Keeps `start` alive; on the stack, where the garbage collector finds it.
    memory: VALUE,
    start: *mut libc::pollfd,
    /// For each: whether it has been read from the kernel and waits in Ruby's own buffer.
    buffered: *mut bool,
    len: usize,
}

const EVENTS: [libc::c_short; 3] = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];

impl Set {
    fn new(lists: [VALUE; 3]) -> Self {
        let len = lists.iter().map(|&list| length(list)).sum();
        let mut set = Self {
            memory: NIL,
            start: ptr::null_mut(),
            buffered: ptr::null_mut(),
            len,
        };
        let room = len.max(1);
        let bytes = room * (size_of::<libc::pollfd>() + size_of::<bool>());
        // SAFETY: `memory` is where the garbage collector looks, and stays there with the set.
        set.start = unsafe { rb_alloc_tmp_buffer(&raw mut set.memory, bytes as _) }.cast();
        set.buffered = set.start.wrapping_add(room).cast();
        let mut index = 0;
        for (list, events) in lists.into_iter().zip(EVENTS) {
            // A conversion may change a list meanwhile: never more than there is room for.
            for position in 0..length(list).min(len - index) {
                // SAFETY: inside the array; raises TypeError or IOError for what is not an open IO.
                let (fd, pending) = unsafe {
                    let io = rb_io_get_io(RARRAY_AREF(list, position as isize));
                    let fd = rb_io_descriptor(io);
                    let stream = (*(io as *const RFile)).fptr;
                    (
                        fd,
                        events == libc::POLLIN && rb_io_read_pending(stream) != 0,
                    )
                };
                let asked = libc::pollfd {
                    fd,
                    events,
                    revents: 0,
                };
                // SAFETY: `index` is below `len`, and both arrays have room for that many.
                unsafe {
                    set.start.add(index).write(asked);
                    set.buffered.add(index).write(pending);
                }
                index += 1;
            }
        }
        set.len = index;
        set
    }

    fn asked(&self) -> &[libc::pollfd] {
        // SAFETY: `new` has written this many.
        unsafe { std::slice::from_raw_parts(self.start, self.len) }
    }

    fn buffered(&self) -> &[bool] {
        // SAFETY: `new` has written this many.
        unsafe { std::slice::from_raw_parts(self.buffered, self.len) }
    }

    /// Asks the kernel. Raises EBADF for a descriptor that is not open.
    fn poll(&self) -> bool {
        // SAFETY: as many as `new` has written; poll(2) only writes their revents.
        let count = unsafe { libc::poll(self.start, self.len as libc::nfds_t, 0) };
        if self
            .asked()
            .iter()
            .any(|asked| asked.revents & libc::POLLNVAL != 0)
        {
            // SAFETY: with the GVL.
            unsafe { rb_syserr_fail(libc::EBADF, c"io_select".as_ptr()) }
        }
        count > 0
            && self
                .asked()
                .iter()
                .any(|asked| is_ready(asked.events, asked.revents))
            || self.buffered().contains(&true)
    }

    fn result(&self, lists: [VALUE; 3]) -> VALUE {
        let mut index = 0;
        // SAFETY: with the GVL; arrays that are on this stack.
        unsafe {
            let result = rb_ary_new();
            for (list, events) in lists.into_iter().zip(EVENTS) {
                let ready = rb_ary_new();
                for position in 0..length(list) {
                    let Some(asked) = self.asked().get(index) else {
                        break;
                    };
                    if self.buffered()[index] || is_ready(events, asked.revents) {
                        rb_ary_push(ready, RARRAY_AREF(list, position as isize));
                    }
                    index += 1;
                }
                rb_ary_push(result, ready);
            }
            result
        }
    }

    fn free(mut self) {
        // SAFETY: memory of rb_alloc_tmp_buffer, not used afterwards.
        unsafe { rb_free_tmp_buffer(&raw mut self.memory) };
    }
}

/// As Linux's select(2) counts: a hang-up is readable, an error both readable and writable, and only urgent
/// data is exceptional.
fn is_ready(events: libc::c_short, revents: libc::c_short) -> bool {
    let counts = match events {
        libc::POLLIN => libc::POLLIN | libc::POLLHUP | libc::POLLERR,
        libc::POLLOUT => libc::POLLOUT | libc::POLLERR,
        other => other,
    };
    revents & counts != 0
}

fn interest_of(events: libc::c_short) -> Option<Interest> {
    match events {
        libc::POLLIN => Some(Interest::READABLE),
        libc::POLLOUT => Some(Interest::WRITABLE),
        libc::POLLPRI => Some(Interest::PRIORITY),
        _ => None,
    }
}

fn list(value: VALUE) -> VALUE {
    if NIL_P(value) {
        return NIL;
    }
    // SAFETY: any VALUE may be asked.
    let array = unsafe { rb_check_array_type(value) };
    if NIL_P(array) {
        // SAFETY: with the GVL.
        unsafe {
            rb_raise(
                rb_eTypeError,
                c"io_select takes arrays of IOs, or nil".as_ptr(),
            )
        }
    }
    array
}

fn length(list: VALUE) -> usize {
    if NIL_P(list) {
        return 0;
    }
    // SAFETY: an array.
    usize::try_from(unsafe { RARRAY_LEN(list) }).unwrap_or(0)
}
