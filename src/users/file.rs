//! The text of the user file: one line for each user and each token, every other byte kept as it
//! was. Reading and writing it is the business of [`super::store`].

use super::password::PasswordHash;
use super::secret::Digest;
use super::{Role, Scope};

/// One user's line.
#[derive(Clone, PartialEq, Eq)]
pub struct Record {
    /// The name; see [`is_valid_name`].
    pub name: String,
    /// What the user may do.
    pub role: Role,
    /// What the password is checked against.
    pub hash: PasswordHash,
    /// What the user may see and hear.
    pub scope: Scope,
}

/// One token's line: `@name:user:digest`, and the fields of its scope.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// The name; as a user's.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// What the token is checked against.
    pub digest: Digest,
    /// What the token opens of what its user may see and hear.
    pub scope: Scope,
}

/// A line that lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    /// Whose line it is, where that can be told; a token's name with its `@`.
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
    Token(TokenRecord),
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
            const SECOND: &str = "a second line for this name; the first one counts";
            let content = match parse_line(line) {
                Ok(Content::User(record)) if file.find(&record.name).is_some() => {
                    Content::Second(bad(Some(record.name), SECOND))
                }
                Ok(Content::Token(token)) if file.find_token(&token.name).is_some() => {
                    Content::Second(bad(Some(format!("@{}", token.name)), SECOND))
                }
                Ok(content) => content,
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

    /// All tokens, in the order of the file.
    pub fn tokens(&self) -> impl Iterator<Item = &TokenRecord> {
        self.lines.iter().filter_map(|line| match &line.content {
            Content::Token(token) => Some(token),
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

    /// The token of a name.
    pub fn find_token(&self, name: &str) -> Option<&TokenRecord> {
        self.tokens().find(|token| token.name == name)
    }

    /// Puts a record in the place of the one of its name, or at the end.
    pub fn put(&mut self, record: Record) {
        let Record { name, role, hash, scope } = &record;
        let text = format!("{name}:{}:{hash}{scope}\n", role.name()).into_bytes();
        let is_same =
            |line: &&mut Line| matches!(&line.content, Content::User(user) if user.name == record.name);
        if let Some(line) = self.lines.iter_mut().find(is_same) {
            *line = Line { text, content: Content::User(record) };
            return;
        }
        self.append(Line { text, content: Content::User(record) });
    }

    /// Puts a token at the end. Its name must be new.
    pub fn add_token(&mut self, token: TokenRecord) {
        let TokenRecord { name, user, digest, scope } = &token;
        let text = format!("@{name}:{user}:{digest}{scope}\n").into_bytes();
        self.append(Line { text, content: Content::Token(token) });
    }

    /// Takes a user out, and the tokens with him; whether there was one.
    ///
    /// Second lines of the name go with the first: left behind, the next of them would count, and
    /// the removal would have let somebody in.
    pub fn remove(&mut self, name: &str) -> bool {
        let is_known = self.find(name).is_some();
        let tokens: Vec<_> =
            self.tokens().filter(|token| token.user == name).map(|token| token.name.clone()).collect();
        for token in tokens {
            self.remove_token(&token);
        }
        self.lines.retain(|line| match &line.content {
            Content::User(record) => record.name != name,
            Content::Second(bad) => bad.name.as_deref() != Some(name),
            Content::Token(_) | Content::Malformed(_) | Content::Nothing => true,
        });
        is_known
    }

    /// Takes a token out, second lines of its name with it; whether there was one.
    pub fn remove_token(&mut self, name: &str) -> bool {
        let is_known = self.find_token(name).is_some();
        let marked = format!("@{name}");
        self.lines.retain(|line| match &line.content {
            Content::Token(token) => token.name != name,
            Content::Second(bad) => bad.name.as_ref() != Some(&marked),
            Content::User(_) | Content::Malformed(_) | Content::Nothing => true,
        });
        is_known
    }

    fn append(&mut self, line: Line) {
        if let Some(last) = self.lines.last_mut()
            && !last.text.ends_with(b"\n")
        {
            last.text.push(b'\n');
        }
        self.lines.push(line);
    }
}

/// `name:role:hash` or `@name:user:digest`, and the fields of a scope; no other field, for one that
/// a later version wrote might restrict somebody in a way this one would not see.
fn parse_line(line: &[u8]) -> Result<Content, &'static str> {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let start = line.trim_ascii_start();
    if start.is_empty() || start.starts_with(b"#") {
        return Ok(Content::Nothing);
    }
    let line = str::from_utf8(line).map_err(|_| "expected name:role:hash in UTF-8")?;
    let fields: Vec<&str> = line.split(':').collect();
    let [name, second, third, scope @ ..] = &fields[..] else { return Err("expected name:role:hash") };
    let scope = Scope::parse(scope)?;
    match name.strip_prefix('@') {
        Some(name) => parse_token(name, second, third, scope).map(Content::Token),
        None => parse_user(name, second, third, scope).map(Content::User),
    }
}

fn parse_user(name: &str, role: &str, hash: &str, scope: Scope) -> Result<Record, &'static str> {
    check_name(name)?;
    let role = Role::from_name(role).ok_or("the role must be admin or viewer")?;
    if role == Role::Admin && scope != Scope::All {
        return Err("an admin sees everything; cameras= and microphones= are for viewers");
    }
    Ok(Record { name: name.to_owned(), role, hash: PasswordHash::parse(hash)?, scope })
}

fn parse_token(name: &str, user: &str, digest: &str, scope: Scope) -> Result<TokenRecord, &'static str> {
    check_name(name)?;
    check_name(user)?;
    let digest = Digest::parse(digest)?;
    Ok(TokenRecord { name: name.to_owned(), user: user.to_owned(), digest, scope })
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let expected = "the name must be 1 to 32 letters, digits or . _ -, starting with a letter or digit";
    if is_valid_name(name) { Ok(()) } else { Err(expected) }
}

/// Whose line a malformed one is.
fn name_in(line: &[u8]) -> Option<String> {
    let name = str::from_utf8(line.split(|byte| *byte == b':').next()?).ok()?;
    is_valid_name(name.strip_prefix('@').unwrap_or(name)).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str) -> Record {
        Record {
            name: name.to_owned(),
            role: Role::Viewer,
            hash: PasswordHash::of_nobody(),
            scope: Scope::All,
        }
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

    fn token(name: &str, user: &str) -> TokenRecord {
        let digest = Digest::of(name);
        TokenRecord { name: name.to_owned(), user: user.to_owned(), digest, scope: Scope::All }
    }

    #[test]
    fn a_confined_user_is_read_as_written() {
        let mut file = UserFile::default();
        let scope = Scope::only(&["front".to_owned(), "yard".to_owned()], &[]).unwrap();
        file.put(Record { scope, ..record("eve") });
        let text = format!("eve:viewer:{}:cameras=front,yard\n", PasswordHash::of_nobody());
        assert_eq!(String::from_utf8(file.to_bytes()).unwrap(), text);
        assert!(UserFile::parse(text.as_bytes()).find("eve") == file.find("eve"));
    }

    #[test]
    fn a_scope_that_is_not_understood_lets_nobody_in() {
        let hash = PasswordHash::of_nobody();
        for line in [
            format!("eve:viewer:{hash}:"),
            format!("eve:viewer:{hash}:cams=front"),
            format!("eve:admin:{hash}:cameras=front"),
        ] {
            let file = UserFile::parse(line.as_bytes());
            assert!(file.find("eve").is_none() && file.bad_lines().count() == 1, "{line}");
        }
    }

    #[test]
    fn a_token_has_a_line_of_its_own_and_goes_with_its_user() {
        let mut file = UserFile::default();
        file.put(record("eve"));
        file.put(record("adam"));
        file.add_token(token("ha", "eve"));
        file.add_token(token("eve", "adam"));
        let again = UserFile::parse(&file.to_bytes());
        assert!(again.find_token("ha") == Some(&token("ha", "eve")) && again.find("ha").is_none());
        file.remove("eve");
        assert!(file.find_token("ha").is_none() && file.find("adam").is_some());
        assert!(file.find_token("eve").is_some(), "a token that is only named like the user");
    }

    #[test]
    fn a_removed_token_does_not_come_back_by_a_second_line() {
        let (one, other) = (token("ha", "eve").digest, token("x", "eve").digest);
        let text = format!("@ha:eve:{one}\n@ha:adam:{other}\n@bad:eve:x\nha:viewer:x\n");
        let mut file = UserFile::parse(text.as_bytes());
        let bad: Vec<_> = file.bad_lines().filter_map(|bad| bad.name.as_deref()).collect();
        assert_eq!(bad, ["@ha", "@bad", "ha"]);
        assert!(file.remove_token("ha") && !file.remove_token("ha"));
        assert_eq!(file.to_bytes(), b"@bad:eve:x\nha:viewer:x\n");
    }
}
