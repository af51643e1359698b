//! The same work on many things at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::thread;

use crate::Error;
use crate::process::stopped;

/// `work` on each of `items` by up to `threads` threads; the results in the order of the items. After a
/// failure nothing new is begun; all failures are told.
pub(crate) fn map<T: Sync, R: Send>(
    items: &[T],
    threads: usize,
    work: impl Fn(&T) -> Result<R, Error> + Sync,
) -> Result<Vec<R>, Error> {
    let (next, errors) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let results: Mutex<Vec<Option<R>>> = Mutex::new(items.iter().map(|_| None).collect());
    let one_thread = || {
        while locked(&errors).is_empty() {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(index) else { return };
            match work(item) {
                Ok(result) => locked(&results)[index] = Some(result),
                Err(error) => locked(&errors).push(error),
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(one_thread);
        }
        one_thread();
    });
    let errors = errors.into_inner().expect("no one panics while it is locked");
    if !errors.is_empty() {
        return Err(joined(errors));
    }
    let results = results.into_inner().expect("no one panics while it is locked");
    Ok(results.into_iter().map(|result| result.expect("every item was worked on")).collect())
}

/// Several errors as one; those of what was ended because of another are not told.
pub(crate) fn joined(mut errors: Vec<Error>) -> Error {
    let stopped = stopped();
    if errors.iter().any(|error| *error != stopped) {
        errors.retain(|error| *error != stopped);
    }
    errors.sort_by_key(ToString::to_string);
    errors.dedup();
    Error::all(errors)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no one panics while it is locked")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_errors_are_all_told() {
        let doubled = map(&[1, 2, 3, 4, 5], 3, |n| Ok(n * 2)).expect("no errors");
        assert_eq!(doubled, [2, 4, 6, 8, 10]);
        let none: [u8; 0] = [];
        assert_eq!(map(&none, 3, |n| Ok(*n)).expect("no errors"), none);
        let barrier = std::sync::Barrier::new(2);
        let failed = map(&[1, 2], 2, |n| -> Result<(), Error> {
            barrier.wait();
            Err(if *n == 1 { Error::new("one") } else { stopped() })
        });
        assert_eq!(failed.expect_err("two errors"), Error::new("one"));
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
