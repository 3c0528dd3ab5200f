//! Audit lines about the user file: users and tokens that were added, removed or changed, however that was done.

use std::path::Path;
use std::time::Duration;

use log::{Level, info};

use super::Scope;
use super::file::Record;
use super::index::UserIndex;
use crate::logging::Limit;

/// What is logged of a user whose password alone changed.
const PASSWORD: &str = "has another password";

/// The one change that users can make themselves, again and again: their own password. By user.
static PASSWORDS: Limit = Limit::new("such changes", 10, 120, Duration::from_secs(600));

/// Logs each difference between two readings of the file.
pub fn file_changed(path: &Path, before: &UserIndex, after: &UserIndex) {
    let path = path.display();
    for line in differences(before, after) {
        if line.ends_with(PASSWORD) {
            PASSWORDS.log(&line, Level::Info, module_path!(), format_args!("{path}: {line}"));
        } else {
            info!("{path}: {line}");
        }
    }
}

/// One sentence for each difference, in the order of the alphabet. None holds a secret.
fn differences(before: &UserIndex, after: &UserIndex) -> Vec<String> {
    let mut lines = Vec::new();
    for new in after.all() {
        match before.find(&new.name) {
            None => {
                let past = if new.past { "" } else { " without recordings" };
                let what = format!("{}{}{past}", new.role.name(), fields(&new.scope));
                lines.push(format!("user `{}` added as {what}", new.name));
            }
            Some(old) => lines.extend(change(old, new)),
        }
    }
    for old in before.all().filter(|old| after.find(&old.name).is_none()) {
        lines.push(format!("user `{}` removed", old.name));
    }
    for new in after.tokens().filter(|new| before.find_token(&new.digest).is_none()) {
        lines.push(format!("token `{}` of user `{}` added{}", new.name, new.user, fields(&new.scope)));
    }
    for old in before.tokens().filter(|old| after.find_token(&old.digest).is_none()) {
        let what = if after.is_orphan(&old.digest) { "has no effect any more" } else { "removed" };
        lines.push(format!("token `{}` of user `{}` {what}", old.name, old.user));
    }
    lines.sort();
    lines
}

fn change(old: &Record, new: &Record) -> Option<String> {
    let mut what = Vec::new();
    if old.hash != new.hash {
        what.push(PASSWORD.to_owned());
    }
    if old.role != new.role {
        what.push(format!("is {} now", new.role.name()));
    }
    if old.scope != new.scope {
        let scope = fields(&new.scope);
        what.push(format!("may see and hear{}", if scope.is_empty() { " everything" } else { &scope }));
    }
    if old.past != new.past {
        what.push(if new.past { "may see recordings" } else { "may not see recordings" }.to_owned());
    }
    (!what.is_empty()).then(|| format!("user `{}` {}", new.name, what.join(", ")))
}

/// A scope's fields as words of a sentence; nothing for all.
fn fields(scope: &Scope) -> String {
    scope.to_string().replace(':', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::users::file::UserFile;
    use crate::users::password::PasswordHash;
    use crate::users::secret::Digest;

    #[test]
    fn each_difference_is_logged_without_a_secret() {
        let index = |text: String| UserIndex::of(&UserFile::parse(text.as_bytes()));
        let (hash, other) = (PasswordHash::of_nobody(), PasswordHash::new("x").unwrap());
        let [token, kept, removed, orphan] = ["t", "kept", "removed", "orphan"].map(Digest::of);
        let before = index(format!(
            "a:admin:{hash}\nb:viewer:{hash}\nc:viewer:{hash}\n@k:a:{kept}\n@r:a:{removed}\n@o:b:{orphan}\n"
        ));
        let after = index(format!(
            "a:viewer:{other}:cameras=front\nc:viewer:{hash}:past=no\nd:viewer:{hash}:past=no\n@k:a:{kept}\n@o:b:{orphan}\n\
             @t:a:{token}\n"
        ));
        assert_eq!(
            differences(&before, &after),
            [
                "token `o` of user `b` has no effect any more",
                "token `r` of user `a` removed",
                "token `t` of user `a` added",
                "user `a` has another password, is viewer now, may see and hear cameras=front",
                "user `b` removed",
                "user `c` may not see recordings",
                "user `d` added as viewer without recordings",
            ]
        );
    }
}
