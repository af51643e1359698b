//! A workflow of GitHub's as far as ours use it: jobs, steps, and the few expressions that hand values over.

use std::collections::BTreeMap;

use serde_norway::Value;

use workspace::cargo;

/// A file of `.github/workflows`.
pub(super) struct Workflow {
    pub(super) value: Value,
}

/// A job and its name.
pub(super) struct Job<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a Value,
}

/// What expressions can name, by their whole path: `needs.plan.outputs.publish`.
#[derive(Debug, Clone, Default)]
pub(super) struct Context(pub(super) BTreeMap<String, String>);

impl Workflow {
    pub(super) fn read(name: &str) -> Self {
        let path = cargo::root().join(".github/workflows").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        Self { value: serde_norway::from_str(&text).unwrap() }
    }

    pub(super) fn jobs(&self) -> Vec<Job<'_>> {
        let jobs = self.value["jobs"].as_mapping().unwrap().iter();
        jobs.map(|(name, value)| Job { name: name.as_str().unwrap(), value }).collect()
    }

    pub(super) fn job(&self, name: &str) -> Job<'_> {
        self.jobs().into_iter().find(|job| job.name == name).unwrap()
    }
}

impl<'a> Job<'a> {
    pub(super) fn steps(&self) -> Vec<&'a Value> {
        self.value["steps"].as_sequence().unwrap().iter().collect()
    }

    /// Scripts, one a step.
    pub(super) fn runs(&self) -> Vec<&'a str> {
        self.steps().into_iter().filter_map(|step| step["run"].as_str()).collect()
    }

    /// Steps that use the action `name`.
    pub(super) fn using(&self, name: &str) -> Vec<&'a Value> {
        let uses = |step: &&Value| {
            step["uses"].as_str().is_some_and(|uses| uses.split('@').next() == Some(name))
        };
        self.steps().into_iter().filter(uses).collect()
    }

    pub(super) fn needs(&self) -> Vec<&'a str> {
        match &self.value["needs"] {
            Value::String(one) => vec![one],
            Value::Sequence(several) => several.iter().map(|one| one.as_str().unwrap()).collect(),
            _ => Vec::new(),
        }
    }

    /// `contents: read, packages: write`.
    pub(super) fn permissions(&self) -> String {
        let Some(rights) = self.value["permissions"].as_mapping() else {
            return "inherited".into();
        };
        let rights = rights.iter();
        let words = rights.map(|(name, right)| {
            format!("{}: {}", name.as_str().unwrap(), right.as_str().unwrap())
        });
        words.collect::<Vec<_>>().join(", ")
    }

    /// Whether it may change anything.
    pub(super) fn has_rights(&self) -> bool {
        self.permissions().contains("write")
    }
}

impl Context {
    /// With another value.
    pub(super) fn with(mut self, path: &str, value: &str) -> Self {
        self.0.insert(path.to_owned(), value.to_owned());
        self
    }

    /// The value of an expression: a path, or a comparison of one with a text.
    ///
    /// # Panics
    /// For anything else: that would be logic, and for a path that nobody sets.
    fn expression(&self, text: &str) -> String {
        if let Some((path, wanted)) = text.split_once(" == ") {
            let wanted = wanted.trim().strip_prefix('\'').unwrap().strip_suffix('\'').unwrap();
            return (self.expression(path) == wanted).to_string();
        }
        match text.trim() {
            "always()" => "true".into(),
            path => {
                self.0.get(path).unwrap_or_else(|| panic!("nothing is called `{path}`")).clone()
            }
        }
    }

    /// `text` with the values of its expressions.
    pub(super) fn fill(&self, text: &str) -> String {
        let mut parts = text.split("${{");
        let mut filled = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let (expression, rest) = part.split_once("}}").unwrap();
            filled += &self.expression(expression);
            filled += rest;
        }
        filled
    }

    /// Whether an `if:` lets its job or step run.
    pub(super) fn allows(&self, condition: &Value) -> bool {
        match condition {
            Value::Null => true,
            Value::String(text) => self.expression(text) == "true",
            other => panic!("a condition is no text: {other:?}"),
        }
    }

    /// The rows of a job's matrix, each as a context of its own; one without a matrix.
    pub(super) fn rows(&self, job: &Job<'_>) -> Vec<Self> {
        let Some(matrix) = job.value["strategy"]["matrix"].as_mapping() else {
            return vec![self.clone()];
        };
        let (name, rows) = matrix.iter().next().unwrap();
        let rows = rows.as_str().unwrap().trim();
        let path = rows.strip_prefix("${{ fromJSON(").unwrap().strip_suffix(") }}").unwrap();
        let rows: Vec<BTreeMap<String, String>> =
            serde_json::from_str(&self.expression(path)).unwrap();
        let name = name.as_str().unwrap();
        let of_row = |row: BTreeMap<String, String>| {
            row.iter().fold(self.clone(), |context, (key, value)| {
                context.with(&format!("matrix.{name}.{key}"), value)
            })
        };
        rows.into_iter().map(of_row).collect()
    }
}
