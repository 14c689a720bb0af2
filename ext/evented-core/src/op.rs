//! What can be asked of the kernel: one file an operation.
//!
//! Each file answers the same questions in the same order, so that two of them can be laid side by
//! side: `sqe` (what we ask the ring), `interest` (what we wait for where there is no ring),
//! `syscall` (what we call once that has come), `advance` (is it enough). A new operation is a new
//! file and one arm in each `match` below.

mod accept;
mod close;
mod connect;
mod datagram;
mod poll;
mod read;
mod recv;
mod send;
mod send_file;
mod socket;
mod transfer;
mod waitid;
mod write;

use std::os::fd::RawFd;

pub use accept::Accept;
pub use close::Close;
pub(crate) use connect::connect_to;
pub use datagram::Address;
pub(crate) use datagram::{receive_from, send_to};
pub use poll::Poll;
pub(crate) use poll::REFUSED;
pub use read::Read;
pub use recv::Recv;
pub use send::Send;
pub(crate) use send_file::SendFile;
#[cfg(target_os = "linux")]
pub(crate) use socket::is_local;
pub(crate) use socket::is_non_blocking;
pub use socket::{end_of_sending, peer_name, socket_error, socket_name};
pub use transfer::Transfer;
pub use waitid::WaitId;
pub use write::Write;

/// One request to the kernel: plain data, copied freely.
#[derive(Clone, Copy, Debug)]
#[expect(
    missing_docs,
    reason = "each variant is documented by the type it holds"
)]
pub enum Op {
    Read(Read),
    Write(Write),
    Recv(Recv),
    Send(Send),
    Poll(Poll),
    WaitId(WaitId),
    Close(Close),
}

/// What came of trying at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It is done: a count, or a negative errno.
    Done(i32),
    /// It would have to wait for readiness.
    NotReady,
    /// It can only be done by blocking a thread (a regular file whose pages are not in memory).
    Blocking,
}

/// What a completion means for the operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is over: a count, or a negative errno.
    Complete(i32),
    /// Not enough yet: submit it again.
    Again,
    /// It can't come about: who waits for it waits until the deadline, or for ever.
    Never,
}

macro_rules! each {
    ($op:expr, $one:ident => $body:expr) => {
        match $op {
            Op::Read($one) => $body,
            Op::Write($one) => $body,
            Op::Recv($one) => $body,
            Op::Send($one) => $body,
            Op::Poll($one) => $body,
            Op::WaitId($one) => $body,
            Op::Close($one) => $body,
        }
    };
}

impl Op {
    /// The submission queue entry that asks the ring for this.
    #[cfg(target_os = "linux")]
    #[must_use]
    pub fn sqe(&self) -> io_uring::squeue::Entry {
        each!(self, op => op.sqe())
    }

    /// The descriptor and the readiness to wait for, or `None` if readiness says nothing about it.
    #[must_use]
    pub fn interest(&self) -> Option<(RawFd, Interest)> {
        each!(self, op => op.interest())
    }

    /// Tries it without blocking.
    #[must_use]
    pub fn syscall(&self) -> Attempt {
        each!(self, op => op.syscall())
    }

    /// Takes a completion's result into account.
    pub fn advance(&mut self, result: i32) -> Progress {
        each!(self, op => op.advance(result))
    }

    /// Carries it out on a thread that may block: a count or a negative errno.
    #[must_use]
    pub fn block(&self) -> i32 {
        match self {
            Self::Read(read) => read.block(),
            Self::Write(write) => write.block(),
            _ => -libc::EOPNOTSUPP,
        }
    }

    /// The descriptor whose closing ends the wait.
    #[must_use]
    pub fn fd(&self) -> Option<RawFd> {
        match self {
            Self::WaitId(_) | Self::Close(_) => None,
            _ => self.interest().map(|(fd, _)| fd),
        }
    }

    /// Whether the kernel may touch memory of ours until the completion has arrived (I-1).
    #[must_use]
    pub fn holds_buffer(&self) -> bool {
        matches!(
            self,
            Self::Read(_) | Self::Write(_) | Self::Recv(_) | Self::Send(_)
        )
    }
}

/// A set of readiness events, with the bits of Ruby's `IO::READABLE`, `IO::PRIORITY` and
/// `IO::WRITABLE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Interest(u8);

impl Interest {
    /// Data to read, or the end of it.
    pub const READABLE: Self = Self(1);
    /// Urgent data.
    pub const PRIORITY: Self = Self(2);
    /// Room to write.
    pub const WRITABLE: Self = Self(4);

    /// The set with these bits, or `None` if it would be empty or holds bits that mean nothing.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Option<Self> {
        if bits == 0 || bits & !7 != 0 {
            None
        } else {
            Some(Self(bits))
        }
    }

    /// The bits.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether any of `other` is in here.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// As poll(2) wants it.
    #[must_use]
    pub const fn poll_mask(self) -> libc::c_short {
        let mut mask = 0;
        if self.has(Self::READABLE) {
            mask |= libc::POLLIN;
        }
        if self.has(Self::PRIORITY) {
            mask |= libc::POLLPRI;
        }
        if self.has(Self::WRITABLE) {
            mask |= libc::POLLOUT;
        }
        mask
    }

    /// The part of this interest that poll(2)'s answer satisfies. A hang-up or an error satisfies
    /// all of it: whoever waits must wake and find out.
    #[must_use]
    pub const fn satisfied_by(self, revents: libc::c_short) -> u8 {
        let mut bits = 0;
        if revents & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 {
            bits |= Self::READABLE.0;
        }
        if revents & libc::POLLPRI != 0 {
            bits |= Self::PRIORITY.0;
        }
        if revents & (libc::POLLOUT | libc::POLLHUP | libc::POLLERR) != 0 {
            bits |= Self::WRITABLE.0;
        }
        bits &= self.0;
        if bits == 0 && revents & (libc::POLLHUP | libc::POLLERR) != 0 {
            self.0
        } else {
            bits
        }
    }
}

/// The result of a system call as the ring would report it: a count, or a negative errno.
fn outcome_of(result: libc::ssize_t) -> i32 {
    if result < 0 {
        -last_errno()
    } else {
        i32::try_from(result).unwrap_or(i32::MAX)
    }
}

fn last_errno() -> i32 {
    std::io::Error::last_os_error()
        .raw_os_error()
        .unwrap_or(libc::EIO)
}

/// Repeats a system call while signals interrupt it, and tells waiting from failing.
fn attempt(mut call: impl FnMut() -> libc::ssize_t) -> Attempt {
    loop {
        match outcome_of(call()) {
            result if result == -libc::EINTR => {}
            result if result == -libc::EAGAIN || result == -libc::EWOULDBLOCK => {
                return Attempt::NotReady;
            }
            result => return Attempt::Done(result),
        }
    }
}

#[cfg(test)]
mod tests {
    use libc::{POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI};

    use super::*;
    use crate::buffer::Buffer;

    fn interests() -> impl Iterator<Item = Interest> {
        (1..=7).filter_map(Interest::from_bits)
    }

    #[test]
    fn an_interest_is_never_empty_and_has_no_other_bits() {
        for bits in 0..=u8::MAX {
            let interest = Interest::from_bits(bits);
            assert_eq!(interest.is_some(), (1..8).contains(&bits), "{bits}");
            assert!(interest.is_none_or(|interest| interest.bits() == bits));
        }
    }

    #[test]
    fn interests_are_asked_of_poll_bit_by_bit() {
        for interest in interests() {
            let mask = interest.poll_mask();
            assert_eq!(mask & POLLIN != 0, interest.has(Interest::READABLE));
            assert_eq!(mask & POLLPRI != 0, interest.has(Interest::PRIORITY));
            assert_eq!(mask & POLLOUT != 0, interest.has(Interest::WRITABLE));
            assert_eq!(mask & !(POLLIN | POLLPRI | POLLOUT), 0);
        }
    }

    #[test]
    fn together_they_have_the_bits_of_both() {
        for one in interests() {
            for other in interests() {
                assert_eq!(one.with(other).bits(), one.bits() | other.bits());
                assert_eq!(one.has(other), one.bits() & other.bits() != 0);
            }
        }
    }

    #[test]
    fn every_answer_of_poll_satisfies_what_it_should() {
        let named = [POLLIN, POLLPRI, POLLOUT, POLLHUP, POLLERR];
        for interest in interests() {
            for combination in 0..1_u32 << named.len() {
                let revents = named
                    .iter()
                    .enumerate()
                    .filter(|(bit, _)| combination & 1 << bit != 0)
                    .fold(0, |all, (_, one)| all | one);
                let over = revents & (POLLHUP | POLLERR) != 0;
                let mut expected = 0;
                if revents & POLLIN != 0 || over {
                    expected |= Interest::READABLE.bits();
                }
                if revents & POLLOUT != 0 || over {
                    expected |= Interest::WRITABLE.bits();
                }
                // Urgent data is claimed only if it is there, or if nothing else would wake the waiter.
                if revents & POLLPRI != 0 || over && interest == Interest::PRIORITY {
                    expected |= Interest::PRIORITY.bits();
                }
                let satisfied = interest.satisfied_by(revents);
                assert_eq!(
                    satisfied,
                    expected & interest.bits(),
                    "{interest:?} {revents:#x}"
                );
                assert!(!over || satisfied != 0, "a hang-up wakes everybody");
            }
        }
    }

    #[test]
    fn a_readiness_completes_only_if_it_satisfies() {
        let interest = Interest::WRITABLE;
        let mut poll = Op::Poll(Poll::new(0, interest));
        assert_eq!(poll.advance(0), Progress::Again);
        assert_eq!(poll.advance(i32::from(POLLIN)), Progress::Again);
        assert_eq!(poll.advance(i32::from(POLLOUT)), Progress::Complete(4));
        assert_eq!(poll.advance(-libc::EBADF), Progress::Complete(-libc::EBADF));
        // Bits beyond poll(2)'s, such as EPOLLRDHUP's and EPOLLEXCLUSIVE's.
        assert_eq!(poll.advance(0x1000_2000), Progress::Again);
    }

    #[test]
    fn an_operation_knows_its_descriptor_and_its_buffer() {
        let (fd, at) = (9, None);
        let transfer = Transfer::new(Buffer::nowhere(1), 1);
        let interest = Interest::PRIORITY;
        for (op, interest, holds_buffer) in [
            (
                Op::Read(Read { fd, transfer, at }),
                Some(Interest::READABLE),
                true,
            ),
            (
                Op::Write(Write { fd, transfer, at }),
                Some(Interest::WRITABLE),
                true,
            ),
            (
                Op::Recv(Recv { fd, transfer }),
                Some(Interest::READABLE),
                true,
            ),
            (
                Op::Send(Send { fd, transfer }),
                Some(Interest::WRITABLE),
                true,
            ),
            (Op::Poll(Poll::new(fd, interest)), Some(interest), false),
            (Op::WaitId(WaitId { pid: 9 }), None, false),
            (Op::Close(Close { fd }), None, false),
        ] {
            assert_eq!(op.interest(), interest.map(|interest| (fd, interest)));
            assert_eq!(op.fd(), interest.map(|_| fd));
            assert_eq!(op.holds_buffer(), holds_buffer);
        }
        assert_eq!(Op::Close(Close { fd }).block(), -libc::EOPNOTSUPP);
        assert_eq!(Op::WaitId(WaitId { pid: 1 }).syscall(), Attempt::NotReady);
    }

    #[test]
    fn an_interrupted_call_is_repeated_and_waiting_is_told_from_failing() {
        let mut errnos = [libc::EINTR, libc::EINTR, libc::EAGAIN, libc::EPIPE].into_iter();
        let mut fail = || {
            set_errno(errnos.next().expect("an errno"));
            -1
        };
        assert_eq!(attempt(&mut fail), Attempt::NotReady);
        assert_eq!(attempt(&mut fail), Attempt::Done(-libc::EPIPE));
        assert_eq!(attempt(|| 5), Attempt::Done(5));
        assert_eq!(outcome_of(libc::ssize_t::MAX), i32::MAX);
    }

    /// Fails a system call with this errno.
    fn set_errno(errno: i32) {
        #[cfg(target_os = "linux")]
        // SAFETY: the address of this thread's own errno.
        let place = unsafe { libc::__errno_location() };
        #[cfg(any(target_vendor = "apple", target_os = "freebsd"))]
        // SAFETY: as above.
        let place = unsafe { libc::__error() };
        #[cfg(any(target_os = "openbsd", target_os = "netbsd"))]
        // SAFETY: as above.
        let place = unsafe { libc::__errno() };
        // SAFETY: it is valid as long as the thread.
        unsafe { *place = errno };
    }
}
