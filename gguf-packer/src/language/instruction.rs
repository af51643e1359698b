//! What a file says, once variables have their values: stages of typed instructions.

/// A place in a file; lines and columns begin at 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column, counted in characters.
    pub column: usize,
}

/// One `FROM` and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// `AS` name, lower case.
    pub name: Option<String>,
    /// What it starts from.
    pub from: Origin,
    /// `--platform`, as `os/arch[/variant]`.
    pub platform: Option<String>,
    /// Its instructions but `ARG`, in order.
    pub steps: Vec<Step>,
    /// Where its `FROM` stands.
    pub at: Position,
}

/// An instruction and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Where it stands.
    pub at: Position,
    /// Its text on one line, variables with their values, for progress and the image's history.
    pub text: String,
    /// What to do.
    pub instruction: Instruction,
}

/// Where files or a stage come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Origin {
    /// Nothing.
    Scratch,
    /// The folder that is built (`--from=context`, or no `--from` in `ADD` and `COPY`).
    Context,
    /// What this stage has so far (no `--from` in `QUANTIZE` and `CONVERT`).
    Here,
    /// The result of the stage with this index, always an earlier one.
    Stage(usize),
    /// A named context of the command line (`--build-context NAME=…`).
    Named(String),
    /// An image or a model, by reference.
    Image(String),
}

/// An instruction. `ARG` is gone: its values are where they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "named after the instructions")]
pub enum Instruction {
    Add(Add),
    Cat(Cat),
    Cmd(Vec<String>),
    Convert(Convert),
    Copy(Copy),
    Label(Vec<(String, String)>),
    Quantize(Quantize),
}

/// `ADD`: files of the context, of the web, of Git, or from the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Add {
    /// What to add, one at least.
    pub sources: Vec<AddSource>,
    /// Where to; a folder when it ends with `/` or there are several sources.
    pub dest: String,
    /// Keep `.git` of a repository.
    pub keep_git_dir: bool,
    /// `algorithm:hex` of the one URL.
    pub checksum: Option<String>,
    /// Owner, permissions, and what to leave out.
    pub placing: Placing,
}

/// One source of an `ADD`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddSource {
    /// A path or pattern in the context; archives are unpacked.
    Path(String),
    /// `http://` or `https://`.
    Url(String),
    /// A Git repository, with `#ref:folder` where it is given. A `.git` URL of Hugging Face is one too.
    Git(String),
    /// A heredoc: the file's name and its text.
    Inline(String, String),
}

/// `COPY`: files of the context, of a stage, of an image, or from the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Where the sources are.
    pub from: Origin,
    /// Paths or patterns.
    pub sources: Vec<String>,
    /// Heredocs: name and text.
    pub inline: Vec<(String, String)>,
    /// Where to.
    pub dest: String,
    /// Keep the folders above each source, from the pivot `/./` on where a source has one.
    pub parents: bool,
    /// Owner, permissions, and what to leave out.
    pub placing: Placing,
}

/// How files are put down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Placing {
    /// `--chown`: `user[:group]`, names or numbers.
    pub chown: Option<String>,
    /// `--chmod`: octal or symbolic.
    pub chmod: Option<String>,
    /// `--link`: the layer depends on nothing below it.
    pub link: bool,
    /// `--exclude` patterns.
    pub exclude: Vec<String>,
}

/// `CAT`: text becomes a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cat {
    /// The whole content.
    pub text: String,
    /// The file.
    pub dest: String,
}

/// `CONVERT`: a folder of safetensors becomes a GGUF file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Convert {
    /// Where `src` is.
    pub from: Origin,
    /// The folder.
    pub src: String,
    /// The file.
    pub dest: String,
    /// Type of the tensors, upper case, `F16` unless it is given.
    pub kind: String,
    /// Whether `--class=lora`.
    pub lora: bool,
    /// `--base` of an adapter: a folder of this stage.
    pub base: Option<String>,
}

/// `QUANTIZE`: a GGUF file becomes a smaller one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantize {
    /// Where `src` is.
    pub from: Origin,
    /// The file to read.
    pub src: String,
    /// The file to write.
    pub dest: String,
    /// What to make of it.
    pub options: QuantizeOptions,
}

/// What llama.cpp's quantizer is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct QuantizeOptions {
    /// Type of the file, upper case, `Q5_K_M` unless it is given.
    pub kind: String,
    /// All tensors the same type.
    pub pure: bool,
    /// Importance matrix: a file of this stage.
    pub imatrix: Option<String>,
    /// Only these tensors by the matrix.
    pub include_weights: Vec<String>,
    /// All but these tensors by the matrix.
    pub exclude_weights: Vec<String>,
    /// Leave `output.weight` as it is.
    pub leave_output_tensor: bool,
    /// Type of `output.weight`.
    pub output_tensor_type: Option<String>,
    /// Type of the token embeddings.
    pub token_embedding_type: Option<String>,
    /// `pattern=type`, the first that matches holds.
    pub tensor_types: Vec<String>,
}
