//! System packages: what is missing is installed with apt-get, in one call; what is there is never touched.

use super::progress::{Work, present};
use crate::machine::Machine;
use anyhow::{Context, Result, bail};
use std::process::Command;

/// Something that Debian and Ubuntu package, and how to tell that it is there, however it came.
#[derive(Clone, Copy)]
pub(crate) struct Need {
    /// What it is, for people.
    pub(crate) what: &'static str,
    /// The packages that bring it.
    pub(crate) packages: &'static [&'static str],
    /// What a user can do where the packages cannot be had.
    pub(crate) otherwise: Option<&'static str>,
    /// Whether the machine has it.
    pub(crate) met: fn(&dyn Machine) -> bool,
}

/// Installs what is not there yet and makes sure that it then is.
///
/// # Errors
/// If there is no apt-get, no right to use it, or it fails or does not bring what it should: each with what to do.
pub(super) fn install(machine: &dyn Machine, needs: &[Need]) -> Result<()> {
    let (there, missing): (Vec<&Need>, Vec<&Need>) = needs.iter().partition(|need| (need.met)(machine));
    for need in there {
        present(need.what, "on this machine");
    }
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    apt_get(machine, &names).with_context(|| by_hand(&missing))?;
    let missing: Vec<&Need> = missing.into_iter().filter(|need| !(need.met)(machine)).collect();
    if !missing.is_empty() {
        bail!("{}: what apt-get installed is incomplete or too old", by_hand(&missing));
    }
    Ok(())
}

/// What a user can do about what is missing.
fn by_hand(missing: &[&Need]) -> String {
    let mut lines = Vec::new();
    for need in missing {
        let otherwise = need.otherwise.map(|otherwise| format!(", or {otherwise}")).unwrap_or_default();
        lines.push(format!("{} (install {}{otherwise})", need.what, need.packages.join(" ")));
    }
    format!("this machine lacks {}; bring it, then run setup again", lines.join(", "))
}

/// Installs packages as root, or as a user that sudo lets become root.
fn apt_get(machine: &dyn Machine, packages: &[&str]) -> Result<()> {
    if !machine.has_program("apt-get") {
        bail!("this machine has no apt-get");
    }
    let root = machine.must(Command::new("id").arg("-u"))?.trim() == "0";
    if !root {
        if !machine.has_program("sudo") {
            bail!("only root may install packages, and this machine has no sudo");
        }
        // Asks for the password before anything moves on the terminal.
        machine.must(Command::new("sudo").arg("--validate"))?;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new(if root { "env" } else { "sudo" });
        if !root {
            command.arg("env");
        }
        // A fresh machine often updates itself in the background: wait for it instead of failing.
        command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300"]);
        command.args(arguments);
        command
    };
    let names = packages.join(" ");
    let work = Work::start("Installing", &names);
    // A user's broken source of some other software is no reason to stop, but may be why the packages are not found.
    let update = machine.must(&mut apt(&["update"]));
    let install = machine.must(apt(&["install", "--yes", "--no-install-recommends"]).args(packages));
    install.map_err(|error| match update {
        Ok(_) => error,
        Err(cause) => cause.context(error),
    })?;
    work.done("Installed", &names);
    Ok(())
}
