//! Streams: what they ask of a driver, and which events they have, in which order.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "clippy.toml allows them in test functions, but does not see that this is all test"
)]

use std::{
    io::{Read as _, Write as _},
    os::{
        fd::{AsRawFd as _, IntoRawFd as _},
        unix::net::UnixStream,
    },
    rc::Rc,
    time::{Duration, Instant},
};

use evented_core::{
    Driver, Streams, clock,
    driver::standing::{Ask, Kind, Signature},
    op::Interest,
    stream::{Adding, Event, ProxyRefusal, TlsRefusal, Transport},
    tls::{self, Options, Role, Session},
};

/// Streams over a scripted driver; what is kept for each is a letter.
struct Bench {
    streams: Streams<char>,
    driver: Driver,
    now: Instant,
    fd: i32,
}

impl Bench {
    fn new() -> Self {
        let now = clock::now();
        Self {
            streams: Streams::new(now),
            driver: Driver::fake(),
            now,
            fd: 1000,
        }
    }

    fn add(&mut self, transport: Transport, root: char) -> Signature {
        self.fd += 1;
        let adding = Adding {
            transport,
            owned: true,
            connecting: false,
            most: None,
        };
        let signature = self.streams.add(self.fd, adding, self.now);
        assert!(self.streams.own(signature, root));
        self.flush();
        signature
    }

    /// As [`Self::add`], of a socket that there is.
    fn add_real(&mut self, socket: UnixStream, root: char) -> Signature {
        let adding = Adding {
            transport: Transport::Socket,
            owned: true,
            connecting: false,
            most: None,
        };
        let signature = self.streams.add(socket.into_raw_fd(), adding, self.now);
        assert!(self.streams.own(signature, root));
        signature
    }

    fn flush(&mut self) {
        self.streams.flush(&mut self.driver);
    }

    fn arrive(&mut self, signature: Signature, kind: Kind, result: i32, last: bool, bytes: &[u8]) {
        let script = self.driver.script().unwrap();
        script.arrive(signature, kind, result, last, bytes);
    }

    fn data(&mut self, signature: Signature, bytes: &[u8]) {
        let count = i32::try_from(bytes.len()).unwrap();
        self.arrive(signature, Kind::Receive, count, false, bytes);
    }

    fn end(&mut self, signature: Signature) {
        self.arrive(signature, Kind::Receive, 0, true, b"");
    }

    /// The kinds that are asked for a stream.
    fn asked(&mut self, signature: Signature) -> Vec<Kind> {
        let script = self.driver.script().unwrap();
        let asked = script.asked.iter().filter(|(other, _)| *other == signature);
        asked.map(|(_, ask)| ask.kind()).collect()
    }

    /// The bytes that are being sent for a stream.
    fn sending(&mut self, signature: Signature) -> Option<usize> {
        let script = self.driver.script().unwrap();
        script.asked.iter().find_map(|(other, ask)| match ask {
            Ask::Send(send) if *other == signature => Some(send.transfer.rest().len()),
            _ => None,
        })
    }

    /// One pass, in which each event is over as soon as it was handed out: what was called.
    fn pass(&mut self) -> Vec<String> {
        self.pass_with(|_, _| true)
    }

    /// As [`Self::pass`]; `over` says whether an event is over at once.
    fn pass_with(&mut self, mut over: impl FnMut(&mut Self, Event<char>) -> bool) -> Vec<String> {
        let mut calls = Vec::new();
        self.streams.begin_pass(self.now, &self.driver);
        while let Some(event) = self.streams.next(&mut self.driver) {
            calls.push(self.call(event));
            if !over(self, event) {
                continue;
            }
            match event {
                Event::Data(one, _)
                | Event::Completed(one, _)
                | Event::Secured(one, _)
                | Event::Readable(one, _)
                | Event::Writable(one, _)
                | Event::ProxyCompleted(one, _)
                | Event::ProxyTargetUnbound(one, _)
                | Event::Unbound(one, ..) => self.streams.done(one),
                Event::Accepted { stream, .. } => {
                    self.streams.own(stream, 'n');
                    self.streams.accepted_done(stream);
                }
                Event::Ciphertext(one, _) => {
                    self.feed(one);
                    self.streams.done(one);
                }
                Event::Tick => self.streams.ticks_done(false),
                Event::Stopped => self.streams.stopped(),
                Event::Timer(_) | Event::Poll => {}
            }
        }
        self.flush();
        calls
    }

    /// What the binding does, and a program that accepts every certificate.
    fn feed(&mut self, signature: Signature) {
        let bytes = self.streams.bytes(&self.driver).to_vec();
        self.streams.taken(&mut self.driver);
        let mut session = self.streams.take_session(signature).unwrap();
        let ask: Rc<tls::Ask> = Rc::new(|_| true);
        let outcome = session.receive(&bytes, &ask);
        self.streams.put_back(signature, session, outcome);
    }

    fn call(&mut self, event: Event<char>) -> String {
        match event {
            Event::Data(_, root) => {
                let bytes = String::from_utf8_lossy(self.streams.bytes(&self.driver)).into_owned();
                self.streams.taken(&mut self.driver);
                format!("{root} gets {bytes}")
            }
            Event::Completed(_, root) => format!("{root} is connected"),
            Event::Ciphertext(_, root) => format!("{root} is to be fed"),
            Event::Secured(_, root) => format!("{root} is secure"),
            Event::Readable(_, root) => format!("{root} is readable"),
            Event::Writable(_, root) => format!("{root} is writable"),
            Event::ProxyCompleted(_, root) => format!("{root} has relayed"),
            Event::ProxyTargetUnbound(_, root) => format!("{root} has no target"),
            Event::Unbound(_, root, reason) => format!("{} ends {reason}", root.unwrap_or('-')),
            Event::Accepted { .. } => "accepted".into(),
            Event::Timer(_) => "timer".into(),
            Event::Poll => "poll".into(),
            Event::Tick => "tick".into(),
            Event::Stopped => "stopped".into(),
        }
    }
}

#[test]
fn a_socket_is_received_from_until_it_ends() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    assert_eq!(bench.asked(a), [Kind::Receive]);
    bench.data(a, b"one");
    bench.data(a, b"two");
    assert_eq!(bench.pass(), ["a gets one", "a gets two"]);
    bench.end(a);
    assert_eq!(bench.pass(), ["a ends 0"]);
    assert!(bench.streams.is_empty());
    assert_eq!(bench.driver.script().unwrap().released, [1001]);
}

#[test]
fn what_is_sent_leaves_together_and_in_order() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    assert_eq!(bench.streams.send(a, b"hello "), Some(6));
    assert_eq!(bench.streams.send(a, b"world"), Some(5));
    assert_eq!(bench.streams.outbound_size(a), Some(11));
    assert_eq!(bench.sending(a), None, "not before the flush");
    bench.flush();
    assert_eq!(bench.sending(a), Some(11));
    bench.streams.send(a, b"!");
    bench.flush();
    bench.arrive(a, Kind::Send, 4, true, b"");
    bench.pass();
    assert_eq!(
        bench.sending(a),
        Some(7),
        "the rest of what was sent in part"
    );
    bench.arrive(a, Kind::Send, 7, true, b"");
    bench.pass();
    assert_eq!(bench.sending(a), Some(1));
    bench.arrive(a, Kind::Send, 1, true, b"");
    bench.pass();
    assert_eq!(
        (bench.sending(a), bench.streams.outbound_size(a)),
        (None, Some(0))
    );
}

#[test]
fn closing_after_writing_waits_until_everything_has_left() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.streams.send(a, b"last words");
    bench.streams.close(a, true);
    assert_eq!(bench.streams.send(a, b"more"), Some(0));
    bench.flush();
    assert!(bench.pass().is_empty());
    bench.arrive(a, Kind::Send, 10, true, b"");
    assert_eq!(bench.pass(), ["a ends 0"]);
    assert_eq!(bench.streams.send(a, b"more"), None);
}

#[test]
fn closing_drops_what_was_not_sent() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.streams.send(a, b"never");
    bench.streams.close(a, true);
    bench.streams.close(a, false);
    assert_eq!(bench.streams.ending(), 1);
    assert_eq!(bench.pass(), ["a ends 0"]);
    assert_eq!(bench.sending(a), None);
}

#[test]
fn what_the_kernel_is_sending_outlives_its_stream() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.streams.send(a, &[7; 1000]);
    bench.flush();
    let at = match bench.driver.script().unwrap().asked.last().unwrap().1 {
        Ask::Send(send) => send.transfer.rest().as_ptr(),
        _ => panic!("it is being sent"),
    };
    bench.streams.close(a, false);
    bench.streams.begin_pass(bench.now, &bench.driver);
    let event = bench.streams.next(&mut bench.driver);
    assert_eq!(event, Some(Event::Unbound(a, Some('a'), 0)));
    // SAFETY: what this test is about: as long as the request has not come back, its bytes stay (I-1).
    let bytes = unsafe { std::slice::from_raw_parts(at, 1000) };
    assert!(bytes.iter().all(|&byte| byte == 7));
}

#[test]
fn an_error_is_the_reason_of_the_end_and_the_first_one_counts() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.streams.send(a, b"x");
    bench.flush();
    bench.arrive(a, Kind::Send, -libc::EPIPE, true, b"");
    bench.arrive(a, Kind::Receive, -libc::ECONNRESET, true, b"");
    assert_eq!(bench.pass(), [format!("a ends {}", libc::EPIPE)]);
}

#[test]
fn events_of_a_stream_wait_for_the_one_before_and_those_of_others_do_not() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let b = bench.add(Transport::Socket, 'b');
    bench.data(a, b"1");
    bench.data(a, b"2");
    bench.data(b, b"3");
    bench.end(a);
    let suspends = |_: &mut Bench, event| !matches!(event, Event::Data(_, 'a'));
    assert_eq!(bench.pass_with(suspends), ["a gets 1", "b gets 3"]);
    assert!(bench.pass().is_empty(), "it has not returned");
    bench.streams.done(a);
    assert_eq!(bench.pass_with(suspends), ["a gets 2"]);
    bench.streams.done(a);
    assert_eq!(bench.pass(), ["a ends 0"]);
}

#[test]
fn a_pass_is_gone_on_with_by_whoever_asks() {
    let mut bench = Bench::new();
    for name in ['a', 'b', 'c'] {
        let stream = bench.add(Transport::Socket, name);
        bench.data(stream, b"x");
    }
    bench.streams.begin_pass(bench.now, &bench.driver);
    assert!(matches!(
        bench.streams.next(&mut bench.driver),
        Some(Event::Data(_, 'a'))
    ));
    bench.streams.taken(&mut bench.driver);
    // Another fiber, while the first one is suspended in its callback.
    assert!(bench.streams.begin_pass(bench.now, &bench.driver));
    assert_eq!(bench.pass(), ["b gets x", "c gets x"]);
}

#[test]
fn a_paused_stream_is_neither_received_from_nor_sent_to_nor_called() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.data(a, b"1");
    bench.data(a, b"2");
    let pauses = |bench: &mut Bench, event| {
        if matches!(event, Event::Data(..)) {
            bench.streams.pause(a);
        }
        true
    };
    assert_eq!(bench.pass_with(pauses), ["a gets 1"]);
    bench.streams.send(a, b"x");
    bench.flush();
    assert!(bench.asked(a).is_empty());
    assert_eq!(bench.streams.pause(a), Some(false));
    assert_eq!(bench.streams.resume(a), Some(true));
    assert_eq!(bench.pass(), ["a gets 2"]);
    assert_eq!(bench.asked(a), [Kind::Receive, Kind::Send]);
}

#[test]
fn a_paused_stream_that_is_closed_ends_without_what_was_kept_back() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.streams.pause(a);
    bench.data(a, b"kept back");
    assert!(bench.pass().is_empty());
    bench.streams.close(a, false);
    assert_eq!(bench.pass(), ["a ends 0"]);
}

#[test]
fn a_backlog_that_grows_stops_the_receiving() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    for _ in 0..40 {
        bench.data(a, &[1; 16384]);
    }
    let mut first = true;
    bench.pass_with(|_, _| !std::mem::take(&mut first));
    assert!(bench.asked(a).is_empty(), "as much as may wait is waiting");
    bench.streams.done(a);
    assert_eq!(bench.pass().len(), 39);
    assert_eq!(bench.asked(a), [Kind::Receive]);
}

#[test]
fn timers_come_first_then_arrivals_then_ticks_then_ends() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    bench.data(a, b"x");
    bench.streams.add_timer(bench.now);
    bench.streams.want_ticks();
    let closes = |bench: &mut Bench, event| {
        if matches!(event, Event::Data(..)) {
            bench.streams.close(a, false);
        }
        true
    };
    assert_eq!(
        bench.pass_with(closes),
        ["timer", "poll", "a gets x", "tick", "a ends 0"]
    );
}

#[test]
fn stopping_completes_the_pass_and_asks_the_kernel_once_more() {
    let mut bench = Bench::new();
    bench.streams.stop();
    assert!(bench.streams.is_stopping());
    assert_eq!(bench.pass(), ["poll", "tick", "stopped"]);
    assert!(!bench.streams.has_work());
}

#[test]
fn timers_fire_in_order_and_a_cancelled_one_leaves_at_once() {
    let mut bench = Bench::new();
    let first = bench
        .streams
        .add_timer(bench.now + Duration::from_millis(1));
    let second = bench
        .streams
        .add_timer(bench.now + Duration::from_millis(2));
    let third = bench
        .streams
        .add_timer(bench.now + Duration::from_millis(1));
    assert!(bench.streams.cancel_timer(second));
    assert!(!bench.streams.cancel_timer(second));
    assert_eq!(bench.streams.timers(), 2);
    assert!(bench.pass().is_empty());
    bench.now += Duration::from_millis(5);
    let mut fired = Vec::new();
    bench.pass_with(|_, event| {
        if let Event::Timer(timer) = event {
            fired.push(timer);
        }
        true
    });
    assert_eq!(fired, [first, third]);
}

#[test]
fn a_timer_that_sets_another_for_now_does_not_keep_the_pass_from_ending() {
    let mut bench = Bench::new();
    bench.streams.add_timer(bench.now);
    let again = |bench: &mut Bench, event| {
        if matches!(event, Event::Timer(_)) {
            bench.streams.add_timer(bench.now);
        }
        true
    };
    assert_eq!(bench.pass_with(again), ["timer", "poll"]);
    assert_eq!(bench.pass_with(again), ["timer", "poll"]);
}

#[test]
fn an_idle_stream_ends_and_one_that_is_not_does_not() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let b = bench.add(Transport::Socket, 'b');
    let limit = Some(Duration::from_secs(1));
    for one in [a, b] {
        assert!(bench.streams.set_inactivity_timeout(one, limit));
    }
    bench.now += Duration::from_millis(600);
    bench.data(b, b"still here");
    bench.pass();
    bench.now += Duration::from_millis(600);
    assert_eq!(bench.pass(), [format!("a ends {}", libc::ETIMEDOUT)]);
    bench.now += Duration::from_millis(600);
    assert_eq!(bench.pass(), [format!("b ends {}", libc::ETIMEDOUT)]);
}

#[test]
fn a_server_without_descriptors_rests_and_goes_on() {
    let mut bench = Bench::new();
    let server = bench.add(Transport::Server, 's');
    assert_eq!(bench.asked(server), [Kind::Accept]);
    bench.arrive(server, Kind::Accept, -libc::EMFILE, true, b"");
    bench.pass();
    assert!(bench.asked(server).is_empty(), "nobody spins");
    let rests_until = bench.streams.next_deadline().unwrap();
    bench.now = rests_until;
    bench.pass();
    assert_eq!(bench.asked(server), [Kind::Accept]);
}

#[test]
fn a_connection_that_comes_to_a_closed_server_is_closed() {
    let mut bench = Bench::new();
    let server = bench.add(Transport::Server, 's');
    bench.streams.close(server, false);
    bench.arrive(server, Kind::Accept, 77, false, b"");
    assert_eq!(bench.pass(), ["s ends 0"]);
    assert!(bench.driver.script().unwrap().released.contains(&77));
}

#[test]
fn an_accepted_connection_without_an_object_ends_unheard() {
    let mut bench = Bench::new();
    let server = bench.add(Transport::Server, 's');
    bench.arrive(server, Kind::Accept, 77, false, b"");
    let fails = |bench: &mut Bench, event| {
        if let Event::Accepted { stream, .. } = event {
            bench.streams.accepted_done(stream);
            return false;
        }
        true
    };
    assert_eq!(bench.pass_with(fails), ["accepted", "- ends 0"]);
}

#[test]
fn a_watched_descriptor_is_asked_for_as_often_as_it_is_ready() {
    let mut bench = Bench::new();
    let (near, mut far) = UnixStream::pair().unwrap();
    let adding = Adding {
        transport: Transport::Watch,
        owned: false,
        connecting: false,
        most: None,
    };
    let w = bench.streams.add(near.as_raw_fd(), adding, bench.now);
    bench.streams.own(w, 'w');
    bench.flush();
    assert!(bench.asked(w).is_empty());
    bench.streams.watch(w, Some(Interest::READABLE));
    bench.flush();
    far.write_all(b"x").unwrap();
    for _ in 0..2 {
        assert_eq!(bench.asked(w), [Kind::Ready]);
        bench.arrive(w, Kind::Ready, libc::POLLIN.into(), true, b"");
        assert_eq!(bench.pass(), ["w is readable"]);
    }
    bench.streams.watch(w, None);
    bench.pass();
    assert!(bench.asked(w).is_empty());
}

#[test]
fn relayed_bytes_are_sent_by_the_other_and_nobody_is_called() {
    let mut bench = Bench::new();
    let from = bench.add(Transport::Socket, 'f');
    let to = bench.add(Transport::Socket, 't');
    assert_eq!(bench.streams.start_proxy(from, to, 4, 0), Ok(()));
    bench.data(from, b"relayed");
    assert!(bench.pass().is_empty());
    assert_eq!(bench.sending(to), Some(7));
    assert!(bench.asked(from).is_empty(), "more is unsent than may be");
    bench.arrive(to, Kind::Send, 7, true, b"");
    bench.pass();
    assert_eq!(bench.asked(from), [Kind::Receive]);
    assert_eq!(bench.streams.proxied(from), Some(7));
    bench.data(from, b"again");
    assert!(bench.pass().is_empty(), "relaying leaves no stream busy");
}

#[test]
fn relaying_ends_after_so_many_bytes_and_the_rest_is_handed_out() {
    let mut bench = Bench::new();
    let from = bench.add(Transport::Socket, 'f');
    let to = bench.add(Transport::Socket, 't');
    bench.streams.start_proxy(from, to, 0, 3).unwrap();
    bench.data(from, b"abcdef");
    assert_eq!(bench.pass(), ["f has relayed", "f gets def"]);
    assert_eq!(bench.sending(to), Some(3));
}

#[test]
fn a_source_hears_that_its_target_has_ended() {
    let mut bench = Bench::new();
    let from = bench.add(Transport::Socket, 'f');
    let to = bench.add(Transport::Socket, 't');
    bench.streams.start_proxy(from, to, 0, 0).unwrap();
    bench.end(to);
    let mut calls = bench.pass();
    calls.extend(bench.pass());
    assert_eq!(calls, ["t ends 0", "f has no target"]);
    bench.data(from, b"x");
    assert_eq!(bench.pass(), ["f gets x"]);
}

#[test]
fn a_target_has_one_source() {
    let mut bench = Bench::new();
    let [a, b, c] = ['a', 'b', 'c'].map(|name| bench.add(Transport::Socket, name));
    assert_eq!(bench.streams.start_proxy(a, c, 0, 0), Ok(()));
    assert_eq!(
        bench.streams.start_proxy(a, c, 0, 0),
        Ok(()),
        "once more is no harm"
    );
    assert_eq!(
        bench.streams.start_proxy(b, c, 0, 0),
        Err(ProxyRefusal::BusyTarget)
    );
    let nobody = Signature::next();
    assert_eq!(
        bench.streams.start_proxy(b, nobody, 0, 0),
        Err(ProxyRefusal::NoStream)
    );
    assert!(bench.streams.stop_proxy(a));
    assert_eq!(bench.streams.start_proxy(b, c, 0, 0), Ok(()));
}

#[test]
fn a_driver_that_can_not_receive_is_asked_for_readiness_instead() {
    let mut bench = Bench::new();
    let (near, mut far) = UnixStream::pair().unwrap();
    let a = bench.add_real(near, 'a');
    bench.flush();
    bench.arrive(a, Kind::Receive, -libc::EOPNOTSUPP, true, b"");
    bench.pass();
    assert_eq!(bench.asked(a), [Kind::Ready]);
    far.write_all(b"hello").unwrap();
    bench.arrive(a, Kind::Ready, libc::POLLIN.into(), true, b"");
    assert_eq!(bench.pass(), ["a gets hello"]);
    bench.streams.send(a, b"answer");
    bench.flush();
    let mut got = [0; 6];
    far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"answer");
}

#[test]
fn when_nothing_is_called_any_more_what_comes_is_dropped_and_nothing_is_asked_for() {
    let mut bench = Bench::new();
    let socket = bench.add(Transport::Socket, 'a');
    let server = bench.add(Transport::Server, 's');
    let watch = bench.add(Transport::Watch, 'w');
    bench.streams.watch(watch, Some(Interest::READABLE));
    bench.streams.send(socket, b"what is being sent");
    bench.flush();
    bench.data(socket, b"bytes");
    bench.arrive(server, Kind::Accept, 77, false, b"");
    bench.arrive(watch, Kind::Ready, libc::POLLIN.into(), true, b"");
    bench.arrive(socket, Kind::Send, 4, true, b"");
    bench.streams.halt();
    bench.streams.drop_arrivals(&mut bench.driver);
    assert!(!bench.driver.has_arrivals());
    assert!(bench.driver.script().unwrap().released.contains(&77));
    // The driver ends what was asked for before.
    bench.flush();
    bench.streams.drop_arrivals(&mut bench.driver);
    bench.flush();
    assert!(!bench.driver.has_arrivals());
    assert_eq!(bench.sending(socket), Some(14));
    assert_eq!(bench.asked(watch), []);
    assert_eq!(bench.asked(socket), [Kind::Send]);
    assert_eq!(bench.asked(server), []);
}

#[test]
fn a_pass_for_nobody_comes_to_an_end_whatever_is_wanted_of_it() {
    let mut bench = Bench::new();
    bench.streams.want_ticks();
    bench.streams.stop();
    assert!(bench.streams.begin_pass(bench.now, &bench.driver));
    bench.streams.drop_pass(&mut bench.driver);
    assert!(!bench.streams.has_work());
}

#[test]
fn what_is_left_at_the_end_is_unbound_one_by_one() {
    let mut bench = Bench::new();
    for name in ['a', 'b'] {
        bench.add(Transport::Socket, name);
    }
    let mut gone = 0;
    while let Some(Event::Unbound(signature, _, 0)) = bench.streams.unbind_next() {
        bench.streams.done(signature);
        gone += 1;
    }
    bench.flush();
    assert_eq!((gone, bench.streams.len()), (2, 0));
}

#[test]
fn what_is_made_while_all_are_unbound_ends_unheard() {
    let mut bench = Bench::new();
    for name in ['a', 'b'] {
        bench.add(Transport::Socket, name);
    }
    let mut heard = Vec::new();
    while let Some(Event::Unbound(signature, root, 0)) = bench.streams.unbind_next() {
        heard.push(root);
        bench.add(Transport::Socket, 'n');
        bench.streams.done(signature);
    }
    bench.flush();
    assert_eq!(heard, [Some('a'), Some('b')]);
    assert!(bench.streams.is_empty());
}

#[test]
fn a_borrowed_descriptor_that_is_closed_ends_its_stream() {
    let mut bench = Bench::new();
    let adding = Adding {
        transport: Transport::Watch,
        owned: false,
        connecting: false,
        most: None,
    };
    for by_owner in [true, false] {
        let a = bench.streams.add(50, adding, bench.now);
        bench.streams.own(a, 'a');
        bench.streams.watch(a, Some(Interest::READABLE));
        bench.flush();
        assert_eq!(bench.asked(a), [Kind::Ready]);
        let driver = by_owner.then_some(&mut bench.driver);
        assert!(bench.streams.closing(50, driver));
        assert_eq!(bench.pass(), ["a ends 0"]);
        bench.arrive(a, Kind::Ready, -libc::ECANCELED, true, b"");
        bench.pass();
        assert!(bench.streams.is_empty());
        assert!(!bench.streams.closing(50, None));
    }
    let own = bench.add(Transport::Socket, 'o');
    let fd = bench.streams.fd(own).unwrap();
    assert!(!bench.streams.closing(fd, None), "it closes that itself");
}

#[test]
#[cfg(target_os = "linux")]
fn part_of_a_file_leaves_in_its_place_when_there_is_room() {
    let mut bench = Bench::new();
    let (near, mut far) = UnixStream::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    let a = bench.add_real(near, 'a');
    let mut file = tempfile();
    file.write_all(b"0123456789").unwrap();
    let part = |bench: &mut Bench, at, len| {
        let file = file.try_clone().unwrap().into();
        bench.streams.send_file(a, file, at, len)
    };
    assert_eq!(part(&mut bench, 2, 5), Some(5));
    bench.streams.send(a, b"tail");
    assert_eq!(bench.streams.outbound_size(a), Some(9));
    bench.flush();
    let mut got = [0; 9];
    far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"23456tail");
    assert_eq!(bench.streams.outbound_size(a), Some(0));
    assert_eq!(bench.asked(a), [Kind::Receive]);
    // It promised more than there is.
    assert_eq!(part(&mut bench, 8, 5), Some(5));
    assert_eq!(
        bench.pass(),
        Vec::<String>::new(),
        "the flush after the pass meets the end of the file"
    );
    assert_eq!(bench.pass(), [format!("a ends {}", libc::EIO)]);
}

#[test]
fn what_is_no_plain_socket_sends_no_files() {
    let mut bench = Bench::new();
    for transport in [Transport::Pipe, Transport::Datagram, Transport::Watch] {
        let a = bench.add(transport, 'a');
        assert!(!bench.streams.sends_files(a));
        let file = tempfile().into();
        assert_eq!(bench.streams.send_file(a, file, 0, 1), None);
    }
}

/// An empty file without a name.
fn tempfile() -> std::fs::File {
    let path = std::env::temp_dir().join(format!("evented-{}", Signature::next().number()));
    let path = path.with_extension(std::process::id().to_string());
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path)
        .unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}

/// A session of this side, and one of the other.
fn sessions(role: Role, verify_peer: bool) -> [Session; 2] {
    let other = match role {
        Role::Client => Role::Server,
        Role::Server => Role::Client,
    };
    let options = Options {
        verify_peer,
        ..Options::new(role)
    };
    [options, Options::new(other)]
        .map(|options| Session::new(&tls::config(&options).unwrap(), None).unwrap())
}

/// What the other session has to say.
fn said_by(session: &mut Session) -> Vec<u8> {
    let mut bytes = Vec::new();
    session.take_ciphertext(&mut bytes);
    bytes
}

#[test]
fn tls_begins_once_and_on_bytes_only() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let watched = bench.add(Transport::Watch, 'w');
    let mut start = |signature| {
        let [session, _] = sessions(Role::Server, false);
        bench.streams.start_tls(signature, session)
    };
    assert_eq!(start(watched), Err(TlsRefusal::NoBytes));
    assert_eq!(start(a), Ok(()));
    assert_eq!(start(a), Err(TlsRefusal::Twice));
    assert_eq!(start(Signature::next()), Err(TlsRefusal::NoStream));
    assert_eq!(bench.streams.is_secure(a), Some(true));
    assert_eq!(bench.streams.is_secure(watched), Some(false));
}

#[test]
fn a_client_greets_at_once_and_what_it_sends_waits() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let [session, _] = sessions(Role::Client, false);
    bench.streams.start_tls(a, session).unwrap();
    bench.flush();
    let hello = bench.sending(a).unwrap();
    assert_eq!(bench.streams.send(a, b"later"), Some(1));
    assert_eq!(bench.streams.outbound_size(a), Some(hello + 5));
    bench.streams.close(a, true);
    bench.arrive(a, Kind::Send, i32::try_from(hello).unwrap(), true, b"");
    assert!(bench.pass().is_empty(), "something waits for the handshake");
    bench.end(a);
    assert_eq!(bench.pass(), ["a ends 0"]);
}

#[test]
fn what_has_come_already_is_the_handshakes() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let [session, mut other] = sessions(Role::Server, false);
    let hello = said_by(&mut other);
    bench.streams.pause(a);
    bench.data(a, &hello);
    bench.pass();
    bench.streams.start_tls(a, session).unwrap();
    bench.streams.resume(a);
    assert_eq!(bench.pass(), ["a is to be fed"]);
    assert!(bench.sending(a).unwrap() > 500, "the server has answered");
}

#[test]
fn a_session_that_may_ask_is_fed_by_the_binding() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let [session, mut other] = sessions(Role::Server, true);
    bench.streams.start_tls(a, session).unwrap();
    let hello = said_by(&mut other);
    bench.data(a, &hello[..10]);
    bench.data(a, &hello[10..]);
    let calls = bench.pass_with(|bench, event| {
        if let Event::Ciphertext(one, _) = event {
            // It is away meanwhile, and what is sent waits for it.
            let session = bench.streams.take_session(one).unwrap();
            assert_eq!(bench.streams.send(one, b"x"), Some(1));
            assert!(bench.streams.session(one).is_none());
            bench.streams.put_back(one, session, Ok(()));
        }
        true
    });
    assert_eq!(calls, ["a is to be fed", "a is to be fed"]);
    assert!(bench.sending(a).is_some());
}

#[test]
fn garbage_is_answered_with_an_alert_and_then_it_ends() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let [session, _] = sessions(Role::Server, false);
    bench.streams.start_tls(a, session).unwrap();
    bench.data(a, b"GET / HTTP/1.1\r\n");
    bench.data(a, b"\r\n");
    assert!(bench.pass().is_empty());
    let alert = bench.sending(a).unwrap();
    assert_eq!(alert, 7);
    assert!(bench.streams.tls_error(a).is_some());
    assert_eq!(bench.streams.send(a, b"no"), Some(0));
    bench.arrive(a, Kind::Send, 7, true, b"");
    assert_eq!(bench.pass(), [format!("a ends {}", libc::EPROTO)]);
}

#[test]
fn a_peer_that_does_not_take_its_alert_is_not_waited_for() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let [session, _] = sessions(Role::Server, false);
    bench.streams.start_tls(a, session).unwrap();
    bench.data(a, b"GET / HTTP/1.1\r\n");
    assert!(bench.pass().is_empty());
    bench.now += Duration::from_secs(3);
    assert_eq!(bench.pass(), [format!("a ends {}", libc::EPROTO)]);
}

#[test]
fn who_leaves_during_a_handshake_ends_well_and_leaves_an_explanation() {
    let mut bench = Bench::new();
    let a = bench.add(Transport::Socket, 'a');
    let [session, mut other] = sessions(Role::Server, false);
    bench.streams.start_tls(a, session).unwrap();
    bench.data(a, &said_by(&mut other)[..20]);
    bench.end(a);
    let mut why = None;
    let calls = bench.pass_with(|bench, _| {
        why = bench.streams.tls_error(a).map(str::to_owned);
        true
    });
    assert_eq!(calls, ["a ends 0"]);
    assert!(why.unwrap().contains("during the TLS handshake"));
}
