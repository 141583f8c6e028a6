//! Frames on a stream: header and encoding are pure, the reader takes them off a QUIC stream.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a frame is to its receiver.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    Cast = 0,
    Ask = 1,
    Answer = 2,
    /// The far end let go of an ask without answering it.
    NoAnswer = 3,
}

/// Length u32, kind u8, number u64, little endian.
pub const HEADER_BYTES: usize = 13;
/// What one read takes at most: some ten packets, so that small frames share one read.
const READ_BYTES: usize = 16 * 1024;

/// One message of a stream. The number ties an answer to its ask; a cast has 0.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    pub kind: Kind,
    pub number: u64,
    pub body: Bytes,
}

/// Why a stream gave no further frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameFault {
    #[error("a frame of unknown kind {0}")]
    Kind(u8),
    #[error("a frame of {found} bytes, and this class takes {limit}")]
    TooLarge { found: usize, limit: usize },
    #[error("the stream ended inside a frame")]
    Cut,
    #[error("the stream failed: {0}")]
    Stream(#[from] std::io::Error),
}

/// Writes the header of a body that follows.
pub fn put_header(to: &mut BytesMut, kind: Kind, number: u64, body_bytes: u32) {
    to.put_u32_le(body_bytes);
    to.put_u8(kind as u8);
    to.put_u64_le(number);
}

/// Takes frames off a stream.
pub struct FrameReader<R> {
    stream: R,
    buffer: BytesMut,
    limit: usize,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub fn new(stream: R, limit: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), limit }
    }

    /// The next frame, or none when the stream ended between frames.
    pub async fn next(&mut self) -> Result<Option<Frame>, FrameFault> {
        loop {
            if let Some(frame) = take(&mut self.buffer, self.limit)? {
                return Ok(Some(frame));
            }
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(FrameFault::Cut) };
            }
            // quinn's streams do not count against tokio's budget, and a busy peer must not own a thread.
            tokio::task::consume_budget().await;
        }
    }
}

/// Takes a whole frame from the front of the buffer, if it is there.
fn take(buffer: &mut BytesMut, limit: usize) -> Result<Option<Frame>, FrameFault> {
    let Some(mut head) = buffer.get(..HEADER_BYTES) else {
        return Ok(None);
    };
    let length = head.get_u32_le() as usize;
    let kind = match head.get_u8() {
        0 => Kind::Cast,
        1 => Kind::Ask,
        2 => Kind::Answer,
        3 => Kind::NoAnswer,
        other => return Err(FrameFault::Kind(other)),
    };
    let number = head.get_u64_le();
    if length > limit {
        return Err(FrameFault::TooLarge { found: length, limit });
    }
    if buffer.len() < HEADER_BYTES + length {
        // Room for the whole body at once, so that a large one is not copied again at each doubling.
        buffer.reserve(HEADER_BYTES + length - buffer.len());
        return Ok(None);
    }
    buffer.advance(HEADER_BYTES);
    Ok(Some(Frame { kind, number, body: buffer.split_to(length).freeze() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(frames: &[Frame]) -> BytesMut {
        let mut bytes = BytesMut::new();
        for frame in frames {
            put_header(&mut bytes, frame.kind, frame.number, frame.body.len() as u32);
            bytes.extend_from_slice(&frame.body);
        }
        bytes
    }

    fn three() -> Vec<Frame> {
        vec![
            Frame { kind: Kind::Cast, number: 0, body: Bytes::from_static(b"ring") },
            Frame { kind: Kind::NoAnswer, number: u64::MAX, body: Bytes::new() },
            Frame { kind: Kind::Answer, number: 7, body: Bytes::from(vec![3; 70_000]) },
        ]
    }

    #[tokio::test]
    async fn frames_survive_any_cut_into_reads() {
        let bytes = encode(&three());
        for size in [1, 5, 13, 1000, 100_000] {
            let stream = in_pieces(&bytes, size);
            let mut reader = FrameReader::new(stream, 70_000);
            let mut got = Vec::new();
            while let Some(frame) = reader.next().await.unwrap() {
                got.push(frame);
            }
            assert_eq!(got, three());
        }
    }

    #[tokio::test]
    async fn what_is_wrong_is_an_error() {
        let bytes = encode(&three());
        let cut = FrameReader::new(&bytes[..bytes.len() - 1], 70_000).drain().await;
        assert!(matches!(cut, FrameFault::Cut));
        let large = FrameReader::new(&bytes[..], 69_999).drain().await;
        assert!(matches!(large, FrameFault::TooLarge { found: 70_000, limit: 69_999 }));
        let kind = FrameReader::new(&[0u8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0][..], 10).drain().await;
        assert!(matches!(kind, FrameFault::Kind(9)));
    }

    impl<R: AsyncRead + Unpin> FrameReader<R> {
        async fn drain(mut self) -> FrameFault {
            loop {
                match self.next().await {
                    Ok(Some(_)) => {}
                    Ok(None) => panic!("the stream ended without a fault"),
                    Err(fault) => return fault,
                }
            }
        }
    }

    fn in_pieces(bytes: &[u8], size: usize) -> impl AsyncRead + Unpin {
        let (mut write, read) = tokio::io::duplex(size);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            use tokio::io::AsyncWriteExt;
            write.write_all(&bytes).await.unwrap();
        });
        read
    }
}
