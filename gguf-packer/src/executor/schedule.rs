//! Runs the nodes of a plan: each when its inputs are there, independent ones at the same time.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread;

use crate::Error;
use crate::parallel::joined;
use crate::plan::Op;

use super::backend::Build;
use super::node;
use super::output::Output;
use super::run::Run;

/// Downloads at the same time, besides the work of this machine.
const DOWNLOADS: usize = 6;

/// The output of the plan's result.
pub(super) fn run(build: Build<'_>) -> Result<Output, Error> {
    let run = build.run;
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let nodes = &run.plan.nodes;
    let mut outputs: Vec<Option<Output>> = vec![None; nodes.len()];
    let mut waiting: BTreeSet<usize> = (0..nodes.len()).collect();
    let (mut running, mut errors) = ([0, 0], Vec::new());
    thread::scope(|scope| {
        let (sender, finished) = mpsc::channel();
        loop {
            for index in waiting.clone() {
                let kind = usize::from(is_remote(&nodes[index].op));
                let ready = nodes[index].inputs.iter().all(|input| outputs[*input].is_some());
                if !ready || running[kind] >= [cores, DOWNLOADS][kind] || !errors.is_empty() {
                    continue;
                }
                waiting.remove(&index);
                running[kind] += 1;
                let inputs = inputs(run, index, &waiting, &mut outputs);
                let sender = sender.clone();
                scope.spawn(move || one(build, index, inputs, &sender));
            }
            if running == [0, 0] {
                break;
            }
            let (index, result) = finished.recv().expect("a node that runs says when it ends");
            running[usize::from(is_remote(&nodes[index].op))] -= 1;
            match result {
                Ok(output) => outputs[index] = Some(output),
                Err(error) => errors.push(error),
            }
        }
    });
    if !errors.is_empty() {
        return Err(joined(errors));
    }
    Ok(outputs.swap_remove(run.plan.result).expect("every node has run"))
}

/// What the node `index` reads. The last one to read an output gets it itself: so a stage of many steps has
/// one tree that grows, and what nobody reads any more takes no memory.
fn inputs(
    run: &Run<'_>,
    index: usize,
    waiting: &BTreeSet<usize>,
    outputs: &mut [Option<Output>],
) -> Vec<Output> {
    let (nodes, wanted) = (&run.plan.nodes, &run.plan.nodes[index].inputs);
    let read_later = |input: &usize, rest: &[usize]| {
        *input == run.plan.result
            || rest.contains(input)
            || waiting.iter().any(|other| nodes[*other].inputs.contains(input))
    };
    let one = |(at, input): (usize, &usize)| {
        if read_later(input, &wanted[at + 1..]) {
            outputs[*input].clone()
        } else {
            outputs[*input].take()
        }
    };
    wanted.iter().enumerate().filter_map(one).collect()
}

/// Does a node and says what came of it, also when it panics.
fn one(
    build: Build<'_>,
    index: usize,
    inputs: Vec<Output>,
    sender: &Sender<(usize, Result<Output, Error>)>,
) {
    let mut end = End { sender, index, result: Err(Error::new("a build step panicked")) };
    end.result = node::run(build, index, inputs);
    if end.result.is_err() {
        build.run.failed.store(true, Ordering::Relaxed);
    }
}

struct End<'a> {
    sender: &'a Sender<(usize, Result<Output, Error>)>,
    index: usize,
    result: Result<Output, Error>,
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let result = std::mem::replace(&mut self.result, Err(crate::process::stopped()));
        // It is received unless another node's thread panicked.
        let _ = self.sender.send((self.index, result));
    }
}

fn is_remote(op: &Op) -> bool {
    matches!(op, Op::Http(_) | Op::HuggingFace(_) | Op::Git(_) | Op::Image(_) | Op::Layout(_))
}
