//! The verbs of a reactor: submit, cancel, wait, dispatch.
//!
//! A reactor has two halves. The [`Tables`] hold who waits; the garbage collector may look at them
//! at any time, so they are never borrowed while the thread sleeps without the GVL (I-2). The
//! [`Driver`] talks to the kernel and is all that such a sleep borrows. This type borrows both for
//! the length of one verb; the binding keeps them apart, and never calls Ruby while it is held (I-3).
//!
//! One turn of the loop, as the binding runs it:
//!
//! 1. resume the fibers that were ready at its beginning, and no others (I-11);
//! 2. [`Reactor::before_wait`]: cancel what was given up, and find out how long to sleep;
//! 3. [`Driver::wait`]: submit everything that has been queued and sleep, in one system call;
//! 4. [`Reactor::dispatch`]: completions, messages and deadlines make waiters ready.
#![forbid(unsafe_code)]

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    driver::Driver,
    inflight::{AlarmKey, Root, Tables, Token},
    op::{Op, Progress},
    remote::Message,
};

/// Both halves, borrowed for one verb.
#[derive(Debug)]
pub struct Reactor<'a, R> {
    tables: &'a mut Tables<R>,
    driver: &'a mut Driver,
}

/// How long the loop may sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sleep {
    /// Not at all, and the kernel need not even be asked: somebody is ready, or nobody waits.
    Skip,
    /// Not at all: somebody is ready.
    No,
    /// At most this long.
    For(Duration),
    /// Until something happens.
    Forever,
}

impl<'a, R: Root> Reactor<'a, R> {
    /// Borrows the two halves.
    pub fn new(tables: &'a mut Tables<R>, driver: &'a mut Driver) -> Self {
        Self { tables, driver }
    }

    /// Asks the kernel for `op` on behalf of `root`. The request leaves with the next wait.
    pub fn submit(&mut self, root: R, op: Op, deadline: Option<Instant>) -> Token {
        let token = self.tables.park_for(root, op, deadline);
        self.driver.push(op, token);
        token
    }

    /// Lets `whole` wait for one more descriptor.
    pub fn submit_member(&mut self, whole: Token, op: Op) {
        if let Some(member) = self.tables.add_member(whole, op) {
            self.driver.push(op, member);
        }
    }

    /// Passes cancellations on to the driver.
    pub fn flush_cancels(&mut self) {
        while let Some(token) = self.tables.pop_cancel() {
            self.driver.cancel(token);
        }
    }

    /// The next deadline: without one nobody needs to know what time it is.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.tables.next_deadline()
    }

    /// How long the loop may sleep, at most until `limit`. `now` may be missing if there is neither a
    /// deadline nor a limit.
    pub fn before_wait(&mut self, now: Option<Instant>, limit: Option<Instant>) -> Sleep {
        self.tables.stats.turns += 1;
        self.flush_cancels();
        if !self.tables.ready.is_empty() {
            return if self.driver.wants_wait() {
                Sleep::No
            } else {
                Sleep::Skip
            };
        }
        if !self.tables.is_busy() {
            return Sleep::Skip;
        }
        let until = match (self.tables.next_deadline(), limit) {
            (Some(deadline), Some(limit)) => Some(deadline.min(limit)),
            (deadline, limit) => deadline.or(limit),
        };
        match (until, now) {
            (Some(until), Some(now)) => Sleep::For(until.saturating_duration_since(now)),
            _ => Sleep::Forever,
        }
    }

    /// Begins the next turn right away if nothing but resuming those who are ready is to be done, and those
    /// are not more than `most`. Tells how many they are, or 0 if a whole turn is needed.
    pub fn begin_another_turn(&mut self, most: usize) -> usize {
        let ready = self.tables.ready.len();
        let waits = self.tables.ready.peek().is_some() || self.tables.has_cancels();
        if ready > most || ready == 0 || waits || self.driver.wants_wait() {
            return 0;
        }
        self.tables.stats.turns += 1;
        self.tables.ready.begin_turn();
        ready
    }

    /// Looks for messages a last time before sleeping, after the sleep was announced: later ones will
    /// ring. Tells whether there is still nothing to do.
    pub fn last_look(&mut self) -> bool {
        self.receive();
        let asleep = self.tables.ready.is_empty();
        self.tables.stats.sleeps += u64::from(asleep);
        asleep
    }

    /// Takes in what has happened: completions, messages of other threads, deadlines. The alarms that
    /// went off are left to the caller.
    pub fn dispatch(&mut self, now: Option<Instant>, alarms: &mut VecDeque<AlarmKey>) {
        // What was given up meanwhile must not be carried out now: the descriptor may be another's.
        self.flush_cancels();
        let mut again = Vec::new();
        while let Some((token, result)) = self.driver.reap() {
            again.extend(self.completed(token, result));
        }
        // Only now: a driver may complete at once what it can't wait for.
        for (op, token) in again {
            self.driver.push(op, token);
        }
        self.receive();
        if let Some(now) = now {
            self.tables.expire(now, alarms);
        }
    }

    fn receive(&mut self) {
        while let Some(Message {
            token,
            result,
            addresses,
        }) = self.driver.receive()
        {
            if self.tables.op_mut(token).is_some() {
                if let Some((op, token)) = self.completed(token, result) {
                    self.driver.push(op, token);
                }
            } else {
                self.tables.complete(token, result, addresses);
            }
        }
    }

    /// Takes a completion in. What is still to be done is for the driver.
    fn completed(&mut self, token: Token, result: i32) -> Option<(Op, Token)> {
        self.tables.stats.completed += 1;
        let wanted = self.tables.wants_more(token);
        let result = match self.tables.op_mut(token) {
            Some(op) => match op.advance(result) {
                Progress::Complete(result) => result,
                Progress::Again if wanted => return Some((*op, token)),
                Progress::Never if wanted => {
                    self.tables.never(token);
                    return None;
                }
                // Given up half-way: what it has transferred by now has left the kernel.
                Progress::Again | Progress::Never => match op.advance(-libc::ECANCELED) {
                    Progress::Complete(result) => result,
                    Progress::Again | Progress::Never => -libc::ECANCELED,
                },
            },
            None => result,
        };
        self.tables.complete(token, result, Vec::new());
        None
    }
}
