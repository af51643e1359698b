//! Vendors' toolkits that are not on the system, for `serve` and `setup`: the distribution tool finds them in the user's
//! own folder, or puts them there.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use llama_build::Config;
use llama_build::toolchain;
use llama_src::Error;
use workspace::{cargo, install, tools};

/// Features whose toolkit the tool can bring, and what it brings, for a person.
const BROUGHT: [(&str, &str); 2] = [
    ("cuda", "NVIDIA's compiler from PyPI, 0.9 GB"),
    ("vulkan", "headers and shader compiler from Debian, 0.1 GB"),
];

/// Notes in `config` what it finds; the variables tell a build of it.
///
/// # Errors
/// When a toolkit is missing and may not, or cannot, be brought.
pub(crate) fn find(config: &mut Config, yes: bool) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut env = Vec::new();
    for (feature, what) in lacking(config) {
        let command = format!("cargo xtask setup --features {feature} --yes");
        let found = match ask(feature, false)? {
            Some(found) => found,
            None if yes || install::agreed(&command)? => ask(feature, true)?
                .with_context(|| format!("no toolkit for feature `{feature}` was brought"))?,
            None => bail!(
                Error::missing(format!("no toolkit for feature `{feature}`"))
                    .hint(format!(
                        "let this command bring it ({what}, into {}): add --yes",
                        cargo::toolkits().display()
                    ))
                    .hint("or install the vendor's own")
            ),
        };
        for (name, own) in [
            ("CUDACXX", &mut config.toolkits.cudacxx),
            ("CUDA_PATH", &mut config.toolkits.cuda),
            ("VULKAN_SDK", &mut config.toolkits.vulkan),
        ] {
            if let Some(path) = found.get(name) {
                env.push((name, path.clone()));
                *own = Some(path.clone());
            }
        }
    }
    Ok(env)
}

/// The features of `config` whose toolkit this machine lacks and the tool can bring.
fn lacking(config: &Config) -> Vec<(&'static str, &'static str)> {
    if !cargo::host().starts_with("x86_64-unknown-linux-gnu") {
        return Vec::new();
    }
    let findings = toolchain::inspect(config);
    let lacks = |feature: &str| {
        let needed_for = format!("feature `{feature}`");
        findings
            .iter()
            .any(|found| found.requirement.needed_for == needed_for && found.result.is_err())
    };
    BROUGHT.into_iter().filter(|(feature, _)| lacks(feature)).collect()
}

/// The variables that tell a build where the toolkit is; `None` when there is none and the tool may bring none.
fn ask(feature: &str, bring: bool) -> Result<Option<BTreeMap<String, PathBuf>>> {
    let cmd = tools::cmd("toolkit").arg(feature);
    let said = if bring { cmd.arg("--setup") } else { cmd }.read_shown()?;
    serde_json::from_str(&said).context("the tool's answer is no JSON")
}
