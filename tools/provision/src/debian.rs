//! Debian roots: folders with a Debian in them, for toolkits that this machine's system has not or has
//! too old. Made by mmdebstrap aside and renamed; entered with the folders that a build shares.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::Result;
use llama_src::Error;
use llama_src::place::Staging;
use llama_src::sh::Cmd;
use llama_src::tree::hex;
use sha2::{Digest, Sha256};

use crate::watched;

use product::requirements;
use workspace::cargo;
use workspace::install;
use workspace::root::User;
use workspace::screen::Screen;

/// What a root is made of.
#[derive(Debug)]
pub struct Recipe<'a> {
    /// What its folder's name begins with.
    pub name: &'a str,
    /// `minbase`: something to run programs in; `extract`: only the packages' files.
    pub variant: &'a str,
    /// Beside the machine's own, for packages named `:arm64`.
    pub foreign: Option<&'a str>,
    pub packages: &'a [&'a str],
    /// Names of packages that come from sid; everything else comes from [`SUITE`].
    pub from_sid: &'a [&'a str],
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

/// Mounts the shared folders in the root, then runs the command as the user. Arguments: root, the user as `UID:GID`,
/// directory, shared folders, `--`, command.
const ENTER: &str = r#"set -e
root=$1 user=$2 dir=$3; shift 3
while [ "$1" != -- ]; do
    setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups mkdir -p "$root$1"
    mount --rbind "$1" "$root$1"
    shift
done
shift
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot --userspec="$user" "$root" env --chdir="$dir" "$@""#;

/// How apt is told to take what a mirror has whose lists have run out. Signatures still count.
const STALE: &str = "--aptopt=Acquire::Check-Valid-Until \"false\"";

/// Adds sid, from which only the named packages are taken. Arguments: root, suite, packages.
const ADD_SID: &str = r#"set -e
apt=$1/etc/apt
sed -n "s/ $2 main\$/ sid main/p" "$apt/sources.list" > "$apt/sources.list.d/sid.list"
printf '%s\n' 'Package: *' 'Pin: release n=sid' 'Pin-Priority: 100' '' \
    "Package: $3" 'Pin: release n=sid' 'Pin-Priority: 990' > "$apt/preferences.d/sid""#;

impl Root {
    /// `cmd` as this user runs it in the root, with the folders `shared` at their own places.
    ///
    /// # Errors
    /// When this user cannot become root, who alone can enter one.
    pub fn enter(&self, shared: &[&Path], cmd: &Cmd) -> Result<Cmd> {
        let user = User::find()?;
        let name = self.dir.file_name().unwrap_or_default().to_string_lossy();
        watched::as_root(
            &user,
            &self.entered(&user, shared, cmd),
            &format!("enter the Debian root {name}"),
        )
    }

    fn entered(&self, user: &User, shared: &[&Path], cmd: &Cmd) -> Cmd {
        let inner = cmd.command();
        let here = cargo::root();
        let dir = inner.get_current_dir().unwrap_or(&here);
        let mut enter = Cmd::new("setpriv")
            .args(ALONE)
            .args(["sh", "-c", ENTER, "enter"])
            .arg(&self.dir)
            .arg(user.owner())
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
pub fn folder(recipe: &Recipe<'_>) -> Option<PathBuf> {
    Some(cargo::toolkits().join(folder_name(recipe))).filter(|dir| dir.is_dir())
}

/// The recipe's name and a hash of what makes the root: another recipe is another root.
fn folder_name(recipe: &Recipe<'_>) -> String {
    let made_by = command(recipe, Path::new("/"), false).to_string();
    format!("{}-{}", recipe.name, &hex(&Sha256::digest(made_by))[..8])
}

/// The folder of the root `recipe`, made if it is not there yet; `finish` has the last word before it
/// gets its name.
///
/// # Errors
/// When this user cannot become root; when mmdebstrap or what it needs is missing or fails.
pub fn ensure(
    recipe: &Recipe<'_>,
    screen: &mut Screen,
    finish: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let toolkits = cargo::toolkits();
    let dir = toolkits.join(folder_name(recipe));
    if let Some(dir) = folder(recipe) {
        return Ok(dir);
    }
    let (user, what) = (User::find()?, format!("make the Debian root {}", recipe.name));
    user.must_become_root(&what)?;
    install::ensure_only(&[requirements::mmdebstrap()], true)?;
    screen.step(&format!("making the Debian root {}", recipe.name));
    let lock = cargo::lock(&toolkits, &mut |news| screen.news(news))?;
    if dir.is_dir() {
        return Ok(dir);
    }
    // Of a setup that was killed.
    user.take_over(&Staging::path(&lock, recipe.name))?;
    let staging = Staging::new(&lock, recipe.name)?;
    let root = staging.dir().join("root");
    let log = toolkits.join(format!("{}.log", recipe.name));
    let make = watched::as_root(&user, &command(recipe, &root, takes_stale_mirror()), &what)?;
    let made = make.run_logged(&log, |line| screen.show(line)).map_err(explain);
    user.take_over(&root)?;
    made?;
    finish(&root)?;
    Cmd::new("sync").arg("--file-system").arg(&root).run()?;
    staging.rename(&root, &dir)?;
    Ok(dir)
}

/// Whether packages are taken from a Debian mirror whose lists have run out: `LLAMA_SYS_STALE_MIRROR=1`.
pub(crate) fn takes_stale_mirror() -> bool {
    #[expect(clippy::disallowed_methods, reason = "a setting of the user's")]
    let set = std::env::var_os("LLAMA_SYS_STALE_MIRROR");
    set.is_some_and(|value| !value.is_empty() && value != "0")
}

/// With the way on where a mirror is behind.
pub fn explain(error: Error) -> Error {
    if !error.log_has("is expired") {
        return error;
    }
    error
        .hint("the package lists of this mirror are too old: name a current mirror in /etc/apt")
        .hint("or use its old packages, without newer security fixes: LLAMA_SYS_STALE_MIRROR=1")
}

/// What mmdebstrap is told besides, where the user wants it so.
pub fn stale(wanted: bool) -> Option<&'static str> {
    wanted.then_some(STALE)
}

/// mmdebstrap's command.
fn command(recipe: &Recipe<'_>, root: &Path, stale_mirror: bool) -> Cmd {
    let mut cmd = Cmd::new("setpriv")
        .args(ALONE)
        .args(["mmdebstrap", "--mode=root"])
        .arg(format!("--variant={}", recipe.variant))
        .args(stale(stale_mirror))
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
        let user = User::ordinary(true);
        let entered = root.entered(&user, &[Path::new("/src"), Path::new("/c r")], &cmd);
        let words: Vec<String> = entered
            .command()
            .get_args()
            .map(|word| word.to_string_lossy().into_owned())
            .skip_while(|word| word != "enter")
            .collect();
        let expected = [
            "enter",
            "/t/arm64-root",
            "1000:1001",
            "/src",
            "/src",
            "/c r",
            "--",
            "CARGO_NET_OFFLINE=true",
            "cargo",
        ];
        assert_eq!(words[..9], expected);
        assert_eq!(words[9..], ["build"]);
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
        let text = command(&recipe, Path::new("/t/x"), false).to_string();
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
    fn lists_that_have_run_out_are_taken_only_when_asked_for() {
        let recipe = Recipe {
            name: "x",
            variant: "extract",
            foreign: None,
            packages: &["y"],
            from_sid: &[],
        };
        let text = |stale| command(&recipe, Path::new("/t"), stale).to_string();
        assert!(!text(false).contains("Check-Valid-Until"), "{}", text(false));
        assert!(
            text(true).contains("'--aptopt=Acquire::Check-Valid-Until \"false\"'"),
            "{}",
            text(true)
        );
        let said = "E: Release file for http://d/InRelease is expired (invalid since 3d). Updates for this repository \
                    will not be applied.";
        let error = explain(Error::new("a command failed").log([said.to_owned()])).to_string();
        assert!(error.ends_with(": LLAMA_SYS_STALE_MIRROR=1"), "{error}");
        let other = Error::new("a command failed").log(["E: no space".to_owned()]);
        assert_eq!(explain(other.clone()), other);
    }
}
