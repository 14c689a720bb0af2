//! How far a transfer of bytes has come: shared by read, write, recv and send.
#![forbid(unsafe_code)]

use super::Progress;
use crate::buffer::Buffer;

/// A buffer, how much of it is done, and how much is enough.
#[derive(Clone, Copy, Debug)]
pub struct Transfer {
    buffer: Buffer,
    done: usize,
    least: usize,
}

impl Transfer {
    /// A transfer that is over after `least` bytes, at the end of the stream, or when the buffer is
    /// used up; with `least` 0 or 1 the first bytes are enough.
    #[must_use]
    pub const fn new(buffer: Buffer, least: usize) -> Self {
        Self {
            buffer,
            done: 0,
            least,
        }
    }

    /// What is still to be transferred.
    #[must_use]
    pub fn rest(&self) -> Buffer {
        self.buffer.after(self.done)
    }

    /// Bytes transferred so far.
    #[must_use]
    pub const fn done(&self) -> usize {
        self.done
    }

    /// Bytes that arrived before an error are reported, and the error is met again by the next call.
    pub(super) fn advance(&mut self, result: i32) -> Progress {
        let Ok(count) = usize::try_from(result) else {
            return Progress::Complete(if self.done > 0 { self.count() } else { result });
        };
        self.done += count;
        if count == 0 || self.done >= self.least || self.rest().is_empty() {
            Progress::Complete(self.count())
        } else {
            Progress::Again
        }
    }

    fn count(&self) -> i32 {
        i32::try_from(self.done).unwrap_or(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transfer(len: usize, least: usize) -> Transfer {
        Transfer::new(Buffer::nowhere(len), least)
    }

    #[test]
    fn the_first_bytes_are_enough_unless_more_are_asked_for() {
        for least in [0, 1] {
            assert_eq!(transfer(8, least).advance(3), Progress::Complete(3));
        }
    }

    #[test]
    fn it_goes_on_until_it_has_enough() {
        let mut transfer = transfer(8, 6);
        assert_eq!(transfer.advance(2), Progress::Again);
        assert_eq!((transfer.done(), transfer.rest().len()), (2, 6));
        assert_eq!(transfer.advance(3), Progress::Again);
        assert_eq!(transfer.advance(3), Progress::Complete(8));
        assert!(transfer.rest().is_empty());
    }

    #[test]
    fn a_full_buffer_is_enough_whatever_was_asked_for() {
        assert_eq!(transfer(4, 100).advance(4), Progress::Complete(4));
    }

    #[test]
    fn the_end_of_the_stream_completes_with_what_there_is() {
        let mut transfer = transfer(8, 8);
        assert_eq!(transfer.advance(5), Progress::Again);
        assert_eq!(transfer.advance(0), Progress::Complete(5));
        assert_eq!(self::transfer(8, 8).advance(0), Progress::Complete(0));
    }

    #[test]
    fn an_error_is_told_only_if_nothing_came_before() {
        let mut transfer = transfer(8, 8);
        assert_eq!(transfer.advance(-5), Progress::Complete(-5));
        assert_eq!(transfer.advance(3), Progress::Again);
        assert_eq!(transfer.advance(-5), Progress::Complete(3));
    }

    #[test]
    fn a_window_never_leaves_its_memory() {
        let buffer = Buffer::nowhere(8);
        assert_eq!(buffer.after(3).len(), 5);
        assert_eq!(buffer.after(9).len(), 0);
        assert_eq!(buffer.after(9).as_ptr(), buffer.after(8).as_ptr());
        assert_eq!(buffer.one_transfer(), 8);
        assert_eq!(Buffer::nowhere(usize::MAX).one_transfer(), 0x7fff_f000);
    }
}
