//! What a stream has still to send.
#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::file::Part;

/// Bytes in the order in which they leave. Small pieces are put together, so that many leave with one call;
/// what the kernel is reading stays where it is (I-1).
#[derive(Debug, Default)]
pub(crate) struct Outbound {
    chunks: VecDeque<Chunk>,
    /// How much of the first chunk has left.
    done: usize,
    /// All that has not left.
    len: usize,
    /// Whether the kernel reads the first chunk.
    lent: bool,
}

#[derive(Debug)]
enum Chunk {
    Bytes(Vec<u8>),
    /// The kernel sends it from its file.
    File(Part),
}

impl Chunk {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::File(part) => part.len,
        }
    }
}

/// Pieces are put together up to this size: more at a time fills any socket's buffer.
const TOGETHER: usize = 64 * 1024;
/// A buffer that is empty is kept up to this size: ten thousand idle connections are to be cheap.
const KEPT: usize = 512;

impl Outbound {
    /// How many bytes have not left.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.len += bytes.len();
        let first_is_lent = self.lent && self.chunks.len() == 1;
        match self.chunks.back_mut() {
            Some(Chunk::Bytes(last)) if !first_is_lent && last.len() + bytes.len() <= TOGETHER => {
                last.extend_from_slice(bytes);
            }
            _ => self.chunks.push_back(Chunk::Bytes(bytes.to_vec())),
        }
    }

    /// As [`Self::push`], without a copy of what is large.
    pub(crate) fn push_owned(&mut self, bytes: Vec<u8>) {
        if bytes.len() < TOGETHER / 4 {
            return self.push(&bytes);
        }
        self.push_chunk(Chunk::Bytes(bytes));
    }

    /// Part of a file, which the kernel reads when it is its turn.
    pub(super) fn push_part(&mut self, part: Part) {
        self.push_chunk(Chunk::File(part));
    }

    /// It is not put together with what stands before it, not even with a buffer that was kept empty.
    fn push_chunk(&mut self, chunk: Chunk) {
        if self.len == 0 && !self.lent {
            self.chunks.clear();
        }
        self.len += chunk.len();
        self.chunks.push_back(chunk);
    }

    /// The part of a file that leaves next, and how much of it has left; `None` if bytes do.
    pub(super) fn next_part(&self) -> Option<(&Part, usize)> {
        match self.chunks.front() {
            Some(Chunk::File(part)) => Some((part, self.done)),
            _ => None,
        }
    }

    /// Counts bytes that are kept elsewhere, datagrams.
    pub(crate) fn count(&mut self, bytes: usize) {
        self.len += bytes;
    }

    /// They have left.
    pub(crate) fn uncount(&mut self, bytes: usize) {
        self.len -= bytes;
    }

    /// What leaves next.
    #[cfg(test)]
    fn next(&self) -> &[u8] {
        match self.chunks.front() {
            Some(Chunk::Bytes(first)) => &first[self.done..],
            _ => &[],
        }
    }

    /// What leaves next, for the kernel to read until [`Self::taken_back`]. Nothing if it is part of a file.
    pub(crate) fn lend(&mut self) -> &mut [u8] {
        let done = self.done;
        match self.chunks.front_mut() {
            Some(Chunk::Bytes(first)) => {
                self.lent = true;
                &mut first[done..]
            }
            _ => &mut [],
        }
    }

    /// The kernel does not read any more.
    pub(crate) fn taken_back(&mut self) {
        self.lent = false;
    }

    /// So many bytes of what was next have left.
    pub(crate) fn sent(&mut self, count: usize) {
        self.done += count;
        self.len -= count;
        let is_only = self.chunks.len() == 1;
        match self.chunks.front_mut() {
            Some(first) if self.done >= first.len() => {
                self.done = 0;
                match first {
                    Chunk::Bytes(bytes) if is_only && bytes.capacity() <= KEPT => bytes.clear(),
                    _ => _ = self.chunks.pop_front(),
                }
            }
            _ => {}
        }
    }

    /// Drops what has not left, but for what the kernel reads.
    pub(crate) fn discard(&mut self) {
        self.chunks.truncate(usize::from(self.lent));
        if !self.lent {
            self.done = 0;
        }
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes everything out, `most` bytes at a time.
    fn drain(out: &mut Outbound, most: usize) -> Vec<u8> {
        let mut all = Vec::new();
        while !out.is_empty() {
            let count = out.next().len().min(most);
            all.extend_from_slice(&out.next()[..count]);
            out.sent(count);
        }
        all
    }

    #[test]
    fn small_pieces_leave_together_and_large_ones_as_they_are() {
        let mut out = Outbound::default();
        for piece in [&b"a"[..], b"", b"bc", b"d"] {
            out.push(piece);
        }
        assert_eq!(out.next(), b"abcd");
        out.push(&vec![7; TOGETHER]);
        assert_eq!(out.next(), b"abcd");
        assert_eq!(out.len(), 4 + TOGETHER);
        out.sent(4);
        assert_eq!(out.next().len(), TOGETHER);
    }

    #[test]
    fn what_the_kernel_reads_is_neither_moved_nor_grown() {
        let mut out = Outbound::default();
        out.push(b"first");
        let at = out.lend().as_ptr();
        out.push(b"second");
        out.push(&vec![1; 100_000]);
        assert_eq!(out.next().as_ptr(), at);
        assert_eq!(out.next(), b"first");
        out.taken_back();
        out.sent(2);
        assert_eq!(out.next(), b"rst");
        out.sent(3);
        assert_eq!(&out.next()[..6], b"second");
    }

    #[test]
    fn a_lent_chunk_outlives_being_discarded() {
        let mut out = Outbound::default();
        out.push(b"first");
        let at = out.lend().as_ptr();
        out.push(&vec![1; 100_000]);
        out.discard();
        assert!(out.is_empty());
        assert_eq!(capacity_and_start(&out.chunks[0]).1, at);
    }

    fn capacity_and_start(chunk: &Chunk) -> (usize, *const u8) {
        match chunk {
            Chunk::Bytes(bytes) => (bytes.capacity(), bytes.as_ptr()),
            Chunk::File(_) => unreachable!("only bytes were pushed"),
        }
    }

    #[test]
    fn parts_of_files_keep_their_place_between_bytes() {
        let mut out = Outbound::default();
        out.push(b"head");
        let file = std::fs::File::open("/dev/null").expect("a file");
        out.push_part(Part {
            file: file.into(),
            at: 7,
            len: 10,
        });
        out.push(b"tail");
        assert_eq!((out.len(), out.next()), (18, &b"head"[..]));
        assert!(out.next_part().is_none());
        out.sent(4);
        assert!(out.lend().is_empty() && !out.lent);
        out.sent(3);
        let (part, done) = out.next_part().expect("the part of the file");
        assert_eq!((part.at, part.len, done, out.len()), (7, 10, 3, 11));
        out.sent(7);
        assert_eq!((out.next(), out.len()), (&b"tail"[..], 4));
    }

    #[test]
    fn an_empty_buffer_that_was_kept_stands_in_nobodys_way() {
        let mut out = Outbound::default();
        out.push(b"small");
        out.sent(5);
        out.push_owned(vec![1; TOGETHER]);
        assert_eq!(out.next().len(), TOGETHER);
    }

    #[test]
    fn it_comes_out_as_it_went_in_whatever_the_sizes() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..200 {
            let mut out = Outbound::default();
            let mut expected = Vec::new();
            for _ in 0..random.usize(0..20) {
                let piece: Vec<u8> = (0..random.usize(0..3_000)).map(|_| random.u8(..)).collect();
                expected.extend_from_slice(&piece);
                out.push(&piece);
            }
            assert_eq!(out.len(), expected.len());
            assert_eq!(drain(&mut out, random.usize(1..5_000)), expected);
        }
    }

    #[test]
    fn a_small_buffer_is_kept_and_a_large_one_is_not() {
        let mut out = Outbound::default();
        out.push(&[0; 100]);
        drain(&mut out, 1000);
        assert!(capacity_and_start(&out.chunks[0]).0 >= 100);
        out.push(&[0; 100_000]);
        drain(&mut out, 1_000_000);
        assert!(
            out.chunks
                .iter()
                .all(|chunk| capacity_and_start(chunk).0 <= KEPT)
        );
    }
}
