//! Who waits on a descriptor that is being closed.
//!
//! Ruby tells a scheduler only from 4.0 on; before, `lib/evented/wake_on_close.rb` calls [`closing`] from
//! `IO#close`, on whatever thread that runs.

use std::{cell::UnsafeCell, ffi::c_int};

use rb_sys::{
    NIL_P, Qfalse, Qtrue, VALUE, rb_io_descriptor, rb_io_get_io, rb_io_get_write_io,
    rb_thread_current,
};

use crate::{
    convert, crowd,
    define::{Function, singleton_method},
    em, fork,
    scheduler::Scheduler,
};

/// The schedulers of this process that are open, guarded by the GVL.
struct Open(UnsafeCell<Vec<*const Scheduler>>);

// SAFETY: only touched with the GVL, which makes one thread at a time of all of them.
unsafe impl Sync for Open {}

static OPEN: Open = Open(UnsafeCell::new(Vec::new()));

/// Enters a scheduler that has been opened.
pub(crate) fn enter(scheduler: *const Scheduler) {
    open().push(scheduler);
}

/// Takes a scheduler out: it is closed, or its memory is about to be freed.
pub(crate) fn leave(scheduler: *const Scheduler) {
    open().retain(|&other| other != scheduler);
}

/// # Safety
///
/// `native` is a module.
pub(crate) unsafe fn define(native: VALUE) {
    // SAFETY: the caller's promise.
    unsafe { singleton_method(native, c"closing", Function::Two(closing)) };
}

/// `Evented::Native.closing(io, side)`: wakes every fiber of every reactor that waits on `io`, which is about to
/// be closed; each raises IOError. True if there was any. With `side` `File::RDONLY` or `File::WRONLY` only
/// the descriptor that is open for just that.
///
/// # GVL
///
/// Held; any thread.
unsafe extern "C" fn closing(_native: VALUE, io: VALUE, side: VALUE) -> VALUE {
    // SAFETY: TypeError is raised for what is no IO, and IOError for one that is closed. What popen
    // opens both ways has a second one to write to.
    let (fd, writer) = unsafe {
        let io = rb_io_get_io(io);
        let writer = rb_io_get_write_io(io);
        (
            rb_io_descriptor(io),
            (writer != io).then(|| rb_io_descriptor(writer)),
        )
    };
    let side = (!NIL_P(side)).then(|| convert::int(side));
    let is_meant = |&fd: &c_int| side.is_none_or(|side| access(fd) == side);
    let woken = [Some(fd), writer]
        .into_iter()
        .flatten()
        .filter(is_meant)
        .fold(false, |woken, fd| woken | wake_waiters(fd));
    (if woken { Qtrue } else { Qfalse }) as VALUE
}

/// What a descriptor is open for: O_RDONLY, O_WRONLY or O_RDWR; -1 if it is not open at all.
fn access(fd: c_int) -> c_int {
    // SAFETY: two integers in, one out.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    if flags < 0 {
        -1
    } else {
        flags & libc::O_ACCMODE
    }
}

/// Whether `found` says so of one of the schedulers of this process that are open; asks until then. It must not call
/// Ruby.
pub(crate) fn find(mut found: impl FnMut(&Scheduler) -> bool) -> bool {
    open().iter().any(|&scheduler| {
        // SAFETY: schedulers leave the list before they are freed.
        let scheduler = unsafe { &*scheduler };
        scheduler.epoch() == fork::epoch() && found(scheduler)
    })
}

fn wake_waiters(fd: c_int) -> bool {
    let mut woken = false;
    find(|scheduler| {
        // SAFETY: with the GVL.
        let is_ours = unsafe { rb_thread_current() } == scheduler.thread();
        if is_ours {
            crowd::let_out(scheduler);
        }
        let ends = em::closing(scheduler, fd, is_ours);
        let wakes = scheduler.tables(|tables| tables.close(fd)) > 0;
        if (ends || wakes) && !is_ours {
            scheduler.wake();
        }
        woken |= wakes;
        false
    });
    woken
}

fn open() -> &'static mut Vec<*const Scheduler> {
    // SAFETY: with the GVL, and no borrow outlives the function that asked for it.
    unsafe { &mut *OPEN.0.get() }
}
