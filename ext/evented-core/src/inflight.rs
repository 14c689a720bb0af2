//! The tables: who waits, for what, until when. What the garbage collector may mark (I-2).
//!
//! A waiter is entered when a fiber parks and leaves when that fiber runs again and takes its
//! outcome. Its [`Token`] carries a generation, so that late and duplicate wake-ups find nobody and
//! are dropped and counted (I-5). Nothing whose destructor matters stays on a parked stack: it is
//! here (I-4).
//!
//! Everything here is guarded by the GVL and owned by one reactor; other Ruby threads may unpark
//! waiters and end the waits on a descriptor while the owner sleeps in the kernel, because that
//! touches the tables only (I-6).
#![forbid(unsafe_code)]

mod facts;
mod interrupts;

use std::{
    collections::{VecDeque, hash_map::Entry},
    net::IpAddr,
    os::fd::RawFd,
    time::Instant,
};

use rustc_hash::FxHashMap;
use slotmap::SlotMap;

use crate::{
    alarm::Alarms,
    descriptors::Descriptors,
    op::Op,
    ready::Ready,
    stats::Stats,
    timer::Timers,
    waiter::{Rare, State},
};

pub use crate::{
    alarm::AlarmKey,
    waiter::{Left, Outcome, Root, Token, Waiter},
};

/// What a timer stands for.
#[derive(Clone, Copy, Debug)]
enum Due {
    Waiter(Token),
    Alarm(AlarmKey),
}

/// The half of a reactor that never meets the kernel.
#[derive(Debug)]
pub struct Tables<R> {
    /// Counters.
    pub stats: Stats,
    /// Who may run.
    pub ready: Ready,
    waiters: SlotMap<Token, Waiter<R>>,
    /// The park of each fiber that is parked, by [`Root::fiber`].
    by_fiber: FxHashMap<usize, Token>,
    descriptors: Descriptors,
    timers: Timers<Due>,
    alarms: Alarms<R>,
    /// Operations that the driver has to be told to cancel, by its owner.
    cancels: Vec<Token>,
    /// How many waiters the kernel or another thread works for, given up or not.
    in_flight: usize,
    /// How many of these another thread works for.
    offloaded: usize,
    /// A fiber that was unparked while it was running: it may be on its way to park (see `unpark`).
    permit: Option<usize>,
}

impl<R: Root> Tables<R> {
    /// Nobody waits.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stats: Stats::default(),
            ready: Ready::default(),
            waiters: SlotMap::with_key(),
            by_fiber: FxHashMap::default(),
            descriptors: Descriptors::default(),
            timers: Timers::new(),
            alarms: Alarms::new(),
            cancels: Vec::new(),
            in_flight: 0,
            offloaded: 0,
            permit: None,
        }
    }

    /// A wait that [`Self::unpark`] or its deadline ends.
    pub fn park(&mut self, root: R, deadline: Option<Instant>) -> Token {
        let token = self.enter(root, None, deadline, true);
        if self.permit.take() == Some(root.fiber()) {
            self.waiters[token].unparked = true;
            self.end(token, Outcome::Woken);
        }
        token
    }

    /// A wait for an operation. The caller hands the operation to the driver.
    pub(crate) fn park_for(&mut self, root: R, op: Op, deadline: Option<Instant>) -> Token {
        let token = self.enter(root, Some(op), deadline, true);
        self.begin_flight(token, &op);
        token
    }

    /// A wait for work that another thread does; its message ends it. If the work uses memory of the
    /// fiber's (`lends_memory`) nothing else does, else the wait may be given up (I-1).
    pub fn park_offloaded(&mut self, root: R, lends_memory: bool) -> Token {
        let token = self.enter(root, None, None, true);
        let waiter = &mut self.waiters[token];
        waiter.in_flight = true;
        waiter.lends_memory = lends_memory;
        self.in_flight += 1;
        self.offloaded += 1;
        token
    }

    /// Makes `whole` wait for one more descriptor. The caller hands the operation to the driver.
    pub(crate) fn add_member(&mut self, whole: Token, op: Op) -> Option<Token> {
        let root = self.waiters.get(whole)?.root;
        let member = self.waiters.insert(Waiter {
            whole: Some(whole),
            ..Waiter::new(root, Some(op))
        });
        self.begin_flight(member, &op);
        self.waiters[whole].rare().members.push(member);
        Some(member)
    }

    /// Enters a fiber that can go on at once, behind all others; it parks to let them run.
    pub fn yield_turn(&mut self, root: R) -> Token {
        let token = self.enter(root, None, None, true);
        self.waiters[token].yielded = true;
        self.end(token, Outcome::Woken);
        token
    }

    /// Enters a fiber that goes on before all others, as soon as one that it starts now first waits.
    pub fn yield_first(&mut self, root: R) -> Token {
        let token = self.enter(root, None, None, true);
        self.waiters[token].state = State::Ready(Outcome::Woken);
        self.ready.push_front(token);
        token
    }

    /// Enters a suspended fiber that no frame of `park` waits for and that can go on.
    pub fn enter_ready(&mut self, root: R, outcome: Outcome) -> Token {
        let token = self.enter(root, None, None, false);
        self.waiters[token].state = State::Ready(outcome);
        self.ready.push(token);
        token
    }

    /// The next one of this turn, if a frame of `park` waits for it: a parking fiber may hand over to
    /// that, and leaves the others to the loop.
    pub fn next_framed(&mut self) -> Option<(Token, R)> {
        loop {
            let token = self.ready.peek()?;
            match self.waiters.get(token) {
                Some(waiter) if !waiter.framed => return None,
                Some(waiter) => {
                    self.ready.next();
                    return Some((token, waiter.root));
                }
                // Its fiber was raised in meanwhile and has left.
                None => drop(self.ready.next()),
            }
        }
    }

    /// Ends the block or the sleep that `fiber` is parked in, from any thread that holds the GVL.
    ///
    /// A fiber that is not parked may be between its entry into a wait queue and its park, and must
    /// not lose this wake-up: it gets a permit that the very next park uses up.
    pub fn unpark(&mut self, fiber: usize) -> bool {
        match self.by_fiber.get(&fiber) {
            Some(&token) if self.waiters[token].op.is_none() => {
                self.waiters[token].unparked = true;
                self.end(token, Outcome::Woken)
            }
            None => {
                self.permit = Some(fiber);
                true
            }
            Some(_) => {
                self.stats.dropped += 1;
                false
            }
        }
    }

    /// Another fiber that waits for what `wanted` says, and for nothing else.
    pub fn find_parked(&self, wanted: impl Fn(&R) -> bool) -> Option<usize> {
        let mut parked = self.by_fiber.iter().filter_map(|(&fiber, &token)| {
            let waiter = self.waiters.get(token)?;
            (waiter.state == State::Parked && wanted(&waiter.root)).then_some(fiber)
        });
        parked.next()
    }

    /// Ends a wait before its time. An operation in flight is cancelled first, and if it turns out to
    /// have succeeded its result wins. Tells whether anybody was waiting.
    pub fn end(&mut self, token: Token, outcome: Outcome) -> bool {
        let Some(waiter) = self.waiters.get_mut(token) else {
            self.stats.dropped += 1;
            return false;
        };
        if waiter.state != State::Parked {
            self.stats.dropped += 1;
            return false;
        }
        if waiter.in_flight && (waiter.op.is_some() || waiter.lends_memory) {
            waiter.state = State::Cancelling(outcome);
            self.cancel(token);
        } else {
            self.make_ready(token, outcome);
        }
        true
    }

    /// Ends every wait on a descriptor that is being closed; from any thread that holds the GVL.
    /// Tells how many there were.
    pub fn close(&mut self, fd: RawFd) -> usize {
        let waiting = self.descriptors.on(fd).to_vec();
        for &token in &waiting {
            let Some(waiter) = self.waiters.get_mut(token) else {
                continue;
            };
            if waiter.only_asks() && matches!(waiter.state, State::Ready(Outcome::Done(_))) {
                // It was ready, and the fiber is about to use the number.
                waiter.state = State::Ready(Outcome::Closed);
            } else {
                let whole = waiter.whole.unwrap_or(token);
                self.end(whole, Outcome::Closed);
            }
        }
        waiting.len()
    }

    /// Gives a wait up from within, because an exception is passing through its fiber. Afterwards the
    /// fiber must not go on before [`Self::holds_buffer`] is false.
    pub fn give_up(&mut self, token: Token) {
        let Some(waiter) = self.waiters.get_mut(token) else {
            return;
        };
        if waiter.in_flight && !matches!(waiter.state, State::Cancelling(_)) {
            waiter.state = State::Cancelling(Outcome::Woken);
            self.cancel(token);
        }
    }

    /// Takes a waiter out, at the end of its fiber's park. An operation without a buffer that is
    /// still in flight is abandoned: its completion will find nobody.
    pub fn take_out(&mut self, token: Token) -> Option<Left<R>> {
        let waiter = self.waiters.get_mut(token)?;
        let (root, unparked) = (waiter.root, waiter.unparked);
        let (state, interrupted_by) = (waiter.state, waiter.interrupted_by);
        let timer = waiter.timer.take();
        let rare = waiter.rare.take();
        match (state, interrupted_by) {
            (_, None) => {}
            (State::Ready(Outcome::Raised), Some(alarm)) => self.alarms.heard(alarm),
            // Something else was raised meanwhile.
            (State::Cancelling(Outcome::Raised), Some(alarm)) => self.alarms.postpone(alarm),
            _ => {}
        }
        if let Some(timer) = timer {
            self.timers.disarm(timer);
        }
        let Rare {
            members,
            addresses,
            outer,
        } = rare.map_or_else(Rare::default, |rare| *rare);
        self.unlist(root.fiber(), token, outer);
        for member in members {
            self.remove_or_abandon(member);
        }
        self.remove_or_abandon(token);
        let outcome = match state {
            State::Ready(outcome) | State::Cancelling(outcome) => Some(outcome),
            State::Parked | State::Abandoned => None,
        };
        Some(Left {
            root,
            outcome,
            unparked,
            addresses,
        })
    }

    /// The park of a fiber is over; the one that it interrupted is its park again.
    fn unlist(&mut self, fiber: usize, token: Token, outer: Option<Token>) {
        let Entry::Occupied(mut parked) = self.by_fiber.entry(fiber) else {
            return;
        };
        if *parked.get() != token {
            return;
        }
        match outer.filter(|&outer| self.waiters.contains_key(outer)) {
            Some(outer) => drop(parked.insert(outer)),
            None => drop(parked.remove()),
        }
    }

    /// As [`Self::take_out`], for who only wants to know how the wait ended.
    pub fn leave(&mut self, token: Token) -> Option<Outcome> {
        self.take_out(token)?.outcome
    }

    /// Ends the waits whose deadline has come; the alarms that are due are for the binding.
    pub fn expire(&mut self, now: Instant, alarms: &mut VecDeque<AlarmKey>) {
        while let Some(due) = self.timers.pop_due(now) {
            match due {
                Due::Waiter(token) => {
                    if let Some(waiter) = self.waiters.get_mut(token) {
                        waiter.timer = None;
                        self.end(token, Outcome::TimedOut);
                    }
                }
                Due::Alarm(key) => {
                    if self.alarms.goes_off(key) {
                        alarms.push_back(key);
                    }
                }
            }
        }
    }

    /// Whether the driver has to cancel anything.
    pub(crate) fn has_cancels(&self) -> bool {
        !self.cancels.is_empty()
    }

    /// Operations that the driver has to cancel.
    pub(crate) fn pop_cancel(&mut self) -> Option<Token> {
        self.cancels.pop()
    }

    /// The operation of a waiter.
    pub(crate) fn op_mut(&mut self, token: Token) -> Option<&mut Op> {
        self.waiters.get_mut(token)?.op.as_mut()
    }

    /// Whether a waiter still wants its operation carried on.
    pub(crate) fn wants_more(&self, token: Token) -> bool {
        self.waiters
            .get(token)
            .is_some_and(|waiter| waiter.state == State::Parked)
    }

    /// The operation of a waiter can't come about; it waits on for whatever else may end its wait.
    pub(crate) fn never(&mut self, token: Token) {
        if let Some(waiter) = self.waiters.get_mut(token)
            && std::mem::take(&mut waiter.in_flight)
        {
            self.in_flight -= 1;
        }
    }

    /// The operation of a waiter is over.
    pub(crate) fn complete(&mut self, token: Token, result: i32, addresses: Vec<IpAddr>) {
        let Some(waiter) = self.waiters.get_mut(token) else {
            self.stats.dropped += 1;
            return;
        };
        if std::mem::take(&mut waiter.in_flight) {
            self.in_flight -= 1;
            self.offloaded -= usize::from(waiter.op.is_none());
        }
        if !addresses.is_empty() {
            waiter.rare().addresses = addresses;
        }
        match waiter.state {
            State::Parked => match waiter.whole {
                Some(whole) => {
                    self.remove_or_abandon(token);
                    self.end(whole, Outcome::Woken);
                }
                None => self.make_ready(token, Outcome::Done(result)),
            },
            // That a descriptor was ready is of no use any more: its number may be another's.
            State::Cancelling(Outcome::Closed) if waiter.only_asks() => {
                self.make_ready(token, Outcome::Closed);
            }
            // It was too late to cancel: what the operation did must not be lost.
            State::Cancelling(Outcome::TimedOut | Outcome::Closed) if result >= 0 => {
                self.make_ready(token, Outcome::Done(result));
            }
            State::Cancelling(Outcome::Raised) if result > 0 => {
                if let Some(alarm) = waiter.interrupted_by {
                    self.alarms.postpone(alarm);
                }
                self.make_ready(token, Outcome::Done(result));
            }
            State::Cancelling(outcome) => self.make_ready(token, outcome),
            State::Abandoned => self.remove_or_abandon(token),
            State::Ready(_) => self.stats.dropped += 1,
        }
    }

    /// The work of a waiter of [`Self::park_offloaded`] is done.
    pub fn complete_offloaded(&mut self, token: Token) {
        self.complete(token, 0, Vec::new());
    }

    fn enter(&mut self, root: R, op: Option<Op>, deadline: Option<Instant>, framed: bool) -> Token {
        self.stats.parks += 1;
        // Made where it stays: it is too large to be moved for nothing.
        let token = self.waiters.insert_with_key(|_| Waiter {
            framed,
            ..Waiter::new(root, op)
        });
        if let Some(deadline) = deadline {
            self.waiters[token].timer = Some(self.timers.arm(deadline, Due::Waiter(token)));
        }
        if op.is_some() {
            // Whatever was on its way to another park did not get there.
            self.permit = None;
        }
        if framed {
            if let Some(outer) = self.by_fiber.insert(root.fiber(), token) {
                self.waiters[token].rare().outer = Some(outer);
            }
        } else {
            self.by_fiber.entry(root.fiber()).or_insert(token);
        }
        token
    }

    fn begin_flight(&mut self, token: Token, op: &Op) {
        self.waiters[token].in_flight = true;
        self.in_flight += 1;
        self.stats.submitted += 1;
        if let Some(fd) = op.fd() {
            self.descriptors.enter(fd, token);
        }
    }

    fn make_ready(&mut self, token: Token, outcome: Outcome) {
        let waiter = &mut self.waiters[token];
        waiter.state = State::Ready(outcome);
        if let Some(timer) = waiter.timer.take() {
            self.timers.disarm(timer);
        }
        self.stats.resumes += 1;
        self.ready.push(token);
    }

    fn cancel(&mut self, token: Token) {
        self.stats.cancelled += 1;
        self.cancels.push(token);
    }

    fn remove_or_abandon(&mut self, token: Token) {
        let Some(waiter) = self.waiters.get_mut(token) else {
            return;
        };
        if let Some(fd) = waiter.op.and_then(|op| op.fd()) {
            self.descriptors.leave(fd, token);
        }
        if waiter.in_flight {
            let cancelling = matches!(waiter.state, State::Cancelling(_));
            waiter.state = State::Abandoned;
            if !cancelling {
                self.cancel(token);
            }
        } else {
            self.waiters.remove(token);
        }
    }
}

impl<R: Root> Default for Tables<R> {
    fn default() -> Self {
        Self::new()
    }
}
