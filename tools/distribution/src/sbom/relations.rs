//! How the parts and files of a distribution belong together.

use super::files::Hashed;
use super::spdx::{DOCUMENT, Relationship};
use super::{DISTRIBUTION, file_id, is_in, package_id};
use crate::component::{Component, Group, Program};
use crate::licenses;
use product::variant;

/// Files of code that are made of our crates, the first alone, the other with llama.cpp in it.
const OWN: [&str; 2] = ["llama-healthcheck", variant::PACKER];

/// Ids of the parts that have parts.
struct Owners {
    program: String,
    upstream: String,
    page: String,
}

/// Every relationship, in order.
pub(super) fn all(
    program: &Program,
    components: &[Component],
    files: &[Hashed],
) -> Vec<Relationship> {
    let owners = Owners::of(program, components);
    let mut all = vec![relationship(DOCUMENT, "DESCRIBES", DISTRIBUTION)];
    for part in components {
        let id = package_id(part);
        let (from, kind) = owners.relation(program, part);
        all.push(relationship(from, kind, &id));
        if part.group == Group::Vendor && !part.files.is_empty() {
            all.push(relationship(DISTRIBUTION, "CONTAINS", &id));
        }
    }
    for (at, file) in files.iter().enumerate() {
        let id = file_id(at);
        all.push(relationship(DISTRIBUTION, "CONTAINS", &id));
        let holds = |part: &&Component| part.files.iter().any(|name| is_in(&file.path, name));
        if let Some(part) = components.iter().find(holds) {
            all.push(relationship(&id, "EXPANDED_FROM_ARCHIVE", &package_id(part)));
        } else if !is_in(&file.path, licenses::FOLDER) {
            let own = OWN.contains(&file.path.as_str());
            let from = if own { &owners.program } else { &owners.upstream };
            all.push(relationship(&id, "GENERATED_FROM", from));
        }
    }
    all.sort();
    all
}

impl Owners {
    fn of(program: &Program, components: &[Component]) -> Self {
        let id = |group, name: &str| {
            let mut of_group = components.iter().filter(|part| part.group == group);
            of_group
                .find(|part| name.is_empty() || part.name == name)
                .map(package_id)
                .unwrap_or_default()
        };
        Self {
            program: id(Group::Own, program.package),
            upstream: id(Group::Upstream, ""),
            page: id(Group::WebUi, ""),
        }
    }

    /// Who has `part`, and how.
    fn relation(&self, program: &Program, part: &Component) -> (&str, &'static str) {
        match part.group {
            Group::Own if part.name == program.package => (DISTRIBUTION, "CONTAINS"),
            Group::Own | Group::Crate => (&self.program, "STATIC_LINK"),
            Group::Upstream => (DISTRIBUTION, "CONTAINS"),
            Group::Carried | Group::WebUi => (&self.upstream, "CONTAINS"),
            Group::Page => (&self.page, "CONTAINS"),
            // Headers are compiled in.
            Group::Vendor if part.files.is_empty() => (&self.upstream, "STATIC_LINK"),
            Group::Vendor => (&self.upstream, "DYNAMIC_LINK"),
        }
    }
}

fn relationship(from: &str, kind: &'static str, to: &str) -> Relationship {
    Relationship {
        spdx_element_id: from.to_owned(),
        relationship_type: kind,
        related_spdx_element: to.to_owned(),
    }
}
