//! Many machines build one tree: what one has compiled, another takes from a cache of the network.

use std::path::Path;

use llama_tests::docker::{self, Container};
use llama_tests::process::wait_for;
use llama_tests::server::free_port;
use llama_tests::workspace::{Cargo, command, copy_compiled_crates, one_build_at_a_time};

use super::proof::{clone_into, source_into};

/// A redis of Debian's, which keeps nothing.
fn redis() -> Option<(Container, String)> {
    let (tools, port) = (docker::tools()?, free_port().to_string());
    let serve = ["redis-server", "--bind", "127.0.0.1", "--port", &port, "--save", ""];
    let own = ["--network", "host", tools.as_str()];
    let redis = Container::start(&[&own[..], &serve].concat());
    let ping = ["redis-cli", "-p", &port, "ping"];
    wait_for("redis", || redis.exec(&ping).status.success().then_some(()));
    Some((redis, format!("redis://127.0.0.1:{port}")))
}

/// Builds the library in a clone of its own in `dir`, as another machine would: hits and misses of its ccache.
fn build(dir: &Path, remote: &str) -> (u64, u64) {
    let (clone, cache) = (dir.join("clone"), dir.join("ccache"));
    std::fs::create_dir_all(&clone).unwrap();
    clone_into(&clone);
    source_into(&clone);
    let target = clone.join("target");
    copy_compiled_crates(&target);
    let library = ["build", "--release", "--package", "llama-sys", "--no-default-features"];
    Cargo::new(&clone, &target, &library)
        .env("CARGO_NET_OFFLINE", "true")
        .env("LLAMA_SYS_COMPILER_LAUNCHER", "ccache")
        .env("CCACHE_DIR", &cache)
        .env("CCACHE_REMOTE_STORAGE", remote)
        .succeed();
    let stats = command("ccache").arg("--print-stats").env("CCACHE_DIR", &cache).output().unwrap();
    let stats = String::from_utf8(stats.stdout).unwrap();
    let count = |name: &str| {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("{name}\t")));
        line.unwrap_or_else(|| panic!("no {name} in\n{stats}")).parse::<u64>().unwrap()
    };
    (count("direct_cache_hit") + count("preprocessed_cache_hit"), count("cache_miss"))
}

/// Two clones in different folders, each with a cache of its own, and one redis: the second compiles nothing.
#[test]
fn a_second_machine_takes_what_the_first_has_compiled() {
    let _building = one_build_at_a_time();
    let Some((_redis, remote)) = redis() else { return };
    let [first, second] = ["first", "the/second one"].map(|name| {
        let dir = tempfile::tempdir().unwrap();
        build(&dir.path().join(name), &remote)
    });
    let all = first.0 + first.1;
    assert!(all > 50, "{first:?}: the library has more files");
    assert_eq!(second.0 + second.1, all, "{first:?} {second:?}");
    assert!(second.0 * 100 >= all * 95, "the second machine compiled {} of {all} files", second.1);
}
