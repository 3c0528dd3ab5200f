//! The text of the user file: one line for each user and each token, every other byte kept as it
//! was. Reading and writing it is the business of [`super::store`].
//!
//! Tokens are lines of the same file (`@name:user:digest`), so that one lock and one stamp serve both, and a
//! removed user's tokens go in the same edit. Earlier versions take such a line, and one with `cameras=`, for
//! malformed and admit nobody by it.
//!
//! A token is bound to its user's line by 64 bits of the digest of the password hash (`bound=`). A change of the
//! password by command or API binds it again. A token of an earlier version, without a binding, works for one
//! more release and is bound at the next edit of its user.

use std::collections::HashSet;

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
    /// Whether the user may see and hear recordings of that, too.
    pub past: bool,
}

/// One token's line: `@name:user:digest`, the fields of its scope, and what it is bound to.
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
    /// The [`Record::binding`] of its user; without it, as earlier versions wrote it, the token is of
    /// any user of that name.
    pub bound: Option<String>,
}

/// A line that is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub number: usize,
    /// Whose line it is, where that is known; a token's name with its `@`.
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

impl Record {
    /// The line, without its end.
    pub fn line(&self) -> String {
        let Self { name, role, hash, scope, past } = self;
        let past = if *past { "" } else { NO_PAST };
        format!("{name}:{}:{hash}{scope}{past}", role.name())
    }

    /// What tokens are bound to: 64 bits of the digest of the salted hash. Another user of the same name
    /// has another.
    pub fn binding(&self) -> String {
        Digest::of(&self.hash.to_string()).id()
    }
}

impl TokenRecord {
    fn line(&self) -> String {
        let Self { name, user, digest, scope, bound } = self;
        let bound = bound.as_ref().map(|bound| format!(":{BOUND}{bound}")).unwrap_or_default();
        format!("@{name}:{user}:{digest}{scope}{bound}")
    }
}

/// The last field of the line of a user who may not see recordings, with its colon.
const NO_PAST: &str = ":past=no";

/// The last field of a token's line.
const BOUND: &str = "bound=";

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
        let (mut users, mut tokens) = (HashSet::new(), HashSet::new());
        for (at, line) in text.split_inclusive(|byte| *byte == b'\n').enumerate() {
            let bad = |name: Option<String>, why| BadLine { number: at + 1, name, why };
            const SECOND: &str = "a second line with this name; the first one is used";
            let content = match parse_line(line) {
                Ok(Content::User(record)) if !users.insert(record.name.clone()) => {
                    Content::Second(bad(Some(record.name), SECOND))
                }
                Ok(Content::Token(token)) if !tokens.insert(token.name.clone()) => {
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

    /// The lines that are ignored, in the order of the file.
    pub fn bad_lines(&self) -> impl Iterator<Item = &BadLine> {
        self.lines.iter().filter_map(|line| match &line.content {
            Content::Second(bad) | Content::Malformed(bad) => Some(bad),
            _ => None,
        })
    }

    /// The tokens without effect because the user they were made for is gone, as lines and why.
    pub fn orphans(&self) -> impl Iterator<Item = (BadLine, &TokenRecord)> {
        let tokens = self.lines.iter().enumerate().filter_map(|(at, line)| match &line.content {
            Content::Token(token) => Some((at + 1, token)),
            _ => None,
        });
        tokens.filter(|(_, token)| !self.is_live(token)).map(|(number, token)| {
            let why = match self.find(&token.user) {
                Some(_) => "this token belongs to an earlier user of the same name; remove it",
                None => "this token's user is not in the file; remove it",
            };
            (BadLine { number, name: Some(format!("@{}", token.name)), why }, token)
        })
    }

    /// Whether the user is there that a token was made for.
    pub fn is_live(&self, token: &TokenRecord) -> bool {
        let is_bound = |user: &Record| token.bound.as_ref().is_none_or(|bound| *bound == user.binding());
        self.find(&token.user).is_some_and(is_bound)
    }

    /// Whether no line was meant for a user, not even a malformed one. A token is no user.
    pub fn is_unused(&self) -> bool {
        self.lines.iter().all(|line| matches!(line.content, Content::Nothing | Content::Token(_)))
    }

    /// The user of a name.
    pub fn find(&self, name: &str) -> Option<&Record> {
        self.users().find(|record| record.name == name)
    }

    /// The token of a name.
    pub fn find_token(&self, name: &str) -> Option<&TokenRecord> {
        self.tokens().find(|token| token.name == name)
    }

    /// Puts a record in the place of the one of its name, whose tokens go on, or at the end; then tokens
    /// that an earlier user of that name left behind are taken out.
    pub fn put(&mut self, record: Record) {
        let text = format!("{}\n", record.line()).into_bytes();
        let (binding, tokens) = (record.binding(), self.tokens_of(&record.name));
        let is_same =
            |line: &&mut Line| matches!(&line.content, Content::User(user) if user.name == record.name);
        if let Some(line) = self.lines.iter_mut().find(is_same) {
            *line = Line { text, content: Content::User(record) };
            let live = tokens.into_iter().filter(|(_, is_live)| *is_live);
            live.for_each(|(token, _)| self.bind(&token, &binding));
            return;
        }
        for (token, _) in &tokens {
            self.remove_token(token);
        }
        self.append(Line { text, content: Content::User(record) });
    }

    /// Puts a token at the end. Its name must be new.
    pub fn add_token(&mut self, token: TokenRecord) {
        let text = format!("{}\n", token.line()).into_bytes();
        self.append(Line { text, content: Content::Token(token) });
    }

    /// Takes a user out, and their tokens; whether there was one.
    ///
    /// Second lines of the name go with the first: left behind, the next of them would count, and
    /// the removal would have let somebody in.
    pub fn remove(&mut self, name: &str) -> bool {
        let is_known = self.find(name).is_some();
        for (token, _) in self.tokens_of(name) {
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

    /// The names of a user's tokens, and whether each is of effect.
    fn tokens_of(&self, user: &str) -> Vec<(String, bool)> {
        let own = self.tokens().filter(|token| token.user == user);
        own.map(|token| (token.name.clone(), self.is_live(token))).collect()
    }

    /// Binds a token to a user's line.
    fn bind(&mut self, name: &str, binding: &str) {
        for line in &mut self.lines {
            if let Content::Token(token) = &mut line.content
                && token.name == name
                && token.bound.as_deref() != Some(binding)
            {
                token.bound = Some(binding.to_owned());
                line.text = format!("{}\n", token.line()).into_bytes();
            }
        }
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

/// `name:role:hash` or `@name:user:digest`, the fields of a scope, and `past=` or `bound=`; no other field, for one that
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
    match name.strip_prefix('@') {
        Some(name) => parse_token(name, second, third, scope).map(Content::Token),
        None => parse_user(name, second, third, scope).map(Content::User),
    }
}

fn parse_user(name: &str, role: &str, hash: &str, fields: &[&str]) -> Result<Record, &'static str> {
    check_name(name)?;
    let role = Role::from_name(role).ok_or("the role must be admin or viewer")?;
    let (past, scope) = match fields {
        [scope @ .., "past=no"] => (false, scope),
        [scope @ .., "past=yes"] => (true, scope),
        scope => (true, scope),
    };
    let scope = Scope::parse(scope)?;
    if role == Role::Admin && (scope != Scope::All || !past) {
        return Err("an admin sees everything; cameras=, microphones= and past= are for viewers");
    }
    Ok(Record { name: name.to_owned(), role, hash: PasswordHash::parse(hash)?, scope, past })
}

fn parse_token(name: &str, user: &str, digest: &str, fields: &[&str]) -> Result<TokenRecord, &'static str> {
    check_name(name)?;
    check_name(user)?;
    let digest = Digest::parse(digest)?;
    let (bound, scope) = match fields {
        [scope @ .., last] if last.starts_with(BOUND) => (last.strip_prefix(BOUND), scope),
        scope => (None, scope),
    };
    let is_binding =
        |text: &str| text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if bound.is_some_and(|bound| !is_binding(bound)) {
        return Err("expected 16 hexadecimal digits after bound=");
    }
    let (scope, bound) = (Scope::parse(scope)?, bound.map(str::to_owned));
    Ok(TokenRecord { name: name.to_owned(), user: user.to_owned(), digest, scope, bound })
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
mod tests;
