//! Stages become nodes; a stage that nothing needs becomes none.

use std::collections::BTreeMap;

use crate::Error;
use crate::language::instruction::{Add, AddSource, Cat, Copy, Instruction, Origin, Stage, Step};

use super::{Context, Graph, Op, Outside, Part, Placed, Plan, remote, shards};
use super::{Convert, Git, Http, HuggingFace, Image, Inline, Layout, Local, Place, Quantize};

/// Where a stage has come to.
#[derive(Debug, Clone)]
struct State {
    node: usize,
    command: Option<Vec<String>>,
    labels: Vec<(String, String)>,
}

/// What is needed while stages become nodes.
struct Planner<'a> {
    stages: &'a [Stage],
    outside: &'a Outside,
    graph: Graph,
    done: BTreeMap<usize, State>,
}

impl Plan {
    /// The plan of the stage `target`.
    ///
    /// # Errors
    /// When a named context is not known.
    pub fn of(stages: &[Stage], target: usize, outside: &Outside) -> Result<Self, Error> {
        let mut planner =
            Planner { stages, outside, graph: Graph::default(), done: BTreeMap::new() };
        let State { node, command, labels } = planner.stage(target)?;
        Ok(Self { nodes: planner.graph.nodes, result: node, command, labels })
    }
}

impl Planner<'_> {
    fn stage(&mut self, index: usize) -> Result<State, Error> {
        if let Some(done) = self.done.get(&index) {
            return Ok(done.clone());
        }
        let stage = &self.stages[index];
        let mut state = self.base(stage)?;
        for step in &stage.steps {
            self.step(&mut state, stage, step)?;
        }
        self.done.insert(index, state.clone());
        Ok(state)
    }

    fn base(&mut self, stage: &Stage) -> Result<State, Error> {
        if let Origin::Stage(index) = stage.from {
            return self.stage(index);
        }
        let from =
            Step { at: stage.at, text: "FROM".to_owned(), instruction: Instruction::Cmd(vec![]) };
        let node = match &stage.from {
            Origin::Context | Origin::Here => self.folder_base(None, &from),
            Origin::Named(name) => match self.context(name)? {
                Context::Folder(_) => self.folder_base(Some(name.clone()), &from),
                Context::Git(_) | Context::Url(_) => {
                    let source = self.origin(&stage.from, stage, &from, 0, &[])?;
                    self.everything(source, Part::Everything, &from)
                }
                Context::Image(_) | Context::Layout { .. } => {
                    self.origin(&stage.from, stage, &from, 0, &[])?
                }
            },
            Origin::Scratch | Origin::Image(_) | Origin::Stage(_) => {
                self.origin(&stage.from, stage, &from, 0, &[])?
            }
        };
        Ok(State { node, command: None, labels: Vec::new() })
    }

    /// `FROM` of a folder: everything in it, put down in nothing.
    fn folder_base(&mut self, context: Option<String>, from: &Step) -> usize {
        let sources = vec!["/".to_owned()];
        let op =
            Op::Local(Local { context, sources: sources.clone(), exclude: vec![], parents: false });
        let source = self.add(op, vec![], from);
        self.everything(source, Part::Paths(sources), from)
    }

    fn everything(&mut self, source: usize, part: Part, from: &Step) -> usize {
        let scratch = self.add(Op::Scratch, vec![], from);
        let (dest, placing) = ("/".to_owned(), Placed::default());
        let op =
            Op::Place(Place { parts: vec![part], dest, parents: false, unpack: false, placing });
        self.add(op, vec![scratch, source], from)
    }

    fn context(&self, name: &str) -> Result<&Context, Error> {
        self.outside.contexts.get(name).ok_or_else(|| {
            Error::new(format!("unknown build context `{name}`"))
                .hint(format!("define it: `--build-context {name}=FOLDER`"))
        })
    }

    fn add(&mut self, op: Op, inputs: Vec<usize>, step: &Step) -> usize {
        self.graph.add(op, inputs, step.at, &step.text)
    }

    fn step(&mut self, state: &mut State, stage: &Stage, step: &Step) -> Result<(), Error> {
        match &step.instruction {
            Instruction::Cmd(command) => state.command = Some(command.clone()),
            Instruction::Label(labels) => {
                labels.iter().for_each(|label| set(&mut state.labels, label))
            }
            Instruction::Add(add) => state.node = self.add_step(add, state.node, step),
            Instruction::Copy(copy) => {
                state.node = self.copy_step(copy, state.node, stage, step)?
            }
            Instruction::Cat(cat) => state.node = self.cat_step(cat, state.node, step),
            Instruction::Quantize(quantize) => {
                let sources = quantized_files(&quantize.src);
                let source = self.origin(&quantize.from, stage, step, state.node, &sources)?;
                let (src, dest) = (quantize.src.clone(), quantize.dest.clone());
                let op = Op::Quantize(Quantize { src, dest, options: quantize.options.clone() });
                state.node = self.add(op, vec![state.node, source], step);
            }
            Instruction::Convert(convert) => {
                let sources = [convert.src.clone()];
                let source = self.origin(&convert.from, stage, step, state.node, &sources)?;
                let op = Op::Convert(Convert {
                    src: convert.src.clone(),
                    dest: convert.dest.clone(),
                    kind: convert.kind.clone(),
                    lora: convert.lora,
                    base: convert.base.clone(),
                });
                state.node = self.add(op, vec![state.node, source], step);
            }
        }
        Ok(())
    }

    fn cat_step(&mut self, cat: &Cat, state: usize, step: &Step) -> usize {
        let dest = cat.dest.trim_end_matches('/');
        let (folder, name) = dest.rsplit_once('/').unwrap_or((".", dest));
        let files = vec![(name.to_owned(), cat.text.clone())];
        let source = self.add(Op::Inline(Inline { files }), vec![], step);
        let (parts, dest) = (vec![Part::Files], format!("{folder}/"));
        let placing = Placed::default();
        let op = Op::Place(Place { parts, dest, parents: false, unpack: false, placing });
        self.add(op, vec![state, source], step)
    }

    /// The node whose result has the files of `origin`; of a folder only those of `sources`.
    fn origin(
        &mut self,
        origin: &Origin,
        stage: &Stage,
        step: &Step,
        here: usize,
        sources: &[String],
    ) -> Result<usize, Error> {
        let platform = stage.platform.clone().or_else(|| self.outside.platform.clone());
        let local = |context| {
            Op::Local(Local { context, sources: sources.to_vec(), exclude: vec![], parents: false })
        };
        let op = match origin {
            Origin::Scratch => Op::Scratch,
            Origin::Here => return Ok(here),
            Origin::Stage(index) => return Ok(self.stage(*index)?.node),
            Origin::Context => local(None),
            Origin::Image(reference) => Op::Image(Image { reference: reference.clone(), platform }),
            Origin::Named(name) => match self.context(name)?.clone() {
                Context::Folder(_) => local(Some(name.clone())),
                Context::Image(reference) => Op::Image(Image { reference, platform }),
                Context::Layout { folder, tag } => Op::Layout(Layout { folder, tag, platform }),
                Context::Git(address) => self.repository(&address, false, &[]),
                Context::Url(url) => self.hugging_face(&url, &[]).unwrap_or(Op::Http(Http {
                    url,
                    checksum: None,
                    unpack: true,
                })),
            },
        };
        Ok(self.add(op, vec![], step))
    }

    fn hugging_face(&self, address: &str, exclude: &[String]) -> Option<Op> {
        let endpoint = self.outside.hugging_face.as_deref();
        let (repository, git) = remote::hugging_face(address, endpoint)?;
        let (revision, folder, exclude) = (git.revision, git.folder, exclude.to_vec());
        Some(Op::HuggingFace(HuggingFace { repository, revision, folder, exclude }))
    }

    fn repository(&self, address: &str, keep_git_dir: bool, exclude: &[String]) -> Op {
        if !keep_git_dir {
            if let Some(op) = self.hugging_face(address, exclude) {
                return op;
            }
        }
        let remote::Git { remote, revision, folder } = remote::split(address);
        Op::Git(Git { remote, revision, folder, keep_git_dir })
    }

    fn add_step(&mut self, add: &Add, state: usize, step: &Step) -> usize {
        let mut sources: Vec<(Op, Part)> = Vec::new();
        for source in &add.sources {
            match (source, sources.last_mut()) {
                // Neighbouring paths are read together.
                (
                    AddSource::Path(path),
                    Some((Op::Local(Local { sources, .. }), Part::Paths(paths))),
                ) => {
                    sources.push(path.clone());
                    paths.push(path.clone());
                }
                _ => sources.push(self.add_source(source, add)),
            }
        }
        let (mut parts, mut inputs) = (Vec::new(), vec![state]);
        for (op, part) in sources {
            inputs.push(self.add(op, vec![], step));
            parts.push(part);
        }
        let (dest, placing) = (add.dest.clone(), Placed::from(&add.placing));
        self.add(
            Op::Place(Place { parts, dest, parents: false, unpack: true, placing }),
            inputs,
            step,
        )
    }

    fn add_source(&self, source: &AddSource, add: &Add) -> (Op, Part) {
        let exclude = &add.placing.exclude;
        match source {
            AddSource::Path(path) => {
                let (sources, exclude) = (vec![path.clone()], exclude.clone());
                let part = Part::Paths(sources.clone());
                (Op::Local(Local { context: None, sources, exclude, parents: false }), part)
            }
            AddSource::Url(url) => match self.hugging_face(url, exclude) {
                Some(op) => (op, Part::Everything),
                None => {
                    let (url, checksum) = (url.clone(), add.checksum.clone());
                    (Op::Http(Http { url, checksum, unpack: false }), Part::Files)
                }
            },
            AddSource::Git(address) => {
                (self.repository(address, add.keep_git_dir, exclude), Part::Everything)
            }
            AddSource::Inline(name, text) => {
                (Op::Inline(Inline { files: vec![(name.clone(), text.clone())] }), Part::Files)
            }
        }
    }

    fn copy_step(
        &mut self,
        copy: &Copy,
        state: usize,
        stage: &Stage,
        step: &Step,
    ) -> Result<usize, Error> {
        let (mut parts, mut inputs) = (Vec::new(), vec![state]);
        if !copy.sources.is_empty() {
            let sources = copy.sources.clone();
            let source = match self.local_context(&copy.from) {
                Some(context) => {
                    let (exclude, parents) = (copy.placing.exclude.clone(), copy.parents);
                    let op =
                        Op::Local(Local { context, sources: sources.clone(), exclude, parents });
                    self.add(op, vec![], step)
                }
                None => self.origin(&copy.from, stage, step, state, &sources)?,
            };
            inputs.push(source);
            parts.push(Part::Paths(sources));
        }
        if !copy.inline.is_empty() {
            inputs.push(self.add(Op::Inline(Inline { files: copy.inline.clone() }), vec![], step));
            parts.push(Part::Files);
        }
        let (dest, placing) = (copy.dest.clone(), Placed::from(&copy.placing));
        let parents = copy.parents;
        Ok(self.add(
            Op::Place(Place { parts, dest, parents, unpack: false, placing }),
            inputs,
            step,
        ))
    }

    /// The context that is a folder of the disk, if `origin` is one.
    fn local_context(&self, origin: &Origin) -> Option<Option<String>> {
        match origin {
            Origin::Context => Some(None),
            Origin::Named(name) => {
                let folder = matches!(self.outside.contexts.get(name), Some(Context::Folder(_)));
                folder.then(|| Some(name.clone()))
            }
            _ => None,
        }
    }
}

fn set(labels: &mut Vec<(String, String)>, (key, value): &(String, String)) {
    match labels.iter_mut().find(|(known, _)| known == key) {
        Some((_, known)) => known.clone_from(value),
        None => labels.push((key.clone(), value.clone())),
    }
}

/// The file to quantize, with the pattern of the shards that it may be one of.
fn quantized_files(src: &str) -> Vec<String> {
    let mut files = vec![src.to_owned()];
    files.extend(shards(src));
    files
}
