//! Timers against a list that is searched from end to end.

mod cases;

use std::time::{Duration, Instant};

use evented_core::{
    clock,
    timer::{TimerKey, Timers},
};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    /// Arms a timer so many milliseconds after the beginning.
    Arm(u64),
    /// Disarms one of all timers so far, armed or not.
    Disarm(usize),
    /// Takes out one timer that is due at this time.
    Pop(u64),
    /// Takes out all timers that are due at this time.
    PopAll(u64),
}

fn step() -> impl Strategy<Value = Step> {
    // Few instants, so that many deadlines are equal.
    let at = 0..20_u64;
    prop_oneof![
        4 => at.clone().prop_map(Step::Arm),
        2 => any::<usize>().prop_map(Step::Disarm),
        1 => at.clone().prop_map(Step::Pop),
        1 => at.prop_map(Step::PopAll),
    ]
}

/// In arming order; the payload is the number of the timer.
#[derive(Default)]
struct Naive(Vec<(Instant, usize)>);

impl Naive {
    fn disarm(&mut self, number: usize) -> Option<usize> {
        let found = self.0.iter().position(|&(_, other)| other == number)?;
        Some(self.0.remove(found).1)
    }

    fn pop_due(&mut self, now: Instant) -> Option<usize> {
        let earliest = self.next_deadline().filter(|&earliest| earliest <= now)?;
        let found = self.0.iter().position(|&(at, _)| at == earliest)?;
        Some(self.0.remove(found).1)
    }

    fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().map(|&(at, _)| at).min()
    }
}

proptest! {
    #![proptest_config(cases::cases(500))]

    #[test]
    fn timers_do_what_a_naive_list_does(steps in prop::collection::vec(step(), 1..300)) {
        let beginning = clock::now();
        let at = |millis| beginning + Duration::from_millis(millis);
        let (mut timers, mut naive) = (Timers::new(), Naive::default());
        let mut keys: Vec<TimerKey> = Vec::new();
        for step in steps {
            match step {
                Step::Arm(millis) => {
                    naive.0.push((at(millis), keys.len()));
                    keys.push(timers.arm(at(millis), keys.len()));
                }
                Step::Disarm(which) if !keys.is_empty() => {
                    let number = which % keys.len();
                    prop_assert_eq!(timers.disarm(keys[number]), naive.disarm(number));
                }
                Step::Disarm(_) => {}
                Step::Pop(millis) => {
                    prop_assert_eq!(timers.pop_due(at(millis)), naive.pop_due(at(millis)));
                }
                Step::PopAll(millis) => loop {
                    let due = timers.pop_due(at(millis));
                    prop_assert_eq!(due, naive.pop_due(at(millis)));
                    if due.is_none() {
                        break;
                    }
                },
            }
            prop_assert_eq!(timers.next_deadline(), naive.next_deadline());
            prop_assert_eq!(timers.len(), naive.0.len());
            prop_assert_eq!(timers.is_empty(), naive.0.is_empty());
        }
    }
}

#[test]
fn equal_deadlines_fire_in_arming_order() {
    let now = clock::now();
    let mut timers = Timers::new();
    for number in 0..1_000 {
        timers.arm(now, number);
    }
    let fired: Vec<_> = std::iter::from_fn(|| timers.pop_due(now)).collect();
    assert_eq!(fired, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn a_deadline_is_due_at_its_instant_and_not_before() {
    let now = clock::now();
    let mut timers = Timers::new();
    timers.arm(now + Duration::from_nanos(1), ());
    assert_eq!(timers.pop_due(now), None);
    assert_eq!(timers.pop_due(now + Duration::from_nanos(1)), Some(()));
}

#[test]
fn a_key_never_names_a_later_timer() {
    let now = clock::now();
    let mut timers = Timers::new();
    let first = timers.arm(now, 1);
    assert_eq!(timers.disarm(first), Some(1));
    let second = timers.arm(now, 2);
    assert_eq!(timers.disarm(first), None);
    assert_eq!(timers.pop_due(now), Some(2));
    assert_eq!(timers.disarm(second), None);
    assert!(Timers::<()>::default().is_empty());
}
