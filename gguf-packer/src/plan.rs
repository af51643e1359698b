//! A build as data: a graph whose nodes are named by the digest of what they do. Pure: nothing here reads a
//! disk, a network or the environment.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::language::instruction::{Placing, Position, QuantizeOptions};

pub mod context;
pub mod remote;
mod stage;
#[cfg(test)]
#[path = "plan/plan_tests.rs"]
mod tests;

pub use context::Context;
pub use remote::Repository;

/// What is to be done, inputs before what needs them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// The node of the last state of the target stage.
    pub result: usize,
    /// The command of the target, unless it comes from an image.
    pub command: Option<Vec<String>>,
    /// The labels of the target, in the order in which they were set.
    pub labels: Vec<(String, String)>,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What.
    pub op: Op,
    /// The nodes whose results it needs.
    pub inputs: Vec<usize>,
    /// The digest of the operation and of the names of its inputs.
    pub name: Digest,
    /// The instruction that wants it, the first one.
    pub at: Position,
    /// That instruction's text.
    pub text: String,
}

/// What a node does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Op {
    /// Nothing is there.
    Scratch,
    /// An image, whole.
    Image(Image),
    /// An image of an OCI layout, whole.
    Layout(Layout),
    /// Those files of a folder of the disk that an instruction names.
    Local(Local),
    /// One file of the web.
    Http(Http),
    /// A repository of Hugging Face, file by file.
    HuggingFace(HuggingFace),
    /// A Git repository.
    Git(Git),
    /// Files whose text stands in the instruction.
    Inline(Inline),
    /// Puts files down in the first input, which is a stage's state; each part is of a further input.
    Place(Place),
    /// The first input is the stage's state, the second one has the source.
    Quantize(Quantize),
    /// The first input is the stage's state, the second one has the source.
    Convert(Convert),
}

/// See [`Op::Image`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the instructions")]
pub struct Image {
    pub reference: String,
    pub platform: Option<String>,
}

/// See [`Op::Layout`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the instructions")]
pub struct Layout {
    pub folder: String,
    pub tag: Option<String>,
    pub platform: Option<String>,
}

/// See [`Op::Local`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Local {
    /// The name of the folder; none is the folder that is built.
    pub context: Option<String>,
    /// Paths and patterns.
    pub sources: Vec<String>,
    /// What of it is left out.
    pub exclude: Vec<String>,
    /// Sources are read as with `--parents`.
    pub parents: bool,
}

/// See [`Op::Http`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Http {
    /// The address.
    pub url: String,
    /// `algorithm:hex`.
    pub checksum: Option<String>,
    /// An archive becomes what is in it.
    pub unpack: bool,
}

/// See [`Op::HuggingFace`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HuggingFace {
    /// Which one.
    pub repository: Repository,
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// The folder of it that is wanted.
    pub folder: Option<String>,
    /// What of it is not downloaded.
    pub exclude: Vec<String>,
}

/// See [`Op::Git`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Git {
    /// The address.
    pub remote: String,
    /// Branch, tag or commit.
    pub revision: Option<String>,
    /// The folder of it that is wanted.
    pub folder: Option<String>,
    /// `.git` is wanted too.
    pub keep_git_dir: bool,
}

/// See [`Op::Inline`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inline {
    /// Names and texts.
    pub files: Vec<(String, String)>,
}

/// See [`Op::Place`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// What of each input is put down.
    pub parts: Vec<Part>,
    /// Where to.
    pub dest: String,
    /// Sources are read as with `--parents`.
    pub parents: bool,
    /// Archives become what is in them.
    pub unpack: bool,
    /// How.
    pub placing: Placed,
}

/// See [`Op::Quantize`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the instruction")]
pub struct Quantize {
    pub src: String,
    pub dest: String,
    pub options: QuantizeOptions,
}

/// See [`Op::Convert`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the instruction")]
pub struct Convert {
    pub src: String,
    pub dest: String,
    pub kind: String,
    pub lora: bool,
    pub base: Option<String>,
}

/// What of an input is put down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// What these paths and patterns name.
    Paths(Vec<String>),
    /// Each file of it.
    Files,
    /// Everything in it, as the content of the destination.
    Everything,
}

/// [`Placing`] as a part of a node's name.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[expect(missing_docs, reason = "as in the instructions")]
pub struct Placed {
    pub chown: Option<String>,
    pub chmod: Option<String>,
    pub link: bool,
    pub exclude: Vec<String>,
}

impl From<&Placing> for Placed {
    fn from(placing: &Placing) -> Self {
        let Placing { chown, chmod, link, exclude } = placing.clone();
        Self { chown, chmod, link, exclude }
    }
}

/// What is known from outside of the file.
#[derive(Debug, Clone, Default)]
pub struct Outside {
    /// Named contexts.
    pub contexts: BTreeMap<String, Context>,
    /// The platform that is built, for images without one of their own.
    pub platform: Option<String>,
    /// Where Hugging Face is, other than at its own address.
    pub hugging_face: Option<String>,
}

/// Nodes by their names.
#[derive(Debug, Default)]
struct Graph {
    nodes: Vec<Node>,
    known: HashMap<Digest, usize>,
}

impl Graph {
    /// The node that does `op`, a known one where there is one.
    fn add(&mut self, op: Op, inputs: Vec<usize>, at: Position, text: &str) -> usize {
        let names: Vec<Digest> = inputs.iter().map(|input| self.nodes[*input].name).collect();
        let json = serde_json::to_vec(&(&op, names)).expect("data without maps that can fail");
        let name = Digest::of(json);
        *self.known.entry(name).or_insert_with(|| {
            self.nodes.push(Node { op, inputs, name, at, text: text.to_owned() });
            self.nodes.len() - 1
        })
    }
}

/// The pattern of all files of which `path` is one, when it is a shard: `NAME-00001-of-00003.gguf`.
pub(crate) fn shards(path: &str) -> Option<String> {
    let (stem, total) = path.strip_suffix(".gguf")?.rsplit_once("-of-")?;
    let (name, number) = stem.rsplit_once('-')?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let escaped = |text: &str| {
        let special = |c: char| if r"*?[\".contains(c) { format!("\\{c}") } else { c.to_string() };
        text.chars().map(special).collect::<String>()
    };
    (digits(number) && digits(total)).then(|| format!("{}-?????-of-{total}.gguf", escaped(name)))
}
