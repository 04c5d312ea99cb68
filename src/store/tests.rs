use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const NUMBERS: Table<u32> = Table::new("numbers");
const WORDS: Table<String> = Table::new("words");

/// A store of each kind; the folder must outlive the store.
fn stores() -> Vec<(&'static str, Store, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let embedded = Store::open(&folder.path().join("store.redb")).unwrap();
    vec![
        ("memory", Store::in_memory(), None),
        ("embedded", embedded, Some(folder)),
    ]
}

#[tokio::test]
async fn what_was_put_is_found_in_key_order() {
    for (kind, store, _folder) in stores() {
        store
            .write(|tx| {
                for (key, value) in [("b2", 2), ("a1", 1), ("c3", 3), ("b1", 4), ("b", 5)] {
                    NUMBERS.put(tx, key.as_bytes(), &value)?;
                }
                Ok::<_, StoreError>(())
            })
            .await
            .unwrap();
        let found = store
            .read(|view| NUMBERS.with_prefix(view, b"b", 10))
            .await
            .unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|(key, value)| (std::str::from_utf8(key).unwrap(), *value))
            .collect();
        assert_eq!(found, [("b", 5), ("b1", 4), ("b2", 2)], "{kind}");
        let first = store
            .read(|view| NUMBERS.first_from(view, b"b3"))
            .await
            .unwrap();
        assert_eq!(first, Some((b"c3".to_vec(), 3)), "{kind}");
        let few = store
            .read(|view| NUMBERS.with_prefix(view, b"", 2))
            .await
            .unwrap();
        assert_eq!(few.len(), 2, "{kind}");
    }
}

#[tokio::test]
async fn a_transaction_that_fails_leaves_nothing_behind() {
    for (kind, store, _folder) in stores() {
        let failed: Result<(), StoreError> = store
            .write(|tx| {
                NUMBERS.put(tx, b"one", &1)?;
                WORDS.put(tx, b"one", &"en".to_owned())?;
                Err(StoreError::Closing)
            })
            .await;
        assert!(failed.is_err(), "{kind}");
        let left = store
            .read(|view| {
                Ok::<_, StoreError>((NUMBERS.get(view, b"one")?, WORDS.get(view, b"one")?))
            })
            .await
            .unwrap();
        assert_eq!(left, (None, None), "{kind}");
    }
}

#[tokio::test]
async fn a_transaction_sees_its_own_changes() {
    for (kind, store, _folder) in stores() {
        store
            .write(|tx| {
                NUMBERS.put(tx, b"a", &1)?;
                NUMBERS.put(tx, b"b", &2)
            })
            .await
            .unwrap();
        let seen = store
            .write(|tx| {
                NUMBERS.delete(tx, b"a")?;
                NUMBERS.put(tx, b"c", &3)?;
                let seen = NUMBERS.with_prefix(tx, b"", 10)?;
                Ok::<_, StoreError>((
                    seen,
                    NUMBERS.get(tx, b"a")?,
                    NUMBERS.with_prefix(tx, b"", 1)?,
                ))
            })
            .await
            .unwrap();
        assert_eq!(seen.0, [(b"b".to_vec(), 2), (b"c".to_vec(), 3)], "{kind}");
        assert_eq!(seen.1, None, "{kind}");
        assert_eq!(seen.2, [(b"b".to_vec(), 2)], "{kind}");
    }
}

#[tokio::test]
async fn transactions_at_the_same_time_do_not_lose_each_other() {
    for (kind, store, _folder) in stores() {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let store = store.clone();
            tasks.spawn(async move {
                store
                    .write(|tx| {
                        let count = NUMBERS.get(tx, b"count")?.unwrap_or(0);
                        NUMBERS.put(tx, b"count", &(count + 1))
                    })
                    .await
            });
        }
        while let Some(result) = tasks.join_next().await {
            result.unwrap().unwrap();
        }
        let count = store.read(|view| NUMBERS.get(view, b"count")).await;
        assert_eq!(count.unwrap(), Some(8), "{kind}");
    }
}

#[tokio::test]
async fn a_change_is_told_to_those_who_watch_its_space_and_to_no_others() {
    for (kind, store, _folder) in stores() {
        let mut numbers = store.watch(NUMBERS.space());
        let mut words = store.watch(WORDS.space());
        store.write(|tx| NUMBERS.put(tx, b"a", &1)).await.unwrap();
        assert!(numbers.has_changed().unwrap(), "{kind}");
        assert!(!words.has_changed().unwrap(), "{kind}");
        numbers.mark_unchanged();
        let failed: Result<(), StoreError> = store
            .write(|tx| {
                NUMBERS.put(tx, b"b", &1)?;
                Err(StoreError::Closing)
            })
            .await;
        assert!(failed.is_err());
        assert!(!numbers.has_changed().unwrap(), "{kind}");
        words.mark_unchanged();
    }
}

#[tokio::test]
async fn a_value_of_another_shape_is_named_with_its_place() {
    for (kind, store, _folder) in stores() {
        store
            .write(|tx| tx.put("numbers", b"k\x00y", b"\"not a number\""))
            .await
            .unwrap();
        let error = store
            .read(|view| NUMBERS.get(view, b"k\x00y"))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the value at k\\x00y in \"numbers\" cannot be read: invalid type: string \"not a \
             number\", expected u32 at line 1 column 14",
            "{kind}"
        );
    }
}

#[tokio::test]
async fn the_embedded_store_remembers_is_private_and_is_used_by_one_process_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("deep").join("store.redb");
    let store = Store::open(&path).unwrap();
    store.write(|tx| NUMBERS.put(tx, b"a", &7)).await.unwrap();
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let second = Store::open(&path).unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    drop(store);
    let again = Store::open(&path).unwrap();
    let kept = again.read(|view| NUMBERS.get(view, b"a")).await.unwrap();
    assert_eq!(kept, Some(7));
}

#[tokio::test]
async fn what_was_committed_survives_a_process_that_never_closed_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::open(&path).unwrap();
    store.write(|tx| NUMBERS.put(tx, b"a", &7)).await.unwrap();
    // What a kill leaves: the file as it is on disk now, with no orderly close.
    let left = folder.path().join("left.redb");
    std::fs::copy(&path, &left).unwrap();
    let again = Store::open(&left).unwrap();
    let kept = again.read(|view| NUMBERS.get(view, b"a")).await.unwrap();
    assert_eq!(kept, Some(7));
}

#[test]
fn a_file_that_is_no_store_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "buy milk\n".repeat(1000)).unwrap();
    let error = Store::open(&path).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("buy milk")
    );
}

#[tokio::test]
async fn a_store_written_by_a_newer_hotline_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let store = Store::open(&path).unwrap();
    store
        .write(|tx| META.put(tx, b"schema", &(SCHEMA + 1)))
        .await
        .unwrap();
    drop(store);
    let error = Store::open(&path).unwrap_err();
    insta::assert_snapshot!(error, @"the store has schema 2 and this Hotline knows 1 at most: run the newer Hotline that wrote it");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let error = Store::open(Path::new("/proc/none/store.redb")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("the store /proc/none/store.redb cannot be opened: ")
    );
}

#[test]
fn instants_stand_in_the_order_of_time() {
    let at = |second| instant_key(Timestamp::from_second(second).unwrap());
    assert!(at(-5) < at(0) && at(0) < at(1) && at(1) < at(1_700_000_000));
    use jiff::Timestamp;
}

#[derive(Clone, Debug)]
enum Step {
    Put(Vec<u8>, u32),
    Delete(Vec<u8>),
    Commit,
    Abort,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let key = prop::collection::vec(prop::sample::select(vec![0_u8, 1, 254, 255]), 0..3);
    let step = prop_oneof![
        4 => (key.clone(), any::<u32>()).prop_map(|(key, value)| Step::Put(key, value)),
        2 => key.prop_map(Step::Delete),
        1 => Just(Step::Commit),
        1 => Just(Step::Abort),
    ];
    prop::collection::vec(step, 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_store_behaves_like_a_plain_map(steps in steps(), prefix in prop::collection::vec(prop::sample::select(vec![0_u8, 255]), 0..2)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (kind, store, _folder) in stores() {
            let mut model: BTreeMap<Vec<u8>, u32> = BTreeMap::new();
            let rounds: Vec<Vec<Step>> = steps
                .split_inclusive(|step| matches!(step, Step::Commit | Step::Abort))
                .map(<[Step]>::to_vec)
                .collect();
            for round in rounds {
                let mut draft = model.clone();
                for step in &round {
                    match step {
                        Step::Put(key, value) => drop(draft.insert(key.clone(), *value)),
                        Step::Delete(key) => drop(draft.remove(key)),
                        Step::Commit | Step::Abort => {}
                    }
                }
                let commits = !matches!(round.last(), Some(Step::Abort));
                let seen_prefix = prefix.clone();
                let seen = runtime.block_on(store.write(move |tx| {
                    for step in &round {
                        match step {
                            Step::Put(key, value) => NUMBERS.put(tx, key, value)?,
                            Step::Delete(key) => NUMBERS.delete(tx, key)?,
                            Step::Commit | Step::Abort => {}
                        }
                    }
                    if commits {
                        NUMBERS.with_prefix(tx, &seen_prefix, 3)
                    } else {
                        Err(StoreError::Closing)
                    }
                }));
                if commits {
                    let expected: Vec<_> = draft.iter()
                        .filter(|(key, _)| key.starts_with(&prefix))
                        .map(|(key, value)| (key.clone(), *value))
                        .take(3)
                        .collect();
                    prop_assert_eq!(seen.unwrap(), expected, "{}", kind);
                    model = draft;
                }
            }
            let all = runtime.block_on(store.read(|view| NUMBERS.with_prefix(view, b"", 100))).unwrap();
            prop_assert_eq!(all, model.into_iter().collect::<Vec<_>>(), "{}", kind);
        }
    }
}
