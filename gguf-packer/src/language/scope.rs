//! Which variables have which values at a place of a file.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::settings::Settings;

/// Variables at a place. Those of the stage that a stage is based on are shared, not copied.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    /// Declared here, with a value or without.
    own: BTreeMap<String, Option<String>>,
    outer: Option<Rc<Scope>>,
}

impl Scope {
    /// What a file has before its first line: the platforms, which a build argument may change.
    pub(super) fn of_platforms(settings: &Settings) -> Self {
        let value = |(name, value): (&String, &String)| {
            let value = settings.build_args.get(name).unwrap_or(value);
            (name.clone(), Some(value.clone()))
        };
        Self { own: settings.platform.iter().map(value).collect(), outer: None }
    }

    /// A scope that begins with all that this one has.
    pub(super) fn within(outer: &Rc<Self>) -> Self {
        Self { own: BTreeMap::new(), outer: Some(Rc::clone(outer)) }
    }

    /// Declares a variable; without a value it keeps the one that it has.
    pub(super) fn declare(&mut self, name: &str, value: Option<String>) {
        let before = value.is_none().then(|| self.value(name).map(str::to_owned)).flatten();
        self.own.insert(name.to_owned(), value.or(before));
    }

    pub(super) fn value(&self, name: &str) -> Option<&str> {
        let declared = self.chain().find_map(|scope| scope.own.get(name));
        declared.and_then(|value| value.as_deref())
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.chain().any(|scope| scope.own.contains_key(name))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.chain().flat_map(|scope| scope.own.keys().map(String::as_str))
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |scope| scope.outer.as_deref())
    }
}

impl Drop for Scope {
    /// Without recursion: a file may have many stages based on each other.
    fn drop(&mut self) {
        let mut outer = self.outer.take();
        while let Some(scope) = outer {
            outer = Rc::try_unwrap(scope).ok().and_then(|mut scope| scope.outer.take());
        }
    }
}
