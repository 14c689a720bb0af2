//! Raising. The classes are declared in `lib/evented/errors.rb`.
//!
//! Every function here leaves by longjmp: callers hold nothing with a destructor.

use std::ffi::CStr;

use rb_sys::{VALUE, rb_exc_new, rb_exc_raise, rb_path2class, rb_raise};

/// Raises `class` (its full path) with `message`.
pub(crate) fn raise(class: &CStr, message: &CStr) -> ! {
    // SAFETY: with the GVL; the format takes one C string.
    unsafe {
        rb_raise(
            rb_path2class(class.as_ptr()),
            c"%s".as_ptr(),
            message.as_ptr(),
        )
    }
}

/// Raises `class` with a message that was put together; it is copied into Ruby and freed first.
pub(crate) fn raise_string(class: &CStr, message: String) -> ! {
    // SAFETY: with the GVL; Ruby copies the bytes.
    let exception: VALUE = unsafe {
        let class = rb_path2class(class.as_ptr());
        rb_exc_new(class, message.as_ptr().cast(), message.len() as _)
    };
    drop(message);
    // SAFETY: an exception that was just made.
    unsafe { rb_exc_raise(exception) }
}

/// Raises the `Errno` class of a number.
pub(crate) fn raise_errno(errno: std::ffi::c_int) -> ! {
    // SAFETY: with the GVL; no message is added.
    unsafe { rb_sys::rb_syserr_fail(errno, std::ptr::null()) }
}

/// The full paths of the exception classes.
pub(crate) const ERROR: &CStr = c"Evented::Error";
pub(crate) const CLOSED: &CStr = c"Evented::ClosedError";
pub(crate) const WRONG_THREAD: &CStr = c"Evented::WrongThreadError";
pub(crate) const POISONED: &CStr = c"Evented::PoisonedError";
pub(crate) const FIBER_LIMIT: &CStr = c"Evented::FiberLimitError";
