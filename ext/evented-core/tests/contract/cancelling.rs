//! cancel, for each operation that can wait, at each moment of its life.

use std::{
    io::{Read as _, Write as _},
    time::Duration,
};

use evented_core::{Token, op::Interest};

use super::rig::{self, Parked, Rig};

pub(crate) fn before_it_is_submitted(rig: &mut Rig) {
    for parked in rig::one_of_each(rig) {
        let token = rig.push(parked.op);
        rig.cancel(token);
        assert_eq!(rig.result(token), -libc::ECANCELED, "{}", parked.name);
    }
}

pub(crate) fn while_it_is_parked(rig: &mut Rig) {
    for parked in rig::one_of_each(rig) {
        let token = rig.push(parked.op);
        rig.still_waits(token);
        rig.cancel(token);
        assert_eq!(rig.result(token), -libc::ECANCELED, "{}", parked.name);
    }
}

pub(crate) fn when_its_turn_has_come_but_nobody_looked(rig: &mut Rig) {
    for mut parked in rig::one_of_each(rig) {
        let token = rig.push(parked.op);
        rig.still_waits(token);
        (parked.succeed)();
        rig.cancel(token);
        let result = rig.result(token);
        assert_cancelled_or_done(&parked, result);
    }
}

pub(crate) fn after_it_has_come_back(rig: &mut Rig) {
    for mut parked in rig::one_of_each(rig) {
        let token = rig.push(parked.op);
        (parked.succeed)();
        let result = rig.result(token);
        assert!(result >= 0, "{}: {result}", parked.name);
        rig.cancel(token);
        // The rig refuses a second coming.
        rig.turn(Some(Duration::ZERO));
        rig.turn(Some(Duration::ZERO));
    }
}

pub(crate) fn twice(rig: &mut Rig) {
    for parked in rig::one_of_each(rig) {
        let token = rig.push(parked.op);
        rig.still_waits(token);
        rig.cancel(token);
        rig.cancel(token);
        assert_eq!(rig.result(token), -libc::ECANCELED, "{}", parked.name);
        rig.cancel(token);
        rig.turn(Some(Duration::ZERO));
        rig.turn(Some(Duration::ZERO));
    }
}

pub(crate) fn in_the_turn_of_its_success(rig: &mut Rig) {
    for mut parked in rig::one_of_each(rig) {
        (parked.succeed)();
        let token = rig.push(parked.op);
        rig.cancel(token);
        let result = rig.result(token);
        assert_cancelled_or_done(&parked, result);
    }
}

pub(crate) fn a_cancelled_recv_consumes_nothing(rig: &mut Rig) {
    for round in 0..100_u32 {
        let (near, mut far) = rig::sockets();
        let (token, memory) = rig.recv(&near, 4);
        if round % 2 == 0 {
            rig.still_waits(token);
        }
        far.write_all(b"once").unwrap();
        rig.cancel(token);
        let result = rig.result(token);
        let mut got = [0; 4];
        if result == -libc::ECANCELED {
            near.set_nonblocking(true).unwrap();
            (&near).read_exact(&mut got).unwrap();
        } else {
            got.copy_from_slice(&memory.first(result));
        }
        assert_eq!(&got, b"once");
    }
}

pub(crate) fn one_of_many_on_a_descriptor_leaves_the_others(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let tokens: Vec<_> = (0..5)
        .map(|_| rig.poll(&near, Interest::READABLE))
        .collect();
    rig.still_waits(tokens[0]);
    rig.cancel(tokens[2]);
    assert_eq!(rig.result(tokens[2]), -libc::ECANCELED);
    assert_eq!(rig.open(), 4);
    far.write_all(b"x").unwrap();
    for index in [0, 1, 3, 4] {
        assert_eq!(rig.satisfied(tokens[index]), Interest::READABLE.bits());
    }
}

pub(crate) fn an_unknown_token_is_harmless(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let (token, _) = rig.recv(&near, 4);
    rig.cancel(Token::from_bits((7 << 32) + 1));
    rig.cancel(Token::default());
    rig.still_waits(token);
    far.write_all(b"safe").unwrap();
    assert_eq!(rig.result(token), 4);
}

#[track_caller]
fn assert_cancelled_or_done(parked: &Parked, result: i32) {
    assert!(
        result >= 0 || result == -libc::ECANCELED,
        "{}: {result}",
        parked.name
    );
}
