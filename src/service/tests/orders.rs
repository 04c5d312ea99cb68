//! Messages, cancellations, and what is refused.

use super::*;

fn message() -> Order {
    Order::Message(MessageOrder {
        department: DepartmentId::from("citizen_service"),
        language: Language::EN,
        caller: Some(number("20304050")),
        recording: Some(Recording {
            file: "a.wav".to_owned(),
            seconds: 11.6,
            transcript: Some("my passport has expired".to_owned()),
        }),
        subject: "passport".to_owned(),
        facts: vec![("born".to_owned(), "1970".to_owned())],
    })
}

fn cancellation(case_worker: Option<&str>) -> Order {
    Order::Cancellation(CancellationOrder {
        department: DepartmentId::from("job_centre"),
        language: Language::DA,
        caller: Some(number("20304050")),
        case_worker: case_worker.map(str::to_owned),
        recording: None,
        facts: vec![("navn".to_owned(), "Anna Holm".to_owned())],
    })
}

#[tokio::test]
async fn a_message_is_in_the_store_with_its_mail_before_it_is_noted() {
    let house = House::new().await;
    let reference = house.noted(1, message()).await;
    let promise = house.services.promise(&reference.0).await.unwrap().unwrap();
    assert_eq!(promise.kind, PromiseKind::Message);
    let mails = house.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(promise.mail, Some(mails[0].id));
    assert_eq!(mails[0].to, "borgerservice@lilleby.example");
    assert_eq!(mails[0].recording.as_deref(), Some("a.wav"));
    let letter = mails[0].letter.clone().unwrap();
    let text = format!("{}\n\n{}", letter.subject, letter.body).replace(&reference.0, "XXXXX");
    insta::assert_snapshot!(text, @r#"
    Besked fra en borger: passport [XXXXX]

    En borger har ringet til Lilleby Kommune og lagt en besked til Borgerservice.

    Reference:   XXXXX
    Modtaget:    2026-11-23 10:00
    Telefon:     20304050
    Sprog:       en
    Emne:        passport
    born: 1970

    Det sagde borgeren (skrevet af en maskine og kan være forkert):

      my passport has expired

    Optagelsen er vedhæftet (12 sekunder).

    Borgeren har fået referencen oplyst og regner med svar.
    "#);
}

#[tokio::test]
async fn an_order_given_again_after_a_crash_is_the_same_promise() {
    let house = House::new().await;
    let first = house.order(1, message()).await;
    let store = house.kill().await;
    let house = House::over(store, at("2026-11-23T09:00:30Z")).await;
    assert_eq!(house.order(1, message()).await, first);
    assert_eq!(house.mails().await.len(), 1);
    let other = house.noted(2, message()).await;
    assert_ne!(Done::Noted { reference: other }, first);
    assert_eq!(house.mails().await.len(), 2);
}

#[tokio::test]
async fn two_orders_of_one_call_are_two_promises() {
    let house = House::new().await;
    let tenant = TenantId::from("lilleby");
    let one = house
        .services
        .order(&tenant, call_id(1), 1, message())
        .await;
    let two = house
        .services
        .order(&tenant, call_id(1), 2, message())
        .await;
    assert_ne!(one, two);
    assert_eq!(house.mails().await.len(), 2);
}

#[tokio::test]
async fn a_cancellation_goes_to_the_case_worker_and_else_to_the_department() {
    let house = House::new().await;
    house
        .noted(1, cancellation(Some("bo@lilleby.example")))
        .await;
    house.noted(2, cancellation(None)).await;
    house
        .noted(3, cancellation(Some("bo\r\nBcc: x@y.dk")))
        .await;
    let to: Vec<String> = house
        .mails()
        .await
        .into_iter()
        .map(|mail| mail.to)
        .collect();
    let department = "jobcenter@lilleby.example";
    assert_eq!(to, ["bo@lilleby.example", department, department]);
}

#[tokio::test]
async fn a_cancellation_that_has_not_arrived_in_a_quarter_of_an_hour_is_seen() {
    struct Away;
    #[async_trait]
    impl crate::send::Carrier for Away {
        async fn carry(
            &self,
            _: &lettre::address::Envelope,
            _: &[u8],
        ) -> Result<String, crate::send::NotCarried> {
            Err(crate::send::NotCarried::Unreachable(
                "connection refused".to_owned(),
            ))
        }
    }
    let house = House::new().await;
    let reference = house.noted(1, cancellation(None)).await;
    let outbox = house.outbox.clone();
    let worker = tokio::spawn(async move {
        outbox.run(Arc::new(Away), CancellationToken::new()).await;
    });
    let mut changed = house.store.watch("mail");
    house.clock.set(at("2026-11-23T09:15:00Z"));
    let late = loop {
        changed.mark_unchanged();
        let trouble = house.outbox.trouble().await.unwrap();
        if let [late] = trouble.as_slice() {
            break late.clone();
        }
        timeout(PATIENCE, changed.changed()).await.unwrap().unwrap();
    };
    worker.abort();
    assert_eq!(late.reference, Some(reference));
    let told: Vec<String> = house
        .mails()
        .await
        .into_iter()
        .map(|mail| mail.to)
        .collect();
    assert_eq!(told, ["jobcenter@lilleby.example", "vagt@lilleby.example"]);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_promised() {
    let house = House::new().await;
    let mut said = Vec::new();
    for (index, order) in [
        call_me("harbour", "20304050", Due::QueueShort),
        call_me("citizen_service", "90123456", Due::QueueShort),
        call_me("citizen_service", "+46812345678", Due::QueueShort),
        call_me(
            "citizen_service",
            "20304050",
            Due::At(at("2027-11-23T09:00:00Z")),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        match house.order(index as u128, order).await {
            Done::Refused { reason } => said.push(reason),
            other => panic!("{other:?}"),
        }
    }
    let nobody = TenantId::from("storby");
    if let Done::Refused { reason } = house
        .services
        .order(&nobody, call_id(9), 1, message())
        .await
    {
        said.push(reason);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    lilleby has no department harbour; it has citizen_service, job_centre
    premium numbers are not called back
    numbers outside Denmark are not called back
    2027-11-23T09:00:00Z is too far ahead: a callback can be promised for 30 days at most
    there is no tenant storby: see the folders under flows
    "#);
    let nothing = house.services.callbacks(&Filter::default()).await.unwrap();
    assert_eq!((nothing.len(), house.mails().await.len()), (0, 0));
}

/// A store that is full from the second transaction on.
struct FullDisk(Mutex<bool>);

struct Nothing;

impl View for Nothing {
    fn get(&self, _: &'static str, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(None)
    }

    fn range(
        &self,
        _: &'static str,
        _: std::ops::Bound<&[u8]>,
        _: std::ops::Bound<&[u8]>,
        _: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, StoreError> {
        Ok(Vec::new())
    }
}

impl Transaction for Nothing {
    fn put(&mut self, _: &'static str, _: &[u8], _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn delete(&mut self, _: &'static str, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Backend for FullDisk {
    fn read(&self, work: &mut dyn FnMut(&dyn View)) -> Result<(), StoreError> {
        work(&Nothing);
        Ok(())
    }

    fn write(&self, work: WriteWork<'_>) -> Result<(), StoreError> {
        let is_full = std::mem::replace(&mut *self.0.lock().unwrap(), true);
        assert_eq!(work(&mut Nothing), Verdict::Commit);
        if is_full {
            return Err(StoreError::Full {
                path: "store.redb".into(),
            });
        }
        Ok(())
    }
}

#[tokio::test]
async fn when_the_store_fails_the_caller_is_told_the_truth() {
    let store = Store::over(Arc::new(FullDisk(Mutex::new(false)))).unwrap();
    let house = House::over(store, at(MONDAY)).await;
    for order in [message(), cancellation(None), soon("20304050")] {
        let done = house.order(1, order).await;
        let Done::Refused { reason } = done else {
            panic!("promised on a full disk: {done:?}");
        };
        assert_eq!(
            reason,
            "no room left on the disk of the store store.redb: nothing was stored; make room"
        );
    }
}

#[test]
fn a_callback_in_a_log_shows_no_number() {
    let callback = callbacks::waiting();
    assert!(!format!("{callback:?}").contains("20304050"));
}

#[tokio::test]
async fn promises_that_are_long_over_are_forgotten() {
    let mut house = House::new().await;
    let reference = house.noted(1, message()).await;
    let callback = house.noted(2, soon("20304050")).await;
    let open = house
        .noted(
            3,
            call_me(
                "citizen_service",
                "20304051",
                Due::At(at("2026-12-22T10:00:00Z")),
            ),
        )
        .await;
    house
        .services
        .cancel_callback(&callback.0, "anna")
        .await
        .unwrap();
    house.clock.set(at("2026-12-20T09:00:00Z"));
    house.clock.set(at("2026-12-23T22:00:00Z"));
    let mut forgotten = house.store.watch("promise");
    house.work();
    while house
        .services
        .promise(&reference.0)
        .await
        .unwrap()
        .is_some()
    {
        timeout(PATIENCE, forgotten.changed())
            .await
            .unwrap()
            .unwrap();
    }
    assert!(house.services.find_callback(&callback.0).await.is_err());
    assert!(house.services.find_callback(&open.0).await.is_ok());
}
