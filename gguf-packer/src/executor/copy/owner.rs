//! `--chown`: numbers, or names that the stage's `/etc/passwd` and `/etc/group` know.

use crate::Error;

/// The user and group of `chown`, which is `user[:group]`. `read` gives a file of the stage, if it is there.
pub(crate) fn resolve(
    chown: &str,
    read: &dyn Fn(&str) -> Result<Option<String>, Error>,
) -> Result<(u64, u64), Error> {
    let (user, group) = match chown.split_once(':') {
        Some((user, group)) => (user, (!group.is_empty()).then_some(group)),
        None => (chown, None),
    };
    // Without a group it is the user's: of a number the same number.
    let (uid, own_group) = match (user, user.parse()) {
        ("", _) => (0, 0),
        (_, Ok(uid)) => (uid, uid),
        _ => user_of(user, read)?,
    };
    let gid = match group.map(|group| (group, group.parse())) {
        None => own_group,
        Some((_, Ok(gid))) => gid,
        Some((group, Err(_))) => group_of(group, read)?,
    };
    Ok((uid, gid))
}

type Read<'a> = &'a dyn Fn(&str) -> Result<Option<String>, Error>;

fn user_of(user: &str, read: Read<'_>) -> Result<(u64, u64), Error> {
    let line = line_of(user, "user", "etc/passwd", read)?;
    let mut numbers = line.split(':').skip(2).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(uid)), Some(Ok(gid))) => Ok((uid, gid)),
        _ => Err(Error::new(format!("invalid entry for `{user}` in /etc/passwd: `{line}`"))),
    }
}

fn group_of(group: &str, read: Read<'_>) -> Result<u64, Error> {
    let line = line_of(group, "group", "etc/group", read)?;
    let gid = line.split(':').nth(2).and_then(|number| number.parse().ok());
    gid.ok_or_else(|| Error::new(format!("invalid entry for `{group}` in /etc/group: `{line}`")))
}

fn line_of(name: &str, what: &str, file: &str, read: Read<'_>) -> Result<String, Error> {
    let numbers = "use numeric IDs, as in `--chown=1000:1000`";
    let Some(text) = read(file)? else {
        return Err(
            Error::new(format!("unknown {what} `{name}`: this stage has no /{file}")).hint(numbers)
        );
    };
    let line = text.lines().find(|line| line.split(':').next() == Some(name));
    line.map(str::to_owned).ok_or_else(|| {
        Error::new(format!("unknown {what} `{name}`: not in /{file} of this stage")).hint(numbers)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chown(text: &str) -> Result<(u64, u64), String> {
        let read = |file: &str| {
            Ok(match file {
                "etc/passwd" => Some("root:x:0:0::/:\nmodel:x:10:20::/:\nbroken:x\n".to_owned()),
                "etc/group" => Some("root:x:0:\nstaff:x:50:a,b\n".to_owned()),
                _ => None,
            })
        };
        resolve(text, &read).map_err(|e| e.to_string())
    }

    #[test]
    fn owners_are_numbers_or_names() {
        assert_eq!(chown("1000"), Ok((1000, 1000)));
        assert_eq!(chown("1000:5"), Ok((1000, 5)));
        assert_eq!(chown("model"), Ok((10, 20)));
        assert_eq!(chown("model:staff"), Ok((10, 50)));
        assert_eq!(chown("model:7"), Ok((10, 7)));
        assert_eq!(chown(":staff"), Ok((0, 50)));
    }

    #[test]
    fn an_unknown_owner_is_named() {
        let hint = "\n  hint: use numeric IDs, as in `--chown=1000:1000`";
        assert_eq!(
            chown("who"),
            Err(format!(
                "unknown user `who`: not in /etc/passwd of this \
            stage{hint}"
            ))
        );
        assert_eq!(
            chown("0:who"),
            Err(format!("unknown group `who`: not in /etc/group of this stage{hint}"))
        );
        let broken = "invalid entry for `broken` in /etc/passwd: `broken:x`";
        assert_eq!(chown("broken"), Err(broken.to_owned()));
        let nothing = resolve("model", &|_| Ok(None)).expect_err("no file").to_string();
        assert_eq!(nothing, format!("unknown user `model`: this stage has no /etc/passwd{hint}"));
    }
}
