//! The text of the user file: one line for each user, every other byte kept as it was. Reading and
//! writing it is the business of [`super::store`].

use super::Role;
use super::password::PasswordHash;

/// One user's line.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The name; see [`is_valid_name`].
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What the password is checked against.
    pub hash: PasswordHash,
}

/// A line that lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    /// Whose line it is, where that can be told.
    pub name: Option<String>,
    /// What was expected. Never a piece of the line, which may be a misplaced password.
    pub why: &'static str,
}

/// A parsed user file. Edits touch the lines of the user they are about and no other byte.
#[derive(Default)]
pub struct UserFile {
    lines: Vec<Line>,
}

struct Line {
    /// With its line end, where it has one.
    text: Vec<u8>,
    content: Content,
}

enum Content {
    User(Record),
    /// A whole record of a name that an earlier line has.
    Second(BadLine),
    Malformed(BadLine),
    /// A comment or an empty line.
    Nothing,
}

/// Whether a name can be a user's: 1 to 32 of A-Z a-z 0-9 . _ -, the first a letter or digit. No
/// colon, so that Basic credentials (RFC 7617, section 2) are never ambiguous.
pub fn is_valid_name(name: &str) -> bool {
    let sign = |byte: u8| b"._-".contains(&byte);
    let mut bytes = name.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && name.len() <= 32 && bytes.all(|byte| byte.is_ascii_alphanumeric() || sign(byte))
}

impl UserFile {
    /// Understands the text of a file, line by line. Of several whole lines for one name the
    /// first counts.
    pub fn parse(text: &[u8]) -> Self {
        let mut file = Self::default();
        for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let bad = |name: Option<String>, why| BadLine { number: at + 1, name, why };
            let content = match parse_line(line) {
                Ok(None) => Content::Nothing,
                Ok(Some(record)) if file.find(&record.name).is_some() => Content::Second(bad(
                    Some(record.name),
                    "a second line for this name; the first one counts",
                )),
                Ok(Some(record)) => Content::User(record),
                Err(why) => Content::Malformed(bad(name_in(line), why)),
            };
            file.lines.push(Line { text: line.to_vec(), content });
        }
        file
    }

    /// The text to write.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.lines.iter().flat_map(|line| &line.text).copied().collect()
    }

    /// All users, in the order of the file.
    pub fn users(&self) -> impl Iterator<Item = &Record> {
        self.lines.iter().filter_map(|line| match &line.content {
            Content::User(record) => Some(record),
            _ => None,
        })
    }

    /// The lines that let nobody in, in the order of the file.
    pub fn bad_lines(&self) -> impl Iterator<Item = &BadLine> {
        self.lines.iter().filter_map(|line| match &line.content {
            Content::Second(bad) | Content::Malformed(bad) => Some(bad),
            _ => None,
        })
    }

    /// Whether no line was meant for a user, not even a malformed one.
    pub fn is_unused(&self) -> bool {
        self.lines.iter().all(|line| matches!(line.content, Content::Nothing))
    }

    /// The user of a name.
    pub fn find(&self, name: &str) -> Option<&Record> {
        self.users().find(|record| record.name == name)
    }

    /// Puts a record in the place of the one of its name, or at the end.
    pub fn put(&mut self, record: Record) {
        let text = format!("{}:{}:{}\n", record.name, record.role.name(), record.hash).into_bytes();
        let is_same =
            |line: &&mut Line| matches!(&line.content, Content::User(user) if user.name == record.name);
        if let Some(line) = self.lines.iter_mut().find(is_same) {
            *line = Line { text, content: Content::User(record) };
            return;
        }
        if let Some(last) = self.lines.last_mut()
            && !last.text.ends_with(b"\n")
        {
            last.text.push(b'\n');
        }
        self.lines.push(Line { text, content: Content::User(record) });
    }

    /// Takes a user out; whether there was one.
    ///
    /// Second lines of the name go with the first: left behind, the next of them would count, and
    /// the removal would have let somebody in.
    pub fn remove(&mut self, name: &str) -> bool {
        let is_known = self.find(name).is_some();
        self.lines.retain(|line| match &line.content {
            Content::User(record) => record.name != name,
            Content::Second(bad) => bad.name.as_deref() != Some(name),
            Content::Malformed(_) | Content::Nothing => true,
        });
        is_known
    }
}

/// `name:role:hash`, and no fourth field: one that a later version wrote might restrict the user
/// in a way this one would not see.
fn parse_line(line: &[u8]) -> Result<Option<Record>, &'static str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = line.trim_ascii_start();
    if start.is_empty() || start.starts_with(b"#") {
        return Ok(None);
    }
    let line = str::from_utf8(line).map_err(|_| "expected name:role:hash in UTF-8")?;
    let fields: Vec<&str> = line.split(':').collect();
    let (name, role, hash) = match fields[..] {
        [name, role, hash] => (name, role, hash),
        [_, _, _, _, ..] => return Err("expected name:role:hash and nothing behind the hash"),
        _ => return Err("expected name:role:hash"),
    };
    if !is_valid_name(name) {
        return Err("the name must be 1 to 32 letters, digits or . _ -, starting with a letter or digit");
    }
    let role = Role::from_name(role).ok_or("the role must be admin or viewer")?;
    Ok(Some(Record { name: name.to_owned(), role, hash: PasswordHash::parse(hash)? }))
}

/// Whose line a malformed one is.
fn name_in(line: &[u8]) -> Option<String> {
    let name = str::from_utf8(line.split(|byte| *byte == b':').next()?).ok()?;
    is_valid_name(name).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        Record { name: name.to_owned(), role: Role::Viewer, hash: PasswordHash::of_nobody() }
    }

    fn names(file: &UserFile) -> Vec<&str> {
        file.users().map(|user| user.name.as_str()).collect()
    }

    #[test]
    fn every_byte_an_edit_is_not_about_survives_it() {
        let hash = PasswordHash::of_nobody();
        let line = |name: &str| format!("{name}:viewer:{hash}");
        let odd: &[u8] = b"# caf\xe9\r\n \t\n\n  # inner \nbroken line\r\n\xff\n";
        let text = [odd, line("adam").as_bytes(), b"\r\n", line("eve").as_bytes(), b"\n# no end"].concat();
        let mut file = UserFile::parse(&text);
        assert_eq!(names(&file), ["adam", "eve"]);
        assert!(file.to_bytes() == text, "an unedited file is the same");
        file.remove("eve");
        file.put(record("zoe"));
        let zoe = format!("\r\n# no end\n{}\n", line("zoe"));
        let expected = [odd, line("adam").as_bytes(), zoe.as_bytes()].concat();
        assert_eq!(String::from_utf8_lossy(&file.to_bytes()), String::from_utf8_lossy(&expected));
    }

    #[test]
    fn an_edited_user_keeps_his_place() {
        let hash = PasswordHash::of_nobody();
        let mut file = UserFile::parse(format!("adam:viewer:{hash}\n# eve\neve:admin:{hash}\n").as_bytes());
        file.put(Record { role: Role::Admin, ..record("adam") });
        let expected = format!("adam:admin:{hash}\n# eve\neve:admin:{hash}\n");
        assert_eq!(file.to_bytes(), expected.as_bytes());
    }

    #[test]
    fn a_bad_line_is_named_and_refuses_its_user_only() {
        let hash = PasswordHash::of_nobody();
        let text = format!(
            "good:viewer:{hash}\nbad\n:admin:{hash}\nx:king:{hash}\ny:admin:plain\ngood:admin:{hash}\n\
             z:admin:{hash}:extra\n good2:viewer:{hash}\n"
        );
        let file = UserFile::parse(text.as_bytes());
        assert_eq!(names(&file), ["good"]);
        assert!(file.find("good").unwrap().role == Role::Viewer, "the first line of a name counts");
        let bad: Vec<_> = file.bad_lines().map(|bad| (bad.number, bad.name.as_deref())).collect();
        let of = |name| Some(name);
        let expected =
            [(2, None), (3, None), (4, of("x")), (5, of("y")), (6, of("good")), (7, of("z")), (8, None)];
        assert_eq!(bad, expected);
    }

    #[test]
    fn a_removed_user_does_not_come_back_by_a_second_line() {
        let hash = PasswordHash::of_nobody();
        let text = format!("eve:admin:{hash}\nadam:admin:{hash}\neve:viewer:{hash}\neve:king:x\n");
        let mut file = UserFile::parse(text.as_bytes());
        assert!(file.remove("eve"));
        assert_eq!(names(&UserFile::parse(&file.to_bytes())), ["adam"]);
        assert!(!file.remove("eve"), "he is gone");
        assert!(file.to_bytes().ends_with(b"\neve:king:x\n"), "a malformed line is left to a person");
    }

    #[test]
    fn only_comments_make_a_file_unused() {
        assert!(UserFile::parse(b"# nobody yet\n\n").is_unused());
        assert!(!UserFile::parse(b"adam:admin:broken\n").is_unused());
    }

    #[test]
    fn names_that_could_be_mistaken_are_refused() {
        for name in ["", "a:b", "-a", ".a", "a b", "ä", "a\n", &"a".repeat(33)] {
            assert!(!is_valid_name(name), "{name:?}");
        }
        for name in ["a", "Eve.O_Neil-2", &"a".repeat(32)] {
            assert!(is_valid_name(name), "{name:?}");
        }
    }
}
