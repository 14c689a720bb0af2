//! poll: who wakes, and for what.

use std::{
    io::{self, Read as _, Write as _},
    os::fd::AsRawFd,
};

use evented_core::op::{Interest, Progress};

use super::{
    bytes,
    rig::{self, Rig},
};

const READABLE: u8 = Interest::READABLE.bits();
const WRITABLE: u8 = Interest::WRITABLE.bits();
const PRIORITY: u8 = Interest::PRIORITY.bits();

pub(crate) fn poll_tells_what_is_satisfied(rig: &mut Rig) {
    let both = Interest::READABLE.with(Interest::WRITABLE);
    let (near, mut far) = rig::sockets();
    let token = rig.poll(&near, both);
    assert_eq!(rig.satisfied(token), WRITABLE);
    far.write_all(b"x").unwrap();
    let token = rig.poll(&near, both);
    assert_eq!(rig.satisfied(token), READABLE | WRITABLE);
    let token = rig.poll(&near, Interest::READABLE);
    assert_eq!(rig.satisfied(token), READABLE);
}

pub(crate) fn poll_waits_until_something_is(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let token = rig.poll(&near, Interest::READABLE.with(Interest::PRIORITY));
    rig.still_waits(token);
    far.write_all(b"x").unwrap();
    assert_eq!(rig.satisfied(token), READABLE);
}

pub(crate) fn poll_hears_of_urgent_data(rig: &mut Rig) {
    let (near, far) = rig::tcp_sockets();
    let token = rig.poll(&near, Interest::PRIORITY);
    rig.still_waits(token);
    // SAFETY: one byte, on this stack.
    let sent = unsafe { libc::send(far.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(sent, 1);
    assert_eq!(rig.satisfied(token), PRIORITY);
}

pub(crate) fn poll_of_a_bad_descriptor_is_ebadf(rig: &mut Rig) {
    for fd in [rig::NO_FD, -1] {
        let token = rig.poll(&fd, Interest::READABLE);
        assert_eq!(rig.result(token), -libc::EBADF);
    }
}

pub(crate) fn poll_of_a_regular_file_comes_back_at_once(rig: &mut Rig) {
    let file = rig::file();
    let token = rig.poll(&file, Interest::READABLE.with(Interest::WRITABLE));
    assert_eq!(rig.satisfied(token), READABLE | WRITABLE);
}

pub(crate) fn urgent_data_in_a_regular_file_never_comes(rig: &mut Rig) {
    let file = rig::file();
    let token = rig.poll(&file, Interest::PRIORITY);
    let (mut op, result) = rig.come_back(token);
    assert_eq!(op.advance(result), Progress::Never);
}

pub(crate) fn a_hang_up_wakes_both_directions(rig: &mut Rig) {
    let (near, far) = rig::sockets();
    rig::fill(&near);
    let reader = rig.poll(&near, Interest::READABLE);
    let writer = rig.poll(&near, Interest::WRITABLE);
    rig.still_waits(reader);
    rig.still_waits(writer);
    drop(far);
    assert_eq!(rig.satisfied(reader), READABLE);
    assert_eq!(rig.satisfied(writer), WRITABLE);
}

pub(crate) fn a_reset_wakes_both_directions(rig: &mut Rig) {
    let (near, far) = rig::tcp_sockets();
    near.set_nonblocking(true).unwrap();
    while (&near).write(&[7; 4096]).is_ok() {}
    let reader = rig.poll(&near, Interest::READABLE);
    let writer = rig.poll(&near, Interest::WRITABLE);
    rig.still_waits(reader);
    bytes::reset(far);
    assert_eq!(rig.satisfied(reader), READABLE);
    assert_eq!(rig.satisfied(writer), WRITABLE);
}

pub(crate) fn a_pipe_without_readers_wakes_the_writer(rig: &mut Rig) {
    let (reader, writer) = io::pipe().unwrap();
    rig::fill_pipe(&writer);
    let token = rig.poll(&writer, Interest::WRITABLE);
    rig.still_waits(token);
    drop(reader);
    assert_eq!(rig.satisfied(token), WRITABLE);
}

pub(crate) fn a_pipe_without_writers_wakes_the_reader(rig: &mut Rig) {
    let (reader, writer) = io::pipe().unwrap();
    let token = rig.poll(&reader, Interest::READABLE);
    rig.still_waits(token);
    drop(writer);
    assert_eq!(rig.satisfied(token), READABLE);
}

pub(crate) fn waiters_on_one_descriptor_wake_for_their_own_direction_only(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    rig::fill(&near);
    let reader = rig.poll(&near, Interest::READABLE);
    let writer = rig.poll(&near, Interest::WRITABLE);
    let (receiver, memory) = rig.recv(&near, 16);
    rig.still_waits(reader);
    rig::drain(&far);
    assert_eq!(rig.satisfied(writer), WRITABLE);
    rig.still_waits(reader);
    rig.still_waits(receiver);
    far.write_all(b"now you").unwrap();
    let count = rig.result(receiver);
    assert_eq!(memory.first(count), b"now you");
    // The one or the other may have been asked first; more bytes wake whoever is left.
    far.write_all(b"and you").unwrap();
    assert_eq!(rig.satisfied(reader), READABLE);
}

pub(crate) fn all_waiters_of_one_direction_wake(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let tokens: Vec<_> = (0..10)
        .map(|_| rig.poll(&near, Interest::READABLE))
        .collect();
    rig.still_waits(tokens[0]);
    far.write_all(b"all").unwrap();
    for token in tokens {
        assert_eq!(rig.satisfied(token), READABLE);
    }
}

pub(crate) fn bytes_flow_in_both_directions_of_one_descriptor(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    near.set_nonblocking(true).unwrap();
    let filled = rig::fill(&near);
    let sender = rig.send(&near, b"tail");
    let (receiver, memory) = rig.recv(&near, 16);
    rig.still_waits(sender);
    far.write_all(b"in").unwrap();
    let count = rig.result(receiver);
    assert_eq!(memory.first(count), b"in");
    rig.still_waits(sender);
    // A second receiver joins while the sender waits.
    let (receiver, memory) = rig.recv(&near, 16);
    rig.still_waits(receiver);
    assert_eq!(rig::drain(&far), filled);
    assert_eq!(rig.result(sender), 4);
    rig.still_waits(receiver);
    far.write_all(b"again").unwrap();
    let count = rig.result(receiver);
    assert_eq!(memory.first(count), b"again");
}

pub(crate) fn a_false_alarm_goes_on_waiting(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let (token, memory) = rig.recv(&near, 16);
    rig.still_waits(token);
    // Somebody else takes the bytes before the driver looks.
    far.write_all(b"stolen").unwrap();
    (&near).read_exact(&mut [0; 6]).unwrap();
    rig.still_waits(token);
    far.write_all(b"mine").unwrap();
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"mine");
}
