//! Cargo, run on this workspace and on the crates under `tests/downstream` as a user would.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard};

/// The workspace's folder.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().expect("tests is a folder of the workspace").to_owned()
}

/// Cargo's target folder. A copy of the workspace needs one of its own: Cargo names what it builds by
/// paths below the workspace, so in one folder the two would take turns in compiling everything anew.
pub fn target() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "Cargo's own variable")]
    let named = std::env::var_os("CARGO_TARGET_DIR");
    named.map_or_else(|| root().join("target"), PathBuf::from)
}

/// Spares a target folder of a copy of the workspace the crates of others.
///
/// # Panics
/// When they cannot be copied.
pub fn copy_compiled_crates(to: &Path) {
    let script = "mkdir -p \"$2/release\" && cd \"$1/release\" && \
                  tar -c --exclude='*llama*' --exclude='*xtask*' --exclude='it-*' deps build .fingerprint | \
                  tar -x -C \"$2/release\"";
    let status = command("sh").args(["-ec", script, "sh"]).arg(target()).arg(to).status();
    assert!(status.expect("there is a shell").success(), "cannot fill {}", to.display());
}

/// A folder under Cargo's target folder that outlives the test: builds in it stay warm.
///
/// # Panics
/// When it cannot be made.
pub fn scratch(name: &str) -> PathBuf {
    let dir = target().join("it").join(name);
    std::fs::create_dir_all(&dir).expect("the target folder can be written");
    dir
}

/// Where Cargo keeps the crates of registries.
///
/// # Panics
/// Without a home folder.
pub fn cargo_home() -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "Cargo's own variables")]
    let [named, home] = ["CARGO_HOME", "HOME"].map(std::env::var_os);
    let default = || PathBuf::from(home.expect("users have a home")).join(".cargo");
    named.map_or_else(default, PathBuf::from)
}

/// Held by every test that builds llama.cpp: two builds at once take twice the memory and the time.
pub fn one_build_at_a_time() -> MutexGuard<'static, ()> {
    static BUILDING: Mutex<()> = Mutex::new(());
    BUILDING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// One run of Cargo in a folder of a user's.
pub struct Cargo {
    command: Command,
}

impl Cargo {
    /// `cargo <args>` in `dir`, building into `target`, with none of the variables that Cargo and
    /// rustc set for the test itself.
    pub fn new(dir: &Path, target: &Path, args: &[&str]) -> Self {
        let mut command = command("cargo");
        command.args(args).current_dir(dir).env("CARGO_TARGET_DIR", target);
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy().into_owned();
            let of_cargo = name.starts_with("CARGO")
                && !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&name.as_str());
            if of_cargo || name.starts_with("LLAMA_") || name.starts_with("DEP_") {
                command.env_remove(name);
            }
        }
        Self { command }
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The command, for a test that manages its life.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Runs a shell script instead of Cargo, with what Cargo would have got, as root of namespaces of
    /// its own: `unshare <namespaces> sh -ec <script> sh <args>`. The script starts Cargo itself.
    pub fn unshared(
        &self,
        unshare: &Path,
        namespaces: &[&str],
        script: &str,
        args: &[&OsStr],
    ) -> Output {
        let mut unshared = command(unshare);
        unshared.arg("--map-root-user").args(namespaces).args(["sh", "-ec", script, "sh"]);
        self.instead(unshared.args(args))
    }

    /// Runs a shell line instead of Cargo, with what Cargo would have got.
    pub fn shell(&self, line: &str) -> Output {
        self.instead(command("sh").args(["-ec", line]))
    }

    fn instead(&self, other: &mut Command) -> Output {
        other.current_dir(self.command.get_current_dir().expect("`new` sets it"));
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => other.env(name, value),
                None => other.env_remove(name),
            };
        }
        other.output().expect("the program can be started")
    }

    /// Runs to the end.
    pub fn output(mut self) -> Output {
        self.command.output().expect("cargo can be started")
    }

    /// Runs to the end, which must be good; standard error.
    ///
    /// # Panics
    /// With everything that was printed when it fails.
    pub fn succeed(self) -> String {
        let output = self.output();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{}\n{stderr}", String::from_utf8_lossy(&output.stdout));
        stderr
    }

    /// Runs to the end, which must be good; the `OUT_DIR` of `llama-sys`.
    ///
    /// # Panics
    /// When the build fails or has no `llama-sys` in it.
    pub fn out_dir(mut self) -> PathBuf {
        self.command.arg("--message-format=json-render-diagnostics");
        let output = self.command.output().expect("cargo can be started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let messages = String::from_utf8(output.stdout).expect("JSON is UTF-8");
        let of_ours = |line: &str| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            let ours = message["reason"] == "build-script-executed"
                && message["package_id"].as_str()?.contains("llama-sys#");
            ours.then(|| message["out_dir"].as_str().map(PathBuf::from))?
        };
        messages.lines().find_map(of_ours).expect("llama-sys has a build script")
    }

    /// Runs to the end, which must be bad; standard error.
    ///
    /// # Panics
    /// With everything that was printed when it succeeds.
    pub fn fail(self) -> String {
        let output = self.output();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "this must fail:\n{stderr}");
        stderr
    }
}

/// `cargo xtask` with these arguments, as a person would type it.
pub fn xtask(args: &[&str]) -> Cargo {
    Cargo::new(&root(), &target(), &[&["xtask"], args].concat())
}

/// A program for a test.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    #[expect(
        clippy::disallowed_methods,
        reason = "tests look at what programs print and how they end"
    )]
    Command::new(program)
}
