//! A pass: the events of one turn, in EventMachine's order.
//!
//! Its state is here and not on a stack: if the event of one stream suspends its fiber, another fiber goes on
//! with the pass.
#![forbid(unsafe_code)]

use std::time::Instant;

use crate::{Driver, driver::standing::Signature, timer::Timers};

use super::{Ending, Streams, Transport};

/// What the binding is to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<R> {
    /// A timer is due.
    Timer(Signature),
    /// The kernel is to be asked what has come, without sleeping.
    Poll,
    /// A server has accepted a connection, whose stream has no object yet.
    Accepted {
        /// Of the server.
        server: Signature,
        /// Of the connection.
        stream: Signature,
    },
    /// A connection was made.
    Completed(Signature, R),
    /// Bytes have come: [`Streams::bytes`].
    Data(Signature, R),
    /// Bytes have come ([`Streams::bytes`]) for a session that may ask about certificates: it is to be fed, between
    /// [`Streams::take_session`] and [`Streams::put_back`].
    Ciphertext(Signature, R),
    /// A handshake is over.
    Secured(Signature, R),
    /// A watched descriptor is readable.
    Readable(Signature, R),
    /// A watched descriptor is writable.
    Writable(Signature, R),
    /// As many bytes have been relayed as were to be.
    ProxyCompleted(Signature, R),
    /// The stream that bytes were relayed to has ended.
    ProxyTargetUnbound(Signature, R),
    /// Ticks are to be called, one after the other, until [`Streams::ticks_done`].
    Tick,
    /// A stream has ended, for this reason: an errno, or 0.
    Unbound(Signature, Option<R>, i32),
    /// The pass is over in which the reactor was to stop.
    Stopped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Idle,
    Timers,
    Arrivals,
    Ticks,
    Deadlines,
    Ends,
}

impl<R: Copy> Streams<R> {
    /// Has ticks called in this pass or the next.
    pub fn want_ticks(&mut self) {
        self.ticks = true;
    }

    /// Has the reactor stop at the end of this pass or the next.
    pub fn stop(&mut self) {
        self.stopping = true;
        self.ticks = true;
    }

    /// Whether it is about to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether there is something to do without waiting for anything.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.phase != Phase::Idle
            || self.ticks
            || self.stopping
            || !self.deliverable.is_empty()
            || !self.ending.is_empty()
    }

    /// Whether a pass is under way.
    #[must_use]
    pub fn in_pass(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// From now on nothing is called, but by [`Self::unbind_next`], and nothing is asked for but what is being sent.
    pub fn halt(&mut self) {
        self.halted = true;
        let all: Vec<_> = self.all.keys().copied().collect();
        for signature in all {
            self.change(signature);
        }
    }

    /// Whether that is so.
    #[must_use]
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// When there will be something to do whatever comes.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        match (self.timers.next_deadline(), self.deadlines.next_deadline()) {
            (Some(timer), Some(deadline)) => Some(timer.min(deadline)),
            (timer, deadline) => timer.or(deadline),
        }
    }

    /// Begins a pass if there is anything to do at `now`. Tells whether one is under way.
    pub fn begin_pass(&mut self, now: Instant, driver: &Driver) -> bool {
        let due = self.next_deadline().is_some_and(|deadline| deadline <= now);
        if self.phase == Phase::Idle && (due || self.has_work() || driver.has_arrivals()) {
            self.now = now;
            self.enter(Phase::Timers);
        }
        self.in_pass()
    }

    /// The next event of the pass, or `None` at its end.
    pub fn next(&mut self, driver: &mut Driver) -> Option<Event<R>> {
        loop {
            match self.phase {
                Phase::Idle => return None,
                Phase::Timers => match self.due_timer() {
                    Some(timer) => {
                        self.polls = true;
                        return Some(Event::Timer(timer));
                    }
                    None => {
                        self.enter(Phase::Arrivals);
                        // What timers have begun is taken in before ticks are called, and before it stops.
                        if std::mem::take(&mut self.polls) || self.stopping {
                            return Some(Event::Poll);
                        }
                    }
                },
                Phase::Arrivals => {
                    if let Some(event) = self.next_arrival(driver) {
                        return Some(event);
                    }
                }
                Phase::Ticks => {
                    if self.ticks {
                        return Some(Event::Tick);
                    }
                    self.enter(Phase::Deadlines);
                }
                Phase::Deadlines => {
                    self.look_at_idle_streams();
                    self.enter(Phase::Ends);
                }
                Phase::Ends => match self.next_end() {
                    Some(event) => return Some(event),
                    None => {
                        self.phase = Phase::Idle;
                        if self.stopping {
                            return Some(Event::Stopped);
                        }
                    }
                },
            }
        }
    }

    /// Has a pass that is for nobody: what has come is for streams that are over, and ticks are those of a reactor
    /// that has stopped, wanted too late.
    pub fn drop_pass(&mut self, driver: &mut Driver) {
        self.stopped();
        while self.next(driver).is_some() {}
        self.reset();
    }

    /// No tick is left of those that this pass was to call.
    pub fn ticks_done(&mut self, more: bool) {
        self.ticks = more;
        if self.phase == Phase::Ticks {
            self.enter(Phase::Deadlines);
        }
    }

    /// The reactor has stopped.
    pub fn stopped(&mut self) {
        self.stopping = false;
        self.ticks = false;
    }

    /// Forgets timers, and what was to be done in the next pass.
    pub fn reset(&mut self) {
        self.timers = Timers::new();
        self.armed.clear();
        self.stopped();
        self.halted = false;
        self.phase = Phase::Idle;
    }

    /// The last event of each stream that is left, whatever it is doing, the oldest first. Those that are made
    /// meanwhile end unheard: a program that connects anew in the last event would never come to its end.
    pub fn unbind_next(&mut self) -> Option<Event<R>> {
        if self.left.is_none() {
            let mut left = self.signatures();
            left.sort_unstable_by(|one, other| other.cmp(one));
            self.left = Some(left);
        }
        while let Some(signature) = self.left.as_mut().and_then(Vec::pop) {
            if let Some(event) = self.unbind(signature) {
                return Some(event);
            }
        }
        self.left = None;
        for signature in self.signatures() {
            let _ = self.unbind(signature);
            self.done(signature);
        }
        None
    }

    /// The object of an accepted connection has been made; or not, and then it ends unheard.
    pub fn accepted_done(&mut self, signature: Signature) {
        if self
            .live(signature)
            .is_some_and(|stream| stream.root.is_none())
        {
            self.end(signature, Ending::Closed, 0);
        }
        self.done(signature);
    }

    /// The event of a stream is over: it may have the next.
    pub fn done(&mut self, signature: Signature) {
        let Some(stream) = self.all.get_mut(&signature) else {
            return;
        };
        stream.busy = false;
        if stream.ending == Ending::Unbound {
            stream.root = None;
        } else if stream.may_unbind() {
            self.ending.push_back(signature);
        } else if stream.has_backlog() && !stream.paused {
            self.deliverable.push_back(signature);
        } else if stream.transport != Transport::Watch {
            // Nothing that is wanted of the driver depends on it.
            return;
        }
        self.change(signature);
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.share = match phase {
            Phase::Timers => self.timers.len(),
            Phase::Arrivals => self.deliverable.len(),
            Phase::Ends => self.ending.len(),
            _ => 0,
        };
    }

    fn has_share(&mut self) -> bool {
        let some = self.share > 0;
        self.share = self.share.saturating_sub(1);
        some
    }

    fn due_timer(&mut self) -> Option<Signature> {
        if !self.has_share() {
            return None;
        }
        let timer = self.timers.pop_due(self.now)?;
        self.armed.remove(&timer);
        Some(timer)
    }

    fn next_arrival(&mut self, driver: &mut Driver) -> Option<Event<R>> {
        while self.has_share() {
            let Some(signature) = self.deliverable.pop_front() else {
                break;
            };
            if let Some(event) = self.next_waiting(signature) {
                return Some(event);
            }
        }
        while let Some(arrival) = driver.arrival() {
            if let Some(event) = self.arrived(arrival, driver) {
                return Some(event);
            }
        }
        // What has been put off meanwhile and can be delivered comes now: datagrams, both ways of a readiness.
        if let Some(signature) = self.deliverable.pop_front() {
            return self.next_waiting(signature);
        }
        self.enter(Phase::Ticks);
        None
    }

    fn look_at_idle_streams(&mut self) {
        while let Some(signature) = self.deadlines.pop_due(self.now) {
            let now = self.now;
            let Some(stream) = self.live_mut(signature) else {
                continue;
            };
            stream.deadline = None;
            if stream
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                if stream.rests {
                    stream.rests = false;
                    self.change(signature);
                    continue;
                }
                if stream.connecting
                    && stream
                        .rare
                        .as_ref()
                        .is_some_and(|rare| rare.may_begin_rival())
                {
                    self.begin_rival(signature);
                    self.arm(signature);
                    continue;
                }
                let is_socket = stream.transport == Transport::Socket;
                let reason = if is_socket { libc::ETIMEDOUT } else { 0 };
                self.end(signature, Ending::Over, reason);
            } else {
                self.arm(signature);
            }
        }
    }

    fn next_end(&mut self) -> Option<Event<R>> {
        while self.has_share() {
            let signature = self.ending.pop_front()?;
            let Some(stream) = self.live_mut(signature) else {
                continue;
            };
            if !stream.may_unbind() {
                continue;
            }
            if let Some(event) = self.unbind(signature) {
                return Some(event);
            }
        }
        None
    }

    /// Has a stream have its last event.
    pub fn unbind(&mut self, signature: Signature) -> Option<Event<R>> {
        let stream = self.live_mut(signature)?;
        let detached = stream.ending == Ending::Detached;
        stream.ending = Ending::Unbound;
        stream.busy = true;
        if detached {
            stream.fd = -1;
        }
        let (root, reason) = (stream.root, stream.reason);
        if let Some(key) = stream.deadline.take() {
            self.deadlines.disarm(key);
        }
        self.leaving += 1;
        self.end_proxies(signature);
        self.end_rival(signature);
        self.change(signature);
        Some(Event::Unbound(signature, root, reason))
    }
}
