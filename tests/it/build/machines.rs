//! Many machines build one tree: what one has compiled, another takes from a cache of the network.

use std::path::Path;
use std::time::Duration;

use llama_tests::docker::{self, Container};
use llama_tests::http;
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

/// Debian's nginx, into which anybody may put files.
fn nginx() -> Option<(Container, String)> {
    let (tools, port) = (docker::tools()?, free_port().to_string());
    let serve = "sed -i s/PORT/$0/ /etc/nginx/cache.conf && exec nginx -c /etc/nginx/cache.conf";
    let nginx = Container::start(&["--network", "host", &tools, "sh", "-c", serve, &port]);
    let url = format!("http://127.0.0.1:{port}");
    wait_for("nginx", || http::status(&url, Duration::from_secs(1)));
    Some((nginx, url))
}

/// Builds the library in a clone of its own in `dir`, as another machine would: hits and misses of its ccache.
fn build(dir: &Path, remote: &str) -> (u64, u64) {
    let (clone, cache) = (dir.join("clone"), dir.join("ccache"));
    std::fs::create_dir_all(&clone).unwrap();
    clone_into(&clone);
    source_into(&clone);
    commit(&clone);
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

/// Makes the clone a repository with a commit of its own: upstream's CMake asks git for it.
fn commit(clone: &Path) {
    let who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"];
    let message = clone.display().to_string();
    let commit = ["commit", "--quiet", "--allow-empty", "--message", &message];
    for words in [&["init", "--quiet"][..], &[&who[..], &commit].concat()] {
        assert!(command("git").args(words).current_dir(clone).status().unwrap().success());
    }
}

/// Clones in different folders, each with a cache of its own, a redis and a web server: the second takes all from the
/// one, the third all from the other.
#[test]
fn a_second_machine_takes_what_the_first_has_compiled() {
    let _building = one_build_at_a_time();
    let (Some((_redis, redis)), Some((_nginx, web))) = (redis(), nginx()) else { return };
    let build = |name: &str, remote: &str| {
        let dir = tempfile::tempdir().unwrap();
        build(&dir.path().join(name), remote)
    };
    // ccache writes to all that it knows of.
    let first = build("first", &format!("{redis} {web}"));
    let all = first.0 + first.1;
    assert!(all > 50, "{first:?}: the library has more files");
    for (name, remote) in [("the/second one", redis), ("third", web)] {
        let (hits, misses) = build(name, &remote);
        assert_eq!(hits, all, "{name} compiled {misses} files");
    }
}
