//! Streams: connections, servers and watched descriptors that are called back, instead of fibers that wait.
//!
//! # The life of a stream
//!
//! A descriptor is added ([`Streams::add`]) and gets a signature. What it wants from the driver follows from its
//! state, in one place (`wants`): after anything has changed, [`Streams::flush`] asks the driver for what is
//! missing and stops what is not wanted any more. What comes (`arrive`) changes the state again and becomes an
//! [`Event`] for the binding. A stream that has an event under way gets no other until [`Streams::done`]: meanwhile
//! they wait in its backlog, in order. It ends with one last event, [`Event::Unbound`].
//!
//! Events are handed out by a pass (`pass`): timers, then what has come, then ticks, then streams that were
//! idle for too long, then those that end.
//!
//! Like the tables, streams are guarded by the GVL and never meet the kernel while their owner sleeps (I-2): any
//! thread may send or close, and the owner flushes.
#![forbid(unsafe_code)]

mod arrive;
mod file;
mod outbound;
mod pass;
mod proxy;
mod rivals;
mod secure;
mod wants;

use std::{
    collections::VecDeque,
    os::fd::RawFd,
    time::{Duration, Instant},
};

use rustc_hash::FxHashMap;

use crate::{
    Driver,
    driver::standing::Arrival,
    op::{self, Address, Interest},
    timer::{TimerKey, Timers},
};

pub use crate::driver::standing::Signature;
use outbound::Outbound;
pub use pass::Event;
use pass::Phase;
use proxy::Proxy;
pub use proxy::ProxyRefusal;
use secure::Secure;
pub use secure::TlsRefusal;

/// All streams of one reactor. `R` is what the binding keeps for each: the connection object.
#[derive(Debug)]
pub struct Streams<R> {
    all: FxHashMap<Signature, Box<Stream<R>>>,
    /// Those whose wants may have changed since the last flush.
    changed: Vec<Signature>,
    /// Those whose backlog can go on.
    deliverable: VecDeque<Signature>,
    /// Those that end with the next pass.
    ending: VecDeque<Signature>,
    /// The bytes of the event that was handed out last.
    piece: Piece,
    /// Where bytes are read that no driver brings along.
    scratch: Vec<u8>,
    timers: Timers<Signature>,
    armed: FxHashMap<Signature, TimerKey>,
    /// When idle streams are looked at.
    deadlines: Timers<Signature>,
    /// When the current or the last pass began.
    now: Instant,
    phase: Phase,
    /// How many timers and ends the current phase may still handle: what they add is for the next pass.
    share: usize,
    /// Whether ticks are to be called.
    ticks: bool,
    stopping: bool,
    /// Whether nothing is called back any more: the reactor is shutting down.
    halted: bool,
    /// Whether the kernel is to be asked in this pass, after its timers.
    polls: bool,
    /// How many are over, and wait for the kernel to let go of them.
    leaving: usize,
    /// How many have a descriptor that is somebody else's to close.
    borrowing: usize,
    /// Those that are still to have their last event, while all are unbound.
    left: Option<Vec<Signature>>,
}

/// What kind of descriptor a stream has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A stream socket that is, or will be, connected.
    Socket,
    /// Anything else that is read and written as a stream.
    Pipe,
    /// A datagram socket.
    Datagram,
    /// Only watched for readiness.
    Watch,
    /// A listening socket.
    Server,
}

/// How a stream is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    No,
    /// As soon as everything has been sent.
    Drained,
    /// With this pass; the other end has ended it, or it failed.
    Over,
    /// With this pass; it was closed by its owner.
    Closed,
    /// With this pass, and its descriptor stays open.
    Detached,
    /// It has had its last event.
    Unbound,
}

/// One stream.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts")]
struct Stream<R> {
    root: Option<R>,
    fd: RawFd,
    transport: Transport,
    ending: Ending,
    /// What has been asked of the driver, by [`crate::driver::standing::Kind::bit`].
    asked: u8,
    /// What readiness has been asked for.
    asked_interest: Option<Interest>,
    /// What a watched descriptor is watched for.
    watched: Option<Interest>,
    /// Whether the descriptor is closed with the stream.
    owned: bool,
    /// Whether it was accepted.
    accepted: bool,
    connecting: bool,
    paused: bool,
    /// Whether an event is under way.
    busy: bool,
    /// Whether it stands in the list of those that have changed.
    changed: bool,
    /// A socket that the driver can't receive from: it is tried when it is ready.
    by_readiness: bool,
    /// Accepting rests: there are no descriptors left.
    rests: bool,
    /// Why it ends, as an errno; 0 if it ends well.
    reason: i32,
    out: Outbound,
    /// When something was last received or sent.
    active: Instant,
    inactivity: Option<Duration>,
    deadline: Option<TimerKey>,
    /// What few streams have.
    rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
struct Rare {
    /// Events that wait for one to be over, or for the stream to be resumed.
    backlog: VecDeque<Waiting>,
    /// The bytes in it.
    backlog_len: usize,
    connect_timeout: Option<Duration>,
    /// Where the last datagram came from.
    peer: Option<Address>,
    /// Datagrams to send.
    datagrams: VecDeque<(Vec<u8>, Option<Address>)>,
    proxy: Proxy,
    secure: Option<Box<Secure>>,
    /// Where else to connect to, and who tries that; or whose attempt this is.
    alternatives: VecDeque<Address>,
    rival: Option<Signature>,
    stands_in_for: Option<Signature>,
    /// Bytes a read may bring at most.
    most: Option<usize>,
}

/// An event in the backlog.
#[derive(Debug)]
enum Waiting {
    Data(Vec<u8>),
    Datagram(Vec<u8>, Address),
    /// What has come for a session that may ask.
    Ciphertext(Vec<u8>),
    Completed,
    /// A handshake is over.
    Secured,
    Readable,
    Writable,
    ProxyCompleted,
    ProxyTargetUnbound,
}

#[derive(Debug, Default)]
enum Piece {
    #[default]
    None,
    /// In the driver.
    Arrival(Arrival),
    /// In `scratch`, so many.
    Scratch(usize),
    Own(Vec<u8>),
}

/// EventMachine's own default (`PendingConnectTimeout`).
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// A stream whose backlog has grown to this is not received from until it has gone.
const MOST_BACKLOG: usize = 256 * 1024;
/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// How a descriptor comes to be a stream.
#[derive(Clone, Copy, Debug)]
pub struct Adding {
    /// Its kind.
    pub transport: Transport,
    /// Whether it is closed with the stream.
    pub owned: bool,
    /// Whether it is a socket whose connection is under way.
    pub connecting: bool,
    /// Bytes that a read may bring at most, if that is less than usual.
    pub most: Option<usize>,
}

impl<R: Copy> Streams<R> {
    /// No streams.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            all: FxHashMap::default(),
            changed: Vec::new(),
            deliverable: VecDeque::new(),
            ending: VecDeque::new(),
            piece: Piece::None,
            scratch: Vec::new(),
            timers: Timers::new(),
            armed: FxHashMap::default(),
            deadlines: Timers::new(),
            now,
            phase: Phase::Idle,
            share: 0,
            ticks: false,
            stopping: false,
            halted: false,
            polls: false,
            leaving: 0,
            borrowing: 0,
            left: None,
        }
    }

    /// Makes a stream of a descriptor.
    pub fn add(&mut self, fd: RawFd, adding: Adding, now: Instant) -> Signature {
        let signature = Signature::next();
        let mut stream = Stream::new(fd, adding, now);
        if let Some(most) = adding.most {
            stream.rare().most = Some(most);
        }
        self.all.insert(signature, Box::new(stream));
        self.borrowing += usize::from(!adding.owned);
        if adding.connecting {
            self.arm(signature);
        }
        self.change(signature);
        signature
    }

    /// Gives a stream its object; without one it has no events.
    pub fn own(&mut self, signature: Signature, root: R) -> bool {
        let stream = self.live_mut(signature);
        stream.map(|stream| stream.root = Some(root)).is_some()
    }

    /// Has its events wait until [`Self::done`], because its object is only being made. Tells whether they did not
    /// wait before.
    pub fn hold(&mut self, signature: Signature) -> bool {
        let stream = self.live_mut(signature);
        stream.is_some_and(|stream| !std::mem::replace(&mut stream.busy, true))
    }

    /// Queues bytes. Returns how many, 1 if they are encrypted, 0 if the stream is about to end, or `None` if there
    /// is none.
    pub fn send(&mut self, signature: Signature, bytes: &[u8]) -> Option<usize> {
        let stream = self.all.get_mut(&signature)?;
        if stream.ending != Ending::No {
            return (stream.ending != Ending::Unbound).then_some(0);
        }
        let mut count = bytes.len();
        if stream.transport == Transport::Datagram {
            stream.rare().datagrams.push_back((bytes.to_vec(), None));
            stream.out.count(bytes.len());
        } else if stream.send_securely(bytes) {
            count = 1;
        } else {
            stream.out.push(bytes);
        }
        self.change(signature);
        Some(count)
    }

    /// Queues a datagram for an address. As [`Self::send`]; `None` also if it is no datagram socket.
    pub fn send_datagram(
        &mut self,
        signature: Signature,
        bytes: &[u8],
        to: Address,
    ) -> Option<usize> {
        let stream = self.live_mut(signature)?;
        if stream.transport != Transport::Datagram {
            return None;
        }
        if stream.ending != Ending::No {
            return Some(0);
        }
        let rare = stream.rare();
        rare.datagrams.push_back((bytes.to_vec(), Some(to)));
        stream.out.count(bytes.len());
        self.change(signature);
        Some(bytes.len())
    }

    /// Somebody else is about to close this descriptor: the stream that only borrowed it ends with this pass. One that
    /// owns it is left alone. With the driver, which only the owner may give, no request on it is left afterwards,
    /// though the caller has to see that they leave; without, the next flush stops them. Tells whether there is one.
    pub fn closing(&mut self, fd: RawFd, driver: Option<&mut Driver>) -> bool {
        if self.borrowing == 0 {
            return false;
        }
        let mut all = self.all.iter();
        let borrows = |stream: &Stream<R>| {
            stream.fd == fd && !stream.owned && stream.ending <= Ending::Drained
        };
        let Some((&signature, _)) = all.find(|(_, stream)| borrows(stream)) else {
            return false;
        };
        match driver {
            Some(driver) => _ = self.detach(signature, driver),
            None => self.end(signature, Ending::Closed, 0),
        }
        true
    }

    /// Ends a stream with this pass, or as soon as everything has been sent. Tells whether there is one.
    pub fn close(&mut self, signature: Signature, after_writing: bool) -> bool {
        let Some(stream) = self.live_mut(signature) else {
            return false;
        };
        let secure = stream.secure().is_some() && stream.ending == Ending::No;
        if after_writing && (secure || !stream.is_drained()) {
            stream.ending = stream.ending.max(Ending::Drained);
            self.finish(signature);
            self.change(signature);
            return true;
        }
        self.end(signature, Ending::Closed, 0);
        true
    }

    /// Ends a stream with this pass because something failed.
    pub fn fail(&mut self, signature: Signature, errno: i32) {
        self.end(signature, Ending::Over, errno);
    }

    /// Takes a descriptor out of the reactor; the stream ends with this pass. What has been asked of the driver
    /// is stopped before this returns, but the caller has to see that it leaves.
    pub fn detach(&mut self, signature: Signature, driver: &mut Driver) -> Option<RawFd> {
        let fd = self.live(signature)?.fd;
        self.end(signature, Ending::Detached, 0);
        self.flush(driver);
        driver.let_go(fd);
        Some(fd)
    }

    /// Stops reading and writing. Tells whether that is a change; `None` if there is no such stream.
    pub fn pause(&mut self, signature: Signature) -> Option<bool> {
        let stream = self.live_mut(signature)?;
        let changes = !std::mem::replace(&mut stream.paused, true);
        self.change(signature);
        Some(changes)
    }

    /// Goes on.
    pub fn resume(&mut self, signature: Signature) -> Option<bool> {
        let stream = self.live_mut(signature)?;
        let changes = std::mem::replace(&mut stream.paused, false);
        if stream.has_backlog() && !stream.busy {
            self.deliverable.push_back(signature);
        }
        self.change(signature);
        Some(changes)
    }

    /// Whether a stream is paused.
    #[must_use]
    pub fn is_paused(&self, signature: Signature) -> Option<bool> {
        self.live(signature).map(|stream| stream.paused)
    }

    /// Watches a descriptor for this readiness, or for none.
    pub fn watch(&mut self, signature: Signature, interest: Option<Interest>) -> bool {
        let Some(stream) = self.live_mut(signature) else {
            return false;
        };
        stream.watched = interest;
        self.change(signature);
        true
    }

    /// What a descriptor is watched for.
    #[must_use]
    pub fn watched(&self, signature: Signature) -> Option<Interest> {
        self.live(signature)?.watched
    }

    /// Its descriptor.
    #[must_use]
    pub fn fd(&self, signature: Signature) -> Option<RawFd> {
        self.live(signature).map(|stream| stream.fd)
    }

    /// What kind it is.
    #[must_use]
    pub fn transport(&self, signature: Signature) -> Option<Transport> {
        self.live(signature).map(|stream| stream.transport)
    }

    /// Whether it was accepted, and so is the server's side of a connection.
    #[must_use]
    pub fn is_accepted(&self, signature: Signature) -> Option<bool> {
        self.live(signature).map(|stream| stream.accepted)
    }

    /// Whether a stream has this descriptor already, and has not been detached from it.
    #[must_use]
    pub fn has_descriptor(&self, fd: RawFd) -> bool {
        self.all
            .values()
            .any(|stream| stream.fd == fd && stream.ending < Ending::Detached)
    }

    /// Bytes that have not been sent.
    #[must_use]
    pub fn outbound_size(&self, signature: Signature) -> Option<usize> {
        let stream = self.live(signature)?;
        Some(stream.out.len() + stream.unencrypted())
    }

    /// When something was last received or sent.
    #[must_use]
    pub fn active(&self, signature: Signature) -> Option<Instant> {
        self.live(signature).map(|stream| stream.active)
    }

    /// The address of the last datagram.
    #[must_use]
    pub fn last_sender(&self, signature: Signature) -> Option<Address> {
        self.live(signature)?.rare.as_ref()?.peer
    }

    /// After how long without anything received or sent the stream is ended; `None` is never.
    #[must_use]
    pub fn inactivity_timeout(&self, signature: Signature) -> Option<Option<Duration>> {
        self.live(signature).map(|stream| stream.inactivity)
    }

    /// Sets it.
    pub fn set_inactivity_timeout(
        &mut self,
        signature: Signature,
        limit: Option<Duration>,
    ) -> bool {
        let now = self.now;
        let Some(stream) = self.live_mut(signature) else {
            return false;
        };
        stream.inactivity = limit;
        stream.active = stream.active.max(now);
        self.arm(signature);
        true
    }

    /// After how long a connection that is not made is given up.
    #[must_use]
    pub fn connect_timeout(&self, signature: Signature) -> Option<Duration> {
        self.live(signature).map(Stream::connect_timeout)
    }

    /// Sets it.
    pub fn set_connect_timeout(&mut self, signature: Signature, limit: Duration) -> bool {
        let Some(stream) = self.live_mut(signature) else {
            return false;
        };
        stream.rare().connect_timeout = Some(limit);
        self.arm(signature);
        true
    }

    /// Connections and servers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len() - self.leaving
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those that are about to end, or are just being told.
    #[must_use]
    pub fn ending(&self) -> usize {
        let all = self.all.values();
        all.filter(|stream| match stream.ending {
            Ending::No => false,
            Ending::Unbound => stream.busy,
            _ => true,
        })
        .count()
    }

    /// The signatures of all.
    #[must_use]
    pub fn signatures(&self) -> Vec<Signature> {
        let all = self.all.iter();
        all.filter(|(_, stream)| stream.ending < Ending::Unbound)
            .map(|(&one, _)| one)
            .collect()
    }

    /// Closes the descriptors of all, without any of their events: no driver knows of them.
    pub fn close_descriptors(&self) {
        for stream in self
            .all
            .values()
            .filter(|stream| stream.owned && stream.fd >= 0)
        {
            let _ = op::Close { fd: stream.fd }.syscall();
        }
    }

    /// What the binding keeps for them.
    pub fn roots(&self) -> impl Iterator<Item = R> {
        self.all.values().filter_map(|stream| stream.root)
    }

    /// Has [`Event::Timer`] come at `deadline`.
    pub fn add_timer(&mut self, deadline: Instant) -> Signature {
        let signature = Signature::next();
        let key = self.timers.arm(deadline, signature);
        self.armed.insert(signature, key);
        signature
    }

    /// Takes a timer back. Tells whether it was armed.
    pub fn cancel_timer(&mut self, signature: Signature) -> bool {
        let key = self.armed.remove(&signature);
        key.and_then(|key| self.timers.disarm(key)).is_some()
    }

    /// Timers that are armed, and the one that is just being called.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.timers.len() + usize::from(self.phase == Phase::Timers && self.polls)
    }

    /// The stream behind a signature, if it has not ended.
    fn live(&self, signature: Signature) -> Option<&Stream<R>> {
        let stream = self.all.get(&signature)?;
        (stream.ending < Ending::Unbound).then_some(stream)
    }

    fn live_mut(&mut self, signature: Signature) -> Option<&mut Stream<R>> {
        let stream = self.all.get_mut(&signature)?;
        (stream.ending < Ending::Unbound).then_some(stream)
    }

    /// Notes that the driver may have to be asked for something else.
    fn change(&mut self, signature: Signature) {
        if let Some(stream) = self.all.get_mut(&signature)
            && !std::mem::replace(&mut stream.changed, true)
        {
            self.changed.push(signature);
        }
    }

    /// Has a stream end, unless it has been told to end more thoroughly before.
    fn end(&mut self, signature: Signature, ending: Ending, reason: i32) {
        let Some(stream) = self.live_mut(signature) else {
            return;
        };
        if stream.ending >= ending {
            return;
        }
        // Pipes and datagrams end without a reason, as they always have.
        if stream.ending <= Ending::Drained && stream.transport == Transport::Socket {
            // Whatever ends it: it failed before.
            let failed = stream.tls_failed();
            let waited = reason == libc::ETIMEDOUT && stream.has_lingered();
            stream.reason = match reason {
                _ if failed => libc::EPROTO,
                _ if waited => 0,
                reason => reason,
            };
        }
        stream.ending = ending;
        if ending == Ending::Closed || ending == Ending::Over {
            stream.out.discard();
        }
        if stream.may_unbind() {
            self.ending.push_back(signature);
        }
        self.change(signature);
    }

    /// Has the deadlines look at a stream when it could next be too late for something.
    fn arm(&mut self, signature: Signature) {
        let Some(stream) = self.all.get_mut(&signature) else {
            return;
        };
        if let Some(key) = stream.deadline.take() {
            self.deadlines.disarm(key);
        }
        if let Some(deadline) = stream.next_deadline() {
            stream.deadline = Some(self.deadlines.arm(deadline, signature));
        }
    }
}

impl Rare {
    fn may_begin_rival(&self) -> bool {
        self.rival.is_none() && !self.alternatives.is_empty()
    }
}

impl<R> Stream<R> {
    fn new(fd: RawFd, adding: Adding, now: Instant) -> Self {
        Self {
            root: None,
            fd,
            transport: adding.transport,
            ending: Ending::No,
            asked: 0,
            asked_interest: None,
            watched: None,
            owned: adding.owned,
            accepted: false,
            connecting: adding.connecting,
            paused: false,
            busy: false,
            changed: false,
            by_readiness: false,
            rests: false,
            reason: 0,
            out: Outbound::default(),
            active: now,
            inactivity: None,
            deadline: None,
            rare: None,
        }
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    fn has_backlog(&self) -> bool {
        self.rare
            .as_ref()
            .is_some_and(|rare| !rare.backlog.is_empty())
    }

    /// Whether its last event may come: the events before it have been handled. Those that a paused stream keeps
    /// back are dropped if its owner has closed it.
    fn may_unbind(&self) -> bool {
        let waits = self.has_backlog() && !(self.paused && self.ending >= Ending::Closed);
        self.ending >= Ending::Over && self.ending < Ending::Unbound && !self.busy && !waits
    }

    fn connect_timeout(&self) -> Duration {
        let set = self.rare.as_ref().and_then(|rare| rare.connect_timeout);
        set.unwrap_or(CONNECT_TIMEOUT)
    }

    /// When it would be too late for its connection, or for its being idle; or when accepting is tried again.
    fn next_deadline(&self) -> Option<Instant> {
        if self.rests {
            Some(self.active + ACCEPTING_RESTS)
        } else if self.connecting {
            let more = self
                .rare
                .as_ref()
                .is_some_and(|rare| rare.may_begin_rival());
            Some(
                self.active
                    + if more {
                        rivals::HEAD_START
                    } else {
                        self.connect_timeout()
                    },
            )
        } else {
            self.inactivity.map(|limit| self.active + limit)
        }
    }
}

/// How long accepting rests when there are no descriptors left: others may be closed meanwhile.
const ACCEPTING_RESTS: Duration = Duration::from_millis(100);
