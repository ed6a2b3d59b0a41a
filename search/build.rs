//! Makes this package's programs and tests find libtorch's shared libraries by themselves, without LD_LIBRARY_PATH.
//!
//! The folder that torch-sys linked against goes into the run path of every program of this package, and on to the
//! packages that link this library: cargo applies link arguments to a package's own programs only, so each of them
//! needs a build script like `tests/build.rs`. Without the feature `torch` there is no such folder and nothing to do.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_TCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
        println!("cargo::metadata=libtorch_lib={folder}");
    }
}
