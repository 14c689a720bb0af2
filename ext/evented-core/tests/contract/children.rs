//! waitid: the ends of child processes.

use std::os::unix::process::ExitStatusExt as _;

use evented_core::op::{self, Op};

use super::rig::{Child, Rig};

pub(crate) fn waitid_comes_back_when_the_child_ends(rig: &mut Rig) {
    let mut child = Child::start();
    let token = rig.wait_for(child.pid());
    rig.still_waits(token);
    child.end();
    assert_eq!(rig.result(token), 0);
}

pub(crate) fn waitid_leaves_the_status_to_be_reaped(rig: &mut Rig) {
    let mut child = Child::start();
    let token = rig.wait_for(child.pid());
    child.end();
    assert_eq!(rig.result(token), 0);
    assert!(child.reap().success());
}

pub(crate) fn waitid_of_an_ended_child_comes_back(rig: &mut Rig) {
    let mut child = Child::start();
    child.end();
    for _ in 0..2 {
        let token = rig.wait_for(child.pid());
        assert_eq!(rig.result(token), 0);
    }
}

pub(crate) fn waitid_of_a_killed_child_comes_back(rig: &mut Rig) {
    let mut child = Child::start();
    let token = rig.wait_for(child.pid());
    child.kill();
    assert_eq!(rig.result(token), 0);
    assert_eq!(child.reap().signal(), Some(libc::SIGKILL));
}

pub(crate) fn two_waiters_see_one_child_end(rig: &mut Rig) {
    let mut child = Child::start();
    let first = rig.wait_for(child.pid());
    let second = rig.wait_for(child.pid());
    rig.still_waits(first);
    child.end();
    assert_eq!(rig.result(first), 0);
    assert_eq!(rig.result(second), 0);
}

pub(crate) fn waitid_of_a_reaped_child_is_an_error(rig: &mut Rig) {
    let mut child = Child::start();
    child.reap();
    let token = rig.wait_for(child.pid());
    let result = rig.result(token);
    assert!(
        [-libc::ECHILD, -libc::ESRCH].contains(&result),
        "{result} says that it ended"
    );
}

pub(crate) fn waitid_of_a_group_waits_or_is_refused(rig: &mut Rig) {
    let mut child = Child::start();
    let group = libc::pid_t::try_from(child.pid()).unwrap();
    let token = rig.push(Op::WaitId(op::WaitId { pid: -group }));
    if rig.driver.name() == "poll" {
        assert_eq!(rig.result(token), -libc::EOPNOTSUPP);
    } else {
        rig.still_waits(token);
        child.end();
        assert_eq!(rig.result(token), 0);
    }
}
