//! What is told of files that cannot be read in full.

use super::super::finding::report;
use super::super::{Flow, Say, Step};
use super::*;

fn findings(text: &str) -> String {
    let mut findings = Vec::new();
    read::<Flow>(Source::new("flow.yaml", text), &mut findings);
    report(&findings, false)
}

#[test]
fn everything_wrong_with_a_file_is_told_at_once() {
    insta::assert_snapshot!(findings(
"flow: reception
start: greet
stats: {}
states:
  greet:
    - say: { da: \"Godmorgen, ærede borger\", dansk: \"Hej\" }
    - sya: { da: \"Hej\" }
    - ask: { for: yes_or_no, into: answer, tries: \"three\" }
    - ask: { into: answer, tries: tre }
    - goto: greet
      say: { da: \"Hej\" }
    - say:
    - hangup: {}
    - hangup: {}
  greet:
    - return
"
    ), @r#"
error: unknown field `stats`
 --> flow.yaml:3:1
  |
3 | stats: {}
  | ^^^^^
  |
  = help: did you mean `states`?

error: "dansk" is no language: write a two-letter code such as da or en
 --> flow.yaml:6:45
  |
6 |     - say: { da: "Godmorgen, ærede borger", dansk: "Hej" }
  |                                             ^^^^^

error: `sya` is not known here
 --> flow.yaml:7:7
  |
7 |     - sya: { da: "Hej" }
  |       ^^^
  |
  = help: did you mean `say`?

error: `yes_or_no` is not known here
 --> flow.yaml:8:19
  |
8 |     - ask: { for: yes_or_no, into: answer, tries: "three" }
  |                   ^^^^^^^^^
  |
  = help: did you mean `yes_no`?

error: the text "three" where a number is wanted
 --> flow.yaml:8:51
  |
8 |     - ask: { for: yes_or_no, into: answer, tries: "three" }
  |                                                   ^^^^^^^

error: `for` is missing
 --> flow.yaml:9:7
  |
9 |     - ask: { into: answer, tries: tre }
  |       ^^^

error: the text "tre" where a number is wanted
 --> flow.yaml:9:35
  |
9 |     - ask: { into: answer, tries: tre }
  |                                   ^^^

error: `goto` and `say` stand in one step; a step has one key
  --> flow.yaml:11:7
   |
11 |       say: { da: "Hej" }
   |       ^^^
   |
   = help: give the second one a line of its own that begins with `- `, or indent it if it belongs to the first

error: nothing stands here; wanted is a text per language, such as { da: "Hej", en: "Hello" }
  --> flow.yaml:12:10
   |
12 |     - say:
   |          ^

error: `greet` stands here twice, first in line 5
  --> flow.yaml:15:3
   |
15 |   greet:
   |   ^^^^^
   |
   = help: keep one of them

10 errors
"#);
}

#[test]
fn a_field_that_is_missing_at_the_top_is_told_once() {
    insta::assert_snapshot!(findings("flow: a\nstart: 1\n"), @r"
error: `states` is missing
 --> flow.yaml:1:1
  |
1 | flow: a
  | ^^^^

1 error
");
}

#[test]
fn words_stay_words_however_much_they_look_like_something_else() {
    let mut findings = Vec::new();
    let document: Document<Flow> = read(
        Source::new(
            "flow.yaml",
            "{ flow: no, start: 012, states: { 012: [ say: { no: yes, da: \"true\" } ] } }",
        ),
        &mut findings,
    )
    .unwrap();
    assert_eq!(document.value.flow.0, "no");
    assert_eq!(document.value.start.0, "012");
    let Step::Say(Say::Texts(texts)) = &document.value.states["012"][0] else {
        panic!("{:?}", document.value);
    };
    assert_eq!(texts.values().collect::<Vec<_>>(), ["true", "yes"]);
    assert_eq!(findings, []);
}

#[test]
fn a_bomb_of_aliases_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let before = level - 1;
        let list = vec![format!("*a{before}"); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{list}]\n"));
    }
    insta::assert_snapshot!(findings(&text), @r"
error: the file has more than 250000 parts once aliases are written out
 --> flow.yaml:6:10
  |
6 | a5: &a5 [*a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4, *a4]
  |          ^^^

1 error
");
}

#[test]
fn what_is_no_yaml_is_told_with_its_line() {
    insta::assert_snapshot!(findings("flow: a\nstart: \"b\nstates: {"), @r#"
error: not YAML: unclosed quote
 --> flow.yaml:2:8
  |
2 | start: "b
  |        ^
  |
  = help: look at the indentation, the quotes and the brackets on this line and the one before

1 error
"#);
    insta::assert_snapshot!(findings(""), @r"
error: the file is empty
 --> flow.yaml:1:1
  |
1 |
  | ^

1 error
");
    insta::assert_snapshot!(findings("flow: a\n---\nflow: b\n"), @r"
error: a second document begins here; a file holds one
 --> flow.yaml:2:1
  |
2 | ---
  | ^^^

1 error
");
    insta::assert_snapshot!(findings("flow: !x a\nstart: *b\n"), @r"
error: YAML tags mean nothing here
 --> flow.yaml:1:10
  |
1 | flow: !x a
  |          ^
  |
  = help: leave out the word with the exclamation mark

error: nothing has this name to point to
 --> flow.yaml:2:8
  |
2 | start: *b
  |        ^
  |
  = help: put a text that begins with `*` in quotes

2 errors
");
}

proptest::proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "([a-z]{1,4}(: |:\n *|\n| )|[-\\[\\]{}\"'&*!|>æ#,]| {1,3}|\n){0,40}") {
        let mut found = Vec::new();
        let document = read::<Flow>(Source::new("flow.yaml", text), &mut found);
        proptest::prop_assert!(document.is_some() || !found.is_empty());
        for finding in found {
            finding.render(false);
        }
    }
}
