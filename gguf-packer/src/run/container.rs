//! The line that runs a model in a container, as GGUF Packer does.

use llama_src::sh::Cmd;

use super::start::Host;
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

/// `docker run …`, with `args` for the server.
pub(super) fn line(
    target: &Target,
    root: &str,
    image: &str,
    port: &str,
    args: &[String],
    host: &Host,
) -> Cmd {
    let mut cmd = Cmd::new(&host.engine).args(["run", "--rm", "--interactive"]);
    if host.terminal {
        cmd = cmd.arg("--tty");
    }
    cmd = cmd.args(&host.gpu);
    cmd = cmd.args(["--publish", &format!("{port}:{PORT}")]);
    cmd = cmd.args(["--volume", &format!("{}:{root}:ro", target.folder.display())]);
    cmd = cmd.arg(image).args(args);
    // Inside, only the container itself would reach 127.0.0.1.
    if args.iter().any(|arg| arg == "--host") { cmd } else { cmd.args(["--host", "0.0.0.0"]) }
}
