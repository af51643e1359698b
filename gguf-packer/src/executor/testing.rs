//! Builds in tests: stages are written as data, the store and the context are temporary folders.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::language::instruction::{
    Add, AddSource, Copy, Instruction, Origin, Placing, Position, Stage, Step,
};
use crate::plan::Outside;
use crate::tree::Kind;

/// A store, a context, and what happened.
pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    pub(crate) outside: Outside,
    pub(crate) ignore: Ignore,
    pub(crate) token: Option<String>,
    pub(crate) no_cache: bool,
    pub(crate) source_date: Option<u64>,
    pub(crate) images: BTreeMap<String, BaseImage>,
    pub(crate) news: Mutex<Vec<String>>,
    pub(crate) tool: Box<Tool<'static>>,
    pub(crate) converter: Box<Converter<'static>>,
    pub(crate) stop: AtomicBool,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("context")).unwrap();
        let store = Store::open_at(&folder.path().join("store")).unwrap();
        Self {
            folder,
            store,
            outside: Outside::default(),
            ignore: Ignore::default(),
            token: None,
            no_cache: false,
            source_date: None,
            images: BTreeMap::new(),
            news: Mutex::default(),
            tool: Box::new(|_| Err(Error::new("no quantizer here"))),
            converter: Box::new(|_, _| Err(Error::new("no converter here"))),
            stop: AtomicBool::new(false),
        }
    }

    /// A path in the context.
    pub(crate) fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join("context").join(path)
    }

    /// Writes a file of the context.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    /// Builds a stage from nothing.
    pub(crate) fn build(&self, steps: &[Instruction]) -> Result<BuiltStage, String> {
        self.build_stages(&[stage(Origin::Scratch, steps)])
    }

    /// Builds the last one of `stages`.
    pub(crate) fn build_stages(&self, stages: &[Stage]) -> Result<BuiltStage, String> {
        self.news.lock().unwrap().clear();
        let plan = Plan::of(stages, stages.len() - 1, &self.outside).map_err(|e| e.to_string())?;
        let on_event = |event: Event<'_>| self.hear(&plan, event);
        let built = self.with_settings(&on_event, |settings| super::build(&plan, settings));
        built.map_err(|e| e.to_string())
    }

    /// Calls `then` with what builds here need.
    pub(crate) fn with_settings<T>(
        &self,
        on_event: &(dyn Fn(Event<'_>) + Sync),
        then: impl FnOnce(&Settings<'_>) -> T,
    ) -> T {
        let find = |name: &str, platform: Option<&str>| {
            let shown = format!("{name}{}", platform.map(|p| format!(" {p}")).unwrap_or_default());
            let image = self.images.get(&shown).cloned();
            image.ok_or_else(|| Error::new(format!("no image `{shown}`")))
        };
        let layout = |folder: &str, tag: Option<&str>, platform: Option<&str>| {
            find(&format!("{folder}:{}", tag.unwrap_or("none")), platform)
        };
        then(&Settings {
            store: &self.store,
            file: ("GGUFPackerfile", ""),
            folder: Folder {
                path: self.at(""),
                ignore: self.ignore.clone(),
                ignore_file: Some(".dockerignore".to_owned()),
            },
            contexts: &self.outside.contexts,
            images: Images { find: &find, layout: &layout },
            tool: &*self.tool,
            converter: &*self.converter,
            no_cache: self.no_cache,
            source_date: self.source_date,
            token: self.token.clone(),
            endpoint: self.outside.hugging_face.clone(),
            on_event,
            stop: &self.stop,
        })
    }

    fn hear(&self, plan: &Plan, event: Event<'_>) {
        let mut news = self.news.lock().unwrap();
        match event {
            Event::Done { node, cached } if cached => {
                news.push(format!("CACHED {}", plan.nodes[node].text));
            }
            Event::Note { text, .. } => news.push(format!("NOTE {text}")),
            Event::Step { item, done, total, unit, .. } => {
                news.push(format!("STEP {item} {done} {total:?} {unit:?}"));
            }
            _ => {}
        }
    }

    /// Whether the instruction's last run had nothing to do.
    pub(crate) fn was_cached(&self, step: &Instruction) -> bool {
        self.news.lock().unwrap().contains(&format!("CACHED {}", text(step)))
    }

    /// Notes of the last build.
    pub(crate) fn notes(&self) -> Vec<String> {
        let news = self.news.lock().unwrap();
        news.iter().filter_map(|line| line.strip_prefix("NOTE ")).map(str::to_owned).collect()
    }

    /// Files with their text, folders, links; owner and permissions where they are not the usual ones.
    pub(crate) fn shown(&self, stage: &BuiltStage) -> Vec<String> {
        stage.entries.iter().map(|entry| self.shown_entry(entry)).collect()
    }

    pub(crate) fn shown_entry(&self, entry: &crate::tree::Entry) -> String {
        let (mut line, usual) = match &entry.kind {
            Kind::Folder => (format!("{}/", entry.path), 0o755),
            Kind::Link { target } => (format!("{} -> {target}", entry.path), 0o777),
            Kind::File { digest, .. } => {
                let text = self.store.read_blob(digest, 1 << 20).unwrap();
                (format!("{} = {}", entry.path, String::from_utf8_lossy(&text)), 0o644)
            }
            other => (format!("{} {other:?}", entry.path), 0),
        };
        if entry.mode != usual {
            line += &format!(" {:o}", entry.mode);
        }
        if (entry.uid, entry.gid) != (0, 0) {
            line += &format!(" {}:{}", entry.uid, entry.gid);
        }
        line
    }

    /// Paths of each layer of instructions.
    pub(crate) fn layers(&self, stage: &BuiltStage) -> Vec<String> {
        let paths = |made: &BuiltLayer| {
            let entries = self.store.layer_entries(&made.layer.diff_id).unwrap();
            entries.into_iter().map(|entry| entry.path).collect::<Vec<_>>().join(" ")
        };
        stage.layers.iter().map(paths).collect()
    }

    /// An image with these files, as another build would have left it.
    pub(crate) fn add_image(&mut self, name: &str, lines: &[&str], config: serde_json::Value) {
        for line in lines {
            if let Some((_, text)) = line.split_once('=') {
                self.store.add_bytes(text.as_bytes()).unwrap();
            }
        }
        let entries: Vec<_> = lines.iter().map(|line| copy::files::tests::entry(line)).collect();
        let layers = vec![self.store.build_layer(&entries).unwrap()];
        let digest = crate::digest::Digest::of(name).to_string();
        let image = BaseImage { config, layers, digest, name: name.to_owned() };
        self.images.insert(name.to_owned(), image);
    }

    /// What a build must not leave: half files.
    pub(crate) fn leftovers(&self) -> Vec<String> {
        let mut left = Vec::new();
        for folder in ["temp", "partial"] {
            for entry in fs::read_dir(self.store.root().join(folder)).unwrap() {
                let path = entry.unwrap().path();
                for file in fs::read_dir(&path).unwrap() {
                    let name = file.unwrap().file_name().into_string().unwrap();
                    if name != "lock" {
                        left.push(format!("{folder} {name}"));
                    }
                }
            }
        }
        left.sort();
        left
    }
}

pub(crate) fn stage(from: Origin, steps: &[Instruction]) -> Stage {
    let step = |(line, instruction): (usize, &Instruction)| Step {
        at: Position { line: line + 2, column: 1 },
        text: text(instruction),
        instruction: instruction.clone(),
    };
    let steps = steps.iter().enumerate().map(step).collect();
    Stage { name: None, from, platform: None, steps, at: Position { line: 1, column: 1 } }
}

/// The text of an instruction, near enough.
fn text(instruction: &Instruction) -> String {
    match instruction {
        Instruction::Copy(copy) => format!("COPY {} {}", copy.sources.join(" "), copy.dest),
        Instruction::Add(add) => {
            let source = |source: &AddSource| match source {
                AddSource::Path(text) | AddSource::Url(text) | AddSource::Git(text) => text.clone(),
                AddSource::Inline(name, _) => format!("<<{name}"),
            };
            let sources: Vec<String> = add.sources.iter().map(source).collect();
            format!("ADD {} {}", sources.join(" "), add.dest)
        }
        Instruction::Quantize(quantize) => format!("QUANTIZE {} {}", quantize.src, quantize.dest),
        Instruction::Cat(cat) => format!("CAT {}", cat.dest),
        other => format!("{other:?}"),
    }
}

/// `COPY sources dest`, sources with spaces between them.
pub(crate) fn copy(sources: &str, dest: &str) -> Instruction {
    copy_with(Origin::Context, sources, dest, |_| ())
}

pub(crate) fn copy_with(
    from: Origin,
    sources: &str,
    dest: &str,
    change: impl FnOnce(&mut Copy),
) -> Instruction {
    let mut copy = Copy {
        from,
        sources: sources.split_whitespace().map(str::to_owned).collect(),
        inline: vec![],
        dest: dest.to_owned(),
        parents: false,
        placing: Placing::default(),
    };
    change(&mut copy);
    Instruction::Copy(copy)
}

/// `ADD source dest`.
pub(crate) fn add(source: AddSource, dest: &str) -> Instruction {
    add_with(source, dest, |_| ())
}

pub(crate) fn add_with(
    source: AddSource,
    dest: &str,
    change: impl FnOnce(&mut Add),
) -> Instruction {
    let mut add = Add {
        sources: vec![source],
        dest: dest.to_owned(),
        keep_git_dir: false,
        checksum: None,
        placing: Placing::default(),
    };
    change(&mut add);
    Instruction::Add(add)
}
