//! Who waits on which descriptor.
#![forbid(unsafe_code)]

use std::os::fd::RawFd;

use rustc_hash::FxHashMap;

use crate::inflight::Token;

/// The waits on each descriptor. A list that has become empty keeps its room, so that a descriptor
/// that is waited on again and again costs no allocation.
#[derive(Debug, Default)]
pub struct Descriptors(FxHashMap<RawFd, Vec<Token>>);

impl Descriptors {
    /// Notes that `token` waits on `fd`.
    pub fn enter(&mut self, fd: RawFd, token: Token) {
        self.0.entry(fd).or_default().push(token);
    }

    /// Forgets that `token` waits on `fd`.
    pub fn leave(&mut self, fd: RawFd, token: Token) {
        if let Some(list) = self.0.get_mut(&fd)
            && let Some(found) = list.iter().position(|&other| other == token)
        {
            list.swap_remove(found);
        }
    }

    /// Who waits on `fd`.
    #[must_use]
    pub fn on(&self, fd: RawFd) -> &[Token] {
        self.0.get(&fd).map_or(&[], Vec::as_slice)
    }

    /// Forgets everybody.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}
