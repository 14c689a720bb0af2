//! A kernel that takes and gives as little as it likes: each transfer comes out whole, or says how far it came.

mod cases;

use std::collections::VecDeque;

use evented_core::{
    Driver, Outcome, Reactor, Root, Tables,
    buffer::Buffer,
    op::{self, Op, Transfer},
};
use proptest::prelude::*;

#[derive(Clone, Copy, Debug)]
struct Fiber;

impl Root for Fiber {
    fn fiber(&self) -> usize {
        1
    }
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Recv,
    Send,
    Read,
    Write,
}

/// What the kernel does with one request.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// So many bytes at most.
    Some(usize),
    /// The end of the stream, or nothing was taken.
    Nothing,
    Error(i32),
}

fn answer() -> impl Strategy<Value = Answer> {
    prop_oneof![
        12 => (1..40_usize).prop_map(Answer::Some),
        1 => Just(Answer::Nothing),
        1 => prop_oneof![Just(libc::ECONNRESET), Just(libc::EPIPE), Just(libc::EIO), Just(libc::ENOSPC)]
            .prop_map(Answer::Error),
    ]
}

fn kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Recv),
        Just(Kind::Send),
        Just(Kind::Read),
        Just(Kind::Write)
    ]
}

/// What nobody has written to.
const UNTOUCHED: u8 = 0xEE;

/// The bytes of the stream or the file, by position.
fn byte(position: usize) -> u8 {
    u8::try_from(position % 200).unwrap_or(0)
}

/// Memory, and the operation that it is lent to.
struct Lent {
    memory: Vec<u8>,
    start: *mut u8,
    kind: Kind,
    at: Option<u64>,
    least: usize,
}

impl Lent {
    fn new(kind: Kind, len: usize, least: usize, at: Option<u64>) -> Self {
        let fill = |position| match kind {
            Kind::Send | Kind::Write => byte(position),
            Kind::Recv | Kind::Read => UNTOUCHED,
        };
        let mut memory: Vec<u8> = (0..len).map(fill).collect();
        let start = memory.as_mut_ptr();
        Self {
            memory,
            start,
            kind,
            at,
            least,
        }
    }

    fn op(&self) -> Op {
        // SAFETY: only `carry_out` uses it, as long as `self` lives.
        let buffer = unsafe { Buffer::new(self.start, self.memory.len()) };
        let transfer = Transfer::new(buffer, self.least);
        let (fd, at) = (3, self.at);
        match self.kind {
            Kind::Recv => Op::Recv(op::Recv { fd, transfer }),
            Kind::Send => Op::Send(op::Send { fd, transfer }),
            Kind::Read => Op::Read(op::Read { fd, transfer, at }),
            Kind::Write => Op::Write(op::Write { fd, transfer, at }),
        }
    }

    /// Does what was asked for with `count` bytes of it, and returns where it stands now.
    fn carry_out(&self, asked: Op, count: usize, taken: &mut Vec<u8>) -> usize {
        let (Op::Recv(op::Recv { transfer, .. })
        | Op::Send(op::Send { transfer, .. })
        | Op::Read(op::Read { transfer, .. })
        | Op::Write(op::Write { transfer, .. })) = asked
        else {
            unreachable!("only transfers are pushed");
        };
        let rest = transfer.rest();
        let count = count.min(rest.len());
        assert_eq!(transfer.done() + rest.len(), self.memory.len());
        for offset in 0..count {
            // SAFETY: inside of `rest`, which is inside of our memory.
            let at = unsafe { rest.as_ptr().add(offset) };
            match self.kind {
                // SAFETY: as above; nobody else looks at it.
                Kind::Recv | Kind::Read => unsafe { at.write(byte(transfer.done() + offset)) },
                // SAFETY: as above.
                Kind::Send | Kind::Write => taken.push(unsafe { at.read() }),
            }
        }
        count
    }
}

/// What a whole transfer comes to.
fn expected(answers: &[Answer], len: usize, least: usize) -> Option<i32> {
    let mut done = 0_usize;
    for answer in answers {
        match *answer {
            Answer::Some(count) => done += count.min(len - done),
            Answer::Nothing => return i32::try_from(done).ok(),
            Answer::Error(errno) if done == 0 => return Some(-errno),
            Answer::Error(_) => return i32::try_from(done).ok(),
        }
        if done >= least || done == len {
            return i32::try_from(done).ok();
        }
    }
    None
}

proptest! {
    #![proptest_config(cases::cases(2_000))]

    #[test]
    fn a_transfer_comes_out_whole_or_says_how_far_it_came(
        kind in kind(),
        len in 1..200_usize,
        least in 0..260_usize,
        at in prop::option::of(0..1_000_u64),
        answers in prop::collection::vec(answer(), 1..60),
        gives_up_after in prop::option::of(0..20_usize),
    ) {
        let lent = Lent::new(kind, len, least, at);
        let (mut tables, mut driver) = (Tables::new(), Driver::fake());
        let token = Reactor::new(&mut tables, &mut driver).submit(Fiber, lent.op(), None);
        let (mut taken, mut done, mut answered) = (Vec::new(), 0, 0);
        for answer in &answers {
            let script = driver.script().expect("it is a fake");
            let Some(&(asked, _)) = script.pushed.first() else { break };
            prop_assert_eq!(script.pushed.len(), 1, "one request at a time");
            if gives_up_after == Some(answered) {
                tables.give_up(token);
            }
            let result = match *answer {
                Answer::Some(count) => {
                    let count = lent.carry_out(asked, count, &mut taken);
                    done += count;
                    i32::try_from(count).expect("a small number")
                }
                Answer::Nothing => 0,
                Answer::Error(errno) => -errno,
            };
            driver.script().expect("it is a fake").complete(token, result);
            Reactor::new(&mut tables, &mut driver).dispatch(None, &mut VecDeque::new());
            answered += 1;
        }
        let is_over = driver.script().expect("it is a fake").pushed.is_empty();
        if gives_up_after.is_none_or(|limit| limit >= answered) {
            let whole = expected(&answers, len, least);
            prop_assert_eq!(is_over, whole.is_some());
            prop_assert_eq!(tables.leave(token), whole.map(Outcome::Done));
        } else {
            // The kernel is not asked again for what nobody wants any more, and has let go of the buffer.
            prop_assert!(is_over);
            prop_assert!(!tables.holds_buffer(token));
        }
        let moved = match kind {
            Kind::Recv | Kind::Read => &lent.memory[..done],
            Kind::Send | Kind::Write => &taken[..],
        };
        let first: Vec<u8> = (0..done).map(byte).collect();
        prop_assert_eq!(moved, &first[..], "in order, none twice and none left out");
        if let Kind::Recv | Kind::Read = kind {
            prop_assert!(lent.memory[done..].iter().all(|&byte| byte == UNTOUCHED));
        }
    }
}
