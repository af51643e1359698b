//! `LLAMA_SERVER_SANDBOX`: before the server listens and before it has a second thread, it gives up what
//! its own command line does not need, for good: other files, ports and devices by Landlock, what no
//! server calls by seccomp. What is decided is pure (`plan`), what acts is thin (`files`, `calls`).

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod files;
#[cfg(target_os = "linux")]
mod ini;
#[cfg(target_os = "linux")]
mod options;
#[cfg(target_os = "linux")]
mod places;
#[cfg(target_os = "linux")]
mod plan;
#[cfg(target_os = "linux")]
mod refusal;
#[cfg(target_os = "linux")]
mod request;
#[cfg(target_os = "linux")]
mod system;

use std::ffi::{OsStr, OsString};

/// `1`: as far as this kernel goes. `require`: the server ends where it cannot be locked in wholly.
const VARIABLE: &str = "LLAMA_SERVER_SANDBOX";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Off,
    Wanted,
    Required,
}

/// Ends the process where llama.cpp would leave out something that was asked for.
#[cfg(target_os = "linux")]
pub(crate) fn refuse(args: &[OsString]) {
    if options::only_prints(args) {
        return;
    }
    // Without `/proc` nothing is known.
    let Ok(system) = system::System::here() else { return };
    if let Some(message) = refusal::of(&request::read(args, &system)) {
        eprintln!("error: {message}");
        std::process::exit(1);
    }
}

/// Locks this process in when the variable asks for it. Says what is locked, and what could not be; ends
/// the process when that is not enough.
pub(crate) fn lock(args: &[OsString]) {
    #[expect(clippy::disallowed_methods, reason = "a message from the user, not a build setting")]
    let asked = mode(std::env::var_os(VARIABLE).as_deref());
    let result = match asked {
        Ok(Mode::Off) => return,
        Ok(mode) => restrict(args).and_then(|missing| judge(mode, &missing)),
        Err(message) => Err(message),
    };
    if let Err(message) = result {
        eprintln!("error: sandbox: {message}");
        std::process::exit(1);
    }
}

fn mode(value: Option<&OsStr>) -> Result<Mode, String> {
    match value.map(OsStr::to_string_lossy).as_deref() {
        None | Some("" | "0") => Ok(Mode::Off),
        Some("1") => Ok(Mode::Wanted),
        Some("require") => Ok(Mode::Required),
        Some(other) => Err(format!(
            "{VARIABLE} is `{other}`, but must be 0, 1 or require\n  hint: {VARIABLE}=1"
        )),
    }
}

/// What is missing is a warning, or the end.
fn judge(mode: Mode, missing: &[String]) -> Result<(), String> {
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join("; ");
    if mode == Mode::Required {
        return Err(format!(
            "{missing}, and {VARIABLE}=require\n  hint: to start the server anyway: {VARIABLE}=1"
        ));
    }
    eprintln!("warning: sandbox: {missing}");
    Ok(())
}

/// What of the sandbox this system does not have.
#[cfg(target_os = "linux")]
fn restrict(args: &[OsString]) -> Result<Vec<String>, String> {
    if options::only_prints(args) {
        return Ok(Vec::new());
    }
    let system = system::System::here()?;
    let plan = plan::Plan::new(&request::read(args, &system), &system);
    let mut missing = Vec::new();
    let files::Enforced { abi, unnamed } = files::restrict(&plan)?;
    if abi < plan::WITH_PORTS {
        missing.push(match abi {
            0 => "this kernel or container engine has no Landlock: access to files and ports \
                stays open"
                .to_owned(),
            _ => {
                format!("this kernel's Landlock (ABI {abi}) cannot restrict ports: ports stay open")
            }
        });
    }
    missing.extend(unnamed.as_ref().map(|path| {
        let path = path.display();
        format!(
            "Landlock cannot name {path} permanently on its file system: access to files stays open"
        )
    }));
    let calls = calls::restrict(plan.spawns());
    missing.extend(calls.as_ref().err().map(|why| format!("seccomp is not available: {why}")));
    if abi > 0 || calls.is_ok() {
        eprintln!("sandbox: {}", plan.summary(abi, unnamed.is_none(), calls.is_ok()));
    }
    Ok(missing)
}

#[cfg(not(target_os = "linux"))]
fn restrict(_args: &[OsString]) -> Result<Vec<String>, String> {
    Ok(vec!["Landlock and seccomp exist only on Linux: nothing is restricted".to_owned()])
}

#[cfg(all(test, target_os = "linux"))]
#[path = "sandbox/tests.rs"]
mod plans;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_read_strictly() {
        let read = |value: &str| mode(Some(OsStr::new(value)));
        assert_eq!(mode(None), Ok(Mode::Off));
        assert_eq!(read(""), Ok(Mode::Off));
        assert_eq!(read("0"), Ok(Mode::Off));
        assert_eq!(read("1"), Ok(Mode::Wanted));
        assert_eq!(read("require"), Ok(Mode::Required));
        let message = "LLAMA_SERVER_SANDBOX is `yes`, but must be 0, 1 or require\n  hint: \
            LLAMA_SERVER_SANDBOX=1";
        assert_eq!(read("yes"), Err(message.to_owned()));
    }

    #[test]
    fn what_is_missing_ends_only_a_server_that_requires_it() {
        let missing = ["no Landlock".to_owned(), "no seccomp".to_owned()];
        assert_eq!(judge(Mode::Wanted, &missing), Ok(()));
        assert_eq!(judge(Mode::Required, &[]), Ok(()));
        let message = "no Landlock; no seccomp, and LLAMA_SERVER_SANDBOX=require\n  hint: to \
            start the server anyway: LLAMA_SERVER_SANDBOX=1";
        assert_eq!(judge(Mode::Required, &missing), Err(message.to_owned()));
    }
}
