//! `bomp-search`: the search's command line.

mod commands;

fn main() -> std::process::ExitCode {
    commands::main()
}
