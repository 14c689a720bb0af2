//! The hooks that move bytes: read, write, and both at a position.
//!
//! Sockets suspend inside `io_read`; for everything else it answers EAGAIN when there is nothing, and
//! Ruby calls `io_wait`. That is because `IO#read_nonblock` passes the very same arguments as
//! `IO#read`, except on sockets, where it does not come here at all.
//!
//! Ruby 4.1 swaps length and offset, and means by length the most and not the least; both shapes are
//! compiled, and the one that this Ruby calls gets the hook's name.

use std::{ffi::c_int, ptr};

use evented_core::{
    Outcome,
    buffer::Buffer,
    op::{Attempt, Op, Progress, Read, Recv, Send, Transfer, Write},
};
use rb_sys::{
    Qfalse, Qtrue, RUBY_FIBER_SCHEDULER_VERSION, VALUE, rb_eIOTimeoutError, rb_funcallv,
    rb_io_buffer_get_bytes_for_reading, rb_io_buffer_get_bytes_for_writing, rb_io_buffer_lock,
    rb_io_descriptor, rb_obj_is_kind_of, rb_raise,
};

use crate::{
    convert,
    define::{
        Function::{Five, Four},
        methods,
    },
    hooks,
    known::known,
    scheduler::Scheduler,
    waiter::Reason,
};

/// # Safety
///
/// `class` is `Evented::Native::Scheduler`.
pub(crate) unsafe fn define(class: VALUE) {
    let of_this_ruby = usize::from(RUBY_FIBER_SCHEDULER_VERSION >= 4);
    let read = [Four(io_read::<false>), Four(io_read::<true>)];
    let write = [Four(io_write::<false>), Four(io_write::<true>)];
    let pread = [Five(io_pread::<false>), Five(io_pread::<true>)];
    let pwrite = [Five(io_pwrite::<false>), Five(io_pwrite::<true>)];
    // SAFETY: the caller's promise, and methods of that class.
    unsafe {
        methods(
            class,
            &[
                (c"io_read", read[of_this_ruby]),
                (c"io_write", write[of_this_ruby]),
                (c"io_pread", pread[of_this_ruby]),
                (c"io_pwrite", pwrite[of_this_ruby]),
                // For tests of the shape that this Ruby does not call.
                (c"__io_read_most", read[1]),
                (c"__io_write_most", write[1]),
                (c"__io_pread_most", pread[1]),
                (c"__io_pwrite_most", pwrite[1]),
            ],
        );
    }
}

/// `io_read(io, buffer, length, offset)` up to Ruby 4.0: reads at least `length` bytes to `offset` in
/// the buffer; with 0, what one call brings. `io_read(io, buffer, offset, length)` from 4.1 on (`MOST`):
/// at most `length` bytes, in one transfer. A count, 0 at the end, or a negative errno.
///
/// # Suspends
///
/// On sockets and for regular files that are not in memory, and with a least length on everything.
unsafe extern "C" fn io_read<const MOST: bool>(
    this: VALUE,
    io: VALUE,
    buffer: VALUE,
    first: VALUE,
    second: VALUE,
) -> VALUE {
    read(this, io, buffer, None, Extent::from::<MOST>(first, second))
}

/// As `io_read`, from position `from` in the file.
unsafe extern "C" fn io_pread<const MOST: bool>(
    this: VALUE,
    io: VALUE,
    buffer: VALUE,
    from: VALUE,
    first: VALUE,
    second: VALUE,
) -> VALUE {
    let at = convert::size(from) as u64;
    read(
        this,
        io,
        buffer,
        Some(at),
        Extent::from::<MOST>(first, second),
    )
}

/// `io_write(io, buffer, length, offset)` up to Ruby 4.0: writes what stands in the buffer from
/// `offset` on, all of it. `io_write(io, buffer, offset, length)` from 4.1 on (`MOST`): at most `length`
/// bytes, in one transfer. A count or a negative errno.
///
/// # Suspends
///
/// Until there is room.
unsafe extern "C" fn io_write<const MOST: bool>(
    this: VALUE,
    io: VALUE,
    buffer: VALUE,
    first: VALUE,
    second: VALUE,
) -> VALUE {
    write(
        this,
        io,
        buffer,
        None,
        Extent::from::<MOST>(first, second).whole(),
    )
}

/// As `io_write`, to position `from` in the file.
unsafe extern "C" fn io_pwrite<const MOST: bool>(
    this: VALUE,
    io: VALUE,
    buffer: VALUE,
    from: VALUE,
    first: VALUE,
    second: VALUE,
) -> VALUE {
    let at = convert::size(from) as u64;
    write(
        this,
        io,
        buffer,
        Some(at),
        Extent::from::<MOST>(first, second).whole(),
    )
}

/// Which part of a buffer, and how much of it is enough.
#[derive(Clone, Copy)]
struct Extent {
    offset: usize,
    least: usize,
    most: usize,
}

impl Extent {
    /// From a hook's arguments: length and offset or, with `MOST`, offset and length.
    fn from<const MOST: bool>(first: VALUE, second: VALUE) -> Self {
        let (first, second) = (convert::size(first), convert::size(second));
        if MOST {
            Self {
                offset: first,
                least: 0,
                most: second,
            }
        } else {
            Self {
                offset: second,
                least: first,
                most: usize::MAX,
            }
        }
    }

    /// As much as there is, unless it is limited: Ruby would only call again for the rest.
    fn whole(self) -> Self {
        if self.most == usize::MAX {
            Self {
                least: usize::MAX,
                ..self
            }
        } else {
            self
        }
    }

    /// The transfer, or `None` if it lies outside of a buffer of `size` bytes.
    fn of(self, start: *mut u8, size: usize) -> Option<Transfer> {
        let room = size.checked_sub(self.offset)?;
        if self.least != usize::MAX && self.least > room {
            return None;
        }
        // SAFETY: inside the buffer. It is locked while the operation is in flight, rooted by its
        // waiter, and given back only after the operation's completion (I-1).
        let buffer = unsafe {
            Buffer::new(
                start.wrapping_add(self.offset),
                room.min(self.most).min(MOST),
            )
        };
        Some(Transfer::new(buffer, self.least))
    }
}

fn read(this: VALUE, io: VALUE, buffer: VALUE, at: Option<u64>, extent: Extent) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // Before anything is looked at: meanwhile the IO may be closed, and the buffer freed.
    if scheduler.is_greedy() {
        hooks::let_others_run(scheduler);
    }
    let (mut start, mut size) = (ptr::null_mut(), 0);
    // SAFETY: both raise if they can't be had: a closed IO, a frozen buffer.
    let fd = unsafe {
        rb_io_buffer_get_bytes_for_writing(buffer, &raw mut start, &raw mut size);
        rb_io_descriptor(io)
    };
    let Some(transfer) = extent.of(start.cast(), size as usize) else {
        return convert::result(-libc::EINVAL);
    };
    if transfer.rest().is_empty() {
        return convert::result(0);
    }
    if at.is_none() && is_socket(io) {
        receive(scheduler, io, buffer, Op::Recv(Recv { fd, transfer }), fd)
    } else {
        // With a length it can't be `read_nonblock`, so it may wait.
        let may_wait = extent.least > 0;
        transfer_elsewhere(
            scheduler,
            io,
            buffer,
            Op::Read(Read { fd, transfer, at }),
            may_wait,
        )
    }
}

fn write(this: VALUE, io: VALUE, buffer: VALUE, at: Option<u64>, extent: Extent) -> VALUE {
    let scheduler = Scheduler::enter(this);
    // Before anything is looked at: meanwhile the IO may be closed, and the buffer freed.
    if scheduler.is_greedy() {
        hooks::let_others_run(scheduler);
    }
    let (mut start, mut size) = (ptr::null(), 0);
    // SAFETY: both raise if they can't be had.
    let fd = unsafe {
        rb_io_buffer_get_bytes_for_reading(buffer, &raw mut start, &raw mut size);
        rb_io_descriptor(io)
    };
    let Some(transfer) = extent.of(start.cast_mut().cast(), size as usize) else {
        return convert::result(-libc::EINVAL);
    };
    if transfer.rest().is_empty() {
        return convert::result(0);
    }
    // `IO#write_nonblock` does not come here, so all of this may wait.
    let op = if at.is_none() && is_socket(io) {
        Op::Send(Send { fd, transfer })
    } else {
        Op::Write(Write { fd, transfer, at })
    };
    transfer_elsewhere(scheduler, io, buffer, op, true)
}

/// The most that one hook transfers, so that the count fits the C int that Ruby takes it for: Linux's
/// own limit for one call (read(2), "Notes").
const MOST: usize = 0x7fff_f000;

/// Receives from a socket: at once if something is there, and it is worth looking.
fn receive(scheduler: &Scheduler, io: VALUE, buffer: VALUE, mut op: Op, fd: c_int) -> VALUE {
    if scheduler.worth_trying(fd) {
        let attempt = op.syscall();
        scheduler.tried(fd, attempt != Attempt::NotReady);
        if let Attempt::Done(result) = attempt
            && let Progress::Complete(result) = op.advance(result)
        {
            return convert::result(result);
        }
    }
    submit_and_park(scheduler, io, buffer, op)
}

fn transfer_elsewhere(
    scheduler: &Scheduler,
    io: VALUE,
    buffer: VALUE,
    mut op: Op,
    may_wait: bool,
) -> VALUE {
    if matches!(op, Op::Send(_)) && scheduler.crowd.sends_together() {
        return submit_and_park(scheduler, io, buffer, op);
    }
    match op.syscall() {
        Attempt::Done(result) => {
            if let Progress::Complete(result) = op.advance(result) {
                return convert::result(result);
            }
        }
        Attempt::NotReady if !may_wait => return convert::result(-libc::EAGAIN),
        Attempt::NotReady | Attempt::Blocking => {}
    }
    submit_and_park(scheduler, io, buffer, op)
}

/// The slow way: the kernel does it while the fiber is parked.
fn submit_and_park(scheduler: &Scheduler, io: VALUE, buffer: VALUE, op: Op) -> VALUE {
    let timeout = convert::io_timeout(io);
    let deadline = scheduler.time.deadline(timeout);
    let mut root = scheduler.parked(Reason::Operation, [io, buffer]);
    root.locked = lock(buffer);
    let token = scheduler.reactor(|reactor| reactor.submit(root, op, deadline));
    match crate::park::park(scheduler, token) {
        Outcome::Done(result) => convert::result(result),
        // SAFETY: with the GVL. Ruby's own words for it.
        Outcome::TimedOut => unsafe {
            rb_raise(
                rb_eIOTimeoutError,
                c"Blocking operation timed out!".as_ptr(),
            )
        },
        _ => convert::result(-libc::ECANCELED),
    }
}

/// Locks a buffer that its user handed in; those that Ruby makes for `IO#read` are locked already.
fn lock(buffer: VALUE) -> bool {
    // SAFETY: an IO::Buffer, or its bytes could not have been had.
    unsafe {
        if rb_funcallv(buffer, known().is_locked, 0, ptr::null()) != Qfalse as VALUE {
            return false;
        }
        rb_io_buffer_lock(buffer);
    }
    true
}

fn is_socket(io: VALUE) -> bool {
    // SAFETY: any VALUE may be asked.
    unsafe { rb_obj_is_kind_of(io, known().basic_socket) == Qtrue as VALUE }
}
