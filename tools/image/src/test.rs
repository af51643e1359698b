//! `cargo xtask image test`: runs an image and holds it to its contract.

use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use llama_src::Error;
use llama_src::sh::Cmd;
use serde_json::json;

use super::contract::{self, Config};
use super::engine::{Engine, docker};
use super::packer;
use super::subject::Subject;
use super::tags::Naming;
use product::args::variant;
use product::http;
use product::identity::Identity;
use product::variant::Variant;
use workspace::cargo;

/// From the start of a container until its health is known.
const HEALTHY_WITHIN: Duration = Duration::from_secs(90);
/// From SIGTERM until the server is gone, in the middle of its work.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
/// Where the model is in the container.
const MODEL: &str = "/models/model.gguf";
/// A user that no image knows, as some clusters choose one.
const STRANGER: &str = "12345:54321";
/// Longer than any answer takes that is asked for here.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(disable_help_subcommand = true, next_line_help = true)]
pub struct Args {
    /// The image's variant
    #[arg(required = true, value_parser = variant(|_| true))]
    variant: Option<Variant>,
    /// The image's name; default: the one that build gave
    #[arg(long, value_name = "NAME")]
    image: Option<String>,
    /// Version of the vendor's toolkit; default: the releases'
    #[arg(long, value_name = "X.Y")]
    toolkit: Option<String>,
    /// The image without shell and package manager
    #[arg(long)]
    minimal: bool,
    #[command(subcommand)]
    packer: Option<packer::Test>,
}

pub(super) fn run(args: Args) -> Result<()> {
    if let Some(packer::Test::Packer { image }) = &args.packer {
        return packer::test(image);
    }
    let (subject, image) = meant(args)?;
    Engine::find().answers()?;
    let test = Test { image: image.unwrap_or(local(&subject)?), subject };
    let config = test.config()?;
    let mut wrong = Vec::new();
    test.hold("configuration and labels", &mut wrong, || {
        Ok(contract::config(&config, &test.subject))
    });
    test.hold("version.json", &mut wrong, || {
        Ok(contract::version(&test.file("version.json")?, &config, &test.subject))
    });
    test.hold("licences", &mut wrong, || {
        Ok(contract::licenses(&test.file("sbom.spdx.json")?, &config, &test.subject))
    });
    test.hold("help without arguments", &mut wrong, || {
        let help = docker(["run", "--rm"]).arg(&test.image).read()?;
        let broken = !help.contains("--port");
        Ok(broken.then(|| "it does not print the server's help".to_owned()).into_iter().collect())
    });
    test.hold("healthy as any user, read-only, without capabilities", &mut wrong, || {
        test.serve().map(|()| Vec::new())
    });
    if wrong.is_empty() { Ok(()) } else { bail!(wrong.join("\n")) }
}

/// The image that is meant, and its name if it has another one than the build's.
fn meant(args: Args) -> Result<(Subject, Option<String>)> {
    let default = Subject::new(args.variant.context("the parser asks for it")?);
    let toolkit = args.toolkit.or(default.toolkit.clone());
    Ok((Subject { toolkit, minimal: args.minimal, ..default }, args.image))
}

/// What `image build` calls it.
fn local(subject: &Subject) -> Result<String> {
    let identity = Identity::find()?;
    Ok(Naming { identity: &identity, registry: None, semver: None }.local_tag(subject))
}

struct Test {
    subject: Subject,
    image: String,
}

impl Test {
    /// Runs a check and says how it went.
    fn hold(
        &self,
        what: &str,
        wrong: &mut Vec<String>,
        check: impl FnOnce() -> Result<Vec<String>>,
    ) {
        let broken = check().unwrap_or_else(|error| vec![format!("{error:#}")]);
        eprintln!("{:4} {what}", if broken.is_empty() { "ok" } else { "no" });
        wrong.extend(broken.into_iter().map(|message| format!("{}: {message}", self.image)));
    }

    fn config(&self) -> Result<Config> {
        let inspect = docker(["image", "inspect", "--format", "{{json .Config}}"]);
        let name = if self.subject.minimal { " --minimal" } else { "" };
        let Ok(answer) = inspect.arg(&self.image).read() else {
            let (image, variant) = (&self.image, self.subject.variant);
            bail!(
                Error::missing(format!("image not found: {image}"))
                    .hint(format!("cargo xtask image build {variant}{name}"))
            );
        };
        serde_json::from_str(&answer).context("cannot parse docker's description of the image")
    }

    /// A file of `/app`, as the README of images says it is read; where there is no `cat`, out of the file system.
    fn file(&self, name: &str) -> Result<String> {
        let path = format!("/app/{name}");
        if !self.subject.minimal {
            let cat = docker(["run", "--rm"]).arg(&self.image).args(["cat", &path]);
            return Ok(cat.read()?);
        }
        let container = Container::new(docker(["create"]).arg(&self.image))?;
        let dir = tempfile::tempdir()?;
        let file = dir.path().join(name);
        docker(["cp"]).arg(format!("{}:{path}", container.id)).arg(&file).read()?;
        Ok(std::fs::read_to_string(file)?)
    }

    /// A server with the demo model: becomes healthy, works, and ends in time.
    fn serve(&self) -> Result<()> {
        let model = cargo::root().join("tests/models/llama-demo.gguf");
        let container = Container::new(self.server(model))?;
        container.wait_until_healthy()?;
        let url = format!("http://{}", container.address()?);
        let client = http::client(PATIENCE);
        let health = client.get(format!("{url}/health")).call()?;
        ensure!(health.status().is_success(), "/health answers {}", health.status());
        // It does not end by itself.
        let work = json!({"prompt": "Once", "n_predict": -1, "ignore_eos": true, "stream": true});
        let work = http::post(&client, &format!("{url}/completion"), &work)?;
        let mut work = work.into_body().into_reader();
        let mut first = [0; 64];
        work.read_exact(&mut first).context("the server generated no text")?;
        let started = Instant::now();
        docker(["kill", "--signal", "TERM", &container.id]).read()?;
        let code = docker(["wait", &container.id]).read()?;
        let took = started.elapsed();
        ensure!(took <= ENDS_WITHIN, "SIGTERM took {:.1} s", took.as_secs_f32());
        ensure!(code.trim() == "0", "after SIGTERM the exit code is {}", code.trim());
        let end = work.read_to_end(&mut Vec::new());
        end.map(drop).context("the server cut the stream of a running request")
    }

    fn server(&self, model: PathBuf) -> Cmd {
        docker(["run", "--detach", "--publish", "127.0.0.1::8080", "--user", STRANGER])
            .args(["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"])
            .args(["--security-opt", "no-new-privileges", "--health-interval", "1s"])
            .args(["--volume", &format!("{}:{MODEL}:ro", model.display())])
            .arg(&self.image)
            .args(["--model", MODEL])
    }
}

/// Removed when it is no longer looked at.
struct Container {
    id: String,
}

impl Container {
    fn new(cmd: Cmd) -> Result<Self> {
        Ok(Self { id: cmd.read()?.trim().to_owned() })
    }

    fn wait_until_healthy(&self) -> Result<()> {
        let started = Instant::now();
        loop {
            let state = self.inspect("{{.State.Status}} {{.State.Health.Status}}")?;
            match state.as_str() {
                "running healthy" => return Ok(()),
                "running starting" if started.elapsed() < HEALTHY_WITHIN => {}
                _ => {
                    let each = "{{range .State.Health.Log}}{{println .ExitCode .Output}}{{end}}";
                    let checks = self.inspect(each)?;
                    let log = docker(["logs", "--tail", "20", &self.id]).read().unwrap_or_default();
                    let said = checks.lines().rfind(|line| !line.is_empty());
                    let lines: Vec<&str> = said.into_iter().chain(log.lines()).collect();
                    let log = lines.join("\n  | ");
                    bail!("still {state} after {} s\n  | {log}", started.elapsed().as_secs());
                }
            }
            std::thread::sleep(Duration::from_millis(300));
        }
    }

    /// Where its port is on this machine.
    fn address(&self) -> Result<String> {
        let ports = docker(["port", &self.id, "8080/tcp"]).read()?;
        Ok(ports.lines().next().context("port 8080 is not published")?.trim().to_owned())
    }

    fn inspect(&self, format: &str) -> Result<String> {
        Ok(docker(["inspect", "--format", format, &self.id]).read()?.trim().to_owned())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = docker(["rm", "--force", &self.id]).read();
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn named(words: &str) -> Result<(Subject, Option<String>)> {
        let words = ["cargo xtask", "image", "test"].into_iter().chain(words.split_whitespace());
        match crate::Cli::try_parse_from(words)? {
            crate::Cli::Image(crate::Command::Test(args)) => meant(args),
            other => bail!("{other:?}"),
        }
    }

    #[test]
    fn an_image_is_named_by_its_variant_or_by_itself() {
        let (subject, image) = named("cuda --toolkit 12.8 --minimal").unwrap();
        assert_eq!((subject.toolkit.as_deref(), subject.minimal), (Some("12.8"), true));
        assert_eq!(image, None);
        let (subject, image) = named("cpu --image r/x:1").unwrap();
        assert_eq!((subject.toolkit, image.as_deref()), (None, Some("r/x:1")));
        assert!(named("").is_err() && named("all").is_err());
    }

    #[test]
    fn a_server_gets_no_more_than_it_needs() {
        let test = Test { subject: Subject::new(Variant::Cpu), image: "x:1".into() };
        assert_eq!(
            test.server("/m.gguf".into()).to_string(),
            "docker run --detach --publish 127.0.0.1::8080 --user 12345:54321 --read-only --tmpfs /tmp \
             --cap-drop ALL --security-opt no-new-privileges --health-interval 1s --volume \
             /m.gguf:/models/model.gguf:ro x:1 --model /models/model.gguf"
        );
    }
}
