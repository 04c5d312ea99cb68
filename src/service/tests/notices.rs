//! Notices on, off, over, and after a restart.

use super::*;
use crate::words::Texts;

fn texts(text: &str) -> Option<Texts> {
    Some(Texts::from([(Language::DA, text.to_owned())]))
}

#[tokio::test]
async fn a_notice_is_heard_from_when_it_is_on_until_it_is_off_also_after_a_restart() {
    let house = House::new().await;
    let tenant = TenantId::from("lilleby");
    let mut news = house.services.watch_notices();
    news.mark_unchanged();
    house
        .services
        .notice_on(&tenant, "it", texts("Alt er nede."), None, "anna")
        .await
        .unwrap();
    assert!(news.has_changed().unwrap());
    assert_eq!(house.services.notices(&tenant)[0].name, "it");
    assert_eq!(house.services.notices(&TenantId::from("storby")), []);
    let store = house.kill().await;
    let house = House::over(store, at("2026-11-23T09:01:00Z")).await;
    let all = house.services.all_notices();
    assert_eq!((all.len(), all[0].by.as_str()), (1, "anna"));
    assert!(
        house
            .services
            .notice_off(&tenant, "it", "bo")
            .await
            .unwrap()
    );
    assert!(
        !house
            .services
            .notice_off(&tenant, "it", "bo")
            .await
            .unwrap()
    );
    assert_eq!(house.services.notices(&tenant), []);
}

#[tokio::test]
async fn a_notice_with_an_end_ends_by_itself_and_those_who_watch_are_told() {
    let mut house = House::new().await;
    house.work();
    let tenant = TenantId::from("lilleby");
    let until = Some(at("2026-11-23T10:00:00Z"));
    house
        .services
        .notice_on(&tenant, "it", texts("Nede."), until, "anna")
        .await
        .unwrap();
    let mut news = house.services.watch_notices();
    house.clock.set(at("2026-11-23T09:59:59Z"));
    assert_eq!(house.services.notices(&tenant).len(), 1);
    news.mark_unchanged();
    house.clock.set(at("2026-11-23T10:00:00Z"));
    timeout(PATIENCE, news.changed()).await.unwrap().unwrap();
    assert_eq!(house.services.notices(&tenant), []);
    assert_eq!(house.services.all_notices(), []);
}

#[tokio::test]
async fn a_notice_that_is_over_is_not_heard_even_before_it_is_taken_away() {
    let house = House::new().await;
    let tenant = TenantId::from("lilleby");
    let until = Some(at("2026-11-23T10:00:00Z"));
    let on = house
        .services
        .notice_on(&tenant, "it", texts("Nede."), until, "anna");
    on.await.unwrap();
    house.clock.set(at("2026-11-23T10:00:00Z"));
    assert_eq!(house.services.notices(&tenant), []);
    assert_eq!(house.services.all_notices(), []);
}

#[tokio::test]
async fn a_prepared_notice_needs_its_name_only() {
    let house = House::new().await;
    let tenant = TenantId::from("lilleby");
    let on = house
        .services
        .notice_on(&tenant, "high_water", None, None, "anna")
        .await
        .unwrap();
    assert_eq!(on.notice.text[&Language::DA], "Der er højvande i havnen.");
}

#[tokio::test]
async fn a_notice_that_cannot_be_is_refused_with_the_reason() {
    let house = House::new().await;
    let tenant = TenantId::from("lilleby");
    let past = Some(at("2026-11-23T08:00:00Z"));
    let mut said = Vec::new();
    for (tenant, name, text, until) in [
        (&TenantId::from("storby"), "it", texts("x"), None),
        (&tenant, "fire", None, None),
        (&tenant, "it", texts(" "), None),
        (&tenant, "it", texts("x"), past),
    ] {
        let refused = house
            .services
            .notice_on(tenant, name, text, until, "anna")
            .await;
        said.push(refused.unwrap_err().to_string());
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    there is no tenant storby: see the folders under flows
    lilleby has no prepared notice "fire": give a text, or choose from high_water
    a notice needs a name and a text: give both
    the notice would be over at once: give a time in the future
    "#);
}
