//! mio: epoll on Linux, kqueue on macOS and the BSDs.
//!
//! Readiness is turned into completion here, and nowhere else: wait until the descriptor is ready,
//! make the system call, repeat if it was a false alarm.
//!
//! A descriptor is registered anew at each push. That arms it again even if it is ready already
//! (mio's registrations are edge-triggered), and it notices by itself when the number has come to
//! stand for another file, which no bookkeeping could: closing a file ends its registration, and
//! extensions close files that Ruby never hears of.
#![forbid(unsafe_code)]

mod standing;

use std::{
    collections::VecDeque,
    io,
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::Arc,
    time::Duration,
};

use mio::{Events, unix::SourceFd};
use rustc_hash::FxHashMap;

use self::standing::Standing;
use super::standing::{Arrival, Ask, Kind, Signature};
use crate::{
    descriptors::Descriptors,
    inflight::Token,
    offload,
    op::{self, Attempt, Interest, Op},
    remote::{Message, Remote, Waker},
};

/// A mio poll, and who waits for what.
#[derive(Debug)]
pub struct Poll {
    poll: mio::Poll,
    events: Events,
    /// Operations that wait for readiness.
    pending: FxHashMap<Token, Pending>,
    descriptors: Descriptors,
    /// Held by each thread that is carrying out an operation of ours.
    working: Arc<()>,
    remote: Option<Remote>,
    completions: VecDeque<(Token, i32)>,
    /// Whether `events` are still to be looked at.
    has_events: bool,
    /// Everything that is waited for on each descriptor, or was since somebody last began to wait on it.
    registered: FxHashMap<RawFd, Interest>,
    /// Turns since the kernel was last asked.
    unasked: u32,
    /// What streams have asked for.
    standing: Standing,
}

#[derive(Debug)]
struct Pending {
    op: Op,
    fd: RawFd,
    interest: Interest,
    /// A descriptor that was opened for this wait alone and is closed with it.
    _own: Option<OwnedFd>,
}

impl Pending {
    /// Whether the process behind the descriptor can be reaped. Asked of the descriptor itself, since
    /// an event may belong to a file that had its number before and lives on under another.
    fn has_ended(&self) -> Attempt {
        let (fd, interest) = (self.fd, self.interest);
        match (op::Poll::new(fd, interest)).syscall() {
            Attempt::Done(ready) if ready > 0 => Attempt::Done(0),
            other => other,
        }
    }
}

/// Asking epoll costs about as much as running a few fibers; while fibers are ready it is done only
/// every so many turns.
const TURNS_BETWEEN: u32 = 16;
/// Events taken in at once.
const EVENTS: usize = 1024;
/// mio's token for the waker; descriptors are never this large.
const BELL: mio::Token = mio::Token(usize::MAX);

impl Poll {
    pub(super) fn new() -> io::Result<(Self, Waker)> {
        let poll = mio::Poll::new()?;
        let waker = Waker::mio(mio::Waker::new(poll.registry(), BELL)?);
        let poll = Self {
            poll,
            events: Events::with_capacity(EVENTS),
            pending: FxHashMap::default(),
            descriptors: Descriptors::default(),
            working: Arc::new(()),
            remote: None,
            completions: VecDeque::new(),
            has_events: false,
            registered: FxHashMap::default(),
            unasked: 0,
            standing: Standing::new(),
        };
        Ok((poll, waker))
    }

    /// Where threads send what they have done for this driver.
    pub(super) fn offload_to(&mut self, remote: Remote) {
        self.remote = Some(remote);
    }

    pub(super) fn push(&mut self, op: Op, token: Token) {
        let (fd, interest, own) = match (op, op.interest()) {
            (_, Some((fd, interest))) => (fd, interest, None),
            (Op::WaitId(wait), None) => match wait.open() {
                Ok(process) => (process.as_raw_fd(), Interest::READABLE, Some(process)),
                Err(errno) => return self.completions.push_back((token, -errno)),
            },
            (op, None) => return self.attempt(op, token),
        };
        self.pending.insert(
            token,
            Pending {
                op,
                fd,
                interest,
                _own: own,
            },
        );
        self.descriptors.enter(fd, token);
        if let Err(refusal) = self.register(fd, interest) {
            self.forget(token);
            self.refused(op, token, &refusal);
        }
    }

    pub(super) fn cancel(&mut self, token: Token) {
        // What a thread is carrying out can't be stopped; its message will come.
        if self.forget(token).is_some() {
            self.completions.push_back((token, -libc::ECANCELED));
        }
    }

    pub(super) fn wants_wait(&mut self) -> bool {
        self.unasked += 1;
        self.has_completions() || self.unasked >= TURNS_BETWEEN
    }

    /// Only notes what has become ready: it may run without the GVL.
    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> bool {
        self.unasked = 0;
        if self.has_events {
            return true;
        }
        let timeout = if self.completions.is_empty() && !self.standing.begin_round() {
            timeout
        } else {
            Some(Duration::ZERO)
        };
        let polled = self.poll.poll(&mut self.events, timeout);
        if polled.is_err() {
            self.events.clear();
        }
        self.has_events = self.events.iter().any(|event| event.token() != BELL);
        // A signal ends the wait as well as anything; any other error would come again and again.
        polled.map_or_else(
            |error| error.kind() == io::ErrorKind::Interrupted,
            |()| true,
        )
    }

    pub(super) fn has_completions(&mut self) -> bool {
        self.look_at_events();
        !self.completions.is_empty() || self.standing.has_arrivals()
    }

    pub(super) fn reap(&mut self) -> Option<(Token, i32)> {
        self.look_at_events();
        self.completions.pop_front()
    }

    pub(super) fn ask(&mut self, signature: Signature, ask: Ask) {
        if let Some((fd, interest)) = self.standing.ask(signature, ask)
            && let Err(refusal) = self.register(fd, interest)
        {
            let errno = refusal.raw_os_error().unwrap_or(libc::EIO);
            self.standing.refuse(signature, ask.kind(), errno);
        }
    }

    pub(super) fn stop(&mut self, signature: Signature, kind: Kind) {
        self.standing.stop(signature, kind);
    }

    pub(super) fn release(&mut self, fd: RawFd) {
        // Not by the closing alone: a process that was forked may have the file open as well.
        self.let_go(fd);
        let _ = op::Close { fd }.syscall();
    }

    pub(super) fn let_go(&mut self, fd: RawFd) {
        let nobody_else = self.descriptors.on(fd).is_empty();
        if self.standing.forget(fd) && nobody_else {
            let _ = self.poll.registry().deregister(&mut SourceFd(&fd));
            self.registered.remove(&fd);
        }
    }

    pub(super) fn has_arrivals(&self) -> bool {
        self.standing.has_arrivals()
    }

    pub(super) fn arrival(&mut self) -> Option<Arrival> {
        self.standing.arrival()
    }

    pub(super) fn bytes(&self, arrival: &Arrival) -> &[u8] {
        self.standing.bytes(arrival)
    }

    #[expect(clippy::unused_self, reason = "the same shape in every driver")]
    pub(super) fn give_back(&mut self, _arrival: &Arrival) {}

    /// Waits for the threads that still hold a buffer; readiness holds none.
    pub(super) fn close(&mut self) -> bool {
        self.pending.clear();
        self.descriptors.clear();
        while Arc::strong_count(&self.working) > 1 {
            std::thread::park_timeout(Duration::from_millis(1));
        }
        true
    }

    /// Makes the system calls that have become possible.
    fn look_at_events(&mut self) {
        if !std::mem::take(&mut self.has_events) {
            return;
        }
        // Taken out for the loop, because an attempt may register again.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            if event.token() != BELL {
                self.ready(event);
            }
        }
        self.events = events;
    }

    fn ready(&mut self, event: &mio::event::Event) {
        let mut came = 0;
        let over = event.is_error() || event.is_read_closed() || event.is_write_closed();
        if event.is_readable() || over {
            came |= Interest::READABLE.bits();
        }
        if event.is_writable() || over {
            came |= Interest::WRITABLE.bits();
        }
        if event.is_priority() || over {
            came |= Interest::PRIORITY.bits();
        }
        let Some(came) = Interest::from_bits(came) else {
            return;
        };
        let Ok(fd) = RawFd::try_from(event.token().0) else {
            return;
        };
        self.standing.came(fd, came, over);
        // In reverse, because an operation that is done leaves the list.
        let mut left = self.descriptors.on(fd).len();
        while left > 0 {
            left -= 1;
            let Some(&token) = self.descriptors.on(fd).get(left) else {
                continue;
            };
            if let Some(pending) = self.pending.get(&token)
                && pending.interest.has(came)
            {
                self.attempt(pending.op, token);
            }
        }
    }

    fn attempt(&mut self, op: Op, token: Token) {
        let attempt = match (op, self.pending.get(&token)) {
            (Op::WaitId(_), Some(pending)) => pending.has_ended(),
            _ => op.syscall(),
        };
        match attempt {
            Attempt::Done(result) => self.finish(token, result),
            Attempt::NotReady => {}
            Attempt::Blocking => {
                self.forget(token);
                self.offload(op, token);
            }
        }
    }

    /// mio can't wait for this descriptor.
    fn refused(&mut self, op: Op, token: Token, refusal: &io::Error) {
        let errno = refusal.raw_os_error().unwrap_or(libc::EIO);
        match op {
            // EPERM is epoll's word for "always ready, or never".
            Op::Poll(_) if errno == libc::EPERM => self.completions.push_back((token, op::REFUSED)),
            _ if errno == libc::EPERM => self.offload(op, token),
            _ => self.completions.push_back((token, -errno)),
        }
    }

    fn offload(&mut self, op: Op, token: Token) {
        let Some(remote) = self.remote.clone() else {
            return;
        };
        let working = Arc::clone(&self.working);
        offload::spawn(move || {
            let result = op.block();
            drop(working);
            remote.send(Message {
                token,
                result,
                addresses: Vec::new(),
            });
        });
    }

    fn finish(&mut self, token: Token, result: i32) {
        self.forget(token);
        self.completions.push_back((token, result));
    }

    fn forget(&mut self, token: Token) -> Option<Pending> {
        let pending = self.pending.remove(&token)?;
        self.descriptors.leave(pending.fd, token);
        Some(pending)
    }

    /// Registers a descriptor for everything that anybody waits for on it.
    fn register(&mut self, fd: RawFd, interest: Interest) -> io::Result<()> {
        let Ok(index) = usize::try_from(fd) else {
            return Err(io::Error::from_raw_os_error(libc::EBADF));
        };
        let interest = match self.registered.get(&fd) {
            Some(others) if self.descriptors.on(fd).len() > 1 => interest.with(*others),
            _ => interest,
        };
        let interest = match self.standing.interest(fd) {
            Some(others) => interest.with(others),
            None => interest,
        };
        self.registered.insert(fd, interest);
        let (token, interest) = (mio::Token(index), as_mio(interest));
        let registry = self.poll.registry();
        match registry.reregister(&mut SourceFd(&fd), token, interest) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
                registry.register(&mut SourceFd(&fd), token, interest)
            }
            other => other,
        }
    }
}

fn as_mio(interest: Interest) -> mio::Interest {
    let mut wanted: Option<mio::Interest> = None;
    let mut add = |one: mio::Interest| wanted = Some(wanted.map_or(one, |both| both | one));
    if interest.has(Interest::READABLE) {
        add(mio::Interest::READABLE);
    }
    if interest.has(Interest::WRITABLE) {
        add(mio::Interest::WRITABLE);
    }
    // Only Linux tells urgent data apart; elsewhere it shows as readable.
    if interest.has(Interest::PRIORITY) {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        add(mio::Interest::PRIORITY);
        #[cfg(not(any(target_os = "linux", target_os = "android")))]
        add(mio::Interest::READABLE);
    }
    wanted.unwrap_or(mio::Interest::READABLE)
}
