//! A PostgreSQL server of one test: in a temporary folder, on a free port of the loopback device, gone with the test.
//!
//! It is Debian's `postgresql`, which `cargo xtask setup` installs. The server refuses to run as root, so root starts it as the
//! user `postgres` that the package makes.

use std::ffi::OsString;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use postgres::{Client, NoTls};
use tempfile::TempDir;

use crate::authority::Certificate;

/// How long a server may take to start, the recovery after a kill included.
const START: Duration = Duration::from_secs(60);
/// Between two looks at something that takes time.
const LOOK: Duration = Duration::from_millis(20);
/// What no message may show.
pub const PASSWORD: &str = "only-of-tests";

/// A running server.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    port: u16,
    process: Child,
    /// What an address says behind the name of the study.
    options: String,
    environment: Vec<(OsString, OsString)>,
}

impl Server {
    /// Makes a server's folder and starts the server.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start; with what it said.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(None, Vec::new())
    }

    /// The same for a server that can encrypt and shows this certificate.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn start_encrypted(certificate: &Certificate) -> Self {
        Self::start_with(Some(certificate), Vec::new())
    }

    /// The same for a server with these variables of the environment.
    ///
    /// # Panics
    /// As [`Server::start`].
    #[must_use]
    pub fn start_in(environment: Vec<(OsString, OsString)>) -> Self {
        Self::start_with(None, environment)
    }

    fn start_with(certificate: Option<&Certificate>, environment: Vec<(OsString, OsString)>) -> Self {
        let folder = tempfile::Builder::new().prefix("bomp-postgres-").tempdir().expect("a temporary folder");
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).expect("the folder is writable");
        if let Some((user, group)) = other_user() {
            for path in [folder.path(), &password] {
                chown(path, Some(user), Some(group)).expect("root may give files away");
            }
        }
        let mut make = program("initdb", folder.path());
        make.args(["--no-sync", "--auth=scram-sha-256", "--username=bomp", "--encoding=UTF8", "--locale=C"]);
        make.arg("--pwfile").arg(&password).arg("--pgdata").arg(folder.path().join("data"));
        let output = make.output().expect("initdb starts");
        assert!(output.status.success(), "initdb failed:\n{}", String::from_utf8_lossy(&output.stderr));
        if let Some(Certificate { certificate, key }) = certificate {
            let data = folder.path().join("data");
            for (from, to) in [(certificate, "server.crt"), (key, "server.key")] {
                let to = data.join(to);
                fs::copy(from, &to).expect("the folder is writable");
                // The server refuses a key that others can read.
                fs::set_permissions(&to, Permissions::from_mode(0o600)).expect("one's own file");
                if let Some((user, group)) = other_user() {
                    chown(&to, Some(user), Some(group)).expect("root may give files away");
                }
            }
            let settings = File::options().append(true).open(data.join("postgresql.conf"));
            settings.and_then(|mut file| writeln!(file, "ssl = on")).expect("the folder is writable");
        }
        // Somebody else may take the port before the server does.
        for _ in 0..5 {
            let port = free_port();
            let mut process = spawn(folder.path(), port, &environment);
            if is_ready(&mut process, port) {
                return Self { folder, port, process, options: String::new(), environment };
            }
        }
        panic!("the server does not start:\n{}", log(folder.path()));
    }

    /// The same server, whose studies' addresses end with `options`, such as `&sslmode=require`.
    #[must_use]
    pub fn with(mut self, options: &str) -> Self {
        self.options = options.to_owned();
        self
    }

    /// Where a study of this name is, as `--study` takes it.
    #[must_use]
    pub fn study(&self, name: &str) -> String {
        format!("{}?study={name}{}", self.address(), self.options)
    }

    /// A connection that shares no code with the project's own, and is not encrypted.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn client(&self) -> Result<Client, postgres::Error> {
        Client::connect(&self.address(), NoTls)
    }

    /// How many sessions workers have, and how many of them are encrypted.
    ///
    /// # Panics
    /// If the server does not answer.
    #[must_use]
    pub fn sessions(&self) -> (i64, i64) {
        let query =
            "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
                     WHERE application_name = 'bomp-search'";
        let row =
            self.client().and_then(|mut client| client.query_one(query, &[])).expect("the server answers");
        (row.get(0), row.get(1))
    }

    fn address(&self) -> String {
        format!("postgres://bomp:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// Kills the server's main process with SIGKILL: it gets no chance to tidy up, and its sessions die with it.
    ///
    /// # Panics
    /// If that is not possible.
    pub fn kill(&mut self) {
        self.process.kill().expect("a child can be killed");
        self.process.wait().expect("a killed child ends");
    }

    /// Kills one session of a worker with SIGKILL; the server then ends all others, recovers and goes on by itself. `false` if
    /// there is no session to be killed.
    pub fn kill_session(&mut self) -> bool {
        let Ok(mut client) = self.client() else { return false };
        let session = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bomp-search'
                       ORDER BY random() LIMIT 1";
        let Ok(Some(row)) = client.query_opt(session, &[]) else { return false };
        kill(Pid::from_raw(row.get(0)), Signal::SIGKILL).is_ok()
    }

    /// Stops every session of workers with SIGSTOP, until what is returned is dropped: to their clients the server is silent.
    ///
    /// # Panics
    /// If there is no such session.
    #[must_use]
    pub fn stop_sessions(&self) -> Stopped {
        let mut client = self.client().expect("the server answers");
        let sessions = "SELECT pid FROM pg_stat_activity WHERE application_name = 'bomp-search'";
        let rows = client.query(sessions, &[]).expect("the server knows its sessions");
        let stopped = Stopped(rows.iter().map(|row| Pid::from_raw(row.get(0))).collect());
        assert!(!stopped.0.is_empty(), "no worker has a session");
        for &session in &stopped.0 {
            kill(session, Signal::SIGSTOP).expect("a session can be stopped");
        }
        stopped
    }

    /// Whether the server has ended by itself.
    ///
    /// # Panics
    /// Never: a child can be asked.
    pub fn has_ended(&mut self) -> bool {
        self.process.try_wait().expect("a child can be asked").is_some()
    }

    /// Starts the server again after it has ended, on the same folder and port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn restart(&mut self) {
        let begun = Instant::now();
        // Sessions of the killed server may live for a moment longer; until then it refuses to start.
        while begun.elapsed() < START {
            self.process = spawn(self.folder.path(), self.port, &self.environment);
            if is_ready(&mut self.process, self.port) {
                return;
            }
            sleep(LOOK);
        }
        panic!("the server does not start again:\n{}", log(self.folder.path()));
    }
}

/// Sessions that are stopped.
#[derive(Debug)]
pub struct Stopped(Vec<Pid>);

impl Drop for Stopped {
    fn drop(&mut self) {
        for &session in &self.0 {
            // One that has ended cannot go on.
            let _ = kill(session, Signal::SIGCONT);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whoever is killed already cannot be killed again.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The server in `folder`, whose log is beside its data.
fn spawn(folder: &Path, port: u16, environment: &[(OsString, OsString)]) -> Child {
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("a log");
    let errors = log.try_clone().expect("a second handle of the log");
    let mut server = program("postgres", folder);
    server.arg("-D").arg(folder.join("data")).args(["-p", &port.to_string()]);
    // Loopback alone, and small.
    server.args(["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]);
    server.args(["-c", "shared_buffers=16MB", "-c", "dynamic_shared_memory_type=mmap"]);
    server.envs(environment.iter().cloned()).stdin(Stdio::null()).stdout(log).stderr(errors);
    server.spawn().expect("postgres starts")
}

/// Waits until the server takes connections; `false` if it has ended instead.
fn is_ready(process: &mut Child, port: u16) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < START {
        if process.try_wait().expect("a child can be asked").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        sleep(LOOK);
    }
    false
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a bound listener has an address").port()
}

fn log(folder: &Path) -> String {
    fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// One of PostgreSQL's programs, to be run in `folder` by a user that it accepts.
fn program(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(find(name));
    command.current_dir(folder).env("LC_ALL", "C").env_remove("PGDATA");
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// The newest version's in Debian's place, else the one on the PATH.
fn find(name: &str) -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.filter_map(|version| Some((number(&version.path())?, version.path()))).max();
    newest.map_or_else(|| name.into(), |(_, folder)| folder.join("bin").join(name))
}

/// User and group to run the server as, if this process is root.
fn other_user() -> Option<(u32, u32)> {
    use std::os::unix::fs::MetadataExt;
    let own = fs::metadata("/proc/self").expect("Linux has /proc");
    if own.uid() != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("every machine has users");
    let id = |name: &str| {
        let fields: Vec<&str> =
            users.lines().find(|line| line.starts_with(&format!("{name}:")))?.split(':').collect();
        Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?))
    };
    Some(id("postgres").or_else(|| id("nobody")).expect("a user `postgres` or `nobody`"))
}
