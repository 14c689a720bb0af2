//! The contract as a fiber sees it: a whole reactor over the driver.

use std::{
    collections::VecDeque,
    io::{Seek as _, Write as _},
    os::fd::AsRawFd,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use evented_core::{
    Outcome, Reactor, Root, Tables, Token, clock,
    op::{self, Interest, Op},
    reactor::Sleep,
};

use super::{
    bytes,
    rig::{self, Memory, NAP, Rig},
};

pub(crate) fn a_recv_goes_on_until_it_has_enough(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let (token, memory) = reactor.recv(&near, 10, 6, None);
    for part in [b"ab", b"cd"] {
        far.write_all(part).unwrap();
        reactor.turn();
        assert_eq!(reactor.tables.outcome(token), None);
    }
    far.write_all(b"efgh").unwrap();
    assert_eq!(reactor.outcome(token), Outcome::Done(8));
    assert_eq!(memory.first(8), b"abcdefgh");
}

pub(crate) fn a_recv_is_content_at_the_end_of_the_stream(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let (token, memory) = reactor.recv(&near, 10, 10, None);
    far.write_all(b"half").unwrap();
    reactor.turn();
    drop(far);
    assert_eq!(reactor.outcome(token), Outcome::Done(4));
    assert_eq!(memory.first(4), b"half");
}

pub(crate) fn a_send_goes_on_until_all_is_out(rig: &mut Rig) {
    const LENGTH: usize = 2 << 20;
    let (near, far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let transfer = reactor.rig.memory(&vec![3; LENGTH]).transfer(LENGTH);
    let fd = near.as_raw_fd();
    let token = reactor.submit(Op::Send(op::Send { fd, transfer }), None);
    let mut drained = 0;
    while reactor.tables.outcome(token).is_none() {
        reactor.look();
        drained += rig::drain(&far);
    }
    drained += rig::drain(&far);
    assert_eq!(reactor.outcome(token), Outcome::Done(LENGTH as i32));
    assert_eq!(drained, LENGTH);
}

pub(crate) fn a_read_of_a_file_goes_on_until_it_has_enough(rig: &mut Rig) {
    let mut file = rig::file();
    file.write_all(b"0123456789").unwrap();
    file.rewind().unwrap();
    let mut reactor = Loop::new(rig);
    for at in [Some(2), None] {
        let memory = reactor.rig.memory(&[0; 64]);
        let read = op::Read {
            fd: file.as_raw_fd(),
            transfer: memory.transfer(64),
            at,
        };
        let token = reactor.submit(Op::Read(read), None);
        let expected = &b"0123456789"[at.map_or(0, |at| at as usize)..];
        assert_eq!(reactor.outcome(token), Outcome::Done(expected.len() as i32));
        assert_eq!(&memory.bytes()[..expected.len()], expected);
    }
}

pub(crate) fn bytes_before_an_error_are_reported_first(rig: &mut Rig) {
    let (near, mut far) = rig::tcp_sockets();
    let mut reactor = Loop::new(rig);
    let (token, memory) = reactor.recv(&near, 10, 10, None);
    far.write_all(b"half").unwrap();
    while memory.bytes()[0] == 0 {
        reactor.turn();
    }
    bytes::reset(far);
    assert_eq!(reactor.outcome(token), Outcome::Done(4));
}

pub(crate) fn a_deadline_ends_a_wait_and_never_early(rig: &mut Rig) {
    let (near, _far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    for micros in [0, 1, 900, 2_500, 11_111] {
        let deadline = clock::now() + Duration::from_micros(micros);
        let (token, _) = reactor.recv(&near, 10, 1, Some(deadline));
        assert_eq!(reactor.outcome(token), Outcome::TimedOut);
        assert!(clock::now() >= deadline);

        let deadline = clock::now() + Duration::from_micros(micros);
        let token = reactor.tables.park(Fiber(2), Some(deadline));
        assert_eq!(reactor.outcome(token), Outcome::TimedOut);
        assert!(clock::now() >= deadline);
    }
}

pub(crate) fn bytes_before_a_deadline_are_not_lost(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let deadline = clock::now() + Duration::from_millis(20);
    let (token, memory) = reactor.recv(&near, 10, 10, Some(deadline));
    far.write_all(b"half").unwrap();
    assert_eq!(reactor.outcome(token), Outcome::Done(4));
    assert_eq!(memory.first(4), b"half");
}

pub(crate) fn what_came_in_time_beats_the_deadline(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let now = clock::now();
    let (token, _) = reactor.recv(&near, 4, 1, Some(now));
    far.write_all(b"here").unwrap();
    match reactor.outcome(token) {
        Outcome::Done(4) => {}
        Outcome::TimedOut => {
            // Then the bytes are still there.
            let (token, _) = reactor.recv(&near, 4, 1, None);
            assert_eq!(reactor.outcome(token), Outcome::Done(4));
        }
        other => panic!("{other:?}"),
    }
}

pub(crate) fn closing_a_descriptor_ends_its_waits(rig: &mut Rig) {
    let (near, far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let (receiver, _) = reactor.recv(&near, 4, 1, None);
    let poller = reactor.poll(&near, Interest::READABLE);
    let (other, _) = reactor.recv(&far, 4, 1, None);
    reactor.turn();
    assert_eq!(reactor.tables.close(near.as_raw_fd()), 2);
    assert_eq!(reactor.outcome(receiver), Outcome::Closed);
    assert_eq!(reactor.outcome(poller), Outcome::Closed);
    assert_eq!(reactor.tables.outcome(other), None);
    drop(near);
    assert_eq!(reactor.outcome(other), Outcome::Done(0));
}

pub(crate) fn an_interrupted_wait_holds_its_buffer_to_the_end(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let mut reactor = Loop::new(rig);
    let (token, memory) = reactor.recv(&near, 4, 1, None);
    reactor.turn();
    reactor.tables.give_up(token);
    assert!(reactor.tables.holds_buffer(token));
    reactor.outcome_of(token);
    assert!(!reactor.tables.holds_buffer(token));
    far.write_all(b"late").unwrap();
    reactor.turn();
    assert_eq!(memory.bytes(), [0; 4]);
    reactor.tables.leave(token);
    assert!(reactor.tables.root(token).is_none());
}

pub(crate) fn the_first_of_many_descriptors_ends_the_wait(rig: &mut Rig) {
    let pairs: Vec<_> = (0..5).map(|_| rig::sockets()).collect();
    let mut reactor = Loop::new(rig);
    let whole = reactor.tables.park(Fiber(1), None);
    for (near, _) in &pairs {
        reactor.member(whole, near);
    }
    reactor.turn();
    assert_eq!(reactor.tables.outcome(whole), None);
    (&pairs[3].1).write_all(b"x").unwrap();
    assert_eq!(reactor.outcome(whole), Outcome::Woken);
    reactor.drain();
    assert_eq!(reactor.tables.roots().count(), 0);
    for (near, _) in &pairs {
        assert_eq!(reactor.tables.close(near.as_raw_fd()), 0);
    }
}

pub(crate) fn an_abandoned_wait_on_many_leaves_nothing_behind(rig: &mut Rig) {
    let pairs: Vec<_> = (0..5).map(|_| rig::sockets()).collect();
    let mut reactor = Loop::new(rig);
    let whole = reactor.tables.park(Fiber(1), Some(clock::now()));
    for (near, _) in &pairs {
        reactor.member(whole, near);
    }
    assert_eq!(reactor.outcome(whole), Outcome::TimedOut);
    reactor.drain();
    assert_eq!(reactor.tables.roots().count(), 0);
    assert!(!reactor.tables.is_busy());
}

pub(crate) fn an_unpark_from_outside_ends_a_sleep(rig: &mut Rig) {
    let mut reactor = Loop::new(rig);
    let token = reactor.tables.park_offloaded(Fiber(1), true);
    let remote = reactor.rig.driver.remote().clone();
    let worker = thread::spawn(move || {
        remote.send(evented_core::remote::Message {
            token,
            result: 1,
            addresses: vec![std::net::Ipv4Addr::LOCALHOST.into()],
        });
    });
    let deadline = clock::now() + NAP;
    while reactor.tables.outcome(token).is_none() {
        assert!(clock::now() < deadline);
        reactor.turn_until(Some(deadline));
    }
    let left = reactor.tables.take_out(token).unwrap();
    assert_eq!(left.addresses, [std::net::Ipv4Addr::LOCALHOST]);
    assert_eq!(left.outcome, Some(Outcome::Done(1)));
    worker.join().unwrap();
}

#[derive(Clone, Copy, Debug)]
struct Fiber(usize);

impl Root for Fiber {
    fn fiber(&self) -> usize {
        self.0
    }
}

/// The binding's loop, without fibers.
struct Loop<'a> {
    tables: Tables<Fiber>,
    rig: &'a mut Rig,
    fibers: usize,
}

impl<'a> Loop<'a> {
    fn new(rig: &'a mut Rig) -> Self {
        Self {
            tables: Tables::new(),
            rig,
            fibers: 100,
        }
    }

    fn reactor(&mut self) -> Reactor<'_, Fiber> {
        Reactor::new(&mut self.tables, &mut self.rig.driver)
    }

    fn submit(&mut self, op: Op, deadline: Option<Instant>) -> Token {
        self.fibers += 1;
        let fiber = Fiber(self.fibers);
        self.reactor().submit(fiber, op, deadline)
    }

    fn recv(
        &mut self,
        fd: &impl AsRawFd,
        len: usize,
        least: usize,
        deadline: Option<Instant>,
    ) -> (Token, Rc<Memory>) {
        let memory = self.rig.memory(&vec![0; len]);
        let recv = op::Recv {
            fd: fd.as_raw_fd(),
            transfer: memory.transfer(least),
        };
        (self.submit(Op::Recv(recv), deadline), memory)
    }

    fn poll(&mut self, fd: &impl AsRawFd, interest: Interest) -> Token {
        let fd = fd.as_raw_fd();
        self.submit(Op::Poll(op::Poll::new(fd, interest)), None)
    }

    fn member(&mut self, whole: Token, fd: &impl AsRawFd) {
        let poll = op::Poll::new(fd.as_raw_fd(), Interest::READABLE);
        self.reactor().submit_member(whole, Op::Poll(poll));
    }

    /// A turn that sleeps for a moment at most.
    fn turn(&mut self) {
        self.turn_until(Some(clock::now() + Duration::from_millis(2)));
    }

    /// A turn that does not sleep.
    fn look(&mut self) {
        self.reactor().flush_cancels();
        self.rig.driver.wait(Some(Duration::ZERO));
        let now = clock::now();
        self.reactor().dispatch(Some(now), &mut VecDeque::new());
    }

    fn turn_until(&mut self, limit: Option<Instant>) {
        let now = clock::now();
        let timeout = match self.reactor().before_wait(Some(now), limit) {
            Sleep::Skip | Sleep::No => Some(Duration::ZERO),
            Sleep::For(timeout) => Some(timeout),
            Sleep::Forever => None,
        };
        self.rig.driver.waker().announce_sleep();
        if self.reactor().last_look() {
            self.rig.driver.wait(timeout);
        }
        self.rig.driver.waker().awake();
        let now = clock::now();
        self.reactor().dispatch(Some(now), &mut VecDeque::new());
    }

    /// Turns until a wait has its outcome.
    #[track_caller]
    fn outcome_of(&mut self, token: Token) -> Outcome {
        let deadline = clock::now() + NAP;
        loop {
            if let Some(outcome) = self.tables.outcome(token) {
                self.tables.ready.begin_turn();
                while self.tables.ready.next().is_some() {}
                return outcome;
            }
            assert!(clock::now() < deadline, "no outcome");
            self.turn_until(Some(deadline));
        }
    }

    /// As [`Self::outcome_of`], and the fiber goes on.
    #[track_caller]
    fn outcome(&mut self, token: Token) -> Outcome {
        let outcome = self.outcome_of(token);
        assert_eq!(self.tables.leave(token), Some(outcome));
        outcome
    }

    /// Turns until what was abandoned has come back.
    #[track_caller]
    fn drain(&mut self) {
        let deadline = clock::now() + NAP;
        while self.tables.roots().count() > 0 {
            assert!(clock::now() < deadline, "something stays in the tables");
            self.look();
        }
    }
}

impl Drop for Loop<'_> {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.rig.close();
        }
    }
}
