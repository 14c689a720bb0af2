//! The end of a descriptor.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress, outcome_of};

/// close(2).
#[derive(Clone, Copy, Debug)]
pub struct Close {
    /// The descriptor; nobody may use it from now on.
    pub fd: RawFd,
}

impl Close {
    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        io_uring::opcode::Close::new(io_uring::types::Fd(self.fd)).build()
    }

    #[expect(clippy::unused_self, reason = "the same shape in every operation")]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        None
    }

    /// Closes it. EINTR is not repeated: the descriptor is gone all the same (close(2), "Notes").
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        // SAFETY: the maker of this operation gives the descriptor up.
        Attempt::Done(outcome_of(unsafe { libc::close(self.fd) } as libc::ssize_t))
    }

    #[expect(clippy::unused_self, reason = "the same shape in every operation")]
    pub(super) fn advance(&mut self, result: i32) -> Progress {
        Progress::Complete(result)
    }
}
