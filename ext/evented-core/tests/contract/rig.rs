//! A driver on the test bench, and what the tests put in front of it.

use std::{
    any::Any,
    collections::{HashMap, HashSet},
    io::{self, Read as _, Write as _},
    os::{
        fd::{AsRawFd, RawFd},
        unix::net::UnixStream,
    },
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    rc::Rc,
    sync::{
        atomic::{AtomicU8, Ordering::SeqCst},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use evented_core::{
    Driver, Token,
    buffer::Buffer,
    clock,
    op::{self, Interest, Op, Progress, Transfer},
};

/// No test takes this long; one that does hangs.
const LIMIT: Duration = Duration::from_secs(30);
/// Longest sleep of one wait: what should have woken it but did not shows as slowness, not as a hang.
pub(crate) const NAP: Duration = Duration::from_secs(10);

/// Runs a sentence of the contract on a driver; where the kernel refuses the driver there is nothing
/// to check.
pub(crate) fn run(driver: fn() -> io::Result<Driver>, sentence: fn(&mut Rig)) {
    within_the_limit(move || match driver() {
        Ok(driver) => sentence(&mut Rig::new(driver)),
        Err(refusal) => eprintln!("skipped: this system refuses the driver ({refusal})"),
    });
}

/// Runs `body` on a thread of its own, so that a hang is a failure.
pub(crate) fn within_the_limit(body: impl FnOnce() + Send + 'static) {
    let (done, end) = mpsc::channel();
    let _ = thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(body)));
    });
    match end.recv_timeout(LIMIT) {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => panic!("it hangs"),
    }
}

/// A driver, and what it owes.
pub(crate) struct Rig {
    pub(crate) driver: Driver,
    /// Pushed and not yet back.
    open: HashMap<Token, Op>,
    /// Back and not yet asked for.
    came: HashMap<Token, (Op, i32)>,
    pushed: u64,
    /// Outlives the driver's use of it.
    memories: Vec<Rc<Memory>>,
    closed: bool,
}

impl Rig {
    pub(crate) fn new(driver: Driver) -> Self {
        Self {
            driver,
            open: HashMap::new(),
            came: HashMap::new(),
            pushed: 0,
            memories: Vec::new(),
            closed: false,
        }
    }

    pub(crate) fn push(&mut self, op: Op) -> Token {
        self.pushed += 1;
        let token = Token::from_bits((1 << 32) + self.pushed);
        self.open.insert(token, op);
        self.driver.push(op, token);
        token
    }

    pub(crate) fn cancel(&mut self, token: Token) {
        self.driver.cancel(token);
    }

    /// The result of an operation, however many turns it takes.
    #[track_caller]
    pub(crate) fn result(&mut self, token: Token) -> i32 {
        self.come_back(token).1
    }

    #[track_caller]
    pub(crate) fn come_back(&mut self, token: Token) -> (Op, i32) {
        let deadline = clock::now() + NAP;
        loop {
            if let Some(back) = self.came.remove(&token) {
                return back;
            }
            assert!(clock::now() < deadline, "no result came for {token:?}");
            self.turn(Some(NAP));
        }
    }

    /// The result of a poll, as the interest bits that it satisfies.
    #[track_caller]
    pub(crate) fn satisfied(&mut self, token: Token) -> u8 {
        let (mut op, result) = self.come_back(token);
        match op.advance(result) {
            Progress::Complete(bits) => u8::try_from(bits).expect("a readiness, and no errno"),
            Progress::Again | Progress::Never => {
                panic!("poll came back with nothing: {result:#x}")
            }
        }
    }

    /// Looks around twice without sleeping: what can't go on yet must not have come back.
    #[track_caller]
    pub(crate) fn still_waits(&mut self, token: Token) {
        for _ in 0..2 {
            self.turn(Some(Duration::ZERO));
        }
        assert!(
            self.open.contains_key(&token),
            "it came back: {:?}",
            self.came.get(&token)
        );
    }

    /// How many have not come back.
    pub(crate) fn open(&self) -> usize {
        self.open.len()
    }

    /// One turn, as the binding runs it.
    pub(crate) fn turn(&mut self, timeout: Option<Duration>) {
        if timeout != Some(Duration::ZERO) {
            self.driver.waker().announce_sleep();
        }
        self.take_in();
        if self.came.is_empty() {
            self.driver.wait(timeout);
        } else {
            self.driver.wait(Some(Duration::ZERO));
        }
        self.driver.waker().awake();
        self.take_in();
    }

    /// What has come back by now, without asking the kernel.
    pub(crate) fn take_in(&mut self) {
        while let Some((token, result)) = self.driver.reap() {
            self.came_back(token, result);
        }
        while let Some(message) = self.driver.receive() {
            self.came_back(message.token, message.result);
        }
    }

    fn came_back(&mut self, token: Token, result: i32) {
        let op = self.open.remove(&token);
        let op = op.expect("what comes back was pushed and comes back once");
        self.came.insert(token, (op, result));
    }

    /// Memory that stays where it is until the driver is closed.
    pub(crate) fn memory(&mut self, content: &[u8]) -> Rc<Memory> {
        let memory = Rc::new(Memory(content.iter().copied().map(AtomicU8::new).collect()));
        self.memories.push(Rc::clone(&memory));
        memory
    }

    pub(crate) fn recv(&mut self, fd: &impl AsRawFd, len: usize) -> (Token, Rc<Memory>) {
        let memory = self.memory(&vec![0; len]);
        let token = self.push(Op::Recv(op::Recv {
            fd: fd.as_raw_fd(),
            transfer: memory.transfer(1),
        }));
        (token, memory)
    }

    pub(crate) fn send(&mut self, fd: &impl AsRawFd, content: &[u8]) -> Token {
        let transfer = self.memory(content).transfer(1);
        let fd = fd.as_raw_fd();
        self.push(Op::Send(op::Send { fd, transfer }))
    }

    pub(crate) fn read(
        &mut self,
        fd: &impl AsRawFd,
        len: usize,
        at: Option<u64>,
    ) -> (Token, Rc<Memory>) {
        let memory = self.memory(&vec![0; len]);
        let token = self.push(Op::Read(op::Read {
            fd: fd.as_raw_fd(),
            transfer: memory.transfer(1),
            at,
        }));
        (token, memory)
    }

    pub(crate) fn write(&mut self, fd: &impl AsRawFd, content: &[u8], at: Option<u64>) -> Token {
        let transfer = self.memory(content).transfer(1);
        let fd = fd.as_raw_fd();
        self.push(Op::Write(op::Write { fd, transfer, at }))
    }

    pub(crate) fn poll(&mut self, fd: &impl AsRawFd, interest: Interest) -> Token {
        self.push(Op::Poll(op::Poll::new(fd.as_raw_fd(), interest)))
    }

    pub(crate) fn wait_for(&mut self, pid: u32) -> Token {
        self.push(Op::WaitId(op::WaitId {
            pid: pid.try_into().expect("a process number"),
        }))
    }

    /// Closes the driver as a reactor does; afterwards no buffer may be written to.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        assert!(self.driver.close(), "the driver's own thread can close it");
    }
}

impl Drop for Rig {
    /// What a test leaves behind must come back, or be let go of by `close`.
    fn drop(&mut self) {
        if thread::panicking() || self.closed {
            return;
        }
        let left: HashSet<Token> = self.open.keys().copied().collect();
        for token in left {
            self.cancel(token);
        }
        if self.driver.name() != "fake" {
            let deadline = clock::now() + NAP;
            while self.open() > 0 {
                assert!(clock::now() < deadline, "cancelled, and never came back");
                self.turn(Some(NAP));
            }
        }
        self.close();
    }
}

/// Memory that the kernel may write to while we look at it.
pub(crate) struct Memory(Box<[AtomicU8]>);

impl Memory {
    /// A transfer over all of it, content with `least` bytes.
    pub(crate) fn transfer(&self, least: usize) -> Transfer {
        let start = self.0.as_ptr().cast::<u8>().cast_mut();
        // SAFETY: the rig keeps it in place until its driver is closed; atomics may be written to
        // behind a shared reference.
        let buffer = unsafe { Buffer::new(start, self.0.len()) };
        Transfer::new(buffer, least)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().map(|byte| byte.load(SeqCst)).collect()
    }

    /// The first `count` bytes, where `count` is an operation's result.
    #[track_caller]
    pub(crate) fn first(&self, count: i32) -> Vec<u8> {
        let count = usize::try_from(count).expect("a count, and no errno");
        self.bytes()[..count].to_vec()
    }
}

/// A connected pair of sockets, in blocking mode.
pub(crate) fn sockets() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("sockets")
}

/// A connected pair of TCP sockets.
pub(crate) fn tcp_sockets() -> (std::net::TcpStream, std::net::TcpStream) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let near = listener
        .local_addr()
        .and_then(std::net::TcpStream::connect)
        .expect("a connection");
    let (far, _) = listener.accept().expect("its other end");
    (near, far)
}

/// Writes until no more fits. Returns how much did.
pub(crate) fn fill(into: &UnixStream) -> usize {
    into.set_nonblocking(true).expect("non-blocking mode");
    let mut filled = 0;
    while let Ok(count) = (&*into).write(&[7; 4096]) {
        filled += count;
    }
    into.set_nonblocking(false).expect("blocking mode");
    filled
}

/// Writes into a pipe until no more fits.
pub(crate) fn fill_pipe(into: &io::PipeWriter) {
    set_nonblocking(into.as_raw_fd(), true);
    while (&*into).write(&[7; 4096]).is_ok() {}
    set_nonblocking(into.as_raw_fd(), false);
}

/// Reads until there is no more.
pub(crate) fn drain(from: &UnixStream) -> usize {
    from.set_nonblocking(true).expect("non-blocking mode");
    let mut drained = 0;
    let mut into = [0; 4096];
    while let Ok(count) = (&*from).read(&mut into) {
        if count == 0 {
            break;
        }
        drained += count;
    }
    from.set_nonblocking(false).expect("blocking mode");
    drained
}

pub(crate) fn set_nonblocking(fd: RawFd, on: bool) {
    // SAFETY: fcntl on a descriptor, with an integer.
    let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
    let flags = if on {
        flags | libc::O_NONBLOCK
    } else {
        flags & !libc::O_NONBLOCK
    };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::fcntl(fd, libc::F_SETFL, flags) }, 0);
}

/// A number that no descriptor has.
pub(crate) const NO_FD: RawFd = 1_000_000;

/// An operation that waits, and what makes it succeed.
pub(crate) struct Parked {
    pub(crate) name: &'static str,
    pub(crate) op: Op,
    pub(crate) succeed: Box<dyn FnMut()>,
    _kept: Box<dyn Any>,
}

/// One of each operation that can wait.
pub(crate) fn one_of_each(rig: &mut Rig) -> Vec<Parked> {
    let mut all = Vec::new();
    let mut add = |name, op, succeed: Box<dyn FnMut()>, kept: Box<dyn Any>| {
        all.push(Parked {
            name,
            op,
            succeed,
            _kept: kept,
        });
    };

    let (near, far) = sockets();
    let transfer = rig.memory(&[0; 16]).transfer(1);
    let fd = near.as_raw_fd();
    let succeed = Box::new(move || (&far).write_all(b"recv").expect("room"));
    add(
        "recv",
        Op::Recv(op::Recv { fd, transfer }),
        succeed,
        Box::new(near),
    );

    let (near, far) = sockets();
    fill(&near);
    let transfer = rig.memory(&[1; 16]).transfer(1);
    let fd = near.as_raw_fd();
    let succeed = Box::new(move || assert!(drain(&far) > 0));
    add(
        "send",
        Op::Send(op::Send { fd, transfer }),
        succeed,
        Box::new(near),
    );

    let (reader, writer) = io::pipe().expect("a pipe");
    let transfer = rig.memory(&[0; 16]).transfer(1);
    let fd = reader.as_raw_fd();
    let succeed = Box::new(move || (&writer).write_all(b"read").expect("room"));
    let read = op::Read {
        fd,
        transfer,
        at: None,
    };
    add("read", Op::Read(read), succeed, Box::new(reader));

    let (reader, writer) = io::pipe().expect("a pipe");
    fill_pipe(&writer);
    let transfer = rig.memory(&[1; 16]).transfer(1);
    let fd = writer.as_raw_fd();
    let succeed = Box::new(move || assert!((&reader).read(&mut [0; 1 << 16]).expect("bytes") > 0));
    let write = op::Write {
        fd,
        transfer,
        at: None,
    };
    add("write", Op::Write(write), succeed, Box::new(writer));

    let (near, far) = sockets();
    let poll = op::Poll::new(near.as_raw_fd(), Interest::READABLE);
    let succeed = Box::new(move || (&far).write_all(b"poll").expect("room"));
    add("poll", Op::Poll(poll), succeed, Box::new(near));

    let mut child = Child::start();
    let wait = op::WaitId {
        pid: child.pid().try_into().expect("a process number"),
    };
    let succeed = Box::new(move || child.end());
    add("waitid", Op::WaitId(wait), succeed, Box::new(()));
    all
}

/// A child process that lives until it is told to end.
pub(crate) struct Child(std::process::Child);

impl Child {
    pub(crate) fn start() -> Self {
        use std::os::unix::process::CommandExt as _;

        let child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::null())
            .process_group(0)
            .spawn();
        Self(child.expect("a child process"))
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn end(&mut self) {
        drop(self.0.stdin.take());
    }

    pub(crate) fn kill(&mut self) {
        self.0.kill().expect("a child to kill");
    }

    pub(crate) fn reap(&mut self) -> std::process::ExitStatus {
        self.end();
        self.0.wait().expect("a child to reap")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.end();
        let _ = self.0.wait();
    }
}

/// A new empty file, gone when the test is.
pub(crate) fn file() -> std::fs::File {
    use std::sync::atomic::AtomicU32;

    static MADE: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "contract-{}-{}",
        std::process::id(),
        MADE.fetch_add(1, SeqCst)
    );
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let file = std::fs::File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path);
    std::fs::remove_file(&path).expect("the file just made");
    file.expect("a new file")
}

/// Waits without sleeping on the clock's word alone: for what another thread is given time to do.
pub(crate) fn pause(duration: Duration) {
    let until: Instant = clock::now() + duration;
    while let Some(left) = until.checked_duration_since(clock::now()) {
        if left.is_zero() {
            break;
        }
        thread::park_timeout(left);
    }
}
