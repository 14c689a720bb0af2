//! Bytes to a socket.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress, Transfer, attempt};

/// send(2). Never blocks the thread and never raises SIGPIPE: a closed peer is EPIPE.
#[derive(Clone, Copy, Debug)]
pub struct Send {
    /// The socket.
    pub fd: RawFd,
    /// Where the bytes come from and how many are enough.
    pub transfer: Transfer,
}

impl Send {
    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        let rest = self.transfer.rest();
        io_uring::opcode::Send::new(
            io_uring::types::Fd(self.fd),
            rest.as_ptr(),
            rest.one_transfer(),
        )
        .flags(libc::MSG_NOSIGNAL)
        .build()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same shape in every operation"
    )]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        Some((self.fd, Interest::WRITABLE))
    }

    /// Tries to send what there is room for.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        let rest = self.transfer.rest();
        attempt(|| {
            // SAFETY: `rest` is memory that its maker keeps valid (Buffer::new).
            unsafe {
                libc::send(
                    self.fd,
                    rest.as_ptr().cast_const().cast(),
                    rest.len(),
                    FLAGS,
                )
            }
        })
    }

    pub(super) fn advance(&mut self, result: i32) -> Progress {
        self.transfer.advance(result)
    }
}

// Apple's systems have SO_NOSIGPIPE instead; Ruby ignores SIGPIPE there as it does everywhere.
#[cfg(target_vendor = "apple")]
const FLAGS: libc::c_int = libc::MSG_DONTWAIT;
#[cfg(not(target_vendor = "apple"))]
const FLAGS: libc::c_int = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
