//! Makes the tests find libtorch's shared libraries where bomp-search linked them (see `search/build.rs`).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_BOMP_SEARCH_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
