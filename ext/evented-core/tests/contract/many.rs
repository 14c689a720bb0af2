//! More than any queue holds: nothing is lost.

use std::{
    collections::HashSet,
    io::{Read as _, Write as _},
};

use evented_core::op::Interest;

use super::rig::{self, Rig};

/// More than the completion queue's 4,096 entries, and far more than the submission queue's 256.
const MANY: usize = 5_000;

pub(crate) fn more_operations_than_any_queue_holds(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let tokens: Vec<_> = (0..MANY)
        .map(|_| rig.poll(&near, Interest::READABLE))
        .collect();
    rig.still_waits(tokens[0]);
    far.write_all(b"x").unwrap();
    for token in tokens {
        assert_eq!(rig.satisfied(token), Interest::READABLE.bits());
    }
    assert_eq!(rig.open(), 0);
}

pub(crate) fn more_transfers_than_any_queue_holds(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let tokens: Vec<_> = (0..MANY).map(|_| rig.recv(&near, 1)).collect();
    far.write_all(&[5; MANY]).unwrap();
    for (token, memory) in tokens {
        assert_eq!(rig.result(token), 1);
        assert_eq!(memory.bytes(), [5]);
    }
}

pub(crate) fn more_cancellations_than_any_queue_holds(rig: &mut Rig) {
    let (near, mut far) = rig::sockets();
    let tokens: Vec<_> = (0..MANY).map(|_| rig.recv(&near, 1)).collect();
    for (token, _) in &tokens {
        rig.cancel(*token);
    }
    for (token, _) in tokens {
        assert_eq!(rig.result(token), -libc::ECANCELED);
    }
    far.write_all(b"x").unwrap();
    let (token, _) = rig.recv(&near, 1);
    assert_eq!(rig.result(token), 1);
}

pub(crate) fn a_thousand_descriptors_at_once(rig: &mut Rig) {
    let pairs: Vec<_> = (0..400).map(|_| rig::sockets()).collect();
    let tokens: Vec<_> = pairs.iter().map(|(near, _)| rig.recv(near, 8)).collect();
    rig.still_waits(tokens[0].0);
    let mut seen = HashSet::new();
    for (index, (_, far)) in pairs.iter().enumerate() {
        (&*far).write_all(&index.to_ne_bytes()).unwrap();
    }
    for (token, memory) in tokens {
        assert_eq!(rig.result(token), 8);
        seen.insert(memory.bytes());
    }
    assert_eq!(seen.len(), pairs.len());
}

pub(crate) fn rounds_of_ping_pong(rig: &mut Rig) {
    let (near, far) = rig::sockets();
    for round in 0..1_000_u32 {
        let (receiver, memory) = rig.recv(&near, 4);
        let sender = rig.send(&far, &round.to_ne_bytes());
        assert_eq!(rig.result(sender), 4);
        let count = rig.result(receiver);
        assert_eq!(memory.first(count), round.to_ne_bytes());
    }
    near.set_nonblocking(true).unwrap();
    assert!((&near).read(&mut [0; 4]).is_err(), "nothing is left over");
}
