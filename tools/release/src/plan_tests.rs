//! The plan of a run: what travels to jobs without a checkout, and what the workflow is told.

use super::*;
use crate::event::Event;

fn identity(branch: &str) -> Identity {
    Identity {
        version: "2508201420-abc1234".into(),
        commit: "abc1234567890abcdef1234567890abcdef12345".into(),
        timestamp: "2508201420".into(),
        branch: branch.into(),
        epoch: 1_755_699_600,
    }
}

fn event(name: &str, reference: &str) -> Event {
    Event::read(name, reference).unwrap()
}

#[test]
fn names_move_with_the_main_branch_alone() {
    let told = Told { owner: Some("Some-One".to_owned()), ..Told::default() };
    let tag = event("push", "refs/tags/v1.2.3");
    let branch =
        |own: &str, of_main: bool| Plan::new(&told, &tag, identity(own), of_main).identity.branch;
    assert_eq!(branch("HEAD", true), "main", "a tag is checked out without a branch");
    assert_eq!(branch("HEAD", false), "HEAD");
    assert_eq!(branch("main", false), "HEAD", "a clone's own name of a branch is no proof");
    assert_eq!(branch("topic", false), "topic");
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    let told = Told {
        owner: Some("Some-One".to_owned()),
        page: Some("https://github.com/Some-One/llama".to_owned()),
        ..Told::default()
    };
    let plan = Plan::new(&told, &event("push", "refs/tags/v1.2.3"), identity("HEAD"), true);
    assert_eq!(plan.registry, "ghcr.io/some-one", "registries know no capitals");
    assert_eq!(plan.version(), "1.2.3");
    let text = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
    let images = Plan::new(&told, &event("push", "refs/heads/main"), identity("main"), true);
    assert_eq!(images.version(), "2508201420-abc1234");
    let may = |plan: &Plan| {
        [plan.check(plan.publish, "images"), plan.check(plan.release.is_some(), "archives")]
    };
    assert!(may(&plan).iter().all(Result::is_ok) && may(&images)[0].is_ok());
    assert!(may(&images)[1].is_err(), "a commit is no release");
    let trial = Plan::new(&told, &Event::Trial, identity("main"), true);
    let error = may(&trial)[0].as_ref().unwrap_err().to_string();
    assert!(
        error
            .starts_with("dist/release/plan.json is the plan of an event that publishes no images")
    );
    let own = Told { registry: Some("localhost:5000/me".to_owned()), ..told };
    assert!(may(&Plan::new(&own, &Event::Trial, identity("main"), true))[0].is_ok());
    // Both flavours of every row, and gguf-packer's for every processor.
    let rows = 2 * product::variant::matrix().len() + product::arch::Arch::ALL.len();
    assert_eq!(images.built().len(), rows);
    let packer =
        images.built().into_iter().find(|one| one.archive.ends_with("gguf-packer-amd64.tar"));
    let papers = packer.unwrap().papers.map(|(_, path)| path);
    let stem = "dist/release/archives/gguf-packer-2508201420-abc1234-x86_64-unknown-linux-gnu";
    assert_eq!(papers, [".spdx.json", ".openvex.json"].map(|ending| format!("{stem}{ending}")));
}

#[test]
fn a_tag_of_another_version_stops_the_run() {
    let error = outputs(&event("push", "refs/tags/v99.0.0"), None).unwrap_err().to_string();
    assert!(error.starts_with("the tag is v99.0.0"), "{error}");
}

#[test]
fn the_workflow_is_told_what_the_event_may_do() {
    let told = outputs(&event("schedule", "refs/heads/main"), Some("debian@sha256:0a")).unwrap();
    let value = |name: &str| told.iter().find(|(known, _)| *known == name).unwrap().1.clone();
    assert_eq!(value("publish"), "true");
    assert_eq!(value("cache"), "false");
    assert_eq!(value("base"), "debian@sha256:0a");
    let jobs: serde_json::Value = serde_json::from_str(&value("jobs")).unwrap();
    assert!(jobs.as_array().unwrap().iter().any(|job| job["id"] == "cpu-arm64"));
    let text = as_file(&[("one", "1".to_owned()), ("two", "a\nb\n".to_owned())]);
    assert_eq!(text, "one=1\ntwo<<END\na\nb\nEND\n");
}
