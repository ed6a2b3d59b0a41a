//! What is around a program under test, made to fail: locks, the wall clock, the disk of a server. By a library that is loaded
//! before the C library (`shim.c`), so the program is the product, without a hook in it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

/// The library, built by the C compiler that setup installs.
#[derive(Debug)]
pub struct Shim {
    folder: TempDir,
}

impl Default for Shim {
    fn default() -> Self {
        Self::new()
    }
}

impl Shim {
    /// Builds it.
    ///
    /// # Panics
    /// If there is no C compiler.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("bomp-shim-").tempdir().expect("a temporary folder");
        let shim = Self { folder };
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src/surroundings/shim.c");
        let mut compiler = Command::new("cc");
        compiler.args(["-std=gnu11", "-O1", "-fPIC", "-shared", source, "-ldl", "-o"]).arg(shim.library());
        let output = compiler.output().expect("cc starts; `cargo xtask setup` installs it");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // A server that runs as another user loads it too.
        use std::os::unix::fs::PermissionsExt;
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(shim.folder.path(), open).expect("one's own folder");
        shim
    }

    /// No file can be locked.
    #[must_use]
    pub fn without_locks(&self) -> Vec<(OsString, OsString)> {
        self.with("BOMP_NO_LOCKS", "1".into())
    }

    /// The wall clock jumps by days, forwards and back.
    #[must_use]
    pub fn jumping_clock(&self) -> Vec<(OsString, OsString)> {
        self.with("BOMP_CLOCK_JUMPS", "1".into())
    }

    /// The disk is full whenever [`Shim::full_flag`] exists.
    #[must_use]
    pub fn full_disk(&self) -> Vec<(OsString, OsString)> {
        self.with("BOMP_FULL", self.full_flag().into())
    }

    /// The file that says that the disk is full.
    #[must_use]
    pub fn full_flag(&self) -> PathBuf {
        self.folder.path().join("full")
    }

    fn library(&self) -> PathBuf {
        self.folder.path().join("shim.so")
    }

    /// The variables of a program that the library is loaded into.
    fn with(&self, name: &str, value: OsString) -> Vec<(OsString, OsString)> {
        vec![("LD_PRELOAD".into(), self.library().into()), (name.into(), value)]
    }
}
