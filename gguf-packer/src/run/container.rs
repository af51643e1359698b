//! The line that runs a model in a container, as GGUF Packer does.

use std::net::IpAddr;

use llama_src::sh::Cmd;

use super::host::Host;
use super::target::Target;
use crate::Error;

/// The port on which the server listens inside.
pub(super) const PORT: &str = "8080";

/// Takes `--port N` out of `args`: outside, the container listens there.
pub(super) fn published(args: &mut Vec<String>) -> Result<String, Error> {
    let mut port = PORT.to_owned();
    while let Some(at) = args.iter().position(|arg| arg == "--port") {
        let Some(number) = args.get(at + 1) else {
            return Err(Error::new("the option `--port` needs a value").hint("-- --port 8888"));
        };
        if number.parse::<u16>().is_err() {
            return Err(Error::new(format!("invalid port `{number}`")).hint("-- --port 8888"));
        }
        port.clone_from(number);
        args.drain(at..at + 2);
    }
    Ok(port)
}

/// Takes `--host ADDRESS` out of `args`: outside, the container listens there, and only this machine reaches it unless
/// the user says so. Another name or a socket is of the server inside. The last one holds, as for llama-server.
pub(super) fn address(args: &mut Vec<String>) -> Result<IpAddr, Error> {
    let here = IpAddr::from([127, 0, 0, 1]);
    let mut last = None;
    while let Some(at) = args.iter().position(|arg| arg == "--host") {
        let Some(host) = args.get(at + 1) else {
            return Err(Error::new("the option `--host` needs a value").hint("-- --host 0.0.0.0"));
        };
        last = Some(host.clone());
        args.drain(at..at + 2);
    }
    match last {
        None => Ok(here),
        Some(host) if host == "localhost" => Ok(here),
        Some(host) => Ok(host.parse().unwrap_or_else(|_| {
            args.extend(["--host".to_owned(), host]);
            here
        })),
    }
}

/// What `docker run --publish` takes.
pub(super) fn publish(address: IpAddr, port: &str) -> String {
    match address {
        IpAddr::V4(address) => format!("{address}:{port}:{PORT}"),
        IpAddr::V6(address) => format!("[{address}]:{port}:{PORT}"),
    }
}

/// `docker run …`, with `args` for the server.
pub(super) fn line(
    target: &Target,
    root: &str,
    image: &str,
    publish: &str,
    args: &[String],
    host: &Host,
) -> Cmd {
    let mut cmd = Cmd::new(&host.engine).args(["run", "--rm", "--interactive"]);
    if host.terminal {
        cmd = cmd.arg("--tty");
    }
    cmd = cmd.args(&host.gpu);
    if host.labels {
        // Files of the store are shared by images, so they cannot get the label of one container.
        cmd = cmd.args(["--security-opt", "label=disable"]);
    }
    cmd = cmd.args(["--publish", publish]);
    cmd = cmd.args(["--volume", &format!("{}:{root}:ro", target.folder.display())]);
    cmd = cmd.arg(image).args(args);
    // Inside, only the container itself would reach 127.0.0.1.
    if args.iter().any(|arg| arg == "--host") { cmd } else { cmd.args(["--host", "0.0.0.0"]) }
}
