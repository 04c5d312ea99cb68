//! The one entry that the fuzz target and the property tests share.

use audiosocket::frame::{Decoder, Frame, HEADER_BYTES, MAX_PAYLOAD_BYTES, encode};

/// What a decoder made of some bytes: its frames, and whether it met a fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    pub frames: Vec<Frame>,
    pub fault: Option<String>,
    pub skipped: u64,
}

/// Decodes bytes in pieces whose lengths come round from `pieces`, and checks what must always hold.
pub fn read(bytes: &[u8], pieces: &[u8]) -> Reading {
    let mut decoder = Decoder::new();
    let mut reading = Reading {
        frames: Vec::new(),
        fault: None,
        skipped: 0,
    };
    let mut lengths = pieces
        .iter()
        .map(|length| usize::from(*length).max(1))
        .cycle();
    let mut rest = bytes;
    while !rest.is_empty() && reading.fault.is_none() {
        let (piece, later) = rest.split_at(lengths.next().unwrap_or(rest.len()).min(rest.len()));
        rest = later;
        decoder.feed(piece);
        drain(&mut decoder, &mut reading);
        assert!(
            decoder.held_bytes() < HEADER_BYTES + MAX_PAYLOAD_BYTES,
            "holds more than a frame"
        );
        assert!(
            decoder.offset() <= bytes.len() as u64,
            "counts bytes that never came"
        );
    }
    reading.skipped = decoder.skipped_frames();
    reading
}

fn drain(decoder: &mut Decoder, reading: &mut Reading) {
    loop {
        match decoder.next() {
            Ok(Some(frame)) => reading.frames.push(frame),
            Ok(None) => return,
            Err(fault) => {
                assert_eq!(decoder.next(), Err(fault), "a fault must stay");
                reading.fault = Some(fault.to_string());
                return;
            }
        }
    }
}

/// Checks arbitrary bytes in arbitrary splits: no panic, bounded memory, the same frames as in one
/// piece, and every frame survives being encoded and decoded again.
pub fn check(bytes: &[u8], pieces: &[u8]) {
    let whole = read(bytes, &[]);
    assert_eq!(whole, read(bytes, pieces), "the split changed the frames");
    let mut again = Vec::new();
    for frame in &whole.frames {
        encode(frame, &mut again).expect("what was decoded can be encoded");
    }
    assert_eq!(
        read(&again, &[]).frames,
        whole.frames,
        "encoding changed the frames"
    );
}
