//! io_uring.

mod buffers;
mod standing;

use std::{
    collections::VecDeque,
    fs::File,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use io_uring::{
    IoUring, Probe, cqueue, opcode,
    squeue::Entry,
    types::{Fd, SubmitArgs, Timespec},
};

use rustc_hash::FxHashSet;

use self::standing::Standing;
use super::standing::{Arrival, Ask, Kind, Signature};
use crate::{inflight::Token, op::Op, remote::Waker};

/// A ring, and what it owes.
pub struct Uring {
    ring: IoUring,
    /// Operations that leave with the next system call. They become entries of the ring only then:
    /// an entry names a descriptor by its number, and until it has left the file behind that number
    /// may be closed and the number be another's.
    queued: Vec<(Token, Op)>,
    /// Operations to cancel. Those that are still queued never leave.
    cancelled: FxHashSet<Token>,
    /// Completions of operations that never left.
    withdrawn: VecDeque<Token>,
    /// Pushed and not yet reaped.
    in_flight: usize,
    /// Rings to end a sleep. The ring keeps a read posted on it.
    bell: OwnedFd,
    /// Where that read puts its 8 bytes. The kernel may write here as long as the ring is open, so
    /// [`Uring::close`] takes the read back before this is freed (I-8).
    bell_count: Box<u64>,
    /// Whether that read is posted.
    bell_posted: bool,
    /// What streams have asked for. Behind the ring: its buffers may go only after that (I-8).
    standing: Standing,
}

impl std::fmt::Debug for Uring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Uring")
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}

/// Entries of the submission queue, if nothing else is asked for: one turn's worth. More are submitted in between.
pub(super) const ENTRIES: u32 = 256;
/// Entries of the completion queue for each of the submission queue: room for bursts, before the kernel has to keep an
/// overflow list. A ring smaller than usual has none.
const ROOM: u32 = 16;

/// `IORING_ENTER_GETEVENTS`, which the crate keeps to itself.
const GETEVENTS: u32 = 1;

/// Completions of cancellations: nobody waits for them. Tokens are never this small, because slotmap
/// generations start at 1 and stand in the upper half.
const IGNORED: u64 = 0;
/// The completion of the read on the bell.
const BELL: u64 = 1;

impl Uring {
    /// Sets a ring of so many entries up with the best flags that the kernel takes, and checks that it has every
    /// operation and that it may be entered.
    pub(super) fn new(entries: u32) -> io::Result<(Self, Waker)> {
        let mut ring = set_up(entries)?;
        check_operations(&ring)?;
        enter_once(&mut ring)?;
        let bell = eventfd()?;
        let waker = Waker::eventfd(File::from(bell.try_clone()?));
        let uring = Self {
            ring,
            queued: Vec::new(),
            cancelled: FxHashSet::default(),
            withdrawn: VecDeque::new(),
            in_flight: 0,
            bell,
            bell_count: Box::new(0),
            bell_posted: false,
            standing: Standing::default(),
        };
        Ok((uring, waker))
    }

    pub(super) fn push(&mut self, op: Op, token: Token) {
        self.in_flight += 1;
        self.queued.push((token, op));
        if let Op::Close(_) = op {
            // A descriptor that is closed late could be inherited by a process that is started now.
            self.enter(0, None);
        }
    }

    pub(super) fn cancel(&mut self, token: Token) {
        self.cancelled.insert(token);
    }

    /// The flag is the kernel's word that completions wait to be fetched.
    pub(super) fn wants_wait(&mut self) -> bool {
        if !self.queued.is_empty() || !self.cancelled.is_empty() || self.standing.has_orders() {
            return true;
        }
        let submissions = self.ring.submission();
        submissions.taskrun() || submissions.cq_overflow()
    }

    pub(super) fn wait(&mut self, timeout: Option<Duration>) -> bool {
        if timeout == Some(Duration::ZERO) {
            self.enter(0, None)
        } else {
            self.post_bell();
            self.enter(1, timeout)
        }
    }

    pub(super) fn has_completions(&mut self) -> bool {
        !self.withdrawn.is_empty()
            || self.standing.has_arrivals()
            || !self.ring.completion().is_empty()
    }

    pub(super) fn reap(&mut self) -> Option<(Token, i32)> {
        if let Some(token) = self.withdrawn.pop_front() {
            self.in_flight -= 1;
            return Some((token, -libc::ECANCELED));
        }
        loop {
            let entry = self.ring.completion().next()?;
            if self.standing.take(&entry) {
                continue;
            }
            match entry.user_data() {
                IGNORED => {}
                BELL => self.bell_posted = false,
                token => {
                    self.in_flight -= 1;
                    return Some((Token::from_bits(token), entry.result()));
                }
            }
        }
    }

    pub(super) fn ask(&mut self, signature: Signature, ask: Ask) {
        self.standing.ask(signature, ask, &self.ring);
    }

    pub(super) fn stop(&mut self, signature: Signature, kind: Kind) {
        self.standing.stop(signature, kind);
    }

    pub(super) fn release(&mut self, fd: i32) {
        self.standing.release(fd);
    }

    #[expect(clippy::unused_self, reason = "the same shape in every driver")]
    pub(super) fn let_go(&mut self, _fd: i32) {}

    pub(super) fn has_arrivals(&self) -> bool {
        self.standing.has_arrivals()
    }

    pub(super) fn arrival(&mut self) -> Option<Arrival> {
        self.standing.arrival()
    }

    pub(super) fn bytes(&self, arrival: &Arrival) -> &[u8] {
        self.standing.bytes(arrival)
    }

    pub(super) fn give_back(&mut self, arrival: &Arrival) {
        self.standing.give_back(arrival);
    }

    /// Cancels everything and waits for it, so that no buffer is written to afterwards. Tells whether
    /// that came to an end: another thread than the ring's own can't wait for it.
    pub(super) fn close(&mut self) -> bool {
        for (token, op) in self.queued.drain(..) {
            if let Op::Close(close) = op {
                let _ = close.syscall();
            }
            self.withdrawn.push_back(token);
        }
        self.standing.drop_orders();
        while self.reap().is_some() {}
        if self.is_idle() {
            // Any thread can close it then.
            return true;
        }
        // One by one as far as it is known who: the kernel finds each by its number, but goes through all
        // that are left for each that it finds by "any". It answers some at a time.
        loop {
            let before = self.in_flight;
            if !self.enter(0, None) {
                return false;
            }
            while self.reap().is_some() {}
            if self.cancelled.is_empty() && self.in_flight == before {
                break;
            }
        }
        let everything = io_uring::types::CancelBuilder::any();
        let cancel = opcode::AsyncCancel2::new(everything).build();
        self.offer(&cancel.user_data(IGNORED));
        while self.in_flight > 0 || self.standing.in_flight > 0 || self.bell_posted {
            if !self.enter(1, Some(Duration::from_millis(100))) {
                return false;
            }
            while self.reap().is_some() {}
        }
        true
    }

    /// Whether the kernel has nothing of ours, and nothing is on its way to it.
    fn is_idle(&mut self) -> bool {
        let in_flight = self.in_flight + self.standing.in_flight + usize::from(self.bell_posted);
        in_flight == 0 && self.ring.submission().is_empty()
    }

    /// Submits, then waits for `want` completions. Tells whether the ring still answers.
    fn enter(&mut self, want: usize, timeout: Option<Duration>) -> bool {
        self.make_entries();
        // Something can be reaped already.
        let nothing_yet = self.withdrawn.is_empty() && !self.standing.has_arrivals();
        let want = if nothing_yet { want } else { 0 };
        let queued = u32::try_from(self.ring.submission().len()).unwrap_or(u32::MAX);
        let submitter = self.ring.submitter();
        let entered = match (want, timeout) {
            // Deferred completions are only brought along if they are asked for.
            // SAFETY: `queued` is what stands in the queue, and no argument is passed.
            (0, _) => unsafe { submitter.enter::<libc::sigset_t>(queued, 0, GETEVENTS, None) },
            (_, None) => submitter.submit_with_args(want, &SubmitArgs::new()),
            (_, Some(timeout)) => {
                let limit = Timespec::from(timeout);
                submitter.submit_with_args(want, &SubmitArgs::new().timespec(&limit))
            }
        };
        match entered.map_err(|error| error.raw_os_error()) {
            // The timeout passed; a signal came; completions have to be reaped before more can be
            // submitted. In each case the caller reaps and comes back.
            Ok(_) | Err(Some(libc::ETIME | libc::EINTR | libc::EBUSY | libc::EAGAIN)) => true,
            Err(_) => false,
        }
    }

    /// Makes entries of what is queued, as many as fit; what was cancelled meanwhile never leaves.
    fn make_entries(&mut self) {
        let mut made = 0;
        for index in 0..self.queued.len() {
            let (token, op) = self.queued[index];
            if self.cancelled.remove(&token) {
                self.withdrawn.push_back(token);
            } else if !self.offer(&op.sqe().user_data(token.into_bits())) {
                break;
            }
            made += 1;
        }
        self.queued.drain(..made);
        while let Some(entry) = self.standing.entry() {
            if !self.offer(&entry) {
                break;
            }
            self.standing.left();
        }
        // Those that are left have to be cancelled before they leave, and not after.
        if self.queued.is_empty() && !self.cancelled.is_empty() {
            for token in std::mem::take(&mut self.cancelled) {
                let cancel = opcode::AsyncCancel::new(token.into_bits()).build();
                if !self.offer(&cancel.user_data(IGNORED)) {
                    self.cancelled.insert(token);
                }
            }
        }
    }

    /// Puts an entry into the ring's queue; if that is full, submits first.
    fn offer(&mut self, entry: &Entry) -> bool {
        // SAFETY: an entry points at buffers that stay valid until their completion (I-1, promised
        // to Buffer::new), at `bell_count`, or at nothing.
        if unsafe { self.ring.submission().push(entry) }.is_ok() {
            return true;
        }
        // If the kernel takes none, because completions have to be reaped first, they wait.
        let _ = self.ring.submitter().submit();
        // SAFETY: as above.
        unsafe { self.ring.submission().push(entry) }.is_ok()
    }

    fn post_bell(&mut self) {
        if !self.bell_posted {
            let into = (&raw mut *self.bell_count).cast();
            let read = opcode::Read::new(Fd(self.bell.as_raw_fd()), into, 8).offset(u64::MAX);
            self.bell_posted = self.offer(&read.build().user_data(BELL));
        }
    }
}

/// The ring with the best flags that this kernel takes.
fn set_up(entries: u32) -> io::Result<IoUring> {
    let builder = || {
        let mut builder = IoUring::builder();
        let room = if entries < ENTRIES { 1 } else { ROOM };
        builder
            .setup_clamp()
            .setup_cqsize(entries.saturating_mul(room));
        builder
    };
    let mut best = builder();
    best.setup_single_issuer()
        .setup_defer_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all();
    let mut good = builder();
    good.setup_coop_taskrun()
        .setup_taskrun_flag()
        .setup_submit_all();
    best.build(entries)
        .or_else(|refusal| retry(&refusal, || good.build(entries)))
        .or_else(|refusal| retry(&refusal, || builder().build(entries)))
}

/// EINVAL means "not with these flags"; anything else would be the same with fewer.
fn retry(refusal: &io::Error, next: impl FnOnce() -> io::Result<IoUring>) -> io::Result<IoUring> {
    if refusal.raw_os_error() == Some(libc::EINVAL) {
        next()
    } else {
        Err(io::Error::from_raw_os_error(
            refusal.raw_os_error().unwrap_or(libc::EIO),
        ))
    }
}

fn check_operations(ring: &IoUring) -> io::Result<()> {
    if !ring.params().is_feature_ext_arg() {
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "io_uring has no EXT_ARG timeouts",
        ));
    }
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    for (code, name) in NEEDED {
        if !probe.is_supported(*code) {
            let missing = format!("io_uring has no {name}");
            return Err(io::Error::new(io::ErrorKind::Unsupported, missing));
        }
    }
    Ok(())
}

/// Submits an entry that does nothing and waits for it: a filter of system calls may let a ring be made that nobody may
/// enter.
fn enter_once(ring: &mut IoUring) -> io::Result<()> {
    let nothing = opcode::Nop::new().build().user_data(IGNORED);
    // SAFETY: it points at nothing.
    unsafe { ring.submission().push(&nothing) }.map_err(io::Error::other)?;
    loop {
        match ring.submit_and_wait(1) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(_) => break,
        }
    }
    ring.completion().for_each(drop);
    Ok(())
}

const NEEDED: &[(u8, &str)] = &[
    (opcode::Read::CODE, "READ"),
    (opcode::Write::CODE, "WRITE"),
    (opcode::Recv::CODE, "RECV"),
    (opcode::Send::CODE, "SEND"),
    (opcode::PollAdd::CODE, "POLL_ADD"),
    (opcode::WaitId::CODE, "WAITID"),
    (opcode::Close::CODE, "CLOSE"),
    (opcode::AcceptMulti::CODE, "ACCEPT"),
    (opcode::AsyncCancel::CODE, "ASYNC_CANCEL"),
];

fn eventfd() -> io::Result<OwnedFd> {
    // SAFETY: eventfd takes two integers and touches no memory.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

// The completion entries are the small ones: the code above never asks for 32 bytes.
const _: () = assert!(size_of::<cqueue::Entry>() == 16);
