//! Connections to a listening socket.

use std::os::fd::RawFd;

use super::{Attempt, attempt};

/// accept4(2): a descriptor that does not block and is closed on exec.
///
/// Only streams accept natively; a fiber that accepts waits for readiness, as Ruby's own code does.
#[derive(Clone, Copy, Debug)]
pub struct Accept {
    /// The listening socket.
    pub fd: RawFd,
}

impl Accept {
    /// The entry that asks for every connection from now on.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn sqe(&self) -> io_uring::squeue::Entry {
        io_uring::opcode::AcceptMulti::new(io_uring::types::Fd(self.fd))
            .flags(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)
            .build()
    }

    /// Accepts a connection that waits, if there is one.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        attempt(|| accept(self.fd) as libc::ssize_t)
    }
}

#[cfg(not(target_vendor = "apple"))]
fn accept(fd: RawFd) -> libc::c_int {
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: no address is asked for, so no memory is touched.
    unsafe { libc::accept4(fd, std::ptr::null_mut(), std::ptr::null_mut(), flags) }
}

// Without accept4 a process that is started in between inherits the descriptor.
#[cfg(target_vendor = "apple")]
fn accept(fd: RawFd) -> libc::c_int {
    // SAFETY: as above.
    let accepted = unsafe { libc::accept(fd, std::ptr::null_mut(), std::ptr::null_mut()) };
    if accepted >= 0 {
        // SAFETY: two integers in, one out.
        unsafe {
            libc::fcntl(accepted, libc::F_SETFD, libc::FD_CLOEXEC);
            libc::fcntl(accepted, libc::F_SETFL, libc::O_NONBLOCK);
        }
    }
    accepted
}
