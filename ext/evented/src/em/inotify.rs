//! Watching files: inotify(7), whose events are read as those of any other descriptor.

use rb_sys::{RSTRING_LEN, RSTRING_PTR, VALUE, rb_int2inum, rb_string_value, rb_sys_fail};

use crate::{
    convert,
    define::{
        Function::{One, Three, Two, Zero},
        methods,
    },
    waiter::NIL,
};

/// # Safety
///
/// `module` is `Evented::Native::Streams`.
pub(super) unsafe fn define(module: VALUE) {
    // SAFETY: the caller's promise.
    unsafe {
        methods(
            module,
            &[
                (c"__inotify", Zero(open)),
                (c"__inotify_add", Three(add)),
                (c"__inotify_remove", Two(remove)),
                (c"__pidfd", One(pidfd)),
            ],
        );
    }
}

/// `__inotify`: a new instance's descriptor, non-blocking and closed on exec. Raises SystemCallError.
unsafe extern "C" fn open(_: VALUE) -> VALUE {
    // SAFETY: an integer in, one out.
    answer(unsafe { libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK) })
}

/// `__inotify_add(descriptor, path, mask)`: the number of the watch. Raises SystemCallError.
unsafe extern "C" fn add(_: VALUE, fd: VALUE, path: VALUE, mask: VALUE) -> VALUE {
    let (fd, mask) = (convert::int(fd), convert::int(mask));
    let mut path = path;
    // SAFETY: raises TypeError for what is no string.
    let (start, len) = unsafe {
        rb_string_value(&raw mut path);
        (RSTRING_PTR(path), RSTRING_LEN(path))
    };
    let mut name = [0_u8; libc::PATH_MAX as usize];
    let len = usize::try_from(len).unwrap_or(0);
    if len >= name.len() {
        // SAFETY: sets this thread's own errno.
        unsafe { *libc::__errno_location() = libc::ENAMETOOLONG };
        return answer(-1);
    }
    // SAFETY: fits, with a zero behind it; the two don't overlap.
    unsafe { std::ptr::copy_nonoverlapping(start.cast(), name.as_mut_ptr(), len) };
    // SAFETY: a C string, for the length of the call.
    answer(unsafe { libc::inotify_add_watch(fd, name.as_ptr().cast(), mask.cast_unsigned()) })
}

/// `__inotify_remove(descriptor, watch)`: nil. A watch that is gone already is no error.
unsafe extern "C" fn remove(_: VALUE, fd: VALUE, watch: VALUE) -> VALUE {
    // SAFETY: two integers in.
    unsafe { libc::inotify_rm_watch(convert::int(fd), convert::int(watch)) };
    NIL
}

/// `__pidfd(pid)`: a descriptor that is readable once the process has ended. Raises SystemCallError.
unsafe extern "C" fn pidfd(_: VALUE, pid: VALUE) -> VALUE {
    let (pid, flags) = (convert::int(pid), 0_u32);
    // SAFETY: two integers in, one out.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, flags) };
    answer(libc::c_int::try_from(fd).unwrap_or(-1))
}

fn answer(result: libc::c_int) -> VALUE {
    if result < 0 {
        // SAFETY: with the GVL; errno is of the call before.
        unsafe { rb_sys_fail(std::ptr::null()) }
    }
    // SAFETY: a small integer.
    unsafe { rb_int2inum(result as _) }
}
