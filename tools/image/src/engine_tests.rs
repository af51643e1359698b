//! What Docker is found to be, and what is refused for it.

use super::*;

fn engine(driver: &str, containerd_store: bool) -> Engine {
    let platforms = vec!["linux/amd64".to_owned(), "linux/386".to_owned()];
    let builder = Some(Builder { driver: driver.into(), platforms });
    Engine::Found { server: Ok(Server { containerd_store }), builder }
}

fn refused(engine: &Engine, wish: &Wish<'_>) -> String {
    engine.builds(wish).map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn what_is_missing_is_told_with_what_installs_it() {
    let silent = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker \
                  daemon running?";
    let engine = |server, builder| Engine::Found { server, builder };
    assert_eq!(
        refused(&Engine::Missing, &Wish::default()),
        "docker is not installed\n  hint: cargo xtask setup docker --yes"
    );
    assert_eq!(
        refused(&engine(Err(format!("| {silent}")), None), &Wish::default()),
        format!(
            "no Docker engine answers\n  | {silent}\n  hint: cargo xtask setup docker --yes\n  hint: or \
             use another one: docker context use NAME\ndocker has no buildx\n  hint: cargo xtask setup \
             docker --yes"
        )
    );
    let no_buildx = engine(Ok(Server { containerd_store: false }), None);
    assert!(no_buildx.answers().is_ok() && Engine::Missing.answers().is_err());
    assert_eq!(
        refused(&no_buildx, &Wish::default()),
        "docker has no buildx\n  hint: cargo xtask setup docker --yes"
    );
}

#[test]
fn what_the_older_image_store_cannot_do_is_told_before_anything_is_built() {
    let (output, cache) = (Output::Archive("x.tar".into()), Cache::Gha);
    let wish = Wish {
        platforms: &["linux/amd64", "linux/arm64"],
        output: Some(&output),
        cache: Some(&cache),
        attest: true,
    };
    assert_eq!(
        refused(&engine("docker", false), &wish),
        "this engine's image store has no place for an OCI archive, several platforms at once, \
         attestations, a cache elsewhere\n  hint: docker buildx create --driver docker-container \
         --use\n  hint: or set `\"features\": {\"containerd-snapshotter\": true}` in \
         /etc/docker/daemon.json and start it anew"
    );
    assert_eq!(refused(&engine("docker", true), &wish), "");
    assert_eq!(refused(&engine("docker-container", false), &wish), "");
    let load = Wish { output: Some(&Output::Load), attest: false, cache: None, ..wish };
    assert_eq!(
        refused(&engine("docker-container", false), &load),
        "an engine takes one platform at a time from this builder\n  hint: --platform linux/amd64\n  \
         hint: or --output oci:image.tar"
    );
    let one = Wish { platforms: &["linux/amd64"], output: Some(&Output::Load), ..Wish::default() };
    assert_eq!(refused(&engine("docker", false), &one), "");
}

#[test]
fn a_platform_that_needs_emulation_is_worth_a_word() {
    let engine = engine("docker", false);
    assert_eq!(engine.doubt(&["linux/amd64"]), None);
    assert_eq!(
        engine.doubt(&["linux/amd64", "linux/arm64"]).unwrap().to_string(),
        "the builder runs no programs of linux/arm64: a step that does ends in `exec format error`\n  \
         hint: apt-get install qemu-user-static"
    );
}

#[test]
fn dockers_own_words_are_read() {
    let text = "Name:          default\nDriver:        docker\n\nNodes:\nName:  default\n\
                Platforms:        linux/amd64*, linux/386\n";
    let builder = Builder::read(text);
    assert_eq!((builder.driver.as_str(), builder.platforms.len()), ("docker", 2));
    assert_eq!(builder.platforms, ["linux/amd64", "linux/386"]);
    assert!(Builder::read("").platforms.is_empty());
    let info = r#"{"DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
    assert!(Server::read(info).containerd_store);
    assert!(!Server::read(r#"{"DriverStatus":[["Supports d_type","true"]]}"#).containerd_store);
    assert!(!Server::read(r#"{"DriverStatus":null}"#).containerd_store);
}
