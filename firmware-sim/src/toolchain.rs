//! The compiler for the device: the user's own toolchain where it has the target, else Debian's with its sources.
//!
//! `cargo xtask setup` looks for the two in the same order.

use std::path::{Path, PathBuf};
use std::process::Command;

use bomp_export::board::Board;

use crate::error::SimError;

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Variables that would change what is compiled, or belong to the build that started this program.
const CLEARED: [&str; 9] = [
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTFLAGS",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_BUILD_TARGET",
    "CARGO_TARGET_DIR",
    "CARGO_BUILD_TARGET_DIR",
    // `cargo test` and `cargo run` point these at their own toolchain's libraries.
    "LD_LIBRARY_PATH",
    "DYLD_FALLBACK_LIBRARY_PATH",
];

/// A compiler for a board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// `cargo` of the path, whose toolchain has the target.
    Own,
    /// Debian's compiler, which builds the core library from its sources.
    Debian {
        /// GNU's linker, where the toolchain has no LLVM linker of its own.
        linker: Option<&'static str>,
    },
}

impl Toolchain {
    /// The first toolchain of this machine that can build for `board`.
    ///
    /// # Errors
    /// [`SimError::NoToolchain`].
    pub(crate) fn find(board: &Board) -> Result<Self, SimError> {
        if sysroot("rustc")
            .is_some_and(|root| root.join("lib/rustlib").join(board.target).join("lib").is_dir())
        {
            return Ok(Self::Own);
        }
        let missing = |why: String| Err(SimError::NoToolchain { target: board.target, why });
        let lacking = "the toolchain in use lacks the target, and Debian's";
        let Some(root) = sysroot(DEBIAN_RUSTC).filter(|_| Path::new(DEBIAN_CARGO).exists()) else {
            return missing(format!("{lacking} rustc-web and cargo-web are not installed"));
        };
        if !root.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists() {
            return missing(format!("{lacking} rust-web-src is not installed"));
        }
        if root.join("lib/rustlib").join(host()).join("bin/rust-lld").exists() {
            return Ok(Self::Debian { linker: None });
        }
        const GNU: &str = "arm-none-eabi-ld";
        if Command::new(GNU).arg("--version").output().is_err() {
            return missing(format!("{lacking} binutils-arm-none-eabi is not installed"));
        }
        Ok(Self::Debian { linker: Some(GNU) })
    }

    /// A command that builds what is in the current folder for `board`, with a profile, into `target_folder`.
    #[must_use]
    pub(crate) fn build(&self, board: &Board, profile: &str, target_folder: &Path) -> Command {
        let mut command = Command::new(match self {
            Self::Own => "cargo",
            Self::Debian { .. } => DEBIAN_CARGO,
        });
        for name in CLEARED {
            command.env_remove(name);
        }
        command.args(["build", "--profile", profile, "--locked", "--target", board.target, "--target-dir"]);
        command.arg(target_folder);
        // This variable wins over every other source of flags. SHA-512, which signatures need once, is small, not unrolled.
        let flags = ["-Ctarget-cpu=", board.cpu, "\x1f--cfg=sha2_backend_soft=\"compact\""].concat();
        command.env("CARGO_ENCODED_RUSTFLAGS", flags);
        if let Self::Debian { linker } = self {
            command.args(["-Zbuild-std=core"]).env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            if let Some(linker) = linker {
                let target = board.target.to_uppercase().replace(['-', '.'], "_");
                command.env(format!("CARGO_TARGET_{target}_LINKER"), linker);
            }
        }
        command
    }

    /// Name and version of the compiler.
    #[must_use]
    pub(crate) fn describe(&self) -> String {
        let rustc = match self {
            Self::Own => "rustc",
            Self::Debian { .. } => DEBIAN_RUSTC,
        };
        answer(rustc, &["--version"]).unwrap_or_else(|| rustc.to_owned())
    }
}

fn sysroot(rustc: &str) -> Option<PathBuf> {
    answer(rustc, &["--print", "sysroot"]).map(PathBuf::from)
}

/// The platform that this program runs on, in Rust's spelling.
fn host() -> String {
    format!("{}-unknown-linux-gnu", std::env::consts::ARCH)
}

fn answer(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).env_remove("LD_LIBRARY_PATH").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
