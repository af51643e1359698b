//! What a file offers: the stages that can be built, and the build arguments that one of them takes.

use super::instruction::Position;
use super::keyword::Keyword;
use super::scope::Scope;
use super::script::Script;
use super::settings::Settings;
use super::stages::need;
use super::state::{Head, Walk};
use super::statement::Statement;
use super::text::{Text, declarations, quietly};

/// A stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// It is built unless another one is asked for.
    pub default: bool,
    /// What the comment above it says.
    pub description: Option<String>,
    /// What it begins with, as it is written.
    pub base: String,
    /// `--platform`, as it is written.
    pub platform: Option<String>,
    /// Its `FROM`.
    pub at: Position,
}

/// A build argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// What it is unless it is said.
    pub value: Option<String>,
    /// What the comment above it says.
    pub description: Option<String>,
    /// Its `ARG`.
    pub at: Position,
}

/// All stages of a file.
#[must_use]
pub fn targets(script: &Script, settings: &Settings) -> Vec<Target> {
    let walk = Walk::new(script, settings);
    let last = walk.heads.len().saturating_sub(1);
    let target = |(index, head): (usize, &Head<'_>)| {
        let platform = head.from.flags.iter().find(|flag| flag.name == "platform");
        let platform = platform.and_then(|flag| flag.value.as_ref());
        let name = head.name.clone();
        let described = name.as_deref().and_then(|name| comment(script, head.from, name));
        Target {
            description: described,
            default: index == last,
            base: head.from.args.first().map(|word| word.text.clone()).unwrap_or_default(),
            platform: platform.map(|word| word.text.clone()),
            at: position(script, head.from),
            name,
        }
    };
    walk.heads.iter().enumerate().map(target).collect()
}

/// The stage that is built.
#[must_use]
pub fn target(script: &Script, settings: &Settings) -> Option<Target> {
    let index = Walk::new(script, settings).target()?;
    targets(script, settings).into_iter().nth(index)
}

/// The build arguments of the target and of what it needs, in the file's order; none when there is no such target.
#[must_use]
pub fn arguments(script: &Script, settings: &Settings) -> Option<Vec<Argument>> {
    let mut walk = Walk::new(script, settings);
    let target = walk.target()?;
    let needed = need(&mut walk, target);
    let bodies = needed.iter().flat_map(|index| walk.heads[*index].body);
    let is_arg = |statement: &&Statement| statement.keyword == Keyword::Arg;
    let globals = script.statements.iter().take_while(is_arg);
    let mut scope = Scope::of_platforms(settings);
    let mut found: Vec<Argument> = Vec::new();
    for statement in globals.chain(bodies.filter(is_arg)) {
        for (name, word) in declarations(statement) {
            let default = word.and_then(|word| {
                quietly(Text::word(statement, &word, script.directives.escape), &scope)
            });
            let said = settings.build_args.get(name).cloned();
            let value = said.or(default).or_else(|| scope.value(name).map(str::to_owned));
            scope.declare(name, value.clone());
            if found.iter().all(|known| known.name != name) {
                let description = comment(script, statement, name);
                let at = position(script, statement);
                found.push(Argument { name: name.to_owned(), value, description, at });
            }
        }
    }
    Some(found)
}

fn position(script: &Script, statement: &Statement) -> Position {
    script.source.position(statement.line.place(0))
}

/// The comment right above an instruction that begins with `name`, as Docker has it: `# NAME what it is`.
fn comment(script: &Script, statement: &Statement, name: &str) -> Option<String> {
    let line = position(script, statement).line;
    let above = script.text().lines().take(line.checked_sub(1)?).collect::<Vec<_>>();
    let comments = above.iter().rev().map_while(|line| line.trim().strip_prefix('#'));
    comments
        .map(str::trim)
        .find_map(|text| text.strip_prefix(name)?.strip_prefix(' '))
        .map(|text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# QUANT how small it gets\nARG QUANT=Q4_0\nARG BASE=scratch\n\n\
        # f16 the model as it was\nFROM ${BASE} AS f16\nARG REPO\nCOPY m m\n\n\
        FROM --platform=linux/amd64 scratch\nARG LATER=${QUANT}-x\nCMD [\"-m\", \"m\"]\n";

    #[test]
    fn stages_and_arguments_are_listed() {
        let script = super::super::parse(FILE, "F").expect("a file");
        let mut settings = Settings::default();
        let all = targets(&script, &settings);
        let shown: Vec<_> = all
            .iter()
            .map(|t| {
                (t.name.as_deref(), t.default, t.description.as_deref(), t.base.as_str(), t.at.line)
            })
            .collect();
        assert_eq!(
            shown,
            [
                (Some("f16"), false, Some("the model as it was"), "${BASE}", 6),
                (None, true, None, "scratch", 10),
            ]
        );
        assert_eq!(all[1].platform.as_deref(), Some("linux/amd64"));
        settings.build_args.insert("QUANT".to_owned(), "Q8_0".to_owned());
        let names = |settings: &Settings| {
            let all = arguments(&script, settings).expect("a target");
            all.into_iter()
                .map(|a| format!("{}={:?} {:?}", a.name, a.value, a.description))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(&settings),
            [
                "QUANT=Some(\"Q8_0\") Some(\"how small it gets\")",
                "BASE=Some(\"scratch\") None",
                "LATER=Some(\"Q8_0-x\") None",
            ]
        );
        settings.target = Some("f16".to_owned());
        assert!(names(&settings).contains(&"REPO=None None".to_owned()));
        settings.target = Some("nothing".to_owned());
        assert_eq!(arguments(&script, &settings), None);
    }
}
