//! `bomp-search`: the search's command line.

#[macro_use(print, println, eprintln)]
extern crate bomp_export;

mod commands;

fn main() -> std::process::ExitCode {
    bound_primitive_cache();
    commands::main()
}

/// Lets oneDNN, a part of libtorch, keep the code of 16 shapes instead of 1,024: every network has shapes of its own, so a worker
/// grew with each, by 100 MB in 200 networks. It costs no time. A capacity that the user has set wins.
#[allow(unsafe_code)]
fn bound_primitive_cache() {
    const CAPACITY: &str = "ONEDNN_PRIMITIVE_CACHE_CAPACITY";
    if std::env::var_os(CAPACITY).is_none() {
        // SAFETY: this is the first thing that `main` does, so no other thread exists that could read the environment.
        unsafe { std::env::set_var(CAPACITY, "16") };
    }
}
