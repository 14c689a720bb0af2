//! Ruby's numbers and objects as the core wants them.
//!
//! These may raise (by longjmp): callers hold nothing with a destructor.

use std::{ffi::c_int, time::Duration};

use rb_sys::{
    FIX2LONG, FIXNUM_P, FLONUM_P, NIL_P, NUM2DBL, RB_FLOAT_TYPE_P, TEST, VALUE, rb_eArgError,
    rb_io_check_io, rb_io_timeout, rb_raise, rb_time_timespec_interval,
};

/// A duration in seconds: `None` for nil and for infinity. Raises ArgumentError if it is negative or
/// not a number at all (NaN), TypeError if it is no number.
pub(crate) fn timeout(seconds: VALUE) -> Option<Duration> {
    if NIL_P(seconds) {
        return None;
    }
    if FIXNUM_P(seconds) {
        // SAFETY: a fixnum.
        let whole = unsafe { FIX2LONG(seconds) };
        return match u64::try_from(whole) {
            Ok(whole) => Some(Duration::from_secs(whole)),
            Err(_) => negative(),
        };
    }
    // SAFETY: any VALUE may be asked.
    if FLONUM_P(seconds) || unsafe { RB_FLOAT_TYPE_P(seconds) } {
        // SAFETY: a Float.
        let float = unsafe { NUM2DBL(seconds) };
        if float < 0.0 {
            negative();
        }
        if float.is_nan() {
            // SAFETY: with the GVL.
            unsafe {
                rb_raise(
                    rb_eArgError,
                    c"time interval must be a number, not NaN".as_ptr(),
                )
            }
        }
        // What is too long for a Duration has no end.
        return Duration::try_from_secs_f64(float).ok();
    }
    // Rationals, and what answers to divmod: Ruby's own conversion, with Ruby's own errors.
    // SAFETY: with the GVL.
    let interval = unsafe { rb_time_timespec_interval(seconds) };
    let whole = u64::try_from(interval.tv_sec).unwrap_or(0);
    Some(Duration::new(
        whole,
        u32::try_from(interval.tv_nsec).unwrap_or(0),
    ))
}

/// The timeout that an IO was given, if it was. `IO::Buffer` hands on whatever it was given, so `io` may
/// only stand for an IO (a Tempfile does): then it is the timeout of the IO behind it, if there is one.
pub(crate) fn io_timeout(io: VALUE) -> Option<Duration> {
    // SAFETY: any VALUE may be asked; nil if it does not answer to `to_io`.
    let io = unsafe { rb_io_check_io(io) };
    if NIL_P(io) {
        return None;
    }
    // SAFETY: an open IO, or IOError is raised.
    let seconds = unsafe { rb_io_timeout(io) };
    // An IO that was opened in some ways has `false` there, which Ruby takes for nil.
    if TEST(seconds) {
        timeout(seconds)
    } else {
        None
    }
}

/// As [`timeout`], where a negative one means that no time is left.
pub(crate) fn remaining(seconds: VALUE) -> Option<Duration> {
    let past = if FIXNUM_P(seconds) {
        // SAFETY: a fixnum.
        unsafe { FIX2LONG(seconds) < 0 }
    } else {
        // SAFETY: a flonum.
        FLONUM_P(seconds) && unsafe { NUM2DBL(seconds) } < 0.0
    };
    if past {
        Some(Duration::ZERO)
    } else {
        timeout(seconds)
    }
}

/// An integer that fits a C int, or RangeError or TypeError.
pub(crate) fn int(value: VALUE) -> c_int {
    if FIXNUM_P(value) {
        // SAFETY: a fixnum.
        if let Ok(int) = c_int::try_from(unsafe { FIX2LONG(value) }) {
            return int;
        }
    }
    // SAFETY: with the GVL; raises what Ruby raises.
    unsafe { rb_sys::rb_num2int(value) as c_int }
}

/// A size or an offset in bytes, or RangeError or TypeError.
pub(crate) fn size(value: VALUE) -> usize {
    if FIXNUM_P(value) {
        // SAFETY: a fixnum.
        if let Ok(size) = usize::try_from(unsafe { FIX2LONG(value) }) {
            return size;
        }
        // SAFETY: with the GVL.
        unsafe {
            rb_raise(
                rb_eArgError,
                c"length and offset must not be negative".as_ptr(),
            )
        }
    }
    // SAFETY: with the GVL; raises what Ruby raises.
    unsafe { rb_sys::rb_num2ulong(value) as usize }
}

/// A count or a negative errno, as the io hooks return it.
pub(crate) fn result(result: i32) -> VALUE {
    // SAFETY: every i32 is a fixnum on the 64-bit platforms that io hooks matter on.
    unsafe { rb_sys::LONG2FIX(result.into()) }
}

fn negative() -> ! {
    // SAFETY: with the GVL.
    unsafe { rb_raise(rb_eArgError, c"time interval must not be negative".as_ptr()) }
}
