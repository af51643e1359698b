//! RamaLama lists an image of ours and serves its model: it looks for the label `org.containers.type` and for the
//! file `/models/model.file`.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use llama_tests::docker::{self, Container, read};
use llama_tests::packer::Packer;
use llama_tests::process::{command, finish};
use llama_tests::registry::Registry;
use llama_tests::server::free_port;
use llama_tests::{http, needs};

/// The version whose habits these are.
pub(super) const VERSION: &str = "0.25.0";

const FILE: &str = "FROM scratch\nLABEL org.containers.type=ai.image.model.raw\n\
    COPY model.gguf model.file\nCMD [\"-m\", \"model.file\", \"-c\", \"256\"]\n";

/// `docker` for it: it unpacks models with the tar of an image `busybox`, for which our tools' one stands.
const DOCKER: &str = "#!/bin/sh\nn=$#\nfor word do\n\
    [ \"$word\" = busybox ] && word=TOOLS\nset -- \"$@\" \"$word\"\ndone\nshift $n\n\
    PATH=${PATH#*:} exec docker \"$@\"\n";

/// A volume that goes with this value.
struct Volume(String);

impl Drop for Volume {
    fn drop(&mut self) {
        finish(&mut docker::docker(&["volume", "rm", "--force", &self.0]));
    }
}

#[test]
fn ramalama_lists_and_serves_an_image_that_is_made_for_it() {
    let (Some(packer), Some(registry)) = (Packer::new(), Registry::start()) else { return };
    let Some(server) = docker::image("cpu") else { return };
    let Some(ramalama) = needs::from_pypi("ramalama", VERSION) else { return };
    let dir = tempfile::tempdir().unwrap();
    fs::copy(needs::demo_model().unwrap(), dir.path().join("model.gguf")).unwrap();
    fs::write(dir.path().join("GGUFPackerfile"), FILE).unwrap();
    let name = format!("{}/demo:1", registry.address);
    packer.does_in(dir.path(), &["build", "--tag", &name, "--push", "."]);
    read(&["pull", "--quiet", &name]);

    let engine = dir.path().join("docker");
    fs::write(&engine, DOCKER.replace("TOOLS", &registry.tools)).unwrap();
    fs::set_permissions(&engine, Permissions::from_mode(0o755)).unwrap();
    let run = |words: &[&str]| {
        let mut command = command("sh");
        command.args(["-ec", "PATH=$1:$PATH; shift; exec \"$@\"", "sh"]).arg(dir.path());
        command.arg(ramalama.join("bin/ramalama")).args(["--engine", "docker"]).args(words);
        command.env("PYTHONPATH", &ramalama).env("HOME", dir.path());
        let done = finish(&mut command);
        assert!(done.status.success(), "ramalama {words:?}: {}", done.output);
        done.output
    };
    let model = format!("oci://{name}");
    assert!(run(&["list"]).contains(&model));
    let (port, started) = (free_port().to_string(), format!("ramalama-{}", free_port()));
    let own = ["serve", "--detach", "--name", &started, "--port", &port, "--pull", "never"];
    let mut volume = Volume(String::new());
    let container = Container { id: started.clone() };
    run(&[&own[..], &["--image", &server, &model]].concat());
    volume.0 = container.inspect("{{range .Mounts}}{{.Name}}{{end}}");
    let answer = http::get(&format!("http://127.0.0.1:{port}/v1/models"));
    assert_eq!(answer.status, 200, "{answer:?}");
}
