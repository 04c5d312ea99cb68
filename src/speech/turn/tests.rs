//! Stories and properties of turn-taking, in frames.

use proptest::prelude::*;

use super::*;

const SPEECH: Frame = Frame {
    voiced: true,
    level: -22.0,
    talking: false,
};
const QUIET: Frame = Frame {
    voiced: false,
    level: -62.0,
    talking: false,
};

fn ready(expect: Expect) -> Turn {
    let mut turn = Turn::new(Settings::default());
    turn.expect(expect, None);
    run(&mut turn, QUIET, 1000);
    turn
}

/// Feeds a sound for some milliseconds and returns each change with its time.
fn run(turn: &mut Turn, frame: Frame, milliseconds: u32) -> Vec<(u32, Change)> {
    (1..=milliseconds / 20)
        .filter_map(|number| {
            // The level of speech wavers, as it does on the telephone.
            let waver = if frame.voiced {
                [0.0, 4.0, -4.0, 2.0][number as usize % 4]
            } else {
                0.0
            };
            let frame = Frame {
                level: frame.level + waver,
                ..frame
            };
            turn.frame(frame).map(|change| (number * 20, change))
        })
        .filter(|(_, change)| *change != Change::Paused)
        .collect()
}

fn danish(text: &str) -> Words<'_> {
    Words {
        text,
        language: Language::DA,
        likeliest: true,
    }
}

/// Says something for 400 ms and returns the pause after which the turn was over.
fn pause_after(expect: Expect, words: &str) -> u32 {
    let mut turn = ready(expect);
    assert_eq!(run(&mut turn, SPEECH, 400).len(), 1);
    turn.words([danish(words)]);
    match run(&mut turn, QUIET, 3000)[..] {
        [(time, Change::TurnEnded)] => time,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn speech_is_noticed_within_120_ms() {
    let mut turn = ready(Expect::Intent);
    assert_eq!(run(&mut turn, SPEECH, 400), [(80, Change::SpeechStarted)]);
    let mut turn = ready(Expect::Intent);
    let talking = Frame {
        talking: true,
        ..SPEECH
    };
    assert_eq!(run(&mut turn, talking, 400), [(80, Change::SpeechStarted)]);
}

#[test]
fn the_pause_that_ends_a_turn_depends_on_the_question() {
    assert_eq!(pause_after(Expect::YesNo, "ja"), 320);
    assert_eq!(pause_after(Expect::Intent, "borgerservice"), 520);
    assert_eq!(pause_after(Expect::Date, "på mandag"), 520);
    assert_eq!(pause_after(Expect::Text, "anders and"), 800);
}

#[test]
fn more_digits_are_waited_for_while_there_are_too_few() {
    assert_eq!(pause_after(Expect::Digits, "fire to"), 800);
    assert_eq!(pause_after(Expect::Digits, "fire to syv nul"), 400);
    assert_eq!(pause_after(Expect::Phone, "fire to syv nul"), 800);
    assert_eq!(
        pause_after(Expect::Phone, "enogtyve halvfjerds nul syv femogfyrre"),
        400
    );
}

/// Says something for 400 ms, is told after the short pause that it is an answer, and returns the
/// pause after which the turn was over.
fn pause_after_answer(expect: Expect, words: &str) -> u32 {
    let mut turn = ready(expect);
    run(&mut turn, SPEECH, 400);
    turn.words([danish(words)]);
    for number in 1..100 {
        match turn.frame(QUIET) {
            Some(Change::Paused) if turn.answered() == Some(Change::TurnEnded) => {
                return number * 20;
            }
            Some(Change::TurnEnded) => return number * 20,
            _ => {}
        }
    }
    panic!("the turn does not end")
}

#[test]
fn words_that_are_an_answer_end_the_turn_at_a_short_pause() {
    assert_eq!(pause_after_answer(Expect::YesNo, "ja tak"), 140);
    assert_eq!(pause_after_answer(Expect::Digits, "fire to syv nul"), 140);
    assert_eq!(pause_after_answer(Expect::Intent, "borgerservice"), 300);
    // Whatever was said may go on where anything may be said.
    assert_eq!(pause_after_answer(Expect::Text, "anders and"), 800);
}

#[test]
fn whoever_goes_on_after_an_answer_is_not_cut_off() {
    let mut turn = ready(Expect::YesNo);
    run(&mut turn, SPEECH, 300);
    turn.words([danish("ja")]);
    assert_eq!(turn.answered(), None);
    assert_eq!(run(&mut turn, QUIET, 120), []);
    assert_eq!(run(&mut turn, SPEECH, 300), []);
    turn.words([danish("ja men")]);
    assert_eq!(run(&mut turn, QUIET, 1000), []);
    assert_eq!(run(&mut turn, QUIET, 300), [(200, Change::TurnEnded)]);
}

#[test]
fn whoever_goes_on_after_an_answer_is_waited_for_before_the_words_of_it_are_there() {
    let mut turn = ready(Expect::YesNo);
    run(&mut turn, SPEECH, 300);
    turn.words([danish("ja")]);
    assert_eq!(turn.answered(), None);
    assert_eq!(run(&mut turn, QUIET, 120), []);
    assert_eq!(run(&mut turn, SPEECH, 300), []);
    assert_eq!(run(&mut turn, QUIET, 1000), [(320, Change::TurnEnded)]);
}

#[test]
fn words_heard_after_the_answer_make_it_none() {
    let mut turn = ready(Expect::YesNo);
    run(&mut turn, SPEECH, 300);
    turn.words([danish("ja")]);
    turn.answered();
    turn.words([danish("ja [unk]")]);
    assert_eq!(run(&mut turn, QUIET, 1000), [(320, Change::TurnEnded)]);
}

#[test]
fn each_pause_is_told_once() {
    let mut turn = ready(Expect::YesNo);
    let mut told = 0;
    for _ in 0..3 {
        run(&mut turn, SPEECH, 200);
        told += (0..12)
            .filter(|_| turn.frame(QUIET) == Some(Change::Paused))
            .count();
    }
    assert_eq!(told, 3);
}

#[test]
fn whoever_stops_in_the_middle_has_time_to_think() {
    assert_eq!(
        pause_after(Expect::Intent, "jeg vil gerne tale med øh"),
        1200
    );
    assert_eq!(pause_after(Expect::Text, "jeg hedder"), 1200);
    assert_eq!(pause_after(Expect::YesNo, "ja men"), 1200);
    assert_eq!(pause_after(Expect::YesNo, "ja det er det"), 320);
}

#[test]
fn a_question_may_ask_for_a_pause_of_its_own() {
    let mut turn = ready(Expect::Text);
    turn.expect(Expect::Text, Some(Duration::from_millis(2000)));
    run(&mut turn, SPEECH, 400);
    assert_eq!(run(&mut turn, QUIET, 3000), [(2000, Change::TurnEnded)]);
    turn.expect(Expect::YesNo, Some(Duration::from_millis(900)));
    run(&mut turn, SPEECH, 400);
    assert_eq!(run(&mut turn, QUIET, 3000), [(900, Change::TurnEnded)]);
}

#[test]
fn a_click_is_no_speech() {
    let mut turn = ready(Expect::Intent);
    for _ in 0..20 {
        assert_eq!(run(&mut turn, SPEECH, 60), []);
        assert_eq!(run(&mut turn, QUIET, 200), []);
    }
}

#[test]
fn a_breath_does_not_prolong_a_turn() {
    let mut turn = ready(Expect::YesNo);
    run(&mut turn, SPEECH, 400);
    assert_eq!(run(&mut turn, QUIET, 160), []);
    assert_eq!(run(&mut turn, SPEECH, 40), []);
    assert_eq!(run(&mut turn, QUIET, 300), [(120, Change::TurnEnded)]);
}

#[test]
fn a_hesitation_does_not_end_a_turn() {
    let mut turn = ready(Expect::Intent);
    run(&mut turn, SPEECH, 400);
    assert_eq!(run(&mut turn, QUIET, 500), []);
    assert_eq!(run(&mut turn, SPEECH, 400), []);
    assert_eq!(run(&mut turn, QUIET, 1000), [(520, Change::TurnEnded)]);
}

#[test]
fn an_echo_of_the_prompt_is_no_barge_in() {
    let mut turn = ready(Expect::Intent);
    let echo = Frame {
        voiced: true,
        level: -50.0,
        talking: true,
    };
    assert_eq!(run(&mut turn, echo, 5000), []);
}

#[test]
fn a_quiet_caller_is_heard() {
    let mut turn = ready(Expect::Intent);
    let quiet = Frame {
        level: -44.0,
        ..SPEECH
    };
    assert_eq!(run(&mut turn, quiet, 400), [(80, Change::SpeechStarted)]);
}

#[test]
fn steady_noise_that_sounds_like_a_voice_is_learned_as_noise() {
    let mut turn = Turn::new(Settings::default());
    let hum = Frame {
        voiced: true,
        level: -24.0,
        talking: false,
    };
    for _ in 0..1000 {
        assert_eq!(turn.frame(hum), None);
    }
    // A hum that begins later is one turn at most.
    let mut turn = ready(Expect::YesNo);
    let changes: Vec<Change> = (0..1000)
        .filter_map(|_| turn.frame(hum))
        .filter(|change| *change != Change::Paused)
        .collect();
    assert_eq!(changes, [Change::SpeechStarted, Change::TurnEnded]);
}

#[test]
fn noise_that_ends_does_not_deafen_for_long() {
    let mut turn = ready(Expect::Intent);
    let roar = Frame {
        voiced: false,
        level: -20.0,
        talking: false,
    };
    run(&mut turn, roar, 10_000);
    run(&mut turn, QUIET, 200);
    assert_eq!(run(&mut turn, SPEECH, 400), [(80, Change::SpeechStarted)]);
}

#[test]
fn a_radio_in_the_background_is_one_long_turn() {
    let mut turn = ready(Expect::Intent);
    let changes = run(&mut turn, SPEECH, 60_000);
    assert_eq!(
        changes,
        [(80, Change::SpeechStarted), (15_080, Change::TurnEnded)]
    );
    run(&mut turn, QUIET, 400);
    assert_eq!(run(&mut turn, SPEECH, 400), [(80, Change::SpeechStarted)]);
}

#[test]
fn whoever_may_say_anything_may_take_a_minute() {
    let mut turn = ready(Expect::Text);
    let changes: Vec<_> = (0..26)
        .flat_map(|_| [run(&mut turn, SPEECH, 2000), run(&mut turn, QUIET, 400)].concat())
        .collect();
    assert_eq!(
        changes,
        [(80, Change::SpeechStarted), (80, Change::TurnEnded)]
    );
}

#[test]
fn a_question_asked_while_the_caller_speaks_sets_the_pause() {
    let mut turn = ready(Expect::Text);
    run(&mut turn, SPEECH, 400);
    turn.expect(Expect::YesNo, None);
    assert_eq!(run(&mut turn, QUIET, 1000), [(320, Change::TurnEnded)]);
}

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let frame =
        (any::<bool>(), -100.0_f32..0.0, any::<bool>()).prop_map(|(voiced, level, talking)| {
            Frame {
                voiced,
                level,
                talking,
            }
        });
    prop::collection::vec((frame, 1_usize..60), 0..80).prop_map(|runs| {
        runs.into_iter()
            .flat_map(|(frame, length)| vec![frame; length])
            .collect()
    })
}

proptest! {
    #[test]
    fn speech_and_its_end_always_alternate(frames in frames()) {
        let mut turn = Turn::new(Settings::default());
        let mut speaking = false;
        for frame in frames {
            match turn.frame(frame) {
                Some(Change::SpeechStarted) => prop_assert!(!std::mem::replace(&mut speaking, true)),
                Some(Change::TurnEnded) => prop_assert!(std::mem::replace(&mut speaking, false)),
                Some(Change::Paused) => prop_assert!(speaking),
                None => {}
            }
            prop_assert_eq!(turn.is_speaking(), speaking);
        }
    }

    #[test]
    fn after_any_history_silence_ends_the_turn_in_time(frames in frames()) {
        let mut turn = Turn::new(Settings::default());
        turn.expect(Expect::YesNo, None);
        for frame in frames {
            turn.frame(frame);
        }
        for _ in 0..16 {
            turn.frame(Frame::SILENT);
        }
        prop_assert!(!turn.is_speaking());
    }

    #[test]
    fn after_any_history_a_clear_voice_is_heard(frames in frames()) {
        let mut turn = Turn::new(Settings::default());
        for frame in frames.into_iter().chain(vec![Frame::SILENT; 60]) {
            turn.frame(frame);
        }
        prop_assert!(run(&mut turn, SPEECH, 120).contains(&(80, Change::SpeechStarted)));
    }

    #[test]
    fn what_is_not_voiced_is_never_speech(levels in prop::collection::vec(-100.0_f32..0.0, 0..500)) {
        let mut turn = Turn::new(Settings::default());
        for level in levels {
            prop_assert_eq!(turn.frame(Frame { voiced: false, level, talking: false }), None);
        }
    }
}
