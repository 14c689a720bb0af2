//! The verbs of a reactor over a driver that does what it is told. No clock: `now` is passed in.

use std::{
    collections::VecDeque,
    net::{IpAddr, Ipv4Addr},
    time::{Duration, Instant},
};

use evented_core::{
    Driver, Outcome, Reactor, Root, Tables, Token,
    buffer::Buffer,
    clock,
    driver::fake::Fake,
    inflight::AlarmKey,
    op::{self, Interest, Op, Transfer},
    reactor::Sleep,
    remote::Message,
};

#[derive(Clone, Copy, Debug, PartialEq)]
struct Fiber(usize);

impl Root for Fiber {
    fn fiber(&self) -> usize {
        self.0
    }
}

/// A reactor whose kernel and clock the test moves by hand.
struct Bench {
    tables: Tables<Fiber>,
    driver: Driver,
    now: Instant,
    alarms: VecDeque<AlarmKey>,
    bytes: Box<[u8; 16]>,
}

impl Bench {
    fn new() -> Self {
        Self {
            tables: Tables::new(),
            driver: Driver::fake(),
            now: clock::now(),
            alarms: VecDeque::new(),
            bytes: Box::new([0; 16]),
        }
    }

    fn recv(&mut self, least: usize) -> Op {
        // SAFETY: the fake driver writes nowhere.
        let buffer = unsafe { Buffer::new(self.bytes.as_mut_ptr(), self.bytes.len()) };
        Op::Recv(op::Recv {
            fd: 3,
            transfer: Transfer::new(buffer, least),
        })
    }

    fn reactor(&mut self) -> Reactor<'_, Fiber> {
        Reactor::new(&mut self.tables, &mut self.driver)
    }

    fn submit(&mut self, fiber: usize, op: Op, deadline: Option<Instant>) -> Token {
        self.reactor().submit(Fiber(fiber), op, deadline)
    }

    fn script(&mut self) -> &mut Fake {
        self.driver.script().expect("it is a fake")
    }

    fn complete(&mut self, token: Token, result: i32) {
        self.script().complete(token, result);
        self.reactor().dispatch(None, &mut VecDeque::new());
    }

    fn after(&self, millis: u64) -> Instant {
        self.now + Duration::from_millis(millis)
    }

    fn dispatch_at(&mut self, now: Instant) {
        let mut alarms = std::mem::take(&mut self.alarms);
        self.reactor().dispatch(Some(now), &mut alarms);
        self.alarms = alarms;
    }

    fn sleep(&mut self, now: Option<Instant>, limit: Option<Instant>) -> Sleep {
        self.reactor().before_wait(now, limit)
    }
}

fn poll(fd: i32) -> Op {
    let interest = Interest::READABLE;
    Op::Poll(op::Poll::new(fd, interest))
}

#[test]
fn an_operation_goes_to_the_driver_and_its_result_to_the_waiter() {
    let mut bench = Bench::new();
    let recv = bench.recv(1);
    let token = bench.submit(1, recv, None);
    assert_eq!(bench.script().pushed.len(), 1);
    assert!(bench.tables.holds_buffer(token));
    assert_eq!(bench.tables.outcome(token), None);
    bench.complete(token, 7);
    assert!(!bench.tables.holds_buffer(token));
    assert_eq!(bench.tables.leave(token), Some(Outcome::Done(7)));
    assert_eq!(bench.tables.stats.submitted, 1);
    assert_eq!(bench.tables.stats.completed, 1);
}

#[test]
fn an_operation_that_has_not_enough_is_pushed_again_for_the_rest() {
    let mut bench = Bench::new();
    let recv = bench.recv(10);
    let token = bench.submit(1, recv, None);
    bench.complete(token, 4);
    let &[(Op::Recv(rest), again)] = bench.script().pushed.as_slice() else {
        unreachable!("one receive is pushed");
    };
    assert_eq!(again, token);
    assert_eq!(rest.transfer.done(), 4);
    assert_eq!(rest.transfer.rest().len(), 12);
    bench.complete(token, 6);
    assert_eq!(bench.tables.leave(token), Some(Outcome::Done(10)));
    assert!(bench.script().pushed.is_empty());
}

#[test]
fn an_error_after_some_bytes_is_left_for_the_next_call() {
    let mut bench = Bench::new();
    let recv = bench.recv(10);
    let token = bench.submit(1, recv, None);
    bench.complete(token, 4);
    bench.complete(token, -libc::ECONNRESET);
    assert_eq!(bench.tables.leave(token), Some(Outcome::Done(4)));
    let token = bench.submit(1, recv, None);
    bench.complete(token, -libc::ECONNRESET);
    assert_eq!(
        bench.tables.leave(token),
        Some(Outcome::Done(-libc::ECONNRESET))
    );
}

#[test]
fn a_readiness_that_satisfies_nothing_is_asked_for_again() {
    let mut bench = Bench::new();
    let token = bench.submit(1, poll(3), None);
    bench.complete(token, i32::from(libc::POLLOUT));
    assert_eq!(bench.script().pushed.len(), 1);
    assert_eq!(bench.tables.outcome(token), None);
    bench.complete(token, i32::from(libc::POLLIN));
    assert_eq!(bench.tables.leave(token), Some(Outcome::Done(1)));
}

#[test]
fn a_deadline_cancels_and_the_waiter_stays_until_the_operation_is_back() {
    let mut bench = Bench::new();
    let (recv, deadline) = (bench.recv(1), bench.after(10));
    let token = bench.submit(1, recv, Some(deadline));
    bench.dispatch_at(bench.after(9));
    assert!(bench.script().cancelled.is_empty());
    bench.dispatch_at(deadline);
    bench.reactor().flush_cancels();
    assert_eq!(bench.script().cancelled, [token]);
    // I-1: the kernel has not answered.
    assert_eq!(bench.tables.outcome(token), None);
    assert!(bench.tables.holds_buffer(token));
    bench.complete(token, -libc::ECANCELED);
    assert!(!bench.tables.holds_buffer(token));
    assert_eq!(bench.tables.leave(token), Some(Outcome::TimedOut));
}

#[test]
fn an_operation_that_succeeds_all_the_same_beats_its_deadline_and_its_close() {
    for end in [Outcome::TimedOut, Outcome::Closed] {
        for (result, outcome) in [
            (4, Outcome::Done(4)),
            (0, Outcome::Done(0)),
            (-libc::ECANCELED, end),
            (-libc::EINTR, end),
        ] {
            let mut bench = Bench::new();
            let recv = bench.recv(1);
            let token = bench.submit(1, recv, None);
            assert!(bench.tables.end(token, end));
            bench.complete(token, result);
            assert_eq!(bench.tables.leave(token), Some(outcome));
        }
    }
}

#[test]
fn an_operation_that_succeeds_all_the_same_beats_an_exception() {
    let mut bench = Bench::new();
    let recv = bench.recv(1);
    let token = bench.submit(1, recv, None);
    assert!(bench.tables.interrupt(1, None, |_| {}));
    bench.complete(token, 4);
    assert_eq!(bench.tables.leave(token), Some(Outcome::Done(4)));
}

#[test]
fn an_operation_given_up_half_way_is_not_pushed_again() {
    let mut bench = Bench::new();
    let recv = bench.recv(10);
    let token = bench.submit(1, recv, None);
    bench.tables.give_up(token);
    bench.complete(token, 4);
    assert!(bench.script().pushed.is_empty());
    assert!(!bench.tables.holds_buffer(token));
}

#[test]
fn an_operation_without_a_buffer_can_be_left_behind() {
    let mut bench = Bench::new();
    let token = bench.submit(1, poll(3), None);
    assert!(!bench.tables.holds_buffer(token));
    bench.tables.leave(token);
    assert!(!bench.tables.is_busy());
    bench.reactor().flush_cancels();
    assert_eq!(bench.script().cancelled, [token]);
    assert_eq!(bench.tables.roots().count(), 1);
    // Not even one that asks for more is pushed again.
    bench.complete(token, i32::from(libc::POLLOUT));
    assert!(bench.script().pushed.is_empty());
    assert_eq!(bench.tables.roots().count(), 0);
}

#[test]
fn a_completion_that_nobody_waits_for_is_dropped_and_counted() {
    let mut bench = Bench::new();
    bench.complete(Token::from_bits((9 << 32) + 7), 1);
    assert_eq!(bench.tables.stats.dropped, 1);
    assert!(!bench.tables.is_busy());
}

#[test]
fn before_wait_tells_how_long_to_sleep() {
    let mut bench = Bench::new();
    let now = bench.now;
    assert_eq!(bench.sleep(None, None), Sleep::Skip);
    assert_eq!(bench.sleep(Some(now), Some(bench.after(5))), Sleep::Skip);

    let parked = bench.tables.park(Fiber(1), None);
    assert_eq!(bench.sleep(None, None), Sleep::Forever);
    let limit = Some(bench.after(5));
    let five = Sleep::For(Duration::from_millis(5));
    assert_eq!(bench.sleep(Some(now), limit), five);

    let later = bench.after(20);
    bench.tables.park(Fiber(2), Some(later));
    let twenty = Sleep::For(Duration::from_millis(20));
    assert_eq!(bench.sleep(Some(now), None), twenty);
    assert_eq!(bench.sleep(Some(now), limit), five);
    // A deadline that has passed is no sleep, and no overflow.
    let past = Some(bench.after(90));
    assert_eq!(bench.sleep(past, None), Sleep::For(Duration::ZERO));

    bench.tables.end(parked, Outcome::Woken);
    assert_eq!(bench.sleep(Some(now), limit), Sleep::No);
    assert_eq!(bench.tables.stats.turns, 8);
}

#[test]
fn before_wait_passes_cancellations_on() {
    let mut bench = Bench::new();
    let recv = bench.recv(1);
    let token = bench.submit(1, recv, None);
    bench.tables.close(3);
    assert!(bench.script().cancelled.is_empty());
    bench.sleep(None, None);
    assert_eq!(bench.script().cancelled, [token]);
}

#[test]
fn the_last_look_sees_what_another_thread_has_left() {
    let mut bench = Bench::new();
    let token = bench.tables.park_offloaded(Fiber(1), true);
    assert!(bench.tables.holds_buffer(token));
    assert!(bench.reactor().last_look());
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    bench.driver.remote().send(Message {
        token,
        result: 2,
        addresses: vec![address],
    });
    assert!(!bench.reactor().last_look());
    assert_eq!(bench.tables.stats.sleeps, 1);
    let left = bench.tables.take_out(token).unwrap();
    assert_eq!(left.addresses, [address]);
    assert_eq!(left.outcome, Some(Outcome::Done(2)));
}

#[test]
fn a_message_carries_an_operation_on_like_a_completion() {
    let mut bench = Bench::new();
    let recv = bench.recv(10);
    let token = bench.submit(1, recv, None);
    for (result, pushed) in [(4, 2), (6, 2)] {
        bench.driver.remote().send(Message {
            token,
            result,
            addresses: Vec::new(),
        });
        bench.reactor().dispatch(None, &mut VecDeque::new());
        assert_eq!(bench.script().pushed.len(), pushed);
    }
    assert_eq!(bench.tables.leave(token), Some(Outcome::Done(10)));
}

#[test]
fn unparking_does_not_end_an_operation() {
    let mut bench = Bench::new();
    let recv = bench.recv(1);
    let token = bench.submit(1, recv, None);
    assert!(!bench.tables.unpark(1));
    assert_eq!(bench.tables.outcome(token), None);
    assert_eq!(bench.tables.stats.cancelled, 0);
}

#[test]
fn unparking_waits_for_offloaded_work_to_give_its_buffer_back() {
    let mut bench = Bench::new();
    let token = bench.tables.park_offloaded(Fiber(1), true);
    assert!(bench.tables.unpark(1));
    assert_eq!(bench.tables.outcome(token), None);
    bench.tables.complete_offloaded(token);
    assert_eq!(bench.tables.leave(token), Some(Outcome::Woken));
}

#[test]
fn the_first_member_ends_the_wait_of_the_whole_and_the_rest_is_cancelled() {
    let mut bench = Bench::new();
    let whole = bench.tables.park(Fiber(1), None);
    for fd in [3, 4, 5] {
        bench.reactor().submit_member(whole, poll(fd));
    }
    let members: Vec<_> = bench.script().pushed.iter().map(|&(_, t)| t).collect();
    bench.complete(members[1], i32::from(libc::POLLIN));
    bench.complete(members[2], i32::from(libc::POLLIN));
    assert_eq!(bench.tables.stats.resumes, 1);
    assert_eq!(bench.tables.leave(whole), Some(Outcome::Woken));
    bench.reactor().flush_cancels();
    assert_eq!(bench.script().cancelled, [members[0]]);
    bench.complete(members[0], -libc::ECANCELED);
    assert_eq!(bench.tables.roots().count(), 0);
    // A whole that is gone takes no more members.
    bench.reactor().submit_member(whole, poll(6));
    assert!(bench.script().pushed.is_empty());
}

#[test]
fn closing_a_members_descriptor_ends_the_whole() {
    let mut bench = Bench::new();
    let whole = bench.tables.park(Fiber(1), None);
    for fd in [3, 4] {
        bench.reactor().submit_member(whole, poll(fd));
    }
    assert_eq!(bench.tables.close(5), 0);
    assert_eq!(bench.tables.close(-1), 0);
    assert_eq!(bench.tables.close(4), 1);
    assert_eq!(bench.tables.leave(whole), Some(Outcome::Closed));
}

#[test]
fn a_whole_has_a_deadline_like_any_wait() {
    let mut bench = Bench::new();
    let deadline = bench.after(10);
    let whole = bench.tables.park(Fiber(1), Some(deadline));
    bench.reactor().submit_member(whole, poll(3));
    assert_eq!(bench.reactor().next_deadline(), Some(deadline));
    bench.dispatch_at(deadline);
    assert_eq!(bench.tables.leave(whole), Some(Outcome::TimedOut));
}

#[test]
fn deadlines_of_one_turn_wake_in_the_order_of_their_instants() {
    let mut bench = Bench::new();
    for (fiber, millis) in [(1, 30), (2, 10), (3, 20), (4, 10)] {
        let deadline = bench.after(millis);
        bench.tables.park(Fiber(fiber), Some(deadline));
    }
    bench.dispatch_at(bench.after(20));
    bench.tables.ready.begin_turn();
    let mut woken = Vec::new();
    while let Some(token) = bench.tables.ready.next() {
        woken.extend(bench.tables.root(token).map(|root| root.0));
    }
    assert_eq!(woken, [2, 4, 3]);
    assert_eq!(bench.reactor().next_deadline(), Some(bench.after(30)));
}

#[test]
fn dispatch_without_a_time_lets_deadlines_be() {
    let mut bench = Bench::new();
    let token = bench.tables.park(Fiber(1), Some(bench.now));
    bench.reactor().dispatch(None, &mut VecDeque::new());
    assert_eq!(bench.tables.outcome(token), None);
}

#[test]
fn an_alarm_goes_off_once_and_is_left_to_the_caller() {
    let mut bench = Bench::new();
    let deadline = bench.after(10);
    let alarm = bench.tables.set_alarm(Fiber(1), Some(deadline));
    let never = bench.tables.set_alarm(Fiber(1), None);
    assert_eq!(bench.tables.next_deadline(), Some(deadline));
    assert_eq!(bench.tables.roots().count(), 2);
    bench.dispatch_at(bench.after(9));
    assert!(bench.alarms.is_empty());
    bench.dispatch_at(deadline);
    bench.dispatch_at(bench.after(99));
    assert_eq!(bench.alarms, [alarm]);
    assert_eq!(bench.tables.alarm(alarm), Some(Fiber(1)));
    bench.tables.clear_alarm(alarm);
    bench.tables.clear_alarm(alarm);
    bench.tables.clear_alarm(never);
    assert_eq!(bench.tables.alarm(alarm), None);
    assert_eq!(bench.tables.roots().count(), 0);
}

#[test]
fn an_alarm_taken_back_never_goes_off() {
    let mut bench = Bench::new();
    let deadline = bench.after(10);
    let alarm = bench.tables.set_alarm(Fiber(1), Some(deadline));
    bench.tables.clear_alarm(alarm);
    assert_eq!(bench.tables.next_deadline(), None);
    bench.dispatch_at(deadline);
    assert!(bench.alarms.is_empty());
}

#[test]
fn an_overdue_alarm_is_met_once_by_its_own_fiber() {
    let mut bench = Bench::new();
    let now = bench.now;
    let first = bench.tables.set_alarm(Fiber(1), Some(now));
    let second = bench.tables.set_alarm(Fiber(2), Some(now));
    assert_eq!(bench.tables.overdue_alarm(1), None);
    bench.dispatch_at(now);
    assert_eq!(bench.alarms, [first, second]);
    bench.tables.postpone_alarm(first);
    bench.tables.postpone_alarm(second);
    assert_eq!(bench.tables.overdue_alarm(3), None);
    assert_eq!(bench.tables.overdue_alarm(2), Some(Fiber(2)));
    assert_eq!(bench.tables.overdue_alarm(2), None);
    bench.tables.clear_alarm(first);
    assert_eq!(bench.tables.overdue_alarm(1), None);
}

#[test]
fn the_script_notes_the_timeouts_of_waits() {
    let mut bench = Bench::new();
    bench.driver.wait(None);
    bench.driver.wait(Some(Duration::from_millis(3)));
    assert_eq!(bench.script().waits, [None, Some(Duration::from_millis(3))]);
    assert!(bench.driver.wants_wait());
    assert_eq!(bench.driver.name(), "fake");
    bench.submit(1, poll(3), None);
    assert!(bench.driver.close());
    assert!(bench.script().pushed.is_empty());
}
