//! The quadlet: what podman's generator makes of it is started, checked and ended.

use llama_tests::docker::{self, Container, docker, image};
use llama_tests::hub::Hub;
use llama_tests::needs;
use llama_tests::process::{Finished, command, wait_for};
use llama_tests::workspace::root;

/// Podman in a container of Docker's, with the image and a key.
struct Podman(Container);

impl Podman {
    fn start(image: &str) -> Option<Self> {
        let tools = docker::tools()?;
        let quadlets = root().join("docker/quadlet");
        let quadlets = format!("{}:/etc/containers/systemd:ro", quadlets.display());
        let own = ["--privileged", "--volume", "/var/lib/containers", "--volume", &quadlets];
        let quiet = ["--env", "PODMAN_IGNORE_CGROUPSV1_WARNING=1", &tools, "sleep", "infinity"];
        let podman = Self(Container::start(&[&own[..], &quiet].concat()));
        let load =
            format!("docker save {image} | docker exec -i {} podman load --quiet", podman.0.id);
        let loaded = command("sh").args(["-ec", &load]).output().unwrap();
        assert!(loaded.status.success(), "{}", String::from_utf8_lossy(&loaded.stderr));
        podman.succeed(&["podman", "tag", image, "localhost/llama-cpp-cpu:local"]);
        let secret = "echo sesame | podman secret create llama-server-keys -";
        podman.succeed(&["sh", "-ec", secret]);
        Some(podman)
    }

    fn succeed(&self, words: &[&str]) -> String {
        let Finished { status, output } = self.0.exec(words);
        assert!(status.success(), "{words:?}: {output}");
        output
    }

    /// The line that systemd would start.
    fn generated(&self) -> String {
        let unit = self.succeed(&["/usr/libexec/podman/quadlet", "-dryrun"]);
        let line = unit.lines().find_map(|line| line.strip_prefix("ExecStart="));
        line.unwrap_or_else(|| panic!("{unit}")).to_owned()
    }

    /// The status of a request for a text, from where the port is published.
    fn status(&self, header: &str) -> String {
        let ask = format!(
            r#"exec 3<>/dev/tcp/127.0.0.1/8080; body='{{"prompt":"Hello","n_predict":4}}'
            printf 'POST /completion HTTP/1.0\r\n{header}Content-Length: %d\r\n\r\n%s' ${{#body}} "$body" >&3; head -1 <&3"#
        );
        let answer = self.succeed(&["bash", "-c", &ask]);
        answer.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }
}

/// Without systemd there is nobody to tell that it is healthy, and no control group to share.
#[test]
fn the_quadlet_starts_is_checked_and_ends() {
    let Some(image) = image("cpu") else { return };
    let Some(podman) = Podman::start(&image) else { return };
    let hub = Hub::start(needs::demo_model().unwrap());
    let hub = format!(" --env HF_ENDPOINT={} --", hub.endpoint(&docker::gateway()));
    let line = podman.generated();
    let mut run = line.replace(" --cgroups=split", " --cgroups=disabled");
    for (generated, here) in
        [(" --sdnotify=healthy", ""), ("%t/%N.cid", "/run/llama-server.cid"), (" --", &hub)]
    {
        assert!(run.contains(generated), "{line}");
        run = run.replacen(generated, here, 1);
    }
    podman.succeed(&["sh", "-ec", &run]);
    let check = ["podman", "healthcheck", "run", "llama-server"];
    wait_for("podman's health check", || podman.0.exec(&check).status.success().then_some(()));
    assert_eq!(podman.status(""), "401");
    assert_eq!(podman.status("Authorization: Bearer sesame\\r\\n"), "200");
    let end =
        "podman wait llama-server > /run/code & podman stop llama-server; wait; cat /run/code";
    let said = podman.succeed(&["sh", "-ec", end]);
    assert!(said.trim_end().ends_with("\n0") && !said.contains("SIGKILL"), "{said}");
}

#[test]
fn a_check_is_kept_by_the_format_that_the_documents_name() {
    let Some(tools) = docker::tools() else { return };
    let documents = std::fs::read_to_string(root().join("docs/images.md")).unwrap();
    assert!(documents.contains("podman build --format docker "), "docs/images.md names it");
    let build = "cd /tmp && printf 'FROM scratch\\nHEALTHCHECK CMD [\"/check\"]\\n' > Dockerfile
        podman build --quiet --format docker --tag x . > build.log
        podman image inspect --format '{{.HealthCheck}}' x";
    let run = ["run", "--rm", "--privileged", "--volume", "/var/lib/containers", &tools];
    let output = docker(&[&run[..], &["sh", "-ec", build]].concat()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("/check"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
