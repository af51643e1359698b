//! The workflows have no logic of their own: each command that they run is run here in plan mode, for every event and
//! every row, with the values that the workflow hands over; rights, caches and triggers are held against tables.

mod model;

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use serde_norway::Value;

use super::event::Event;
use super::plan::{self, Plan, Told};
use super::{Cli, Line, Step, made_up, planned, push_of};
use model::{Context, Job, Workflow};
use product::identity::Identity;

const RELEASE: &str = "release.yml";
/// The program that `plan` compiles, where it is run.
const PROGRAM: &str = "dist/release/xtask";

/// Every event that starts the workflow, and the jobs that run because of it.
fn events() -> Vec<(&'static str, &'static str, &'static str)> {
    let published = "plan build push sign scan names";
    let version = concat!("refs/tags/v", env!("CARGO_PKG_VERSION"));
    vec![
        ("pull_request", "refs/pull/7/merge", "plan build"),
        ("push", "refs/heads/main", published),
        ("push", "refs/tags/base-images/v2508201420-abc1234", published),
        ("push", version, "plan build push sign scan names archives crates"),
        ("schedule", "refs/heads/main", published),
        ("workflow_dispatch", "refs/heads/main", published),
        ("workflow_dispatch", "refs/heads/topic", "plan build"),
    ]
}

fn told(event: &str, reference: &str) -> Told {
    Told {
        event: Some(event.to_owned()),
        reference: Some(reference.to_owned()),
        owner: Some("Owner".to_owned()),
        page: Some("https://github.com/Owner/llama".to_owned()),
        ..Told::default()
    }
}

fn identity() -> Identity {
    Identity {
        version: "2508201420-abc1234".into(),
        commit: "abc1234567890abcdef1234567890abcdef12345".into(),
        timestamp: "2508201420".into(),
        branch: "HEAD".into(),
        epoch: 1_755_699_600,
    }
}

/// What the workflow's expressions mean for an event, once its jobs have run.
fn context(name: &str, reference: &str) -> Context {
    let (told, event) = (told(name, reference), Event::read(name, reference).unwrap());
    let base = event.policy().new_base.then_some("debian:trixie-slim@sha256:0a");
    let plan = Plan::new(&told, &event, identity(), true);
    let push = push_of(&plan, &made_up).unwrap();
    let mut context = Context::default()
        .with("github.actor", "somebody")
        .with("github.event_name", name)
        .with("github.ref", reference)
        .with("github.repository", "Owner/llama")
        .with("secrets.GITHUB_TOKEN", "secret")
        .with("needs.push.outputs.scan", &serde_json::to_string(&push.scan).unwrap())
        .with("needs.push.outputs.sign", "sign --yes x");
    for (output, value) in plan::outputs(&event, base).unwrap() {
        context = context.with(&format!("needs.plan.outputs.{output}"), &value);
    }
    context
}

/// Jobs that run for an event: their condition holds, and all that they need ran.
fn running<'a>(workflow: &'a Workflow, context: &Context) -> Vec<Job<'a>> {
    let mut run: Vec<Job<'_>> = Vec::new();
    for job in workflow.jobs() {
        let has = |name: &&str| run.iter().any(|job| job.name == *name);
        if job.needs().iter().all(has) && context.allows(&job.value["if"]) {
            run.push(job);
        }
    }
    run
}

#[test]
fn each_event_runs_its_jobs() {
    let workflow = Workflow::read(RELEASE);
    for (name, reference, wanted) in events() {
        let jobs = running(&workflow, &context(name, reference));
        let jobs: Vec<&str> = jobs.iter().map(|job| job.name).collect();
        assert_eq!(jobs.join(" "), wanted, "{name} {reference}");
    }
}

#[test]
fn every_command_of_every_event_and_row_is_planned() {
    let workflow = Workflow::read(RELEASE);
    for (name, reference, _) in events() {
        let context = context(name, reference);
        for job in running(&workflow, &context) {
            for row in context.rows(&job) {
                let base = row.0.get("needs.plan.outputs.base").filter(|base| !base.is_empty());
                let told = Told { base: base.cloned(), ..told(name, reference) };
                let runs = job.runs().into_iter().map(|run| row.fill(run));
                for run in runs.filter(|run| run.contains(" release ")) {
                    let words = run.split_once("xtask ").unwrap().1.split(' ');
                    let Cli::Release(args) =
                        Cli::parse_from(["cargo xtask"].into_iter().chain(words));
                    is_planned(&run, &args.step, &told);
                }
            }
        }
    }
}

fn is_planned(run: &str, step: &Step, told: &Told) {
    let lines: Vec<Line> = planned(step, told).unwrap_or_else(|error| panic!("{run}: {error}"));
    assert!(!lines.is_empty() || matches!(step, Step::Plan), "{run}");
    for line in lines {
        assert!(line.0.iter().all(|word| !word.is_empty() && !word.contains("${{")), "{line:?}");
    }
}

#[test]
fn a_step_is_one_command() {
    let sign = "printenv LINES | xargs --max-lines=1 --verbose cosign";
    for job in Workflow::read(RELEASE).jobs() {
        for run in job.runs() {
            let ours = run.strip_prefix("cargo xtask ").or(run.strip_prefix(PROGRAM));
            let known = ours.is_some() || run == format!("chmod +x {PROGRAM}") || run == sign;
            assert!(known && !run.contains('\n'), "{}: {run}", job.name);
            // What a stranger can name must not become part of a script.
            let handed =
                run.split("${{").skip(1).map(|part| part.split("}}").next().unwrap().trim());
            handed.for_each(|path| assert_eq!(path, "matrix.job.id", "{run}"));
        }
    }
    for job in Workflow::read("ci.yml").jobs() {
        for run in job.runs() {
            let first = run.split_whitespace().next().unwrap();
            let known = ["cargo", "rustup", "exit"].contains(&first);
            assert!(known && !run.contains(['\n', '|', '&', ';', '$']), "{}: {run}", job.name);
        }
    }
}

#[test]
fn rights_are_those_of_the_table() {
    let workflow = Workflow::read(RELEASE);
    assert_eq!(workflow.value["permissions"], Value::Mapping(serde_norway::Mapping::new()));
    let table = [
        ("plan", "contents: read"),
        ("build", "contents: read"),
        ("push", "packages: write"),
        ("sign", "packages: write, id-token: write"),
        ("scan", "contents: read, packages: read, security-events: write"),
        ("names", "packages: write"),
        ("archives", "contents: write"),
        ("crates", "contents: read"),
    ];
    let jobs = workflow.jobs();
    let found: Vec<(&str, String)> = jobs.iter().map(|job| (job.name, job.permissions())).collect();
    assert_eq!(found, table.map(|(name, rights)| (name, rights.to_owned())));
    let ci = Workflow::read("ci.yml");
    assert!(ci.jobs().iter().all(|job| job.permissions() == "inherited"));
    assert_eq!(ci.value["permissions"]["contents"], Value::String("read".into()));
}

#[test]
fn whoever_has_rights_compiles_nothing() {
    for job in Workflow::read(RELEASE).jobs() {
        let compiles = job.runs().iter().any(|run| run.starts_with("cargo"));
        assert!(!(compiles && job.has_rights()), "{}", job.name);
        let secret = serde_norway::to_string(job.value).unwrap().contains("secrets.");
        assert!(!(compiles && secret), "{}", job.name);
        for checkout in job.using("actions/checkout") {
            assert_eq!(checkout["with"]["persist-credentials"], Value::Bool(false), "{}", job.name);
        }
    }
    // Whoever can sign runs neither our program nor a checkout of it.
    let sign = Workflow::read(RELEASE);
    let sign = sign.job("sign");
    assert_eq!(sign.runs().len(), 1);
    assert!(sign.using("actions/checkout").is_empty());
}

#[test]
fn caches_are_asked_for_by_the_plan_alone() {
    let workflow = Workflow::read(RELEASE);
    for job in workflow.jobs() {
        assert!(job.using("actions/cache").is_empty(), "{}", job.name);
        for step in job.using("crazy-max/ghaction-github-runtime") {
            assert_eq!(step["if"], Value::String("needs.plan.outputs.cache == 'true'".into()));
        }
        for step in job.using("aquasecurity/trivy-action") {
            assert_eq!(step["with"]["cache"], Value::String("false".into()));
        }
    }
    // Changes, and what is not shipped, alone have caches in ci.yml: it runs for no tag.
    let ci = Workflow::read("ci.yml");
    assert_eq!(ci.value["on"]["push"].as_mapping().unwrap().len(), 1);
    assert_eq!(ci.value["on"]["push"]["branches"][0], Value::String("main".into()));
}

#[test]
fn triggers_are_those_of_the_table() {
    let on = &Workflow::read(RELEASE).value["on"];
    let names: Vec<&str> =
        on.as_mapping().unwrap().keys().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(names, ["push", "pull_request", "schedule", "workflow_dispatch"]);
    let list = |value: &Value| {
        let items = value.as_sequence().unwrap().iter();
        items.map(|item| item.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(list(&on["push"]["branches"]), ["main"]);
    assert_eq!(list(&on["push"]["tags"]), [format!("{}*", image::IMAGES_TAG), "v*".to_owned()]);
    assert_eq!(on["push"].as_mapping().unwrap().len(), 2);
    assert_eq!(on["schedule"].as_sequence().unwrap().len(), 1);
    // Never `pull_request_target`, which gives strangers our rights.
    let paths: BTreeSet<String> = list(&on["pull_request"]["paths"]).into_iter().collect();
    for folder in super::crates::folders_of(&["xtask", "llama-server-bin", "gguf-packer"]).unwrap()
    {
        let top = folder.split('/').next().unwrap();
        assert!(paths.contains(&format!("{top}/**")), "a change of {folder} starts nothing");
    }
    for other in ["docker/**", ".dockerignore", "Cargo.lock", "Cargo.toml", ".cargo/**"] {
        assert!(paths.contains(other), "{other}");
    }
}

#[test]
fn a_fixable_hole_stops_the_names() {
    let workflow = Workflow::read(RELEASE);
    let scan = workflow.job("scan");
    let [trivy] = scan.using("aquasecurity/trivy-action")[..] else { panic!("one scan") };
    for (name, value) in [
        ("exit-code", "1"),
        ("ignore-unfixed", "true"),
        ("severity", "CRITICAL,HIGH"),
        // Without it a report in SARIF is of every severity, and so is the exit code.
        ("limit-severities-for-sarif", "true"),
    ] {
        assert_eq!(trivy["with"][name], Value::String(value.into()), "{name}");
    }
    let names = workflow.job("names");
    assert!(names.needs().contains(&"scan") && names.needs().contains(&"sign"));
    assert!(workflow.job("archives").needs().contains(&"sign"));
    assert_eq!(names.value["if"], Value::Null, "a condition could run it after a failure");
    let context = context("push", "refs/heads/main");
    let images: Vec<String> = context
        .rows(&scan)
        .iter()
        .map(|row| row.fill(trivy["with"]["image-ref"].as_str().unwrap()))
        .collect();
    // Each row of the matrix, with a shell and without, and gguf-packer's for every processor, by digest.
    let rows = 2 * product::variant::matrix().len() + product::arch::Arch::ALL.len();
    assert_eq!(images.len(), rows);
    assert!(images.iter().all(|image| image.contains("@sha256:")), "{images:?}");
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    for file in std::fs::read_dir(workspace::cargo::root().join(".github/workflows")).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text
            .lines()
            .filter(|line| line.trim_start().trim_start_matches("- ").starts_with("uses: "))
        {
            let (_, pin) = line.split_once('@').unwrap();
            let (commit, version) = pin.split_once(" # ").unwrap_or_else(|| panic!("{line}"));
            let is_commit =
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(is_commit && version.starts_with('v'), "{line}");
        }
    }
}

/// What a job downloads, a job that it waits for has uploaded, in every event in which it runs.
#[test]
fn what_is_downloaded_was_uploaded() {
    let workflow = Workflow::read(RELEASE);
    for (name, reference, _) in events() {
        let context = context(name, reference);
        let jobs = running(&workflow, &context);
        let mut uploaded: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for job in &jobs {
            for row in context.rows(job) {
                let steps = job.using("actions/upload-artifact").into_iter();
                for step in steps.filter(|step| row.allows(&step["if"])) {
                    let artifact = row.fill(step["with"]["name"].as_str().unwrap());
                    uploaded.entry(job.name).or_default().push(artifact);
                }
            }
        }
        for job in &jobs {
            let waits = before(&workflow, job);
            let there: Vec<&String> =
                waits.iter().filter_map(|name| uploaded.get(name)).flatten().collect();
            for step in job.using("actions/download-artifact") {
                let with = &step["with"];
                let found = match (with["name"].as_str(), with["pattern"].as_str()) {
                    (Some(name), None) => there.iter().any(|artifact| *artifact == name),
                    (None, Some(pattern)) => {
                        let begin = pattern.strip_suffix('*').unwrap();
                        there.iter().any(|artifact| artifact.starts_with(begin))
                    }
                    _ => panic!("{with:?}"),
                };
                assert!(found, "{name} {reference}: {} gets {with:?}", job.name);
            }
        }
        let mut all: Vec<&String> = uploaded.values().flatten().collect();
        all.sort();
        assert!(all.windows(2).all(|pair| pair[0] != pair[1]), "an artifact twice: {all:?}");
    }
}

/// The jobs that a job waits for, and those that these wait for.
fn before<'a>(workflow: &'a Workflow, job: &Job<'a>) -> BTreeSet<&'a str> {
    let mut all = BTreeSet::new();
    for name in job.needs() {
        all.insert(name);
        all.extend(before(workflow, &workflow.job(name)));
    }
    all
}
