//! Whether the test PBX starts, restarts and goes away.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::path::Path;

use street::asterisk::{Ami, Asterisk, Site};
use street::freeswitch::FreeSwitch;
use street::pbx;

#[tokio::test]
async fn asterisk_boots_restarts_and_goes_away() {
    let mut asterisk = Asterisk::start(Site::new().queue("borgerservice", &[]))
        .await
        .unwrap();
    let queues = asterisk.ami().list("QueueSummary", &[]).await.unwrap();
    assert!(
        queues
            .iter()
            .any(|queue| queue.get("Queue") == Some("borgerservice")),
        "{queues:?}"
    );

    asterisk.restart().await.unwrap();
    asterisk.ami().act("Ping", &[]).await.unwrap();
    let log = asterisk.log();
    assert!(!log.contains("ERROR") && !log.contains("WARNING"), "{log}");

    let (id, folder) = (asterisk.id(), asterisk.folder().to_owned());
    drop(asterisk);
    assert!(!Path::new(&format!("/proc/{id}")).exists());
    assert!(!folder.exists());
}

#[tokio::test]
async fn the_shipped_manager_user_may_log_in_and_may_not_run_commands() {
    let asterisk = Asterisk::start(Site::new()).await.unwrap();
    let hotline = Ami::connect(asterisk.ami_port(), Site::AMI_USER, Site::AMI_SECRET)
        .await
        .unwrap();
    let refused = hotline
        .ask("Command", &[("Command", "core show version")])
        .await
        .unwrap();
    assert_eq!(refused.get("Message"), Some("Permission denied"));
    for (action, fields) in [
        ("QueueStatus", &[][..]),
        ("QueueSummary", &[]),
        ("Status", &[("Variables", "HOTLINE_UUID")]),
    ] {
        hotline.act(action, fields).await.unwrap();
    }
    assert!(
        Ami::connect(asterisk.ami_port(), Site::AMI_USER, "wrong")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn freeswitch_boots_restarts_and_goes_away() {
    let site = pbx::Site::new()
        .agent("anna", 5999)
        .queue("borgerservice", &["anna"])
        .fallback_queue("borgerservice");
    let mut freeswitch = FreeSwitch::start(&site).await.unwrap();
    assert_eq!(freeswitch.channels().await.unwrap(), 0);
    assert_eq!(
        freeswitch.longest_wait("borgerservice").await.unwrap(),
        None
    );
    freeswitch.restart().await.unwrap();
    assert_eq!(freeswitch.channels().await.unwrap(), 0);
    if let FreeSwitch::Real(real) = &freeswitch {
        let esl = real.esl();
        let gateway = esl.api("sofia status gateway trunk").await.unwrap();
        assert!(gateway.contains("UP"), "{gateway}");
        let agents = esl.table("callcenter_config agent list").await.unwrap();
        let status = agents[0].iter().find(|(name, _)| name == "status");
        assert_eq!(status.unwrap().1, "Available", "{agents:?}");
        let log = real.log();
        let bad = |line: &&str| line.contains("[ERR]") || line.contains("[CRIT]");
        assert_eq!(log.lines().find(bad), None);
        let (id, folder) = (real.id(), real.folder().to_owned());
        drop(freeswitch);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
        assert!(!folder.exists());
    }
}
