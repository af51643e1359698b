//! Operations that we need, in BuildKit's words.

use std::collections::BTreeMap;

use super::llb::{About, Output};
use super::options;
use super::pb::{
    Action, ExecOp, FileAction, FileActionCopy, FileActionMkFile, FileOp, Kind, Location,
    MergeInput, MergeOp, Mount, MountType, NONE, NetMode, Platform, SecretOpt, SourceOp,
};
use super::step::{INPUTS, OUT, TASK, TASK_FILE, TOKEN, Task};
use crate::executor::copy::path;

/// This program in its image.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) image: Output,
    /// Where the image has it.
    pub(super) path: String,
}

/// A container that runs one step.
pub(super) struct Container {
    program: Program,
    settings: options::Container,
    about: About,
    inputs: Vec<Output>,
    network: bool,
}

impl Container {
    pub(super) fn new(
        program: &Program,
        settings: &options::Container,
        always: bool,
        name: &str,
    ) -> Self {
        let about = About {
            name: name.to_owned(),
            caps: vec!["exec.meta.base", "exec.mount.bind"],
            always,
            ..About::default()
        };
        let (program, settings) = (program.clone(), settings.clone());
        Self { program, settings, about, inputs: Vec::new(), network: false }
    }

    /// The instruction for which it is.
    pub(super) fn at(&mut self, location: Option<Location>) {
        self.about.location = location;
    }

    /// It is run in each build.
    pub(super) fn always(&mut self) {
        self.about.always = true;
    }

    /// It may ask the web, with a token where the client has one.
    pub(super) fn with_network(&mut self) {
        self.network = true;
    }

    /// Where the container has a file of an output.
    pub(super) fn input(&mut self, output: &Output, file: &str) -> String {
        let known = self.inputs.iter().position(|input| input.key() == output.key());
        let index = known.unwrap_or_else(|| {
            self.inputs.push(output.clone());
            self.inputs.len() - 1
        });
        path::join(&format!("{INPUTS}/{index}"), file)
    }

    /// An output whose file `text` has this text.
    pub(super) fn text(&self, text: &str) -> Output {
        file("/text", text.as_bytes().to_vec(), "[internal] a text of the file")
    }

    /// What the step writes.
    pub(super) fn run(self, task: &Task) -> Output {
        let (path, data) = task_file(task);
        let mut inputs = vec![
            self.program.image,
            file(
                &path,
                data,
                &format!(
                    "[internal] plan of {}",
                    self.about.name.trim_start_matches("[internal] ")
                ),
            ),
        ];
        let mount = |input: usize, dest: String| Mount {
            input: i64::try_from(input).expect("inputs are few"),
            dest,
            output: NONE,
            readonly: true,
            ..Mount::default()
        };
        let root = Mount { output: 0, readonly: false, ..mount(0, "/".to_owned()) };
        let out = Mount { input: NONE, output: 1, readonly: false, ..mount(0, OUT.to_owned()) };
        let mut mounts = vec![root, mount(1, TASK.to_owned()), out];
        for (index, input) in self.inputs.into_iter().enumerate() {
            mounts.push(mount(inputs.len(), format!("{INPUTS}/{index}")));
            inputs.push(input);
        }
        if self.network {
            let secret = SecretOpt { id: TOKEN.to_owned(), mode: 0o400, optional: true };
            let dest = format!("/run/secrets/{TOKEN}");
            let mount_type = MountType::Secret as i32;
            mounts.push(Mount {
                input: NONE,
                output: NONE,
                dest,
                mount_type,
                secret_opt: Some(secret),
                ..Mount::default()
            });
        }
        let args = vec![self.program.path, crate::STEP.to_owned()];
        let meta = self.settings.meta(args);
        let network = if self.network { self.settings.network } else { NetMode::None as i32 };
        let exec = ExecOp { meta: Some(meta), mounts, network };
        Output::new(Kind::Exec(exec), inputs, self.about, 1)
    }
}

/// An output with one file.
fn file(path: &str, data: Vec<u8>, name: &str) -> Output {
    let (path, timestamp) = (path.to_owned(), 0);
    let made = FileActionMkFile { path, mode: 0o644, data, timestamp };
    let action = Some(Action::Mkfile(made));
    let actions = vec![FileAction { input: NONE, secondary_input: NONE, output: 0, action }];
    let about = About { name: name.to_owned(), caps: vec!["file.base"], ..About::default() };
    Output::new(Kind::File(FileOp { actions }), vec![], about, 0)
}

/// Files from elsewhere.
pub(super) fn source(
    identifier: String,
    attrs: &[(&str, String)],
    platform: Option<Platform>,
    name: String,
    always: bool,
) -> Output {
    let attrs = attrs.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
    let attrs: BTreeMap<String, String> = attrs.collect();
    let about = About { name, always, platform, ..About::default() };
    Output::new(Kind::Source(SourceOp { identifier, attrs }), vec![], about, 0)
}

/// What is in the folder `folder` of an output, archives unpacked where `unpack` is.
pub(super) fn inside(of: Output, folder: &str, unpack: bool) -> Output {
    let copy = FileActionCopy {
        src: format!("/{folder}"),
        dest: "/".to_owned(),
        mode: -1,
        dir_copy_contents: true,
        attempt_unpack_docker_compatibility: unpack,
        create_dest_path: true,
        timestamp: -1,
    };
    let action = Some(Action::Copy(copy));
    let actions = vec![FileAction { input: NONE, secondary_input: 0, output: 0, action }];
    let name =
        format!("[internal] {}", if unpack { "unpack the context" } else { "pick a folder" });
    let about = About { name, caps: vec!["file.base"], ..About::default() };
    Output::new(Kind::File(FileOp { actions }), vec![of], about, 0)
}

/// The outputs on each other, the lowest first; none is nothing. Without `merge` they are copied.
pub(super) fn stacked(outputs: Vec<Output>, merge: bool) -> Option<Output> {
    let mut outputs = outputs.into_iter();
    let first = outputs.next()?;
    let rest: Vec<Output> = outputs.collect();
    if rest.is_empty() {
        return Some(first);
    }
    let about =
        |name: &str, cap| About { name: name.to_owned(), caps: vec![cap], ..About::default() };
    if merge {
        let all: Vec<Output> = std::iter::once(first).chain(rest).collect();
        let count = i64::try_from(all.len()).expect("layers are few");
        let inputs = (0..count).map(|input| MergeInput { input }).collect();
        return Some(Output::new(
            Kind::Merge(MergeOp { inputs }),
            all,
            about("the layers", "mergeop"),
            0,
        ));
    }
    Some(rest.into_iter().fold(first, |below, layer| {
        let copy = FileActionCopy {
            src: "/".to_owned(),
            dest: "/".to_owned(),
            mode: -1,
            dir_copy_contents: true,
            timestamp: -1,
            ..FileActionCopy::default()
        };
        let action = Some(Action::Copy(copy));
        let actions = vec![FileAction { input: 0, secondary_input: 1, output: 0, action }];
        let about = about("a layer", "file.base");
        Output::new(Kind::File(FileOp { actions }), vec![below, layer], about, 0)
    }))
}

/// The task of a step as the daemon gets it.
fn task_file(task: &Task) -> (String, Vec<u8>) {
    let json = serde_json::to_vec(task).expect("data without maps that can fail");
    (format!("/{TASK_FILE}"), json)
}
