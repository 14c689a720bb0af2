//! Counters of one reactor; plain integers, because only the holder of the tables writes them.
#![forbid(unsafe_code)]

/// What a reactor has done since it was made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stats {
    /// Passes of the loop.
    pub turns: u64,
    /// Waiters made: parks of any kind.
    pub parks: u64,
    /// Waiters that became ready.
    pub resumes: u64,
    /// Wake-ups that found nobody waiting: late, duplicate or stale (I-5).
    pub dropped: u64,
    /// Operations handed to the driver.
    pub submitted: u64,
    /// Completions that came back.
    pub completed: u64,
    /// Operations asked to stop before they were done.
    pub cancelled: u64,
    /// Times the loop slept in the kernel.
    pub sleeps: u64,
}
