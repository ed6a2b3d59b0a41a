//! Several workers on this machine: `run --workers N` starts them as processes of its own program, shows what they do, and
//! starts those again that died.
//!
//! The study is in its store alone: if this process dies, its workers give their trials back and end, and nothing is lost.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bomp_export::text;
use bomp_search::session::Ending;
use bomp_search::study::{Storage, Trial};
use tch::{Cuda, Device};

use super::event::{Event, Line};
use super::progress::{Bars, Interrupt};
use super::run::{Job, ended};

/// How often the store is asked which trials have ended.
const LOOK: Duration = Duration::from_secs(1);
/// How often in a row a worker may die before it has begun a trial.
const MAX_FAILED_STARTS: u32 = 3;

/// A line of a worker's streams, or their end.
enum WorkerOutput {
    Event(Line),
    /// A line that is no event: an error.
    Text(String),
    /// Its standard output has ended.
    Gone,
}

/// A worker process and what is known of it.
struct Member {
    process: Child,
    /// Closed to stop it.
    stdin_guard: Option<ChildStdin>,
    /// Whether it has begun a trial.
    has_begun: bool,
    /// How many before it in this slot died without having begun one.
    failed_starts: u32,
}

/// The workers by their slots.
struct Crew<'a> {
    job: &'a Job<'a>,
    threads: usize,
    members: Vec<Option<Member>>,
    sender: Sender<(usize, WorkerOutput)>,
    receiver: Receiver<(usize, WorkerOutput)>,
    bars: Bars,
    /// The last error that a worker told.
    error: String,
}

/// Does the job with as many processes as it asks for.
///
/// `seconds`: from the end of one trial to that of the next, as far as is known.
pub(super) fn run(
    job: &Job<'_>,
    store: &mut dyn Storage,
    seconds: Option<f64>,
    interrupt: &Interrupt,
) -> Result<Ending> {
    let slots = usize::from(job.crew.workers);
    let (sender, receiver) = mpsc::channel();
    let mut shown: BTreeSet<u64> = over(store)?.iter().map(|trial| trial.number).collect();
    let trials = store.trials()?;
    let mut crew = Crew {
        job,
        threads: job.crew.machine.threads.map_or(1, usize::from),
        members: Vec::new(),
        sender,
        receiver,
        bars: Bars::new("trials", shown.len() as u64, job.trials, slots, seconds)
            .watching(store.config(), trials),
        error: String::new(),
    };
    for slot in 0..slots {
        let member = crew.start(slot, 0)?;
        crew.members.push(Some(member));
    }
    let mut looked = Instant::now();
    while crew.members.iter().any(Option::is_some) {
        match crew.receiver.recv_timeout(LOOK) {
            Ok((slot, output)) => crew.hear(slot, output, interrupt.is_set())?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if interrupt.is_set() {
            crew.members.iter_mut().flatten().for_each(|member| member.stdin_guard = None);
        }
        if looked.elapsed() >= LOOK {
            looked = Instant::now();
            crew.show(store, &mut shown)?;
        }
    }
    crew.show(store, &mut shown)?;
    let Crew { bars, error, .. } = crew;
    drop(bars);
    let trials = store.trials()?;
    Ok(if interrupt.is_set() {
        Ending::Interrupted
    } else if ended(store)? >= job.trials {
        Ending::Complete
    } else if error.is_empty() && !trials.iter().any(Trial::is_running) {
        Ending::Exhausted
    } else {
        bail!(
            "no worker is left: {error}; `bomp-search resume --study {}` goes on",
            text::argument(&job.study.to_string())
        );
    })
}

/// The trials that have ended.
fn over(store: &mut dyn Storage) -> Result<Vec<Trial>> {
    Ok(store.trials()?.into_iter().filter(|trial| !trial.is_running()).collect())
}

impl Crew<'_> {
    /// Starts the worker of a slot.
    fn start(&self, slot: usize, failed_starts: u32) -> Result<Member> {
        let Job { study, trials, crew, device, data } = self.job;
        let device = match device {
            // Without a number: spread over all.
            Device::Cuda(_) if crew.machine.device == "cuda" => {
                format!("cuda:{}", slot as i64 % Cuda::device_count().max(1))
            }
            _ => crew.machine.device.clone(),
        };
        let program = std::env::current_exe().context("the path of this program")?;
        let mut command = Command::new(program);
        command
            .args(["worker", "--json", "--led", "--study"])
            .arg(study.argument())
            .envs(study.password().map(|password| ("PGPASSWORD", password)))
            .args(["--trials", &trials.to_string(), "--device", &device])
            .args(["--threads", &self.threads.to_string()])
            .args(["--grace", &crew.sharing.grace.to_string()])
            .args(["--take-overs", &crew.sharing.take_overs.to_string()])
            .env("OMP_NUM_THREADS", self.threads.to_string());
        if let Some(data) = data {
            command.arg("--data").arg(data);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().context("a worker cannot be started")?;
        let stdin_guard = process.stdin.take();
        if let Some(out) = process.stdout.take() {
            listen(slot, out, true, self.sender.clone());
        }
        if let Some(errors) = process.stderr.take() {
            listen(slot, errors, false, self.sender.clone());
        }
        Ok(Member { process, stdin_guard, has_begun: false, failed_starts })
    }

    /// Acts on a worker's output.
    fn hear(&mut self, slot: usize, output: WorkerOutput, stopping: bool) -> Result<()> {
        if let WorkerOutput::Event(line) = &output
            && self.job.crew.json
        {
            line.print();
        }
        match output {
            WorkerOutput::Event(Line { event, .. }) => self.show_event(slot, event),
            WorkerOutput::Text(line) => {
                if line.starts_with("error: ") {
                    eprintln!("worker {slot}: {}", bomp_export::text::line(&line));
                } else {
                    self.bars.line(&format!("worker {slot}: {line}"));
                }
                if let Some(error) = line.strip_prefix("error: ") {
                    error.clone_into(&mut self.error);
                }
            }
            WorkerOutput::Gone => self.reap(slot, stopping)?,
        }
        Ok(())
    }

    fn show_event(&mut self, slot: usize, event: Event) {
        match event {
            Event::Training(training) => self.bars.show(slot, &training),
            Event::Begins { .. } => {
                self.members[slot].iter_mut().for_each(|member| member.has_begun = true);
            }
            Event::TakenOver { trial } => {
                self.bars
                    .line(&format!("{trial:>5} taken over from worker {slot}, which was silent too long"));
            }
            // Whoever ended them, trials are shown as the store has them.
            Event::Data { .. } | Event::Joined | Event::Ended { .. } => {}
        }
    }

    /// Sees how the worker of a slot ended, and starts another if it died.
    fn reap(&mut self, slot: usize, stopping: bool) -> Result<()> {
        let Some(mut member) = self.members[slot].take() else { return Ok(()) };
        let status = member.process.wait().context("a worker's end")?;
        if status.code().is_some() || stopping {
            // It has said itself why.
            return Ok(());
        }
        let failed_starts = if member.has_begun { 0 } else { member.failed_starts + 1 };
        if failed_starts >= MAX_FAILED_STARTS {
            self.error = format!("a worker died {MAX_FAILED_STARTS} times before its first trial ({status})");
            self.bars.line(&format!("worker {slot}: {}", self.error));
            return Ok(());
        }
        self.bars.line(&format!("worker {slot} died ({status}) and is started again"));
        self.members[slot] = Some(self.start(slot, failed_starts)?);
        Ok(())
    }

    /// Shows the trials that have ended since the last time.
    fn show(&mut self, store: &mut dyn Storage, shown: &mut BTreeSet<u64>) -> Result<()> {
        for trial in over(store)? {
            if shown.insert(trial.number) {
                self.bars.show_ended(&trial);
            }
        }
        Ok(())
    }
}

/// Sends on what a stream says, and with `events` when it ends.
fn listen(
    slot: usize,
    stream: impl Read + Send + 'static,
    events: bool,
    sender: Sender<(usize, WorkerOutput)>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let output = match serde_json::from_str(&line) {
                Ok(event) if events => WorkerOutput::Event(event),
                _ => WorkerOutput::Text(line),
            };
            if sender.send((slot, output)).is_err() {
                return;
            }
        }
        if events {
            // If nobody listens any more, nobody needs to know.
            let _ = sender.send((slot, WorkerOutput::Gone));
        }
    });
}
