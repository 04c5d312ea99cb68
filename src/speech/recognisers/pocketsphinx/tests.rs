//! pocketsphinx itself on people's voices: the recordings of Debian's alsa-utils and Asterisk
//! packages, which tools/setup fetches. Two people speak in them, so this tells whether the engine is
//! used well and little about callers.

use std::collections::BTreeMap;
use std::io::Write as _;

use super::*;
use crate::speech::{FRAME, wav};

struct People {
    folder: PathBuf,
    /// What the clips of Asterisk say, by their names.
    said: BTreeMap<String, String>,
}

/// Returns the engine and people's recordings, or says loudly why the story is skipped.
fn require() -> Option<(Engine, People)> {
    let setting = Setting::ear(Language::EN, 0);
    let found = open(&Settings::default(), Language::EN, &setting)
        .map_err(|error| error.to_string())
        .and_then(|engine| People::find().map(|people| (engine, people)));
    let wanted =
        |name: &str| std::env::var(name).is_ok_and(|value| value == "true" || value == "1");
    match found {
        Ok(found) => Some(found),
        Err(error) if wanted("CI") || wanted("HOTLINE_REQUIRE_ALL") => panic!("REQUIRED: {error}"),
        Err(error) => {
            // Written past the test runner, which swallows what stories print.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED, NOT TESTED: {error}; run tools/setup ***\n"
            );
            None
        }
    }
}

impl People {
    fn find() -> Result<Self, String> {
        let home = std::env::var_os("HOTLINE_POCKETSPHINX").map_or_else(
            || crate::speech::config::cache_home().join("pocketsphinx"),
            PathBuf::from,
        );
        let folder = home.join("people");
        let list = std::fs::read(folder.join("asterisk.txt"))
            .map_err(|error| format!("no recordings of people in {}: {error}", folder.display()))?;
        let said = String::from_utf8_lossy(&list)
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(_, said)| !said.contains('['))
            .map(|(name, said)| (name.to_owned(), plain(said)))
            .collect();
        Ok(Self { folder, said })
    }

    fn alsa(&self, name: &str) -> Vec<i16> {
        wav::read(&self.folder.join(format!("alsa/{name}.wav"))).unwrap()
    }

    fn clip(&self, name: &str) -> Vec<i16> {
        wav::read(&self.folder.join(format!("asterisk/{name}.wav"))).unwrap()
    }

    /// Puts clips together as somebody would say them, with short pauses.
    fn say(&self, names: &[String]) -> Vec<i16> {
        let mut audio = hush(2000);
        for name in names {
            let clip = self.clip(name);
            let loud = |sample: &i16| sample.unsigned_abs() > 20;
            let first = clip.iter().position(loud).unwrap_or(0);
            let last = clip.iter().rposition(loud).unwrap_or(0);
            audio.extend(&clip[first.saturating_sub(200)..(last + 200).min(clip.len())]);
            audio.extend(hush(500));
        }
        audio.extend(hush(1500));
        audio
    }

    /// Clips of half a second to four seconds in which none of these words is said.
    fn without(&self, words: &[&str]) -> Vec<(String, Vec<i16>)> {
        self.said
            .iter()
            .filter(|(name, said)| {
                !name.starts_with("letters/")
                    && !name.starts_with("tt-")
                    && !said.split(' ').any(|word| words.contains(&word))
            })
            .filter(|(name, _)| self.folder.join(format!("asterisk/{name}.wav")).is_file())
            .map(|(name, said)| (said.clone(), self.say(std::slice::from_ref(name))))
            .filter(|(_, audio)| (RATE / 2 + 4000..4 * RATE).contains(&audio.len()))
            .collect()
    }
}

fn plain(said: &str) -> String {
    let letters: String = said
        .to_lowercase()
        .chars()
        .map(|letter| match letter {
            'a'..='z' | '\'' => letter,
            _ => ' ',
        })
        .collect();
    letters.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A quiet line.
fn hush(samples: usize) -> Vec<i16> {
    (0..samples).map(|n| (n * 7919 % 5) as i16 - 2).collect()
}

/// Numbers that look random and are the same each time.
struct Dice(u32);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % sides
    }
}

const DIGIT_WORDS: [&str; 11] = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "oh",
];

const DAY_NAMES: [&str; 7] = [
    "sunday",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
];

const MONTH_NAMES: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Numbers of three to eight digits.
fn numbers(people: &People, count: usize) -> Vec<(String, Vec<i16>)> {
    let mut dice = Dice(7);
    (0..count)
        .map(|_| {
            let digits: Vec<usize> = (0..[3, 4, 5, 6, 8, 8][dice.roll(6)])
                .map(|_| dice.roll(11))
                .collect();
            let said: Vec<&str> = digits.iter().map(|&digit| DIGIT_WORDS[digit]).collect();
            let names: Vec<String> = digits
                .iter()
                .map(|&digit| match digit {
                    10 => "digits/oh".to_owned(),
                    _ => format!("digits/{digit}"),
                })
                .collect();
            (said.join(" "), people.say(&names))
        })
        .collect()
}

/// Dates such as "monday april third".
fn dates(people: &People, count: usize) -> Vec<(String, Vec<i16>)> {
    let mut dice = Dice(8);
    let ordinals = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
        "tenth", "eleventh", "twelfth",
    ];
    (0..count)
        .map(|_| {
            let (day, month, nth) = (dice.roll(7), dice.roll(12), dice.roll(12));
            let said = format!(
                "{} {} {}",
                DAY_NAMES[day], MONTH_NAMES[month], ordinals[nth]
            );
            let names = [
                format!("digits/day-{day}"),
                format!("digits/mon-{month}"),
                format!("digits/h-{}", nth + 1),
            ];
            (said, people.say(&names))
        })
        .collect()
}

/// What was made of audio that went in as a call's does.
#[derive(Debug)]
struct Heard {
    text: String,
    margin: f32,
}

fn hear(engine: &Engine, asked: &Asked, audio: &[i16]) -> Heard {
    let mut hearing = engine.hearing(asked).unwrap();
    for frame in audio.chunks(FRAME) {
        hearing.push(frame).unwrap();
    }
    hearing.words.end();
    hearing.phones.end();
    match hearing.finding() {
        Some(finding) => Heard {
            text: text(&finding.spans),
            margin: finding.margin,
        },
        None => Heard {
            text: String::new(),
            margin: f32::NEG_INFINITY,
        },
    }
}

fn asked(expect: Expect, hints: &[&str]) -> Asked {
    Asked {
        expect,
        hints: hints.iter().map(|&hint| hint.to_owned()).collect(),
        ..Asked::anything()
    }
}

/// Phrases of one to four words that clips of Asterisk say, as things to choose from.
fn choices(people: &People) -> Vec<(String, Vec<i16>)> {
    let mut seen = std::collections::HashSet::new();
    people
        .without(&DIGIT_WORDS)
        .into_iter()
        .filter(|(said, _)| (2..=4).contains(&said.split(' ').count()))
        .filter(|(said, _)| seen.insert(said.clone()))
        .step_by(3)
        .take(40)
        .collect()
}

fn turn(hearing: &mut Hearing, audio: &[i16]) -> (Vec<String>, Transcript) {
    let mut partials = Vec::new();
    for six in audio.chunks(6 * FRAME) {
        hearing.push(six).unwrap();
        if let Some(Told::Partial(text)) = hearing.told(Instant::now()).unwrap() {
            partials.push(text);
        }
    }
    hearing.finish().unwrap();
    match hearing.told(Instant::now()).unwrap() {
        Some(Told::Final(transcript)) => (partials, transcript),
        other => panic!("{other:?}"),
    }
}

const PLACES: [&str; 8] = [
    "Front_Center",
    "Front_Left",
    "Front_Right",
    "Rear_Center",
    "Rear_Left",
    "Rear_Right",
    "Side_Left",
    "Side_Right",
];

#[test]
#[ignore = "does not pass yet: the threshold and the mean are not settled"]
fn a_person_who_chooses_is_understood_turn_after_turn_while_speaking_and_at_the_right_time() {
    let Some((engine, people)) = require() else {
        return;
    };
    let said = PLACES.map(|name| name.to_lowercase().replace('_', " "));
    let hints: Vec<&str> = said.iter().map(String::as_str).collect();
    let mut hearing = engine.hearing(&asked(Expect::Choice, &hints)).unwrap();
    let mut early = 0;
    for (name, said) in PLACES.iter().zip(&said) {
        let audio = people.alsa(name);
        let (partials, transcript) = turn(&mut hearing, &audio);
        assert_eq!(transcript.text, *said);
        assert!(transcript.confidence >= 0.5, "{transcript:?}");
        early += usize::from(
            partials
                .iter()
                .any(|words| said.starts_with(words.as_str())),
        );
        let [first, second] = &transcript.words[..] else {
            panic!("{transcript:?}");
        };
        let seconds = audio.len() as f32 / RATE as f32;
        assert!(first.end <= second.start && second.end.as_secs_f32() <= seconds + 0.05);
    }
    assert!(
        early >= 6,
        "only {early} of 8 were heard while they were said"
    );
}

#[test]
#[ignore = "does not pass yet: the threshold and the mean are not settled"]
fn numbers_that_a_person_speaks_are_mostly_understood_and_hardly_ever_another_number() {
    let Some((engine, people)) = require() else {
        return;
    };
    let (mut right, mut wrong) = (0, 0);
    for (said, audio) in numbers(&people, 24) {
        let mut hearing = engine.hearing(&asked(Expect::Digits, &[])).unwrap();
        let (_, transcript) = turn(&mut hearing, &audio);
        right += usize::from(transcript.text == said);
        wrong += usize::from(transcript.text != said && transcript.text != UNKNOWN);
    }
    assert!(right >= 9, "{right} of 24 right");
    assert!(wrong <= 5, "{wrong} of 24 wrong");
}

#[test]
#[ignore = "does not pass yet: the threshold and the mean are not settled"]
fn what_is_no_answer_is_mostly_not_taken_for_one() {
    let Some((engine, people)) = require() else {
        return;
    };
    let others = people.without(&DIGIT_WORDS);
    let mut taken = 0;
    let tried = others.iter().step_by(8);
    let count = tried.len();
    for (_, audio) in tried {
        let mut hearing = engine.hearing(&asked(Expect::Digits, &[])).unwrap();
        let (_, transcript) = turn(&mut hearing, audio);
        taken += usize::from(!transcript.text.is_empty() && transcript.text != UNKNOWN);
    }
    assert!(
        count >= 30 && taken * 5 <= count,
        "{taken} of {count} taken"
    );
}

#[test]
#[ignore = "does not pass yet: the threshold and the mean are not settled"]
fn silence_and_noise_say_nothing() {
    let Some((engine, people)) = require() else {
        return;
    };
    let mut dice = Dice(3);
    let hiss: Vec<i16> = (0..5 * RATE)
        .map(|_| dice.roll(1401) as i16 - 700)
        .collect();
    for audio in [
        vec![0; 5 * RATE],
        hush(5 * RATE),
        hiss,
        people.alsa("Noise"),
    ] {
        for expect in [Expect::YesNo, Expect::Digits, Expect::Date] {
            let mut hearing = engine.hearing(&asked(expect, &[])).unwrap();
            let (_, transcript) = turn(&mut hearing, &audio);
            assert!(
                ["", UNKNOWN].contains(&transcript.text.as_str()),
                "{transcript:?}"
            );
            assert_eq!(transcript.confidence, 0.0);
        }
    }
}

#[test]
fn a_turn_without_audio_has_no_words() {
    let Some((engine, _)) = require() else {
        return;
    };
    let mut hearing = engine.hearing(&Asked::anything()).unwrap();
    assert_eq!(turn(&mut hearing, &[]).1, Transcript::default());
    assert_eq!(hearing.told(Instant::now()).unwrap(), None);
}

/// Prints how well answers and what is no answer are told apart: run it with
/// `cargo test --lib pocketsphinx::tests::figures -- --ignored --nocapture`.
#[test]
#[ignore = "prints figures, and takes minutes"]
fn figures() {
    let Some((engine, people)) = require() else {
        return;
    };
    let choices = choices(&people);
    let phrases: Vec<&str> = choices.iter().map(|(said, _)| said.as_str()).collect();
    let chosen: Vec<&str> = phrases.iter().flat_map(|said| said.split(' ')).collect();
    let days: Vec<&str> = DAY_NAMES.into_iter().chain(MONTH_NAMES).collect();
    let alsa: Vec<(String, Vec<i16>)> = PLACES
        .map(|name| (name.to_lowercase().replace('_', " "), people.alsa(name)))
        .into();
    let places: Vec<&str> = alsa.iter().map(|(said, _)| said.as_str()).collect();
    let sets = [
        (
            "digits",
            asked(Expect::Digits, &[]),
            numbers(&people, 60),
            people.without(&DIGIT_WORDS),
        ),
        (
            "phone",
            asked(Expect::Phone, &[]),
            numbers(&people, 30),
            people.without(&DIGIT_WORDS),
        ),
        (
            "dates",
            asked(Expect::Date, &[]),
            dates(&people, 40),
            people.without(&days),
        ),
        (
            "yes or no",
            asked(Expect::YesNo, &[]),
            vec![],
            people.without(&["yes", "no", "correct"]),
        ),
        (
            "places",
            asked(Expect::Choice, &places),
            alsa,
            people.without(&["front", "left"]),
        ),
        (
            "choices",
            asked(Expect::Choice, &phrases),
            choices.clone(),
            people.without(&chosen),
        ),
    ];
    for (name, asked, inside, outside) in sets {
        let began = Instant::now();
        let seconds: usize = inside
            .iter()
            .chain(&outside)
            .map(|(_, audio)| audio.len())
            .sum();
        let (mut right, mut wrong) = (Vec::new(), Vec::new());
        for (said, audio) in &inside {
            let heard = hear(&engine, &asked, audio);
            if heard.text == *said {
                right.push(heard.margin);
            } else {
                println!("  {said:?} -> {:?} {:.3}", heard.text, heard.margin);
                wrong.push(heard.margin);
            }
        }
        let outside: Vec<f32> = outside
            .iter()
            .map(|(_, audio)| hear(&engine, &asked, audio).margin)
            .collect();
        println!(
            "{name}: {} right, {} wrong, {} outside; rtf {:.3}",
            right.len(),
            wrong.len(),
            outside.len(),
            began.elapsed().as_secs_f64() / (seconds as f64 / RATE as f64)
        );
        right.sort_by(f32::total_cmp);
        println!(
            "  margins of right ones {:.2?}",
            right
                .iter()
                .step_by(right.len().max(8) / 8)
                .collect::<Vec<_>>()
        );
        for threshold in [
            -1.5, -1.0, -0.75, -0.5, -0.25, 0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0,
        ] {
            let above = |margins: &[f32]| margins.iter().filter(|&&m| m >= threshold).count();
            println!(
                "  {threshold:>5}: right {}, wrong {}, outside {}",
                above(&right),
                above(&wrong),
                above(&outside)
            );
        }
    }
}

#[test]
fn words_that_phones_explain_as_well_are_asked_about_and_those_far_above_are_certain() {
    assert_eq!(confidence(0.0), 0.5);
    assert_eq!(confidence(CERTAIN), 1.0);
    assert_eq!(confidence(9.0), 1.0);
}

#[test]
fn another_language_is_refused_with_the_setting() {
    let setting = Setting::ear(Language::DA, 1);
    let error = open(&Settings::default(), Language::DA, &setting)
        .err()
        .unwrap();
    insta::assert_snapshot!(
        error,
        @"speech.ears.da[1]: pocketsphinx knows English only; name another engine for da"
    );
}
