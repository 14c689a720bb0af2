//! Threads for what can only block: files where there is no ring, and name resolution.
//!
//! Plain native threads that know nothing of Ruby. They are made when needed, up to `MOST`, and end
//! after `IDLE` without work. A forked child has none of its parent's threads, so the pool belongs
//! to a process and the child starts with an empty one (I-7).
#![forbid(unsafe_code)]

use std::{
    collections::VecDeque,
    net::{IpAddr, ToSocketAddrs},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex as StdMutex, PoisonError},
    time::Duration,
};

use crate::sync::{Mutex, MutexGuard, Signal, thread};

/// As many threads as EventMachine's pool has: enough to hide slow disks and name servers.
const MOST: usize = if cfg!(all(loom, test)) { 2 } else { 20 };
/// How long an idle thread stays.
const IDLE: Duration = Duration::from_secs(5);

type Job = Box<dyn FnOnce() + Send>;

/// Runs `job` on a thread that may block. A panic in it ends the job and nothing else.
///
/// If no thread can be had the job runs right here: late is better than never.
pub fn spawn(job: impl FnOnce() + Send + 'static) {
    if let Err(job) = pool().push(Box::new(job)) {
        job();
    }
}

/// The addresses of `host` with getaddrinfo's own meaning (hosts file, search domains, order), and
/// each only once. A scope suffix (`fe80::1%eth0`) is not part of a name and is left out.
///
/// # Errors
///
/// What getaddrinfo reports.
pub fn resolve(host: &str) -> std::io::Result<Vec<IpAddr>> {
    let name = host.split_once('%').map_or(host, |(name, _scope)| name);
    let mut addresses = Vec::new();
    for address in (name, 0).to_socket_addrs()? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    Ok(addresses)
}

/// The pool of this process. Called with the GVL only, so that no fork can happen while the lock on
/// `CURRENT` is held.
fn pool() -> Arc<Pool> {
    static CURRENT: StdMutex<Option<Arc<Pool>>> = StdMutex::new(None);

    let pid = std::process::id();
    let mut current = CURRENT.lock().unwrap_or_else(PoisonError::into_inner);
    match &*current {
        Some(pool) if pool.pid == pid => Arc::clone(pool),
        _ => {
            let pool = Arc::new(Pool::new(pid));
            #[expect(
                clippy::mem_forget,
                reason = "its lock may be held by a thread of the parent"
            )]
            std::mem::forget(current.replace(Arc::clone(&pool)));
            pool
        }
    }
}

struct Pool {
    /// The process that the threads belong to (I-7).
    pid: u32,
    state: Mutex<State>,
    work: Signal,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

impl Pool {
    fn new(pid: u32) -> Self {
        Self {
            pid,
            state: Mutex::new(State::default()),
            work: Signal::new(),
        }
    }

    fn push(self: &Arc<Self>, job: Job) -> Result<(), Job> {
        let mut state = self.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads >= MOST {
            self.work.give();
            return Ok(());
        }
        let pool = Arc::clone(self);
        match thread::Builder::new()
            .name("evented-offload".into())
            .spawn(move || pool.serve())
        {
            Ok(_) => {
                state.threads += 1;
                Ok(())
            }
            Err(_) if state.threads > 0 => Ok(()),
            Err(_) => state.jobs.pop_back().map_or(Ok(()), Err),
        }
    }

    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                drop(state);
                // The job reports its own failure; a panic must not take the thread's count along.
                let _ = catch_unwind(AssertUnwindSafe(job));
                state = self.lock();
                continue;
            }
            state.idle += 1;
            let (woken, late) = self.work.wait(state, IDLE);
            state = woken;
            state.idle -= 1;
            if late && state.jobs.is_empty() {
                state.threads -= 1;
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        collections::HashSet,
        net::{Ipv4Addr, Ipv6Addr},
        sync::{Barrier, mpsc},
    };

    use super::*;

    /// No job of these tests takes this long.
    const LIMIT: Duration = Duration::from_secs(20);

    /// A pool of this test alone.
    fn pool() -> Arc<Pool> {
        Arc::new(Pool::new(std::process::id()))
    }

    fn push(pool: &Arc<Pool>, job: impl FnOnce() + Send + 'static) {
        assert!(pool.push(Box::new(job)).is_ok());
    }

    #[test]
    fn a_job_runs_on_another_thread() {
        let (done, end) = mpsc::channel();
        spawn(move || done.send(thread::current().id()).expect("the test waits"));
        let id = end.recv_timeout(LIMIT).expect("the job runs");
        assert_ne!(id, thread::current().id());
    }

    #[test]
    fn as_many_jobs_run_at_once_as_there_may_be_threads() {
        let pool = pool();
        // One thread is there already; it must not be counted on by more than one job.
        push(&pool, || {});
        while pool.lock().idle == 0 {
            thread::yield_now();
        }
        let all = Arc::new(Barrier::new(MOST));
        let (done, end) = mpsc::channel();
        for _ in 0..MOST {
            let (all, done) = (Arc::clone(&all), done.clone());
            // None gets past this before all have come.
            push(&pool, move || {
                all.wait();
                done.send(()).expect("the test waits");
            });
        }
        for _ in 0..MOST {
            end.recv_timeout(LIMIT).expect("all jobs run at once");
        }
        assert_eq!(pool.lock().threads, MOST);
    }

    #[test]
    fn more_jobs_than_threads_wait_for_their_turn() {
        let pool = pool();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let (done, end) = mpsc::channel();
        for number in 0..MOST * 5 {
            let (held, done) = (Arc::clone(&held), done.clone());
            push(&pool, move || {
                let _ = held.lock().map(|held| held.recv());
                done.send(number).expect("the test waits");
            });
        }
        assert_eq!(pool.lock().threads, MOST);
        drop(release);
        let ran: HashSet<_> = (0..MOST * 5)
            .map(|_| end.recv_timeout(LIMIT).expect("each job runs"))
            .collect();
        assert_eq!(ran.len(), MOST * 5);
        assert_eq!(pool.lock().threads, MOST);
    }

    #[test]
    fn a_panic_ends_the_job_and_not_the_thread() {
        let pool = pool();
        let (done, end) = mpsc::channel();
        push(&pool, {
            let done = done.clone();
            move || {
                done.send(thread::current().id()).expect("the test waits");
                std::panic::resume_unwind(Box::new("a job fails"));
            }
        });
        let first = end.recv_timeout(LIMIT).expect("the job runs");
        // The thread that the panic went through is idle again, and takes the next job.
        while pool.lock().idle == 0 {
            thread::yield_now();
        }
        push(&pool, move || {
            done.send(thread::current().id()).expect("the test waits")
        });
        assert_eq!(end.recv_timeout(LIMIT).expect("the job runs"), first);
        assert_eq!(pool.lock().threads, 1);
    }

    #[test]
    fn an_idle_thread_is_used_before_a_new_one_is_made() {
        let pool = pool();
        for _ in 0..50 {
            let (done, end) = mpsc::channel();
            push(&pool, move || done.send(()).expect("the test waits"));
            end.recv_timeout(LIMIT).expect("the job runs");
            while pool.lock().idle == 0 {
                thread::yield_now();
            }
        }
        assert_eq!(pool.lock().threads, 1);
    }

    #[test]
    fn localhost_is_this_machine() {
        let addresses = resolve("localhost").expect("it is in the hosts file");
        assert!(!addresses.is_empty());
        assert!(addresses.iter().all(IpAddr::is_loopback));
        let different: HashSet<_> = addresses.iter().collect();
        assert_eq!(different.len(), addresses.len(), "each only once");
    }

    #[test]
    fn a_number_is_its_own_address() {
        assert_eq!(
            resolve("127.0.0.1").expect("a number"),
            [Ipv4Addr::LOCALHOST]
        );
        assert_eq!(resolve("::1").expect("a number"), [Ipv6Addr::LOCALHOST]);
    }

    #[test]
    fn a_scope_suffix_is_not_part_of_the_name() {
        let address: IpAddr = "fe80::1".parse().expect("an address");
        for host in ["fe80::1", "fe80::1%lo", "fe80::1%no-such-interface"] {
            assert_eq!(resolve(host).expect("a number"), [address]);
        }
    }

    #[test]
    fn an_unknown_host_is_an_error() {
        // RFC 6761 keeps this domain empty; without a name server the error is another one.
        assert!(resolve("no-such-host.invalid").is_err());
        assert!(resolve("two words").is_err());
    }
}

#[cfg(all(loom, test))]
mod loom_tests {
    use loom::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Pushes so many jobs, while the time of all who are idle may be up at any moment. Each has to run, once, and
    /// then no thread may be left: loom reports one that waits for ever. It tries all orders with so many preemptions;
    /// without a limit they are too many.
    fn every_job_runs_once(jobs: usize, preemptions: usize) {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(preemptions);
        model.check(move || {
            let pool = Arc::new(Pool::new(0));
            let ran = Arc::new(AtomicUsize::new(0));
            let clock = {
                let pool = Arc::clone(&pool);
                thread::spawn(move || pool.work.pass_limits(&pool.lock()))
            };
            for _ in 0..jobs {
                let ran = Arc::clone(&ran);
                let job = move || {
                    ran.fetch_add(1, SeqCst);
                };
                assert!(pool.push(Box::new(job)).is_ok());
            }
            clock.join().unwrap();
            loop {
                let state = pool.lock();
                assert!(state.threads <= MOST);
                if state.threads == 0 {
                    assert!(state.jobs.is_empty());
                    assert_eq!(state.idle, 0);
                    break;
                }
                drop(state);
                thread::yield_now();
            }
            assert_eq!(ran.load(SeqCst), jobs);
        });
    }

    #[test]
    fn a_job_that_comes_when_an_idle_thread_is_about_to_end_is_not_left() {
        every_job_runs_once(2, 3);
    }

    #[test]
    fn more_jobs_than_threads_all_run() {
        every_job_runs_once(3, 2);
    }

    #[test]
    fn a_panic_leaves_the_counts_right() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let pool = Arc::new(Pool::new(0));
            let ran = Arc::new(AtomicUsize::new(0));
            let job = || std::panic::resume_unwind(Box::new("a job fails"));
            assert!(pool.push(Box::new(job)).is_ok());
            let counting = Arc::clone(&ran);
            let job = move || {
                counting.fetch_add(1, SeqCst);
            };
            assert!(pool.push(Box::new(job)).is_ok());
            pool.work.pass_limits(&pool.lock());
            while pool.lock().threads > 0 {
                thread::yield_now();
            }
            assert_eq!(ran.load(SeqCst), 1);
        });
    }
}
