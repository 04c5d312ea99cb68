//! What people say, form by form; and that whatever is spoken is heard as what it was.

use jiff::civil::{Date, Time};
use proptest::prelude::*;

use super::*;
use crate::dialog::speak;

const DA: Language = Language::DA;
const EN: Language = Language::EN;
const TODAY: Date = Date::constant(2026, 11, 25);

/// What one form comes to, written as in the tables.
fn heard(kind: &str, text: &str, language: Language) -> String {
    let found = match kind {
        "yes_no" => yes_no(text, language).map(|a| if a.value { "yes" } else { "no" }.to_owned()),
        "number" => number(text, language).map(|a| a.value.to_string()),
        "digits" => digits(text, language).map(|a| a.value),
        "phone" => phone(text, language).map(|a| a.value.e164().to_owned()),
        "date" => date(text, language, TODAY).map(|a| a.value.to_string()),
        "time" => {
            time(text, language, Daytime::default()).map(|a| a.value.strftime("%H:%M").to_string())
        }
        other => Some(format!("no such kind: {other}")),
    };
    found.unwrap_or_else(|| "-".to_owned())
}

/// Goes through a table; returns how many forms there are and every miss.
fn go_through(table: &str, language: Language) -> (usize, Vec<String>) {
    let (mut forms, mut misses) = (0, Vec::new());
    for line in table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [kind, text, meaning] = fields[..] else {
            panic!("not three fields: {line}")
        };
        forms += 1;
        let found = heard(kind, text, language);
        if found != meaning {
            misses.push(format!("{kind} | {text} | {meaning}, heard as {found}"));
        }
    }
    (forms, misses)
}

#[test]
fn danish_forms_are_heard_as_they_are_meant() {
    let (forms, misses) = go_through(include_str!("danish.txt"), DA);
    assert!(forms >= 400, "only {forms} forms");
    assert_eq!(
        misses,
        Vec::<String>::new(),
        "{} of {forms} missed",
        misses.len()
    );
}

#[test]
fn english_forms_are_heard_as_they_are_meant() {
    let (forms, misses) = go_through(include_str!("english.txt"), EN);
    assert!(forms >= 400, "only {forms} forms");
    assert_eq!(
        misses,
        Vec::<String>::new(),
        "{} of {forms} missed",
        misses.len()
    );
}

/// What is still heard otherwise than it was meant; every other form of the tables is heard right.
const DANISH_MISSES: [&str; 4] = [
    "number | otte otte nej ni | 9, heard as 89",
    "digits | to nuller og en syver | 007, heard as 00",
    "date | om tre uger på onsdag | 2026-12-16, heard as 2026-12-23",
    "date | den tyvende i måneden efter | -, heard as 2026-12-20",
];
const ENGLISH_MISSES: [&str; 3] = [
    "number | a dozen | 12, heard as -",
    "number | half a dozen | 6, heard as -",
    "number | eight eight no nine | 9, heard as 89",
];

/// The forms in `*_calls.txt` were written down before any of them was tried. At first 141 of 153
/// Danish ones were heard right and 138 of 151 English ones; what could be mended without
/// breaking others was, and what is left stands above by name.
#[test]
fn of_what_callers_say_at_least_98_in_100_forms_are_heard_right() {
    for (language, tables, known) in [
        (
            DA,
            [include_str!("danish.txt"), include_str!("danish_calls.txt")],
            DANISH_MISSES.as_slice(),
        ),
        (
            EN,
            [
                include_str!("english.txt"),
                include_str!("english_calls.txt"),
            ],
            ENGLISH_MISSES.as_slice(),
        ),
    ] {
        let (mut forms, mut misses) = (0, Vec::new());
        for table in tables {
            let (more, missed) = go_through(table, language);
            forms += more;
            misses.extend(missed);
        }
        assert_eq!(misses, known, "{language}");
        assert!(forms >= 550, "{language}: only {forms} forms");
        assert!(misses.len() * 50 <= forms, "{language}: {misses:?}");
    }
}

#[test]
fn doubt_lowers_the_confidence() {
    let sure = |text: &str| phone(text, DA).map_or(0.0, |answer| answer.confidence);
    assert!(sure("enogtyve halvfjerds nul syv femogfyrre") >= SURE);
    assert!(sure("enogtyve halvfjerds [unk] nul syv femogfyrre") < SURE);
    let day = |text: &str| date(text, DA, TODAY).map_or(0.0, |answer| answer.confidence);
    assert!(day("mandag den tredje maj") >= SURE);
    assert!(
        day("tirsdag den tredje maj") < SURE,
        "3 May 2027 is a Monday"
    );
    assert!(day("næste fredag") < SURE, "people differ");
    let hour = |text: &str| time(text, DA, Daytime::default()).map_or(0.0, |a| a.confidence);
    assert!(hour("klokken ni") >= SURE);
    assert!(hour("ved nitiden") < SURE);
    assert!(yes_no("mhm", DA).is_some_and(|answer| answer.confidence < SURE));
}

#[test]
fn the_reason_names_the_words_and_what_they_came_to() {
    let why = phone("plus femogfyrre halvfjerds ti ti sytten", DA).map(|answer| answer.why);
    insta::assert_snapshot!(why.unwrap(), @"'femogfyrre' 45, 'halvfjerds' 70, 'ti' 10, 'ti' 10, 'sytten' 17");
    let why = time("klokken halv tre", DA, Daytime::default()).map(|answer| answer.why);
    insta::assert_snapshot!(why.unwrap(), @"'klokken halv tre' = 14:30");
    let why = yes_no("øh nej tak", DA).map(|answer| answer.why);
    insta::assert_snapshot!(why.unwrap(), @"'nej tak' says no");
}

#[test]
fn an_office_that_opens_in_the_evening_takes_seven_for_the_evening() {
    let evening = Daytime {
        from: Time::constant(17, 0, 0, 0),
        until: Time::constant(22, 0, 0, 0),
    };
    let heard = time("klokken syv", DA, evening).map(|answer| answer.value);
    assert_eq!(heard, Some(Time::constant(19, 0, 0, 0)));
}

#[test]
fn a_language_without_words_of_its_own_still_hears_numerals() {
    let unknown: Language = "xx".parse().unwrap();
    assert_eq!(
        digits("70 10 10 17", unknown).map(|a| a.value),
        Some("70101017".to_owned())
    );
    assert_eq!(
        date("3.5.2027", unknown, TODAY).map(|a| a.value),
        Some(Date::constant(2027, 5, 3))
    );
    assert_eq!(yes_no("ja", unknown), None);
}

fn languages() -> impl Strategy<Value = Language> {
    prop_oneof![Just(DA), Just(EN)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn a_number_that_is_spoken_is_heard(
        value in prop_oneof![0..100_i64, 0..10_000_i64, 0..=999_999_999_i64],
        language in languages(),
    ) {
        let spoken = speak::number(value, language);
        prop_assert_eq!(number(&spoken, language).map(|a| a.value), Some(value), "{}", spoken);
    }

    #[test]
    fn digits_that_are_spoken_are_heard(value in "[0-9]{1,14}", language in languages()) {
        let spoken = speak::digits(&value, language);
        prop_assert_eq!(digits(&spoken, language).map(|a| a.value), Some(value), "{}", spoken);
    }

    #[test]
    fn a_danish_phone_number_that_is_spoken_is_heard(
        value in "[2-9][0-9]{7}", language in languages(),
    ) {
        let number = PhoneNumber::parse(&value).unwrap();
        let spoken = speak::phone(&number, language);
        prop_assert_eq!(phone(&spoken, language).map(|a| a.value), Some(number), "{}", spoken);
    }

    #[test]
    fn a_foreign_phone_number_that_is_spoken_is_heard(
        value in "\\+(4420[0-9]{8}|46[1-9][0-9]{7}|1202[2-9][0-9]{6}|298[2-9][0-9]{5})",
        language in languages(),
    ) {
        let number = PhoneNumber::parse(&value).unwrap();
        let spoken = speak::phone(&number, language);
        prop_assert_eq!(phone(&spoken, language).map(|a| a.value), Some(number), "{}", spoken);
    }

    #[test]
    fn a_date_that_is_spoken_is_heard(
        days in -20_000..1500_i64, from in 0..1500_i64, language in languages(),
    ) {
        use jiff::ToSpan;
        let today = TODAY.checked_add(from.days()).unwrap();
        let value = today.checked_add(days.days()).unwrap();
        let spoken = speak::date(value, today, language);
        prop_assert_eq!(date(&spoken, language, today).map(|a| a.value), Some(value), "{}", spoken);
    }

    #[test]
    fn a_time_that_is_spoken_is_heard(hour in 0..24_i8, minute in 0..60_i8, language in languages()) {
        let value = Time::constant(hour, minute, 0, 0);
        let spoken = speak::time(value, language);
        let heard = time(&spoken, language, Daytime::default()).map(|a| a.value);
        prop_assert_eq!(heard, Some(value), "{}", spoken);
    }

    #[test]
    fn no_text_makes_hearing_fail(text in "\\PC{0,60}", language in languages()) {
        for kind in ["yes_no", "number", "digits", "phone", "date", "time"] {
            heard(kind, &text, language);
        }
    }

    #[test]
    fn no_mixture_of_known_words_makes_hearing_fail(
        words in prop::collection::vec(
            prop::sample::select(vec![
                "nej", "en", "og", "hundrede", "tusind", "million", "plus", "dobbelt", "halv", "i",
                "den", "maj", "mandag", "om", "uger", "999999", "3/5", "9.15", "klokken", "otte",
                "[unk]", "nul", "næste", "år", "29", "februar", "+", "gange", "nuller", "to",
            ]),
            0..12,
        ),
    ) {
        for kind in ["yes_no", "number", "digits", "phone", "date", "time"] {
            heard(kind, &words.join(" "), DA);
        }
    }
}
