//! What was asked for, and what is built of it: features are additive, conflicts end by rule.

use std::path::PathBuf;

use crate::backend::Backend;
use crate::feature::{DefaultIn, Feature, Features};
pub use crate::given::{Compilers, Overrides, Toolkits};
use crate::target::{Os, Target};
use crate::{android, apple};

/// Everything that decides a build. Made once; nothing reads the environment after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What is built for.
    pub target: Target,
    /// What builds.
    pub host: Target,
    /// Features after the rules of `Config::new`.
    pub features: Features,
    /// Environment variables of ours.
    pub overrides: Overrides,
    /// Compilers named by the user.
    pub compilers: Compilers,
    /// Vendors' toolkits named by the user.
    pub toolkits: Toolkits,
    /// The C runtime is linked statically (`-C target-feature=+crt-static`).
    pub crt_static: bool,
    /// Folder of an OpenSSL that the user named (`OPENSSL_ROOT_DIR`, `OPENSSL_DIR`).
    pub openssl_root: Option<PathBuf>,
    /// Folder of Android's NDK (`ANDROID_NDK_HOME`, `ANDROID_NDK_ROOT`, `ANDROID_NDK`, or where `CC` is).
    pub android_ndk: Option<PathBuf>,
    /// Android's API level, if the compiler's flags or name say one.
    pub android_api: Option<u32>,
    /// The oldest of Apple's systems that the program is for (`MACOSX_DEPLOYMENT_TARGET`,
    /// `IPHONEOS_DEPLOYMENT_TARGET`).
    pub deployment_target: Option<String>,
    /// Cargo's number of jobs (`NUM_JOBS`).
    pub cargo_jobs: usize,
}

impl Config {
    /// A build of `features` for `target` on `host`, with nothing from the environment.
    #[must_use]
    pub fn plain(features: Features, target: &str, host: &str) -> Self {
        Self {
            target: Target::parse(target),
            host: Target::parse(host),
            features,
            overrides: Overrides::default(),
            compilers: Compilers::default(),
            toolkits: Toolkits::default(),
            crt_static: false,
            openssl_root: None,
            android_ndk: None,
            android_api: None,
            deployment_target: None,
            cargo_jobs: 1,
        }
    }

    /// Settles what cannot go together, once, and says each thing that was settled against the
    /// user's words.
    #[must_use]
    pub fn settle(mut self) -> (Self, Vec<String>) {
        let mut said: Vec<String> = apple::too_old(&self).into_iter().collect();
        let target = self.target.clone();
        let features = &mut self.features;
        if features.has(Feature::System) {
            settle_system(features, &mut said);
            return (self, said);
        }
        settle_backends(features, &target, &mut said);
        settle_linkage(features, &target, self.crt_static, &mut said);
        settle_cpu(features, &target, target.triple != self.host.triple, &mut said);
        if target.os == Os::Ios {
            features.remove(Feature::Server);
        }
        if features.has(Feature::Server) {
            // The server links the multimodal library anyway.
            features.insert(Feature::Mtmd);
        } else {
            features.remove(Feature::Ui);
        }
        if target.is_apple() || target.os == Os::Android || target.is_musl() {
            features.remove(Feature::Openmp);
        }
        settle_tls(features, &target, self.openssl_root.is_some(), &mut said);
        if target.os == Os::Android {
            said.extend(android::platform(&self).1);
        }
        if !self.compilers.left_out.is_empty() {
            let flags = self.compilers.left_out.join(" ");
            said.push(format!(
                "removed {flags} from CFLAGS, CXXFLAGS and LDFLAGS, because Rust's linker does \
                not support it"
            ));
        }
        (self, said)
    }

    /// Whether the target is not the machine that builds.
    #[must_use]
    pub fn is_cross(&self) -> bool {
        self.target.triple != self.host.triple
    }
}

/// Leaves out what only a build can give. Those that are on by default are no wish of anybody's.
fn settle_system(features: &mut Features, said: &mut Vec<String>) {
    let kept = [Feature::System, Feature::Bindgen, Feature::Mtmd, Feature::Fetch];
    let left_out: Vec<_> = features.rows().filter(|row| !kept.contains(&row.feature)).collect();
    for row in left_out {
        features.remove(row.feature);
        if row.default != DefaultIn::Both {
            said.push(format!("ignored feature `{}`: `system` builds nothing", row.name));
        }
    }
}

/// Leaves TLS out where only a named OpenSSL could give it.
fn settle_tls(features: &mut Features, target: &Target, is_named: bool, said: &mut Vec<String>) {
    if target.os == Os::Linux || is_named {
        return;
    }
    if features.has(Feature::Tls) && features.has(Feature::Server) {
        said.push(format!(
            "feature `tls` is not supported on {target} without OPENSSL_ROOT_DIR, so \
            `llama-server` cannot download models; set OPENSSL_ROOT_DIR to the folder of an OpenSSL"
        ));
    }
    features.remove(Feature::Tls);
}

/// Leaves out backends that do not exist on the target, and adds those that upstream's builds for it have.
fn settle_backends(features: &mut Features, target: &Target, said: &mut Vec<String>) {
    let asked: Vec<Backend> = features.backends().collect();
    for backend in asked.into_iter().filter(|backend| !(backend.row().exists_on)(target)) {
        said.push(format!("ignored feature `{backend}`: it does not exist on {target}"));
        features.remove(backend);
    }
    for backend in Backend::all().filter(|backend| (backend.row().default_on)(target)) {
        features.insert(backend);
    }
}

/// Shared or static, by rule: two backends that define the same symbols need shared libraries, and so does
/// `cpu-all-variants` where one file cannot hold them; a target without a dynamic loader needs static ones.
fn settle_linkage(
    features: &mut Features,
    target: &Target,
    crt_static: bool,
    said: &mut Vec<String>,
) {
    if features.has(Feature::CpuAllVariants) && !target.has_cpu_variants() {
        said.push(format!(
            "llama.cpp has no CPU variants for {target}: `cpu-all-variants` builds one CPU library"
        ));
        features.remove(Feature::CpuAllVariants);
        features.insert(Feature::BackendDl);
    }
    let static_only = !target.has_dynamic_loading() || (target.is_musl() && crt_static);
    let embeds = target.embeds_cpu_variants();
    let shared = features.has(Feature::BackendDl);
    if features.has(Feature::CpuAllVariants) && !shared && !embeds {
        if !static_only {
            said.push(format!(
                "a single file for {target} cannot contain all CPU variants: enabled `backend-dl`"
            ));
        }
        features.insert(Feature::BackendDl);
    }
    let both = [Backend::Cuda, Backend::Rocm].iter().all(|backend| features.has(*backend));
    if both && !features.has(Feature::BackendDl) {
        said.push(
            "`cuda` and `rocm` define the same symbols and cannot be linked into one program: \
            enabled `backend-dl`"
                .into(),
        );
        features.insert(Feature::BackendDl);
    }
    if features.has(Feature::BackendDl) && static_only {
        said.push(format!("{target} cannot load libraries at run time: ignored `backend-dl`"));
        features.remove(Feature::BackendDl);
        if !embeds {
            features.remove(Feature::CpuAllVariants);
        }
    }
}

fn settle_cpu(features: &mut Features, target: &Target, cross: bool, said: &mut Vec<String>) {
    let others = [Feature::CpuAllVariants, Feature::BackendDl];
    let other = others.into_iter().find(|other| features.has(*other));
    if let Some(other) = other.filter(|_| features.has(Feature::Native)) {
        let other = other.name();
        said.push(format!("`native` and `{other}` cannot be used together: ignored `native`"));
        features.remove(Feature::Native);
    }
    if features.has(Feature::Native) && cross {
        said.push(format!("ignored `native`: this machine cannot tune for {target}"));
        features.remove(Feature::Native);
    }
}

#[cfg(test)]
mod tests {
    use crate::feature::Feature;

    /// Features after the rules, and what was said.
    fn settled(triple: &str, features: &str) -> (bool, bool, Vec<String>) {
        let (config, said) = crate::tests::config(triple, features).settle();
        let has = |feature| config.features.has(feature);
        (has(Feature::CpuAllVariants), has(Feature::BackendDl), said)
    }

    #[test]
    fn an_installed_library_has_no_features_of_a_build() {
        let (config, said) = crate::tests::config(
            "x86_64-unknown-linux-gnu",
            "system mtmd bindgen server ui cuda quantize",
        )
        .settle();
        assert_eq!(config.features.names().collect::<Vec<_>>(), ["mtmd", "bindgen", "system"]);
        let ignored = |name| format!("ignored feature `{name}`: `system` builds nothing");
        assert_eq!(said, [ignored("cuda"), ignored("quantize")]);
    }

    #[test]
    fn all_variants_are_one_file_where_one_file_can_hold_them() {
        for triple in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-musl"] {
            assert_eq!(settled(triple, "cpu-all-variants"), (true, false, vec![]), "{triple}");
        }
        let both = settled("x86_64-unknown-linux-gnu", "cpu-all-variants backend-dl");
        assert_eq!(both, (true, true, vec![]));
        let apple = "a single file for aarch64-apple-darwin cannot contain all CPU variants: \
            enabled `backend-dl`";
        assert_eq!(
            settled("aarch64-apple-darwin", "cpu-all-variants"),
            (true, true, vec![apple.to_owned()])
        );
        let native = "`native` and `cpu-all-variants` cannot be used together: ignored `native`";
        assert_eq!(
            settled("x86_64-unknown-linux-gnu", "cpu-all-variants native"),
            (true, false, vec![native.to_owned()])
        );
    }
}
