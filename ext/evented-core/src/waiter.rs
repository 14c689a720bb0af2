//! One park of one fiber, and how it can end.
#![forbid(unsafe_code)]

use std::net::IpAddr;

use slotmap::{Key, KeyData, new_key_type};

use crate::{alarm::AlarmKey, op::Op, timer::TimerKey};

new_key_type! {
    /// Names one park of one fiber; never used again for another.
    pub struct Token;
}

impl Token {
    /// As the kernel and Ruby carry it.
    #[must_use]
    pub fn into_bits(self) -> u64 {
        self.data().as_ffi()
    }

    /// What [`Self::into_bits`] made. Other bits name nobody.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self::from(KeyData::from_ffi(bits))
    }
}

/// What the tables keep alive for a waiter: the binding's fiber, IO and buffer.
pub trait Root: Copy {
    /// Tells fibers apart; stable while the waiter is in the tables.
    fn fiber(&self) -> usize;
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Somebody unparked it, or it only gave others their turn.
    Woken,
    /// Its deadline passed.
    TimedOut,
    /// Its descriptor was closed.
    Closed,
    /// An exception is to be raised; the binding keeps it in the root.
    Raised,
    /// Its operation is over: a count or a negative errno.
    Done(i32),
}

/// What is left of a waiter when its fiber goes on.
#[derive(Debug)]
pub struct Left<R> {
    /// What need not stay alive any longer.
    pub root: R,
    /// How the wait ended; `None` for one that was given up.
    pub outcome: Option<Outcome>,
    /// Whether it was unparked. If the fiber does not go on with that, somebody else might.
    pub unparked: bool,
    /// Addresses that were resolved for it.
    pub addresses: Vec<IpAddr>,
}

/// One park of one fiber.
#[derive(Debug)]
pub struct Waiter<R> {
    /// What must stay alive meanwhile.
    pub root: R,
    pub(crate) state: State,
    /// Whether a frame of `park` waits on the fiber's stack. Without one, whoever resumes the fiber
    /// takes the waiter out.
    pub(crate) framed: bool,
    /// Whether it has been ready from the beginning, and lets others run.
    pub(crate) yielded: bool,
    /// Whether it was unparked, be it that its wait was ending otherwise.
    pub(crate) unparked: bool,
    /// What it asked of the kernel.
    pub(crate) op: Option<Op>,
    /// Whether the kernel, or an offload thread, still works on it.
    pub(crate) in_flight: bool,
    /// Without an operation: whether the work that goes on elsewhere uses memory of the fiber's, so
    /// that the fiber must not go on before it is over (I-1).
    pub(crate) lends_memory: bool,
    /// The alarm that interrupted it.
    pub(crate) interrupted_by: Option<AlarmKey>,
    /// Its deadline.
    pub(crate) timer: Option<TimerKey>,
    /// For one of many: the waiter of the whole.
    pub(crate) whole: Option<Token>,
    /// What few have, so that the others stay small.
    pub(crate) rare: Option<Box<Rare>>,
}

#[derive(Debug, Default)]
pub(crate) struct Rare {
    /// For a wait on many descriptors: the waiters of the single ones.
    pub(crate) members: Vec<Token>,
    /// Addresses that were resolved for it.
    pub(crate) addresses: Vec<IpAddr>,
    /// The park of the same fiber that this one interrupts.
    pub(crate) outer: Option<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits.
    Parked,
    /// Has been told to end; its operation's own completion is still to come (I-1).
    Cancelling(Outcome),
    /// In the ready queue, or on the way from there to its fiber.
    Ready(Outcome),
    /// Nobody waits any more, but the completion is still to come. Only for operations without a
    /// buffer.
    Abandoned,
}

impl<R> Waiter<R> {
    /// A waiter that waits.
    pub(crate) fn new(root: R, op: Option<Op>) -> Self {
        Self {
            root,
            state: State::Parked,
            framed: true,
            yielded: false,
            unparked: false,
            op,
            in_flight: false,
            lends_memory: false,
            interrupted_by: None,
            timer: None,
            whole: None,
            rare: None,
        }
    }

    /// Whether it waits for a descriptor to be ready, for something that is still to be done with it.
    pub(crate) fn only_asks(&self) -> bool {
        matches!(self.op, Some(Op::Poll(_)))
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}
