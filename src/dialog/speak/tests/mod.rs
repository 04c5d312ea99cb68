use jiff::civil::{Date, Time};

use super::*;

const DA: Language = Language::DA;
const EN: Language = Language::EN;

#[test]
fn numbers_are_said_as_danes_say_them() {
    for (value, spoken) in [
        (0, "nul"),
        (1, "en"),
        (11, "elleve"),
        (21, "enogtyve"),
        (50, "halvtreds"),
        (72, "tooghalvfjerds"),
        (99, "nioghalvfems"),
        (100, "hundrede"),
        (101, "hundrede og en"),
        (225, "to hundrede og femogtyve"),
        (1000, "tusind"),
        (1100, "tusind et hundrede"),
        (2026, "to tusind og seksogtyve"),
        (21_000, "enogtyve tusind"),
        (101_000, "hundrede og et tusind"),
        (1_000_000, "en million"),
        (2_001_001, "to millioner et tusind og en"),
        (
            999_999_999,
            "ni hundrede og nioghalvfems millioner ni hundrede og nioghalvfems tusind ni hundrede og nioghalvfems",
        ),
        (-5, "minus fem"),
    ] {
        assert_eq!(number(value, DA), spoken);
    }
}

#[test]
fn numbers_are_said_as_the_english_say_them() {
    for (value, spoken) in [
        (0, "zero"),
        (21, "twenty-one"),
        (100, "one hundred"),
        (115, "one hundred and fifteen"),
        (1_005, "one thousand and five"),
        (1_250_000, "one million two hundred and fifty thousand"),
        (-7, "minus seven"),
    ] {
        assert_eq!(number(value, EN), spoken);
    }
}

#[test]
fn a_number_too_large_for_words_is_said_by_its_digits() {
    assert_eq!(
        number(1_000_000_000, EN),
        "one zero zero, zero zero zero, zero zero zero zero"
    );
    assert!(number(i64::MIN, DA).starts_with("minus ni to to, "));
}

#[test]
fn a_language_without_words_of_its_own_gets_digits() {
    let unknown: Language = "xx".parse().unwrap();
    let number = PhoneNumber::parse("70101017").unwrap();
    let today = Date::constant(2026, 11, 22);
    assert_eq!(super::number(21, unknown), "21");
    assert_eq!(ordinal(3, unknown), "3.");
    assert_eq!(digits("1234567", unknown), "1 2 3, 4 5 6 7");
    assert_eq!(phone(&number, unknown), "70 10 10 17");
    assert_eq!(date(Date::constant(2027, 5, 3), today, unknown), "3.5.2027");
    assert_eq!(time(Time::constant(9, 5, 0, 0), unknown), "09:05");
    assert_eq!(wait(130, unknown), "3 min");
    assert_eq!(money(-20_050, unknown), "-200,50 kr.");
    assert_eq!(list(&["a".into(), "b".into()], unknown, Joiner::Or), "a, b");
}

#[test]
fn a_danish_number_is_read_in_pairs_and_an_english_one_digit_by_digit() {
    let number = PhoneNumber::parse("70101007").unwrap();
    assert_eq!(phone(&number, DA), "halvfjerds, ti, ti, nul syv");
    assert_eq!(
        phone(&number, EN),
        "seven zero, one zero, one zero, zero seven"
    );
}

#[test]
fn a_foreign_number_begins_with_its_country_code() {
    let swedish = PhoneNumber::parse("+46812345678").unwrap();
    assert_eq!(
        phone(&swedish, DA),
        "plus seksogfyrre, enogfirs, treogtyve, femogfyrre, syvogtres, otte"
    );
    let american = PhoneNumber::parse("+12025550123").unwrap();
    assert!(phone(&american, EN).starts_with("plus one, two zero, two five"));
    let faroese = PhoneNumber::parse("+298201234").unwrap();
    assert_eq!(
        phone(&faroese, DA),
        "plus to ni otte, tyve, tolv, fireogtredive"
    );
}

#[test]
fn a_date_has_its_weekday_and_a_year_only_when_it_is_not_the_next() {
    let today = Date::constant(2026, 11, 22);
    for (day, danish, english) in [
        (
            Date::constant(2026, 11, 22),
            "i dag, søndag den toogtyvende november",
            "today, Sunday the twenty-second of November",
        ),
        (
            Date::constant(2026, 11, 23),
            "i morgen, mandag den treogtyvende november",
            "tomorrow, Monday the twenty-third of November",
        ),
        (
            Date::constant(2027, 5, 3),
            "mandag den tredje maj",
            "Monday the third of May",
        ),
        (
            Date::constant(2028, 5, 3),
            "onsdag den tredje maj to tusind og otteogtyve",
            "Wednesday the third of May twenty twenty-eight",
        ),
        (
            Date::constant(1987, 1, 30),
            "fredag den tredivte januar nitten hundrede syvogfirs",
            "Friday the thirtieth of January nineteen eighty-seven",
        ),
        (
            Date::constant(2026, 11, 21),
            "lørdag den enogtyvende november to tusind og seksogtyve",
            "Saturday the twenty-first of November twenty twenty-six",
        ),
        (
            Date::constant(1905, 3, 1),
            "onsdag den første marts nitten hundrede fem",
            "Wednesday the first of March nineteen oh five",
        ),
        (
            Date::constant(2028, 2, 29),
            "tirsdag den niogtyvende februar",
            "Tuesday the twenty-ninth of February",
        ),
    ] {
        assert_eq!(date(day, today, DA), danish);
        assert_eq!(date(day, today, EN), english);
    }
}

#[test]
fn times_are_said_so_that_morning_and_afternoon_cannot_be_mixed_up() {
    for (hour, minute, danish, english) in [
        (9, 0, "klokken ni", "nine am"),
        (14, 30, "klokken fjorten tredive", "two thirty pm"),
        (9, 5, "klokken ni nul fem", "nine oh five am"),
        (13, 0, "klokken tretten", "one pm"),
        (1, 0, "klokken et om natten", "one am"),
        (0, 0, "midnat", "midnight"),
        (12, 0, "klokken tolv", "noon"),
        (0, 30, "klokken nul tredive", "twelve thirty am"),
        (12, 45, "klokken tolv femogfyrre", "twelve forty-five pm"),
    ] {
        assert_eq!(time(Time::constant(hour, minute, 0, 0), DA), danish);
        assert_eq!(time(Time::constant(hour, minute, 0, 0), EN), english);
    }
}

#[test]
fn a_wait_is_never_promised_shorter_than_it_is() {
    for (seconds, danish, english) in [
        (0, "mindre end et minut", "less than a minute"),
        (59, "mindre end et minut", "less than a minute"),
        (60, "cirka et minut", "about one minute"),
        (61, "cirka to minutter", "about two minutes"),
        (300, "cirka fem minutter", "about five minutes"),
        (601, "cirka femten minutter", "about fifteen minutes"),
        (3000, "cirka halvtreds minutter", "about fifty minutes"),
        (
            3601,
            "cirka en time og femten minutter",
            "about one hour and fifteen minutes",
        ),
        (7200, "cirka to timer", "about two hours"),
    ] {
        assert_eq!(wait(seconds, DA), danish);
        assert_eq!(wait(seconds, EN), english);
    }
}

#[test]
fn money_is_said_in_kroner_and_oere() {
    assert_eq!(money(100, DA), "en krone");
    assert_eq!(money(20_050, DA), "to hundrede kroner og halvtreds øre");
    assert_eq!(money(20_050, EN), "two hundred kroner and fifty øre");
    assert_eq!(money(-50, DA), "minus halvtreds øre");
    assert_eq!(money(0, DA), "nul kroner");
    assert!(money(i64::MIN, EN).starts_with("minus "));
}

#[test]
fn a_reference_is_spelled_with_pauses() {
    assert_eq!(spell("4f-7k2", DA), "fire, F, bindestreg, syv, K, to");
    assert_eq!(spell("4F7K2", EN), "four, F, seven, K, two");
}

#[test]
fn a_list_ends_with_the_word_of_its_kind() {
    let parts = ["pas".to_owned(), "kørekort".to_owned(), "MitID".to_owned()];
    assert_eq!(list(&parts, DA, Joiner::And), "pas, kørekort og MitID");
    assert_eq!(list(&parts[..2], EN, Joiner::Or), "pas or kørekort");
    assert_eq!(list(&parts[..1], EN, Joiner::Or), "pas");
    assert_eq!(list(&[], EN, Joiner::Or), "");
}

#[test]
fn digits_come_in_groups_without_a_lonely_last_one() {
    assert_eq!(digits("1234", EN), "one two three four");
    assert_eq!(digits("1234567", EN), "one two three, four five six seven");
    assert_eq!(
        digits("12-34 567x8", DA),
        "en to tre, fire fem seks, syv otte"
    );
    assert_eq!(digits("", DA), "");
}

/// Goes through a table of texts as they are written and as they are spoken.
fn go_through(table: &str, language: Language) {
    let (mut forms, mut misses) = (0, Vec::new());
    for line in table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let (written, wanted) = line.split_once(" | ").unwrap_or((line, ""));
        forms += 1;
        let made = spoken(written, language);
        if made != wanted {
            misses.push(format!("{written} | {wanted}, made {made}"));
        }
        assert_eq!(spoken(&made, language), made, "twice: {written}");
    }
    assert!(forms >= 100, "only {forms} forms");
    assert!(
        misses.is_empty(),
        "{} of {forms}:\n{}",
        misses.len(),
        misses.join("\n")
    );
}

#[test]
fn danish_texts_are_written_out_as_danes_read_them() {
    go_through(include_str!("danish.txt"), DA);
}

#[test]
fn english_texts_are_written_out_as_the_english_read_them() {
    go_through(include_str!("english.txt"), EN);
}

#[test]
fn words_are_never_touched() {
    for text in [
        "Velkommen til Egekøbing Kommune. Du taler med en digital assistent.",
        "kl. nr. kr. % § & ca. st. th.",
        "klokken fjorten tredive",
        "",
    ] {
        assert_eq!(spoken(text, DA), text);
        assert_eq!(spoken(text, EN), text);
    }
    assert_eq!(spoken("kl. 9-15", "xx".parse().unwrap()), "kl. 9-15");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn what_is_spoken_holds_no_digit_and_stays_as_it_is(
            text in "([0-9]{1,9}|[ .,:/%+-]|kl[.] |kr[.]|[a-zæøå]{1,6}|[A-Z]|st[.]|th|maj|May|€|–| am|½){0,14}",
            danish in any::<bool>(),
        ) {
            let language = if danish { DA } else { EN };
            let once = spoken(&text, language);
            prop_assert!(!once.contains(|c: char| c.is_ascii_digit()), "{once}");
            prop_assert_eq!(&spoken(&once, language), &once);
        }

        #[test]
        fn no_text_makes_it_fail(text in "\\PC{0,40}") {
            spoken(&text, DA);
            spoken(&text, EN);
        }
    }
}
