//! System calls that no server makes, refused by seccomp. A list of what is refused, not of what is
//! allowed: drivers of GPUs and libraries of tomorrow may call what nobody thought of.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

/// Other processes, the kernel itself, file systems, clocks, namespaces.
#[rustfmt::skip]
const REFUSED: &[libc::c_long] = &[
    libc::SYS_ptrace, libc::SYS_process_vm_readv, libc::SYS_process_vm_writev, libc::SYS_pidfd_getfd,
    libc::SYS_bpf, libc::SYS_perf_event_open, libc::SYS_userfaultfd, libc::SYS_syslog, libc::SYS_acct,
    libc::SYS_kexec_load, libc::SYS_reboot,
    libc::SYS_init_module, libc::SYS_finit_module, libc::SYS_delete_module,
    libc::SYS_keyctl, libc::SYS_add_key, libc::SYS_request_key,
    libc::SYS_mount, libc::SYS_umount2, libc::SYS_pivot_root, libc::SYS_chroot, libc::SYS_move_mount,
    libc::SYS_open_tree, libc::SYS_fsopen, libc::SYS_fsconfig, libc::SYS_fsmount, libc::SYS_fspick,
    libc::SYS_mount_setattr, libc::SYS_swapon, libc::SYS_swapoff, libc::SYS_quotactl,
    libc::SYS_open_by_handle_at, libc::SYS_fanotify_init,
    libc::SYS_unshare, libc::SYS_setns, libc::SYS_sethostname, libc::SYS_setdomainname,
    libc::SYS_settimeofday, libc::SYS_clock_settime, libc::SYS_clock_adjtime, libc::SYS_adjtimex,
    // Of other processors the crate `libc` does not always know it.
    #[cfg(target_arch = "x86_64")] libc::SYS_kexec_file_load,
    #[cfg(target_arch = "x86_64")] libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")] libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")] libc::SYS_modify_ldt,
];

/// Callers fall back: `clone` for `clone3`, whose flags no filter can see.
const ABSENT: &[libc::c_long] = &[
    libc::SYS_clone3,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
];

const NAMESPACES: [libc::c_int; 7] = [
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// Refuses the calls from now on; `spawns`: all but those that start programs.
///
/// # Errors
/// Why there is no seccomp.
pub(crate) fn restrict(spawns: bool) -> Result<(), String> {
    for filter in filters(spawns).map_err(|error| error.to_string())? {
        seccompiler::apply_filter(&filter).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn filters(spawns: bool) -> Result<[BpfProgram; 2], seccompiler::BackendError> {
    let always = |calls: &[libc::c_long]| calls.iter().map(|call| (*call, Vec::new())).collect();
    let mut refused: BTreeMap<i64, Vec<SeccompRule>> = always(REFUSED);
    if !spawns {
        refused.extend([(libc::SYS_execve, Vec::new()), (libc::SYS_execveat, Vec::new())]);
    }
    refused.insert(libc::SYS_clone, namespaces()?);
    refused.insert(libc::SYS_socket, sockets()?);
    refused.insert(libc::SYS_ioctl, terminals()?);
    Ok([program(refused, libc::EPERM)?, program(always(ABSENT), libc::ENOSYS)?])
}

fn program(
    calls: BTreeMap<i64, Vec<SeccompRule>>,
    error: libc::c_int,
) -> Result<BpfProgram, seccompiler::BackendError> {
    let refuse = SeccompAction::Errno(error.unsigned_abs());
    let arch = std::env::consts::ARCH.try_into()?;
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, refuse, arch)?;
    let mut program = other_numbers();
    program.extend(BpfProgram::try_from(filter)?);
    Ok(program)
}

/// On x86-64 a call has a second number for x32 programs, which a list of numbers does not see.
fn other_numbers() -> Vec<sock_filter> {
    if !cfg!(target_arch = "x86_64") {
        return Vec::new();
    }
    let load_number = sock_filter { code: 0x20, jt: 0, jf: 0, k: 0 };
    let if_large = sock_filter { code: 0x35, jt: 0, jf: 1, k: 0x4000_0000 };
    let no_such_call =
        sock_filter { code: 0x06, jt: 0, jf: 0, k: 0x0005_0000 | libc::ENOSYS.unsigned_abs() };
    vec![load_number, if_large, no_such_call]
}

fn namespaces() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    // Of IBM's machines alone the flags are another argument.
    let has = |flag: libc::c_int| {
        let bit = u64::from(flag.unsigned_abs());
        SeccompRule::new(vec![dword(0, SeccompCmpOp::MaskedEq(bit), bit)?])
    };
    NAMESPACES.into_iter().map(has).collect()
}

/// Unix, IPv4, IPv6, and of netlink what lists network interfaces; nothing raw.
fn sockets() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    let family = |op, family: libc::c_int| dword(0, op, u64::from(family.unsigned_abs()));
    let known = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];
    let others = known.map(|known| family(SeccompCmpOp::Ne, known));
    let raw = |of: libc::c_int| {
        let kind = dword(1, SeccompCmpOp::MaskedEq(0xf), u64::from(libc::SOCK_RAW.unsigned_abs()))?;
        SeccompRule::new(vec![family(SeccompCmpOp::Eq, of)?, kind])
    };
    let not_route = dword(2, SeccompCmpOp::Ne, u64::from(libc::NETLINK_ROUTE.unsigned_abs()))?;
    Ok(vec![
        SeccompRule::new(others.into_iter().collect::<Result<_, _>>()?)?,
        SeccompRule::new(vec![family(SeccompCmpOp::Eq, libc::AF_NETLINK)?, not_route])?,
        raw(libc::AF_INET)?,
        raw(libc::AF_INET6)?,
    ])
}

/// Typing into the terminal that the server was started from.
fn terminals() -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    // TIOCSTI and TIOCLINUX.
    let request = |number| SeccompRule::new(vec![dword(1, SeccompCmpOp::Eq, number)?]);
    [0x5412, 0x541C].into_iter().map(request).collect()
}

fn dword(
    argument: u8,
    op: SeccompCmpOp,
    value: u64,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, op, value)
}
