//! What `dist` would build and from what: a pure value, which `--plan` shows and golden tests hold for
//! every row of the release matrix.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use llama_build::cmake::WORKER;
use llama_build::{Config, Features, FlagSet, Pin};
use llama_src::sh::Cmd;
use serde::Serialize;

use crate::advisories;
use product::variant::{Row, Variant, major_minor};

/// In command lines: where Cargo keeps crates, and where `llama-sys` was built.
const CARGO_HOME: &str = "$CARGO_HOME";
const OUT_DIR: &str = "$OUT_DIR";

/// One distribution, before anything is built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// Name of its folder.
    pub name: String,
    pub variant: Variant,
    /// Target triple.
    pub target: String,
    /// Version of the vendor's toolkit: major and minor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub toolkit: Option<String>,
    /// As CMake takes them.
    pub gpu_architectures: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minimum_driver: Option<&'static str>,
    /// Command lines, in order.
    pub steps: Vec<Step>,
    /// CMake definitions by what is built with them.
    pub flags: BTreeMap<String, FlagSet>,
    /// Files of the distribution; `*` where the build decides about names.
    pub files: Vec<String>,
}

/// One thing that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub what: String,
    pub command: String,
}

/// What decides a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub variant: Variant,
    pub target: String,
    pub toolkit: Option<String>,
    /// Instead of upstream's list, as CMake takes them.
    pub architectures: Option<String>,
    /// All CPU variants in the server itself.
    pub one_file: bool,
}

impl From<&Row> for Choice {
    fn from(row: &Row) -> Self {
        let (variant, target) = (row.variant, row.target.to_owned());
        let toolkit = row.toolkit.map(str::to_owned);
        Self { variant, target, toolkit, architectures: None, one_file: false }
    }
}

impl Plan {
    /// The plan for `choice` on a machine that is `host`.
    ///
    /// # Errors
    /// When the pinned build has no such features.
    pub fn new(choice: &Choice, host: &str, pin: &Pin) -> Result<Self> {
        let version = choice.toolkit.as_deref().and_then(major_minor);
        let architectures = architectures(choice);
        let mut plan = Self {
            name: name(choice),
            variant: choice.variant,
            target: choice.target.clone(),
            toolkit: choice.toolkit.clone(),
            minimum_driver: choice.variant.minimum_driver(version),
            steps: Vec::new(),
            flags: BTreeMap::new(),
            files: files(choice.variant, choice.one_file),
            gpu_architectures: architectures,
        };
        let payload = payload_config(&choice.target, host, choice.one_file)?;
        plan.flags.insert("llama-server".to_owned(), FlagSet::new(&payload, pin));
        plan.step("the CPU payload", &payload_command(choice, "$PWD", CARGO_HOME));
        if let Some(backend) = choice.variant.backend() {
            let config = backend_config(&plan, host)?.expect("the variant has a backend");
            let flags = FlagSet::new(&config, pin);
            let library = backend.library();
            let [source, build] = ["llama.cpp", &format!("{}/build", plan.label())]
                .map(|dir| format!("{OUT_DIR}/{dir}"));
            let define = flags.iter().map(|(name, value)| format!("-D{name}={value}"));
            let configure = Cmd::new("cmake").args(["-S", &source, "-B", &build]);
            plan.step(&format!("the backend {library}: configure"), &configure.args(define));
            let compile = Cmd::new("cmake").args(["--build", &build, "--target", library]);
            plan.step(&format!("the backend {library}: compile"), &compile);
            plan.flags.insert(library.to_owned(), flags);
        }
        let dir = format!("dist/{}", plan.name);
        plan.step("verify", &Cmd::new("cargo").args(["xtask", "verify", &dir]));
        Ok(plan)
    }

    fn step(&mut self, what: &str, command: &Cmd) {
        let command = with_variables(&command.to_string());
        self.steps.push(Step { what: what.to_owned(), command });
    }

    /// Variant and toolkit, as in `cuda-12.8`.
    pub fn label(&self) -> String {
        label(self.variant, self.toolkit.as_deref())
    }
}

fn label(variant: Variant, toolkit: Option<&str>) -> String {
    let toolkit = toolkit.map(|version| format!("-{version}")).unwrap_or_default();
    format!("{variant}{toolkit}")
}

pub(super) fn name(choice: &Choice) -> String {
    if choice.one_file {
        return format!("one-file-{}", choice.target);
    }
    format!("{}-{}", label(choice.variant, choice.toolkit.as_deref()), choice.target)
}

fn architectures(choice: &Choice) -> Vec<String> {
    let version = choice.toolkit.as_deref().and_then(major_minor);
    match &choice.architectures {
        Some(list) => {
            list.split([';', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
        }
        None => choice.variant.gpu_architectures(version).into_iter().map(str::to_owned).collect(),
    }
}

/// Configuration of the CPU payload, which all variants of a target share.
///
/// # Errors
/// Never: the features are known.
pub fn payload_config(target: &str, host: &str, one_file: bool) -> Result<Config> {
    let features = Features::parse(payload_features(one_file))?;
    Ok(Config::plain(features, target, host).settle().0)
}

/// Features of `llama-sys` that the payload is built with.
fn payload_features(one_file: bool) -> impl Iterator<Item = &'static str> {
    Variant::Cpu.features().into_iter().filter(move |name| !one_file || *name != "backend-dl")
}

/// Configuration of the backend that a variant adds.
///
/// # Errors
/// Never: the features are known.
pub fn backend_config(plan: &Plan, host: &str) -> Result<Option<Config>> {
    let Some(backend) = plan.variant.backend() else { return Ok(None) };
    let features = Features::parse(["backend-dl", backend.feature()])?;
    let mut config = Config::plain(features, &plan.target, host).settle().0;
    config.overrides.relocatable = true;
    let list = Some(plan.gpu_architectures.join(";")).filter(|list| !list.is_empty());
    if let Some(code) = plan.variant.row().gpu_code {
        *(code.architectures)(&mut config.overrides) = list;
    }
    Ok(Some(config))
}

/// Cargo's line for the CPU payload. No path of this machine may end in what is built, and no flag of
/// this user's: the folders that rustc sees are `root`, where it works, and the crates of registries.
pub fn payload_command(choice: &Choice, root: &str, cargo_home: &str) -> Cmd {
    let target = &choice.target;
    let features = ["build", "fetch"].into_iter().chain(payload_features(choice.one_file));
    let features: Vec<&str> = features.filter(|feature| *feature != "server").collect();
    // Stripped by the linker: its build id is then of what is left, and not of names that paths are in.
    // All for the target alone, so that build scripts stay what they are for every other build, which a
    // profile does not allow: fat LTO, another tenth of 0.9 MB, costs a hundred crates once more.
    let small = "'-Copt-level=s','-Ccodegen-units=1','-Cpanic=abort','-Cstrip=symbols'";
    let flags = format!("[{small},{}]", remapped(root, cargo_home));
    cargo_build("llama-server-bin", &features.join(","), target, &flags)
}

/// Flags of rustc's after which no path of this machine is in what is built.
pub(super) fn remapped(root: &str, cargo_home: &str) -> String {
    let maps = [(cargo_home, "cargo"), (root, "llama-server")];
    maps.map(|(from, to)| format!("'--remap-path-prefix={from}={to}'")).join(",")
}

/// Cargo's build of a package for `target` with these features, these flags of rustc's (a list in TOML), and nothing of
/// the user's.
pub(super) fn cargo_build(package: &str, features: &str, target: &str, flags: &str) -> Cmd {
    Cmd::new("cargo")
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env_remove("SOURCE_DATE_EPOCH")
        .env("LLAMA_SYS_RELOCATABLE", "1")
        .args(["build", "--release", "--locked", "--package", package])
        .args(["--no-default-features", "--features", features])
        .args(["--target", target])
        .args(["--config", &format!("target.{target}.rustflags={flags}")])
}

/// A line whose words with our variables are quoted so that a shell fills them in.
fn with_variables(line: &str) -> String {
    const QUOTE: &str = "'\\''";
    let mut text = String::new();
    for (at, part) in line.replace(QUOTE, "\0").split('\'').enumerate() {
        let is_quoted = at % 2 == 1;
        let has_variable = [CARGO_HOME, OUT_DIR].iter().any(|name| part.contains(name));
        let (quote, inner) = if has_variable { ("\"", "'") } else { ("'", QUOTE) };
        let quote = if is_quoted { quote } else { "" };
        text.push_str(&format!("{quote}{}{quote}", part.replace('\0', inner)));
    }
    text
}

pub fn files(variant: Variant, one_file: bool) -> Vec<String> {
    let backend = variant.backend().map(|backend| format!("lib{}.so", backend.library()));
    let mut files = vec![
        "llama-server",
        "llama-healthcheck",
        "bin/llama-server",
        "bin/llama-healthcheck",
        "licenses/*",
        "sbom.spdx.json",
        "version.json",
        advisories::VEX_FILE,
    ];
    let worker_link = format!("bin/{WORKER}");
    if !one_file {
        files.extend([
            WORKER,
            &worker_link,
            "libggml-base.so",
            "libggml-cpu-*.so",
            "libggml-rpc.so",
            "libggml.so",
            "libllama-common.so",
            "libllama-server-impl.so",
            "libllama.so",
            "libmtmd.so",
        ]);
    }
    files.extend(backend.as_deref());
    files.extend(variant.row().vendor_files);
    files.sort_unstable();
    files.into_iter().map(str::to_owned).collect()
}

/// For a person.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "dist/{}", self.name)?;
        if let Some(toolkit) = &self.toolkit {
            writeln!(f, "  toolkit: {} {toolkit}", self.variant)?;
        }
        if !self.gpu_architectures.is_empty() {
            writeln!(f, "  GPU architectures: {}", self.gpu_architectures.join(" "))?;
        }
        if let Some(driver) = self.minimum_driver {
            writeln!(f, "  minimum driver: {driver}")?;
        }
        for step in &self.steps {
            writeln!(f, "  {}:\n    {}", step.what, step.command)?;
        }
        for (what, flags) in &self.flags {
            writeln!(f, "  flags of {what}:")?;
            flags.to_string().lines().try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        writeln!(f, "  files:\n    {}", self.files.join("\n    "))
    }
}

#[cfg(test)]
#[path = "plan_images_tests.rs"]
mod images;

#[cfg(test)]
mod tests {
    use super::*;
    use product::variant::matrix;

    #[test]
    fn plans_of_the_whole_matrix_are_as_checked_in() {
        let golden = workspace::cargo::root().join("tools/distribution/tests/plans");
        #[expect(clippy::disallowed_methods, reason = "how golden files are written anew")]
        let update = std::env::var_os("UPDATE").is_some();
        let mut wrong = Vec::new();
        for row in matrix() {
            let plan =
                Plan::new(&Choice::from(&row), product::variant::X86_64, &Pin::example()).unwrap();
            let path = golden.join(format!("{}.txt", plan.name));
            if update {
                std::fs::create_dir_all(&golden).unwrap();
                std::fs::write(&path, plan.to_string()).unwrap();
            }
            if std::fs::read_to_string(&path).unwrap_or_default() != plan.to_string() {
                wrong.push(plan.name);
            }
        }
        assert!(
            wrong.is_empty(),
            "plans changed: {wrong:?}; look at them, then UPDATE=1 cargo test -p distribution plans"
        );
    }

    #[test]
    fn one_file_is_the_payload_without_libraries() {
        let row = &matrix()[0];
        let choice = Choice { one_file: true, ..Choice::from(row) };
        let plan = Plan::new(&choice, product::variant::X86_64, &Pin::example()).unwrap();
        assert_eq!(plan.name, "one-file-x86_64-unknown-linux-gnu");
        assert!(!plan.files.iter().any(|file| file.ends_with(".so")), "{:?}", plan.files);
        assert!(plan.steps[0].command.contains("fetch,ui,openmp,tls,cpu-all-variants,rpc "));
        let flags = &plan.flags["llama-server"];
        assert_eq!(flags.value("BUILD_SHARED_LIBS"), Some("OFF"));
        assert_eq!(flags.value("GGML_CPU_ALL_VARIANTS"), Some("ON"));
    }

    #[test]
    fn architectures_of_the_user_replace_upstreams() {
        let choice = Choice {
            variant: Variant::Cuda,
            target: product::variant::X86_64.to_owned(),
            toolkit: Some("13.0".to_owned()),
            architectures: Some("90,100".to_owned()),
            one_file: false,
        };
        let plan = Plan::new(&choice, product::variant::X86_64, &Pin::example()).unwrap();
        assert_eq!(plan.gpu_architectures, ["90", "100"]);
        assert_eq!(plan.flags["ggml-cuda"].value("CMAKE_CUDA_ARCHITECTURES"), Some("90;100"));
        assert_eq!(plan.flags["ggml-cuda"].value("LLAMA_BUILD_SERVER"), Some("OFF"));
    }
}
