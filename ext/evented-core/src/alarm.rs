//! Deadlines over a stretch of code and not over one wait: `Timeout.timeout`.
#![forbid(unsafe_code)]

use slotmap::{SlotMap, new_key_type};

use crate::{inflight::Root, timer::TimerKey};

new_key_type! {
    /// Names one alarm.
    pub struct AlarmKey;
}

/// Alarms that are set, and those among them that have gone off unheard.
#[derive(Debug)]
pub(crate) struct Alarms<R> {
    set: SlotMap<AlarmKey, Alarm<R>>,
    /// Went off while their fiber could not be interrupted: it meets them at its next park.
    overdue: Vec<AlarmKey>,
}

#[derive(Debug)]
struct Alarm<R> {
    root: R,
    /// `None` once it has gone off, and for one that never will.
    timer: Option<TimerKey>,
    /// Whether it is taken back as soon as it has been heard, because nobody else does that.
    once: bool,
}

impl<R: Root> Alarms<R> {
    pub(crate) fn new() -> Self {
        Self {
            set: SlotMap::with_key(),
            overdue: Vec::new(),
        }
    }

    /// Sets an alarm; `arm` makes its timer.
    pub(crate) fn set(
        &mut self,
        root: R,
        arm: impl FnOnce(AlarmKey) -> Option<TimerKey>,
    ) -> AlarmKey {
        let key = self.set.insert(Alarm {
            root,
            timer: None,
            once: false,
        });
        self.set[key].timer = arm(key);
        key
    }

    /// Sets an alarm that goes off right now and is heard once.
    pub(crate) fn set_once(&mut self, root: R) -> AlarmKey {
        self.set.insert(Alarm {
            root,
            timer: None,
            once: true,
        })
    }

    /// It has been heard.
    pub(crate) fn heard(&mut self, key: AlarmKey) {
        if self.set.get(key).is_some_and(|alarm| alarm.once) {
            self.clear(key);
        }
    }

    /// Takes an alarm back; returns its timer if that is still armed.
    pub(crate) fn clear(&mut self, key: AlarmKey) -> Option<TimerKey> {
        let alarm = self.set.remove(key)?;
        self.overdue.retain(|&overdue| overdue != key);
        alarm.timer
    }

    /// Its timer is due. Tells whether it is still set.
    pub(crate) fn goes_off(&mut self, key: AlarmKey) -> bool {
        self.set
            .get_mut(key)
            .map(|alarm| alarm.timer = None)
            .is_some()
    }

    /// Keeps one that nobody has heard.
    pub(crate) fn postpone(&mut self, key: AlarmKey) {
        if self.set.contains_key(key) {
            self.overdue.push(key);
        }
    }

    /// Whether there is one that nobody has heard.
    pub(crate) fn has_overdue(&self) -> bool {
        !self.overdue.is_empty()
    }

    /// One that `fiber` has not heard.
    pub(crate) fn overdue(&mut self, fiber: usize) -> Option<AlarmKey> {
        let set = &self.set;
        let is_for_it = |key: &AlarmKey| {
            set.get(*key)
                .is_some_and(|alarm| alarm.root.fiber() == fiber)
        };
        let found = self.overdue.iter().position(is_for_it)?;
        Some(self.overdue.swap_remove(found))
    }

    /// Those that their fibers have not heard.
    pub(crate) fn all_overdue(&self) -> &[AlarmKey] {
        &self.overdue
    }

    pub(crate) fn root(&self, key: AlarmKey) -> Option<R> {
        self.set.get(key).map(|alarm| alarm.root)
    }

    pub(crate) fn roots(&self) -> impl Iterator<Item = &R> {
        self.set.values().map(|alarm| &alarm.root)
    }
}
