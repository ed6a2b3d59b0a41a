//! Errors as one line: clap's with its tip and without its page of usage, others with each of their causes once.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use super::secret::hide;
use crate::text;

/// The programs and their commands, to name the program that has a command.
const PROGRAMS: [(&str, &[&str]); 3] = [
    (
        "bomp-search",
        &[
            "run", "data", "resume", "worker", "status", "pareto", "import", "salvage", "finalise", "report",
            "ask-tell", "preset", "space",
        ],
    ),
    (
        "bomp-export",
        &[
            "size",
            "pack",
            "inspect",
            "diff",
            "onnx",
            "header",
            "from-onnx",
            "keygen",
            "sign",
            "verify",
            "validate",
        ],
    ),
    ("bomp-sim", &["run", "boards", "library", "monitor", "kernels"]),
];

/// Names that people try, and what they mean.
const MEANT: [(&str, &str); 8] = [
    ("budget", "the limit of the packed size is `bomp-search run --max-size`"),
    ("flash", "the limit of flash is `bomp-search run --max-size`"),
    ("max-flash", "the limit of flash is `bomp-search run --max-size`"),
    ("ram", "the limit of RAM is `bomp-search run --max-ram`"),
    ("dataset", "the data are named with --data"),
    ("resume", "`bomp-search resume STUDY` goes on with a study"),
    ("search", "`bomp-search run` starts a search"),
    ("train", "`bomp-search run` starts a search, `bomp-search finalise` trains networks to the end"),
];

/// What went wrong, with its causes, in one line. A cause that the text before it already tells is left out.
#[must_use]
pub fn of_error(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let cause = cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() {
            line = cause;
        } else if !line.contains(&cause) {
            line = format!("{line}: {cause}");
        }
    }
    hide(&text::line(&line))
}

/// What is wrong with the arguments, in one line.
pub(super) fn of_usage(error: &Error, program: &Command) -> String {
    let rendered = error.render().to_string();
    let (problem, after) = rendered.split_once("\n\nUsage: ").unwrap_or((&rendered, ""));
    let problem = problem.split("\n\nFor more information").next().unwrap_or_default();
    let problem = problem.trim_start_matches("error: ").trim();
    let remedy = remedy(error, program);
    let mut line = String::new();
    for part in problem.lines().map(str::trim).filter(|part| !part.is_empty()) {
        let is_tip = part.starts_with("tip:");
        // clap guesses; what is known is better, and nobody means to pass an option as a value.
        if is_tip && (remedy.is_some() || part.contains("as a value")) {
            continue;
        }
        let separator = if is_tip { "; " } else { " " };
        line = if line.is_empty() { part.to_owned() } else { format!("{line}{separator}{part}") };
    }
    let is_surplus = error.kind() == ErrorKind::UnknownArgument && !line.contains("'-");
    match (remedy, error.kind(), after.lines().next()) {
        (Some(remedy), ..) => line = format!("{line}; {remedy}"),
        (None, kind, Some(usage)) if kind == ErrorKind::MissingRequiredArgument || is_surplus => {
            line = format!("{line}; write {usage}");
        }
        _ => {}
    }
    hide(&text::line(&format!("{line} (--help explains)")))
}

/// Where what is not known here belongs.
fn remedy(error: &Error, program: &Command) -> Option<String> {
    let given = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let meant =
        |name: &str| MEANT.iter().find(|(tried, _)| *tried == name).map(|(_, meant)| (*meant).to_owned());
    if let Some(command) = given(ContextKind::InvalidSubcommand) {
        if let Some(meant) = meant(command) {
            return Some(meant);
        }
        let own = program.get_name();
        let others = PROGRAMS.iter().filter(|(name, commands)| *name != own && commands.contains(&command));
        let others: Vec<&str> = others.map(|(name, _)| *name).collect();
        return (!others.is_empty())
            .then(|| format!("`{command}` is a command of {}", others.join(" and of ")));
    }
    let option = given(ContextKind::InvalidArg)?.strip_prefix("--")?;
    if error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let option = option.split('=').next()?;
    // Of the command that was given.
    let mut arguments = std::env::args();
    let used = arguments.find_map(|argument| program.find_subcommand(&argument));
    let takes = |name: &str| {
        used.is_some_and(|command| command.get_arguments().any(|argument| argument.get_long() == Some(name)))
    };
    if option == "key" && takes("public-key") {
        return Some("a signature is verified with the public key: --public-key".into());
    }
    if used.is_some_and(|command| command.get_name() == option) {
        return Some(format!("write it without --{option}: `{} {option} …`", program.get_name()));
    }
    if let Some(meant) = meant(option) {
        return Some(meant);
    }
    let has =
        |command: &&Command| command.get_arguments().any(|argument| argument.get_long() == Some(option));
    let commands: Vec<&str> = program.get_subcommands().filter(has).map(Command::get_name).collect();
    (!commands.is_empty()).then(|| format!("--{option} is an option of {}", commands.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_cause_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("a.txt: cannot be read: {source}")]
        struct Unreadable {
            source: std::io::Error,
        }
        let source = std::io::Error::from_raw_os_error(2);
        let error = anyhow::Error::from(Unreadable { source });
        assert_eq!(of_error(&error), "a.txt: cannot be read: No such file or directory (os error 2)");
        let error = Err::<(), _>(error).context("two\nlines").unwrap_err();
        assert!(of_error(&error).starts_with("two lines: a.txt: cannot be read"));
    }
}
