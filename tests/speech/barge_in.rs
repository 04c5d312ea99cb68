//! Who cuts in and what does not: real prompts are played while callers speak, cough, hum, make
//! noise or send our words back. Time is counted in audio.

use hotline::dialog::Expect;
use hotline::speech::{Ear, EarEvent, Ears, FRAME};
use street::{caller, sound, tone};

use super::{Caller, DA, Language, config, noise, open, question, require};
use std::time::Duration;

/// A prompt of some ten seconds without a pause.
const PROMPT: &str = "du kan sige hvad du ringer om og så stiller jeg dig videre til den afdeling som \
                      kan hjælpe dig med pas og kørekort og flytning og boligstøtte og byggesager og \
                      affald og skole og alt det andet som kommunen har med at gøre";

/// How long the prompt has been played before something is heard, in frames.
const BEFORE: usize = 45;

/// Plays the prompt while the caller's line brings `sound`, and the prompt itself after `echo`
/// frames, 15 dB quieter; returns how many milliseconds into the sound the ear told of speech.
async fn cuts_in(ear: &mut Ear, prompt: &[i16], sound: &[i16], echo: Option<usize>) -> Option<u64> {
    let prompt: Vec<&[i16; FRAME]> = prompt.as_chunks().0.iter().collect();
    let hum = noise(Duration::from_millis(20), 8);
    let mut told = None;
    let length = sound.len() / FRAME + 50;
    for number in 0..BEFORE + length {
        let mut frame: Vec<i16> = hum.clone();
        let at = number.checked_sub(BEFORE).map(|frame| frame * FRAME);
        if let Some(piece) = at.and_then(|at| sound.get(at..(at + FRAME).min(sound.len()))) {
            for (sample, more) in frame.iter_mut().zip(piece) {
                *sample = sample.saturating_add(*more);
            }
        }
        if let Some(back) = echo.and_then(|echo| number.checked_sub(echo)) {
            for (sample, more) in frame.iter_mut().zip(prompt[back % prompt.len()]) {
                *sample = sample.saturating_add((f32::from(*more) * 0.178) as i16);
            }
        }
        ear.played(Some(prompt[number % prompt.len()]));
        ear.push(&frame);
        while ear.backlog() > 0 {
            tokio::task::yield_now().await;
        }
        while let Ok(event) = ear.events.try_recv() {
            if event == EarEvent::SpeechStarted {
                let after = (number as u64 * 20).saturating_sub(BEFORE as u64 * 20);
                told = told.or(Some(after));
            }
        }
    }
    told
}

/// Opens an ear that listens for what a caller wants.
fn listening(ears: &Ears) -> Ear {
    let ear = open(ears);
    ear.listen(&question(Expect::Intent, &[(DA, &[]), (Language::EN, &[])]));
    ear
}

#[tokio::test(flavor = "multi_thread")]
async fn of_fifty_sounds_that_are_no_speech_at_most_one_stops_a_prompt() {
    let (Some(ears), Some(voice)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let prompt = voice.say(PROMPT, DA, Duration::ZERO).await;
    let mut trials: Vec<(String, Vec<i16>, Option<usize>)> = sound::all()
        .unwrap()
        .into_iter()
        .map(|sound| (sound.name, sound.samples, None))
        .collect();
    trials.extend([2, 5, 8, 12, 18, 25].map(|frames| {
        let name = format!("echo after {} ms", frames * 20);
        (name, vec![0; 4 * 8000], Some(frames))
    }));
    let mut stopped = Vec::new();
    let count = trials.len();
    for (name, samples, echo) in trials {
        let mut ear = listening(&ears);
        if let Some(after) = cuts_in(&mut ear, &prompt, &samples, echo).await {
            stopped.push(format!("{name} after {after} ms"));
        }
    }
    assert!(count >= 50, "{count}");
    assert!(stopped.len() * 50 <= count, "{stopped:?} of {count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_who_cut_in_are_noticed_at_once_also_over_an_echo() {
    let (Some(ears), Some(voice)) = (require(Ears::new(&config())), Caller::new()) else {
        return;
    };
    let prompt = voice.say(PROMPT, DA, Duration::ZERO).await;
    let words = [
        ("da", "ja tak"),
        ("da", "nej tak"),
        ("da", "borgerservice"),
        ("da", "jobcenteret tak"),
        ("da", "jeg vil gerne tale med borgerservice"),
        ("da", "det drejer sig om mit pas"),
        ("da", "kørekort"),
        ("da", "hallo"),
        ("da", "undskyld"),
        ("da", "biblioteket"),
        ("da+f2", "ja"),
        ("da+f2", "nej"),
        ("da+f2", "omstilling"),
        ("da+f2", "byggetilladelse"),
        ("da+f2", "kan jeg tale med et menneske"),
        ("en-gb", "yes please"),
        ("en-gb", "no thanks"),
        ("en-gb", "operator please"),
        ("en-gb", "i would like to speak with the library"),
        ("en-gb+f3", "driving licence"),
    ];
    for echo in [None, Some(8)] {
        let mut times = Vec::new();
        for (speaker, text) in words {
            let said = caller::speak(speaker, text).unwrap();
            let begins = said.chunks(FRAME).position(|it| tone::level(it) > -45.0);
            let mut ear = listening(&ears);
            let after = cuts_in(&mut ear, &prompt, &said[begins.unwrap() * FRAME..], echo).await;
            times.push((after.map_or(u64::MAX, |after| after + 20), speaker, text));
        }
        times.sort_unstable();
        // One in twenty may be slower; a frame is on its way to the caller besides.
        let (most, ..) = times[times.len() - 2];
        assert!(most <= 160, "{times:?}");
    }
}
