//! What Hotline knows of one language: the document that people write in `flows/languages/`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::lexicon::Lexicon;
use super::parts::{Forms, Phrases, Words};
use crate::words::{Language, Texts};

/// One language: how its speakers say yes, numbers, days and times, and how these are said to them.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tongue {
    /// Its two-letter code.
    pub language: Language,
    /// What it is called, in itself and in other languages.
    pub name: Texts,
    /// How callers ask for it, in whatever language they ask.
    #[serde(default)]
    pub asked_for: BTreeMap<Language, Vec<String>>,
    /// Which stemmer takes the endings off its words; none keeps them whole.
    #[serde(default)]
    pub stemmer: Option<Stemmer>,
    /// Yes and no.
    pub answers: Answers,
    /// Numbers.
    pub numbers: Numbers,
    /// What callers say while they dictate digits.
    #[serde(default)]
    pub dictation: Dictation,
    /// Days and dates.
    pub days: Days,
    /// Times of day.
    pub clock: Clock,
    /// How values are spoken.
    pub spoken: Spoken,
    /// How words end that are not all yet, and what means nothing.
    #[serde(default)]
    pub murmurs: Murmurs,
    /// What tells wishes apart.
    #[serde(default)]
    pub wishes: Wishes,
    /// What every word is, made by `prepare`.
    #[serde(skip)]
    pub(crate) lexicon: Lexicon,
    /// Every phrase about yes and no with its worth: above 0 for yes, below for no, the longest
    /// first.
    #[serde(skip)]
    pub(crate) verdicts: Vec<(Vec<String>, f32)>,
    /// Days by their distance from today, the longest phrase first.
    #[serde(skip)]
    pub(crate) near: Vec<(Vec<String>, i32, String)>,
    /// Days that have a name: month and day.
    #[serde(skip)]
    pub(crate) named: Vec<(Vec<String>, i8, i8)>,
}

/// A stemmer of the Snowball project.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names of languages")]
pub enum Stemmer {
    Arabic,
    Danish,
    Dutch,
    English,
    Finnish,
    French,
    German,
    Greek,
    Hungarian,
    Italian,
    Norwegian,
    Portuguese,
    Romanian,
    Russian,
    Spanish,
    Swedish,
    Tamil,
    Turkish,
}

/// Yes and no.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// What says yes, and how plainly: 1 for `yes` itself, 0.5 for a murmur.
    pub yes: BTreeMap<String, f32>,
    /// What says no, and how plainly.
    pub no: BTreeMap<String, f32>,
    /// What says neither: `maybe`.
    #[serde(default)]
    pub doubt: Phrases,
    /// Idioms whose words mean nothing by themselves: `ikke også`, `no one`.
    #[serde(default)]
    pub idioms: Phrases,
    /// What turns a yes around: `not`.
    #[serde(default)]
    pub not: Words,
    /// Words that mean yes even beside a negation: then it is unclear.
    #[serde(default)]
    pub strong: Words,
    /// What takes back the yes or no before it: `no wait`.
    #[serde(default)]
    pub wait: Phrases,
    /// Words that neither say anything nor take from what is said.
    #[serde(default)]
    pub fillers: Words,
    /// What a recogniser may expect.
    #[serde(default)]
    pub expected: Vec<String>,
}

/// Numbers.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Numbers {
    /// 0 to 19.
    pub units: [Forms; 20],
    /// 20, 30 … 90.
    pub tens: [Forms; 8],
    /// How 21 to 99 are put together: `{unit}og{ten}`, `{ten}-{unit}`.
    pub composite: String,
    /// What 1 is called within `composite`, where it differs: `ein` in `einundzwanzig`.
    #[serde(default)]
    pub one_within: Option<String>,
    /// What 1 is called at the end of a count of hundreds, thousands and so on: `et`, `ein`.
    #[serde(default)]
    pub one_before: Option<String>,
    /// 100.
    pub hundred: Scale,
    /// 1000.
    pub thousand: Scale,
    /// 1 000 000.
    pub million: Scale,
    /// What stands between hundreds and the rest, blanks included: ` og `.
    pub after_hundred: String,
    /// The word before a last part below a hundred, where there is one: `tusind og en`.
    #[serde(default)]
    pub before_last: String,
    /// The word between the parts of a number: `og`.
    #[serde(default)]
    pub and: Words,
    /// The word before a negative number.
    pub minus: String,
    /// 0th to 19th.
    pub ordinals: [Forms; 20],
    /// 20th, 30th … 90th.
    pub ordinal_tens: [Forms; 8],
    /// How 21st to 99th are put together: `{unit}og{ten}`, or with `{ordinal}`.
    pub ordinal_composite: String,
    /// Further endings of ordinal words that are heard: `n`, `r` as in `dritten`, `dritter`.
    #[serde(default)]
    pub ordinal_endings: Words,
    /// What makes a written number ordinal: `st nd rd th`; a point does in many languages.
    #[serde(default)]
    pub ordinal_signs: Words,
    /// Further words for numbers from 21 on, by their value: `{ "40": fourty }`.
    #[serde(default)]
    pub further: BTreeMap<String, Words>,
    /// Words that count as numbers only beside others: `one`.
    #[serde(default)]
    pub weak: Words,
    /// Words that sound like digits and count as such only between digits, by the digit.
    #[serde(default)]
    pub sounds_like: BTreeMap<String, Words>,
    /// What is no number although it looks like one: `no one`.
    #[serde(default)]
    pub not_numbers: Phrases,
}

/// Hundred, thousand or million.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// Its word, and other forms that are heard.
    pub word: Forms,
    /// How one of them is said at the head of a number: `hundrede`; else as `one`.
    #[serde(default)]
    pub first: Option<String>,
    /// How one of them is said: `et hundrede`.
    pub one: String,
    /// How several are said: `{n} hundrede`.
    pub many: String,
}

/// What callers say while they dictate digits.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Dictation {
    /// The next digit stands there twice.
    pub double: Words,
    /// The next digit stands there three times.
    pub triple: Words,
    /// Several zeros: `nuller`.
    pub zeros: Words,
    /// As often: `gange` in `tre gange nul`.
    pub times: Words,
    /// A country code comes.
    pub plus: Phrases,
    /// What was just said is wrong: `nej`, `jeg mener`.
    pub correction: Phrases,
    /// All that was said is wrong: `forfra`.
    pub restart: Phrases,
    /// Polite words that belong to no number.
    pub polite: Words,
}

/// Days and dates.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Days {
    /// Monday to Sunday.
    pub weekdays: [Forms; 7],
    /// January to December.
    pub months: [Forms; 12],
    /// Days by their distance from today: `{ tomorrow: 1 }`.
    pub near: BTreeMap<String, i32>,
    /// The same, where nothing else was said: `{ morgen: 1 }`.
    #[serde(default)]
    pub near_alone: BTreeMap<String, i32>,
    /// Days that have a name, as month and day: `{ juleaften: 12-24 }`.
    #[serde(default)]
    pub named: BTreeMap<String, String>,
    /// Before a day of the month: `den`.
    #[serde(default)]
    pub before: Words,
    /// Between the day and the month: `of`.
    #[serde(default)]
    pub between: Words,
    /// `next`.
    #[serde(default)]
    pub next: Words,
    /// `this`.
    #[serde(default)]
    pub this: Words,
    /// `last`.
    #[serde(default)]
    pub last: Words,
    /// The last day of a month: `last day in`.
    #[serde(default)]
    pub last_day: Phrases,
    /// Days.
    pub day: Words,
    /// Weeks.
    pub week: Words,
    /// Two weeks in one word.
    #[serde(default)]
    pub fortnight: Words,
    /// Months.
    pub month: Words,
    /// Years.
    pub year: Words,
    /// What announces a span from now: `om`, `in`.
    #[serde(default)]
    pub ahead: Words,
    /// What follows a span from a day: `from`.
    #[serde(default)]
    pub from: Words,
    /// One of them: `a`.
    #[serde(default)]
    pub one: Words,
    /// Two of them: `couple of`.
    #[serde(default)]
    pub couple: Phrases,
    /// Whether "eight days" is a week.
    #[serde(default)]
    pub eight_days: bool,
    /// After a weekday, one week later: `friday week`.
    #[serde(default)]
    pub and_a_week: Words,
    /// This year: `i år`.
    #[serde(default)]
    pub this_year: Phrases,
    /// Before a year: `i`, `in the year`.
    #[serde(default)]
    pub before_year: Words,
    /// Ordinal numbers that also mean something else: `second`.
    #[serde(default)]
    pub doubtful: Words,
}

/// Times of day.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Clock {
    /// Before a time: `klokken`, `at`.
    #[serde(default)]
    pub announce: Words,
    /// Before a time that is not exact: `omkring`.
    #[serde(default)]
    pub about: Words,
    /// After the hour: `o'clock`, `Uhr`.
    #[serde(default)]
    pub after_hour: Words,
    /// Endings that make an hour inexact: `tiden` in `nitiden`.
    #[serde(default)]
    pub about_endings: Words,
    /// `half`.
    #[serde(default)]
    pub half: Words,
    /// Whether the half hour lies before or after the hour that is named.
    #[serde(default)]
    pub half_is: Half,
    /// A quarter of an hour.
    #[serde(default)]
    pub quarter: Words,
    /// A little before or after the hour.
    #[serde(default)]
    pub little: Words,
    /// After the hour: `over`, `past`.
    #[serde(default)]
    pub past: Words,
    /// Before the hour: `i`, `to`.
    #[serde(default)]
    pub to: Words,
    /// Minutes.
    pub minutes: Words,
    /// Hours, as a span.
    #[serde(default)]
    pub hours: Words,
    /// Noon.
    #[serde(default)]
    pub noon: Words,
    /// Noon, unless an hour is named with it: `middag`.
    #[serde(default)]
    pub noon_alone: Words,
    /// Midnight.
    #[serde(default)]
    pub midnight: Words,
    /// Parts of the day before noon.
    #[serde(default)]
    pub morning: Phrases,
    /// Parts of the day after noon.
    #[serde(default)]
    pub afternoon: Phrases,
    /// The night.
    #[serde(default)]
    pub night: Phrases,
}

/// Where a half hour lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Half {
    /// `halb drei` is 2:30.
    #[default]
    Before,
    /// `half two` is 2:30.
    After,
}

/// How values are spoken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Spoken {
    /// `and` in a list.
    pub and: String,
    /// `or` in a list.
    pub or: String,
    /// A date: `{weekday}`, `{day}` (ordinal) and `{month}`.
    pub date: String,
    /// A day of a month amid a text: `{day}` and `{month}`.
    pub day_and_month: String,
    /// The same after one of `days.before`, where it differs: `{day}n {month}`.
    #[serde(default)]
    pub day_and_month_after: Option<String>,
    /// Before a date that is today, the comma and blank included.
    pub today: String,
    /// Before a date that is tomorrow.
    pub tomorrow: String,
    /// Years.
    #[serde(default)]
    pub years: Years,
    /// Times.
    pub time: Times,
    /// Whether telephone numbers are said in pairs.
    #[serde(default)]
    pub phone_in_pairs: bool,
    /// Before a country code.
    pub plus: String,
    /// Waits.
    pub wait: Waits,
    /// Money, Danish kroner first.
    pub money: Vec<Currency>,
    /// Signs in what is spelled: `{ "-": dash }`.
    #[serde(default)]
    pub signs: BTreeMap<String, String>,
    /// Numbers and signs amid written texts.
    #[serde(default)]
    pub written: Written,
}

/// Years that are said by their hundreds.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Years {
    /// From which year to which.
    #[serde(default)]
    pub by_hundreds: Vec<[u32; 2]>,
    /// A whole century: `{century} hundred`.
    #[serde(default)]
    pub whole: String,
    /// Its first nine years: `{century} oh {rest}`.
    #[serde(default)]
    pub few: String,
    /// The others: `{century} {rest}`.
    #[serde(default)]
    pub rest: String,
}

/// How times of day are spoken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Times {
    /// A whole hour: `{hour}`, with `{half}` where there are halves.
    pub whole: String,
    /// The first nine minutes: `{hour}` and `{minute}`.
    pub few: String,
    /// Other minutes.
    pub minutes: String,
    /// What 1 is called as an hour.
    #[serde(default)]
    pub one: Option<String>,
    /// What the halves of a day of twelve hours are called: `[am, pm]`; without them it has 24.
    #[serde(default)]
    pub halves: Option<[String; 2]>,
    /// 0:00.
    #[serde(default)]
    pub midnight: Option<String>,
    /// 12:00.
    #[serde(default)]
    pub noon: Option<String>,
    /// What is said after hours that would be taken for others, by the last such hour.
    #[serde(default)]
    pub small_hours: BTreeMap<String, String>,
}

/// How waits are spoken.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waits {
    /// Less than a minute.
    pub short: String,
    /// Any other: `about {wait}`.
    pub about: String,
    /// One minute.
    pub minute: String,
    /// Several: `{n} minutes`.
    pub minutes: String,
    /// One hour.
    pub hour: String,
    /// Several.
    pub hours: String,
}

/// A currency.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Currency {
    /// How it is written beside a number: `kr. kr DKK`.
    pub signs: Words,
    /// One of it: `one krone`.
    pub one: String,
    /// Several: `{n} kroner`.
    pub many: String,
    /// One hundredth.
    pub cent: String,
    /// Several hundredths.
    pub cents: String,
}

/// Numbers and signs amid written texts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Written {
    /// What stands before the decimals: `,`.
    pub decimal_sign: String,
    /// What it is called: `komma`.
    pub decimal: String,
    /// Whether a point makes a number ordinal (`3. sal`) and parts hours from minutes (`kl. 9.15`).
    pub points: bool,
    /// Between the ends of a range: `til`.
    pub to: String,
    /// How times amid a text are said, without a word before them.
    pub time: String,
    /// Its first nine minutes.
    pub time_few: String,
    /// What is written before a number: `{ kl: klokken }`.
    pub before: BTreeMap<String, String>,
    /// What is written after a number: `{ "%": procent }`.
    pub after: BTreeMap<String, String>,
    /// What is written after the number of a floor: `{ th: til højre }`.
    pub floors: BTreeMap<String, String>,
    /// Numbers that are said digit by digit.
    pub by_digits: Words,
    /// Whether postcodes (four digits before a capital letter) are said in pairs.
    pub postcodes_in_pairs: bool,
}

/// How words that are not all yet end, and what only shows that somebody listens.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Murmurs {
    /// Who ends with these goes on: `øh`, `but`, `let me see`.
    pub hesitations: Phrases,
    /// Who ends with these wants another word to follow: `the`, `jeg vil gerne`.
    pub unfinished: Phrases,
    /// Sounds that are no words: `mm`, `øh`.
    pub hums: Words,
    /// Who says these, and hums, only listens: `nå`, `uh huh`; they may be an answer all the same.
    pub backchannels: Phrases,
}

/// What tells wishes apart.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wishes {
    /// Words that only hold a sentence together.
    pub function: Words,
    /// Words that callers wrap their wish in; they count only inside a tenant's own phrases;
    /// as they are written, with blanks between them.
    pub carriers: String,
    /// Words that never tell two phrases apart.
    pub articles: Words,
    /// Words that make another verb of the one before them: `hang up`.
    pub particles: Words,
    /// What says that the wish after it is not meant, where another is: `not`.
    pub not: Words,
    /// What says that the wish after it is not meant at all: `vil ikke`.
    pub refuse: Phrases,
    /// What says that the wish after it is meant after all: `but`.
    pub but: Words,
    /// Everyday words that tell this language from others.
    pub everyday: Words,
    /// Everyday words that other languages have too.
    pub shared: Words,
    /// Letters that tell this language from others.
    pub letters: String,
    /// Whether nouns are written in one word: `kørekortfornyelse`.
    pub compounds: bool,
    /// Second halves of compounds that leave the topic to the first: `fornyelse`.
    pub tails: Words,
}
