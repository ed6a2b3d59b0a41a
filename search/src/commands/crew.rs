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
use super::run::{Work, ended};

/// How often the store is asked which trials have ended.
const LOOK: Duration = Duration::from_secs(1);
/// How often in a row a worker may die before it has begun a trial.
const FRUITLESS: u32 = 3;

/// What a worker's streams say.
enum Said {
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
    leash: Option<ChildStdin>,
    /// Whether it has begun a trial.
    fruitful: bool,
    /// How many before it in this place died without having begun one.
    fruitless: u32,
}

/// The workers by their places.
struct Crew<'a> {
    work: &'a Work<'a>,
    threads: usize,
    members: Vec<Option<Member>>,
    sender: Sender<(usize, Said)>,
    receiver: Receiver<(usize, Said)>,
    bars: Bars,
    /// The last error that a worker told.
    error: String,
}

/// Does the work with as many processes as it asks for.
///
/// `seconds`: from the end of one trial to that of the next, as far as is known.
pub(super) fn run(
    work: &Work<'_>,
    store: &mut dyn Storage,
    seconds: Option<f64>,
    interrupt: &Interrupt,
) -> Result<Ending> {
    let places = usize::from(work.crew.workers);
    let (sender, receiver) = mpsc::channel();
    let mut shown: BTreeSet<u64> = over(store)?.iter().map(|trial| trial.number).collect();
    let trials = store.trials()?;
    let mut crew = Crew {
        work,
        threads: work.crew.machine.threads.map_or(1, usize::from),
        members: Vec::new(),
        sender,
        receiver,
        bars: Bars::new("trials", shown.len() as u64, work.trials, places, seconds)
            .watching(store.config(), trials),
        error: String::new(),
    };
    for place in 0..places {
        let member = crew.start(place, 0)?;
        crew.members.push(Some(member));
    }
    let mut looked = Instant::now();
    while crew.members.iter().any(Option::is_some) {
        match crew.receiver.recv_timeout(LOOK) {
            Ok((place, said)) => crew.hear(place, said, interrupt.is_set())?,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
        if interrupt.is_set() {
            crew.members.iter_mut().flatten().for_each(|member| member.leash = None);
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
    } else if ended(store)? >= work.trials {
        Ending::Complete
    } else if error.is_empty() && !trials.iter().any(Trial::is_running) {
        Ending::Exhausted
    } else {
        bail!(
            "no worker is left: {error}; `bomp-search resume --study {}` goes on",
            text::argument(&work.study.to_string())
        );
    })
}

/// The trials that have ended.
fn over(store: &mut dyn Storage) -> Result<Vec<Trial>> {
    Ok(store.trials()?.into_iter().filter(|trial| !trial.is_running()).collect())
}

impl Crew<'_> {
    /// Starts the worker of a place.
    fn start(&self, place: usize, fruitless: u32) -> Result<Member> {
        let Work { study, trials, crew, device, data } = self.work;
        let device = match device {
            // Without a number: spread over all.
            Device::Cuda(_) if crew.machine.device == "cuda" => {
                format!("cuda:{}", place as i64 % Cuda::device_count().max(1))
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
        let leash = process.stdin.take();
        if let Some(out) = process.stdout.take() {
            listen(place, out, true, self.sender.clone());
        }
        if let Some(errors) = process.stderr.take() {
            listen(place, errors, false, self.sender.clone());
        }
        Ok(Member { process, leash, fruitful: false, fruitless })
    }

    /// Acts on what a worker said.
    fn hear(&mut self, place: usize, said: Said, stopping: bool) -> Result<()> {
        if let Said::Event(line) = &said
            && self.work.crew.json
        {
            line.print();
        }
        match said {
            Said::Event(Line { event, .. }) => self.show_event(place, event),
            Said::Text(line) => {
                if line.starts_with("error: ") {
                    eprintln!("worker {place}: {}", bomp_export::text::line(&line));
                } else {
                    self.bars.line(&format!("worker {place}: {line}"));
                }
                if let Some(error) = line.strip_prefix("error: ") {
                    error.clone_into(&mut self.error);
                }
            }
            Said::Gone => self.bury(place, stopping)?,
        }
        Ok(())
    }

    fn show_event(&mut self, place: usize, event: Event) {
        match event {
            Event::Training(training) => self.bars.show(place, &training),
            Event::Begins { .. } => {
                self.members[place].iter_mut().for_each(|member| member.fruitful = true);
            }
            Event::TakenOver { trial } => {
                self.bars
                    .line(&format!("{trial:>5} taken over from worker {place}, which was silent too long"));
            }
            // Whoever ended them, trials are shown as the store has them.
            Event::Data { .. } | Event::Joined | Event::Ended { .. } => {}
        }
    }

    /// Sees how the worker of a place ended, and starts another if it died.
    fn bury(&mut self, place: usize, stopping: bool) -> Result<()> {
        let Some(mut member) = self.members[place].take() else { return Ok(()) };
        let status = member.process.wait().context("a worker's end")?;
        if status.code().is_some() || stopping {
            // It said itself why.
            return Ok(());
        }
        let fruitless = if member.fruitful { 0 } else { member.fruitless + 1 };
        if fruitless >= FRUITLESS {
            self.error = format!("a worker died {FRUITLESS} times before its first trial ({status})");
            self.bars.line(&format!("worker {place}: {}", self.error));
            return Ok(());
        }
        self.bars.line(&format!("worker {place} died ({status}) and is started again"));
        self.members[place] = Some(self.start(place, fruitless)?);
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
fn listen(place: usize, stream: impl Read + Send + 'static, events: bool, sender: Sender<(usize, Said)>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let said = match serde_json::from_str(&line) {
                Ok(event) if events => Said::Event(event),
                _ => Said::Text(line),
            };
            if sender.send((place, said)).is_err() {
                return;
            }
        }
        if events {
            // If nobody listens any more, nobody needs to know.
            let _ = sender.send((place, Said::Gone));
        }
    });
}
