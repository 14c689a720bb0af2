//! Bytes from anything: pipes, terminals, regular files.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress, Transfer, attempt, outcome_of};

/// read(2), or pread(2) with an offset.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// The descriptor.
    pub fd: RawFd,
    /// Where the bytes go and how many are enough.
    pub transfer: Transfer,
    /// Position in the file in bytes, or `None` to read on from where it stands.
    pub at: Option<u64>,
}

impl Read {
    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        let rest = self.transfer.rest();
        io_uring::opcode::Read::new(io_uring::types::Fd(self.fd), rest.as_ptr(), rest.one_transfer())
            // The ring takes -1 as "the current position".
            .offset(self.position().unwrap_or(u64::MAX))
            .build()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same shape in every operation"
    )]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        Some((self.fd, Interest::READABLE))
    }

    /// Tries to read what is there, without blocking and without touching O_NONBLOCK, which other
    /// processes may share.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        #[cfg(target_os = "linux")]
        match attempt(|| self.preadv2()) {
            // A regular file answers EAGAIN when its pages are not in memory.
            Attempt::NotReady if super::poll::is_seekable(self.fd) => return Attempt::Blocking,
            // No RWF_NOWAIT for this kind of file (terminals): ask poll first, below.
            Attempt::Done(errno) if errno == -libc::EOPNOTSUPP => {}
            other => return other,
        }
        if super::poll::is_seekable(self.fd) {
            return Attempt::Blocking;
        }
        match super::poll::ready_now(self.fd, Interest::READABLE) {
            Attempt::Done(ready) if ready > 0 => attempt(|| self.read()),
            other => other,
        }
    }

    /// Reads, blocking the calling thread.
    #[must_use]
    pub fn block(&self) -> i32 {
        loop {
            let result = outcome_of(self.read());
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
    fn preadv2(&self) -> libc::ssize_t {
        let rest = self.transfer.rest();
        let iov = libc::iovec {
            iov_base: rest.as_ptr().cast(),
            iov_len: rest.len(),
        };
        let at = self.position().map_or(-1, u64::cast_signed);
        // SAFETY: `iov` is one window onto memory that its maker keeps valid and writable.
        unsafe { libc::preadv2(self.fd, &raw const iov, 1, at, libc::RWF_NOWAIT) }
    }

    fn read(&self) -> libc::ssize_t {
        let rest = self.transfer.rest();
        let (into, len) = (rest.as_ptr().cast(), rest.len());
        match self.position() {
            // SAFETY: `rest` is memory that its maker keeps valid and writable (Buffer::new).
            Some(at) => unsafe { libc::pread(self.fd, into, len, at.cast_signed()) },
            // SAFETY: as above.
            None => unsafe { libc::read(self.fd, into, len) },
        }
    }
}
