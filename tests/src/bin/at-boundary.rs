//! Runs a program and interferes at one of its write boundaries: kills it, tears the write, cuts the power, or lets every write
//! from there on fail. A boundary is a system call that changes a file or folder below the watched folder, or syncs one.
//!
//! It follows the program with ptrace, so the program is the product, without a hook in it. x86-64 and Linux only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use bomp_tests::faults::{Fault, Seen};
use clap::Parser;
use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

#[derive(Parser)]
struct Arguments {
    /// Folder whose changes are boundaries
    #[arg(long)]
    folder: PathBuf,
    /// File to write what was seen to
    #[arg(long)]
    report: PathBuf,
    /// What happens
    #[arg(long, value_parser = parse_fault, requires = "at")]
    fault: Option<Fault>,
    /// At which boundary, counted from 0
    #[arg(long, requires = "fault")]
    at: Option<usize>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

fn parse_fault(name: &str) -> Result<Fault, String> {
    Fault::ALL.into_iter().find(|fault| fault.name() == name).ok_or_else(|| "no such fault".to_owned())
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match Tracer::run(&arguments) {
        Ok(seen) => {
            let json = serde_json::to_vec(&seen).expect("plain data");
            fs::write(&arguments.report, json).expect("the report is writable");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

/// A change under way in a thread of the program.
struct Call {
    thread: Pid,
    /// What to do when it returns.
    then: Then,
}

enum Then {
    /// Say this error instead.
    Fail(i32),
    /// Kill.
    Kill,
    /// The file is as it is on the disk.
    Synced(PathBuf),
}

/// What a system call does to a file.
struct Change {
    path: PathBuf,
    /// Bytes written from memory.
    bytes: Option<u64>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Needs space on the disk.
    Grows,
    /// Changes a file or a folder.
    Alters,
    /// Makes changes durable.
    Syncs,
    /// Only opens for writing, what is there already: fails on a read-only file system, else it is no boundary.
    Opens,
}

struct Tracer<'a> {
    arguments: &'a Arguments,
    seen: Vec<String>,
    calls: Vec<Call>,
    /// Content of the folder as the disk has it.
    durable: tempfile::TempDir,
    /// By inode, the content of each file as it was last synced: a file keeps it under another name.
    synced: BTreeMap<u64, Vec<u8>>,
    broken: bool,
}

impl<'a> Tracer<'a> {
    fn run(arguments: &'a Arguments) -> io::Result<Seen> {
        let durable = tempfile::tempdir()?;
        copy(&arguments.folder, durable.path())?;
        // The shell waits until it is followed, and then becomes the program.
        let mut command = Command::new("sh");
        command.args(["-c", "read -r _ && exec \"$@\" < /dev/null", "sh"]).args(&arguments.program);
        let mut child = command.stdin(Stdio::piped()).spawn()?;
        let process = Pid::from_raw(child.id() as i32);
        let options = Options::PTRACE_O_TRACESYSGOOD
            | Options::PTRACE_O_TRACECLONE
            | Options::PTRACE_O_TRACEFORK
            | Options::PTRACE_O_TRACEVFORK
            | Options::PTRACE_O_TRACEEXEC
            | Options::PTRACE_O_EXITKILL;
        ptrace::seize(process, options)?;
        ptrace::interrupt(process)?;
        let mut input = child.stdin.take().expect("it was asked for");
        input.write_all(b"\n")?;
        drop(input);
        let tracer = Self {
            arguments,
            seen: Vec::new(),
            calls: Vec::new(),
            durable,
            synced: BTreeMap::new(),
            broken: false,
        };
        tracer.follow(process)
    }

    fn follow(mut self, process: Pid) -> io::Result<Seen> {
        loop {
            let status = waitpid(None, Some(WaitPidFlag::__WALL))?;
            // Threads end while they are followed: what cannot be done with one that is gone does not matter.
            let gone = |result: nix::Result<()>| match result {
                Ok(()) | Err(nix::errno::Errno::ESRCH) => Ok(()),
                Err(error) => Err(io::Error::from(error)),
            };
            match status {
                WaitStatus::Exited(id, code) if id == process => {
                    return Ok(Seen { boundaries: self.seen, code: Some(code) });
                }
                WaitStatus::Signaled(id, ..) if id == process => {
                    if self.arguments.fault == Some(Fault::Power) {
                        // What the disk had.
                        fs::remove_dir_all(&self.arguments.folder)?;
                        copy(self.durable.path(), &self.arguments.folder)?;
                    }
                    return Ok(Seen { boundaries: self.seen, code: None });
                }
                WaitStatus::PtraceSyscall(id) => {
                    match self.calls.iter().position(|call| call.thread == id) {
                        Some(index) => {
                            let call = self.calls.remove(index);
                            self.returned(call)?;
                        }
                        None => self.entered(id, process)?,
                    }
                    gone(ptrace::syscall(id, None))?;
                }
                WaitStatus::PtraceEvent(id, ..) => gone(ptrace::syscall(id, None))?,
                WaitStatus::Stopped(id, signal) => gone(ptrace::syscall(id, signal))?,
                _ => {}
            }
        }
    }

    /// A system call begins, or one that did not matter ends.
    fn entered(&mut self, thread: Pid, process: Pid) -> io::Result<()> {
        let Ok(info) = ptrace::syscall_info(thread) else { return Ok(()) };
        if info.op != libc::PTRACE_SYSCALL_INFO_ENTRY {
            return Ok(());
        }
        let Ok(registers) = ptrace::getregs(thread) else { return Ok(()) };
        let Some(change) = change(thread, &registers) else { return Ok(()) };
        if !change.path.starts_with(&self.arguments.folder) {
            return Ok(());
        }
        if change.kind == Kind::Opens {
            if self.broken && self.arguments.fault == Some(Fault::ReadOnly) {
                self.fail(thread, registers, libc::EROFS)?;
            }
            return Ok(());
        }
        let here = self.seen.len();
        let name = change.path.strip_prefix(&self.arguments.folder).unwrap_or(Path::new("")).display();
        self.seen.push(format!("{} {name}", call_name(registers.orig_rax)));
        let now = self.arguments.at == Some(here);
        self.broken |= now && self.arguments.fault.is_some_and(Fault::is_survived);
        match self.arguments.fault {
            Some(Fault::Kill | Fault::Power) if now => kill(process, Signal::SIGKILL)?,
            Some(Fault::Torn) if now => match change.bytes {
                Some(bytes) if bytes > 1 => {
                    let mut torn = registers;
                    torn.rdx = bytes / 2;
                    ptrace::setregs(thread, torn)?;
                    self.calls.push(Call { thread, then: Then::Kill });
                }
                _ => kill(process, Signal::SIGKILL)?,
            },
            Some(Fault::Full) if self.broken && change.kind == Kind::Grows => {
                self.fail(thread, registers, libc::ENOSPC)?;
            }
            Some(Fault::ReadOnly) if self.broken && change.kind != Kind::Syncs => {
                self.fail(thread, registers, libc::EROFS)?;
            }
            _ if change.kind == Kind::Syncs => {
                self.calls.push(Call { thread, then: Then::Synced(change.path) });
            }
            _ => {}
        }
        Ok(())
    }

    /// Nothing is done, and the program is told that it failed.
    fn fail(&mut self, thread: Pid, mut registers: libc::user_regs_struct, error: i32) -> io::Result<()> {
        registers.orig_rax = u64::MAX;
        ptrace::setregs(thread, registers)?;
        self.calls.push(Call { thread, then: Then::Fail(error) });
        Ok(())
    }

    fn returned(&mut self, call: Call) -> io::Result<()> {
        match call.then {
            Then::Kill => Ok(kill(call.thread, Signal::SIGKILL)?),
            Then::Fail(error) => {
                let mut registers = ptrace::getregs(call.thread)?;
                registers.rax = i64::from(-error) as u64;
                Ok(ptrace::setregs(call.thread, registers)?)
            }
            Then::Synced(path) => {
                let name = path.strip_prefix(&self.arguments.folder).map_err(io::Error::other)?;
                let kept = self.durable.path().join(name);
                if path.is_dir() {
                    // Names that are gone are gone for good, and names that are new are there, with what was synced of them.
                    let names: BTreeSet<_> =
                        fs::read_dir(&path)?.flatten().map(|entry| entry.file_name()).collect();
                    fs::create_dir_all(&kept)?;
                    for entry in fs::read_dir(&kept)?.flatten() {
                        if !names.contains(&entry.file_name()) && entry.path().is_file() {
                            fs::remove_file(entry.path())?;
                        }
                    }
                    for name in names {
                        let inode = path.join(&name).metadata().map(|file| file.ino());
                        if let Some(content) = inode.ok().and_then(|inode| self.synced.get(&inode)) {
                            fs::write(kept.join(name), content)?;
                        }
                    }
                    return Ok(());
                }
                fs::create_dir_all(kept.parent().unwrap_or(Path::new("/")))?;
                let content = fs::read(&path)?;
                fs::write(&kept, &content)?;
                self.synced.insert(fs::metadata(&path)?.ino(), content);
                Ok(())
            }
        }
    }
}

/// What the system call that begins does to files, if anything.
fn change(thread: Pid, registers: &libc::user_regs_struct) -> Option<Change> {
    let [first, second, third, fourth] = [registers.rdi, registers.rsi, registers.rdx, registers.r10];
    let of = |path: Option<PathBuf>, bytes, kind| path.map(|path| Change { path, bytes, kind });
    let opened = |path: Option<PathBuf>, flags: u64| {
        let flags = flags as i32;
        let new = flags & libc::O_CREAT != 0 && path.as_ref().is_some_and(|path| !path.exists());
        if new || flags & libc::O_TRUNC != 0 {
            of(path, None, Kind::Grows)
        } else if flags & libc::O_ACCMODE != libc::O_RDONLY {
            of(path, None, Kind::Opens)
        } else {
            None
        }
    };
    match registers.orig_rax as i64 {
        libc::SYS_write | libc::SYS_pwrite64 => of(descriptor(thread, first), Some(third), Kind::Grows),
        libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
            of(descriptor(thread, first), None, Kind::Grows)
        }
        libc::SYS_fallocate => of(descriptor(thread, first), None, Kind::Grows),
        libc::SYS_ftruncate | libc::SYS_fchmod => of(descriptor(thread, first), None, Kind::Alters),
        libc::SYS_fsync | libc::SYS_fdatasync => of(descriptor(thread, first), None, Kind::Syncs),
        libc::SYS_open => opened(string(thread, first), second),
        libc::SYS_openat => opened(string(thread, second), third),
        libc::SYS_mkdir => of(string(thread, first), None, Kind::Grows),
        libc::SYS_mkdirat => of(string(thread, second), None, Kind::Grows),
        libc::SYS_unlink | libc::SYS_rmdir | libc::SYS_chmod | libc::SYS_truncate => {
            of(string(thread, first), None, Kind::Alters)
        }
        libc::SYS_unlinkat | libc::SYS_fchmodat => of(string(thread, second), None, Kind::Alters),
        libc::SYS_rename | libc::SYS_link => of(string(thread, second), None, Kind::Alters),
        libc::SYS_renameat | libc::SYS_renameat2 | libc::SYS_linkat => {
            of(string(thread, fourth), None, Kind::Alters)
        }
        _ => None,
    }
}

fn call_name(number: u64) -> &'static str {
    match number as i64 {
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
            "write"
        }
        libc::SYS_fallocate => "fallocate",
        libc::SYS_ftruncate | libc::SYS_truncate => "truncate",
        libc::SYS_fchmod | libc::SYS_chmod | libc::SYS_fchmodat => "chmod",
        libc::SYS_fsync | libc::SYS_fdatasync => "sync",
        libc::SYS_open | libc::SYS_openat => "create",
        libc::SYS_mkdir | libc::SYS_mkdirat => "mkdir",
        libc::SYS_unlink | libc::SYS_unlinkat | libc::SYS_rmdir => "remove",
        libc::SYS_link | libc::SYS_linkat => "link",
        _ => "rename",
    }
}

/// The file of a descriptor.
fn descriptor(thread: Pid, number: u64) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{thread}/fd/{number}")).ok()
}

/// A path in the program's memory.
fn string(thread: Pid, address: u64) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = Vec::new();
    while bytes.len() < 4_096 {
        let mut byte = [0];
        memory.read_exact_at(&mut byte, address + bytes.len() as u64).ok()?;
        if byte[0] == 0 {
            break;
        }
        bytes.push(byte[0]);
    }
    String::from_utf8(bytes).ok().map(PathBuf::from)
}

/// Copies a folder with what is in it.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?
        } else {
            fs::copy(entry.path(), target).map(drop)?
        }
    }
    Ok(())
}
