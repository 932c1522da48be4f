//! Passes on what nginx-sys found out about this nginx, and binds the C shim.

use std::env;
use std::path::PathBuf;

/// The oldest nginx that is known to work, and the first one that is not known yet. scripts/nginx.sh and auto/rust read
/// this line as well.
const KNOWN_VERSIONS: std::ops::Range<u64> = 1_022_000..1_032_000;

fn main() {
    if variable("CARGO_CFG_TARGET_POINTER_WIDTH") != "64" {
        println!("cargo::error=only 64-bit machines are supported");
        return;
    }
    let version = variable("DEP_NGINX_VERSION_NUMBER").parse::<u64>().unwrap_or(0);
    if !KNOWN_VERSIONS.contains(&version) {
        // The size and the life of nginx's structures are part of what this module is built on.
        let (major, minor, patch) = (version / 1_000_000, version / 1000 % 1000, version % 1000);
        println!(
            "cargo::error=nginx {major}.{minor}.{patch} is not known to work with this module: README.md tells which are"
        );
        return;
    }
    pass_on("ngx_feature", "FEATURES");
    pass_on("ngx_os", "OS");
    bind_shim();
}

/// Turns nginx-sys's lists into `cfg(NAME = "value")`.
fn pass_on(name: &str, list: &str) {
    let known = variable(&format!("DEP_NGINX_{list}_CHECK"));
    println!("cargo::rustc-check-cfg=cfg({name}, values({known}))");
    for value in variable(&format!("DEP_NGINX_{list}")).split(',').filter(|value| !value.is_empty()) {
        println!("cargo::rustc-cfg={name}=\"{value}\"");
    }
}

/// Compiles src/nginx/shim.h, with what it includes, and generates its Rust side, in the terms of nginx-sys.
fn bind_shim() {
    const SHIM: &str = "src/nginx/shim.h";
    println!("cargo::rerun-if-changed={SHIM}");
    println!("cargo::rerun-if-changed=src/nginx/shim");
    let out = PathBuf::from(variable("OUT_DIR"));
    let includes: Vec<_> = env::split_paths(&variable("DEP_NGINX_INCLUDE")).collect();
    let defines = variable("DEP_NGINX_CFLAGS");
    let defines: Vec<_> = defines.split_whitespace().collect();

    bindgen::Builder::default()
        .header(SHIM)
        .clang_args(includes.iter().map(|path| format!("-I{}", path.display())))
        .clang_args(&defines)
        .allowlist_function("wsk_.*")
        .allowlist_var("WSK_.*")
        .allowlist_recursively(false)
        .wrap_static_fns(true)
        .wrap_static_fns_path(out.join("shim"))
        .layout_tests(false)
        .use_core()
        .generate()
        .expect("bindings of the shim")
        .write_to_file(out.join("shim.rs"))
        .expect("a writable OUT_DIR");

    let mut compiler = cc::Build::new();
    compiler.file(out.join("shim.c")).includes(&includes).include(".").warnings(false);
    for define in defines {
        compiler.flag(define);
    }
    compiler.compile("websockify_shim");
}

fn variable(name: &str) -> String {
    println!("cargo::rerun-if-env-changed={name}");
    env::var(name).unwrap_or_default()
}
