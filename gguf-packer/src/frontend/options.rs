//! Options of `docker build`, as BuildKit hands them on.

use std::collections::BTreeMap;

use super::daemon::Daemon;
use super::pb::{HostIp, Meta, NetMode, ProxyEnv, Ulimit};
use crate::Error;
use crate::image::Platform;
use crate::language::Check;

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// `--build-arg`, the daemon's own among them.
    pub(super) build_args: BTreeMap<String, String>,
    pub(super) labels: Vec<(String, String)>,
    pub(super) target: Option<String>,
    /// None: what the daemon runs on.
    pub(super) platforms: Vec<Platform>,
    /// The result is an index, of one platform or several.
    pub(super) several: bool,
    pub(super) no_cache: bool,
    pub(super) source_date: Option<u64>,
    /// How containers are run.
    pub(super) container: Container,
    /// `default`, `pull` or `local`.
    pub(super) resolve_mode: String,
    /// Keep `.git` of a context that is a repository.
    pub(super) keep_git_dir: bool,
    /// How the file is checked, whatever it says itself.
    pub(super) check: Option<Check>,
    /// Where Hugging Face is, other than at its own address.
    pub(super) endpoint: Option<String>,
}

/// How containers are run.
#[derive(Debug, Clone, Default)]
pub(super) struct Container {
    pub(super) network: i32,
    hosts: Vec<HostIp>,
    ulimits: Vec<Ulimit>,
    cgroup_parent: String,
    proxy: Option<ProxyEnv>,
}

impl Options {
    pub(super) fn read(daemon: &Daemon<'_>) -> Result<Self, Error> {
        let said = |name: &str| daemon.option(name).filter(|text| !text.is_empty());
        let build_args = prefixed(&daemon.options, "build-arg:");
        let platforms: Vec<Platform> = said("platform")
            .map(|text| text.split(',').map(|one| one.trim().parse()).collect())
            .transpose()?
            .unwrap_or_default();
        let arg = |name: &str| build_args.get(name).filter(|text| !text.is_empty());
        let asked = arg("BUILDKIT_MULTI_PLATFORM").map(String::as_str).or(said("multi-platform"));
        let several =
            asked.map_or(Ok(platforms.len() > 1), |text| truth("multi-platform", text))?;
        if !several && platforms.len() > 1 {
            return Err(Error::new(
                "several platforms requested, but multi-platform output is off",
            )
            .hint("request one platform, or leave BUILDKIT_MULTI_PLATFORM out"));
        }
        let source_date = arg("SOURCE_DATE_EPOCH").map(|text| {
            let wrong =
                |_| Error::new(format!("SOURCE_DATE_EPOCH is `{text}`, not a number of seconds"));
            text.parse().map_err(wrong)
        });
        let named = ["BUILDKIT_GGUFPACKER_CHECK", "BUILDKIT_DOCKERFILE_CHECK"];
        let check = named.into_iter().find_map(|name| Some((name, arg(name)?)));
        let check = check.map(|(name, text)| {
            Check::parse(text).map_err(|part| {
                Error::new(format!("{name}: unknown check option `{part}`"))
                    .hint(format!("{name}=skip=StageNameCasing;error=true"))
            })
        });
        let flag = |name: &str| arg(name).map_or(Ok(false), |text| truth(name, text));
        let proxy = proxy(&build_args);
        Ok(Self {
            labels: prefixed(&daemon.options, "label:").into_iter().collect(),
            target: said("target").map(str::to_owned),
            several,
            // With a value it names stages; ours are built together.
            no_cache: daemon.option("no-cache").is_some(),
            source_date: source_date.transpose()?,
            container: Container::read(said, proxy)?,
            resolve_mode: resolve_mode(said("image-resolve-mode"))?,
            keep_git_dir: flag("BUILDKIT_CONTEXT_KEEP_GIT_DIR")?,
            check: check.transpose()?,
            endpoint: arg("HF_ENDPOINT").cloned(),
            platforms,
            build_args,
        })
    }
}

impl Container {
    fn read<'o>(
        said: impl Fn(&str) -> Option<&'o str>,
        proxy: Option<ProxyEnv>,
    ) -> Result<Self, Error> {
        let network = match said("force-network-mode") {
            None | Some("sandbox" | "default") => NetMode::Sandbox,
            Some("host") => NetMode::Host,
            Some("none") => NetMode::None,
            Some(other) => return Err(Error::new(format!("unknown network mode `{other}`"))),
        };
        let hosts = said("add-hosts").map(|text| list(text, host)).transpose()?.unwrap_or_default();
        let ulimits =
            said("ulimit").map(|text| list(text, ulimit)).transpose()?.unwrap_or_default();
        let cgroup_parent = said("cgroup-parent").unwrap_or_default().to_owned();
        Ok(Self { network: network as i32, hosts, ulimits, cgroup_parent, proxy })
    }

    /// A program in such a container.
    pub(super) fn meta(&self, args: Vec<String>) -> Meta {
        Meta {
            args,
            env: vec![
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            ],
            cwd: "/".to_owned(),
            proxy_env: self.proxy.clone(),
            extra_hosts: self.hosts.clone(),
            ulimit: self.ulimits.clone(),
            cgroup_parent: self.cgroup_parent.clone(),
        }
    }
}

fn prefixed(options: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, String> {
    let one = |(key, value): (&String, &String)| {
        Some((key.strip_prefix(prefix)?.to_owned(), value.clone()))
    };
    options.iter().filter_map(one).collect()
}

fn truth(name: &str, text: &str) -> Result<bool, Error> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        _ => Err(Error::new(format!("`{name}` must be true or false, not `{text}`"))),
    }
}

fn list<T>(text: &str, one: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Error> {
    let wrong = |word: &str| Error::new(format!("cannot parse `{word}` in `{text}`"));
    text.split(',').map(|word| one(word).ok_or_else(|| wrong(word))).collect()
}

fn host(text: &str) -> Option<HostIp> {
    let (host, ip) = text.split_once('=')?;
    let is_address = ip.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok();
    is_address.then(|| HostIp { host: host.to_lowercase(), ip: ip.to_owned() })
}

/// `nofile=1024:2048`.
fn ulimit(text: &str) -> Option<Ulimit> {
    let (name, limits) = text.split_once('=')?;
    let (soft, hard) = limits.split_once(':').unwrap_or((limits, limits));
    Some(Ulimit { name: name.to_owned(), soft: soft.parse().ok()?, hard: hard.parse().ok()? })
}

fn proxy(build_args: &BTreeMap<String, String>) -> Option<ProxyEnv> {
    let any = |name: &str| {
        let upper = build_args.get(&name.to_uppercase());
        build_args.get(name).or(upper).cloned().unwrap_or_default()
    };
    let proxy = ProxyEnv {
        http_proxy: any("http_proxy"),
        https_proxy: any("https_proxy"),
        ftp_proxy: any("ftp_proxy"),
        no_proxy: any("no_proxy"),
        all_proxy: any("all_proxy"),
    };
    (proxy != ProxyEnv::default()).then_some(proxy)
}

fn resolve_mode(said: Option<&str>) -> Result<String, Error> {
    match said {
        None => Ok("default".to_owned()),
        Some(mode @ ("default" | "pull" | "local")) => Ok(mode.to_owned()),
        Some(other) => Err(Error::new(format!("unknown image resolve mode `{other}`"))),
    }
}
