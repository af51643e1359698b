//! Does the same for several things at a time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::Error;

/// What `work` makes of each item, in the items' order. After a failure no further one is begun; all that
/// failed are told.
pub(super) fn map<T: Sync, R: Send>(
    items: &[T],
    at_once: usize,
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, Result<R, Error>)>> = Mutex::new(Vec::new());
    let run = || loop {
        let n = next.fetch_add(1, Ordering::SeqCst);
        let Some(item) = items.get(n) else { return };
        let result = work(item);
        if result.is_err() {
            next.store(items.len(), Ordering::SeqCst);
        }
        done.lock().expect("no thread panics with it").push((n, result));
    };
    thread::scope(|scope| {
        for _ in 1..at_once.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut done = done.into_inner().expect("no thread panics with it");
    done.sort_by_key(|(n, _)| *n);
    let (mut results, mut errors) = (Vec::new(), Vec::new());
    for (_, result) in done {
        match result {
            Ok(result) => results.push(result),
            Err(error) => errors.push(error),
        }
    }
    // Several layers fail for the same reason.
    errors.dedup();
    if errors.is_empty() { Ok(results) } else { Err(Error::all(errors)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_have_the_order_of_the_items() {
        let doubled = map(&[3, 1, 2], 2, |n| Ok(n * 2)).unwrap();
        assert_eq!(doubled, [6, 2, 4]);
        assert_eq!(map(&[0; 0], 2, |n| Ok(*n)).unwrap(), [0; 0]);
    }

    #[test]
    fn nothing_is_begun_after_a_failure() {
        let begun = AtomicUsize::new(0);
        let error = map(&[1, 2, 3], 1, |n| {
            begun.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(Error::new(format!("no {n}")))
        });
        assert_eq!((error.unwrap_err().to_string(), begun.into_inner()), ("no 1".to_owned(), 1));
    }
}
