//! What the core costs without Ruby: `cargo bench -p evented-core`; `-- --test` runs each once.
#![allow(
    missing_docs,
    reason = "criterion's macros make public functions without any"
)]

use std::{hint::black_box, sync::mpsc, thread, time::Duration};

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use evented_core::{
    Driver, Reactor, Root, Tables, clock,
    op::{self, Interest, Op},
    timer::Timers,
};

#[derive(Clone, Copy, Debug)]
struct Fiber(usize);

impl Root for Fiber {
    fn fiber(&self) -> usize {
        self.0
    }
}

/// An operation's way through the reactor, without a kernel.
fn submit_and_complete(criterion: &mut Criterion) {
    let poll = Op::Poll(op::Poll::new(3, Interest::READABLE));
    let (mut tables, mut driver, mut alarms) = (
        Tables::new(),
        Driver::fake(),
        std::collections::VecDeque::new(),
    );
    let deadline = clock::now() + Duration::from_secs(1_000);
    for (name, deadline) in [("plain", None), ("with a deadline", Some(deadline))] {
        let name = format!("submit and complete/{name}");
        criterion.bench_function(&name, |bencher| {
            bencher.iter(|| {
                let token = Reactor::new(&mut tables, &mut driver).submit(Fiber(1), poll, deadline);
                if let Some(script) = driver.script() {
                    script.complete(token, i32::from(libc::POLLIN));
                }
                Reactor::new(&mut tables, &mut driver).dispatch(None, &mut alarms);
                tables.ready.begin_turn();
                black_box(tables.ready.next());
                tables.leave(token)
            });
        });
    }
}

/// Timers, with few and with many others armed.
fn timers(criterion: &mut Criterion) {
    let now = clock::now();
    // Deadlines in no order, the same in every run.
    let at = |number: u64| {
        now + Duration::from_micros(number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 1_000_000)
    };
    let mut group = criterion.benchmark_group("timers");
    for pending in [10, 1_000, 100_000, 1_000_000_u64] {
        let mut armed = Timers::new();
        for number in 0..pending {
            armed.arm(at(number), number);
        }
        let mut number = pending;
        group.bench_function(BenchmarkId::new("arm and disarm", pending), |bencher| {
            bencher.iter(|| {
                number += 1;
                let key = armed.arm(at(number), number);
                armed.disarm(black_box(key))
            });
        });
        group.bench_function(BenchmarkId::new("arm and pop", pending), |bencher| {
            bencher.iter(|| {
                number += 1;
                armed.arm(at(number), number);
                armed.pop_due(now + Duration::from_secs(2))
            });
        });
        group.bench_function(BenchmarkId::new("next deadline", pending), |bencher| {
            bencher.iter(|| black_box(&armed).next_deadline());
        });
    }
    group.finish();
}

/// A sleep in the kernel that another thread ends: there and back.
fn wake(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wake from another thread");
    let drivers = [
        #[cfg(target_os = "linux")]
        Driver::uring(),
        Driver::poll(),
    ];
    // A driver that this system refuses has no speed.
    for mut driver in drivers.into_iter().flatten() {
        let waker = driver.waker().clone();
        let (asleep, sleeping) = mpsc::channel();
        let other = thread::spawn(move || {
            while sleeping.recv().is_ok() {
                waker.wake();
            }
        });
        let name = driver.name();
        group.bench_function(name, |bencher| {
            bencher.iter_batched(
                || (),
                |()| {
                    driver.waker().announce_sleep();
                    let _ = asleep.send(());
                    driver.wait(None);
                    driver.waker().awake();
                    while driver.reap().is_some() {}
                },
                BatchSize::SmallInput,
            );
        });
        drop(asleep);
        let _ = other.join();
        let _ = driver.close();
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1));
    targets = submit_and_complete, timers, wake
}
criterion_main!(benches);
