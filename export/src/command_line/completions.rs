//! Shell completions, made from the same description that reads the arguments, so that they cannot differ from it.

use std::io::{self, Write};

use clap::{Command, ValueEnum};

/// A shell that completions are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// Bash, version 4 or later.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
}

/// Print completions of commands and options for a shell
///
/// Bash: `PROGRAM completions bash > ~/.local/share/bash-completion/completions/PROGRAM`; Zsh: into a file `_PROGRAM` in a folder
/// of $fpath; Fish: into ~/.config/fish/completions/PROGRAM.fish.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

impl Completions {
    /// Writes them for a program.
    ///
    /// # Errors
    /// `out` cannot be written.
    pub fn write(self, mut command: Command, out: &mut impl Write) -> io::Result<()> {
        use clap_complete::Shell as Known;
        let shell = match self.shell {
            Shell::Bash => Known::Bash,
            Shell::Zsh => Known::Zsh,
            Shell::Fish => Known::Fish,
        };
        let name = command.get_name().to_owned();
        // Not straight into `out`: the generator panics where a pipe is closed.
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command, name, &mut script);
        out.write_all(&script)
    }
}
