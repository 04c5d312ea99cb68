use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::words::Language;

fn hours(entries: &[(&str, &str)]) -> Hours {
    Hours(
        entries
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect(),
    )
}

fn holidays(closed: &[&str], days: &[(Date, &str)]) -> Holidays {
    Holidays {
        closed: closed.iter().map(|name| (*name).to_owned()).collect(),
        days: days.iter().map(|(d, v)| (*d, (*v).to_owned())).collect(),
    }
}

fn copenhagen() -> TimeZone {
    TimeZone::get("Europe/Copenhagen").unwrap()
}

fn opening(entries: &[(&str, &str)], closed: &[&str], days: &[(Date, &str)]) -> Opening {
    Opening::new(&hours(entries), &holidays(closed, days), copenhagen()).unwrap()
}

/// A local time such as `2026-11-23 10:00`; the earlier one where there are two.
fn at(text: &str) -> Timestamp {
    let wall: jiff::civil::DateTime = text.parse().unwrap();
    copenhagen().to_ambiguous_timestamp(wall).earlier().unwrap()
}

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const WEEK: &[(&str, &str)] = &[
    ("mon-thu", "09:00-15:00"),
    ("fri", "09:00-12:00, 13:00-14:00"),
];

#[test]
fn easter_falls_where_it_fell() {
    for (year, month, day) in [
        (1818, 3, 22),
        (1943, 4, 25),
        (1954, 4, 18),
        (1981, 4, 19),
        (2000, 4, 23),
        (2008, 3, 23),
        (2011, 4, 24),
        (2016, 3, 27),
        (2023, 4, 9),
        (2024, 3, 31),
        (2025, 4, 20),
        (2026, 4, 5),
        (2027, 3, 28),
        (2030, 4, 21),
        (2038, 4, 25),
        (2049, 4, 18),
        (2076, 4, 19),
        (2285, 3, 22),
    ] {
        assert_eq!(easter(year), Some(date(year, month, day)));
    }
}

#[test]
fn the_danish_holidays_of_2026_are_these() {
    let mut day = date(2026, 1, 1);
    let mut list = String::new();
    while day.year() == 2026 {
        if let Some(holiday) = PublicHoliday::on(day) {
            let choice = if holiday.is_local_choice() {
                " (choice)"
            } else {
                ""
            };
            list += &format!("{day} {}{choice}\n", holiday.name(Language::DA));
        }
        day = day.tomorrow().unwrap();
    }
    insta::assert_snapshot!(list, @r"
    2026-01-01 nytårsdag
    2026-04-02 skærtorsdag
    2026-04-03 langfredag
    2026-04-05 påskedag
    2026-04-06 anden påskedag
    2026-05-01 første maj (choice)
    2026-05-14 Kristi himmelfartsdag
    2026-05-15 fredag efter Kristi himmelfartsdag (choice)
    2026-05-24 pinsedag
    2026-05-25 anden pinsedag
    2026-06-05 grundlovsdag (choice)
    2026-12-24 juleaften (choice)
    2026-12-25 juledag
    2026-12-26 anden juledag
    2026-12-31 nytårsaften (choice)
    ");
}

#[test]
fn store_bededag_is_worked_from_2024() {
    let opening = opening(WEEK, &[], &[]);
    assert_eq!(
        opening.why_closed(at("2023-05-05 10:00")),
        Some(Closed::Holiday(PublicHoliday::GreatPrayerDay))
    );
    assert!(opening.is_open(at("2024-04-26 10:00")));
    assert!(opening.is_open(at("2025-05-16 10:00")));
}

#[test]
fn a_week_opens_and_closes_to_the_minute() {
    let opening = opening(WEEK, &[], &[]);
    assert!(!opening.is_open(at("2026-11-23 08:59:59")));
    assert!(opening.is_open(at("2026-11-23 09:00")));
    assert!(opening.is_open(at("2026-11-23 14:59:59")));
    assert!(!opening.is_open(at("2026-11-23 15:00")));
    assert!(!opening.is_open(at("2026-11-27 12:30")));
    assert!(!opening.is_open(at("2026-11-28 10:00")));
    assert_eq!(
        opening.next_open(at("2026-11-27 14:00")),
        Some(at("2026-11-30 09:00"))
    );
    assert_eq!(
        opening.closes(at("2026-11-27 09:30")),
        Some(at("2026-11-27 12:00"))
    );
    assert_eq!(
        opening.closes(at("2026-11-27 12:30")),
        Some(at("2026-11-27 14:00"))
    );
}

#[test]
fn christmas_eve_is_closed_only_where_the_tenant_chose_it() {
    let thursday = at("2026-12-24 10:00");
    assert!(opening(WEEK, &[], &[]).is_open(thursday));
    let closed = opening(WEEK, &["dec_24", "dec_31"], &[]);
    assert_eq!(
        closed.why_closed(thursday),
        Some(Closed::Holiday(PublicHoliday::Dec24))
    );
    // Thursday the 24th to Sunday the 27th are closed.
    assert_eq!(closed.next_open(thursday), Some(at("2026-12-28 09:00")));
}

#[test]
fn a_single_day_wins_over_holiday_choice_and_week() {
    let opening = opening(
        WEEK,
        &["dec_24"],
        &[
            (date(2026, 12, 24), "09:00-11:00"),
            (date(2026, 12, 25), "10:00-11:00"),
            (date(2026, 11, 24), ""),
            (date(2026, 11, 25), "closed"),
        ],
    );
    assert!(opening.is_open(at("2026-12-24 10:00")));
    assert_eq!(
        opening.why_closed(at("2026-12-24 12:00")),
        Some(Closed::OutsideHours)
    );
    assert!(opening.is_open(at("2026-12-25 10:30")));
    assert_eq!(
        opening.why_closed(at("2026-11-24 10:00")),
        Some(Closed::Exception)
    );
    assert_eq!(
        opening.next_open(at("2026-11-24 10:00")),
        Some(at("2026-11-26 09:00"))
    );
}

#[test]
fn the_29th_of_february_is_a_day_like_others() {
    let opening = opening(&[("mon-sun", "09:00-10:00")], &[], &[]);
    assert_eq!(
        opening.next_open(at("2028-02-28 10:00")),
        Some(at("2028-02-29 09:00"))
    );
    assert_eq!(
        opening.next_open(at("2028-02-29 10:00")),
        Some(at("2028-03-01 09:00"))
    );
}

#[test]
fn in_the_night_that_lacks_an_hour_an_opening_within_it_does_not_happen() {
    // 29 March 2026: after 01:59:59 comes 03:00.
    let opening = opening(&[("sun", "02:15-02:45"), ("mon", "09:00-10:00")], &[], &[]);
    assert_eq!(
        opening.next_open(at("2026-03-29 00:00")),
        Some(at("2026-03-30 09:00"))
    );
    let across = super::tests::opening(&[("sun", "02:30-04:00")], &[], &[]);
    assert_eq!(
        across.next_open(at("2026-03-29 00:00")),
        Some(utc("2026-03-29T01:00:00Z"))
    );
    assert_eq!(
        across.closes(at("2026-03-29 00:00")),
        Some(utc("2026-03-29T02:00:00Z"))
    );
}

#[test]
fn in_the_night_with_an_hour_twice_an_opening_within_it_happens_twice() {
    // 25 October 2026: after 02:59:59 summer time comes 02:00.
    let opening = opening(&[("sun", "02:30-03:00")], &[], &[]);
    let night = at("2026-10-25 00:00");
    let first = opening.next_open(night);
    assert_eq!(first, Some(utc("2026-10-25T00:30:00Z")));
    assert_eq!(opening.closes(night), Some(utc("2026-10-25T01:00:00Z")));
    assert_eq!(
        opening.next_open(utc("2026-10-25T01:00:00Z")),
        Some(utc("2026-10-25T01:30:00Z"))
    );
}

#[test]
fn one_that_never_closes_never_closes_and_one_that_never_opens_never_opens() {
    let always = opening(&[("mon-sun", "00:00-24:00")], &[], &[]);
    assert!(always.is_open(at("2026-11-23 23:59:59")));
    assert_eq!(
        always.closes(at("2026-11-23 23:59:59")),
        Some(at("2026-12-25 00:00"))
    );
    let never = opening(&[], &[], &[]);
    assert_eq!(never.next_open(at("2026-11-23 12:00")), None);
    let once = opening(&[], &[], &[(date(2031, 1, 2), "09:00-10:00")]);
    assert_eq!(
        once.next_open(at("2026-11-23 12:00")),
        Some(at("2031-01-02 09:00"))
    );
}

#[test]
fn what_is_written_wrongly_is_said_all_at_once_with_place_and_remedy() {
    let findings = Opening::new(
        &hours(&[
            ("mandag", "09:00-15:00"),
            ("mon-wed", "9-15"),
            ("tue", "09:00-15:00"),
            ("thu", "15:00-09:00"),
            ("fri", "09:00-13:00, 12:00-15:00"),
            ("sat", "09:60-24:01"),
            ("sun", "now and then"),
        ]),
        &holidays(&["store_bededag"], &[(date(2026, 12, 24), "10")]),
        copenhagen(),
    )
    .unwrap_err();
    let text: Vec<_> = findings.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    hours.fri: "12:00-15:00" begins before the opening in front of it ends; write openings in order and apart, such as "09:00-12:00, 13:00-15:00"
    hours.mandag: "mandag" is no day; write mon, tue, wed, thu, fri, sat or sun, or a run such as mon-thu
    hours.mon-wed: "9" is no time of day; write it as "09:00", between "00:00" and "24:00"
    hours.sat: "09:60" is no time of day; write it as "09:00", between "00:00" and "24:00"
    hours.sun: "now and then" is no opening; write from and to, such as "09:00-15:00", or "closed"
    hours.thu: "15:00-09:00" ends before it begins; for an opening past midnight write "…-24:00" on this day and "00:00-…" on the next
    hours.tue: tue is already named by "mon-wed"; name each day once
    holidays.closed.0: "store_bededag" is no day to choose; choose from may_1, june_5, dec_24, dec_31, friday_after_ascension, and write other days under `days` with their date (public holidays are closed already)
    holidays.days.2026-12-24: "10" is no opening; write from and to, such as "09:00-15:00", or "closed"
    "#);
}

/// Slow and obviously right: looks at the wall clock of every single minute.
struct Slow {
    spans: Vec<(u16, u16)>,
    open_weekdays: Vec<usize>,
    closed_dates: Vec<Date>,
}

impl Slow {
    fn is_open(&self, at: Timestamp) -> bool {
        let wall = at.to_zoned(copenhagen());
        let shown = wall.strftime("%H:%M").to_string();
        let minute: u16 =
            shown[..2].parse::<u16>().unwrap() * 60 + shown[3..].parse::<u16>().unwrap();
        let weekday = wall.strftime("%u").to_string().parse::<usize>().unwrap() - 1;
        self.open_weekdays.contains(&weekday)
            && !self.closed_dates.contains(&wall.date())
            && self.spans.iter().any(|(a, b)| (*a..*b).contains(&minute))
    }

    fn first(&self, from: Timestamp, open: bool, minutes: u32) -> Option<Timestamp> {
        let mut at = from;
        for _ in 0..minutes {
            if self.is_open(at) == open {
                return Some(at);
            }
            at += 1.minute();
        }
        None
    }
}

fn clock(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn it_agrees_with_looking_at_every_minute(
        // Days around both moved nights, Easter, Christmas and a leap day.
        (start, first_date) in prop::sample::select(vec![
            ("2026-03-28T12:00:00Z", date(2026, 3, 29)),
            ("2026-10-24T12:00:00Z", date(2026, 10, 25)),
            ("2028-02-28T12:00:00Z", date(2028, 2, 29)),
            ("2026-11-24T12:00:00Z", date(2026, 11, 26)),
        ]),
        offset in 0_i64..2880,
        cuts in prop::collection::btree_set(0_u16..=1440, 2..7),
        days in prop::collection::btree_set(0_usize..7, 1..7),
        exception in any::<bool>(),
    ) {
        let cuts: Vec<u16> = cuts.into_iter().collect();
        let spans: Vec<(u16, u16)> = cuts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
        let text: Vec<String> = spans.iter().map(|(a, b)| format!("{}-{}", clock(*a), clock(*b))).collect();
        let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
        let week: BTreeMap<String, String> = days.iter()
            .map(|day| (names[*day].to_owned(), text.join(", ")))
            .collect();
        let closed = if exception { vec![(first_date, "closed")] } else { vec![] };
        let fast = Opening::new(&Hours(week), &holidays(&[], &closed), copenhagen()).unwrap();
        let slow = Slow {
            spans,
            open_weekdays: days.into_iter().collect(),
            closed_dates: closed.iter().map(|(day, _)| *day).collect(),
        };
        let from = utc(start) + offset.minutes();
        let two_days = 2 * 1440;
        prop_assert_eq!(fast.is_open(from), slow.is_open(from));
        prop_assert_eq!(fast.why_closed(from).is_none(), slow.is_open(from));
        if let Some(opens) = slow.first(from, true, two_days) {
            prop_assert_eq!(fast.next_open(from), Some(opens));
            if let Some(closes) = slow.first(opens, false, two_days) {
                prop_assert_eq!(fast.closes(from), Some(closes));
            }
        } else {
            prop_assert!(fast.next_open(from).is_none_or(|next| next >= from + i64::from(two_days).minutes()));
        }
    }

    #[test]
    fn no_text_whatever_makes_it_panic(key in ".{0,12}", text in ".{0,24}", name in ".{0,8}") {
        let _ = Opening::new(&hours(&[(&key, &text)]), &holidays(&[&name], &[]), copenhagen());
    }
}
