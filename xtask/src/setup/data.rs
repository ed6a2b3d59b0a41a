//! Fashion-MNIST: the user's own folder, or Debian's package.

use super::packages::Need;
use super::progress::present;
use crate::machine::Machine;
use anyhow::{Context, Result, bail};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Debian's package with the four files.
pub(super) const PACKAGE: Need = Need {
    what: "Fashion-MNIST",
    packages: &["dataset-fashion-mnist"],
    otherwise: Some("give a folder with its four files by --data DIR"),
    met: |machine| {
        let folder = Path::new("/usr/share/datasets/fashion-mnist");
        FILES.iter().all(|file| machine.has_path(&folder.join(file)))
    },
};

/// The names that MNIST gave its files and every set in its format has kept.
const FILES: [&str; 4] = [
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
];

/// The folder that the user brings, by `--data` or else by BOMP_DATA, if any.
///
/// # Errors
/// If one of the four files is missing in it or is not gzipped.
pub(super) fn of_the_user(machine: &dyn Machine, option: Option<&Path>) -> Result<Option<PathBuf>> {
    let variable = machine.variable("BOMP_DATA").map(PathBuf::from);
    let Some(folder) = option.map(Path::to_path_buf).or_else(|| variable.clone()) else {
        return Ok(None);
    };
    for file in FILES {
        let path = folder.join(file);
        if !is_gzip(&path).with_context(|| format!("{} cannot be read", path.display()))? {
            bail!("{} is not gzipped: the data folder must hold {}", path.display(), FILES.join(", "));
        }
    }
    present("Fashion-MNIST", &folder.display().to_string());
    if variable.as_ref() != Some(&folder) {
        println!("{:>12} BOMP_DATA={} so that the other commands find it", "Export", folder.display());
    }
    Ok(Some(folder))
}

/// Whether the file starts as RFC 1952 says.
fn is_gzip(path: &Path) -> std::io::Result<bool> {
    let mut start = Vec::new();
    File::open(path)?.take(2).read_to_end(&mut start)?;
    Ok(start == [0x1f, 0x8b])
}
