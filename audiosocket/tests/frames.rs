//! Frames against arbitrary bytes, arbitrary splits and what Asterisk really sent.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[expect(
    unreachable_pub,
    reason = "the fuzz target, a crate of its own, includes the same file"
)]
#[path = "../fuzz/entry.rs"]
mod entry;

use audiosocket::frame::{Decoder, MAX_PAYLOAD_BYTES, encode, encode_samples};
use audiosocket::mulaw::MulawWatch;
use audiosocket::{Audio, Digit, Frame, Rate, Unsendable};
use entry::read;
use proptest::prelude::*;
use std::time::Duration;
use uuid::Uuid;

const CALL: &[u8] = include_bytes!("fixtures/audiosocket-call.bin");
const SILENT_CALLER: &[u8] = include_bytes!("fixtures/audiosocket-caller-sends-no-rtp.bin");
const DIAL_SLIN: &[u8] = include_bytes!("fixtures/audiosocket-dial-slin.bin");
const DIAL_SLIN16: &[u8] = include_bytes!("fixtures/audiosocket-dial-slin16.bin");
const DIAL_MULAW: &[u8] = include_bytes!("fixtures/audiosocket-dial-ulaw-trap.bin");
const REDIRECT: &[u8] = include_bytes!("fixtures/audiosocket-redirect.bin");

/// Says a recorded session in a few words: runs of equal frames, keys and ids in their order.
fn story(bytes: &[u8]) -> String {
    let reading = read(bytes, &[]);
    assert_eq!((reading.fault, reading.skipped), (None, 0));
    let mut runs: Vec<(String, usize)> = Vec::new();
    for frame in reading.frames {
        let words = match frame {
            Frame::Hangup => "hang-up".to_owned(),
            Frame::Id(id) => format!("id {id}"),
            Frame::Dtmf(digit) => format!("key {digit}"),
            Frame::Audio(audio) => format!("{} Hz/{} B", audio.rate.hz(), audio.payload.len()),
            Frame::Error(code) => format!("error {code:?}"),
        };
        match runs.last_mut() {
            Some((last, count)) if *last == words => *count += 1,
            _ => runs.push((words, 1)),
        }
    }
    let told: Vec<String> = runs
        .into_iter()
        .map(|(words, count)| {
            if count == 1 {
                words
            } else {
                format!("{words} x{count}")
            }
        })
        .collect();
    told.join(", ")
}

fn audio_of(bytes: &[u8]) -> Vec<Audio> {
    let frames = read(bytes, &[]).frames.into_iter();
    frames
        .filter_map(|frame| {
            if let Frame::Audio(audio) = frame {
                Some(audio)
            } else {
                None
            }
        })
        .collect()
}

#[test]
fn a_call_is_its_id_its_sound_and_its_keys_and_no_hangup() {
    assert_eq!(
        story(CALL),
        "id e7cd930d-5fb3-4517-bd81-3111d58a33e7, 8000 Hz/320 B x331, key 1, 8000 Hz/320 B x15, \
         key 5, 8000 Hz/320 B x15, key #, 8000 Hz/320 B x30"
    );
}

#[test]
fn a_caller_that_sends_nothing_has_only_an_id() {
    assert_eq!(
        story(SILENT_CALLER),
        "id cedd498c-f6e7-4e26-bf1e-dd6e9c21547a"
    );
}

#[test]
fn a_dialled_call_in_slin_looks_like_the_application() {
    assert_eq!(
        story(DIAL_SLIN),
        "id 09dcd85c-9140-4300-b8b3-874a0d00dac0, 8000 Hz/320 B x101, key 7, 8000 Hz/320 B x30"
    );
}

#[test]
fn a_dialled_call_in_slin16_is_wideband() {
    assert_eq!(
        story(DIAL_SLIN16),
        "id 107c1a37-3567-4230-a050-75249fa45037, 16000 Hz/640 B x200, key 7, 16000 Hz/640 B x30"
    );
}

#[test]
fn a_redirected_call_just_stops() {
    assert_eq!(
        story(REDIRECT),
        "id 901d2f1e-facc-4b7a-866f-037ef10a6e12, 8000 Hz/320 B x50"
    );
}

#[test]
fn a_recorded_call_encodes_to_the_very_bytes_asterisk_sent() {
    for recorded in [
        CALL,
        SILENT_CALLER,
        DIAL_SLIN,
        DIAL_SLIN16,
        DIAL_MULAW,
        REDIRECT,
    ] {
        let mut again = Vec::new();
        for frame in read(recorded, &[]).frames {
            encode(&frame, &mut again).unwrap();
        }
        assert!(again == recorded);
    }
}

#[test]
fn a_call_dialled_without_a_codec_is_expanded_to_the_speech_of_one_dialled_with() {
    let mut watch = MulawWatch::new();
    let mut heard = Vec::new();
    for (number, audio) in audio_of(DIAL_MULAW).into_iter().enumerate() {
        assert_eq!(audio.payload.len(), 160);
        let linear = watch.linear(audio, Duration::from_millis(20) * number as u32);
        assert_eq!(linear.duration(), Duration::from_millis(20));
        heard.extend(linear.samples());
    }
    let spoken: Vec<i16> = audio_of(DIAL_SLIN)
        .iter()
        .flat_map(Audio::samples)
        .collect();
    let two_seconds = 16_000;
    assert!(
        spoken[..two_seconds]
            .iter()
            .any(|sample| sample.unsigned_abs() > 5_000)
    );
    assert!(heard[..two_seconds] == spoken[..two_seconds]);
}

#[test]
fn a_call_dialled_with_a_codec_is_left_alone() {
    let mut watch = MulawWatch::new();
    for (number, audio) in audio_of(DIAL_SLIN).into_iter().enumerate() {
        let now = Duration::from_millis(20) * number as u32;
        assert_eq!(watch.linear(audio.clone(), now), audio);
    }
}

#[test]
fn what_would_end_the_call_is_not_sent() {
    let mut out = Vec::new();
    assert_eq!(
        encode_samples(Rate::Hz8000, &[], &mut out),
        Err(Unsendable::BrokenSamples { length: 0 })
    );
    assert_eq!(
        encode_samples(Rate::Hz8000, &[0; MAX_PAYLOAD_BYTES / 2 + 1], &mut out),
        Err(Unsendable::TooLong {
            length: MAX_PAYLOAD_BYTES + 2
        })
    );
    let half = Audio {
        rate: Rate::Hz8000,
        payload: vec![0; 3].into(),
    };
    assert_eq!(
        encode(&Frame::Audio(half), &mut out),
        Err(Unsendable::BrokenSamples { length: 3 })
    );
    assert_eq!(out, [], "a refused frame leaves nothing behind");
}

#[test]
fn each_fault_has_its_words() {
    let words = |bytes: &[u8]| read(bytes, &[]).fault.unwrap();
    assert_eq!(
        words(&[0x01, 0, 15]),
        "frame of kind 0x01 at byte 0 announces 15 bytes instead of 16"
    );
    assert_eq!(
        words(&[0x03, 0, 1, b'5', 0x03, 0, 2]),
        "frame of kind 0x03 at byte 4 announces 2 bytes instead of 1"
    );
    assert_eq!(
        words(&[0x03, 0, 1, b'x']),
        "key frame (kind 0x03) at byte 0 holds byte 0x78, which is no key"
    );
    assert_eq!(
        words(&[0x10, 0, 33]),
        "audio frame of kind 0x10 at byte 0 announces 33 bytes, which is no whole number of 16-bit \
         samples: dial with /c(slin)"
    );
    assert_eq!(
        words(&[0x42, 0, 1, 0, 0xff, 0x7d, 0x01]),
        "frame of kind 0xff at byte 4 announces 32001 bytes, at most 32000 are accepted: this is not \
         AudioSocket, or the stream is out of step"
    );
}

#[test]
fn a_web_browser_is_refused_by_its_first_three_bytes() {
    let mut decoder = Decoder::expecting_id();
    decoder.feed(b"GET");
    assert_eq!(
        decoder.next().unwrap_err().to_string(),
        "first frame is of kind 0x47 with 17748 bytes instead of the id (kind 0x01, 16 bytes): this \
         peer does not speak AudioSocket"
    );
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let any_rate = prop::sample::select(Rate::ALL.to_vec());
    let keys = prop::sample::select(b"0123456789*#ABCD".to_vec());
    prop_oneof![
        1 => Just(Frame::Hangup),
        1 => any::<u128>().prop_map(|id| Frame::Id(Uuid::from_u128(id))),
        1 => keys.prop_map(|key| Frame::Dtmf(Digit::new(key).expect("a key"))),
        4 => (any_rate, prop::collection::vec(any::<i16>(), 1..400))
            .prop_map(|(rate, samples)| Frame::Audio(Audio::from_samples(rate, &samples))),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(|code| Frame::Error(code.into())),
    ]
}

/// Bytes that look like frames often enough to get past the first header.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let kinds = prop::sample::select(vec![0x00, 0x01, 0x02, 0x03, 0x10, 0x12, 0x18, 0x19, 0xff]);
    let piece = (
        kinds,
        0_u16..40,
        prop::collection::vec(any::<u8>(), 0..40),
        any::<bool>(),
    );
    prop::collection::vec(piece, 0..30).prop_map(|pieces| {
        let mut bytes = Vec::new();
        for (kind, length, payload, honest) in pieces {
            let length = if honest { payload.len() as u16 } else { length };
            bytes.push(kind);
            bytes.extend(length.to_be_bytes());
            bytes.extend(payload);
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_split_gives_the_same_frames(
        frames in prop::collection::vec(any_frame(), 0..12),
        pieces in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let mut bytes = Vec::new();
        for frame in &frames {
            encode(frame, &mut bytes).unwrap();
        }
        let reading = read(&bytes, &pieces);
        prop_assert_eq!(reading.fault, None);
        prop_assert_eq!(reading.frames, frames);
    }

    #[test]
    fn a_recorded_call_in_any_split_is_the_same_call(
        pieces in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        prop_assert_eq!(read(DIAL_SLIN, &pieces), read(DIAL_SLIN, &[]));
    }

    #[test]
    fn garbage_never_panics_nor_holds_more_than_a_frame(
        bytes in prop::collection::vec(any::<u8>(), 0..4_000),
        pieces in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        entry::check(&bytes, &pieces);
    }

    #[test]
    fn near_misses_never_panic_and_split_alike(
        bytes in nearly_frames(),
        pieces in prop::collection::vec(0_u8..9, 0..8),
    ) {
        entry::check(&bytes, &pieces);
    }

    #[test]
    fn a_damaged_call_never_panics(
        (place, byte) in (0..DIAL_SLIN.len(), any::<u8>()),
        pieces in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut bytes = DIAL_SLIN.to_vec();
        bytes[place] = byte;
        entry::check(&bytes, &pieces);
    }
}
