//! Bugs that were found, each with the test that would have caught it.

use std::{
    collections::VecDeque,
    io::Write as _,
    os::{fd::AsRawFd, unix::net::UnixStream},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use evented_core::{
    Driver, Outcome, Reactor, Root, Tables, Token,
    buffer::Buffer,
    clock,
    op::{self, Interest, Op, Transfer},
};

#[derive(Clone, Copy, Debug)]
struct Fiber(usize);

impl Root for Fiber {
    fn fiber(&self) -> usize {
        self.0
    }
}

/// A receive for at least ten bytes; four came in the very turn in which its deadline passed. They
/// have left the socket, so they must not leave the program.
#[test]
fn bytes_that_come_in_the_turn_of_the_deadline_are_not_lost() {
    let mut into = [0; 10];
    // SAFETY: the fake driver writes nowhere.
    let buffer = unsafe { Buffer::new(into.as_mut_ptr(), into.len()) };
    let recv = Op::Recv(op::Recv {
        fd: 3,
        transfer: Transfer::new(buffer, 10),
    });
    let (mut tables, mut driver) = (Tables::new(), Driver::fake());
    let mut reactor = Reactor::new(&mut tables, &mut driver);
    let now = clock::now();
    let token = reactor.submit(Fiber(1), recv, Some(now));
    reactor.dispatch(Some(now), &mut VecDeque::new());
    reactor.flush_cancels();
    let script = driver.script().expect("it is a fake");
    script.complete(token, 4);
    Reactor::new(&mut tables, &mut driver).dispatch(Some(now), &mut VecDeque::new());
    assert_eq!(tables.leave(token), Some(Outcome::Done(4)));
}

/// The ring reports what the socket's wake-up said, and that says "urgent" for all data; and it does
/// not wake at all for somebody who waits for urgent data alone.
#[cfg(target_os = "linux")]
#[test]
fn the_ring_tells_urgent_data_from_other_data() {
    let _alone = alone();
    let Ok(mut driver) = Driver::uring() else {
        return;
    };
    let mut tables = Tables::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let mut far = std::net::TcpStream::connect(address).expect("a connection");
    let (near, _) = listener.accept().expect("its other end");
    far.set_nodelay(true).expect("no delay");
    let mut wait_for = |interest, act: &mut dyn FnMut()| {
        let fd = near.as_raw_fd();
        let poll = Op::Poll(op::Poll::new(fd, interest));
        let limit = clock::now() + Duration::from_secs(5);
        let mut reactor = Reactor::new(&mut tables, &mut driver);
        let token = reactor.submit(Fiber(1), poll, Some(limit));
        driver.wait(Some(Duration::ZERO));
        act();
        let outcome = outcome(&mut tables, &mut driver, token);
        tables.leave(token);
        outcome
    };

    let both = Interest::READABLE.with(Interest::PRIORITY);
    let data = wait_for(both, &mut || far.write_all(b"data").expect("room"));
    assert_eq!(data, Outcome::Done(i32::from(Interest::READABLE.bits())));

    let urgent = wait_for(Interest::PRIORITY, &mut || {
        far.write_all(b"more").expect("room");
        // SAFETY: one byte of a constant.
        let sent = unsafe { libc::send(far.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
        assert_eq!(sent, 1);
    });
    assert_eq!(urgent, Outcome::Done(i32::from(Interest::PRIORITY.bits())));
}

/// A file that was registered lives on under another number; its old number is given to the
/// descriptor of a process. What happens to the file must not look like the end of the process.
#[cfg(target_os = "linux")]
#[test]
fn the_poll_driver_does_not_take_an_old_file_for_a_child() {
    let _alone = alone();
    let mut driver = Driver::poll().expect("a driver");
    let (near, mut far) = UnixStream::pair().expect("sockets");
    let mut child = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("a child");
    let keep = near.try_clone().expect("another number");

    let first = Token::from_bits((1 << 32) + 1);
    let poll = op::Poll::new(near.as_raw_fd(), Interest::READABLE);
    driver.push(Op::Poll(poll), first);
    driver.cancel(first);
    assert_eq!(driver.reap(), Some((first, -libc::ECANCELED)));
    drop(near);

    let second = Token::from_bits((1 << 32) + 2);
    let pid = child.id().try_into().expect("a process number");
    driver.push(Op::WaitId(op::WaitId { pid }), second);
    far.write_all(b"x").expect("room");
    driver.wait(Some(Duration::ZERO));
    assert_eq!(driver.reap(), None, "the child is alive");

    drop(child.stdin.take());
    while !driver.has_completions() {
        driver.wait(Some(Duration::from_secs(5)));
    }
    assert_eq!(driver.reap(), Some((second, 0)));
    child.wait().expect("a child to reap");
    drop(keep);
    assert!(driver.close());
}

fn outcome(tables: &mut Tables<Fiber>, driver: &mut Driver, token: Token) -> Outcome {
    loop {
        if let Some(outcome) = tables.outcome(token) {
            return outcome;
        }
        Reactor::new(tables, driver).flush_cancels();
        driver.wait(Some(Duration::from_secs(5)));
        Reactor::new(tables, driver).dispatch(Some(clock::now()), &mut VecDeque::new());
    }
}

/// Descriptors' numbers matter to these tests.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
