//! The end of a child process.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress};

/// waitid(2) with WNOWAIT: completes with 0 when a child can be reaped, and leaves reaping to Ruby,
/// which makes the `Process::Status`.
#[derive(Clone, Copy, Debug)]
pub struct WaitId {
    /// As for waitpid(2): a process, 0 or below -1 for a group, -1 for any child.
    pub pid: libc::pid_t,
}

impl WaitId {
    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        let (kind, id) = match self.pid {
            -1 => (libc::P_ALL, 0),
            0 => (libc::P_PGID, 0),
            group if group < -1 => (libc::P_PGID, group.unsigned_abs()),
            pid => (libc::P_PID, pid.unsigned_abs()),
        };
        // Without a siginfo to fill in, the kernel writes no memory of ours.
        io_uring::opcode::WaitId::new(kind, id, libc::WEXITED | libc::WNOWAIT).build()
    }

    /// Readiness needs a descriptor for the process, which the poll driver opens: [`WaitId::open`].
    #[expect(clippy::unused_self, reason = "the same shape in every operation")]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        None
    }

    /// Ruby has tried already when it submits this.
    #[expect(clippy::unused_self, reason = "the same shape in every operation")]
    pub(super) fn syscall(&self) -> Attempt {
        Attempt::NotReady
    }

    #[expect(clippy::unused_self, reason = "the same shape in every operation")]
    pub(super) fn advance(&mut self, result: i32) -> Progress {
        Progress::Complete(result)
    }

    /// A descriptor that becomes readable when the process has ended, or the errno that says why
    /// there is none (EOPNOTSUPP for groups, for "any child", and off Linux).
    ///
    /// # Errors
    ///
    /// ESRCH if there is no such process, EOPNOTSUPP as above.
    #[cfg(target_os = "linux")]
    pub fn open(&self) -> Result<std::os::fd::OwnedFd, i32> {
        use std::os::fd::FromRawFd;

        if self.pid <= 0 {
            return Err(libc::EOPNOTSUPP);
        }
        // SAFETY: pidfd_open takes two integers and touches no memory.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) };
        if fd < 0 {
            return Err(super::last_errno());
        }
        let fd = RawFd::try_from(fd).map_err(|_| libc::EBADF)?;
        // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
        Ok(unsafe { std::os::fd::OwnedFd::from_raw_fd(fd) })
    }

    /// As on Linux, where there is something to open.
    ///
    /// # Errors
    ///
    /// Always EOPNOTSUPP: mio does not expose kqueue's process filter.
    #[cfg(not(target_os = "linux"))]
    pub fn open(&self) -> Result<std::os::fd::OwnedFd, i32> {
        Err(libc::EOPNOTSUPP)
    }
}
