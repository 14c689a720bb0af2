//! Bytes to anything: pipes, terminals, regular files.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress, Transfer, attempt, outcome_of};

/// write(2), or pwrite(2) with an offset.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// The descriptor.
    pub fd: RawFd,
    /// Where the bytes come from and how many are enough.
    pub transfer: Transfer,
    /// Position in the file in bytes, or `None` to write on from where it stands.
    pub at: Option<u64>,
}

impl Write {
    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        let rest = self.transfer.rest();
        io_uring::opcode::Write::new(io_uring::types::Fd(self.fd), rest.as_ptr(), rest.one_transfer())
            // The ring takes -1 as "the current position".
            .offset(self.position().unwrap_or(u64::MAX))
            .build()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same shape in every operation"
    )]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        Some((self.fd, Interest::WRITABLE))
    }

    /// Tries to write what there is room for, without blocking and without touching O_NONBLOCK,
    /// which other processes may share.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        #[cfg(target_os = "linux")]
        match attempt(|| self.pwritev2()) {
            // A regular file answers EAGAIN when the write would have to wait for the disk.
            Attempt::NotReady if super::poll::is_seekable(self.fd) => return Attempt::Blocking,
            // No RWF_NOWAIT for this kind of file: ask poll first, below.
            Attempt::Done(errno) if errno == -libc::EOPNOTSUPP => {}
            other => return other,
        }
        if super::poll::is_seekable(self.fd) {
            return Attempt::Blocking;
        }
        match super::poll::ready_now(self.fd, Interest::WRITABLE) {
            Attempt::Done(ready) if ready > 0 => attempt(|| self.write()),
            other => other,
        }
    }

    /// Writes, blocking the calling thread.
    #[must_use]
    pub fn block(&self) -> i32 {
        loop {
            let result = outcome_of(self.write());
            if result != -libc::EINTR {
                return result;
            }
        }
    }

    pub(super) fn advance(&mut self, result: i32) -> Progress {
        self.transfer.advance(result)
    }

    fn position(&self) -> Option<u64> {
        self.at.map(|at| at + self.transfer.done() as u64)
    }

    #[cfg(target_os = "linux")]
    fn pwritev2(&self) -> libc::ssize_t {
        let rest = self.transfer.rest();
        let iov = libc::iovec {
            iov_base: rest.as_ptr().cast(),
            iov_len: rest.len(),
        };
        let at = self.position().map_or(-1, u64::cast_signed);
        // SAFETY: `iov` is one window onto memory that its maker keeps valid.
        unsafe { libc::pwritev2(self.fd, &raw const iov, 1, at, libc::RWF_NOWAIT) }
    }

    fn write(&self) -> libc::ssize_t {
        let rest = self.transfer.rest();
        // POSIX lets a write to a pipe of up to PIPE_BUF bytes not block once poll says it has room;
        // a longer one to a descriptor in blocking mode might, so it goes out in such pieces.
        let len = if self.at.is_none() {
            rest.len().min(libc::PIPE_BUF)
        } else {
            rest.len()
        };
        let from = rest.as_ptr().cast_const().cast();
        match self.position() {
            // SAFETY: `rest` is memory that its maker keeps valid (Buffer::new).
            Some(at) => unsafe { libc::pwrite(self.fd, from, rest.len(), at.cast_signed()) },
            // SAFETY: as above.
            None => unsafe { libc::write(self.fd, from, len) },
        }
    }
}
