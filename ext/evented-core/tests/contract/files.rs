//! Regular files: always "ready", and blocking all the same.

use std::{
    fs::File,
    io::{Read as _, Seek as _, Write as _},
};

use super::rig::{self, Rig};

pub(crate) fn a_regular_file_is_written_and_read_back(rig: &mut Rig) {
    let mut file = rig::file();
    let token = rig.write(&file, b"paper", None);
    assert_eq!(rig.result(token), 5);
    file.rewind().unwrap();
    let (token, memory) = rig.read(&file, 16, None);
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"paper");
}

pub(crate) fn a_position_leaves_the_file_where_it_stands(rig: &mut Rig) {
    let mut file = rig::file();
    file.write_all(b"0123456789").unwrap();
    file.rewind().unwrap();
    let token = rig.write(&file, b"xy", Some(4));
    assert_eq!(rig.result(token), 2);
    let (token, memory) = rig.read(&file, 4, Some(3));
    let count = rig.result(token);
    assert_eq!(memory.first(count), b"3xy6");
    assert_eq!(file.stream_position().unwrap(), 0);
}

pub(crate) fn a_regular_file_ends_with_zero(rig: &mut Rig) {
    let mut file = rig::file();
    file.write_all(b"all").unwrap();
    let (token, _) = rig.read(&file, 16, None);
    assert_eq!(rig.result(token), 0);
    let (token, _) = rig.read(&file, 16, Some(3));
    assert_eq!(rig.result(token), 0);
}

pub(crate) fn a_directory_cannot_be_read(rig: &mut Rig) {
    let directory = File::open("/").unwrap();
    let (token, _) = rig.read(&directory, 16, None);
    assert_eq!(rig.result(token), -libc::EISDIR);
}

pub(crate) fn a_file_opened_for_the_other_direction_is_ebadf(rig: &mut Rig) {
    let readable = File::open("/proc/self/exe").unwrap();
    let token = rig.write(&readable, b"x", None);
    assert_eq!(rig.result(token), -libc::EBADF);
}

pub(crate) fn many_files_at_once_never_hang(rig: &mut Rig) {
    let files: Vec<_> = (0..100).map(|_| rig::file()).collect();
    let tokens: Vec<_> = files
        .iter()
        .map(|file| rig.write(file, &[9; 10_000], Some(0)))
        .collect();
    for token in tokens {
        assert_eq!(rig.result(token), 10_000);
    }
    for mut file in files {
        let mut content = Vec::new();
        file.read_to_end(&mut content).unwrap();
        assert_eq!(content, [9; 10_000]);
    }
}

pub(crate) fn cancelling_a_file_operation_loses_nothing(rig: &mut Rig) {
    for _ in 0..50 {
        let mut file = rig::file();
        let token = rig.write(&file, b"kept", None);
        rig.cancel(token);
        let result = rig.result(token);
        let mut content = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut content).unwrap();
        if result == -libc::ECANCELED {
            assert_eq!(content, b"");
        } else {
            assert_eq!(result, 4);
            assert_eq!(content, b"kept");
        }
    }
}
