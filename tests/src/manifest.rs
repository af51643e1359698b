//! Kubernetes manifests as `kubectl kustomize` renders them. What nothing here knows is an error: a test that
//! starts a manifest passes over no field of it.

use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::docker::{self, docker};
use crate::process::{Finished, finish};
use crate::workspace::root;

pub mod operators;
pub mod pod_spec;

use pod_spec::PodSpec;

/// What `kubectl kustomize` says about the folder `own`, which finds this repository in `../repository`.
/// `None` where there is no engine to run it in: the distributions' own are often too old.
pub fn kustomize(own: &Path, dir: &str) -> Option<Finished> {
    let tools = docker::tools()?;
    let repository = format!("{}:/kustomize/repository:ro", root().display());
    let own = format!("{}:/kustomize/own:ro", own.display());
    let run =
        ["run", "--rm", "--volume", &repository, "--volume", &own, "--workdir", "/kustomize/own"];
    Some(finish(&mut docker(&[&run[..], &[&tools, "kubectl", "kustomize", dir]].concat())))
}

/// The YAML of `docker/k8s/NAME`.
///
/// # Panics
/// When it does not render.
pub fn rendered(name: &str) -> Option<String> {
    let empty = tempfile::tempdir().expect("there is a temporary folder");
    let dir = format!("../repository/docker/k8s/{name}");
    let Finished { status, output } = kustomize(empty.path(), &dir)?;
    assert!(status.success(), "{name}: {output}");
    Some(output)
}

/// The objects of a rendered folder.
#[derive(Debug)]
pub struct Rendered(Vec<Value>);

impl Rendered {
    /// Of `docker/k8s/NAME`.
    ///
    /// # Panics
    /// When it does not render.
    pub fn of(name: &str) -> Option<Self> {
        Some(Self::parse(&rendered(name)?))
    }

    /// Of YAML.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let documents = serde_norway::Deserializer::from_str(text);
        let objects = documents.map(|one| Value::deserialize(one).expect("kubectl writes YAML"));
        Self(objects.collect())
    }

    /// The first object of this kind.
    pub fn find(&self, kind: &str) -> Option<&Value> {
        self.0.iter().find(|object| object["kind"] == kind)
    }

    /// All objects of this kind.
    pub fn all(&self, kind: &str) -> Vec<&Value> {
        self.0.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The objects themselves.
    pub fn objects(&self) -> &[Value] {
        &self.0
    }

    /// What its Deployment starts.
    ///
    /// # Panics
    /// When there is none, or something in it that is not known here.
    pub fn pod(&self) -> PodSpec {
        let deployment = self.find("Deployment").expect("something is deployed");
        let pod: PodSpec = read(&deployment["spec"]["template"]["spec"]);
        let probed = pod
            .containers
            .iter()
            .all(|one| one.startup_probe.is_some() && one.liveness_probe.is_some());
        assert!(probed, "{pod:?}");
        pod
    }
}

/// A part of an object, of which each field is known here.
///
/// # Panics
/// When one is not.
pub fn read<T: DeserializeOwned>(value: &Value) -> T {
    let known = serde_json::from_value(value.clone());
    known.unwrap_or_else(|error| panic!("tests/src/manifest.rs does not know it: {error}\n{value}"))
}

/// The one object of the file `docker/k8s/NAME`, which nothing renders.
///
/// # Panics
/// As [`read`], and when it is no YAML.
pub fn read_file<T: DeserializeOwned>(name: &str) -> T {
    let text = std::fs::read_to_string(root().join("docker/k8s").join(name));
    let objects = Rendered::parse(&text.expect("the repository has it"));
    let [object] = objects.objects() else { panic!("one object, not {objects:?}") };
    read(object)
}
