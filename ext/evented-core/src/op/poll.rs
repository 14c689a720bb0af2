//! Readiness of a descriptor.

use std::os::fd::RawFd;

use super::{Attempt, Interest, Progress, attempt};

/// poll(2): completes with the [`Interest`] bits that are satisfied.
#[derive(Clone, Copy, Debug)]
pub struct Poll {
    /// The descriptor.
    pub fd: RawFd,
    /// What to wait for.
    pub interest: Interest,
    /// How often the kernel has refused to wait for it.
    refusals: u16,
}

/// After so many refusals in one wait there is no hope: this many times nobody changes a terminal's settings.
const MOST_REFUSALS: u16 = 10_000;

/// As a completion: the kernel can't wait for this. The ring says so itself.
pub(crate) const REFUSED: i32 = -libc::EINVAL;

impl Poll {
    /// Waits until `fd` satisfies some of `interest`.
    #[must_use]
    pub const fn new(fd: RawFd, interest: Interest) -> Self {
        Self {
            fd,
            interest,
            refusals: 0,
        }
    }

    #[cfg(target_os = "linux")]
    pub(super) fn sqe(&self) -> io_uring::squeue::Entry {
        let mut mask = u32::from(self.interest.poll_mask().cast_unsigned());
        if self.interest.has(Interest::PRIORITY) {
            // The ring overlooks wake-ups for POLLPRI alone. Sockets' wake-ups for any data carry this
            // bit too, which no socket reports of itself: the rest is for `advance`.
            mask |= u32::from(libc::POLLRDBAND.cast_unsigned());
        }
        io_uring::opcode::PollAdd::new(io_uring::types::Fd(self.fd), mask).build()
    }

    #[expect(
        clippy::unnecessary_wraps,
        reason = "the same shape in every operation"
    )]
    pub(super) fn interest(&self) -> Option<(RawFd, Interest)> {
        Some((self.fd, self.interest))
    }

    /// Asks the kernel what is ready right now.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        ready_now(self.fd, self.interest)
    }

    /// The result is poll(2)'s own answer, from the ring as from [`Poll::syscall`], but for urgent
    /// data: there the ring passes on what woke it, and a socket wakes for all data as if urgent.
    ///
    /// What can't be waited for may be ready all the same, as regular files are. It may also be a terminal
    /// whose settings have changed, which wakes the ring with nothing ready, and the ring can't arm its wait
    /// a second time: that has to be asked for again.
    pub(crate) fn advance(&mut self, result: i32) -> Progress {
        let refused = result == REFUSED;
        let result = if refused || result > 0 && self.interest.has(Interest::PRIORITY) {
            match self.syscall() {
                Attempt::Done(result) => result,
                Attempt::NotReady | Attempt::Blocking => 0,
            }
        } else {
            result
        };
        if result < 0 {
            return Progress::Complete(result);
        }
        // Only the bits of a short are poll(2)'s; the mask keeps the cast from changing the value.
        match self
            .interest
            .satisfied_by((result & 0x7fff) as libc::c_short)
        {
            0 if refused && (is_seekable(self.fd) || self.refusals == MOST_REFUSALS) => {
                Progress::Never
            }
            0 => {
                self.refusals += u16::from(refused);
                Progress::Again
            }
            satisfied => Progress::Complete(i32::from(satisfied)),
        }
    }
}

/// poll(2) with a timeout of zero. `Done` holds its answer, never 0.
pub(super) fn ready_now(fd: RawFd, interest: Interest) -> Attempt {
    let mut asked = libc::pollfd {
        fd,
        events: interest.poll_mask(),
        revents: 0,
    };
    // SAFETY: one pollfd, on this stack, for the length of the call.
    match attempt(|| unsafe { libc::poll(&raw mut asked, 1, 0) } as libc::ssize_t) {
        Attempt::Done(0) => Attempt::NotReady,
        Attempt::Done(1) if asked.revents & libc::POLLNVAL != 0 => Attempt::Done(-libc::EBADF),
        Attempt::Done(1) => Attempt::Done(i32::from(asked.revents)),
        other => other,
    }
}

/// Whether readiness means nothing for this descriptor because it is a regular file or a block
/// device: those are always "ready" and block all the same.
pub(super) fn is_seekable(fd: RawFd) -> bool {
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `stat` has room for what fstat writes.
    if unsafe { libc::fstat(fd, stat.as_mut_ptr()) } != 0 {
        return false;
    }
    // SAFETY: fstat succeeded and so filled it in.
    let mode = unsafe { stat.assume_init() }.st_mode & libc::S_IFMT;
    mode == libc::S_IFREG || mode == libc::S_IFBLK
}
