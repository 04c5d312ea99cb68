//! What people get to read when something in their files is wrong.

use insta::assert_snapshot;

use crate::flow::{Library, report};

const TENANT: &str = "\
tenant: lille
name: { da: Lille Kommune, en: Lille }
numbers: [ \"+4570101012\" ]
languages: [ da, en ]
hours: { mon-fri: \"09:00-15:00\" }
operator: desk
modules: [ message ]
mail: { from: a@lille.invalid }
departments:
  desk:
    name: { da: skranken, en: the desk }
    words: { da: [ skranke ], en: [ counter ] }
    queue: desk
    mail: desk@lille.invalid
";

/// Checks a small tenant with these files in place of its own, and draws what is found.
fn found(files: &[(&str, &str)]) -> String {
    let mut all: Vec<(String, String)> = crate::flow::embedded::FILES
        .iter()
        .filter(|(path, _)| path.starts_with("common/"))
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let tenant = ("lille/tenant.yaml", TENANT);
    for (path, text) in [&[tenant], files].concat() {
        all.retain(|(known, _)| known != path);
        all.push((path.to_owned(), text.to_owned()));
    }
    let (library, findings) = Library::read(&all);
    assert_eq!(
        library.is_none(),
        findings.iter().any(|finding| finding.is_error()),
        "there is a library exactly when there are no errors"
    );
    report(&findings, false)
}

/// Checks a flow of the small tenant.
fn of_flow(text: &str) -> String {
    found(&[("lille/reception.yaml", text)])
}

#[test]
fn a_small_tenant_is_without_findings() {
    assert_snapshot!(found(&[]), @"no findings");
}

#[test]
fn names_that_lead_nowhere_come_with_the_name_that_was_meant() {
    assert_snapshot!(of_flow(
        r#"flow: reception
start: gret
states:
  greet:
    - ask:
        for: { intent: [ departments, operater, desk ] }
        into: wish
        keys: { "1": dekks, "2": operator }
    - when:
        - if: wish == 'operater'
          do: [ goto: menu ]
    - call: mesage
    - transfer: { department: "'desc'" }
  menu:
    - transfer: { department: operator }
  lost:
    - return: {}
"#
    ), @r#"
error: there is no state `gret` in this flow
 --> lille/reception.yaml:2:8
  |
2 | start: gret
  |        ^^^^
  |
  = help: did you mean `greet`?

error: there is no intent `operater`
 --> lille/reception.yaml:6:39
  |
6 |         for: { intent: [ departments, operater, desk ] }
  |                                       ^^^^^^^^
  |
  = help: did you mean `operator`?

error: there is no intent `desk`
 --> lille/reception.yaml:6:49
  |
6 |         for: { intent: [ departments, operater, desk ] }
  |                                                 ^^^^
  |
  = help: it is a department: write `departments` for all of them

error: key 1 means `dekks`, which this question cannot answer
 --> lille/reception.yaml:8:22
  |
8 |         keys: { "1": dekks, "2": operator }
  |                      ^^^^^
  |
  = help: there are `desk`, `operater`

error: key 2 means `operator`, which this question cannot answer
 --> lille/reception.yaml:8:34
  |
8 |         keys: { "1": dekks, "2": operator }
  |                                  ^^^^^^^^
  |
  = help: did you mean `operater`?

error: there is no flow `mesage`
  --> lille/reception.yaml:12:13
   |
12 |     - call: mesage
   |             ^^^^^^
   |
   = help: did you mean `message`?

error: `lille` has no department `desc`
  --> lille/reception.yaml:13:31
   |
13 |     - transfer: { department: "'desc'" }
   |                               ^^^^^^^^
   |
   = help: did you mean `desk`?

error: `operator` is the whole department; its id is wanted
  --> lille/reception.yaml:15:31
   |
15 |     - transfer: { department: operator }
   |                               ^^^^^^^^
   |
   = help: write `operator.id`

8 errors
"#);
}

#[test]
fn the_mark_stands_inside_the_text_wherever_yaml_has_put_it() {
    assert_snapshot!(of_flow(
        r#"flow: reception
start: greet
states:
  greet:
    - say: { da: "Æblegrød \"til\" {{ tenat.name }}", en: '{{ it''s }} {{ caller.nmae }}' }
    - say:
        da: >-
          Ventetiden hos {{ operator.name }} er
          {{ operator.wait | waite }}, og der er
          {{ operator.waitng }} foran dig.
        en: |
          {% if operator.open %}
          Open until {{ closing }}.
    - set: { x: operator.wait >, y: "{{ x }}", language: "'da'" }
    - when:
        - if: x is definde
          do: [ hangup: {} ]
        - else: [ hangup: {} ]
"#
    ), @r#"
error: nothing fills the slot `tenat`
 --> lille/reception.yaml:5:39
  |
5 |     - say: { da: "Æblegrød \"til\" {{ tenat.name }}", en: '{{ it''s }} {{ caller.nmae }}' }
  |                                       ^^^^^^^^^^
  |
  = help: did you mean `tenant`?

error: not a template: unexpected end of string
 --> lille/reception.yaml:5:60
  |
5 |     - say: { da: "Æblegrød \"til\" {{ tenat.name }}", en: '{{ it''s }} {{ caller.nmae }}' }
  |                                                            ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

error: there is no filter `waite`
 --> lille/reception.yaml:9:30
  |
9 |           {{ operator.wait | waite }}, og der er
  |                              ^^^^^
  |
  = help: did you mean `wait`?

error: `operator` has no part `waitng`
  --> lille/reception.yaml:10:14
   |
10 |           {{ operator.waitng }} foran dig.
   |              ^^^^^^^^^^^^^^^
   |
   = help: did you mean `waiting`?

error: not a template: unexpected end of input, expected end of block
  --> lille/reception.yaml:13:35
   |
13 |           Open until {{ closing }}.
   |                                   ^

error: not a template: unexpected end of input, expected expression
  --> lille/reception.yaml:14:31
   |
14 |     - set: { x: operator.wait >, y: "{{ x }}", language: "'da'" }
   |                               ^

error: an expression stands here, not a text
  --> lille/reception.yaml:14:37
   |
14 |     - set: { x: operator.wait >, y: "{{ x }}", language: "'da'" }
   |                                     ^^^^^^^^^
   |
   = help: write it without the curly brackets, such as `department.id`

error: `language` is provided by the dialog and cannot be a slot
  --> lille/reception.yaml:14:48
   |
14 |     - set: { x: operator.wait >, y: "{{ x }}", language: "'da'" }
   |                                                ^^^^^^^^
   |
   = help: choose another name

error: there is no test `definde`
  --> lille/reception.yaml:16:20
   |
16 |         - if: x is definde
   |                    ^^^^^^^
   |
   = help: did you mean `defined`?

9 errors
"#);
}

#[test]
fn a_when_that_cannot_be_meant_is_told() {
    assert_snapshot!(of_flow(
        r#"flow: reception
start: greet
states:
  greet:
    - when:
        - if: speech
        - else: [ hangup: {} ]
        - if: not speech
          do: [ return: {} ]
          else: [ return: {} ]
        - do: [ return: {} ]
        - {}
    - transfer: {}
    - transfer: { department: operator.id, extension: "20 1" }
"#
    ), @r#"
error: this `if` has no `do`
 --> lille/reception.yaml:6:11
  |
6 |         - if: speech
  |           ^^^^^^^^^^
  |
  = help: add `do:` with steps

error: `else` is not the last branch; those after it are never looked at
 --> lille/reception.yaml:7:11
  |
7 |         - else: [ hangup: {} ]
  |           ^^^^^^^^^^^^^^^^^^^^
  |
  = help: move it to the end

error: `if` and `else` stand in one branch
 --> lille/reception.yaml:8:11
  |
8 |         - if: not speech
  |           ^^^^^^^^^^^^^^
  |
  = help: begin `else` on a line of its own with `- `

error: this `do` has no `if`
  --> lille/reception.yaml:11:11
   |
11 |         - do: [ return: {} ]
   |           ^^^^^^^^^^^^^^^^^^
   |
   = help: add `if:` with a condition

error: an empty branch
  --> lille/reception.yaml:12:11
   |
12 |         - {}
   |           ^^
   |
   = help: write `if` with `do`, or `else`

error: nowhere to transfer to
  --> lille/reception.yaml:13:7
   |
13 |     - transfer: {}
   |       ^^^^^^^^
   |
   = help: write one of `department`, `extension` and `number`

error: `department` and `extension` are given; a caller can go to one place
  --> lille/reception.yaml:14:7
   |
14 |     - transfer: { department: operator.id, extension: "20 1" }
   |       ^^^^^^^^
   |
   = help: keep one of them

error: "20 1" is no extension
  --> lille/reception.yaml:14:55
   |
14 |     - transfer: { department: operator.id, extension: "20 1" }
   |                                                       ^^^^^^
   |
   = help: write letters, digits, * and # only

warning: this step is never reached
  --> lille/reception.yaml:14:7
   |
14 |     - transfer: { department: operator.id, extension: "20 1" }
   |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
   |
   = help: the step before it never goes on; remove one of them

8 errors, 1 warning
"#);
}

#[test]
fn a_way_without_end_and_a_circle_without_waiting_are_told() {
    assert_snapshot!(of_flow(
        r#"flow: reception
start: a
states:
  a:
    - say: { da: "Hej", en: "Hello" }
    - when:
        - if: speech
          do: [ goto: b ]
    - ask:
        for: yes_no
        into: answer
        otherwise: [ say: { da: "Nå", en: "Well" } ]
  b:
    - call: again
    - goto: a
  c:
    - ask: { for: yes_no, into: answer, otherwise: [ goto: c ] }
    - goto: d
    - hangup: {}
  d:
    - ask: { for: phone, into: answer, otherwise: [ goto: c ] }
    - goto: c
"#
    ) + &found(&[(
        "lille/again.yaml",
        "flow: again\nstart: a\nstates: { a: [ say: { da: x, en: x }, return: {} ] }\n"
    )]), @r#"
error: the state `a` runs out of steps here
 --> lille/reception.yaml:9:7
  |
9 |     - ask:
  |       ^^^^
  |
  = help: end it with goto, transfer, hangup or return

error: after `otherwise` the flow goes on without an answer in `answer`
  --> lille/reception.yaml:12:9
   |
12 |         otherwise: [ say: { da: "Nå", en: "Well" } ]
   |         ^^^^^^^^^
   |
   = help: end it with goto, transfer, hangup or return, or set `answer` in it

error: there is no flow `again`
  --> lille/reception.yaml:14:13
   |
14 |     - call: again
   |             ^^^^^
   |
   = help: there are `callback`, `callback_connect`, `cancel_appointment`, `message`, `reception`, `transfer`

error: no way leads to an end from `c`, `d`
  --> lille/reception.yaml:16:3
   |
16 |   c:
   |   ^
   |
   = help: let one of them transfer, hang up or return

warning: no way leads to the state `c`
  --> lille/reception.yaml:16:3
   |
16 |   c:
   |   ^
   |
   = help: go to it from somewhere, or remove it

warning: this step is never reached
  --> lille/reception.yaml:19:7
   |
19 |     - hangup: {}
   |       ^^^^^^^^^^
   |
   = help: the step before it never goes on; remove one of them

warning: no way leads to the state `d`
  --> lille/reception.yaml:20:3
   |
20 |   d:
   |   ^
   |
   = help: go to it from somewhere, or remove it

4 errors, 3 warningsno findings
"#);
    assert_snapshot!(found(&[
        ("lille/reception.yaml", "flow: reception\nstart: a\nstates: { a: [ call: ping ] }\n"),
        ("lille/ping.yaml", "flow: ping\nstart: a\nstates:\n  a:\n    - call: pong\n    - return: {}\n"),
        ("lille/pong.yaml", "flow: pong\nstart: a\nstates:\n  a:\n    - goto: b\n  b:\n    - call: ping\n    - return: {}\n"),
    ]), @r"
error: the flow can go round for ever without waiting for the caller: ping.a, pong.a, pong.b, ping.a
 --> lille/pong.yaml:7:13
  |
7 |     - call: ping
  |             ^^^^
  |
  = help: ask or record something on the way, or end it

error: the state `a` runs out of steps here
 --> lille/reception.yaml:3:16
  |
3 | states: { a: [ call: ping ] }
  |                ^^^^^^^^^^
  |
  = help: end it with goto, transfer, hangup or return

2 errors
");
}

#[test]
fn a_text_missing_in_a_language_is_told_where_it_is_missing() {
    assert_snapshot!(of_flow(
        r#"flow: reception
start: a
states:
  a:
    - say: { da: "Hej" }
    - say: { da: "Hej igen", en: "" }
    - hangup: { say: { en: "Goodbye" } }
"#
    ), @r#"
error: the text is missing in `en`
 --> lille/reception.yaml:5:7
  |
5 |     - say: { da: "Hej" }
  |       ^^^
  |
  = help: add `en:` with the text

error: the text is empty
 --> lille/reception.yaml:6:30
  |
6 |     - say: { da: "Hej igen", en: "" }
  |                              ^^
  |
  = help: write what is to be said

error: the text is missing in `da`
 --> lille/reception.yaml:7:17
  |
7 |     - hangup: { say: { en: "Goodbye" } }
  |                 ^^^
  |
  = help: add `da:` with the text

3 errors
"#);
    let swedish = TENANT
        .replace("[ da, en ]", "[ da, sv ]")
        .replace("en: Lille", "sv: Lille")
        .replace("en: the desk", "sv: disken")
        .replace("en: [ counter ]", "sv: [ kassan ]");
    let told = found(&[("lille/tenant.yaml", &swedish)]);
    let flows = told
        .lines()
        .filter(|line| line.starts_with("error: none of the"));
    assert_eq!(
        flows.count(),
        6,
        "one for each flow with texts, not one for each text"
    );
}

#[test]
fn a_tenant_is_checked_whole() {
    let tenant = "\
tenant: stor
name: { da: Stor Kommune }
numbers: [ \"70 10 10 12\", \"abc\" ]
languages: [ da, en, da ]
time_zone: Europe/Kopenhagen
hours: { mon-fry: \"09:00-15:00\", sat: \"10-9\" }
holidays: { closed: [ may_2 ], days: { 2026-12-23: \"9\" } }
operator: dsk
keys: { \"1\": desk, \"0\": desk }
modules: [ callback, cancel_appointment ]
callback: { attempts: 0 }
mail: { from: nobody, language: de }
intents: { sauna: { words: { da: [ sauna ] } } }
notices: { storm: { da: \"Storm {{ x }}\" } }
departments:
  desk:
    name: { da: skranken, en: the desk }
    words: { da: [ skranke, \"\" ], de: [ Schalter ] }
    queue: \"\"
    mail: desk
    overflow: other
  other:
    name: { da: skranken, en: the other desk }
    words: { da: [ skranke ], en: [ counter ] }
    queue: other
    mail: other@stor.invalid
    overflow: desk
  operator:
    name: { da: omstilling, en: operator }
    queue: operator
    mail: operator@stor.invalid
    overflow: nowhere
";
    assert_snapshot!(found(&[("big/tenant.yaml", tenant)]), @r#"
error: the tenant is named `stor` and its folder `big`
 --> big/tenant.yaml:1:9
  |
1 | tenant: stor
  |         ^^^^
  |
  = help: write `tenant: big`, or rename the folder

error: the text is missing in `en`
 --> big/tenant.yaml:2:1
  |
2 | name: { da: Stor Kommune }
  | ^^^^
  |
  = help: add `en:` with the text

error: "abc" is no telephone number
 --> big/tenant.yaml:3:27
  |
3 | numbers: [ "70 10 10 12", "abc" ]
  |                           ^^^^^
  |
  = help: write it as the PBX delivers it, or as +45 and eight digits

error: `da` stands here twice
 --> big/tenant.yaml:4:22
  |
4 | languages: [ da, en, da ]
  |                      ^^
  |
  = help: keep one of them

error: there is no time zone "Europe/Kopenhagen"
 --> big/tenant.yaml:5:12
  |
5 | time_zone: Europe/Kopenhagen
  |            ^^^^^^^^^^^^^^^^^
  |
  = help: write an IANA name such as Europe/Copenhagen

error: "fry" is no day
 --> big/tenant.yaml:6:10
  |
6 | hours: { mon-fry: "09:00-15:00", sat: "10-9" }
  |          ^^^^^^^
  |
  = help: write mon, tue, wed, thu, fri, sat or sun, or a run such as mon-thu

error: "10" is no time of day
 --> big/tenant.yaml:6:39
  |
6 | hours: { mon-fry: "09:00-15:00", sat: "10-9" }
  |                                       ^^^^^^
  |
  = help: write it as "09:00", between "00:00" and "24:00"

error: "may_2" is no day to choose
 --> big/tenant.yaml:7:23
  |
7 | holidays: { closed: [ may_2 ], days: { 2026-12-23: "9" } }
  |                       ^^^^^
  |
  = help: choose from may_1, june_5, dec_24, dec_31, friday_after_ascension, and write other days under `days` with their date (public holidays are closed already)

error: "9" is no opening
 --> big/tenant.yaml:7:52
  |
7 | holidays: { closed: [ may_2 ], days: { 2026-12-23: "9" } }
  |                                                    ^^^
  |
  = help: write from and to, such as "09:00-15:00", or "closed"

error: there is no department `dsk`
 --> big/tenant.yaml:8:11
  |
8 | operator: dsk
  |           ^^^
  |
  = help: did you mean `desk`?

error: key 0 is `desk` here and `operator` in the flow `reception`
 --> big/tenant.yaml:9:20
  |
9 | keys: { "1": desk, "0": desk }
  |                    ^^^
  |
  = help: choose another key for one of them

error: no department takes cancellations of appointments
  --> big/tenant.yaml:10:22
   |
10 | modules: [ callback, cancel_appointment ]
   |                      ^^^^^^^^^^^^^^^^^^
   |
   = help: write `appointments: true` at those that do, or remove the module

error: 0 is out of range
  --> big/tenant.yaml:11:23
   |
11 | callback: { attempts: 0 }
   |                       ^
   |
   = help: write a number from 1 to 20

error: "nobody" is no mail address
  --> big/tenant.yaml:12:15
   |
12 | mail: { from: nobody, language: de }
   |               ^^^^^^
   |
   = help: write it as name@example.org

error: `de` is not among the languages of the tenant
  --> big/tenant.yaml:12:33
   |
12 | mail: { from: nobody, language: de }
   |                                 ^^
   |
   = help: choose one of them

error: the text is missing in `da`
  --> big/tenant.yaml:13:12
   |
13 | intents: { sauna: { words: { da: [ sauna ] } } }
   |            ^^^^^
   |
   = help: add `da:` with the text

error: the text is missing in `en`
  --> big/tenant.yaml:13:12
   |
13 | intents: { sauna: { words: { da: [ sauna ] } } }
   |            ^^^^^
   |
   = help: add `en:` with the text

error: the text is missing in `en`
  --> big/tenant.yaml:14:12
   |
14 | notices: { storm: { da: "Storm {{ x }}" } }
   |            ^^^^^
   |
   = help: add `en:` with the text

error: `x` is not known in this text
  --> big/tenant.yaml:14:35
   |
14 | notices: { storm: { da: "Storm {{ x }}" } }
   |                                   ^

error: an empty word
  --> big/tenant.yaml:18:29
   |
18 |     words: { da: [ skranke, "" ], de: [ Schalter ] }
   |                             ^^
   |
   = help: remove it

error: the queue has no name
  --> big/tenant.yaml:19:12
   |
19 |     queue: ""
   |            ^^
   |
   = help: write the name that the PBX has for it

error: "desk" is no mail address
  --> big/tenant.yaml:20:11
   |
20 |     mail: desk
   |           ^^^^
   |
   = help: write it as name@example.org

error: callers who overflow from `desk` come back to it
  --> big/tenant.yaml:21:15
   |
21 |     overflow: other
   |               ^^^^^
   |
   = help: let the last of them have no `overflow`

error: `desk` has the same name
  --> big/tenant.yaml:23:17
   |
23 |     name: { da: skranken, en: the other desk }
   |                 ^^^^^^^^
   |
   = help: callers cannot tell them apart: name one of them otherwise

error: callers who overflow from `other` come back to it
  --> big/tenant.yaml:27:15
   |
27 |     overflow: desk
   |               ^^^^
   |
   = help: let the last of them have no `overflow`

error: `operator` is something else that a caller can want
  --> big/tenant.yaml:28:3
   |
28 |   operator:
   |   ^^^^^^^^
   |
   = help: choose another name for the department

error: `stor` has no department `nowhere`
  --> big/tenant.yaml:32:15
   |
32 |     overflow: nowhere
   |               ^^^^^^^
   |
   = help: there are `desk`, `operator`, `other`

error: the number +4570101012 belongs to `stor` too
 --> lille/tenant.yaml:3:12
  |
3 | numbers: [ "+4570101012" ]
  |            ^^^^^^^^^^^^^
  |
  = help: a call must find one tenant: remove it from one of them

warning: no question asks for `sauna`
  --> big/tenant.yaml:13:12
   |
13 | intents: { sauna: { words: { da: [ sauna ] } } }
   |            ^^^^^
   |
   = help: name it under `for: { intent: […] }` in a flow of the tenant

warning: nobody can ask for `desk` in `en` but by its name
  --> big/tenant.yaml:16:3
   |
16 |   desk:
   |   ^^^^
   |
   = help: add `en` under `words`, `topics` or `examples`

warning: `de` is not among the languages of the tenant
  --> big/tenant.yaml:18:35
   |
18 |     words: { da: [ skranke, "" ], de: [ Schalter ] }
   |                                   ^^
   |
   = help: add it to `languages`, or remove the words

warning: "skranke" asks for `desk` too
  --> big/tenant.yaml:24:20
   |
24 |     words: { da: [ skranke ], en: [ counter ] }
   |                    ^^^^^^^
   |
   = help: callers who say it are asked which one they mean; keep it in one

warning: nobody can ask for `operator` in `da` but by its name
  --> big/tenant.yaml:28:3
   |
28 |   operator:
   |   ^^^^^^^^
   |
   = help: add `da` under `words`, `topics` or `examples`

warning: nobody can ask for `operator` in `en` but by its name
  --> big/tenant.yaml:28:3
   |
28 |   operator:
   |   ^^^^^^^^
   |
   = help: add `en` under `words`, `topics` or `examples`

28 errors, 6 warnings
"#);
}

#[test]
fn a_story_that_cannot_be_played_is_told() {
    assert_snapshot!(found(&[(
        "lille/tests/a.yaml",
        r#"- name: a
  at: "i morgen"
  flow: recpetion
  queues: { dask: { waiting: 1 } }
  notices: { storm: {} }
  turns:
    - caller presses: "1x"
    - expect: {}
    - expect: { message: { department: dsk } }
    - caller sasy: "hej"
"#
    )]), @r#"
error: "i morgen" is no day and time
 --> lille/tests/a.yaml:2:7
  |
2 |   at: "i morgen"
  |       ^^^^^^^^^^
  |
  = help: write it as "2026-12-24 10:00"

error: there is no flow `recpetion`
 --> lille/tests/a.yaml:3:9
  |
3 |   flow: recpetion
  |         ^^^^^^^^^
  |
  = help: did you mean `reception`?

error: no department has the queue `dask`
 --> lille/tests/a.yaml:4:13
  |
4 |   queues: { dask: { waiting: 1 } }
  |             ^^^^
  |
  = help: did you mean `desk`?

error: `storm` is no prepared notice and has no text here
 --> lille/tests/a.yaml:5:14
  |
5 |   notices: { storm: {} }
  |              ^^^^^

error: 'x' is no key
 --> lille/tests/a.yaml:7:23
  |
7 |     - caller presses: "1x"
  |                       ^^^^
  |
  = help: write 0 to 9, * and #, one after the other

error: nothing is expected
 --> lille/tests/a.yaml:8:15
  |
8 |     - expect: {}
  |               ^^
  |
  = help: write at least one thing, such as says or transfer

error: `lille` has no department `dsk`
 --> lille/tests/a.yaml:9:40
  |
9 |     - expect: { message: { department: dsk } }
  |                                        ^^^
  |
  = help: did you mean `desk`?

error: `caller sasy` is not known here
  --> lille/tests/a.yaml:10:7
   |
10 |     - caller sasy: "hej"
   |       ^^^^^^^^^^^
   |
   = help: did you mean `caller says`?

8 errors
"#);
}

#[test]
fn a_flow_in_a_wrong_file_and_a_folder_without_a_tenant_are_told() {
    assert_snapshot!(found(&[
        ("lille/opening.yaml", "flow: reception\nstart: a\nstates: { a: [ return: {} ] }\n"),
        ("ghost/x.yaml", "flow: x\nstart: a\nstates: { a: [ return: {} ] }\n"),
    ]), @r"
error: the folder `ghost` has no tenant.yaml
--> ghost/x.yaml
 = help: write one beside it

error: the flow is named `reception` and its file `lille/opening.yaml`
 --> lille/opening.yaml:1:7
  |
1 | flow: reception
  |       ^^^^^^^^^
  |
  = help: write `flow: opening`, or rename the file

2 errors
");
}

#[test]
fn a_broken_file_gives_no_findings_about_what_would_have_been_in_it() {
    assert_snapshot!(found(&[("common/message.yaml", "flow: message\nstart: [")]), @r"
error: not YAML: unclosed bracket '['
 --> common/message.yaml:2:8
  |
2 | start: [
  |        ^
  |
  = help: look at the indentation, the quotes and the brackets on this line and the one before

1 error
");
    assert_snapshot!(of_flow(
        "flow: reception\nstart: a\nstates:\n  a:\n    - aks: { for: text, into: x }\n    - say: { da: \"{{ x }}\", en: \"{{ x }}\" }\n"
    ), @r"
error: `aks` is not known here
 --> lille/reception.yaml:5:7
  |
5 |     - aks: { for: text, into: x }
  |       ^^^
  |
  = help: did you mean `ask`?

1 error
");
}

#[test]
fn a_tenants_flow_takes_the_place_of_the_common_one() {
    let files: Vec<(String, String)> = crate::flow::embedded::FILES
        .iter()
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect();
    let library = Library::read(&files).0.unwrap();
    let fjordby = library.shelf_for("70 20 20 20").unwrap();
    let egekoebing = library.shelf_for("+4570101011").unwrap();
    assert!(fjordby.flows["reception"].states.contains_key("town_hall"));
    assert!(
        egekoebing.flows["reception"]
            .states
            .contains_key("operator")
    );
    assert!(std::sync::Arc::ptr_eq(
        &fjordby.flows["message"],
        &egekoebing.flows["message"]
    ));
    assert!(library.shelf_for("70999999").is_none());
}

#[test]
fn a_folder_that_is_not_there_is_told() {
    let (library, findings) = Library::load(std::path::Path::new("no/such/folder"));
    assert!(library.is_none());
    assert_snapshot!(findings[0].render(false), @r"
error: the folder cannot be read: No such file or directory (os error 2)
--> no/such/folder
 = help: name the folder that holds `common` and one folder per tenant
");
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(32))]

    /// Lines of the sample are lost, doubled or cut: there are findings or a library, never a panic.
    #[test]
    fn no_edit_breaks_the_checks(file in 0..64_usize, line in 0..300_usize, way in 0..4, cut in 0..80_usize) {
        let mut files: Vec<(String, String)> = crate::flow::embedded::FILES
            .iter()
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect();
        let count = files.len();
        let text = &mut files[file % count].1;
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let at = line % lines.len();
        match way {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[at].clone()),
            2 => lines[at] = lines[at].chars().take(cut).collect(),
            _ => lines[at] = lines[at].replace([':', '\'', '}'], ""),
        }
        *text = lines.join("\n");
        let (library, findings) = Library::read(&files);
        proptest::prop_assert_eq!(library.is_none(), findings.iter().any(|it| it.is_error()));
        report(&findings, true);
    }
}
