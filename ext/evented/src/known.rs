//! Classes and names that are looked up once, when the extension is loaded.

use std::cell::UnsafeCell;

use rb_sys::{ID, VALUE, rb_gc_register_mark_object, rb_intern, rb_path2class};

/// What is known.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) fiber: VALUE,
    pub(crate) fiber_error: VALUE,
    pub(crate) basic_socket: VALUE,
    pub(crate) mutex: VALUE,
    pub(crate) condition_variable: VALUE,
    pub(crate) new: ID,
    pub(crate) is_locked: ID,
    pub(crate) raise: ID,
    pub(crate) transfer: ID,
    pub(crate) is_alive: ID,
    pub(crate) to_s: ID,
    pub(crate) keys: ID,
    pub(crate) interruption: ID,
    pub(crate) signal: ID,
    pub(crate) stuck: ID,
    pub(crate) real_wait_pending: ID,
    pub(crate) receive_data: ID,
    pub(crate) connection_completed: ID,
    pub(crate) ssl_handshake_completed: ID,
    pub(crate) ssl_verify_peer: ID,
    pub(crate) notify_readable: ID,
    pub(crate) notify_writable: ID,
    pub(crate) proxy_completed: ID,
    pub(crate) proxy_target_unbound: ID,
    pub(crate) accepted: ID,
    pub(crate) timer_due: ID,
    pub(crate) tick: ID,
    pub(crate) unbound: ID,
    pub(crate) stopped: ID,
    pub(crate) callback_fiber: ID,
    pub(crate) at_signature: ID,
}

struct Slot(UnsafeCell<Known>);

// SAFETY: written once, while the extension is loaded, and with the GVL as every access.
unsafe impl Sync for Slot {}

static KNOWN: Slot = Slot(UnsafeCell::new(Known {
    fiber: 0,
    fiber_error: 0,
    basic_socket: 0,
    mutex: 0,
    condition_variable: 0,
    new: 0,
    is_locked: 0,
    raise: 0,
    transfer: 0,
    is_alive: 0,
    to_s: 0,
    keys: 0,
    interruption: 0,
    signal: 0,
    stuck: 0,
    real_wait_pending: 0,
    receive_data: 0,
    connection_completed: 0,
    ssl_handshake_completed: 0,
    ssl_verify_peer: 0,
    notify_readable: 0,
    notify_writable: 0,
    proxy_completed: 0,
    proxy_target_unbound: 0,
    accepted: 0,
    timer_due: 0,
    tick: 0,
    unbound: 0,
    stopped: 0,
    callback_fiber: 0,
    at_signature: 0,
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
            mutex: class(c"Thread::Mutex"),
            condition_variable: class(c"Thread::ConditionVariable"),
            new: rb_intern(c"new".as_ptr()),
            is_locked: rb_intern(c"locked?".as_ptr()),
            raise: rb_intern(c"raise".as_ptr()),
            transfer: rb_intern(c"transfer".as_ptr()),
            is_alive: rb_intern(c"alive?".as_ptr()),
            to_s: rb_intern(c"to_s".as_ptr()),
            keys: rb_intern(c"keys".as_ptr()),
            interruption: rb_intern(c"__interruption".as_ptr()),
            signal: rb_intern(c"signal".as_ptr()),
            stuck: rb_intern(c"__stuck".as_ptr()),
            real_wait_pending: rb_intern(c"__real_wait_pending".as_ptr()),
            receive_data: rb_intern(c"receive_data".as_ptr()),
            connection_completed: rb_intern(c"connection_completed".as_ptr()),
            ssl_handshake_completed: rb_intern(c"ssl_handshake_completed".as_ptr()),
            ssl_verify_peer: rb_intern(c"ssl_verify_peer".as_ptr()),
            notify_readable: rb_intern(c"notify_readable".as_ptr()),
            notify_writable: rb_intern(c"notify_writable".as_ptr()),
            proxy_completed: rb_intern(c"proxy_completed".as_ptr()),
            proxy_target_unbound: rb_intern(c"proxy_target_unbound".as_ptr()),
            accepted: rb_intern(c"accepted".as_ptr()),
            timer_due: rb_intern(c"timer_due".as_ptr()),
            tick: rb_intern(c"tick".as_ptr()),
            unbound: rb_intern(c"unbound".as_ptr()),
            stopped: rb_intern(c"stopped".as_ptr()),
            callback_fiber: rb_intern(c"callback_fiber".as_ptr()),
            at_signature: rb_intern(c"@signature".as_ptr()),
        };
    }
}
