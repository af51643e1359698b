//! `start`: the time from the start of the server's process until `/health` answers 200, with the model's and the
//! server's files in the page cache and without, and the memory that the server then has for itself.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gpu_test::server;
use gpu_test::synthetic::{self, Mix};
use llama_src::sh::Cmd;

use crate::args::Args;
use crate::journal::{Journal, Series};
use crate::results::{Part, Unit};
use crate::side::{self, Side, Way};
use workspace::cargo;
use workspace::screen::Screen;

/// Longest wait for a server.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at it.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) fn run(
    args: &Args,
    sides: &[Side],
    journal: &mut Journal,
    screen: &mut Screen,
) -> Result<()> {
    let scratch = crate::scratch(&crate::folder())?;
    let small = scratch.path().join("model.gguf");
    let shape = crate::small(args);
    synthetic::write(&shape, Mix::Q8_0, &small)?;
    let name = format!("{} {}", shape.name, Mix::Q8_0.name());
    let demo = cargo::root().join(demo_model::PATH);
    for (name, model) in [("demo model", demo), (name.as_str(), small)] {
        for (state, cold) in [("page cache warm", false), ("page cache cold", true)] {
            screen.step(&format!("starting: {name}, {state}"));
            let mut cases = vec![(format!("{name}, {state}"), Unit::Seconds)];
            if !cold {
                cases.push((format!("{name}, memory"), Unit::Bytes));
            }
            let series = Series { part: Part::Start, cases, rounds: crate::rounds(args, 9) };
            journal.measure(&series, &side::servers(sides), |way| {
                let (seconds, memory) = measure(way, &model, cold)?;
                Ok(if cold { vec![seconds] } else { vec![seconds, memory] })
            })?;
        }
    }
    Ok(())
}

/// Seconds until the server of `way` is ready with `model`, and its own memory then.
fn measure(way: &Way, model: &Path, cold: bool) -> Result<(f64, f64)> {
    let program = match way {
        Way::Server(program) => program,
        Way::Missing(why) => bail!("{why}"),
        Way::Driver(_) => bail!("no server"),
    };
    // Whatever came before may have left something else in memory.
    let (_, _, mapped) = start(program, model)?;
    if cold {
        let folder = program.parent().context("a program is in a folder")?;
        evict(&[vec![model.to_owned()], files(folder)?, mapped].concat())?;
    }
    let (seconds, memory, _) = start(program, model)?;
    Ok((seconds, memory))
}

/// Seconds until the server is ready, its own memory then, and the files that it has mapped.
fn start(program: &Path, model: &Path) -> Result<(f64, f64, Vec<PathBuf>)> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let options = ["--offline", "--host", "127.0.0.1", "--port", &port.to_string()];
    let cmd = Cmd::new(program).arg("-m").arg(model).args(options);
    let cmd = server::own_settings().into_iter().fold(cmd, Cmd::env_remove);
    let mut command = cmd.command();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let mut running = Running(command.spawn().with_context(|| format!("cannot run {cmd}"))?);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while !is_ready(address) {
        if let Some(status) = running.0.try_wait()? {
            bail!("it ended with {status}: {cmd}");
        }
        ensure!(started.elapsed() < PATIENCE, "not ready after {} s", PATIENCE.as_secs());
        std::thread::sleep(PAUSE);
    }
    let seconds = started.elapsed().as_secs_f64();
    let pid = running.0.id();
    Ok((seconds, own_memory(pid)?, mapped(pid)?))
}

/// The files that a process has mapped, but the system's. The path of libraries that upstream's build compiles into a
/// program names the build folder, whatever folder the program is in.
fn mapped(pid: u32) -> Result<Vec<PathBuf>> {
    let path = format!("/proc/{pid}/maps");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let files = text.lines().filter_map(|line| Some(PathBuf::from(&line[line.find('/')?..])));
    let own = files.filter(|path| {
        !["/lib", "/lib64", "/usr/lib", "/usr/lib64"].iter().any(|system| path.starts_with(system))
            && path.is_file()
    });
    Ok(own.collect::<BTreeSet<_>>().into_iter().collect())
}

/// Bytes of memory that a process shares with no file: all but its code and the model's weights.
fn own_memory(pid: u32) -> Result<f64> {
    let path = format!("/proc/{pid}/status");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let kilobytes = text.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = kilobytes.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    Ok(kilobytes.with_context(|| format!("{path} has no line RssAnon"))? * 1024.0)
}

/// A server that ends with the measurement.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // Fails only for a process that has ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream
            .write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200 "))
}

/// The files in `folder`: a server and its libraries.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries.flatten().map(|entry| entry.path());
    Ok(paths.filter(|path| path.is_file()).collect())
}

/// Takes `files` out of the page cache; those of the system stay in it. Needs no rights: it concerns these files alone.
#[cfg(target_os = "linux")]
fn evict(files: &[PathBuf]) -> Result<()> {
    for path in files {
        let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        // What is not on the disk yet stays in memory.
        file.sync_all().and_then(|()| {
            rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).map_err(Into::into)
        })?;
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn evict(_: &[PathBuf]) -> Result<()> {
    bail!("only Linux takes single files out of its page cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The address of a server that answers once, with `answer`.
    fn once(answer: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 256];
            let read = stream.read(&mut asked).unwrap();
            assert!(asked[..read].starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer).unwrap();
        });
        address
    }

    #[test]
    fn a_server_that_loads_is_not_ready() {
        assert!(is_ready(once(b"HTTP/1.1 200 OK\r\n\r\n{}")));
        assert!(!is_ready(once(b"HTTP/1.1 503 Service Unavailable\r\n\r\n{}")));
        assert!(!is_ready(once(b"")));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn files_that_a_process_has_mapped_are_found() {
        let own = std::env::current_exe().unwrap();
        assert!(mapped(std::process::id()).unwrap().contains(&own), "{}", own.display());
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_ends_is_told_and_a_file_is_evicted() {
        let error = start(Path::new("false"), Path::new("x")).unwrap_err().to_string();
        assert!(error.starts_with("it ended with exit status: 1: "), "{error}");
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("a"), "text").unwrap();
        let found = files(dir.path()).unwrap();
        assert_eq!(found, [dir.path().join("a")]);
        evict(&found).unwrap();
        assert_eq!(fs::read_to_string(&found[0]).unwrap(), "text");
        assert!(evict(&[dir.path().join("b")]).is_err());
    }
}
