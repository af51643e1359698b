//! Upstream's own build, read from its Dockerfile of the pinned source: nothing of it is repeated here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use llama_src::Error;

use product::variant::Variant;

/// A Dockerfile's build, and what of it goes into the image of the server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    /// The shell's text that configures and compiles in the source's folder.
    pub(crate) script: String,
    /// The build arguments with a default.
    pub(crate) arguments: Vec<(String, String)>,
    /// Programs of the image, in `bin` of the build folder; every library goes with them.
    pub(crate) programs: Vec<String>,
}

/// The recipe of `variant` in the source `tree`.
///
/// # Errors
/// When the Dockerfile is not there, or is written in another way.
pub(crate) fn read(tree: &Path, variant: Variant) -> Result<Recipe> {
    let path = tree.join(format!(".devops/{variant}.Dockerfile"));
    let text = fs::read_to_string(&path).with_context(|| {
        Error::missing(format!("cannot read {}", path.display())).hint("cargo xtask vendor --force")
    })?;
    parse(&text).with_context(|| format!("no build and no server in {}", path.display()))
}

fn parse(text: &str) -> Option<Recipe> {
    let lines = joined(text);
    let script = lines.iter().find(|line| line.contains("cmake --build "))?;
    let script = script.strip_prefix("RUN ")?.to_owned();
    let argument = |line: &String| {
        let (name, value) = line.strip_prefix("ARG ")?.split_once('=')?;
        (!value.contains('$')).then(|| (name.to_owned(), value.to_owned()))
    };
    let server = lines.iter().skip_while(|line| !line.ends_with(" AS server"));
    let copied = server.into_iter().find_map(|line| line.strip_prefix("COPY --from=build "))?;
    let program = |word: &str| word.strip_prefix("/app/full/").map(str::to_owned);
    let programs: Vec<String> = copied.split(' ').filter_map(program).collect();
    let arguments = lines.iter().filter_map(argument).collect();
    (!programs.is_empty()).then_some(Recipe { script, arguments, programs })
}

/// The lines of a Dockerfile, each with those that continue it.
fn joined(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for line in text.lines() {
        let last = lines.last_mut().expect("begun with one");
        match line.strip_suffix('\\') {
            Some(start) => last.push_str(start),
            None => {
                last.push_str(line);
                lines.push(String::new());
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCKERFILE: &str = "\
ARG VERSION=24.04
ARG OTHER=${VERSION}-x
FROM ubuntu:$VERSION AS build
RUN apt-get update
RUN if true; then \\
        cmake -S . -B build -DA=ON; \\
    fi && \\
    cmake --build build -j $(nproc)
FROM base AS full
COPY --from=build /app/full /app
FROM base AS server
ENV A=B
COPY --from=build /app/full/llama /app/full/llama-server /app
";

    #[test]
    fn a_build_is_read_as_upstream_writes_it() {
        let recipe = parse(DOCKERFILE).unwrap();
        let words: Vec<&str> = recipe.script.split_whitespace().collect();
        let words = words.join(" ");
        assert_eq!(
            words,
            "if true; then cmake -S . -B build -DA=ON; fi && cmake --build build -j $(nproc)"
        );
        assert_eq!(recipe.arguments, [("VERSION".to_owned(), "24.04".to_owned())]);
        assert_eq!(recipe.programs, ["llama", "llama-server"]);
    }

    #[test]
    fn another_way_to_write_it_is_no_build_without_commands() {
        assert_eq!(parse(&DOCKERFILE.replace("cmake --build", "ninja -C")), None);
        assert_eq!(parse(&DOCKERFILE.replace(" AS server", " AS other")), None);
    }
}
