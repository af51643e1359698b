//! A plan's files, devices and ports, enforced by Landlock.

use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    Scope,
};

use super::plan::{Plan, folder_of};

/// What is restricted: of newer kernels, too, no more than what was tried here.
const NEWEST: ABI = ABI::V7;

/// Where drivers and libc make what they share between processes.
const SHARED_MEMORY: &str = "/dev/shm";

/// What is enforced.
#[derive(Debug)]
pub(crate) struct Enforced {
    /// The ABI that does it; 0: none.
    pub(crate) abi: u8,
    /// Something that could not be read in spite of its rule, so that files are left alone.
    pub(crate) unnamed: Option<PathBuf>,
}

/// Gives up everything that is not in the plan.
///
/// # Errors
/// A sentence about what Landlock refuses though it is there.
pub(crate) fn restrict(plan: &Plan) -> Result<Enforced, String> {
    make(plan);
    let unnamed = rehearse(plan, plan.read.iter().chain(&plan.write));
    let abi = enforce(plan, unnamed.is_none()).map_err(|error| format!("Landlock: {error}"))?;
    Ok(Enforced { abi, unnamed })
}

/// Locks a thread in, which is gone at once, and looks whether it can read what it may: on file systems that
/// make up their inodes anew, as 9P under WSL does, a rule is for a file that nobody meets again.
fn rehearse<'a>(plan: &Plan, paths: impl Iterator<Item = &'a PathBuf>) -> Option<PathBuf> {
    let readable: Vec<&PathBuf> = paths.filter(|path| can_read(path)).collect();
    std::thread::scope(|scope| {
        let look = || {
            enforce(plan, true).ok()?;
            readable.into_iter().find(|path| !can_read(path)).cloned()
        };
        let thread = std::thread::Builder::new().spawn_scoped(scope, look).ok()?;
        thread.join().ok()?
    })
}

fn can_read(path: &Path) -> bool {
    // Of what is no file, nobody has to be at the other end.
    std::fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).is_ok()
}

/// What a folder is made for says so itself when it cannot use it.
fn make(plan: &Plan) {
    for folder in &plan.make_folders {
        let _ = std::fs::create_dir_all(folder);
    }
    for file in &plan.make_files {
        let _ = std::fs::OpenOptions::new().append(true).create(true).open(file);
    }
}

fn enforce(plan: &Plan, with_files: bool) -> Result<u8, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .scope(Scope::from_all(NEWEST))?;
    if with_files {
        ruleset = ruleset.handle_access(AccessFs::from_all(NEWEST))?;
    }
    if plan.bind.is_some() {
        ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    }
    if !plan.connect {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut created = ruleset.create()?;
    if with_files {
        created = allow_files(created, plan)?;
    }
    for port in plan.bind.iter().flatten() {
        created = created.add_rule(NetPort::new(*port, AccessNet::BindTcp))?;
    }
    let status = created.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi as u8,
        LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => 0,
    })
}

fn allow_files(mut ruleset: RulesetCreated, plan: &Plan) -> Result<RulesetCreated, RulesetError> {
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let special = AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeFifo;
    let write = read | AccessFs::from_write(ABI::V3) & !special;
    let sockets = plan.sockets.iter().map(|socket| folder_of(socket)).collect();
    for (paths, access) in [
        (&plan.system, read),
        (&plan.read, read),
        (&plan.write, write),
        (&[SHARED_MEMORY.into()].into(), write),
        (&plan.devices, read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev),
        (&plan.programs, read | AccessFs::Execute),
        // The name of a socket stays when its server ends; the next one removes it.
        (&sockets, AccessFs::MakeSock | AccessFs::RemoveFile),
    ] {
        ruleset = allow(ruleset, paths, access)?;
    }
    Ok(ruleset)
}

/// Paths that are not there, or not for this user, need no rule.
fn allow<'a>(
    ruleset: RulesetCreated,
    paths: impl IntoIterator<Item = &'a PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let open = paths.into_iter().filter_map(|path| PathFd::new(path).ok());
    ruleset.add_rules(open.map(|path| Ok::<_, RulesetError>(PathBeneath::new(path, access))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rehearsal_locks_nobody_in_and_finds_what_its_rules_miss() {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let file = folder.path().join("model");
        std::fs::write(&file, "x").expect("it can be written");
        let plan = Plan { read: [file.clone()].into(), ..Plan::default() };
        assert_eq!(rehearse(&plan, plan.read.iter()), None);
        assert!(can_read(folder.path()), "this thread is locked in");
        // As if the rule were for another file of this name.
        assert_eq!(rehearse(&Plan::default(), plan.read.iter()), Some(file));
    }
}
