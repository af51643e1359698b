//! The Dockerfiles of the variants, written from one template, `docker/Dockerfile.in`.
//!
//! A line may begin with a selector: `[cuda rocm] TEXT` is for those two alone, `[] TEXT` for none (see [`words`]). From
//! the line `[each minimal runtime]` on, the template is written once for each of these words, which select lines as
//! variants do. `{name}` is a value of the variant's (see [`names`]); an empty one takes the blank before it along, or
//! the line if there is nothing else on it. `${NAME}` stays.

use anyhow::{Context, Result, bail, ensure};
use llama_build::backend::Backend;
use llama_src::Error;

use super::bake;
use super::written::{self, Written};
use product::variant::{Image, Source, ToolkitRow, Variant, VariantRow};

const TEMPLATE: &str = "docker/Dockerfile.in";

/// Each Dockerfile, and docker-bake.hcl.
pub(super) fn files() -> Result<Vec<Written>> {
    let template = written::read(TEMPLATE)?;
    let one = |variant| Ok((format!("docker/{variant}.Dockerfile"), write(&template, variant)?));
    Variant::ALL.into_iter().map(one).chain([bake::file()]).collect()
}

/// The words that select lines of `variant`: its name, and what it has.
fn words(variant: Variant) -> Vec<&'static str> {
    let has = [("gpu", variant.backend().is_some()), ("toolkit", !variant.toolkits().is_empty())];
    let has = has.into_iter().filter_map(|(word, has)| has.then_some(word));
    [variant.name()].into_iter().chain(has).collect()
}

/// What `{name}` stands for.
fn names(variant: Variant) -> [(&'static str, String); 10] {
    let VariantRow { devices, image, .. } = variant.row();
    let runs_on = |devices| format!("{devices}, and on the CPU if there is none");
    let toolkit = variant.toolkits().first().copied();
    let minimum_cuda = variant.toolkit(None).and_then(|row| row.minimum_cuda);
    [
        ("variant", variant.to_string()),
        ("runs_on", devices.map_or("any CPU".to_owned(), runs_on)),
        ("toolkit", toolkit.unwrap_or_default().to_owned()),
        ("toolkit_stages", stages(variant.row()).join("\n")),
        ("toolkit_mounts", mounts(image).join("\n")),
        ("toolchain_packages", image.toolchain_packages.to_owned()),
        ("system_packages", image.system_packages.to_owned()),
        ("backend", variant.backend().map(Backend::library).unwrap_or_default().to_owned()),
        ("minimum_cuda", minimum_cuda.unwrap_or_default().to_owned()),
        ("environment", environment(image)),
    ]
}

/// A stage for each toolkit of the releases.
fn stages(row: &VariantRow) -> Vec<String> {
    let stage = |toolkit: &ToolkitRow| {
        let name = format!("AS toolkit-{}", toolkit.version);
        match toolkit.release? {
            Source::Image(image) => Some(format!("FROM {image} {name}")),
            Source::Setup => {
                // What is mounted has to be there.
                let folders = row.image.toolkit_folders.iter();
                let folders = folders.map(|folder| format!("\nWORKDIR {folder}"));
                Some(format!("FROM scratch {name}{}", folders.collect::<String>()))
            }
        }
    };
    row.toolkits.iter().filter_map(stage).collect()
}

fn mounts(image: &Image) -> Vec<String> {
    let mount =
        |folder| format!("    --mount=type=bind,from=toolkit,source={folder},target={folder} \\");
    image.toolkit_folders.iter().map(mount).collect()
}

fn environment(image: &Image) -> String {
    let variables = image.environment.iter().map(|(name, value)| {
        let quote = if value.contains('>') { "\"" } else { "" };
        let value = value.replace("{minimum_cuda}", "$MINIMUM_CUDA");
        format!("{name}={quote}{value}{quote}")
    });
    variables.collect::<Vec<String>>().join(" ")
}

/// The Dockerfile of `variant`.
fn write(template: &str, variant: Variant) -> Result<String> {
    let each = template.lines().position(|line| line.starts_with("[each "));
    let lines: Vec<(usize, &str)> = (1..).zip(template.lines()).collect();
    let (once, rest) = lines.split_at(each.unwrap_or(lines.len()));
    let known = [Variant::ALL.map(Variant::name).to_vec(), vec!["gpu", "toolkit"]].concat();
    let own = words(variant);
    let mut text = lines_of(once, &known, &own, variant)?;
    if let Some(((_, each), repeated)) = rest.split_first() {
        let words: Vec<&str> = each.trim_matches(['[', ']']).split(' ').skip(1).collect();
        let known = [known, words.clone()].concat();
        for word in words {
            text += &lines_of(repeated, &known, &[&own[..], &[word]].concat(), variant)?;
        }
    }
    Ok(text)
}

/// The lines that one of the words in `selected` selects, filled.
fn lines_of(
    lines: &[(usize, &str)],
    known: &[&str],
    selected: &[&str],
    variant: Variant,
) -> Result<String> {
    let mut text = String::new();
    for &(number, line) in lines {
        let place = || format!("{TEMPLATE}:{number}");
        if let Some(line) = select(line, known, selected).with_context(place)? {
            let filled = fill(line, variant).with_context(place)?;
            // It was an empty value and nothing else.
            if !filled.is_empty() || line.is_empty() {
                text += &filled;
                text.push('\n');
            }
        }
    }
    Ok(text)
}

/// The line without its selector; `None` when that selects others.
fn select<'a>(line: &'a str, known: &[&str], selected: &[&str]) -> Result<Option<&'a str>> {
    let Some((words, text)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else {
        return Ok(Some(line));
    };
    for word in words.split_whitespace() {
        let hint = known.join(" ");
        ensure!(
            known.contains(&word),
            Error::new(format!("unknown word in `[{word}]`")).hint(format!("use one of: {hint}"))
        );
    }
    let is_selected = words.split_whitespace().any(|word| selected.contains(&word));
    Ok(is_selected.then(|| text.strip_prefix(' ').unwrap_or(text)))
}

/// The line with values in place of names.
fn fill(line: &str, variant: Variant) -> Result<String> {
    let names = names(variant);
    let (mut filled, mut rest) = (String::new(), line);
    while let Some((before, after)) = rest.split_once('{') {
        filled += before;
        rest = after;
        let name =
            after.split_once('}').filter(|(name, _)| is_name(name) && !before.ends_with('$'));
        let Some((name, after)) = name else {
            filled.push('{');
            continue;
        };
        let Some((_, value)) = names.iter().find(|(known, _)| *known == name) else {
            let known = names.map(|(name, _)| name).join(" ");
            bail!(
                Error::new(format!("unknown value `{name}`")).hint(format!("use one of: {known}"))
            )
        };
        if value.is_empty() && filled.ends_with(' ') {
            filled.pop();
        }
        filled += value;
        rest = after;
    }
    Ok(filled + rest)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "\
[] Nobody's.
# llama-server on {runs_on}.
ARG TOOLKIT_IMAGE=toolkit-${TOOLKIT}
RUN apt-get install npm {toolchain_packages} /usr/{bin,lib} -I{} \\
[toolkit]     --toolkit {toolkit} \\
{toolkit_mounts}
    --variant {variant}
[each minimal runtime]

[minimal] FROM scratch AS minimal
[runtime] FROM system AS runtime
[rocm vulkan] COPY /lib{backend}.so /app/
ENV HOME=/data {environment}
";

    #[test]
    fn a_variant_has_the_lines_that_it_selects_with_its_values() {
        let cpu = "\
# llama-server on any CPU.
ARG TOOLKIT_IMAGE=toolkit-${TOOLKIT}
RUN apt-get install npm /usr/{bin,lib} -I{} \\
    --variant cpu

FROM scratch AS minimal
ENV HOME=/data

FROM system AS runtime
ENV HOME=/data
";
        assert_eq!(write(SMALL, Variant::Cpu).unwrap(), cpu);
        let rocm = "\
# llama-server on AMD GPUs, and on the CPU if there is none.
ARG TOOLKIT_IMAGE=toolkit-${TOOLKIT}
RUN apt-get install npm patchelf /usr/{bin,lib} -I{} \\
    --toolkit 7.2 \\
    --mount=type=bind,from=toolkit,source=/opt/rocm,target=/opt/rocm \\
    --mount=type=bind,from=toolkit,source=/var/lib/dpkg,target=/var/lib/dpkg \\
    --variant rocm

FROM scratch AS minimal
COPY /libggml-hip.so /app/
ENV HOME=/data

FROM system AS runtime
COPY /libggml-hip.so /app/
ENV HOME=/data
";
        assert_eq!(write(SMALL, Variant::Rocm).unwrap(), rocm);
    }

    #[test]
    fn a_word_that_is_not_known_is_refused_where_it_stands() {
        let error = |template| {
            let error = format!("{:#}", write(template, Variant::Cpu).unwrap_err());
            error.replace(&Variant::names(" "), "cpu cuda")
        };
        assert_eq!(
            error("FROM scratch\n[cpu cudda] USER 1\n"),
            "docker/Dockerfile.in:2: unknown word in `[cudda]`\n  hint: use one of: cpu cuda gpu toolkit"
        );
        assert_eq!(
            error("[runtime] USER 1\n[each minimal runtime]\n"),
            "docker/Dockerfile.in:1: unknown word in `[runtime]`\n  hint: use one of: cpu cuda gpu \
            toolkit"
        );
        assert_eq!(
            error("[each minimal]\n[cpu] LABEL {varient}\n"),
            "docker/Dockerfile.in:2: unknown value `varient`\n  hint: use one of: variant runs_on \
            toolkit toolkit_stages toolkit_mounts toolchain_packages system_packages backend \
            minimum_cuda environment"
        );
    }
}
