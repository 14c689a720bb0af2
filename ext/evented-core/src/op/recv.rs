//! Bytes from a socket.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress, Transfer, attempt};

/// recv(2). Never blocks the thread, whatever the descriptor's O_NONBLOCK says.
#[derive(Clone, Copy, Debug)]
pub struct Recv {
    /// The socket.
    pub fd: RawFd,
    /// Where the bytes go and how many are enough.
    pub transfer: Transfer,
}

impl Recv {
    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        let rest = self.transfer.rest();
        io_uring::opcode::Recv::new(
            io_uring::types::Fd(self.fd),
            rest.as_ptr(),
            rest.one_transfer(),
        )
        .build()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same shape in every operation"
    )]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        Some((self.fd, Interest::READABLE))
    }

    /// Tries to receive what is there.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        let rest = self.transfer.rest();
        attempt(|| {
            // SAFETY: `rest` is memory that its maker keeps valid and writable (Buffer::new).
            unsafe {
                libc::recv(
                    self.fd,
                    rest.as_ptr().cast(),
                    rest.len(),
                    libc::MSG_DONTWAIT,
                )
            }
        })
    }

    pub(super) fn advance(&mut self, result: i32) -> Progress {
        self.transfer.advance(result)
    }
}
