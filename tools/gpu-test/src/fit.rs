//! Whether distributions fit together, this machine, and the programs that are built for them.

use llama_build::Pin;
use llama_src::Error;

use product::manifest::Manifest;
use product::variant::Variant;

/// What makes the distributions unfit for this run, all of it.
pub(super) fn violations(
    dist: &Manifest,
    cpu: Option<&Manifest>,
    variant: Variant,
    target: &str,
    pin: &Pin,
) -> Vec<Error> {
    let mut wrong = Vec::new();
    if dist.variant != variant.name() {
        let is = &dist.variant;
        wrong.push(
            Error::usage(format!("the distribution is of the variant `{is}`, not `{variant}`"))
                .hint(format!("--variant {is}")),
        );
    }
    if dist.target != target {
        wrong.push(Error::usage(format!(
            "the distribution is for {}, this machine is {target}",
            dist.target
        )));
    }
    if dist.llama_cpp.tree != pin.tree {
        let is = &dist.llama_cpp.tag;
        wrong.push(
            Error::usage(format!(
                "the distribution is of llama.cpp {is}, this workspace pins {}",
                pin.tag
            ))
            .hint(format!(
                "check out its commit: git checkout {}",
                dist.commit.trim_end_matches("-dirty")
            )),
        );
    }
    if let Some(cpu) = cpu {
        if cpu.variant != Variant::Cpu.name() {
            wrong.push(
                Error::usage(format!("--cpu-dist is of the variant `{}`", cpu.variant))
                    .hint("cargo xtask dist --variant cpu"),
            );
        }
        if cpu.llama_cpp != dist.llama_cpp {
            wrong.push(
                Error::usage("the CPU distribution is of another llama.cpp")
                    .hint(format!("build both at once: cargo xtask dist --variant cpu,{variant}")),
            );
        }
    }
    wrong
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use product::variant::X86_64;

    #[test]
    fn distributions_that_do_not_fit_are_told_together() {
        let pin = Pin::load();
        let mut dist = Manifest::example();
        dist.llama_cpp.tree = pin.tree.clone();
        let mut cpu = dist.clone();
        cpu.variant = "cpu".to_owned();
        let wrong = |dist: &Manifest, cpu: &Manifest, variant| {
            let wrong = violations(dist, Some(cpu), variant, X86_64, &pin);
            wrong.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(wrong(&dist, &cpu, Variant::Cuda).is_empty());
        let mut old = dist.clone();
        (old.llama_cpp.tag, old.llama_cpp.tree) = ("b1".to_owned(), String::new());
        old.target = "aarch64-unknown-linux-gnu".to_owned();
        old.commit = "0123-dirty".to_owned();
        assert_eq!(
            wrong(&old, &dist, Variant::Vulkan),
            [
                "the distribution is of the variant `cuda`, not `vulkan`\n  hint: --variant cuda",
                "the distribution is for aarch64-unknown-linux-gnu, this machine is \
                 x86_64-unknown-linux-gnu",
                &format!(
                    "the distribution is of llama.cpp b1, this workspace pins {}\n  hint: check out its \
                     commit: git checkout 0123",
                    pin.tag
                ),
                "--cpu-dist is of the variant `cuda`\n  hint: cargo xtask dist --variant cpu",
                "the CPU distribution is of another llama.cpp\n  hint: build both at once: cargo xtask \
                 dist --variant cpu,vulkan",
            ]
        );
    }
}
