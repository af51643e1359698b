//! Destinations, each rule by the smallest copy that shows it.

use super::*;
use crate::executor::copy::files::tests::{entry, tree};

fn file(name: &str) -> Item {
    Item { name: name.to_owned(), spread: false, entries: vec![(String::new(), entry(name))] }
}

fn folder(names: &[&str]) -> Item {
    let mut entries = vec![(String::new(), Entry { mode: 0o700, ..entry("src/") })];
    entries.extend(names.iter().map(|name| {
        let path = entry(name).path;
        (path.clone(), entry(name))
    }));
    Item { name: "src".to_owned(), spread: true, entries }
}

fn place<'a>(below: &'a Tree, dest: &'a str) -> Place<'a> {
    let workdir = "models";
    Place { below, workdir, dest, several: false, link: false, owner: None, mode: None, mtime: 0 }
}

fn put(place: &Place<'_>, items: &[Item]) -> Result<Vec<String>, String> {
    let entries = place.put(items.to_vec()).map_err(|e| e.to_string())?;
    Ok(entries.into_iter().map(|entry| format!("{} {:o}", entry.path, entry.mode)).collect())
}

#[test]
fn a_file_lands_at_its_name_or_in_a_folder() {
    let below = tree(&["there/x", "to->there"]);
    let put = |dest: &str, items: &[Item]| put(&place(&below, dest), items).expect(dest);
    assert_eq!(put("/a/b", &[file("x")]), ["a 755", "a/b 644"]);
    assert_eq!(put("/a/b/", &[file("x")]), ["a 755", "a/b 755", "a/b/x 644"]);
    assert_eq!(put(".", &[file("x")]), ["models 755", "models/x 644"]);
    assert_eq!(put("y", &[file("x")]), ["models 755", "models/y 644"]);
    assert_eq!(put("/there", &[file("y")]), ["there 755", "there/y 644"]);
    assert_eq!(put("/to", &[file("y")]), ["there 755", "there/y 644"], "a link is followed");
    assert_eq!(put("/new", &[file("x"), file("y")]), ["new 755", "new/x 644", "new/y 644"]);
    assert_eq!(put("/", &[file("x")]), ["x 644"]);
}

#[test]
fn of_a_folder_the_content_is_copied() {
    let below = tree(&["there/x"]);
    let put = |dest: &str, items: &[Item]| put(&place(&below, dest), items).expect(dest);
    let item = folder(&["f", "s/", "s/g"]);
    assert_eq!(
        put("/new", std::slice::from_ref(&item)),
        ["new 700", "new/f 644", "new/s 755", "new/s/g 644"]
    );
    let there = ["there 755", "there/f 644", "there/s 755", "there/s/g 644"];
    assert_eq!(put("/there", std::slice::from_ref(&item)), there, "it keeps its own permissions");
    assert_eq!(put("/", &[item]), ["f 644", "s 755", "s/g 644"]);
}

#[test]
fn owner_and_permissions_are_changed() {
    let below = tree(&["there/x"]);
    let mode = Mode::parse("u=rwX,go=").expect("a mode");
    let place =
        Place { owner: Some((5, 6)), mode: Some(&mode), mtime: 7, ..place(&below, "/there/n/d") };
    let entries = place.put(vec![folder(&["f", "l->f"])]).expect("placed");
    let shown: Vec<_> =
        entries.iter().map(|e| (e.path.as_str(), e.mode, e.uid, e.gid, e.mtime)).collect();
    assert_eq!(
        shown,
        [
            ("there", 0o755, 0, 0, 0),
            ("there/n", 0o755, 5, 6, 7),
            ("there/n/d", 0o700, 5, 6, 7),
            ("there/n/d/f", 0o600, 5, 6, 7),
            ("there/n/d/l", 0o777, 5, 6, 7),
        ]
    );
}

#[test]
fn with_link_nothing_below_counts() {
    let below = tree(&["there/x", "to->there"]);
    let below = Tree::clone(&below);
    let linked = Place { link: true, ..place(&below, "/to/") };
    assert_eq!(put(&linked, &[file("y")]).expect("placed"), ["to 755", "to/y 644"]);
    let plain = Place { link: true, ..place(&below, "/there") };
    assert_eq!(put(&plain, &[file("y")]).expect("placed"), ["there 644"]);
}

#[test]
fn files_and_folders_do_not_replace_each_other() {
    let below = tree(&["f", "d/s/x"]);
    let error = |dest: &str, item: Item| put(&place(&below, dest), &[item]).expect_err(dest);
    assert!(
        error("/f/", file("x")).starts_with("cannot copy into `/f`: it is a file, not a folder\n")
    );
    assert!(error("/f/y", file("x")).starts_with("cannot create the folder `/f`: it is a file\n"));
    assert_eq!(error("/d", file("s")), "cannot replace the folder `/d/s` with a file");
    assert_eq!(error("/", folder(&["f/", "f/x"])), "cannot replace the file `/f` with a folder");
    assert!(error("../../x", file("x")).starts_with(
        "the destination `../../x` is outside the \
        image\n"
    ));
}
