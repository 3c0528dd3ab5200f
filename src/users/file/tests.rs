use super::*;

fn record(name: &str) -> Record {
    Record {
        name: name.to_owned(),
        role: Role::Viewer,
        hash: PasswordHash::of_nobody(),
        scope: Scope::All,
        past: true,
    }
}

fn names(file: &UserFile) -> Vec<&str> {
    file.users().map(|user| user.name.as_str()).collect()
}

#[test]
fn a_token_keeps_its_scope_and_is_bound_by_sixteen_digits() {
    for (bound, is_read) in [
        (None, true),
        (Some("0123456789abcdef"), true),
        (Some("0123456789abcde"), false),
        (Some("0123456789abcdeX"), false),
    ] {
        let scope = Scope::parse(&["cameras=front"]).unwrap();
        let token = TokenRecord { scope, bound: bound.map(str::to_owned), ..token("panel", "eve") };
        let file = UserFile::parse(format!("{}\n", token.line()).as_bytes());
        assert!(file.find_token("panel") == Some(&token).filter(|_| is_read), "{bound:?}");
    }
}

#[test]
fn a_changed_user_keeps_their_tokens_alone() {
    let (panel, desk) = (token("panel", "eve"), token("desk", "zoe"));
    let lines = [record("eve").line(), record("zoe").line(), panel.line(), desk.line()];
    let mut file = UserFile::parse(format!("{}\n", lines.join("\n")).as_bytes());
    let changed = Record { past: false, ..record("eve") };
    let binding = changed.binding();
    file.put(changed);
    for file in [&file, &UserFile::parse(&file.to_bytes())] {
        assert!(file.find_token("panel").unwrap().bound.as_ref() == Some(&binding));
        assert!(file.find_token("desk") == Some(&desk));
    }
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
fn who_may_not_see_recordings_has_a_last_field() {
    let hash = PasswordHash::of_nobody();
    let past = |line: &str| {
        let file = UserFile::parse(line.as_bytes());
        let user = file.users().next().cloned();
        user.map(|user| (user.past, user.line()))
    };
    for line in
        [format!("a:viewer:{hash}"), format!("a:viewer:{hash}:cameras=front"), format!("a:admin:{hash}")]
    {
        assert_eq!(past(&line), Some((true, line.clone())), "as earlier versions wrote it");
    }
    for line in [format!("a:viewer:{hash}:past=no"), format!("a:viewer:{hash}:microphones=m:past=no")] {
        assert_eq!(past(&line), Some((false, line.clone())));
    }
    assert_eq!(past(&format!("a:viewer:{hash}:past=yes")), Some((true, format!("a:viewer:{hash}"))));
    for fields in ["past=", "past=NO", "past=no:past=no", "past=no:cameras=front"] {
        assert_eq!(past(&format!("a:viewer:{hash}:{fields}")), None, "{fields}");
    }
    assert_eq!(past(&format!("a:admin:{hash}:past=no")), None, "an admin sees everything");
}

#[test]
fn an_edited_user_keeps_the_place_in_the_file() {
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
    assert!(!file.remove("eve"), "the user is gone");
    assert!(file.to_bytes().ends_with(b"\neve:king:x\n"), "a malformed line is left to a person");
}

#[test]
fn only_comments_make_a_file_unused() {
    assert!(UserFile::parse(b"# no user yet\n\n").is_unused());
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
    TokenRecord { name: name.to_owned(), user: user.to_owned(), digest, scope: Scope::All, bound: None }
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

#[test]
fn a_token_works_only_for_the_user_it_was_made_for() {
    let mut file = UserFile::default();
    file.put(record("adam"));
    file.add_token(TokenRecord { bound: Some(record("adam").binding()), ..token("own", "adam") });
    file.add_token(TokenRecord { bound: Some("0123456789abcdef".to_owned()), ..token("earlier", "adam") });
    file.add_token(token("nobodys", "eve"));
    let orphans = |file: &UserFile| {
        file.orphans().map(|(line, token)| (line.number, token.name.clone())).collect::<Vec<_>>()
    };
    let expected = [(3, "earlier".to_owned()), (4, "nobodys".to_owned())];
    assert_eq!(orphans(&file), expected);
    file.put(Record { hash: PasswordHash::new("another").unwrap(), ..record("adam") });
    assert_eq!(orphans(&file), expected, "another password leaves the own tokens of the user in effect");
}
