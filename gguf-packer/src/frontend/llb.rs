//! A graph while it is made: operations that hold what they need, and the definition of one of their outputs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prost::Message;

use super::pb::{
    Definition, Input, Kind, Location, Locations, Op, OpMetadata, Platform, Source, SourceInfo,
    WorkerConstraints,
};
use crate::Error;
use crate::digest::Digest;

/// A file system that an operation makes.
#[derive(Debug, Clone)]
pub(super) struct Output {
    vertex: Arc<Vertex>,
    index: i64,
}

/// An operation.
#[derive(Debug)]
struct Vertex {
    digest: String,
    bytes: Vec<u8>,
    metadata: OpMetadata,
    inputs: Vec<Output>,
    location: Option<Location>,
    /// The whole graph of an output that came from elsewhere.
    foreign: Option<Definition>,
}

/// What is said of an operation.
#[derive(Debug, Default)]
pub(super) struct About {
    /// What a person reads.
    pub(super) name: String,
    /// What the daemon must be able to do.
    pub(super) caps: Vec<&'static str>,
    /// It is done in each build.
    pub(super) always: bool,
    pub(super) location: Option<Location>,
    pub(super) platform: Option<Platform>,
}

impl Output {
    /// The output `index` of a new operation.
    pub(super) fn new(kind: Kind, inputs: Vec<Self>, about: About, index: i64) -> Self {
        let op = Op {
            inputs: inputs.iter().map(Self::input).collect(),
            op: Some(kind),
            platform: about.platform,
            constraints: Some(WorkerConstraints {}),
        };
        let bytes = op.encode_to_vec();
        let metadata = OpMetadata {
            ignore_cache: about.always,
            description: BTreeMap::from([("llb.customname".to_owned(), about.name)]),
            caps: about.caps.into_iter().map(|cap| (cap.to_owned(), true)).collect(),
        };
        let digest = Digest::of(&bytes).to_string();
        let location = about.location;
        let vertex = Vertex { digest, bytes, metadata, inputs, location, foreign: None };
        Self { vertex: Arc::new(vertex), index }
    }

    /// The result of a graph that came from elsewhere; none for a graph of nothing.
    pub(super) fn foreign(definition: Definition) -> Result<Option<Self>, Error> {
        let Some(last) = definition.def.last() else { return Ok(None) };
        let damaged = || Error::new("cannot decode BuildKit's graph");
        let head = Op::decode(&last[..]).map_err(|_| damaged())?;
        let [input] = &head.inputs[..] else { return Err(damaged()) };
        let named = |bytes: &&Vec<u8>| Digest::of(bytes).to_string() == input.digest;
        let bytes = definition.def.iter().find(named).ok_or_else(damaged)?.clone();
        let (digest, index) = (input.digest.clone(), input.index);
        let metadata = definition.metadata.get(&digest).cloned().unwrap_or_default();
        let foreign = Some(definition);
        let vertex =
            Vertex { digest, bytes, metadata, inputs: Vec::new(), location: None, foreign };
        Ok(Some(Self { vertex: Arc::new(vertex), index }))
    }

    /// Digest of the operation.
    pub(super) fn digest(&self) -> &str {
        &self.vertex.digest
    }

    /// What names this output among all.
    pub(super) fn key(&self) -> (String, i64) {
        (self.vertex.digest.clone(), self.index)
    }

    fn input(&self) -> Input {
        Input { digest: self.vertex.digest.clone(), index: self.index }
    }

    /// The graph whose result this is; `file` is the one that places are in.
    pub(super) fn definition(&self, file: Option<&SourceInfo>) -> Definition {
        let mut made = Definition::default();
        let mut places = BTreeMap::new();
        self.add_to(&mut made, &mut BTreeSet::new(), &mut places);
        let head = Op { inputs: vec![self.input()], ..Op::default() }.encode_to_vec();
        made.metadata.insert(Digest::of(&head).to_string(), OpMetadata::default());
        made.def.push(head);
        if let Some(file) = file.filter(|_| !places.is_empty()) {
            made.source = Some(Source { locations: places, infos: vec![file.clone()] });
        }
        made
    }

    fn add_to(
        &self,
        made: &mut Definition,
        seen: &mut BTreeSet<String>,
        places: &mut BTreeMap<String, Locations>,
    ) {
        let vertex = &self.vertex;
        if seen.contains(&vertex.digest) {
            return;
        }
        vertex.inputs.iter().for_each(|input| input.add_to(made, seen, places));
        if let Some(foreign) = &vertex.foreign {
            // The last operation only says which output is meant.
            for bytes in foreign.def.iter().rev().skip(1).rev() {
                let digest = Digest::of(bytes).to_string();
                if seen.insert(digest.clone()) {
                    let metadata = foreign.metadata.get(&digest).cloned().unwrap_or_default();
                    made.metadata.insert(digest, metadata);
                    made.def.push(bytes.clone());
                }
            }
            return;
        }
        seen.insert(vertex.digest.clone());
        if let Some(location) = &vertex.location {
            let locations = vec![location.clone()];
            places.insert(vertex.digest.clone(), Locations { locations });
        }
        made.metadata.insert(vertex.digest.clone(), vertex.metadata.clone());
        made.def.push(vertex.bytes.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::pb::SourceOp;

    fn source(identifier: &str) -> Output {
        let op = SourceOp { identifier: identifier.to_owned(), attrs: BTreeMap::new() };
        Output::new(Kind::Source(op), vec![], About::default(), 0)
    }

    fn merged(inputs: Vec<Output>) -> Output {
        Output::new(
            Kind::Merge(crate::frontend::pb::MergeOp { inputs: vec![] }),
            inputs,
            About::default(),
            0,
        )
    }

    #[test]
    fn a_graph_has_each_operation_once_before_what_needs_it() {
        let (a, b) = (source("a"), source("b"));
        let both = merged(vec![a.clone(), b.clone()]);
        let all = merged(vec![both.clone(), a.clone()]);
        let made = all.definition(None);
        assert_eq!(made.def.len(), 5);
        let digests: Vec<String> =
            made.def.iter().map(|bytes| Digest::of(bytes).to_string()).collect();
        assert_eq!(digests[..4], [a.digest(), b.digest(), both.digest(), all.digest()]);
        assert!(digests.iter().all(|digest| made.metadata.contains_key(digest)));
        let foreign = Output::foreign(made.clone()).expect("a graph").expect("a result");
        assert_eq!(foreign.key(), all.key());
        let above = merged(vec![foreign, b.clone()]).definition(None);
        assert_eq!(above.def.len(), 6, "what is known from elsewhere is there once");
        assert!(Output::foreign(Definition::default()).expect("nothing").is_none());
    }
}
