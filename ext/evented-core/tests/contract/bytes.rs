//! recv, send, read and write on sockets, pipes and terminals.

use std::{
    io::{self, Read as _, Write as _},
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    ptr,
};

use evented_core::op::{self, Op};

use super::rig::{self, Rig};

pub(crate) fn recv_takes_what_is_there(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    far.write_all(b"hello").unwrap();
    let (token, memory) = rig.recv(&near, 16);
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"hello");
}

pub(crate) fn recv_waits_for_what_is_not_there_yet(rig: &mut Rig) {
    let (near, mut far) = rig::tcp_sockets();
    let (token, memory) = rig.recv(&near, 16);
    rig.still_waits(token);
    far.write_all(b"later").unwrap();
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"later");
}

pub(crate) fn recv_works_in_blocking_and_in_nonblocking_mode(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    for nonblocking in [false, true] {
        near.set_nonblocking(nonblocking).unwrap();
        let (token, memory) = rig.recv(&near, 16);
        rig.still_waits(token);
        far.write_all(b"mode").unwrap();
        let count = rig.result(token);
        assert_eq!(memory.first(count), b"mode");
    }
}

pub(crate) fn recv_says_zero_at_the_end_of_the_stream(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    far.write_all(b"last").unwrap();
    drop(far);
    let (token, memory) = rig.recv(&near, 16);
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"last");
    for _ in 0..2 {
        let (token, _) = rig.recv(&near, 16);
        assert_eq!(rig.result(token), 0);
    }
}

pub(crate) fn recv_reports_a_reset_connection(rig: &mut Rig) {
    let (near, far) = rig::tcp_sockets();
    let (token, _) = rig.recv(&near, 16);
    rig.still_waits(token);
    reset(far);
    assert_eq!(rig.result(token), -libc::ECONNRESET);
}

pub(crate) fn recv_on_what_is_not_a_socket_fails(rig: &mut Rig) {
    let (reader, mut writer) = io::pipe().unwrap();
    let (token, _) = rig.recv(&reader, 16);
    if rig.driver.name() == "poll" {
        // Readiness comes first there.
        rig.still_waits(token);
        writer.write_all(b"x").unwrap();
    }
    assert_eq!(rig.result(token), -libc::ENOTSOCK);
}

pub(crate) fn recv_never_writes_past_what_it_reports(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let memory = rig.memory(&[0xAA; 64]);
    far.write_all(b"abc").unwrap();
    let token = rig.push(Op::Recv(op::Recv {
        fd: near.as_raw_fd(),
        transfer: memory.transfer(1),
    }));
    assert_eq!(rig.result(token), 3);
    assert_eq!(&memory.bytes()[..3], b"abc");
    assert_eq!(&memory.bytes()[3..], [0xAA; 61]);
}

pub(crate) fn send_puts_bytes_through(rig: &mut Rig) {
    let (near, mut far) = rig::tcp_sockets();
    let token = rig.send(&near, b"out");
    assert_eq!(rig.result(token), 3);
    let mut got = [0; 3];
    far.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"out");
}

pub(crate) fn send_waits_for_room(rig: &mut Rig) {
    let (near, far) = rig::sockets();
    let filled = rig::fill(&near);
    let token = rig.send(&near, b"tail");
    rig.still_waits(token);
    assert_eq!(rig::drain(&far), filled);
    assert_eq!(rig.result(token), 4);
    let mut got = [0; 4];
    (&far).read_exact(&mut got).unwrap();
    assert_eq!(&got, b"tail");
}

pub(crate) fn send_to_a_closed_peer_is_epipe_and_not_a_signal(rig: &mut Rig) {
    let (near, far) = rig::sockets();
    drop(far);
    let token = rig.send(&near, b"x");
    assert_eq!(rig.result(token), -libc::EPIPE);
}

pub(crate) fn read_takes_what_is_in_a_pipe(rig: &mut Rig) {
    let (reader, mut writer) = io::pipe().unwrap();
    let (token, memory) = rig.read(&reader, 16, None);
    rig.still_waits(token);
    writer.write_all(b"drip").unwrap();
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"drip");
}

pub(crate) fn read_says_zero_when_all_writers_are_gone(rig: &mut Rig) {
    let (reader, writer) = io::pipe().unwrap();
    let (token, _) = rig.read(&reader, 16, None);
    rig.still_waits(token);
    drop(writer);
    assert_eq!(rig.result(token), 0);
    let (token, _) = rig.read(&reader, 16, None);
    assert_eq!(rig.result(token), 0);
}

pub(crate) fn read_works_in_blocking_and_in_nonblocking_mode(rig: &mut Rig) {
    let (reader, mut writer) = io::pipe().unwrap();
    for nonblocking in [false, true] {
        rig::set_nonblocking(reader.as_raw_fd(), nonblocking);
        let (token, memory) = rig.read(&reader, 16, None);
        rig.still_waits(token);
        writer.write_all(b"mode").unwrap();
        let count = rig.result(token);
        assert_eq!(memory.first(count), b"mode");
    }
}

/// pread(2) refuses it; the ring takes no notice of positions where a file has none.
pub(crate) fn a_position_in_a_pipe_is_refused_or_means_nothing(rig: &mut Rig) {
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"x").unwrap();
    let (token, memory) = rig.read(&reader, 16, Some(3));
    let result = rig.result(token);
    if rig.driver.name() == "poll" {
        assert_eq!(result, -libc::ESPIPE);
    } else {
        assert_eq!(memory.first(result), b"x");
    }
}

pub(crate) fn read_from_a_terminal_waits_for_a_line(rig: &mut Rig) {
    let (terminal, mut keyboard) = terminal();
    let (token, memory) = rig.read(&terminal, 16, None);
    rig.still_waits(token);
    keyboard.write_all(b"typed\n").unwrap();
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"typed\n");
    let token = rig.write(&terminal, b"shown", None);
    assert_eq!(rig.result(token), 5);
}

pub(crate) fn read_from_a_device_without_readiness_comes_back(rig: &mut Rig) {
    let zero = std::fs::File::open("/dev/zero").unwrap();
    let (token, memory) = rig.read(&zero, 8, None);
    let count = rig.result(token);
    assert_eq!(memory.first(count), [0; 8]);
    let null = std::fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap();
    let (token, _) = rig.read(&null, 8, None);
    assert_eq!(rig.result(token), 0);
    let token = rig.write(&null, b"gone", None);
    assert_eq!(rig.result(token), 4);
}

pub(crate) fn write_puts_bytes_into_a_pipe(rig: &mut Rig) {
    let (mut reader, writer) = io::pipe().unwrap();
    let token = rig.write(&writer, b"ink", None);
    assert_eq!(rig.result(token), 3);
    let mut got = [0; 3];
    reader.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"ink");
}

pub(crate) fn write_waits_for_room(rig: &mut Rig) {
    let (mut reader, writer) = io::pipe().unwrap();
    rig::fill_pipe(&writer);
    let token = rig.write(&writer, b"tail", None);
    rig.still_waits(token);
    let _ = reader.read(&mut [0; 1 << 16]).unwrap();
    assert_eq!(rig.result(token), 4);
}

pub(crate) fn write_without_readers_is_epipe(rig: &mut Rig) {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    let token = rig.write(&writer, b"x", None);
    assert_eq!(rig.result(token), -libc::EPIPE);
}

pub(crate) fn every_transfer_on_a_bad_descriptor_is_ebadf(rig: &mut Rig) {
    for fd in [rig::NO_FD, -1] {
        let memory = rig.memory(&[0; 8]);
        let transfer = memory.transfer(1);
        let at = None;
        for op in [
            Op::Recv(op::Recv { fd, transfer }),
            Op::Send(op::Send { fd, transfer }),
            Op::Read(op::Read { fd, transfer, at }),
            Op::Write(op::Write { fd, transfer, at }),
        ] {
            let token = rig.push(op);
            assert_eq!(rig.result(token), -libc::EBADF, "{op:?}");
        }
    }
}

/// Closes a connection without a goodbye.
pub(crate) fn reset(stream: std::net::TcpStream) {
    let linger = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    // SAFETY: `linger` lives through the call, and its size is given.
    let set = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_LINGER,
            (&raw const linger).cast(),
            size_of::<libc::linger>() as libc::socklen_t,
        )
    };
    assert_eq!(set, 0);
}

/// A terminal and the keyboard before it.
fn terminal() -> (OwnedFd, std::fs::File) {
    let (mut keyboard, mut terminal) = (-1, -1);
    // SAFETY: both are written to; neither name nor settings are asked for.
    let opened = unsafe {
        libc::openpty(
            &raw mut keyboard,
            &raw mut terminal,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
        )
    };
    assert_eq!(opened, 0);
    // SAFETY: openpty has just made it for us.
    let terminal = unsafe { OwnedFd::from_raw_fd(terminal) };
    // SAFETY: as above.
    let keyboard = unsafe { std::fs::File::from_raw_fd(keyboard) };
    (terminal, keyboard)
}
