//! SIGKILL at any moment, several processes at once, a full disk: the next command succeeds, the store is
//! whole, no temporary file stays.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use llama_tests::needs;
use llama_tests::packer::Packer;
use llama_tests::process::finish;

use super::refusals::names;

/// A folder to build in, whose file has weights that are enough to be killed in.
pub(super) struct Bench {
    pub(super) packer: Packer,
    dir: tempfile::TempDir,
    random: u64,
    pub(super) killed: usize,
}

const FILE: &str = "FROM scratch AS from\nCOPY m.gguf .\nFROM scratch\nARG TYPE=Q4_K_M\n\
    COPY ballast-*.safetensors small .\nQUANTIZE --from=from --type=${TYPE} m.gguf q.gguf\n\
    CMD [\"-m\", \"q.gguf\"]\n";

impl Bench {
    fn new() -> Option<Self> {
        Self::with_ballast(8 << 20)
    }

    /// With three files of this many bytes besides the model.
    pub(super) fn with_ballast(bytes: usize) -> Option<Self> {
        let packer = Packer::new()?;
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let (demo, model) = (needs::demo_model()?, at("m.gguf"));
        let words = ["quantize", "--allow-requantize", "--type", "F16"];
        packer.does(&[&words[..], &[demo.to_str().unwrap(), model.to_str().unwrap()]].concat());
        for n in 0..3_u8 {
            fs::write(at(&format!("ballast-{n}.safetensors")), vec![n; bytes]).unwrap();
        }
        fs::write(at("small"), "small").unwrap();
        fs::write(at("GGUFPackerfile"), FILE).unwrap();
        fs::create_dir(at("out")).unwrap();
        Some(Self { packer, dir, random: 14, killed: 0 })
    }

    /// Knuth's generator: the same kills in each run, as far as a machine does the same twice.
    fn random(&mut self) -> f64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        f64::from(u32::try_from(self.random >> 32).unwrap()) / f64::from(u32::MAX)
    }

    pub(super) fn does(&self, words: &[&str]) -> String {
        self.packer.does_in(self.dir.path(), words)
    }

    /// How long the command takes.
    pub(super) fn time(&self, words: &[&str]) -> Duration {
        let start = Instant::now();
        self.does(words);
        start.elapsed()
    }

    /// Starts the command and kills it after a part of `whole`, which shrinks where the machine has become faster.
    pub(super) fn kill(&mut self, words: &[&str], whole: &mut Duration) {
        let mut command = self.packer.command(words);
        command.current_dir(self.dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let part = whole.mul_f64(self.random());
        thread::sleep(part);
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert!(status.success() || status.signal() == Some(9), "{words:?} ended with {status}");
        if status.success() {
            *whole = part;
        } else {
            self.killed += 1;
        }
    }

    /// The store is whole, and nothing is there that a killed process left.
    pub(super) fn is_clean(&self, after: &str) {
        let output = self.does(&["store", "check", "--deep"]);
        assert!(output.contains("the store is intact"), "after {after}: {output}");
        assert_eq!(names(&self.packer.store().join("temp")), [""; 0], "after {after}");
        for folder in [self.dir.path().to_owned(), self.dir.path().join("out")] {
            let parts = hidden(&folder);
            assert_eq!(parts, [""; 0], "after {after}");
        }
    }
}

/// Files that begin with a dot, in all folders below.
fn hidden(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in names(folder) {
        if folder.join(&name).is_dir() {
            found.extend(hidden(&folder.join(&name)));
        }
        if name.starts_with('.') {
            found.push(name);
        }
    }
    found
}

#[test]
fn after_a_hundred_kills_everything_is_whole() {
    let Some(mut bench) = Bench::new() else { return };
    let build = ["build", "--no-cache", "--tag", "t:1", "--tag", "t:2", "."];
    let archive = ["save", "--output", "oci-archive=out/a.tar", "t:1"];
    let folder = ["save", "--output", "oci-dir=out/layout", "t:1"];
    let load = ["load", "out/a.tar"];
    let quantize = ["quantize", "--type", "Q4_K_M", "m.gguf", "out/q.gguf"];
    let mut whole = bench.time(&build);
    for _ in 0..30 {
        bench.kill(&build, &mut whole);
        bench.does(&build);
        bench.is_clean("build");
    }
    for words in [archive, folder] {
        let mut whole = bench.time(&words);
        for _ in 0..8 {
            fs::remove_dir_all(bench.dir.path().join("out")).unwrap();
            fs::create_dir(bench.dir.path().join("out")).unwrap();
            bench.kill(&words, &mut whole);
            bench.does(&words);
            bench.is_clean("save");
        }
    }
    let mut whole = bench.time(&quantize);
    for _ in 0..14 {
        bench.kill(&quantize, &mut whole);
        bench.does(&quantize);
        bench.is_clean("quantize");
    }
    bench.does(&archive);
    let gone = |bench: &Bench| {
        for name in ["t:1", "t:2"] {
            bench.packer.run(&["remove", name]);
        }
    };
    gone(&bench);
    bench.does(&["prune"]);
    let mut whole = bench.time(&load);
    for _ in 0..16 {
        gone(&bench);
        bench.kill(&load, &mut whole);
        bench.does(&load);
        bench.is_clean("load");
    }
    let mut whole = bench.time(&["remove", "t:1"]);
    for round in 0..24 {
        bench.does(&load);
        bench.does(&build);
        let words = [&["remove", "t:1", "t:2"][..], &["prune"]][round % 2];
        bench.kill(words, &mut whole);
        bench.does(&["prune"]);
        bench.is_clean("remove");
    }
    // 30 builds, 16 saves, 14 times quantizing and 16 loading, 12 removals and 12 prunings. A command that
    // came to its end before is one that was not killed.
    assert!(bench.killed >= 40, "only {} of 100 commands were killed", bench.killed);
}

#[test]
fn builds_beside_each_other_and_beside_prunings_succeed() {
    let Some(bench) = Bench::new() else { return };
    thread::scope(|scope| {
        for worker in 0..2 {
            let bench = &bench;
            scope.spawn(move || {
                for round in 0..4 {
                    let tag = format!("t:{worker}");
                    let kind = format!("TYPE=Q{}_K_M", 4 + (worker + round) % 2);
                    bench.does(&["build", "--no-cache", "--build-arg", &kind, "--tag", &tag, "."]);
                    let done = bench.packer.run([&["prune"][..], &["remove", &tag]][round % 2]);
                    let busy = done.output.contains("another gguf-packer is using the store");
                    assert!(done.status.success() || busy, "{}", done.output);
                }
            });
        }
    });
    bench.is_clean("builds");
    bench.does(&["build", "--tag", "t:0", "."]);
    bench.does(&["build", "--tag", "t:1", "."]);
    let ids = [0, 1].map(|n| bench.does(&["inspect", &format!("t:{n}")]));
    assert_eq!(ids[0], ids[1], "the same file is the same image");
}

/// A file system that goes with this value.
pub(super) struct Small(tempfile::TempDir);

impl Small {
    pub(super) fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = needs::as_root("mount")?;
        let options = format!("size={size},mode=1777");
        mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(dir.path());
        let done = finish(&mut mount);
        let why = format!("a small file system: {}", done.output);
        needs::need(&why, done.status.success().then_some(Self(dir)))
    }

    pub(super) fn remount(&self, options: &str) {
        let mut mount = needs::as_root("mount").expect("it was mounted");
        let done = finish(mount.args(["-o", &format!("remount,{options}")]).arg(self.path()));
        assert!(done.status.success(), "{}", done.output);
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let mut umount = needs::as_root("umount").expect("it was mounted");
        let done = finish(umount.arg(self.0.path()));
        assert!(done.status.success() || thread::panicking(), "{}", done.output);
    }
}

#[test]
fn a_full_disk_is_told_and_once_there_is_room_the_same_command_succeeds() {
    let Some(bench) = Bench::new() else { return };
    let Some(small) = Small::mount("20m") else { return };
    let store = small.0.path().join("store");
    let store = ["--store", store.to_str().unwrap()];
    let dir = bench.dir.path();
    let run = |words: &[&str]| bench.packer.run_in(dir, &[&store[..], words].concat());
    let hint = "hint: free some disk space and run the same command again";
    for words in [&["build", "--tag", "t:1", "."][..], &["load", "out/a.tar"]] {
        if words[0] == "load" {
            bench.does(&["build", "--tag", "t:1", "."]);
            bench.does(&["save", "--output", "oci-archive=out/a.tar", "t:1"]);
        }
        let done = run(words);
        done.assert_refused("a command with a full disk", hint);
        assert!(!done.output.contains("panicked"), "{}", done.output);
        let checked = run(&["store", "check", "--deep"]);
        assert!(checked.output.contains("the store is intact: 0 images"), "{}", checked.output);
        assert_eq!(names(&small.0.path().join("store/temp")), [""; 0]);
        assert!(run(&["prune"]).status.success());
    }
    small.remount("size=100m");
    for words in [&["load", "out/a.tar"][..], &["build", "--tag", "t:2", "."]] {
        let done = run(words);
        assert!(done.status.success(), "{words:?}: {}", done.output);
    }
    // Outputs that do not fit leave nothing either.
    let out = small.0.path().join("out");
    fs::create_dir(&out).unwrap();
    let ballast = fs::File::create(out.join("ballast")).unwrap();
    let mut left = std::io::repeat(7);
    std::io::copy(&mut left, &mut &ballast).unwrap_err();
    for kind in ["oci-archive", "docker-archive"] {
        let to = format!("{kind}={}", out.join("a.tar").display());
        bench.packer.run_in(dir, &["save", "--output", &to, "t:1"]).assert_refused("save", hint);
    }
    let to = out.join("q.gguf");
    let words = ["quantize", "--type", "Q4_K_M", "m.gguf", to.to_str().unwrap()];
    bench.packer.run_in(dir, &words).assert_refused("quantize", "quantizing to Q4_K_M failed");
    assert_eq!(names(&out), ["ballast"]);
}
