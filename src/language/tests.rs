//! A language nobody has ever heard of, from a folder of text files alone: what proves that no
//! code knows the languages that it speaks.

use std::sync::Arc;

use jiff::civil::{Date, Time};

use super::*;
use crate::dialog::hear::{self, Daytime};
use crate::dialog::rehearsal::story::play;
use crate::dialog::{Playbook, speak};
use crate::flow::{Library, report};
use crate::words::{PhoneNumber, TenantId};

/// Its numbers are `n0` in letters: `nulo`, `unu`; 21 is `dudek-unu`; half past two is "pasinta du
/// duono"; yes is `jes`.
const MADE_UP: &str = r#"
language: qx
name: { qx: Linguo, da: linguo, en: Linguo }
asked_for:
  qx: [ linguo, en linguo ]
  da: [ linguo, på linguo ]
  en: [ linguo, in linguo ]
answers:
  yes: { jes: 1, vere: 0.9 }
  "no": { neniu: 1, false: 0.9 }
  doubt: [ eble ]
  not: ne
  wait: [ atendu ]
  expected: [ jes, neniu ]
numbers:
  units:
    [ nulo, unu, du, tri, kvar, kvin, ses, sep, ok, nau, dek, dekunu, dekdu, dektri, dekkvar, dekkvin,
      dekses, deksep, dekok, deknau ]
  tens: [ dudek, tridek, kvardek, kvindek, sesdek, sepdek, okdek, naudek ]
  composite: "{ten}-{unit}"
  hundred: { word: cento, one: unu cento, many: "{n} cento" }
  thousand: { word: milo, one: unu milo, many: "{n} milo" }
  million: { word: miliono, one: unu miliono, many: "{n} miliono" }
  after_hundred: " kaj "
  before_last: kaj
  and: kaj
  minus: malpli
  ordinals:
    [ nula, unua, dua, tria, kvara, kvina, sesa, sepa, oka, naua, deka, dekunua, dekdua, dektria, dekkvara,
      dekkvina, deksesa, deksepa, dekoka, deknaua ]
  ordinal_tens: [ dudeka, trideka, kvardeka, kvindeka, sesdeka, sepdeka, okdeka, naudeka ]
  ordinal_composite: "{ten}-{ordinal}"
dictation:
  correction: [ pardonu ]
days:
  weekdays: [ lundo, mardo, merkredo, jaudo, vendredo, sabato, dimanco ]
  months:
    [ januaro, februaro, marto, aprilo, majo, junio, julio, augusto, septembro, oktobro, novembro, decembro ]
  near: { hodiau: 0, morgau: 1 }
  between: de
  day: tago tagoj
  week: semajno semajnoj
  month: monato
  year: jaro
clock:
  announce: je
  half: duono
  half_is: before
  past: post
  to: antau
  minutes: minutoj
spoken:
  and: kaj
  or: au
  date: "{weekday} {day} de {month}"
  day_and_month: "{day} de {month}"
  today: "hodiau, "
  tomorrow: "morgau, "
  time: { whole: "je {hour}", few: "je {hour} nulo {minute}", minutes: "je {hour} {minute}" }
  phone_in_pairs: true
  plus: plus
  wait:
    { short: tuj, about: "pli malpli {wait}", minute: unu minuto, minutes: "{n} minutoj", hour: unu horo,
      hours: "{n} horoj" }
  money:
    - { signs: kr, one: unu krono, many: "{n} kronoj", cent: unu oero, cents: "{n} oeroj" }
wishes:
  function: mi la kun
  everyday: mi la kun estas jes neniu saluton
"#;

const STORIES: &str = r#"
- name: somebody speaks the made-up language
  at: "2026-11-24 10:00"
  turns:
    - caller says: { qx: "saluton bauamt" }
    - expect: { language: qx, transfer: graenseby-byg }
- name: somebody asks for it
  at: "2026-11-24 20:00"
  turns:
    - caller says: { en: "in linguo" }
    - expect: { language: qx }
    - caller says: { qx: "rückruf" }
    - caller says: { qx: "standesamt" }
    - caller says: { qx: "dudek dekdu tridek-kvar kvindek-ses" }
    - expect: { says: "dudek, dekdu, tridek-kvar, kvindek-ses" }
    - caller says: { qx: "jes" }
"#;

/// Writes the repository's flows into a folder, with this language where German is.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let flows = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("flows");
    for from in ["common", "graenseby"] {
        std::fs::create_dir_all(folder.path().join(from)).unwrap();
        for entry in std::fs::read_dir(flows.join(from)).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                let text = std::fs::read_to_string(&path).unwrap();
                let text = text
                    .replace(" de:", " qx:")
                    .replace("da, de, en", "da, qx, en");
                let name = path.file_name().unwrap();
                std::fs::write(folder.path().join(from).join(name), text).unwrap();
            }
        }
    }
    for (file, text) in [
        ("languages/qx.yaml", MADE_UP),
        ("graenseby/tests/linguo.yaml", STORIES),
    ] {
        let file = folder.path().join(file);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    folder
}

#[test]
fn a_language_that_no_code_knows_is_heard_and_spoken_from_its_file() {
    let language: Language = "qx".parse().unwrap();
    let (library, findings) = Library::load(folder().path());
    assert!(findings.is_empty(), "{}", report(&findings, false));

    let today = Date::constant(2026, 11, 25);
    let yes = |text| hear::yes_no(text, language).map(|answer| answer.value);
    assert_eq!(yes("jes"), Some(true));
    assert_eq!(yes("ne vere"), Some(false));
    assert_eq!(yes("jes atendu neniu"), Some(false));
    assert_eq!(yes("eble"), None);
    let number = |text| hear::number(text, language).map(|answer| answer.value);
    assert_eq!(number("du milo tri cento kaj kvardek unu"), Some(2341));
    assert_eq!(number("dudek du pardonu dudek tri"), Some(23));
    let day = |text| hear::date(text, language, today).map(|answer| answer.value);
    assert_eq!(day("la tria de majo"), Some(Date::constant(2027, 5, 3)));
    assert_eq!(day("morgau"), Some(Date::constant(2026, 11, 26)));
    let clock = |text| hear::time(text, language, Daytime::default()).map(|answer| answer.value);
    assert_eq!(clock("je duono tri"), Some(Time::constant(14, 30, 0, 0)));
    assert_eq!(clock("dek post nau"), Some(Time::constant(9, 10, 0, 0)));

    assert_eq!(
        speak::number(1234, language),
        "unu milo du cento kaj tridek-kvar"
    );
    assert_eq!(
        speak::date(Date::constant(2027, 5, 3), today, language),
        "lundo tria de majo"
    );
    assert_eq!(
        speak::time(Time::constant(14, 5, 0, 0), language),
        "je dekkvar nulo kvin"
    );
    let phone = PhoneNumber::parse("20123456").unwrap();
    assert_eq!(
        speak::phone(&phone, language),
        "dudek, dekdu, tridek-kvar, kvindek-ses"
    );
    assert_eq!(
        hear::phone(&speak::phone(&phone, language), language).map(|answer| answer.value),
        Some(phone)
    );
    assert_eq!(
        speak::money(25_050, language),
        "du cento kaj kvindek kronoj kaj kvindek oeroj"
    );

    let library = library.unwrap();
    let tenant = TenantId::from("graenseby");
    let playbook = Arc::new(Playbook::new(Arc::clone(library.shelf(&tenant).unwrap())).unwrap());
    let mut played = 0;
    for stories in library.stories(&tenant) {
        for story in stories.stories() {
            let shortfalls = play(&playbook, story).shortfalls;
            assert!(shortfalls.is_empty(), "{}: {shortfalls:?}", story.name);
            played += 1;
        }
    }
    assert_eq!(played, 2);
}

#[test]
fn no_code_but_that_of_stemmers_names_a_third_language() {
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    let mut looked = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if !name.ends_with(".rs") || name.contains("tests") || name.ends_with("embedded.rs") {
                continue;
            }
            looked += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            for line in lines {
                assert!(!line.contains("\"de\""), "{name}: {line}");
            }
        }
    }
    assert!(looked > 100, "{looked} files");
}

#[test]
fn the_languages_that_come_with_the_program_can_be_read() {
    for (language, text) in BUILT_IN {
        let tongue: Tongue = serde_saphyr::from_str(text).unwrap();
        assert_eq!(tongue.language, language);
    }
    assert!(!tongue(Language::DA).is_bare());
    assert!(tongue("xx".parse().unwrap()).is_bare());
}
