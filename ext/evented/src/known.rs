//! Classes and names that are looked up once, when the extension is loaded.

use std::cell::UnsafeCell;

use rb_sys::{ID, VALUE, rb_gc_register_mark_object, rb_intern, rb_path2class};

/// What is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) fiber: VALUE,
    pub(crate) fiber_error: VALUE,
    pub(crate) basic_socket: VALUE,
    pub(crate) new: ID,
    pub(crate) is_locked: ID,
    pub(crate) raise: ID,
    pub(crate) transfer: ID,
    pub(crate) to_s: ID,
    pub(crate) keys: ID,
    pub(crate) interruption: ID,
    pub(crate) stuck: ID,
    pub(crate) real_wait_pending: ID,
}

struct Slot(UnsafeCell<Known>);

// SAFETY: written once, while the extension is loaded, and with the GVL as every access.
unsafe impl Sync for Slot {}

static KNOWN: Slot = Slot(UnsafeCell::new(Known {
    fiber: 0,
    fiber_error: 0,
    basic_socket: 0,
    new: 0,
    is_locked: 0,
    raise: 0,
    transfer: 0,
    to_s: 0,
    keys: 0,
    interruption: 0,
    stuck: 0,
    real_wait_pending: 0,
}));

/// What is known.
pub(crate) fn known() -> Known {
    // SAFETY: with the GVL, after `look_up`.
    unsafe { *KNOWN.0.get() }
}

/// Looks everything up; `lib/evented.rb` has required "socket".
pub(crate) fn look_up() {
    // SAFETY: with the GVL; the classes exist, and are kept alive.
    unsafe {
        let class = |path: &std::ffi::CStr| {
            let class = rb_path2class(path.as_ptr());
            rb_gc_register_mark_object(class);
            class
        };
        *KNOWN.0.get() = Known {
            fiber: class(c"Fiber"),
            fiber_error: class(c"FiberError"),
            basic_socket: class(c"BasicSocket"),
            new: rb_intern(c"new".as_ptr()),
            is_locked: rb_intern(c"locked?".as_ptr()),
            raise: rb_intern(c"raise".as_ptr()),
            transfer: rb_intern(c"transfer".as_ptr()),
            to_s: rb_intern(c"to_s".as_ptr()),
            keys: rb_intern(c"keys".as_ptr()),
            interruption: rb_intern(c"__interruption".as_ptr()),
            stuck: rb_intern(c"__stuck".as_ptr()),
            real_wait_pending: rb_intern(c"__real_wait_pending".as_ptr()),
        };
    }
}
