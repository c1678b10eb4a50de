//! Mails through exim4: STARTTLS, TLS from the start, logins, refusals and an outage.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{Instant, sleep};
use watchpost::alerts::{EmailChannel, SmtpServer};

use crate::certificates::Certificates;
use crate::host::{DASHBOARD, Host, RUNBOOK};
use crate::process::{Process, Server, free_port};
use crate::smtp_peer::ReceivedMail;
use crate::{AnyError, Checks, Place, same};

const FROM: &str = "Wächter <watch@localhost>";
const USER: &str = "probe";
const PASSWORD: &str = "s3cret";
/// The rooms that become hot, each once.
const ROOMS: usize = 25;

struct Exim {
    binary: PathBuf,
    dir: PathBuf,
    pids: PathBuf,
    certificates: Certificates,
    /// With STARTTLS, and with TLS from the start.
    ports: [u16; 2],
    server: Server,
}

pub(crate) async fn check(place: &Place, binary: &Path, checks: &mut Checks) {
    let mut exim = match Exim::start(place, binary).await {
        Ok(exim) => exim,
        Err(error) => return checks.note("exim4 starts", Err(error)),
    };
    checks.note(
        "mails through exim4 with STARTTLS and a login",
        exim.mails(false).await,
    );
    checks.note(
        "mails through exim4 with TLS from the start",
        exim.mails(true).await,
    );
    checks.note("what exim4 refuses", exim.refusals());
    checks.note("a recipient that exim4 refuses for now", exim.busy().await);
    checks.note("an outage of exim4", exim.outage().await);
    let ended = exim.server.stop().await;
    checks.note(
        "exim4 ends cleanly",
        ended.map(|()| "on SIGTERM".to_owned()),
    );
}

impl Exim {
    async fn start(place: &Place, binary: &Path) -> Result<Self, AnyError> {
        // Made by `tests/real/run`, with the owner that exim wants.
        let dir = place.dir.join("exim");
        let first = free_port().await?.port();
        let second = first + 1;
        let certificates = Certificates::write(&dir)?;
        let mut exim = Self {
            binary: binary.to_owned(),
            pids: place.pids.clone(),
            certificates,
            ports: [first, second],
            server: Server::default(),
            dir,
        };
        std::fs::write(exim.dir.join("exim.conf"), exim.config())?;
        exim.start_again().await?;
        Ok(exim)
    }

    fn config(&self) -> String {
        let [starttls, implicit] = self.ports;
        let dir = self.dir.display();
        let certificate = self.certificates.server.display();
        let key = self.certificates.key.display();
        format!(
            r"
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = {starttls} : {implicit}
tls_on_connect_ports = {implicit}
spool_directory = {dir}/spool
log_file_path = {dir}/log/%slog
pid_file_path = {dir}/exim.pid
keep_environment =
disable_ipv6 = true
host_lookup =
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
qualify_domain = localhost
message_size_limit = 200K
begin acl
rcpt:
  deny message = authentication required
       !authenticated = *
  deny local_parts = nobody
       message = no such mailbox
  defer local_parts = busy
        message = mailbox busy
  accept
begin routers
all:
  driver = accept
  transport = mbox
begin transports
mbox:
  driver = appendfile
  file = {dir}/mbox
  envelope_to_add
  user = Debian-exim
  group = Debian-exim
begin retry
* * F,1h,15m
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if and{{{{eq{{$auth2}}{{{USER}}}}}{{eq{{$auth3}}{{{PASSWORD}}}}}}}}}
  server_set_id = $auth2
"
        )
    }

    async fn start_again(&mut self) -> Result<(), AnyError> {
        let mut command = Command::new(&self.binary);
        command
            .args(["-bdf", "-q30m", "-C"])
            .arg(self.dir.join("exim.conf"));
        let log = self.dir.join("exim.out");
        let process = Process::start("exim4", &mut command, &self.pids, (&log, &log))?;
        self.server.runs(process);
        let address = SocketAddr::from(([127, 0, 0, 1], self.ports[0]));
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(address).await.is_err() {
            if Instant::now() > deadline {
                let text = std::fs::read_to_string(&log).unwrap_or_default();
                return Err(text.lines().last().unwrap_or("it does not listen").into());
            }
            sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    fn smtp(&self) -> SmtpServer {
        SmtpServer::new("localhost")
            .port(self.ports[0])
            .authorities(&self.certificates.authority)
            .internal()
    }

    /// A host with mails to these mailboxes.
    fn host(server: SmtpServer, to: &[&str]) -> Result<Host, AnyError> {
        Host::new(EmailChannel::new(server, FROM, to)?)
    }

    /// Empties the mailbox.
    fn forget(&self) {
        drop(std::fs::remove_file(self.dir.join("mbox")));
    }

    /// Waits for this number of mails, and returns what is there: each recipient has one.
    async fn mailbox(&self, count: usize) -> Result<Vec<ReceivedMail>, AnyError> {
        let path = self.dir.join("mbox");
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let text = std::fs::read(&path).unwrap_or_default();
            let mails = parse(&String::from_utf8(text)?);
            if mails.len() >= count {
                // One too many may follow.
                sleep(Duration::from_millis(500)).await;
                return Ok(parse(&std::fs::read_to_string(&path)?));
            }
            if Instant::now() > deadline {
                return Err(format!("{} mails of {count}", mails.len()).into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    async fn mails(&self, is_implicit: bool) -> Result<String, AnyError> {
        self.forget();
        let mut server = self.smtp().login(USER, PASSWORD);
        if is_implicit {
            server = server.port(self.ports[1]).implicit_tls();
        }
        let host = Self::host(server, &["ops@localhost", "Night <night@localhost>"])?;
        let room = |number: usize| format!("room {number} <b>\"é\"</b>");
        for number in 0..ROOMS {
            host.heat(&room(number), 35.5);
        }
        for number in 0..ROOMS {
            host.heat(&room(number), 20.0);
        }
        let status = host.status()?;
        same("announcements", status.emitted, 2 * ROOMS as u64)?;
        same("delivered announcements", status.delivered, status.emitted)?;
        let delivered = host.delivered();
        let mails = self.mailbox(2 * delivered.len()).await?;
        same("mails", mails.len(), 2 * delivered.len())?;
        let mut copies = BTreeMap::<String, usize>::new();
        for mail in &mails {
            let id = mail.header("Message-ID").ok_or("a mail has no ID")?;
            *copies.entry(id).or_default() += 1;
        }
        same("IDs", copies.len(), delivered.len())?;
        same("copies of each", copies.values().all(|it| *it == 2), true)?;
        for delivery in &delivered {
            let is_its = |id: &String| id.starts_with(&format!("<{}.", delivery.id));
            same(
                &delivery.id,
                copies.keys().filter(|id| is_its(id)).count(),
                1,
            )?;
        }
        // Exim delivers at the same time what it has accepted in an order.
        let with_subject = |subject: &str| {
            let mut mails = mails.iter();
            let found = mails.find(|it| it.header("Subject").as_deref() == Some(subject));
            found.ok_or_else(|| format!("no mail `{subject}`"))
        };
        let first = with_subject("[FIRING] hot of harness")?;
        let references = first.header("References").ok_or("no references")?;
        same("the threads", first.header("In-Reply-To"), Some(references))?;
        check_parts(first, &room(0))?;
        let last = with_subject("[RESOLVED] hot of harness")?;
        for part in last.parts() {
            same("how long it fired", part.contains("It ended after"), true)?;
        }
        let protocol = first.header("Received").unwrap_or_default();
        let is_secure = protocol.contains("esmtpsa");
        same("the protocol, with TLS and a login", is_secure, true)?;
        self.keep(first, "firing", is_implicit)?;
        self.keep(last, "resolved", is_implicit)?;
        Ok(format!(
            "{} announcements in {} mails to 2 recipients",
            status.delivered,
            delivered.len()
        ))
    }

    /// Writes the HTML part, for those who want to look at it.
    fn keep(&self, mail: &ReceivedMail, name: &str, is_implicit: bool) -> Result<(), AnyError> {
        if !is_implicit && let Some(html) = mail.parts().get(1) {
            std::fs::write(self.dir.join(format!("{name}.html")), html)?;
        }
        Ok(())
    }

    fn refusals(&self) -> Result<String, AnyError> {
        let other = self.dir.join("other");
        std::fs::create_dir_all(&other)?;
        let other = Certificates::write(&other)?.authority;
        let login = |server: SmtpServer| server.login(USER, PASSWORD);
        let ops: &[&str] = &["ops@localhost"];
        let cases = [
            (
                self.smtp().login(USER, "wrong"),
                ops,
                Some(535),
                "refused the login (535)",
            ),
            (self.smtp(), ops, Some(550), "authentication required"),
            (
                login(self.smtp()),
                &["nobody@localhost"],
                Some(550),
                "no such mailbox",
            ),
            (
                login(self.smtp().authorities(other)),
                ops,
                None,
                "authority that is not trusted",
            ),
            (
                login(self.smtp().port(self.ports[1])),
                ops,
                None,
                "did not respond to the greeting",
            ),
        ];
        for (server, to, code, says) in &cases {
            let host = Self::host(server.clone(), to)?;
            host.heat("oven", 35.0);
            let status = host.status()?;
            let is_final = u64::from(code.is_some());
            same(says, (status.delivered, status.spooled), (0, 1 - is_final))?;
            let letters = host.harness.alerts().dead_letters().len() as u64;
            same("dead letters", letters, is_final)?;
            let attempt = host.harness.alerts().deliveries().remove(0);
            same("the code", attempt.code, *code)?;
            let problem = attempt.problem.unwrap_or_default();
            if !problem.contains(says) || problem.contains("wrong") || problem.contains(PASSWORD) {
                return Err(format!("`{problem}` and not `{says}`").into());
            }
        }
        Ok(format!("{} cases", cases.len()))
    }

    /// One recipient is always busy, and one does not exist. The others get the mail once.
    async fn busy(&self) -> Result<String, AnyError> {
        self.forget();
        let to = [
            "ops@localhost",
            "busy@localhost",
            "nobody@localhost",
            "night@localhost",
        ];
        let host = Self::host(self.smtp().login(USER, PASSWORD), &to)?;
        host.heat("oven", 35.0);
        let first = host.status()?;
        same("it waits", (first.delivered, first.spooled), (0, 1))?;
        for _ in 0..10 {
            host.wait(Duration::from_secs(301));
        }
        let last = host.status()?;
        same("it is delivered", (last.delivered, last.spooled), (1, 0))?;
        same("refused recipients", last.refused_recipients.count, 2)?;
        let mails = self.mailbox(2).await?;
        same("mails", mails.len(), 2)?;
        let attempts = host.harness.alerts().deliveries().len();
        Ok(format!(
            "2 recipients have it, after {attempts} attempts 2 are refused"
        ))
    }

    async fn outage(&mut self) -> Result<String, AnyError> {
        self.forget();
        let host = Self::host(self.smtp().login(USER, PASSWORD), &["ops@localhost"])?;
        host.heat("before", 35.0);
        self.server.stop().await?;
        host.heat("during", 35.0);
        host.wait(Duration::from_secs(5));
        let during = host.status()?;
        same("what waits", during.spooled, 1)?;
        let problem = during.problem.unwrap_or_default();
        same(
            &problem,
            problem.contains("the connection was refused"),
            true,
        )?;
        self.start_again().await?;
        host.wait(Duration::from_secs(301));
        let status = host.status()?;
        same("delivered", (status.delivered, status.spooled), (2, 0))?;
        let mails = self.mailbox(2).await?;
        same("mails", mails.len(), 2)?;
        Ok("what waited is delivered once".to_owned())
    }
}

/// The mails of a file in the form of `mbox`.
fn parse(text: &str) -> Vec<ReceivedMail> {
    let text = format!("\n{text}");
    let mails = text.split("\nFrom watch@localhost ").skip(1);
    let mails = mails.filter(|mail| mail.ends_with('\n'));
    mails
        .map(|mail| {
            let content = mail.split_once('\n').map_or("", |(_, content)| content);
            ReceivedMail {
                content: content.replace('\n', "\r\n"),
                ..ReceivedMail::default()
            }
        })
        .collect()
}

/// Both parts say what is known.
fn check_parts(mail: &ReceivedMail, room: &str) -> Result<(), AnyError> {
    let parts = mail.parts();
    same("parts", parts.len(), 2)?;
    let escape = |text: &str| {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        text.replace('>', "&gt;").replace('"', "&quot;")
    };
    for text in [
        &*format!("It is 35.5 degrees in the {room} & <hotter> than 30 °C"),
        "It has been critical since ",
        "35.5, and the limit is > 30",
        &format!("room={room}"),
        DASHBOARD,
        RUNBOOK,
    ] {
        let [plain, html] = [text.to_owned(), escape(text)];
        for (part, text) in parts.iter().zip([plain, html]) {
            if !part.contains(&text) {
                return Err(format!("`{text}` is missing in {part}").into());
            }
        }
    }
    Ok(())
}
