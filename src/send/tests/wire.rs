//! The same with a real SMTP conversation over loopback, the server's part scripted.

use std::sync::Mutex;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::stories::decoded;
use super::*;

/// What the server does with the next mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Take,
    /// Answers to the recipient with these words.
    AnswerRecipient(&'static str),
    /// Takes the mail and hangs up before saying so.
    TakeAndHangUp,
    /// Takes the mail and never says anything again.
    TakeAndFallSilent,
    /// Lets nobody in but with the right password.
    AskForPassword,
    /// Answers the greeting with these words.
    AnswerHello(&'static str),
}

struct Server {
    port: u16,
    mails: Arc<Mutex<Vec<String>>>,
    arrived: mpsc::Receiver<()>,
}

impl Server {
    async fn start(script: Vec<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, script)
    }

    fn on(listener: TcpListener, script: Vec<Act>) -> Self {
        let port = listener.local_addr().unwrap().port();
        let mails = Arc::new(Mutex::new(Vec::new()));
        let script = Arc::new(Mutex::new(script.into_iter()));
        let (told, arrived) = mpsc::channel(100);
        let box_of_mails = mails.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let next = script.clone();
                let act = move || next.lock().unwrap().next().unwrap_or(Act::Take);
                tokio::spawn(talk(stream, act, box_of_mails.clone(), told.clone()));
            }
        });
        Self {
            port,
            mails,
            arrived,
        }
    }

    async fn arrival(&mut self) {
        timeout(PATIENCE, self.arrived.recv())
            .await
            .unwrap()
            .unwrap();
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

async fn talk(
    stream: TcpStream,
    act: impl Fn() -> Act,
    mails: Arc<Mutex<Vec<String>>>,
    told: mpsc::Sender<()>,
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 test ESMTP\r\n").await.ok()?;
    let mut doing = Act::Take;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let verb = line.split([' ', '\r']).next().unwrap_or_default();
        let answer = match verb {
            "EHLO" => match act() {
                Act::AnswerHello(words) => words,
                other => {
                    doing = other;
                    match other {
                        Act::AskForPassword => "250-test\r\n250 AUTH PLAIN LOGIN",
                        _ => "250 test",
                    }
                }
            },
            "RCPT" => match doing {
                Act::AnswerRecipient(words) => words,
                _ => "250 ok",
            },
            "DATA" => {
                stream.write_all(b"354 go\r\n").await.ok()?;
                let mut mail = String::new();
                while !mail.ends_with("\r\n.\r\n") {
                    if stream.read_line(&mut mail).await.ok()? == 0 {
                        return None;
                    }
                }
                mails.lock().unwrap().push(mail);
                told.send(()).await.ok()?;
                match doing {
                    Act::TakeAndHangUp => return None,
                    Act::TakeAndFallSilent => {
                        std::future::pending::<()>().await;
                        ""
                    }
                    _ => {
                        doing = act();
                        "250 taken"
                    }
                }
            }
            "AUTH" => match doing {
                // "\0hotline\0secret word"
                Act::AskForPassword
                    if line.trim_end() == "AUTH PLAIN AGhvdGxpbmUAc2VjcmV0IHdvcmQ=" =>
                {
                    "235 welcome"
                }
                _ => "535 5.7.8 wrong password",
            },
            "QUIT" => "221 bye",
            _ => "250 ok",
        };
        stream
            .write_all(format!("{answer}\r\n").as_bytes())
            .await
            .ok()?;
    }
}

fn smtp(port: u16) -> Arc<Smtp> {
    let config = Config {
        server: "127.0.0.1".to_owned(),
        port: Some(port),
        hello_name: Some("hotline.test".to_owned()),
        timeout_seconds: 1,
        ..Config::default()
    };
    Arc::new(Smtp::new(&config).unwrap())
}

#[tokio::test]
async fn three_mails_go_over_the_wire_each_once_and_with_its_danish_letters() {
    let mut server = Server::start(vec![]).await;
    let house = House::new();
    for number in 1..=3 {
        house.queue(mail(number, "a@lilleby.example")).await;
    }
    let _worker = house.work(smtp(server.port));
    for _ in 0..3 {
        server.arrival().await;
    }
    house.until(|tally| tally.waiting == 0).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 3);
    assert!(decoded(&mails[0]).contains("Der er rotter i gården."));
    assert_eq!(header(&mails[2], "Subject"), "Besked 3");
}

#[tokio::test]
async fn a_server_that_is_down_and_then_back_gets_one_mail() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let _worker = house.work(smtp(port));
    let words = house.until_waiting(id, 1).await.last_words.unwrap();
    assert!(
        words.contains("127.0.0.1") && words.contains("refused"),
        "{words}"
    );
    let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
    let mut server = Server::on(listener, vec![]);
    house.pass(10);
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn killed_after_the_server_had_the_mail_it_is_repeated_under_the_same_name() {
    let mut server = Server::start(vec![Act::TakeAndFallSilent]).await;
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let worker = house.work(smtp(server.port));
    server.arrival().await;
    worker.kill().await;
    let _worker = house.work(smtp(server.port));
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    let mails = server.mails();
    assert_eq!(mails.len(), 2, "SMTP allows no better");
    assert_eq!(
        header(&mails[0], "Message-ID"),
        header(&mails[1], "Message-ID")
    );
    assert_eq!(house.mail(id).await.possible_repeats, 1);
}

#[tokio::test]
async fn a_server_that_hangs_up_after_the_mail_gets_it_again_under_the_same_name() {
    let mut server = Server::start(vec![Act::TakeAndHangUp]).await;
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let _worker = house.work(smtp(server.port));
    server.arrival().await;
    house.until_waiting(id, 1).await;
    house.pass(10);
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    let mails = server.mails();
    assert_eq!(
        header(&mails[0], "Message-ID"),
        header(&mails[1], "Message-ID")
    );
    assert_eq!(house.mail(id).await.possible_repeats, 1);
}

#[tokio::test]
async fn a_recipient_refused_for_good_is_a_dead_letter_and_the_next_mail_goes() {
    let script = vec![Act::AnswerRecipient("550 5.1.1 no such mailbox")];
    let mut server = Server::start(script).await;
    let house = House::new();
    let id = house.queue(mail(1, "nobody@lilleby.example")).await;
    let _worker = house.work(smtp(server.port));
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    let dead = house.mail(id).await;
    assert_eq!(dead.state, MailState::Dead);
    assert!(dead.last_words.unwrap().contains("no such mailbox"));
    assert_eq!(header(&server.mails()[0], "To"), "vagt@lilleby.example");
}

#[tokio::test]
async fn a_recipient_refused_for_now_and_a_server_that_is_leaving_only_cost_time() {
    let script = vec![
        Act::AnswerHello("421 closing"),
        Act::AnswerRecipient("451 greylisted"),
    ];
    let mut server = Server::start(script).await;
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let _worker = house.work(smtp(server.port));
    for attempts in 1..=2 {
        house.until_waiting(id, attempts).await;
        house.pass(20);
    }
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    let sent = house.mail(id).await;
    assert_eq!(
        (sent.attempts, sent.refusals, sent.possible_repeats),
        (3, 1, 0)
    );
}

#[tokio::test]
async fn a_server_that_leaves_or_wants_a_log_in_is_no_fault_of_the_mail() {
    let script = vec![
        Act::AnswerRecipient("421 closing"),
        Act::AnswerRecipient("530 5.7.0 log in first"),
    ];
    let mut server = Server::start(script).await;
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let _worker = house.work(smtp(server.port));
    for attempts in 1..=2 {
        house.until_waiting(id, attempts).await;
        house.pass(20);
    }
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    let sent = house.mail(id).await;
    assert_eq!((sent.attempts, sent.refusals), (3, 0));
}

#[tokio::test]
async fn a_wrong_password_costs_no_mail_and_the_right_one_opens() {
    let script = vec![Act::AskForPassword, Act::AskForPassword];
    let mut server = Server::start(script).await;
    let folder = tempfile::tempdir().unwrap();
    let password = folder.path().join("password");
    let with = |words: &str| {
        std::fs::write(&password, words).unwrap();
        Arc::new(
            Smtp::new(&Config {
                server: "127.0.0.1".to_owned(),
                port: Some(server.port),
                username: Some("hotline".to_owned()),
                password_file: Some(password.clone()),
                timeout_seconds: 5,
                ..Config::default()
            })
            .unwrap(),
        )
    };
    let (wrong, right) = (with("guess\n"), with("secret word\n"));
    let house = House::new();
    let id = house.queue(mail(1, "a@lilleby.example")).await;
    let worker = house.work(wrong);
    let words = house.until_waiting(id, 1).await.last_words.unwrap();
    assert!(words.contains("wrong password"), "{words}");
    assert!(!words.contains("guess"), "{words}");
    worker.kill().await;
    let _worker = house.work(right);
    server.arrival().await;
    house.until(|tally| tally.waiting == 0).await;
    assert_eq!(house.mail(id).await.possible_repeats, 0);
}

#[tokio::test]
async fn a_configuration_that_would_leak_or_cannot_work_is_refused() {
    let refused = |config: Config| Smtp::new(&config).unwrap_err().to_string();
    let away = Config {
        server: "mail.example.org".to_owned(),
        ..Config::default()
    };
    let nameless = Config {
        username: Some("hotline".to_owned()),
        ..Config::default()
    };
    let missing = Config {
        username: Some("hotline".to_owned()),
        password_file: Some("/nowhere/password".into()),
        ..Config::default()
    };
    let all = [refused(away), refused(nameless), refused(missing)].join("\n");
    insta::assert_snapshot!(all, @r#"
    mail: security "none" is for this machine only and "mail.example.org" is another: set security to starttls or tls
    mail: username without password_file: name the file that holds the password
    mail: password_file /nowhere/password cannot be used: No such file or directory (os error 2)
    "#);
}

#[tokio::test]
async fn trying_out_a_server_says_what_hinders() {
    let server = Server::start(vec![]).await;
    assert_eq!(smtp(server.port).try_out().await, Ok(()));
    let server = Server::start(vec![Act::AnswerHello("554 go away")]).await;
    let error = smtp(server.port).try_out().await.unwrap_err();
    assert!(error.to_string().contains("go away"), "{error}");
}
