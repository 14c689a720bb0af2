//! The in-flight tables against a list that is searched from end to end.
//!
//! Few fibers park and wake in random order, on a driver that completes what it is told to. After each
//! step everything that the tables tell is compared with the list.

mod cases;

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use evented_core::{
    Driver, Outcome, Reactor, Root, Tables, Token,
    buffer::Buffer,
    clock,
    op::{self, Interest, Op, Transfer},
    remote::Message,
};
use proptest::prelude::*;

const FIBERS: usize = 5;
const FDS: i32 = 3;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Fiber(usize);

impl Root for Fiber {
    fn fiber(&self) -> usize {
        self.0
    }
}

#[derive(Clone, Copy, Debug)]
enum Request {
    Recv(i32),
    Poll(i32),
    WaitId,
}

#[derive(Clone, Debug)]
enum Step {
    /// A running fiber waits to be unparked, until a deadline perhaps.
    Park(usize, Option<u64>),
    /// A running fiber asks the kernel.
    Submit(usize, Request, Option<u64>),
    /// A running fiber waits for a thread.
    Offload(usize),
    /// A running fiber waits for many descriptors.
    Select(usize, Vec<i32>, Option<u64>),
    /// A running fiber lets others go first.
    Yield(usize),
    /// A suspended fiber may start.
    Enter(usize),
    /// Any fiber is unparked, parked or not.
    Unpark(usize),
    /// Any wait, past or present, is ended.
    End(usize, Outcome),
    /// A descriptor is closed.
    Close(i32),
    /// An exception is for a fiber.
    Interrupt(usize),
    /// An exception passes through a fiber that waits.
    GiveUp(usize),
    /// A fiber leaves its wait without having been resumed, as soon as its buffer is free.
    Leave(usize),
    /// Milliseconds pass.
    Pass(u64),
    /// One of the operations in flight comes back.
    Complete(usize, bool),
    /// One that has come back comes back again.
    Duplicate(usize),
    /// The next one that is ready goes on.
    Resume,
}

fn step() -> impl Strategy<Value = Step> {
    let fiber = 0..FIBERS;
    let fd = 0..FDS;
    let deadline = prop::option::of(0..30_u64);
    let request = prop_oneof![
        3 => fd.clone().prop_map(Request::Recv),
        2 => fd.clone().prop_map(Request::Poll),
        1 => Just(Request::WaitId),
    ];
    let outcome = prop_oneof![
        Just(Outcome::Woken),
        Just(Outcome::TimedOut),
        Just(Outcome::Closed),
        Just(Outcome::Raised),
    ];
    prop_oneof![
        3 => (fiber.clone(), deadline.clone()).prop_map(|(f, d)| Step::Park(f, d)),
        6 => (fiber.clone(), request, deadline.clone()).prop_map(|(f, r, d)| Step::Submit(f, r, d)),
        1 => fiber.clone().prop_map(Step::Offload),
        2 => (fiber.clone(), prop::collection::vec(fd.clone(), 0..4), deadline)
            .prop_map(|(f, fds, d)| Step::Select(f, fds, d)),
        1 => fiber.clone().prop_map(Step::Yield),
        1 => fiber.clone().prop_map(Step::Enter),
        3 => fiber.clone().prop_map(Step::Unpark),
        2 => (any::<usize>(), outcome).prop_map(|(t, o)| Step::End(t, o)),
        1 => fd.prop_map(Step::Close),
        1 => fiber.clone().prop_map(Step::Interrupt),
        2 => fiber.clone().prop_map(Step::GiveUp),
        1 => fiber.prop_map(Step::Leave),
        2 => (0..10_u64).prop_map(Step::Pass),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(t, ok)| Step::Complete(t, ok)),
        1 => any::<usize>().prop_map(Step::Duplicate),
        6 => Just(Step::Resume),
    ]
}

/// A wait, as the list knows it.
#[derive(Clone, Debug)]
struct Wait {
    token: Token,
    fiber: usize,
    /// None for a wait that asks nothing of the kernel.
    request: Option<Request>,
    in_flight: bool,
    framed: bool,
    /// Was ready from the beginning.
    yielded: bool,
    deadline: Option<Instant>,
    state: State,
    members: Vec<(Token, i32)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Parked,
    Cancelling(Outcome),
    Ready(Outcome),
}

impl Wait {
    fn holds_buffer(&self) -> bool {
        self.in_flight && matches!(self.request, None | Some(Request::Recv(_)))
    }

    fn fd(&self) -> Option<i32> {
        match self.request {
            Some(Request::Recv(fd) | Request::Poll(fd)) => Some(fd),
            _ => None,
        }
    }
}

#[derive(Default)]
struct Naive {
    /// In the order of their entry.
    waits: Vec<Wait>,
    /// Who may run, in order; those in one group came at once, in no order.
    ready: VecDeque<Vec<Token>>,
    /// Left behind by waits that are over; nobody waits for them.
    abandoned: Vec<Token>,
    /// Told to stop.
    cancelled: Vec<Token>,
    permit: Option<usize>,
    resumes: u64,
}

impl Naive {
    fn of(&self, fiber: usize) -> Option<usize> {
        self.waits.iter().position(|wait| wait.fiber == fiber)
    }

    fn named(&self, token: Token) -> Option<usize> {
        self.waits.iter().position(|wait| wait.token == token)
    }

    fn make_ready(&mut self, index: usize, outcome: Outcome) -> Token {
        let wait = &mut self.waits[index];
        wait.state = State::Ready(outcome);
        wait.deadline = None;
        self.resumes += 1;
        wait.token
    }

    /// Ends a wait; whoever becomes ready by that is put into `group`.
    fn end(&mut self, index: usize, outcome: Outcome, group: &mut Vec<Token>) -> bool {
        let wait = &mut self.waits[index];
        if wait.state != State::Parked {
            return false;
        }
        if wait.in_flight {
            wait.state = State::Cancelling(outcome);
            self.cancelled.push(wait.token);
        } else {
            group.push(self.make_ready(index, outcome));
        }
        true
    }

    fn end_one(&mut self, index: usize, outcome: Outcome) -> bool {
        let mut group = Vec::new();
        let ended = self.end(index, outcome, &mut group);
        self.queue(group);
        ended
    }

    fn queue(&mut self, group: Vec<Token>) {
        if !group.is_empty() {
            self.ready.push_back(group);
        }
    }

    fn leave(&mut self, index: usize) -> Option<Outcome> {
        let wait = self.waits.remove(index);
        for (member, _) in wait.members {
            self.abandoned.push(member);
            self.cancelled.push(member);
        }
        if wait.in_flight {
            self.abandoned.push(wait.token);
            if wait.state == State::Parked {
                self.cancelled.push(wait.token);
            }
        }
        match wait.state {
            State::Parked => None,
            State::Cancelling(outcome) | State::Ready(outcome) => Some(outcome),
        }
    }

    fn pass(&mut self, now: Instant) {
        let mut due: Vec<_> = self
            .waits
            .iter()
            .enumerate()
            .filter_map(|(entry, wait)| Some((wait.deadline.filter(|&at| at <= now)?, entry)))
            .collect();
        due.sort_unstable();
        for (_, entry) in due {
            self.waits[entry].deadline = None;
            self.end_one(entry, Outcome::TimedOut);
        }
    }

    fn complete(&mut self, token: Token, result: i32) {
        if let Some(left) = self.abandoned.iter().position(|&other| other == token) {
            self.abandoned.remove(left);
        } else if let Some(index) = self.named(token) {
            self.waits[index].in_flight = false;
            let outcome = match self.waits[index].state {
                State::Parked => Outcome::Done(result),
                // It had succeeded: cancelling came too late.
                State::Cancelling(Outcome::Closed)
                    if matches!(self.waits[index].request, Some(Request::Poll(_))) =>
                {
                    Outcome::Closed
                }
                State::Cancelling(Outcome::TimedOut | Outcome::Closed) if result >= 0 => {
                    Outcome::Done(result)
                }
                State::Cancelling(Outcome::Raised) if result > 0 => Outcome::Done(result),
                State::Cancelling(outcome) => outcome,
                State::Ready(_) => return,
            };
            let ready = self.make_ready(index, outcome);
            self.queue(vec![ready]);
        } else if let Some(whole) = self
            .waits
            .iter()
            .position(|wait| wait.members.iter().any(|&(member, _)| member == token))
        {
            self.waits[whole]
                .members
                .retain(|&(member, _)| member != token);
            self.end_one(whole, Outcome::Woken);
        }
    }
}

/// The tables, the list, and the time.
struct Bench {
    tables: Tables<Fiber>,
    driver: Driver,
    naive: Naive,
    now: Instant,
    /// Every token there ever was, but members'.
    tokens: Vec<Token>,
    /// Tokens of operations that have come back.
    back: Vec<Token>,
    bytes: Box<[u8; 8]>,
}

impl Bench {
    fn new() -> Self {
        Self {
            tables: Tables::new(),
            driver: Driver::fake(),
            naive: Naive::default(),
            now: clock::now(),
            tokens: Vec::new(),
            back: Vec::new(),
            bytes: Box::new([0; 8]),
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Park(fiber, deadline) => {
                let Some(deadline) = self.runs(fiber, deadline) else {
                    return;
                };
                let token = self.tables.park(Fiber(fiber), deadline);
                self.enter(token, fiber, None, false, deadline);
                self.use_permit(fiber);
            }
            Step::Submit(fiber, request, deadline) => {
                let Some(deadline) = self.runs(fiber, deadline) else {
                    return;
                };
                let op = self.op(request);
                let token = self.reactor().submit(Fiber(fiber), op, deadline);
                self.naive.permit = None;
                self.enter(token, fiber, Some(request), true, deadline);
            }
            Step::Offload(fiber) => {
                if self.runs(fiber, None).is_some() {
                    let token = self.tables.park_offloaded(Fiber(fiber), true);
                    self.enter(token, fiber, None, true, None);
                }
            }
            Step::Select(fiber, fds, deadline) => {
                let Some(deadline) = self.runs(fiber, deadline) else {
                    return;
                };
                let whole = self.tables.park(Fiber(fiber), deadline);
                self.enter(whole, fiber, None, false, deadline);
                self.use_permit(fiber);
                for fd in fds {
                    let op = self.op(Request::Poll(fd));
                    self.reactor().submit_member(whole, op);
                    let member = self.script().pushed.last().expect("just pushed").1;
                    let wait = self.naive.waits.last_mut().expect("just entered");
                    wait.members.push((member, fd));
                }
            }
            Step::Yield(fiber) => {
                if self.runs(fiber, None).is_some() {
                    let token = self.tables.yield_turn(Fiber(fiber));
                    self.enter(token, fiber, None, false, None);
                    let last = self.naive.waits.len() - 1;
                    self.naive.waits[last].yielded = true;
                    self.naive.end_one(last, Outcome::Woken);
                }
            }
            Step::Enter(fiber) => {
                if self.runs(fiber, None).is_some() {
                    let token = self.tables.enter_ready(Fiber(fiber), Outcome::Woken);
                    self.enter(token, fiber, None, false, None);
                    let wait = self.naive.waits.last_mut().expect("just entered");
                    wait.framed = false;
                    wait.state = State::Ready(Outcome::Woken);
                    self.naive.queue(vec![token]);
                }
            }
            Step::Unpark(fiber) => {
                let expected = match self.naive.of(fiber) {
                    None => {
                        self.naive.permit = Some(fiber);
                        true
                    }
                    Some(index) if self.naive.waits[index].request.is_none() => {
                        self.naive.end_one(index, Outcome::Woken)
                    }
                    Some(_) => false,
                };
                assert_eq!(self.tables.unpark(fiber), expected);
            }
            Step::End(which, outcome) => {
                if self.tokens.is_empty() {
                    return;
                }
                let token = self.tokens[which % self.tokens.len()];
                let expected = match self.naive.named(token) {
                    Some(index) => self.naive.end_one(index, outcome),
                    None => false,
                };
                assert_eq!(self.tables.end(token, outcome), expected);
            }
            Step::Close(fd) => self.close(fd),
            Step::Interrupt(fiber) => {
                let mut met = false;
                let interrupted = self
                    .tables
                    .interrupt(fiber, None, |root| met = root.0 == fiber);
                let expected = match self.naive.of(fiber) {
                    // One that only yielded has lost nothing: it may go on with the exception or first.
                    Some(index) if self.naive.waits[index].yielded => {
                        if interrupted {
                            self.naive.waits[index].state = State::Ready(Outcome::Raised);
                        }
                        interrupted
                    }
                    Some(index) if self.naive.waits[index].framed => {
                        self.naive.end_one(index, Outcome::Raised)
                    }
                    _ => false,
                };
                assert_eq!((interrupted, met), (expected, expected));
            }
            Step::GiveUp(fiber) => {
                let Some(index) = self.naive.of(fiber) else {
                    return;
                };
                let wait = &mut self.naive.waits[index];
                if wait.in_flight && wait.state == State::Parked {
                    wait.state = State::Cancelling(Outcome::Woken);
                    self.naive.cancelled.push(wait.token);
                }
                let token = wait.token;
                self.tables.give_up(token);
            }
            Step::Leave(fiber) => {
                if let Some(index) = self.naive.of(fiber)
                    && !self.naive.waits[index].holds_buffer()
                {
                    let token = self.naive.waits[index].token;
                    let expected = self.naive.leave(index);
                    assert_eq!(self.tables.leave(token), expected);
                }
            }
            Step::Pass(millis) => {
                self.now += Duration::from_millis(millis);
                self.naive.pass(self.now);
                let now = self.now;
                self.reactor().dispatch(Some(now), &mut VecDeque::new());
            }
            Step::Complete(which, well) => self.complete(which, well),
            Step::Duplicate(which) => {
                if !self.back.is_empty() {
                    let token = self.back[which % self.back.len()];
                    self.script().complete(token, 1);
                    self.reactor().dispatch(None, &mut VecDeque::new());
                }
            }
            Step::Resume => drop(self.resume()),
        }
    }

    fn close(&mut self, fd: i32) {
        let naive = &mut self.naive;
        let mut group = Vec::new();
        let mut expected = 0;
        for index in 0..naive.waits.len() {
            let wait = &naive.waits[index];
            let members = wait
                .members
                .iter()
                .filter(|&&(_, other)| other == fd)
                .count();
            let waits = members + usize::from(wait.fd() == Some(fd));
            if waits > 0 {
                expected += waits;
                let wait = &mut naive.waits[index];
                let was_ready = matches!(wait.state, State::Ready(Outcome::Done(_)));
                if was_ready && matches!(wait.request, Some(Request::Poll(_))) {
                    wait.state = State::Ready(Outcome::Closed);
                } else {
                    naive.end(index, Outcome::Closed, &mut group);
                }
            }
        }
        naive.queue(group);
        assert_eq!(self.tables.close(fd), expected);
    }

    fn complete(&mut self, which: usize, well: bool) {
        let pushed: Vec<_> = self
            .script()
            .pushed
            .iter()
            .map(|&(op, t)| (Some(op), t))
            .collect();
        let offloaded = self
            .naive
            .waits
            .iter()
            .filter(|wait| wait.in_flight && wait.request.is_none())
            .map(|wait| (None, wait.token));
        let in_flight: Vec<_> = pushed.into_iter().chain(offloaded).collect();
        if in_flight.is_empty() {
            return;
        }
        let (op, token) = in_flight[which % in_flight.len()];
        let raw = match op {
            _ if !well => -libc::ECANCELED,
            Some(Op::Poll(_)) => i32::from(libc::POLLIN),
            Some(Op::Recv(_)) => 4,
            _ => 0,
        };
        let result = match op {
            Some(Op::Poll(_)) if well => i32::from(Interest::READABLE.bits()),
            _ => raw,
        };
        self.naive.complete(token, result);
        if op.is_some() {
            self.back.push(token);
            self.script().complete(token, raw);
        } else {
            self.driver.remote().send(Message {
                token,
                result,
                addresses: Vec::new(),
            });
        }
        self.reactor().dispatch(None, &mut VecDeque::new());
    }

    /// Tells whether somebody was ready.
    fn resume(&mut self) -> bool {
        self.tables.ready.begin_turn();
        let Some(token) = self.tables.ready.next() else {
            assert!(self.naive.ready.is_empty());
            return false;
        };
        let group = self.naive.ready.front_mut().expect("the list says nobody");
        let found = group.iter().position(|&other| other == token);
        group.swap_remove(found.expect("it is another one's turn"));
        if group.is_empty() {
            self.naive.ready.pop_front();
        }
        // One that has left meanwhile is passed over.
        if let Some(index) = self.naive.named(token) {
            assert!(!self.tables.holds_buffer(token));
            assert!(matches!(self.naive.waits[index].state, State::Ready(_)));
            let expected = self.naive.leave(index);
            assert_eq!(self.tables.leave(token), expected);
        }
        assert_eq!(self.tables.leave(token), None);
        true
    }

    fn check(&mut self) {
        self.reactor().flush_cancels();
        let mut cancelled = self.script().cancelled.clone();
        cancelled.sort_unstable();
        self.naive.cancelled.sort_unstable();
        assert_eq!(cancelled, self.naive.cancelled, "each is cancelled once");

        for &token in &self.tokens {
            let wait = self
                .naive
                .named(token)
                .map(|index| &self.naive.waits[index]);
            let expected = wait.and_then(|wait| match wait.state {
                State::Ready(outcome) => Some(outcome),
                _ => None,
            });
            assert_eq!(self.tables.outcome(token), expected);
            assert_eq!(
                self.tables.holds_buffer(token),
                wait.is_some_and(Wait::holds_buffer)
            );
            let root = self.tables.root(token).map(|root| root.0);
            let abandoned = self.naive.abandoned.contains(&token);
            assert!(abandoned || root == wait.map(|wait| wait.fiber));
            assert_eq!(
                self.tables.is_framed(token),
                abandoned || wait.is_some_and(|wait| wait.framed)
            );
        }
        let waits = &self.naive.waits;
        for fiber in 0..FIBERS {
            assert_eq!(self.tables.knows(fiber), self.naive.of(fiber).is_some());
        }
        let busy = !waits.is_empty() || !self.naive.ready.is_empty();
        assert_eq!(self.tables.is_busy(), busy);
        assert_eq!(self.tables.len(), waits.len());
        assert_eq!(self.tables.is_empty(), waits.is_empty());
        let mut parked = 0;
        for token in self.tables.parked() {
            assert!(waits.iter().any(|wait| wait.token == token));
            parked += 1;
        }
        assert_eq!(parked, waits.len());
        let deadlines = || waits.iter().filter_map(|wait| wait.deadline);
        assert_eq!(self.tables.next_deadline(), deadlines().min());
        assert_eq!(self.tables.sleeping(), deadlines().count());
        assert_eq!(self.tables.stats.resumes, self.naive.resumes);
        // Members keep nothing alive that their whole does not, and what is abandoned holds no buffer.
        let roots: Vec<usize> = self.tables.roots().map(|root| root.0).collect();
        assert!(waits.iter().all(|wait| roots.contains(&wait.fiber)));
        assert!(roots.len() <= waits.len() + self.naive.abandoned.len());
    }

    /// Everything comes back and everybody goes on; then nothing may be left.
    fn wind_up(&mut self) {
        for fd in 0..FDS {
            self.close(fd);
        }
        for fiber in 0..FIBERS {
            self.step(Step::Interrupt(fiber));
        }
        self.check();
        while !self.script().pushed.is_empty() || !self.naive.waits.is_empty() {
            self.complete(0, false);
            while self.resume() {}
            self.check();
        }
        while self.resume() {}
        self.check();
        assert!(!self.tables.is_busy());
        assert_eq!(self.tables.roots().count(), 0);
        assert_eq!(self.tables.next_deadline(), None);
    }

    /// The deadline, if the fiber runs and so can wait at all.
    #[expect(clippy::option_option, reason = "read at once, by let-else")]
    fn runs(&self, fiber: usize, deadline: Option<u64>) -> Option<Option<Instant>> {
        let deadline = deadline.map(|millis| self.now + Duration::from_millis(millis));
        self.naive.of(fiber).is_none().then_some(deadline)
    }

    fn enter(
        &mut self,
        token: Token,
        fiber: usize,
        request: Option<Request>,
        in_flight: bool,
        deadline: Option<Instant>,
    ) {
        assert!(!self.tokens.contains(&token), "a token names one park");
        assert_eq!(Token::from_bits(token.into_bits()), token);
        self.tokens.push(token);
        self.naive.waits.push(Wait {
            token,
            fiber,
            request,
            in_flight,
            framed: true,
            yielded: false,
            deadline,
            state: State::Parked,
            members: Vec::new(),
        });
    }

    fn use_permit(&mut self, fiber: usize) {
        if self.naive.permit.take() == Some(fiber) {
            let last = self.naive.waits.len() - 1;
            self.naive.end_one(last, Outcome::Woken);
        }
    }

    fn op(&mut self, request: Request) -> Op {
        // SAFETY: the fake driver writes nowhere.
        let buffer = unsafe { Buffer::new(self.bytes.as_mut_ptr(), self.bytes.len()) };
        match request {
            Request::Recv(fd) => Op::Recv(op::Recv {
                fd,
                transfer: Transfer::new(buffer, 1),
            }),
            Request::Poll(fd) => Op::Poll(op::Poll::new(fd, Interest::READABLE)),
            Request::WaitId => Op::WaitId(op::WaitId { pid: 1 }),
        }
    }

    fn reactor(&mut self) -> Reactor<'_, Fiber> {
        Reactor::new(&mut self.tables, &mut self.driver)
    }

    fn script(&mut self) -> &mut evented_core::driver::fake::Fake {
        self.driver.script().expect("it is a fake")
    }
}

proptest! {
    #![proptest_config(cases::cases(300))]

    #[test]
    fn tables_do_what_a_naive_list_does(steps in prop::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new();
        for step in steps {
            bench.step(step);
            bench.check();
        }
        bench.wind_up();
    }
}

#[test]
fn a_permit_is_used_up_by_the_very_next_park() {
    let mut tables = Tables::new();
    assert!(tables.unpark(1));
    let first = tables.park(Fiber(1), None);
    assert_eq!(tables.leave(first), Some(Outcome::Woken));
    let second = tables.park(Fiber(1), None);
    assert_eq!(tables.outcome(second), None);
    tables.leave(second);

    assert!(tables.unpark(1));
    let other = tables.park(Fiber(2), None);
    assert_eq!(tables.outcome(other), None);
    tables.leave(other);
    let too_late = tables.park(Fiber(1), None);
    assert_eq!(tables.outcome(too_late), None);
}

#[test]
fn a_stale_token_never_wakes_another() {
    let mut tables = Tables::new();
    let first = tables.park(Fiber(1), None);
    tables.end(first, Outcome::Woken);
    tables.leave(first);
    let second = tables.park(Fiber(1), None);
    let dropped = tables.stats.dropped;
    assert!(!tables.end(first, Outcome::TimedOut));
    tables.complete_offloaded(first);
    tables.give_up(first);
    assert_eq!(tables.leave(first), None);
    assert_eq!(tables.outcome(second), None);
    assert_eq!(tables.stats.dropped, dropped + 2);
    assert!(!tables.end(Token::default(), Outcome::Woken));
    assert!(!tables.end(Token::from_bits(u64::MAX), Outcome::Woken));
}

#[test]
fn a_second_wake_up_is_dropped_and_counted() {
    let mut tables = Tables::<Fiber>::default();
    let token = tables.park(Fiber(1), None);
    assert!(tables.unpark(1));
    assert!(!tables.unpark(1));
    assert!(!tables.interrupt(1, None, |_| {}));
    assert_eq!(tables.stats.resumes, 1);
    assert_eq!(tables.stats.dropped, 1);
    assert_eq!(tables.leave(token), Some(Outcome::Woken));
}

#[test]
fn who_yields_goes_behind_and_who_starts_another_goes_first() {
    let mut tables = Tables::new();
    tables.yield_turn(Fiber(1));
    tables.yield_turn(Fiber(2));
    tables.ready.begin_turn();
    tables.yield_turn(Fiber(3));
    let first = tables.yield_first(Fiber(4));
    assert_eq!(tables.next_framed().map(|(token, _)| token), Some(first));
    let mut order = vec![tables.leave(first).map_or(0, |_| 4)];
    while let Some((token, _)) = tables.next_framed() {
        order.push(tables.root(token).map_or(0, |root| root.0));
        tables.leave(token);
    }
    assert_eq!(order, [4, 1, 2]);
    assert!(tables.is_busy());
}

#[test]
fn a_parking_fiber_hands_over_to_framed_waiters_only() {
    let mut tables = Tables::new();
    let left = tables.yield_turn(Fiber(1));
    tables.leave(left);
    let framed = tables.yield_turn(Fiber(2));
    let unframed = tables.enter_ready(Fiber(3), Outcome::Raised);
    tables.ready.begin_turn();
    assert_eq!(tables.next_framed().map(|(token, _)| token), Some(framed));
    assert!(tables.next_framed().is_none());
    assert_eq!(tables.ready.next(), Some(unframed));
    assert_eq!(tables.leave(unframed), Some(Outcome::Raised));
}

#[test]
fn a_wait_that_ends_otherwise_tells_that_it_was_unparked_too() {
    let mut tables = Tables::new();
    let first = tables.park(Fiber(1), None);
    tables.park(Fiber(2), None);
    assert_eq!(tables.find_parked(|fiber| fiber.0 == 2), Some(2));
    assert!(tables.interrupt(1, None, |_| ()));
    assert_eq!(tables.find_parked(|fiber| fiber.0 == 1), None);
    assert!(!tables.unpark(1));
    let left = tables.take_out(first).expect("it waits");
    assert_eq!((left.outcome, left.unparked), (Some(Outcome::Raised), true));

    assert!(tables.unpark(1));
    let permitted = tables.park(Fiber(1), None);
    assert!(tables.take_out(permitted).is_some_and(|left| left.unparked));
    let second = tables.park(Fiber(1), None);
    assert!(tables.take_out(second).is_some_and(|left| !left.unparked));
}
