//! A plan's files, devices and ports, enforced by Landlock.

use std::path::PathBuf;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, LandlockStatus, NetPort,
    PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError,
    Scope,
};

use super::plan::Plan;

/// What is restricted: of newer kernels, too, no more than what was tried here.
const NEWEST: ABI = ABI::V7;
/// The first ABI that knows ports (Linux 6.7).
pub(crate) const WITH_PORTS: u8 = 4;

/// Gives up everything that is not in the plan. The ABI that enforces it; 0: none does.
///
/// # Errors
/// A sentence about what Landlock refuses though it is there.
pub(crate) fn restrict(plan: &Plan) -> Result<u8, String> {
    make(plan);
    enforce(plan).map_err(|error| format!("Landlock: {error}"))
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

fn enforce(plan: &Plan) -> Result<u8, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?;
    if plan.bind.is_some() {
        ruleset = ruleset.handle_access(AccessNet::BindTcp)?;
    }
    if !plan.connect {
        ruleset = ruleset.handle_access(AccessNet::ConnectTcp)?;
    }
    let mut created = ruleset.create()?;
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = read
        | AccessFs::from_write(ABI::V3)
            & !(AccessFs::MakeChar | AccessFs::MakeBlock | AccessFs::MakeFifo);
    let device = read | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    // Below `/dev/shm` files are made.
    let shared = write | device;
    for (paths, access) in [
        (&plan.system, read),
        (&plan.read, read),
        (&plan.write, write),
        (&plan.devices, shared),
        (&plan.programs, read | AccessFs::Execute),
        (&plan.sockets, AccessFs::MakeSock.into()),
    ] {
        created = allow(created, paths, access)?;
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

/// Paths that are not there, or not for this user, need no rule.
fn allow<'a>(
    ruleset: RulesetCreated,
    paths: impl IntoIterator<Item = &'a PathBuf>,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let open = paths.into_iter().filter_map(|path| PathFd::new(path).ok());
    ruleset.add_rules(open.map(|path| Ok::<_, RulesetError>(PathBeneath::new(path, access))))
}
