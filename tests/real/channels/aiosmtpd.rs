//! Mails to aiosmtpd, which responds as the names of mailboxes say.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;
use watchpost::alerts::{EmailChannel, SmtpServer};

use crate::certificates::Certificates;
use crate::host::Host;
use crate::process::{Process, Server, free_port};
use crate::{AnyError, Checks, Place, same};

const FROM: &str = "watch@example.com";

struct Aiosmtpd {
    port: u16,
    certificates: Certificates,
    mails: PathBuf,
    server: Server,
}

/// A mailbox, what becomes of a mail to it, and what the first attempt says.
struct Case {
    to: &'static str,
    user: &'static str,
    /// The code of the first attempt.
    code: Option<u16>,
    is_retried: bool,
    says: &'static str,
}

const CASES: &[Case] = &[
    case("450-rcpt@example.com", Some(450), true, "with 450"),
    case("451-rcpt@example.com", Some(451), true, "with 451"),
    case("421-rcpt@example.com", Some(421), true, "with 421"),
    case("550-rcpt@example.com", Some(550), false, "with 550"),
    case("553-rcpt@example.com", Some(553), false, "with 553"),
    case("451-data@example.com", Some(451), true, "with 451"),
    case("452-data@example.com", Some(452), true, "with 452"),
    case("552-data@example.com", Some(552), false, "with 552"),
    case("554-data@example.com", Some(554), false, "with 554"),
    case("drop@example.com", None, true, "broke off"),
    case("hang@example.com", None, true, "within 15 s"),
    Case {
        user: "wrong",
        ..case(
            "ops@example.com",
            Some(535),
            false,
            "refused the login (535)",
        )
    },
    Case {
        user: "later",
        ..case(
            "ops@example.com",
            Some(454),
            true,
            "could not check the login (454)",
        )
    },
];

const fn case(to: &'static str, code: Option<u16>, is_retried: bool, says: &'static str) -> Case {
    Case {
        to,
        user: "probe",
        code,
        is_retried,
        says,
    }
}

pub(crate) async fn check(place: &Place, python: &Path, checks: &mut Checks) {
    let mut server = match Aiosmtpd::start(place, python).await {
        Ok(server) => server,
        Err(error) => return checks.note("aiosmtpd starts", Err(error)),
    };
    checks.note("responses of aiosmtpd", server.responses());
    checks.note("some recipients of a mail to aiosmtpd", server.part());
    drop(server.server.kill().await);
}

impl Aiosmtpd {
    async fn start(place: &Place, python: &Path) -> Result<Self, AnyError> {
        let dir = place.dir.join("aiosmtpd");
        std::fs::create_dir_all(&dir)?;
        let certificates = Certificates::write(&dir)?;
        let script = dir.join("server.py");
        std::fs::write(&script, include_str!("aiosmtpd.py"))?;
        let port = free_port().await?.port();
        let mails = dir.join("mails");
        let mut command = Command::new(python);
        command.arg(&script).arg(port.to_string());
        command.args([&certificates.server, &certificates.key, &mails]);
        let log = dir.join("log");
        let mut process = Process::start("aiosmtpd", &mut command, &place.pids, (&log, &log))?;
        let is_ready = |text: &str| text.contains("ready").then_some(());
        process.wait_for(&log, is_ready).await?;
        let mut server = Server::default();
        server.runs(process);
        Ok(Self {
            port,
            certificates,
            mails,
            server,
        })
    }

    fn host(&self, user: &str, to: &[&str]) -> Result<Host, AnyError> {
        drop(std::fs::remove_file(&self.mails));
        let server = SmtpServer::new("127.0.0.1")
            .port(self.port)
            .authorities(&self.certificates.authority)
            .login(user, "s3cret")
            .internal();
        Host::new(EmailChannel::new(server, FROM, to)?)
    }

    fn mails(&self) -> Result<Vec<Value>, AnyError> {
        let text = std::fs::read_to_string(&self.mails).unwrap_or_default();
        let mails = text.lines().map(serde_json::from_str);
        Ok(mails.collect::<Result<_, _>>()?)
    }

    /// Each response, and the same mail again where it asks for that.
    fn responses(&self) -> Result<String, AnyError> {
        for case in CASES {
            let name = format!("{} as {}", case.to, case.user);
            let host = self.host(case.user, &[case.to])?;
            host.heat("oven", 35.0);
            let status = host.status()?;
            let waits = u64::from(case.is_retried);
            same(&name, (status.delivered, status.spooled), (0, waits))?;
            let attempt = host.harness.alerts().deliveries().remove(0);
            same(&name, attempt.code, case.code)?;
            let problem = attempt.problem.unwrap_or_default();
            if !problem.contains(case.says) || problem.contains("s3cret") {
                return Err(format!("{name}: `{problem}` and not `{}`", case.says).into());
            }
            host.wait(Duration::from_secs(301));
            let status = host.status()?;
            let is_delivered = case.is_retried && case.user == "probe";
            same(&name, status.delivered, u64::from(is_delivered))?;
            let mails = self.mails()?;
            same(&name, mails.len(), usize::from(is_delivered))?;
            for mail in mails {
                same(&name, &mail["tls"], &Value::Bool(true))?;
                same(&name, &mail["login"], &Value::Bool(true))?;
                same(&name, &mail["from"], &Value::from(FROM))?;
            }
        }
        Ok(format!("{} cases", CASES.len()))
    }

    /// Those that are refused for now get the same mail later, and the others once.
    fn part(&self) -> Result<String, AnyError> {
        let to = [
            "a@example.com",
            "452-rcpt@example.com",
            "551-always@example.com",
            "b@example.com",
        ];
        let host = self.host("probe", &to)?;
        host.heat("oven", 35.0);
        same("it waits", host.status()?.spooled, 1)?;
        host.wait(Duration::from_secs(301));
        let status = host.status()?;
        same("delivered", (status.delivered, status.spooled), (1, 0))?;
        same("refused recipients", status.refused_recipients.count, 1)?;
        let mails = self.mails()?;
        let recipients: Vec<_> = mails.iter().map(|mail| mail["to"].to_string()).collect();
        let expected = [
            r#"["a@example.com","b@example.com"]"#,
            r#"["452-rcpt@example.com"]"#,
        ];
        same(
            "recipients",
            recipients,
            expected.map(str::to_owned).to_vec(),
        )?;
        same("the mails", &mails[0]["content"], &mails[1]["content"])?;
        Ok("each has it once".to_owned())
    }
}
