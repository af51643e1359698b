//! SIGKILL at any moment of `push` and `pull`: the same command succeeds afterwards, the store is whole, no
//! temporary file and no part of a download stays.

use llama_tests::packer::Packer;
use llama_tests::registry::Registry;

use super::killed::Bench;
use super::refusals::names;

/// How often each command is killed.
const KILLS: usize = 100;

/// A packer with an image to push, and where to.
fn with_registry() -> Option<(Bench, Registry)> {
    let (bench, registry) = (Bench::with_ballast(2 << 20)?, Registry::start()?);
    bench.does(&["build", "--tag", "t:1", "."]);
    Some((bench, registry))
}

#[test]
fn after_a_hundred_killed_pushes_each_image_is_there() {
    let Some((mut bench, registry)) = with_registry() else { return };
    let image = |round: usize| format!("{}/push-{round}:1", registry.address);
    // A name of its own, so that each upload is one of all bytes.
    let push = |bench: &mut Bench, round| {
        let name = image(round);
        bench.does(&["tag", "t:1", &name]);
        ["push".to_owned(), name]
    };
    let words = push(&mut bench, 0);
    let mut whole = bench.time(&words.each_ref().map(String::as_str));
    bench.does(&["remove", &words[1]]);
    for round in 1..=KILLS {
        let words = push(&mut bench, round);
        let words = words.each_ref().map(String::as_str);
        bench.kill(&words, &mut whole);
        bench.does(&words);
        bench.is_clean("push");
        // What another repository has would be mounted.
        bench.does(&["remove", words[1]]);
        if round % 25 == 0 {
            let other = Packer::new().unwrap();
            other.does(&["pull", words[1]]);
            assert_eq!(other.list()[0]["id"], bench.packer.list()[0]["id"]);
            other.does(&["store", "check", "--deep"]);
        }
    }
    assert!(bench.killed >= KILLS / 2, "only {} of {KILLS} pushes were killed", bench.killed);
}

#[test]
fn after_a_hundred_killed_pulls_the_store_is_whole() {
    let Some((mut bench, registry)) = with_registry() else { return };
    let name = format!("{}/pull:1", registry.address);
    bench.does(&["tag", "t:1", &name]);
    bench.does(&["push", &name]);
    let id = bench.packer.list()[0]["id"].clone();
    bench.packer = Packer::new().unwrap();
    let mut whole = bench.time(&["pull", &name]);
    for round in 0..KILLS {
        bench.does(&["remove", &name]);
        bench.kill(&["pull", &name], &mut whole);
        // Some are gone on with, others not.
        if round % 4 == 0 {
            bench.does(&["prune"]);
        }
        bench.does(&["pull", &name]);
        bench.is_clean("pull");
        assert_eq!(names(&bench.packer.store().join("partial")), [""; 0]);
        assert_eq!(bench.packer.list()[0]["id"], id);
    }
    assert!(bench.killed >= KILLS / 2, "only {} of {KILLS} pulls were killed", bench.killed);
}
