//! Knowing that this is a child (I-7).

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static EPOCH: AtomicU64 = AtomicU64::new(0);

/// A number that differs between a process and its forked children. Costs one load, where getpid(2)
/// would be a system call in every hook.
pub(crate) fn epoch() -> u64 {
    EPOCH.load(Relaxed)
}

/// Has every fork from now on counted, in the child.
pub(crate) fn watch() {
    extern "C" fn in_child() {
        EPOCH.fetch_add(1, Relaxed);
    }
    // SAFETY: the handler only touches an atomic, which is allowed between fork and exec.
    unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
}
