//! Parts of files that a stream sends without reading them.
#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd as _, OwnedFd};

use crate::{
    driver::standing::Signature,
    op::{self, Attempt},
};

use super::{Ending, Stream, Streams, Transport};

/// Some bytes of a file, which the kernel reads when it sends them.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) file: OwnedFd,
    /// Where in the file they begin.
    pub(super) at: u64,
    /// How many.
    pub(super) len: usize,
}

impl Part {
    /// Sends what there is room for, after the `done` bytes that have left. A file that has become shorter is EIO.
    pub(super) fn send(&self, fd: i32, done: usize) -> Attempt {
        let send = op::SendFile {
            fd,
            file: self.file.as_raw_fd(),
            at: self.at + done as u64,
            len: self.len - done,
        };
        match send.syscall() {
            Attempt::Done(0) => Attempt::Done(-libc::EIO),
            attempt => attempt,
        }
    }
}

impl<R: Copy> Streams<R> {
    /// Whether a stream can send parts of files as they are: a plain socket.
    #[must_use]
    pub fn sends_files(&self, signature: Signature) -> bool {
        self.live(signature).is_some_and(Stream::sends_files)
    }

    /// Queues `len` bytes of a file, from `at` on, behind what was queued before. They count as unsent until they
    /// have left. As [`Self::send`]; `None` also if this stream can't ([`Self::sends_files`]).
    pub fn send_file(
        &mut self,
        signature: Signature,
        file: OwnedFd,
        at: u64,
        len: usize,
    ) -> Option<usize> {
        let stream = self.live_mut(signature)?;
        if !stream.sends_files() {
            return None;
        }
        if stream.ending != Ending::No {
            return Some(0);
        }
        if len > 0 {
            stream.out.push_part(Part { file, at, len });
        }
        self.change(signature);
        Some(len)
    }
}

impl<R> Stream<R> {
    fn sends_files(&self) -> bool {
        cfg!(target_os = "linux")
            && self.transport == Transport::Socket
            && self.secure().is_none()
            && op::is_non_blocking(self.fd)
    }
}
