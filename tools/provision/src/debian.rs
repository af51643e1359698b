//! Debian roots: folders with a Debian in them, for toolkits that this machine's system has not or has
//! too old. Made by mmdebstrap aside and renamed; entered with the folders that a build shares.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use llama_src::place::Staging;
use llama_src::sh::Cmd;
use llama_src::tree::hex;
use sha2::{Digest, Sha256};

use workspace::cargo;
use workspace::install;
use workspace::requirements;
use workspace::screen::Screen;

/// What a root is made of.
#[derive(Debug)]
pub struct Recipe {
    /// What its folder's name begins with.
    pub name: &'static str,
    /// `minbase`: something to run programs in; `extract`: only the packages' files.
    pub variant: &'static str,
    /// Beside the machine's own, for packages named `:arm64`.
    pub foreign: Option<&'static str>,
    pub packages: &'static [&'static str],
    /// Names of packages that come from sid; everything else comes from [`SUITE`].
    pub from_sid: &'static [&'static str],
}

/// A Debian to run programs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// Its folder.
    pub dir: PathBuf,
}

/// The Debian of the images, so that what is built in a root runs in them.
const SUITE: &str = "trixie";

/// Mounts and processes of their own, which end with the command, and the command with this process: a
/// killed setup leaves nobody who writes where the next one does, and nobody who removes a root later
/// reaches through it.
const ALONE: &[&str] = &[
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount",
    "--propagation",
    "private",
    "--pid",
    "--fork",
    "--kill-child=KILL",
    "--mount-proc",
];

/// Variables that would lead programs in a root back to this machine's own.
const NOT_INSIDE: &[&str] =
    &["CARGO", "RUSTC", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "LD_LIBRARY_PATH", "CC", "CXX"];

/// Mounts the shared folders in the root. Arguments: root, directory, shared folders, `--`, command.
const ENTER: &str = r#"set -e
root=$1 dir=$2; shift 2
while [ "$1" != -- ]; do
    mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    shift
done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" env --chdir="$dir" "$@""#;

/// Adds sid, from which only the named packages are taken. Arguments: root, suite, packages.
const ADD_SID: &str = r#"set -e
apt=$1/etc/apt
sed -n "s/ $2 main\$/ sid main/p" "$apt/sources.list" > "$apt/sources.list.d/sid.list"
printf '%s\n' 'Package: *' 'Pin: release n=sid' 'Pin-Priority: 100' '' \
    "Package: $3" 'Pin: release n=sid' 'Pin-Priority: 990' > "$apt/preferences.d/sid""#;

impl Root {
    /// `cmd` as it is run in the root, with the folders `shared` at their own places.
    #[must_use]
    pub fn enter(&self, shared: &[&Path], cmd: &Cmd) -> Cmd {
        let inner = cmd.command();
        let here = cargo::root();
        let dir = inner.get_current_dir().unwrap_or(&here);
        let mut enter = Cmd::new("setpriv")
            .args(ALONE)
            .args(["sh", "-c", ENTER, "enter"])
            .arg(&self.dir)
            .arg(dir)
            .args(shared)
            .arg("--");
        for (name, value) in inner.get_envs() {
            let mut word = name.to_owned();
            word.push("=");
            word.push(value.unwrap_or_default());
            enter = if value.is_some() { enter.arg(word) } else { enter.env_remove(name) };
        }
        for name in NOT_INSIDE {
            enter = enter.env_remove(name);
        }
        enter
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .arg(inner.get_program())
            .args(inner.get_args())
    }
}

/// The folder of the root `recipe`, when it is there.
pub fn folder(recipe: &Recipe) -> Option<PathBuf> {
    Some(cargo::toolkits().join(folder_name(recipe))).filter(|dir| dir.is_dir())
}

/// The recipe's name and a hash of what makes the root: another recipe is another root.
fn folder_name(recipe: &Recipe) -> String {
    let made_by = command(recipe, Path::new("/")).to_string();
    format!("{}-{}", recipe.name, &hex(&Sha256::digest(made_by))[..8])
}

/// The folder of the root `recipe`, made if it is not there yet; `finish` has the last word before it
/// gets its name.
///
/// # Errors
/// Without root's rights; when mmdebstrap or what it needs is missing or fails.
pub fn ensure(
    recipe: &Recipe,
    screen: &mut Screen,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let toolkits = cargo::toolkits();
    let dir = toolkits.join(folder_name(recipe));
    if let Some(dir) = folder(recipe) {
        return Ok(dir);
    }
    if Cmd::new("id").arg("-u").read()?.trim() != "0" {
        bail!("{}", needs_root(recipe.name));
    }
    install::ensure_only(&[requirements::mmdebstrap()], true)?;
    screen.step(&format!("making the Debian root {}", recipe.name));
    let lock = cargo::lock(&toolkits, &mut |news| screen.news(news))?;
    if dir.is_dir() {
        return Ok(dir);
    }
    let staging = Staging::new(&lock, recipe.name)?;
    let root = staging.dir().join("root");
    let log = toolkits.join(format!("{}.log", recipe.name));
    command(recipe, &root).run_logged(&log, |line| screen.show(line))?;
    finish(&root)?;
    Cmd::new("sync").arg("--file-system").arg(&root).run()?;
    staging.rename(&root, &dir)?;
    Ok(dir)
}

fn needs_root(name: &str) -> String {
    format!(
        "only root can make the Debian root {name}\n  hint: the same command after: sudo env \
         PATH=\"$PATH\""
    )
}

/// mmdebstrap's command.
fn command(recipe: &Recipe, root: &Path) -> Cmd {
    let mut cmd = Cmd::new("setpriv")
        .args(ALONE)
        .args(["mmdebstrap", "--mode=root"])
        .arg(format!("--variant={}", recipe.variant))
        // Mirrors are at times behind what the lists say of their own age; signatures still count.
        .arg("--aptopt=Acquire::Check-Valid-Until \"false\"")
        .arg("--aptopt=APT::Install-Recommends \"false\"")
        .arg(format!("--include={}", recipe.packages.join(",")));
    if let Some(foreign) = recipe.foreign {
        cmd = cmd.arg(format!("--architectures=amd64,{foreign}"));
    }
    if !recipe.from_sid.is_empty() {
        let words = [ADD_SID, "add-sid"].map(|word| quote(word.as_ref()));
        let packages = quote(recipe.from_sid.join(" ").as_ref());
        let hook = format!("sh -c {} \"$1\" {SUITE} {packages}", words.join(" "));
        cmd = cmd.arg(format!("--setup-hook={hook}"));
    }
    cmd.arg(SUITE).arg(root)
}

fn quote(word: &OsStr) -> String {
    format!("'{}'", word.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_enters_a_root_with_its_folder_and_variables() {
        let root = Root { dir: "/t/arm64-root".into() };
        let cmd = Cmd::new("cargo").arg("build").env("CARGO_NET_OFFLINE", "true").dir("/src");
        let entered = root.enter(&[Path::new("/src"), Path::new("/c r")], &cmd);
        let words: Vec<String> = entered
            .command()
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .skip_while(|word| word != "enter")
            .collect();
        let expected = [
            "enter",
            "/t/arm64-root",
            "/src",
            "/src",
            "/c r",
            "--",
            "CARGO_NET_OFFLINE=true",
            "cargo",
        ];
        assert_eq!(words[..8], expected);
        assert_eq!(words[8..], ["build"]);
        let text = entered.to_string();
        assert!(
            text.contains("env -u RUSTUP_TOOLCHAIN")
                && text.contains("setpriv --pdeathsig KILL unshare"),
            "{text}"
        );
    }

    #[test]
    fn packages_of_sid_are_pinned_and_nothing_else_is_taken_from_there() {
        let recipe = Recipe {
            name: "x",
            variant: "minbase",
            foreign: Some("arm64"),
            packages: &["hipcc", "libssl-dev:arm64"],
            from_sid: &["hip*", "roc*"],
        };
        let text = command(&recipe, Path::new("/t/x")).to_string();
        assert!(text.contains("--include=hipcc,libssl-dev:arm64"), "{text}");
        assert!(text.contains("--architectures=amd64,arm64"), "{text}");
        assert!(text.contains("Pin-Priority: 990"), "{text}");
        assert!(text.ends_with(" trixie /t/x"), "{text}");
        let hook = text.split_once("--setup-hook=").unwrap().1;
        assert!(hook.contains("hip* roc*"), "{text}");
        assert_eq!(folder_name(&recipe).len(), "x-01234567".len());
        let other = Recipe { from_sid: &["hip*"], ..recipe };
        assert_ne!(folder_name(&recipe), folder_name(&other));
    }

    #[test]
    fn without_roots_rights_the_way_to_them_is_told() {
        assert_eq!(
            needs_root("arm64-root"),
            "only root can make the Debian root arm64-root\n  hint: the same command after: sudo env \
             PATH=\"$PATH\""
        );
    }
}
