//! A recognition with a model for whole utterances: the audio of a turn is collected, and decoded
//! elsewhere when the turn is over. At a pause it is decoded once ahead, if nothing else is to be
//! done, so that the words may be there before the turn ends.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use webrtc_vad::{SampleRate, Vad, VadMode};

use super::pool::{Answer, Pool};
use super::words;
use crate::speech::{Bell, FRAME, RATE, Recognition, SpeechError, Told, Transcript};
use crate::words::Language;

/// How much of a turn is decoded in one go: 25 s. Whisper takes 30 s at most, and others need
/// memory that grows with the square of it.
const PIECE: usize = 25 * RATE;

/// The last part of a piece, in which the quietest moment is looked for to cut it there: 5 s.
const SEAM: usize = 5 * RATE;

/// What is too short to be a word: 100 ms.
const SHORTEST: usize = RATE / 10;

/// Frames that sound like a voice after a pause, beyond which the turn is decoded again.
const GONE_ON: usize = 2;

/// A model that recognitions can be opened on.
pub(super) struct Desk {
    pub(super) pool: Pool,
    pub(super) language: Language,
    /// The setting that says how long the queue is.
    pub(super) queue: String,
}

impl Desk {
    fn fault(&self, reason: String) -> SpeechError {
        SpeechError::Recogniser {
            language: self.language,
            reason,
        }
    }
}

/// The audio of a turn, or a part of it, in work.
struct Piece {
    began: Duration,
    answer: Answer,
}

/// The turn so far, decoded at a pause.
struct Ahead {
    answer: Answer,
    /// Whether its words were told.
    told: bool,
    /// Frames since that sounded like a voice.
    voiced: usize,
}

pub(super) struct Collected {
    desk: Arc<Desk>,
    bell: Bell,
    hints: Option<Arc<str>>,
    vad: Vad,
    /// What has not been given to be decoded.
    samples: Vec<i16>,
    /// Samples of this turn before those.
    before: usize,
    /// The parts of this turn that are in work already, of long ones.
    pieces: Vec<Piece>,
    ahead: Option<Ahead>,
    /// Turns that are over and not told yet.
    turns: VecDeque<Vec<Piece>>,
}

impl Collected {
    pub(super) fn new(desk: Arc<Desk>, hints: Option<Arc<str>>, bell: Bell) -> Self {
        Self {
            desk,
            bell,
            hints,
            vad: Vad::new_with_rate_and_mode(SampleRate::Rate8kHz, VadMode::Aggressive),
            samples: Vec::new(),
            before: 0,
            pieces: Vec::new(),
            ahead: None,
            turns: VecDeque::new(),
        }
    }

    fn decode(&self, samples: Vec<i16>) -> Result<Answer, SpeechError> {
        let answer = self
            .desk
            .pool
            .decode(samples, self.hints.clone(), self.bell.clone());
        answer.ok_or_else(|| SpeechError::QueueFull {
            language: self.desk.language,
            most: self.desk.pool.most(),
            setting: self.desk.queue.clone(),
        })
    }

    /// Gives the samples up to a place to be decoded.
    fn cut(&mut self, place: usize) -> Result<(), SpeechError> {
        let rest = self.samples.split_off(place);
        let samples = std::mem::replace(&mut self.samples, rest);
        let length = samples.len();
        let answer = match self.ahead.take() {
            // Everything but silence was decoded at the last pause.
            Some(ahead) if ahead.voiced <= GONE_ON && self.samples.is_empty() => Some(ahead.answer),
            _ if length < SHORTEST => None,
            _ => Some(self.decode(samples)?),
        };
        let began = Duration::from_secs_f64(self.before as f64 / RATE as f64);
        self.pieces
            .extend(answer.map(|answer| Piece { began, answer }));
        self.before += length;
        Ok(())
    }
}

impl Recognition for Collected {
    fn push(&mut self, samples: &[i16]) -> Result<(), SpeechError> {
        self.samples.extend_from_slice(samples);
        if let Some(ahead) = &mut self.ahead {
            let frames = samples.chunks_exact(FRAME);
            let voiced = frames.filter(|frame| self.vad.is_voice_segment(frame).unwrap_or(true));
            ahead.voiced += voiced.count();
        }
        while self.samples.len() >= PIECE {
            self.ahead = None;
            let place = quietest(&self.samples[..PIECE]);
            self.cut(place)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpeechError> {
        self.cut(self.samples.len())?;
        self.before = 0;
        self.turns.push_back(std::mem::take(&mut self.pieces));
        Ok(())
    }

    fn settle(&mut self) {
        if self.samples.len() < SHORTEST || !self.desk.pool.is_idle() {
            return;
        }
        if self
            .ahead
            .as_ref()
            .is_some_and(|ahead| ahead.voiced <= GONE_ON)
        {
            return;
        }
        self.ahead = self.decode(self.samples.clone()).ok().map(|answer| Ahead {
            answer,
            told: false,
            voiced: 0,
        });
    }

    fn told(&mut self, _now: Instant) -> Result<Option<Told>, SpeechError> {
        if let Some(turn) = self.turns.front() {
            let Some(all) = answers(turn).map_err(|reason| self.desk.fault(reason))? else {
                return Ok(None);
            };
            self.turns.pop_front();
            return Ok(Some(Told::Final(words::join(all))));
        }
        let Some(answer) = self
            .ahead
            .as_ref()
            .filter(|it| !it.told)
            .and_then(|it| it.answer.get())
        else {
            return Ok(None);
        };
        let now = answer.map_err(|reason| self.desk.fault(reason))?;
        let before = answers(&self.pieces).map_err(|reason| self.desk.fault(reason))?;
        let Some(before) = before else {
            return Ok(None);
        };
        if let Some(ahead) = &mut self.ahead {
            ahead.told = true;
        }
        let all = words::join(before.into_iter().chain([(Duration::ZERO, now)]));
        Ok(Some(Told::Partial(all.text)))
    }
}

/// Returns the words of pieces, once those of all are there.
fn answers(pieces: &[Piece]) -> Result<Option<Vec<(Duration, Transcript)>>, String> {
    let mut all = Vec::new();
    for piece in pieces {
        match piece.answer.get() {
            Some(outcome) => all.push((piece.began, outcome?)),
            None => return Ok(None),
        }
    }
    Ok(Some(all))
}

/// Returns the place of the quietest 20 ms in the last part of some samples.
fn quietest(samples: &[i16]) -> usize {
    let from = samples.len().saturating_sub(SEAM);
    let loudness = |frame: &[i16]| frame.iter().map(|it| i64::from(*it).pow(2)).sum::<i64>();
    let frames = samples[from..].chunks_exact(FRAME).enumerate();
    let (number, _) = frames
        .min_by_key(|(_, frame)| loudness(frame))
        .unwrap_or_default();
    from + number * FRAME + FRAME / 2
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Receiver, channel};

    use super::super::pool::Decode;
    use super::*;
    use crate::speech::tone;

    const LONG: Duration = Duration::from_secs(20);

    fn desk(decode: Arc<Decode>) -> Arc<Desk> {
        Arc::new(Desk {
            pool: Pool::start(1, 2, decode).unwrap(),
            language: Language::DA,
            queue: "speech.ears.da[0].most".to_owned(),
        })
    }

    /// Tells how long each piece was, in tenths of a second.
    fn counting() -> Arc<Decode> {
        Arc::new(|samples: &[i16], hints: Option<&str>| {
            let text = format!("{}{}", samples.len() * 10 / RATE, hints.unwrap_or_default());
            Ok(Transcript {
                text,
                ..Transcript::default()
            })
        })
    }

    fn open(decode: Arc<Decode>, hints: Option<&str>) -> (Collected, Receiver<()>) {
        let (rung, rings) = channel();
        let rung = Mutex::new(rung);
        let bell = Bell::new(move || {
            let _ = rung.lock().unwrap().send(());
        });
        (
            Collected::new(desk(decode), hints.map(Arc::from), bell),
            rings,
        )
    }

    /// Waits until there is something to be told.
    fn told(recognition: &mut Collected, rings: &Receiver<()>) -> Told {
        loop {
            if let Some(told) = recognition.told(Instant::now()).unwrap() {
                return told;
            }
            rings.recv_timeout(LONG).unwrap();
        }
    }

    fn text(told: Told) -> String {
        match told {
            Told::Final(transcript) => transcript.text,
            other => panic!("{other:?}"),
        }
    }

    fn silence(tenths: usize) -> Vec<i16> {
        vec![0; tenths * RATE / 10]
    }

    fn voice(tenths: u64) -> Vec<i16> {
        tone(300.0, Duration::from_millis(tenths * 100))
    }

    #[test]
    fn the_words_of_a_turn_come_after_its_end_with_the_bell() {
        let (mut recognition, rings) = open(counting(), Some(" hints"));
        recognition.push(&voice(10)).unwrap();
        assert_eq!(recognition.told(Instant::now()).unwrap(), None);
        recognition.finish().unwrap();
        assert_eq!(text(told(&mut recognition, &rings)), "10 hints");
        recognition.push(&voice(20)).unwrap();
        recognition.finish().unwrap();
        assert_eq!(text(told(&mut recognition, &rings)), "20 hints");
        assert_eq!(recognition.told(Instant::now()).unwrap(), None);
    }

    #[test]
    fn words_decoded_at_a_pause_are_those_of_the_turn_when_only_silence_followed() {
        let (mut recognition, rings) = open(counting(), None);
        recognition.push(&voice(10)).unwrap();
        recognition.settle();
        assert_eq!(
            told(&mut recognition, &rings),
            Told::Partial("10".to_owned())
        );
        recognition.push(&silence(5)).unwrap();
        recognition.finish().unwrap();
        // They are there at once: nothing was decoded again.
        assert_eq!(
            recognition
                .told(Instant::now())
                .unwrap()
                .map(text)
                .as_deref(),
            Some("10")
        );
    }

    #[test]
    fn a_caller_who_goes_on_after_a_pause_is_decoded_again() {
        let (mut recognition, rings) = open(counting(), None);
        recognition.push(&voice(10)).unwrap();
        recognition.settle();
        assert_eq!(
            told(&mut recognition, &rings),
            Told::Partial("10".to_owned())
        );
        recognition.push(&voice(5)).unwrap();
        recognition.finish().unwrap();
        assert_eq!(text(told(&mut recognition, &rings)), "15");
    }

    #[test]
    fn a_long_turn_is_decoded_in_pieces_cut_where_it_is_quietest() {
        let (mut recognition, rings) = open(counting(), None);
        let said = [voice(230), silence(2), voice(100)].concat();
        for frame in said.chunks(FRAME) {
            recognition.push(frame).unwrap();
        }
        recognition.finish().unwrap();
        assert_eq!(text(told(&mut recognition, &rings)), "230 101");
    }

    #[test]
    fn a_turn_without_audio_has_no_words_and_costs_nothing() {
        let (mut recognition, _rings) = open(counting(), None);
        recognition.push(&silence(0)).unwrap();
        recognition.finish().unwrap();
        assert_eq!(
            recognition.told(Instant::now()).unwrap(),
            Some(Told::Final(Transcript::default()))
        );
    }

    #[test]
    fn a_full_queue_and_a_failed_decode_are_faults_of_this_engine() {
        let failing: Arc<Decode> = Arc::new(|_: &[i16], _: Option<&str>| Err("no".to_owned()));
        let (mut recognition, rings) = open(failing, None);
        recognition.push(&voice(10)).unwrap();
        recognition.finish().unwrap();
        rings.recv_timeout(LONG).unwrap();
        let error = recognition.told(Instant::now()).unwrap_err();
        assert_eq!(error.to_string(), "the da recogniser failed: no");

        let (_gate, wait) = channel::<()>();
        let wait = Mutex::new(wait);
        let stuck: Arc<Decode> = Arc::new(move |_: &[i16], _: Option<&str>| {
            let _ = wait.lock().unwrap().recv();
            Err(String::new())
        });
        let (mut recognition, _rings) = open(stuck, None);
        // One is in work or about to be, two wait.
        let fault = (0..4).find_map(|_| {
            recognition.push(&voice(2)).unwrap();
            recognition.finish().err()
        });
        let fault = fault.unwrap();
        assert!(matches!(fault, SpeechError::QueueFull { .. }), "{fault:?}");
        insta::assert_snapshot!(
            fault,
            @"2 utterances wait for the da recogniser already (speech.ears.da[0].most); it does not keep up"
        );
    }
}
