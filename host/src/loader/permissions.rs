//! Whoever can change a plugin can do what the user can do: files that others can change are not loaded.

use metricopt_sdk::{Error, Result};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Bits of a file's mode.
const GROUP_WRITABLE: u32 = 0o020;
const OTHERS_WRITABLE: u32 = 0o002;
const STICKY: u32 = 0o1000;

/// Checks a file and every directory above it.
///
/// # Errors
///
/// Names the first that somebody else can change, and how.
pub fn check(path: &Path) -> Result<()> {
    let path = path
        .canonicalize()
        .map_err(|error| Error::configuration(format!("cannot be reached: {error}")))?;
    let groups = Groups::of_this_machine();
    let user = rustix::process::geteuid().as_raw();
    for place in path.ancestors() {
        let metadata = place.metadata().map_err(|error| {
            Error::configuration(format!("cannot look at `{}`: {error}", place.display()))
        })?;
        // In a directory with the sticky bit, such as /tmp, only the owner of a file can replace it.
        let sticky = place != path && metadata.mode() & STICKY != 0;
        let problem = problem(
            metadata.mode(),
            metadata.uid(),
            metadata.gid(),
            user,
            &groups,
        );
        if let Some((who, remedy)) = problem
            && !(sticky && metadata.uid() == 0)
        {
            return Err(
                Error::configuration(format!("{who} can change `{}`", place.display())).hint(
                    format!(
                        "{remedy} `{}`, or allow it with `--allow-writable-plugins`",
                        place.display()
                    ),
                ),
            );
        }
    }
    Ok(())
}

/// Who else can change something, and the command against it.
fn problem(
    mode: u32,
    owner: u32,
    group: u32,
    user: u32,
    groups: &Groups,
) -> Option<(String, &'static str)> {
    if owner != user && owner != 0 {
        return Some((format!("its owner, user {owner},"), "chown"));
    }
    if mode & OTHERS_WRITABLE != 0 {
        return Some(("every user".to_owned(), "chmod o-w"));
    }
    if mode & GROUP_WRITABLE != 0 && !groups.is_private(group, user) {
        return Some((format!("group {group}"), "chmod g-w"));
    }
    None
}

/// Who is in which group: many systems give every user a group of their own and let it write.
struct Groups {
    /// Number, and the names of members.
    groups: Vec<(u32, Vec<String>)>,
    /// Name, number and primary group of each user.
    users: Vec<(String, u32, u32)>,
}

impl Groups {
    fn of_this_machine() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        Self::parse(&read("/etc/group"), &read("/etc/passwd"))
    }

    fn parse(groups: &str, users: &str) -> Self {
        let group = |line: &str| {
            let mut fields = line.split(':').skip(2);
            let number = fields.next()?.parse().ok()?;
            let members = fields.next().unwrap_or_default().split(',');
            let members = members.filter(|name| !name.is_empty()).map(str::to_owned);
            Some((number, members.collect()))
        };
        let user = |line: &str| {
            let mut fields = line.split(':');
            let name = fields.next()?.to_owned();
            Some((
                name,
                fields.nth(1)?.parse().ok()?,
                fields.next()?.parse().ok()?,
            ))
        };
        Self {
            groups: groups.lines().filter_map(group).collect(),
            users: users.lines().filter_map(user).collect(),
        }
    }

    /// Whether nobody but the user, and root, is in a group. A group that is not listed may hold anybody.
    fn is_private(&self, group: u32, user: u32) -> bool {
        let Some((_, members)) = self.groups.iter().find(|(number, _)| *number == group) else {
            return false;
        };
        let harmless = |number: u32| number == user || number == 0;
        let by_name = |name: &String| self.users.iter().find(|(other, _, _)| other == name);
        members
            .iter()
            .all(|name| by_name(name).is_some_and(|&(_, number, _)| harmless(number)))
            && self
                .users
                .iter()
                .all(|&(_, number, primary)| primary != group || harmless(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    const GROUPS: &str = "root:x:0:\nann:x:1000:\nstaff:x:50:ann,bob\n";
    const USERS: &str =
        "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/:/bin/sh\nbob:x:1001:50::/:/bin/sh\n";

    #[test]
    fn a_group_of_ones_own_may_write_and_a_shared_one_may_not() {
        let groups = Groups::parse(GROUPS, USERS);
        assert!(problem(0o775, 1000, 1000, 1000, &groups).is_none());
        assert!(problem(0o775, 0, 0, 1000, &groups).is_none());
        for (mode, owner, group) in [
            (0o775, 1000, 50),
            (0o775, 1000, 77),
            (0o757, 1000, 1000),
            (0o755, 1001, 50),
        ] {
            assert!(
                problem(mode, owner, group, 1000, &groups).is_some(),
                "{mode:o} {owner} {group}"
            );
        }
    }

    #[test]
    fn a_file_that_everybody_can_change_is_refused_and_one_below_tmp_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("libplugin.so");
        fs::write(&file, "").unwrap();
        let mode = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap()
        };
        mode(&file, 0o644);
        check(&file).unwrap();
        mode(&file, 0o666);
        let error = check(&file).unwrap_err();
        assert!(
            error.to_string().starts_with("every user can change `"),
            "{error}"
        );
        assert!(error.hints()[0].starts_with("chmod o-w `"), "{error:?}");
        mode(&file, 0o644);
        mode(folder.path(), 0o777);
        assert!(
            check(&file)
                .unwrap_err()
                .to_string()
                .contains("every user can change")
        );
    }
}
