//! Sleeping without the GVL.

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
};

use evented_core::remote::Waker;
use rb_sys::{RB_NOGVL_INTR_FAIL, rb_nogvl};

/// Runs `sleep` without the GVL. Ruby's own interrupts (signals, `Thread#raise`, `Thread#kill`) ring
/// `waker`, which must make `sleep` return. Does nothing if one is pending already. Tells whether
/// `sleep` came back without a panic.
///
/// # GVL
///
/// Given up for the length of `sleep`, which therefore must touch nothing that the garbage collector
/// marks (I-2).
pub(crate) fn without<F: FnOnce()>(waker: &Waker, sleep: F) -> bool {
    struct Call<F> {
        sleep: Option<F>,
        sound: bool,
    }

    unsafe extern "C" fn run<F: FnOnce()>(call: *mut c_void) -> *mut c_void {
        // SAFETY: the address of the `Call` below, which outlives rb_nogvl.
        let call = unsafe { &mut *call.cast::<Call<F>>() };
        if let Some(sleep) = call.sleep.take() {
            // No panic may cross into C (I-9).
            call.sound = catch_unwind(AssertUnwindSafe(sleep)).is_ok();
        }
        ptr::null_mut()
    }

    unsafe extern "C" fn interrupt(waker: *mut c_void) {
        // SAFETY: the waker that the caller lends for the length of rb_nogvl.
        unsafe { &*waker.cast::<Waker>() }.ring();
    }

    let mut call = Call {
        sleep: Some(sleep),
        sound: true,
    };
    let interrupt_with = ptr::from_ref(waker).cast_mut().cast();
    let fail = RB_NOGVL_INTR_FAIL as std::ffi::c_int;
    // SAFETY: both callbacks get the pointers they expect, valid until rb_nogvl returns. With
    // INTR_FAIL it does not raise, so nothing of ours is jumped over.
    unsafe {
        rb_nogvl(
            Some(run::<F>),
            (&raw mut call).cast(),
            Some(interrupt),
            interrupt_with,
            fail,
        );
    }
    call.sound
}
