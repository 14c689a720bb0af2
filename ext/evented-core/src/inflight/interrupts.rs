//! What ends a wait with an exception: interruptions, and the alarms of a stretch of code.
#![forbid(unsafe_code)]

use std::time::Instant;

use super::{AlarmKey, Due, Outcome, Root, State, Tables};

impl<R: Root> Tables<R> {
    /// Interrupts whatever `fiber` waits for, because of `alarm` if it is one; the binding puts the
    /// exception into the root that `with_root` is given. Tells whether the fiber was waiting.
    ///
    /// If the operation turns out to have succeeded its result wins: an alarm is then met at the next
    /// park, if it is still set, and any other exception was for an operation that is over.
    pub fn interrupt(
        &mut self,
        fiber: usize,
        alarm: Option<AlarmKey>,
        with_root: impl FnOnce(&mut R),
    ) -> bool {
        let Some(&token) = self.by_fiber.get(&fiber) else {
            return false;
        };
        let waiter = &mut self.waiters[token];
        match waiter.state {
            _ if !waiter.framed => false,
            State::Parked => {
                waiter.interrupted_by = alarm;
                with_root(&mut waiter.root);
                self.end(token, Outcome::Raised)
            }
            // It only let others run, and loses nothing.
            State::Ready(Outcome::Woken) if waiter.yielded => {
                waiter.interrupted_by = alarm;
                with_root(&mut waiter.root);
                waiter.state = State::Ready(Outcome::Raised);
                true
            }
            _ => false,
        }
    }

    /// As [`Self::interrupt`], for an exception that must not get lost: if the operation turns out to have
    /// succeeded the exception, in `root`, is met at the fiber's next park.
    pub fn interrupt_for_good(&mut self, root: R, with_root: impl FnOnce(&mut R)) -> bool {
        let alarm = self.alarms.set_once(root);
        let interrupted = self.interrupt(root.fiber(), Some(alarm), with_root);
        if !interrupted {
            self.alarms.clear(alarm);
        }
        interrupted
    }

    /// Sets an alarm for the fiber of `root`.
    pub fn set_alarm(&mut self, root: R, deadline: Option<Instant>) -> AlarmKey {
        let timers = &mut self.timers;
        self.alarms.set(root, |key| {
            deadline.map(|at| timers.arm(at, Due::Alarm(key)))
        })
    }

    /// Sets an alarm that goes off right now, is the binding's to deliver, and is heard once.
    pub fn set_alarm_once(&mut self, root: R) -> AlarmKey {
        self.alarms.set_once(root)
    }

    /// An alarm has been delivered otherwise than by [`Self::interrupt`].
    pub fn heard_alarm(&mut self, key: AlarmKey) {
        self.alarms.heard(key);
    }

    /// Takes an alarm back.
    pub fn clear_alarm(&mut self, key: AlarmKey) {
        if let Some(timer) = self.alarms.clear(key) {
            self.timers.disarm(timer);
        }
    }

    /// The root an alarm was set with.
    #[must_use]
    pub fn alarm(&self, key: AlarmKey) -> Option<R> {
        self.alarms.root(key)
    }

    /// Keeps an alarm whose fiber can't be interrupted right now for its next park.
    pub fn postpone_alarm(&mut self, key: AlarmKey) {
        self.alarms.postpone(key);
    }

    /// Whether any alarm went off that its fiber has not met yet.
    #[must_use]
    pub fn has_overdue_alarms(&self) -> bool {
        self.alarms.has_overdue()
    }

    /// An alarm that went off while `fiber` could not be interrupted: what it was set with.
    pub fn overdue_alarm(&mut self, fiber: usize) -> Option<R> {
        let alarm = self.alarms.overdue(fiber)?;
        let root = self.alarms.root(alarm);
        self.alarms.heard(alarm);
        root
    }

    /// The alarms that their fibers have not met yet.
    #[must_use]
    pub fn overdue_alarms(&self) -> &[AlarmKey] {
        self.alarms.all_overdue()
    }

    /// Drops whatever is still on its way to a fiber that has nothing to do any more.
    pub fn forget(&mut self, fiber: usize) {
        self.permit.take_if(|&mut permit| permit == fiber);
        while self.has_overdue_alarms() && self.overdue_alarm(fiber).is_some() {}
    }
}
