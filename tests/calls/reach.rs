//! Callers reach the right department: by voice in two languages, and by keys.

use street::phone::Phone;
use street::{caller, tone};

use crate::house::{SOON, open};

#[tokio::test]
async fn a_spoken_danish_wish_reaches_the_right_agent_and_both_hear_each_other() {
    let house = open(|site, mut settings| {
        settings.flows = "/tmp/fl".into();
        (site, settings)
    })
    .await;
    let phone = Phone::new("20304050").unwrap();
    let mark = house.hotline.journal().mark();
    let call = phone.call(house.asterisk.sip(), "70101010").await.unwrap();
    house.hotline.state_reached(mark, "wish", SOON).await.unwrap();
    call.say(&caller::danish("jeg vil gerne tale med borgerservice").unwrap()).await.unwrap();
    let ringing = house.agent.rings(SOON).await.unwrap();
    call.play(&tone::tone(500.0, 3.0, 0.5));
    ringing.play(&tone::tone(700.0, 3.0, 0.5));
    ringing.hear_tone(500.0, SOON).await.unwrap();
    call.hear_tone(700.0, SOON).await.unwrap();
    eprintln!("{}", house.hotline.log());
    panic!("look");
}
