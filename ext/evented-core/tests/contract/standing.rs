//! Requests of streams: ask, stop, arrival, give_back, release.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::{
        fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use evented_core::{
    clock,
    driver::standing::{Arrival, Ask, Kind, Signature},
    op::{self, Interest},
};

use super::rig::{self, NAP, Rig};

/// What has come next, with its bytes.
#[track_caller]
fn next(rig: &mut Rig) -> (Arrival, Vec<u8>) {
    let deadline = clock::now() + NAP;
    loop {
        if let Some(arrival) = rig.driver.arrival() {
            let bytes = rig.driver.bytes(&arrival).to_vec();
            rig.driver.give_back(&arrival);
            return (arrival, bytes);
        }
        assert!(clock::now() < deadline, "nothing came");
        rig.turn(Some(NAP));
    }
}

#[track_caller]
fn nothing_comes(rig: &mut Rig) {
    for _ in 0..3 {
        rig.turn(Some(Duration::ZERO));
        assert!(rig.driver.arrival().is_none());
    }
}

/// Asks, and sees to it that the request has left.
fn ask(rig: &mut Rig, ask: Ask) -> Signature {
    let signature = Signature::next();
    rig.driver.ask(signature, ask);
    rig.turn(Some(Duration::ZERO));
    signature
}

/// Everything that comes until the request has ended; how it has ended.
#[track_caller]
fn all(rig: &mut Rig) -> (Vec<u8>, i32) {
    let mut all = Vec::new();
    loop {
        let (arrival, bytes) = next(rig);
        all.extend(bytes);
        if arrival.last {
            return (all, arrival.result);
        }
    }
}

pub(crate) fn receive_brings_all_that_comes_and_then_the_end(rig: &mut Rig) {
    let (near, mut far) = rig::tcp_sockets();
    let signature = ask(rig, Ask::Receive(near.as_raw_fd()));
    nothing_comes(rig);
    for piece in [&b"one"[..], b"two", b"three"] {
        far.write_all(piece).unwrap();
        let (arrival, bytes) = next(rig);
        assert_eq!(
            (arrival.signature, arrival.kind),
            (signature, Kind::Receive)
        );
        assert!(!arrival.last);
        assert_eq!(bytes, piece);
    }
    drop(far);
    let (arrival, _) = next(rig);
    assert_eq!((arrival.result, arrival.last), (0, true));
    nothing_comes(rig);
}

pub(crate) fn receive_loses_nothing_of_what_came_before_it_was_asked_for(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    far.write_all(b"early").unwrap();
    drop(far);
    ask(rig, Ask::Receive(near.as_raw_fd()));
    assert_eq!(all(rig), (b"early".to_vec(), 0));
}

pub(crate) fn an_end_right_behind_the_last_bytes_is_not_missed(rig: &mut Rig) {
    ends(rig, rig::sockets, drop);
}

pub(crate) fn an_end_right_behind_the_last_bytes_of_a_connection_is_not_missed(rig: &mut Rig) {
    ends(rig, rig::tcp_sockets, drop);
}

pub(crate) fn a_reset_right_behind_the_last_bytes_is_not_missed(rig: &mut Rig) {
    ends(rig, rig::tcp_sockets, super::bytes::reset);
}

/// Has a socket end behind some bytes, before the driver looks.
fn ends<S>(rig: &mut Rig, sockets: fn() -> (S, S), end: fn(S))
where
    S: AsRawFd + IntoRawFd + std::io::Write,
{
    for _ in 0..10 {
        let (near, mut far) = sockets();
        ask(rig, Ask::Receive(near.as_raw_fd()));
        nothing_comes(rig);
        far.write_all(&[7; 123]).unwrap();
        end(far);
        // A reset may throw away what was not read yet.
        let (bytes, result) = all(rig);
        assert!(result == 0 && bytes.len() == 123 || result == -libc::ECONNRESET);
        rig.driver.release(near.into_raw_fd());
    }
}

pub(crate) fn a_reset_ends_a_receive(rig: &mut Rig) {
    let (near, far) = rig::tcp_sockets();
    ask(rig, Ask::Receive(near.as_raw_fd()));
    super::bytes::reset(far);
    let (arrival, _) = next(rig);
    assert_eq!((arrival.result, arrival.last), (-libc::ECONNRESET, true));
}

pub(crate) fn a_receive_that_is_stopped_ends_once_and_keeps_what_has_come(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let signature = ask(rig, Ask::Receive(near.as_raw_fd()));
    far.write_all(b"before").unwrap();
    rig.driver.stop(signature, Kind::Receive);
    let mut came = Vec::new();
    loop {
        let (arrival, bytes) = next(rig);
        came.extend(bytes);
        if arrival.last {
            assert!(arrival.result == -libc::ECANCELED || arrival.result > 0);
            break;
        }
    }
    far.write_all(b"after").unwrap();
    nothing_comes(rig);
    // Whatever has not come is still in the socket.
    let mut rest = vec![0; 11 - came.len()];
    (&near).read_exact(&mut rest).unwrap();
    came.extend(rest);
    assert_eq!(came, b"beforeafter");
}

pub(crate) fn more_than_there_are_buffers_comes_through(rig: &mut Rig) {
    const LEN: usize = 8 * 1024 * 1024;
    let (near, mut far) = rig::sockets();
    let writer = std::thread::spawn(move || far.write_all(&vec![b'x'; LEN]).unwrap());
    let signature = ask(rig, Ask::Receive(near.as_raw_fd()));
    let mut count = 0;
    while count < LEN {
        let (arrival, bytes) = next(rig);
        count += bytes.len();
        if arrival.last && count < LEN {
            assert_eq!(arrival.result, -libc::ENOBUFS);
            rig.driver.ask(signature, Ask::Receive(near.as_raw_fd()));
        }
    }
    writer.join().unwrap();
    assert_eq!(count, LEN);
}

pub(crate) fn a_chatty_peer_does_not_keep_a_quiet_one_from_being_heard(rig: &mut Rig) {
    let (chatty, mut talker) = rig::sockets();
    let (quiet, mut whisperer) = rig::sockets();
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = std::sync::Arc::clone(&stop);
    let thread = std::thread::spawn(move || {
        while !stopped.load(std::sync::atomic::Ordering::SeqCst)
            && talker.write_all(&[1; 65536]).is_ok()
        {}
    });
    let one = ask(rig, Ask::Receive(chatty.as_raw_fd()));
    let other = ask(rig, Ask::Receive(quiet.as_raw_fd()));
    whisperer.write_all(b"psst").unwrap();
    let mut pieces = 0;
    loop {
        let (arrival, _) = next(rig);
        if arrival.signature == other {
            break;
        }
        pieces += 1;
        assert!(pieces < 10_000, "it is never its turn");
        if arrival.last {
            rig.driver.ask(one, Ask::Receive(chatty.as_raw_fd()));
        }
    }
    stop.store(true, std::sync::atomic::Ordering::SeqCst);
    rig.driver.stop(one, Kind::Receive);
    drop(chatty);
    // The request, which has the socket open as long as it stands, has to leave.
    rig.turn(Some(Duration::ZERO));
    let _ = thread.join();
}

pub(crate) fn receive_from_what_is_no_socket_fails(rig: &mut Rig) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    ask(rig, Ask::Receive(reader.as_raw_fd()));
    writer.write_all(b"x").unwrap();
    let (arrival, _) = next(rig);
    assert_eq!((arrival.result, arrival.last), (-libc::ENOTSOCK, true));
}

pub(crate) fn accept_brings_every_connection(rig: &mut Rig) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let signature = ask(
        rig,
        Ask::Accept(op::Accept {
            fd: listener.as_raw_fd(),
        }),
    );
    nothing_comes(rig);
    let peers: Vec<TcpStream> = (0..20)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    for _ in &peers {
        let (arrival, _) = next(rig);
        assert_eq!((arrival.signature, arrival.kind), (signature, Kind::Accept));
        let accepted = owned(arrival.result);
        assert!(is_nonblocking(accepted.as_raw_fd()));
    }
    rig.driver.stop(signature, Kind::Accept);
    let (arrival, _) = next(rig);
    assert_eq!((arrival.result, arrival.last), (-libc::ECANCELED, true));
}

pub(crate) fn send_takes_what_there_is_room_for(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let transfer = rig.memory(b"hello").transfer(1);
    let signature = ask(
        rig,
        Ask::Send(op::Send {
            fd: near.as_raw_fd(),
            transfer,
        }),
    );
    let (arrival, _) = next(rig);
    assert_eq!((arrival.signature, arrival.kind), (signature, Kind::Send));
    assert_eq!((arrival.result, arrival.last), (5, true));
    let mut got = [0; 5];
    far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"hello");
}

pub(crate) fn send_waits_for_room_and_can_be_stopped(rig: &mut Rig) {
    let (near, far) = rig::sockets();
    rig::fill(&near);
    let transfer = rig.memory(b"hello").transfer(1);
    let send = op::Send {
        fd: near.as_raw_fd(),
        transfer,
    };
    let signature = ask(rig, Ask::Send(send));
    nothing_comes(rig);
    rig.driver.stop(signature, Kind::Send);
    assert_eq!(next(rig).0.result, -libc::ECANCELED);
    let signature = ask(rig, Ask::Send(send));
    rig::drain(&far);
    let (arrival, _) = next(rig);
    assert_eq!((arrival.signature, arrival.result), (signature, 5));
}

pub(crate) fn ready_comes_once_for_what_is_ready(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let poll = op::Poll::new(near.as_raw_fd(), Interest::READABLE);
    let signature = ask(rig, Ask::Ready(poll));
    nothing_comes(rig);
    far.write_all(b"x").unwrap();
    let (arrival, _) = next(rig);
    assert_eq!(
        (arrival.signature, arrival.kind, arrival.last),
        (signature, Kind::Ready, true)
    );
    nothing_comes(rig);
    // It still is, and is asked for anew.
    rig.driver.ask(signature, Ask::Ready(poll));
    assert!(next(rig).0.result > 0);
}

pub(crate) fn everything_can_be_asked_for_on_one_descriptor_at_once(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let signature = ask(
        rig,
        Ask::Ready(op::Poll::new(near.as_raw_fd(), Interest::WRITABLE)),
    );
    rig.driver.ask(signature, Ask::Receive(near.as_raw_fd()));
    assert_eq!(next(rig).0.kind, Kind::Ready);
    far.write_all(b"in").unwrap();
    let (arrival, bytes) = next(rig);
    assert_eq!((arrival.kind, bytes), (Kind::Receive, b"in".to_vec()));
    let transfer = rig.memory(b"out").transfer(1);
    rig.driver.ask(
        signature,
        Ask::Send(op::Send {
            fd: near.as_raw_fd(),
            transfer,
        }),
    );
    assert_eq!(next(rig).0.kind, Kind::Send);
    // A fiber may wait on it as well.
    let token = rig.poll(&near, Interest::WRITABLE);
    assert_eq!(rig.satisfied(token), Interest::WRITABLE.bits());
    far.write_all(b"more").unwrap();
    assert_eq!(next(rig).1, b"more");
}

pub(crate) fn a_released_descriptor_is_closed_and_its_number_may_come_again(rig: &mut Rig) {
    for round in 0..50 {
        let (near, mut far) = UnixStream::pair().unwrap();
        let fd = near.into_raw_fd();
        let signature = ask(rig, Ask::Receive(fd));
        rig.driver.stop(signature, Kind::Receive);
        rig.driver.release(fd);
        let (arrival, _) = next(rig);
        assert_eq!(
            (arrival.result, arrival.last),
            (-libc::ECANCELED, true),
            "round {round}"
        );
        rig.turn(Some(Duration::ZERO));
        assert_eq!(
            far.read(&mut [0]).unwrap(),
            0,
            "the other end sees it closed"
        );
    }
    nothing_comes(rig);
}

pub(crate) fn closing_the_driver_waits_for_what_is_being_sent(rig: &mut Rig) {
    let (near, _far) = rig::sockets();
    rig::fill(&near);
    let transfer = rig.memory(&[1; 100]).transfer(1);
    ask(
        rig,
        Ask::Send(op::Send {
            fd: near.as_raw_fd(),
            transfer,
        }),
    );
    ask(rig, Ask::Receive(near.as_raw_fd()));
    rig.close();
}

fn owned(fd: RawFd) -> OwnedFd {
    assert!(fd >= 0, "a descriptor, and no errno: {fd}");
    // SAFETY: it was just accepted for us.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn is_nonblocking(fd: RawFd) -> bool {
    // SAFETY: two integers in, one out.
    unsafe { libc::fcntl(fd, libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}
