//! Descriptors that are closed, and the driver's own end.

use std::{
    io::{Read as _, Write as _},
    os::{
        fd::{AsRawFd, IntoRawFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use evented_core::op::{self, Interest, Op};

use super::rig::{self, NO_FD, Rig};

pub(crate) fn close_ends_the_descriptor(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let token = rig.push(Op::Close(op::Close {
        fd: near.into_raw_fd(),
    }));
    assert_eq!(rig.result(token), 0);
    assert_eq!(far.read(&mut [0; 4]).unwrap(), 0);
}

pub(crate) fn close_of_a_bad_descriptor_is_ebadf(rig: &mut Rig) {
    let token = rig.push(Op::Close(op::Close { fd: NO_FD }));
    assert_eq!(rig.result(token), -libc::EBADF);
}

pub(crate) fn cancelling_a_close_changes_nothing(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let token = rig.push(Op::Close(op::Close {
        fd: near.into_raw_fd(),
    }));
    rig.cancel(token);
    assert_eq!(rig.result(token), 0);
    assert_eq!(far.read(&mut [0; 4]).unwrap(), 0);
}

pub(crate) fn a_reused_number_stands_for_the_new_file(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let (token, _) = rig.recv(&near, 16);
    rig.still_waits(token);
    rig.cancel(token);
    assert_eq!(rig.result(token), -libc::ECANCELED);

    let (other_near, mut other_far) = rig::sockets();
    replace(near.as_raw_fd(), &other_near);
    let (token, memory) = rig.recv(&near, 16);
    rig.still_waits(token);
    assert!(far.write(b"to nobody").is_err(), "the old file is closed");
    rig.still_waits(token);
    other_far.write_all(b"to the new").unwrap();
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"to the new");
}

pub(crate) fn a_number_reused_many_times_never_hangs(rig: &mut Rig) {
    let (number, _) = rig::sockets();
    for round in 0..200_u32 {
        let (near, mut far) = rig::sockets();
        replace(number.as_raw_fd(), &near);
        drop(near);
        let token = if round % 2 == 0 {
            rig.recv(&number, 4).0
        } else {
            rig.poll(&number, Interest::READABLE)
        };
        if round % 3 == 0 {
            rig.still_waits(token);
        }
        far.write_all(b"next").unwrap();
        assert!(rig.result(token) > 0);
    }
}

pub(crate) fn buffers_are_left_alone_once_the_driver_is_closed(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (received, read) = (rig.memory(&[0xAA; 64]), rig.memory(&[0xAA; 64]));
    rig.push(Op::Recv(op::Recv {
        fd: near.as_raw_fd(),
        transfer: received.transfer(1),
    }));
    let token = rig.push(Op::Read(op::Read {
        fd: reader.as_raw_fd(),
        transfer: read.transfer(1),
        at: None,
    }));
    rig.still_waits(token);
    rig.close();
    far.write_all(&[1; 64]).unwrap();
    writer.write_all(&[1; 64]).unwrap();
    // Even if the kernel is made to run its deferred work.
    rig.driver.wait(Some(Duration::ZERO));
    assert_eq!(received.bytes(), [0xAA; 64]);
    assert_eq!(read.bytes(), [0xAA; 64]);
    // The bytes were not taken away either.
    near.set_nonblocking(true).unwrap();
    assert_eq!((&near).read(&mut [0; 64]).unwrap(), 64);
}

pub(crate) fn an_idle_driver_closes(rig: &mut Rig) {
    rig.close();
}

pub(crate) fn a_driver_closes_with_thousands_in_flight(rig: &mut Rig) {
    let (near, _far) = rig::sockets();
    for _ in 0..3_000 {
        rig.recv(&near, 1);
    }
    for _ in 0..3_000 {
        rig.poll(&near, Interest::READABLE);
    }
    rig.close();
}

pub(crate) fn a_driver_closes_with_files_in_flight(rig: &mut Rig) {
    let files: Vec<_> = (0..40).map(|_| rig::file()).collect();
    for mut file in &files {
        file.write_all(&[1; 5_000]).unwrap();
    }
    let memories: Vec<_> = files
        .iter()
        .map(|file| rig.read(file, 5_000, Some(0)).1)
        .collect();
    rig.close();
    // Each has either been read or not; none is being read now.
    let before: Vec<_> = memories.iter().map(|memory| memory.bytes()).collect();
    for file in &files {
        file.set_len(0).unwrap();
    }
    let after: Vec<_> = memories.iter().map(|memory| memory.bytes()).collect();
    assert_eq!(before, after);
}

/// Makes the number `fd` stand for another file, whose number stays free of races with other threads.
fn replace(fd: RawFd, by: &UnixStream) {
    // SAFETY: both are descriptors of this test; the one that is closed has no other user.
    assert_eq!(unsafe { libc::dup2(by.as_raw_fd(), fd) }, fd);
}
