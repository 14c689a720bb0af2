//! wait: when it sleeps, and what ends the sleep.

use std::{
    io::Write as _,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use evented_core::{Token, clock, op::Interest, remote::Message};

use super::rig::{self, NAP, Rig};

pub(crate) fn a_wait_of_zero_does_not_sleep(rig: &mut Rig) {
    let (near, _far) = rig::sockets();
    let (token, _) = rig.recv(&near, 4);
    // If one of these slept it would be for ever.
    for _ in 0..1_000 {
        rig.driver.wait(Some(Duration::ZERO));
    }
    rig.still_waits(token);
}

pub(crate) fn a_wait_lasts_as_long_as_its_timeout(rig: &mut Rig) {
    for millis in [1, 7, 30] {
        let timeout = Duration::from_micros(millis * 1_000 + 300);
        let began = clock::now();
        rig.driver.wait(Some(timeout));
        assert!(clock::now() - began >= timeout);
    }
}

/// A timeout that overflows the kernel's clock must not turn the loop into a busy one.
pub(crate) fn a_wait_of_centuries_sleeps(rig: &mut Rig) {
    for seconds in [10_000_000_000, 1 << 40, i64::MAX as u64] {
        let rung = Arc::new(AtomicBool::new(false));
        let ringer = thread::spawn({
            let (rung, waker) = (Arc::clone(&rung), rig.driver.waker().clone());
            move || {
                rig::pause(Duration::from_millis(20));
                rung.store(true, SeqCst);
                waker.ring();
            }
        });
        let mut waits = 0;
        while !rung.load(SeqCst) {
            rig.driver.wait(Some(Duration::from_secs(seconds)));
            rig.take_in();
            waits += 1;
        }
        ringer.join().unwrap();
        assert!(waits < 5, "{seconds} s: {waits} waits in 20 ms");
        // If the ring came after the last wait it would end the first of the next round.
        rig.driver.wait(Some(Duration::ZERO));
        rig.take_in();
    }
}

pub(crate) fn what_has_come_is_not_slept_over(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    for _ in 0..100 {
        far.write_all(b"here").unwrap();
        let (token, _) = rig.recv(&near, 4);
        rig.driver.wait(Some(Duration::ZERO));
        if rig.driver.has_completions() {
            // Must return at once, or the limit ends this test.
            rig.driver.wait(None);
        }
        assert_eq!(rig.result(token), 4);
    }
}

pub(crate) fn a_ring_before_the_wait_ends_it(rig: &mut Rig) {
    for _ in 0..100 {
        rig.driver.waker().ring();
        rig.driver.wait(None);
        rig.take_in();
    }
}

pub(crate) fn a_ring_from_another_thread_ends_the_wait(rig: &mut Rig) {
    for _ in 0..200 {
        let both = Arc::new(Barrier::new(2));
        let ringer = thread::spawn({
            let (both, waker) = (Arc::clone(&both), rig.driver.waker().clone());
            move || {
                both.wait();
                waker.ring();
            }
        });
        both.wait();
        rig.driver.wait(None);
        rig.take_in();
        ringer.join().unwrap();
    }
}

pub(crate) fn many_rings_are_one(rig: &mut Rig) {
    for _ in 0..1_000 {
        rig.driver.waker().ring();
    }
    rig.driver.wait(None);
    rig.take_in();
    let timeout = Duration::from_millis(5);
    let (mut waits, until) = (0, clock::now() + timeout);
    while clock::now() < until {
        rig.driver.wait(Some(timeout));
        rig.take_in();
        waits += 1;
    }
    assert!(waits < 5, "{waits} waits in 5 ms: an old ring goes on");
}

pub(crate) fn a_wake_reaches_whoever_announced_to_sleep(rig: &mut Rig) {
    for _ in 0..200 {
        let waker = rig.driver.waker().clone();
        waker.announce_sleep();
        let other = thread::spawn(move || waker.wake());
        rig.driver.wait(None);
        rig.driver.waker().awake();
        rig.take_in();
        other.join().unwrap();
    }
}

pub(crate) fn a_wake_while_awake_leaves_the_next_wait_alone(rig: &mut Rig) {
    rig.driver.waker().awake();
    for _ in 0..100 {
        rig.driver.waker().wake();
    }
    let timeout = Duration::from_millis(5);
    let began = clock::now();
    rig.driver.wait(Some(timeout));
    assert!(clock::now() - began >= timeout);
}

/// The protocol of announce, last look, wait: a message is either seen by the look or rings.
pub(crate) fn no_message_of_another_thread_is_slept_over(rig: &mut Rig) {
    const MESSAGES: u64 = 20_000;
    let remote = rig.driver.remote().clone();
    let (permit, permits) = std::sync::mpsc::channel();
    let sender = thread::spawn(move || {
        for number in 0..MESSAGES {
            // Every second one only when the last has arrived, when the loop is falling asleep.
            if number % 2 == 0 {
                let Ok(()) = permits.recv() else { return };
            }
            remote.send(Message {
                token: Token::from_bits((1 << 32) + number),
                result: 0,
                addresses: Vec::new(),
            });
        }
    });
    let mut received = 0;
    while received < MESSAGES {
        if received % 2 == 0 {
            permit.send(()).unwrap();
        }
        let before = received;
        while received == before {
            rig.driver.waker().announce_sleep();
            let message = rig.driver.receive();
            if message.is_none() {
                rig.driver.wait(None);
            }
            rig.driver.waker().awake();
            while rig.driver.reap().is_some() {}
            received += u64::from(message.or_else(|| rig.driver.receive()).is_some());
        }
    }
    sender.join().unwrap();
}

/// Fibers that are always ready must not starve an operation (I-11).
pub(crate) fn the_loop_wants_to_wait_when_something_was_pushed(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    far.write_all(b"x").unwrap();
    let token = rig.poll(&near, Interest::READABLE);
    let deadline = clock::now() + NAP;
    let mut turns = 0;
    while rig.open() > 0 {
        if rig.driver.wants_wait() {
            rig.driver.wait(Some(Duration::ZERO));
        }
        rig.take_in();
        turns += 1;
        assert!(clock::now() < deadline, "starved for {turns} turns");
    }
    assert!(rig.result(token) > 0);
}
