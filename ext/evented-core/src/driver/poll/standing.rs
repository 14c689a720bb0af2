//! Requests that stand, over readiness: a descriptor is registered once, and tried when it has become ready.
#![forbid(unsafe_code)]

use std::{collections::VecDeque, os::fd::RawFd};

use rustc_hash::FxHashMap;

use crate::{
    buffer::Buffer,
    driver::standing::{Arrival, Ask, Kind, Signature},
    op::{Accept, Attempt, Interest, Poll, REFUSED, Recv, Send, Transfer},
};

/// What streams have asked for, and what may have come for them.
#[derive(Debug)]
pub(super) struct Standing {
    asked: FxHashMap<RawFd, Asked>,
    fds: FxHashMap<Signature, RawFd>,
    /// What to try in this round.
    ready: VecDeque<(RawFd, Kind)>,
    /// What had more than its share, and is tried in the next round (I-11).
    again: Vec<(RawFd, Kind)>,
    arrivals: VecDeque<Arrival>,
    /// Where bytes are received.
    bytes: Box<[u8]>,
}

/// What is asked of one descriptor.
#[derive(Debug)]
struct Asked {
    signature: Signature,
    /// The kinds, by [`Kind::bit`].
    kinds: u8,
    /// Those that stand in one of the lists above.
    listed: u8,
    /// What its descriptor is registered for.
    registered: Option<Interest>,
    send: Option<Send>,
    poll: Option<Poll>,
    /// Whether there may be something to read: an edge was seen, and no end of what it announced.
    readable: bool,
    /// Whether the peer has ended: there is an end of the stream to read, and no edge for it.
    over: bool,
    /// How often it may be tried in this round.
    share: u8,
}

/// How often a descriptor is tried in a round.
const SHARE: u8 = 16;
/// Bytes received at once: what EventMachine hands to `receive_data` at most.
const SIZE: usize = 16 * 1024;

impl Standing {
    pub(super) fn new() -> Self {
        Self {
            asked: FxHashMap::default(),
            fds: FxHashMap::default(),
            ready: VecDeque::new(),
            again: Vec::new(),
            arrivals: VecDeque::new(),
            bytes: vec![0; SIZE].into_boxed_slice(),
        }
    }

    /// Takes a request. Tells what its descriptor has to be registered for, if that is needed.
    pub(super) fn ask(&mut self, signature: Signature, ask: Ask) -> Option<(RawFd, Interest)> {
        let (fd, interest) = match ask {
            Ask::Accept(accept) => (accept.fd, Interest::READABLE),
            Ask::Receive(fd) => (fd, READ_WRITE),
            Ask::Send(send) => match send.syscall() {
                Attempt::Done(result) => {
                    self.arrive(signature, Kind::Send, result, true);
                    return None;
                }
                _ => (send.fd, READ_WRITE),
            },
            Ask::Ready(poll) => (poll.fd, poll.interest),
        };
        self.fds.insert(signature, fd);
        let asked = self
            .asked
            .entry(fd)
            .or_insert_with(|| Asked::new(signature));
        asked.signature = signature;
        asked.kinds |= ask.kind().bit();
        let before = asked.registered;
        let interest = before.map_or(interest, |before| before.with(interest));
        asked.registered = Some(interest);
        match ask {
            Ask::Send(send) => asked.send = Some(send),
            // Readiness is asked for as it is now; all else, from now on.
            Ask::Ready(poll) => {
                asked.poll = Some(poll);
                return Some((fd, interest));
            }
            Ask::Accept(_) | Ask::Receive(_) if asked.readable => self.list(fd, ask.kind()),
            Ask::Accept(_) | Ask::Receive(_) => {}
        }
        (before != Some(interest)).then_some((fd, interest))
    }

    /// The descriptor can't be waited for.
    pub(super) fn refuse(&mut self, signature: Signature, kind: Kind, errno: i32) {
        // EPERM is epoll's word for a regular file, which poll(2) calls ready at any time.
        let result = if errno == libc::EPERM && kind == Kind::Ready {
            REFUSED
        } else {
            -errno
        };
        self.end(signature, kind, result);
    }

    pub(super) fn stop(&mut self, signature: Signature, kind: Kind) {
        self.end(signature, kind, -libc::ECANCELED);
    }

    /// Forgets a descriptor that is closed or given away.
    pub(super) fn forget(&mut self, fd: RawFd) -> bool {
        let Some(asked) = self.asked.remove(&fd) else {
            return false;
        };
        // It may have another descriptor by now.
        if self.fds.get(&asked.signature) == Some(&fd) {
            self.fds.remove(&asked.signature);
        }
        true
    }

    /// What is waited for on a descriptor besides.
    pub(super) fn interest(&self, fd: RawFd) -> Option<Interest> {
        self.asked.get(&fd)?.registered
    }

    /// A descriptor has become ready.
    pub(super) fn came(&mut self, fd: RawFd, came: Interest, over: bool) {
        let Some(asked) = self.asked.get_mut(&fd) else {
            return;
        };
        asked.over |= over;
        asked.share = SHARE;
        let mut kinds = Vec::new();
        if came.has(Interest::READABLE) {
            asked.readable = true;
            kinds.extend([Kind::Accept, Kind::Receive]);
        }
        if came.has(Interest::WRITABLE) {
            kinds.push(Kind::Send);
        }
        if asked.poll.is_some_and(|poll| poll.interest.has(came)) {
            kinds.push(Kind::Ready);
        }
        for kind in kinds {
            self.list(fd, kind);
        }
    }

    pub(super) fn has_arrivals(&self) -> bool {
        !self.arrivals.is_empty() || !self.ready.is_empty()
    }

    /// Whether the next round has something to try already.
    pub(super) fn begin_round(&mut self) -> bool {
        for (fd, kind) in self.again.drain(..) {
            if let Some(asked) = self.asked.get_mut(&fd) {
                asked.share = SHARE;
                self.ready.push_back((fd, kind));
            }
        }
        self.has_arrivals()
    }

    /// Tries one descriptor after the other until something has come.
    pub(super) fn arrival(&mut self) -> Option<Arrival> {
        loop {
            if let Some(arrival) = self.arrivals.pop_front() {
                return Some(arrival);
            }
            let (fd, kind) = self.ready.pop_front()?;
            let Some(asked) = self.asked.get_mut(&fd) else {
                continue;
            };
            asked.listed &= !kind.bit();
            if asked.kinds & kind.bit() == 0 {
                continue;
            }
            let signature = asked.signature;
            match asked.attempt(fd, kind, &mut self.bytes) {
                Attempt::Done(result) => {
                    let last = asked.is_over(kind, result);
                    if last {
                        asked.kinds &= !kind.bit();
                    } else if asked.readable {
                        asked.share = asked.share.saturating_sub(1);
                        if asked.share > 0 {
                            self.list(fd, kind);
                        } else {
                            asked.listed |= kind.bit();
                            self.again.push((fd, kind));
                        }
                    }
                    return Some(Arrival {
                        signature,
                        kind,
                        result,
                        last,
                        buffer: (kind == Kind::Receive).then_some(0),
                    });
                }
                Attempt::NotReady | Attempt::Blocking => {}
            }
        }
    }

    /// The bytes of the arrival that was handed out last.
    pub(super) fn bytes(&self, arrival: &Arrival) -> &[u8] {
        let len = usize::try_from(arrival.result).unwrap_or(0);
        match arrival.buffer {
            Some(_) => &self.bytes[..len.min(SIZE)],
            None => &[],
        }
    }

    fn list(&mut self, fd: RawFd, kind: Kind) {
        if let Some(asked) = self.asked.get_mut(&fd)
            && asked.kinds & kind.bit() != 0
            && asked.listed & kind.bit() == 0
        {
            asked.listed |= kind.bit();
            self.ready.push_back((fd, kind));
        }
    }

    fn end(&mut self, signature: Signature, kind: Kind, result: i32) {
        if let Some(fd) = self.fds.get(&signature)
            && let Some(asked) = self.asked.get_mut(fd)
            && asked.kinds & kind.bit() != 0
        {
            asked.kinds &= !kind.bit();
            self.arrive(signature, kind, result, true);
        }
    }

    fn arrive(&mut self, signature: Signature, kind: Kind, result: i32, last: bool) {
        self.arrivals.push_back(Arrival {
            signature,
            kind,
            result,
            last,
            buffer: None,
        });
    }
}

impl Asked {
    fn new(signature: Signature) -> Self {
        Self {
            signature,
            kinds: 0,
            listed: 0,
            registered: None,
            send: None,
            poll: None,
            readable: false,
            over: false,
            share: SHARE,
        }
    }

    fn attempt(&mut self, fd: RawFd, kind: Kind, bytes: &mut [u8]) -> Attempt {
        let attempt = match kind {
            Kind::Accept => Accept { fd }.syscall(),
            Kind::Receive => {
                let transfer = Transfer::new(Buffer::of(bytes), 1);
                Recv { fd, transfer }.syscall()
            }
            Kind::Send => self.send.map_or(Attempt::NotReady, |send| send.syscall()),
            Kind::Ready => self.poll.map_or(Attempt::NotReady, |poll| poll.syscall()),
        };
        match (kind, attempt) {
            (Kind::Accept | Kind::Receive, Attempt::NotReady) => self.readable = false,
            // Less than there was room for: that was all, unless the end of the stream is behind it.
            (Kind::Receive, Attempt::Done(count)) => {
                self.readable &= self.over || usize::try_from(count) == Ok(bytes.len());
            }
            _ => {}
        }
        attempt
    }

    fn is_over(&self, kind: Kind, result: i32) -> bool {
        match kind {
            Kind::Accept => result < 0,
            Kind::Receive => result <= 0,
            Kind::Send | Kind::Ready => true,
        }
    }
}

const READ_WRITE: Interest = Interest::READABLE.with(Interest::WRITABLE);
