//! People's recorded voices on a real line, heard by pocketsphinx: no synthetic caller and no model
//! made for tests.

use std::fs;
use std::io::Write as _;

use serde_json::json;
use street::pbx::Switch;
use street::phone::Phone;
use street::{cache, caller};

use crate::house::{House, SOON, open_with};

/// The number of the town where English alone is spoken.
const TOWN: &str = "70505050";

/// Departments are named by what the recordings say.
const TENANT: &str = r#"
tenant: english
name: { en: "the English town" }
numbers: ["70505050"]
languages: [en]
hours: { mon-sun: "00:00-24:00" }
operator: switchboard
keys: { "1": front_left, "2": rear_right }
mail: { from: "hotline@english.invalid", escalate_to: "duty@english.invalid" }
departments:
  switchboard:
    name: { en: "the switchboard" }
    queue: omstilling
    mail: "omstilling@english.invalid"
  front_left:
    name: { en: "front left" }
    queue: borgerservice
    mail: "borgerservice@english.invalid"
  rear_right:
    name: { en: "rear right" }
    queue: jobcenter
    mail: "jobcenter@english.invalid"
  side_left:
    name: { en: "side left" }
    queue: omstilling
    mail: "omstilling@english.invalid"
"#;

/// A flow that asks for a case number and repeats it.
const NUMBERS: &str = r#"
flow: reception
start: wish
states:
  wish:
    - ask:
        say: { en: "Please say your number." }
        for: { digits: { min: 3, max: 8 } }
        confirm: false
        into: number
    - hangup: { say: { en: "Your number is {{ number | digits }}." } }
"#;

/// Opens a town that hears by pocketsphinx, or says loudly why it cannot.
async fn town(switch: Switch, reception: Option<&str>) -> Option<House> {
    let engine = match cache::pocketsphinx() {
        Ok(engine) => engine,
        Err(error) => {
            let wanted = |name: &str| std::env::var(name).is_ok_and(|it| it == "true" || it == "1");
            assert!(
                !wanted("CI") && !wanted("HOTLINE_REQUIRE_ALL"),
                "REQUIRED: {error}"
            );
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED, NOT TESTED: {error} ***\n"
            );
            return None;
        }
    };
    let house = open_with(switch, |site, mut settings| {
        let folder = settings.flows.join("english");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("tenant.yaml"), TENANT).unwrap();
        if let Some(flow) = reception {
            fs::write(folder.join("reception.yaml"), flow).unwrap();
        }
        let model = engine.join("model/en-us/en-us");
        settings.more = json!({ "speech": { "ears": { "en": [{
            "engine": "pocketsphinx", "library": engine.join("lib"), "model": model,
        }] } } });
        (site.number(TOWN, "english"), settings)
    })
    .await;
    Some(house)
}

pub(crate) async fn a_persons_voice_reaches_the_right_department_through_pocketsphinx(
    switch: Switch,
) {
    let Some(house) = town(switch, None).await else {
        return;
    };
    let phone = Phone::new("20304050").unwrap();
    let mark = house.hotline.journal().mark();
    let call = house.call(&phone, TOWN).await;
    call.say(&caller::person("alsa/Rear_Right").unwrap())
        .await
        .unwrap();
    let understood = house
        .line(mark, |line| {
            !line["command"]["note"]["understood"].is_null()
        })
        .await;
    let understood = &understood["command"]["note"]["understood"];
    assert_eq!(understood["heard"], "rear right", "{understood}");
    // pocketsphinx is seldom sure: then the caller is asked, and says yes by a key.
    if understood["verdict"] == "confirm" {
        house
            .line(mark, |line| line["command"]["listen"]["expect"] == "yes_no")
            .await;
        call.press_all("1").await.unwrap();
    }
    let told = house.agent_is_told().await;
    assert_eq!(told.language, "en");
    assert!(told.reason.contains("rear right"), "{told:?}");
}

pub(crate) async fn digits_a_person_speaks_are_read_back_through_pocketsphinx(switch: Switch) {
    let Some(house) = town(switch, Some(NUMBERS)).await else {
        return;
    };
    let phone = Phone::new("20304050").unwrap();
    let mark = house.hotline.journal().mark();
    let call = phone.call(house.pbx.sip(), TOWN).await.unwrap();
    house
        .hotline
        .state_reached(mark, "wish", SOON)
        .await
        .unwrap();
    let mut words = Vec::new();
    for digit in [4, 7, 2, 1] {
        let clip = caller::person(&format!("asterisk/digits/{digit}")).unwrap();
        words.extend(clip);
    }
    call.say(&words).await.unwrap();
    let heard = house
        .line(mark, |line| !line["event"]["heard"].is_null())
        .await;
    let text = heard["event"]["heard"]["hypotheses"][0]["text"].clone();
    assert_eq!(text, "four seven two one", "{heard}");
}
