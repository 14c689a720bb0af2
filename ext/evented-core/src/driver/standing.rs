//! What a stream asks of a driver: requests that stand until they are stopped.
#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::op::{Accept, Poll, Send};

/// Names a stream, a server or a timer: a number that is never given twice in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature(u64);

impl Signature {
    /// The next one.
    #[must_use]
    pub fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Relaxed) + 1)
    }

    /// The one with this number, whoever has it.
    #[must_use]
    pub const fn from_number(number: u64) -> Self {
        Self(number)
    }

    /// Its number, from 1 on.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// What a request is about. A stream has one of each at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// Connections to accept.
    Accept = 0,
    /// Bytes to receive.
    Receive = 1,
    /// Bytes to send.
    Send = 2,
    /// Readiness.
    Ready = 3,
}

impl Kind {
    /// Its bit in a set of kinds.
    #[must_use]
    pub const fn bit(self) -> u8 {
        1 << self as u8
    }

    #[cfg(target_os = "linux")]
    pub(super) const fn from_number(number: u64) -> Self {
        match number & 3 {
            0 => Self::Accept,
            1 => Self::Receive,
            2 => Self::Send,
            _ => Self::Ready,
        }
    }
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub enum Ask {
    /// Every connection that comes to a listening socket: arrives as its descriptor, which does not block
    /// and is closed on exec.
    Accept(Accept),
    /// Everything that comes to a socket: arrives with its bytes, 0 of them at the end of the stream.
    Receive(std::os::fd::RawFd),
    /// Some bytes to a socket, once; they must stay where they are until it has arrived (I-1).
    Send(Send),
    /// Readiness, once: arrives as the bits of poll(2).
    Ready(Poll),
}

impl Ask {
    /// What it is about.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Accept(_) => Kind::Accept,
            Self::Receive(_) => Kind::Receive,
            Self::Send(_) => Kind::Send,
            Self::Ready(_) => Kind::Ready,
        }
    }
}

/// Something a request has brought.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Whose request it was.
    pub signature: Signature,
    /// What it was about.
    pub kind: Kind,
    /// A descriptor, a count, poll(2)'s bits, or a negative errno.
    pub result: i32,
    /// Whether the request has ended with this.
    pub last: bool,
    /// Where the bytes are, until they are given back.
    pub(super) buffer: Option<u16>,
}
