//! Reads `-DNAME=VALUE` words out of upstream's Dockerfiles and release workflow. A reader for these
//! files, not for shell or YAML: what it cannot know (a variable's value) it says so.

/// A word for CMake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Definition {
    pub(super) name: String,
    /// `None` when a variable decides it.
    pub(super) value: Option<String>,
}

/// Where a workflow puts the words that its file says once for all jobs.
const COMMON: &str = "${{ env.CMAKE_ARGS }}";

/// All definitions of a Dockerfile.
pub(super) fn in_dockerfile(text: &str) -> Vec<Definition> {
    text.lines().filter(|line| !is_comment(line)).flat_map(definitions).collect()
}

/// The definitions of one job, for one entry of its matrix (empty: it has none).
pub(super) fn in_workflow(text: &str, job: &str, matrix: &str) -> Vec<Definition> {
    let mut found = Vec::new();
    for line in entry(&lines_of(text, job), matrix) {
        found.extend(definitions(line));
        if line.contains(COMMON) {
            let common = text.lines().find(|line| line.starts_with("  CMAKE_ARGS: "));
            found.extend(common.into_iter().flat_map(definitions));
        }
    }
    found
}

/// Lines of a job without comments: from its name to the next line that is not deeper.
fn lines_of<'a>(text: &'a str, job: &str) -> Vec<&'a str> {
    let start = format!("  {job}:");
    let lines = text.lines().skip_while(|line| line.trim_end() != start).skip(1);
    let inside = lines.take_while(|line| line.is_empty() || line.starts_with("    "));
    inside.filter(|line| !is_comment(line)).collect()
}

/// Lines outside of the matrix, and those of its entry `- build: <matrix>`.
fn entry<'a>(lines: &[&'a str], matrix: &str) -> Vec<&'a str> {
    let mut kept = Vec::new();
    let mut include = None;
    let mut wanted = true;
    for line in lines {
        let depth = line.len() - line.trim_start().len();
        if line.trim() == "include:" {
            include = Some(depth);
        } else if include.is_some_and(|include| depth <= include && !line.is_empty()) {
            (include, wanted) = (None, true);
        } else if include.is_some() && line.trim_start().starts_with("- ") {
            let entry = line.trim_start().trim_start_matches("- ");
            // Entries that begin with something else have one build only.
            wanted = match entry.strip_prefix("build: ") {
                Some(build) => build.trim().trim_matches(['\'', '"']) == matrix,
                None => true,
            };
        }
        if wanted {
            kept.push(*line);
        }
    }
    kept
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with('#')
}

fn definitions(line: &str) -> Vec<Definition> {
    let starts = line.match_indices("-D").filter(|(at, _)| {
        let before = line[..*at].chars().next_back();
        before.is_none_or(|c| c.is_whitespace() || c == '\'' || c == '"')
    });
    starts.filter_map(|(at, _)| definition(&line[at + 2..])).collect()
}

/// The definition that `text` begins with.
fn definition(text: &str) -> Option<Definition> {
    let (name, rest) = text.split_once('=')?;
    let name = name.split_once(':').map_or(name, |(name, _type)| name);
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    let until = |text: &str, ends: &[char]| text.split(ends).next().unwrap_or_default().to_owned();
    let value = match rest.chars().next() {
        // Only single quotes keep a dollar as it is.
        Some('\'') => return some(name, Some(until(&rest[1..], &['\'']))),
        Some('"') => until(&rest[1..], &['"']),
        _ => until(rest, &[' ', '\t', ';', '\'', '"']),
    };
    some(name, (!value.contains('$')).then_some(value))
}

fn some(name: &str, value: Option<String>) -> Option<Definition> {
    Some(Definition { name: name.to_owned(), value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(found: &[Definition]) -> Vec<String> {
        let value = |definition: &Definition| definition.value.clone().unwrap_or("?".into());
        found
            .iter()
            .map(|definition| format!("{}={}", definition.name, value(definition)))
            .collect()
    }

    #[test]
    fn words_are_read_as_upstream_writes_them() {
        let text = "\
# cmake -DCOMMENT=ON
    export CMAKE_ARGS=\"-DARCH=${ARCH}\"; \\
    cmake -B build-DNOT=1 -DA=OFF \\
        -DRPATH='$ORIGIN' -DTARGETS=\"$T;x\" -DTWO=\"a b\" ${CMAKE_ARGS} \\
        -DFLAGS=-Wl,--allow-shlib-undefined -DTYPED:BOOL=ON -DLAST=ON; \\
    echo -D
";
        let expected = [
            "ARCH=?",
            "A=OFF",
            "RPATH=$ORIGIN",
            "TARGETS=?",
            "TWO=a b",
            "FLAGS=-Wl,--allow-shlib-undefined",
            "TYPED=ON",
            "LAST=ON",
        ];
        assert_eq!(shown(&in_dockerfile(text)), expected);
    }

    const WORKFLOW: &str = "\
env:
  CMAKE_ARGS: \"-DE=OFF -DF=ON\"

jobs:
  one:
    strategy:
      matrix:
        include:
          - build: 'x64'
            defines: \"-DX=1\"
          #- build: 'old'
          #  defines: \"-DOLD=1\"
          - build: 'arm64'
            defines: '-DARM=1'

    steps:
      - name: Build
        run: |
          cmake -B build ${{ matrix.defines }} \\
            -DA=ON \\
            ${{ env.CMAKE_ARGS }}

  two:
    steps:
      - run: cmake -DB=ON
";

    #[test]
    fn a_job_has_its_own_words_those_of_its_matrix_and_the_common_ones() {
        assert_eq!(shown(&in_workflow(WORKFLOW, "one", "x64")), ["X=1", "A=ON", "E=OFF", "F=ON"]);
        assert_eq!(
            shown(&in_workflow(WORKFLOW, "one", "arm64")),
            ["ARM=1", "A=ON", "E=OFF", "F=ON"]
        );
        assert_eq!(shown(&in_workflow(WORKFLOW, "two", "")), ["B=ON"]);
        assert!(in_workflow(WORKFLOW, "three", "").is_empty());
    }
}
