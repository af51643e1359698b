//! `cargo xtask image clean`: removes the images that `image build` made on this machine, and no others.

use anyhow::Result;

use super::engine::{Engine, docker};
use super::labels::OWN;
use super::tags::REPOSITORY;
use workspace::screen;

pub(super) fn run(plan: bool) -> Result<()> {
    Engine::find().answers()?;
    let list = docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter"]);
    let list = list.arg(format!("label={OWN}variant")).read()?;
    let images = ours(&list);
    if images.is_empty() {
        eprintln!("there are no images of this workspace");
        return Ok(());
    }
    let remove = docker(["image", "rm"]).args(&images);
    if plan {
        screen::print(format!("{remove}\n"));
        return Ok(());
    }
    Ok(remove.run()?)
}

/// Of the images with our labels those with a name of ours and no registry in it: an image that inherits
/// from ours has the labels too, and a pulled one is somebody's.
fn ours(list: &str) -> Vec<&str> {
    let is_ours = |name: &str| {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((name, ""));
        let rest = repository.strip_prefix(REPOSITORY);
        tag != "<none>" && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    list.lines().map(str::trim).filter(|name| is_ours(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_images_that_were_built_here_are_removed() {
        let list = "llama-cpp-cpu:local\nllama-cpp:cpu-dev\nghcr.io/me/llama-cpp-cpu:latest\n\
                    bodhi:latest\nllama-cpp-cpu:<none>\n<none>:<none>\nllama-cppx:1\n";
        assert_eq!(ours(list), ["llama-cpp-cpu:local", "llama-cpp:cpu-dev"]);
    }
}
