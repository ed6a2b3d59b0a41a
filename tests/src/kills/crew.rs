//! The worker processes: started, killed, stopped and woken by their process ids, each with a log of its own.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rand::seq::IteratorRandom;

use super::{LOOK, Plan};

/// What a worker is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// It works.
    Awake,
    /// It was stopped when its log had this many bytes.
    Stopped(u64),
    /// It was woken; until its log has more bytes it has not written late yet.
    Late(u64),
}

struct Member {
    child: Child,
    number: usize,
    state: State,
}

/// Every worker that there was.
pub(super) struct Crew {
    program: PathBuf,
    address: String,
    folder: PathBuf,
    plan: Plan,
    /// Trials that the workers are to do.
    trials: u64,
    /// Whether workers may end.
    finishing: bool,
    members: Vec<Member>,
    /// Process ids in the order of the logs.
    processes: Vec<u32>,
}

/// What a worker was told by the store.
pub(super) struct Log {
    pub(super) process: u32,
    /// Trials whose end was acknowledged.
    pub(super) ended: Vec<u64>,
    /// Trials whose end was refused.
    pub(super) refused: Vec<u64>,
}

/// The process id in a worker's name: HOST-PROCESS-NUMBER.
pub(super) fn process(worker: &str) -> u32 {
    worker.rsplit('-').nth(1).and_then(|digits| digits.parse().ok()).expect("a worker's name")
}

impl Crew {
    pub(super) fn new(program: &Path, address: &str, plan: &Plan, folder: &Path) -> Self {
        Self {
            program: program.to_owned(),
            address: address.to_owned(),
            folder: folder.to_owned(),
            plan: *plan,
            trials: 1_000_000,
            finishing: false,
            members: Vec::new(),
            processes: Vec::new(),
        }
    }

    /// Starts as many workers as are missing. None may have ended by itself, unless the study is complete.
    pub(super) fn replace(&mut self) {
        for index in (0..self.members.len()).rev() {
            if let Some(status) = self.members[index].child.try_wait().expect("a child can be asked") {
                let member = self.members.remove(index);
                let complete = self.finishing && status.success();
                assert!(complete, "a worker ended ({status}):\n{}", self.errors(member.number));
            }
        }
        let working = self.members.iter().filter(|member| !matches!(member.state, State::Stopped(_))).count();
        if !self.finishing {
            (working..self.plan.workers).for_each(|_| self.spawn());
        }
    }

    fn spawn(&mut self) {
        let number = self.processes.len();
        let errors = File::create(self.file("errors", number)).expect("the folder is writable");
        let mut command = Command::new(&self.program);
        command
            .args(["--study", &self.address, "--trials", &self.trials.to_string(), "--take-overs", "1000000"])
            .args(["--grace", &self.plan.grace.as_millis().to_string()])
            .args(["--time", &self.plan.time.as_millis().to_string(), "--log"])
            .arg(self.file("log", number))
            .stdin(Stdio::null())
            .stderr(errors);
        let child = command.spawn().expect("a worker starts");
        self.processes.push(child.id());
        self.members.push(Member { child, number, state: State::Awake });
    }

    /// Whether this is a worker that works and is not about to write late.
    pub(super) fn is_awake(&self, process: u32) -> bool {
        self.members.iter().any(|member| member.child.id() == process && self.state(member) == State::Awake)
    }

    /// Whether a worker is stopped, or woken without having written yet.
    pub(super) fn has_zombies(&self) -> bool {
        self.members.iter().any(|member| self.state(member) != State::Awake)
    }

    fn state(&self, member: &Member) -> State {
        match member.state {
            State::Late(bytes) if self.log_bytes(member.number) > bytes => State::Awake,
            state => state,
        }
    }

    /// Kills a worker with SIGKILL.
    pub(super) fn kill(&mut self, process: u32) {
        let index = self.members.iter().position(|member| member.child.id() == process);
        let mut member = self.members.remove(index.expect("a worker of this crew"));
        member.child.kill().expect("a child can be killed");
        member.child.wait().expect("a killed child ends");
    }

    /// Kills a random worker, if one is awake.
    pub(super) fn kill_any(&mut self, random: &mut impl rand::Rng) -> bool {
        let awake = self.members.iter().map(|member| member.child.id()).filter(|&id| self.is_awake(id));
        let Some(process) = awake.choose(random) else { return false };
        self.kill(process);
        true
    }

    /// Kills all workers and says how many.
    pub(super) fn kill_all(&mut self) -> u32 {
        let all: Vec<u32> = self.members.iter().map(|member| member.child.id()).collect();
        all.iter().for_each(|&process| self.kill(process));
        all.len() as u32
    }

    /// Stops a worker where it is.
    pub(super) fn stop(&mut self, process: u32) {
        let bytes = self.signal(process, Signal::SIGSTOP);
        self.set(process, State::Stopped(bytes));
    }

    /// Lets it go on.
    pub(super) fn wake(&mut self, process: u32) {
        let bytes = self.signal(process, Signal::SIGCONT);
        self.set(process, State::Late(bytes));
    }

    /// Sends a signal and returns the bytes of the worker's log before that.
    fn signal(&self, process: u32, signal: Signal) -> u64 {
        let member = self.members.iter().find(|member| member.child.id() == process);
        let bytes = self.log_bytes(member.expect("a worker of this crew").number);
        kill(Pid::from_raw(process as i32), signal).expect("a child can be signalled");
        bytes
    }

    fn set(&mut self, process: u32, state: State) {
        let member = self.members.iter_mut().find(|member| member.child.id() == process);
        member.expect("a worker of this crew").state = state;
    }

    /// Starts workers that end when the study has this many trials.
    pub(super) fn finish(&mut self, trials: u64) {
        self.trials = trials;
        (0..self.plan.workers).for_each(|_| self.spawn());
        self.finishing = true;
    }

    /// Waits for the end of all.
    pub(super) fn join(&mut self, until: Instant) {
        while !self.members.is_empty() {
            assert!(
                Instant::now() < until,
                "workers do not see that the study is complete:\n{}",
                self.said()
            );
            self.replace();
            sleep(LOOK);
        }
    }

    /// The logs of all workers that there were.
    pub(super) fn logs(&self) -> Vec<Log> {
        let log = |(number, &process): (usize, &u32)| {
            let text = fs::read_to_string(self.file("log", number)).unwrap_or_default();
            let numbers = |word: &str| {
                let numbers = text.lines().filter_map(|line| line.strip_prefix(word)?.trim().parse().ok());
                numbers.collect::<Vec<u64>>()
            };
            Log { process, ended: numbers("ended"), refused: numbers("refused") }
        };
        self.processes.iter().enumerate().map(log).collect()
    }

    /// Errors of all workers.
    pub(super) fn said(&self) -> String {
        (0..self.processes.len()).map(|number| self.errors(number)).collect()
    }

    fn errors(&self, number: usize) -> String {
        fs::read_to_string(self.file("errors", number)).unwrap_or_default()
    }

    fn log_bytes(&self, number: usize) -> u64 {
        fs::metadata(self.file("log", number)).map_or(0, |metadata| metadata.len())
    }

    fn file(&self, kind: &str, number: usize) -> PathBuf {
        self.folder.join(format!("{kind}-{number}"))
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            // Whoever has ended already cannot be killed.
            let _ = member.child.kill();
            let _ = member.child.wait();
        }
    }
}
