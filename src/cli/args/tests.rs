use super::*;

fn read(line: &str) -> Result<Command, UsageError> {
    parse(line.split_whitespace().map(OsString::from).collect())
}

#[test]
fn without_a_command_the_server_runs() {
    for line in [
        "-p 9 -a ::1 -m client -d",
        "run --port 9 --address ::1 --mode client --debug",
        "--port=9 --address=::1 --mode=client -d",
    ] {
        let Ok(Command::Run(flags)) = read(line) else { panic!("{line}") };
        assert_eq!((flags.port, flags.mode, flags.debug), (Some(9), Some(Mode::Client), true), "{line}");
        assert!(flags.addresses.is_some_and(|addresses| addresses[0].is_ipv6()), "{line}");
    }
}

#[test]
fn user_commands_take_their_operand_before_or_after_the_flags() {
    for line in ["user add eve --role admin -u f", "user add --role admin -u f eve"] {
        let Ok(Command::User(UserCommand::Add { name, role, password_stdin, .. }, flags)) = read(line) else {
            panic!("{line}")
        };
        assert_eq!((name.as_str(), role, password_stdin), ("eve", Some(Role::Admin), false));
        assert_eq!(flags.users, Some(PathBuf::from("f")));
    }
}

#[test]
fn a_confinement_is_a_list_of_names() {
    let line = "token add ha --user eve --cameras front,yard --microphones desk";
    let Ok(Command::Token(TokenCommand::Add { name, user, confined }, _)) = read(line) else {
        panic!("{line}")
    };
    assert_eq!((name.as_str(), user.as_str()), ("ha", "eve"));
    assert_eq!(confined.cameras, Some(vec!["front".to_owned(), "yard".to_owned()]));
    assert_eq!(confined.microphones, Some(vec!["desk".to_owned()]));
    let Ok(Command::User(UserCommand::Edit { confined, unconfined, .. }, _)) =
        read("user edit eve --unconfined")
    else {
        panic!()
    };
    assert_eq!((confined, unconfined), (Confined::default(), true));
    for (text, expected) in [("yes", Some(true)), ("no", Some(false))] {
        let Ok(Command::User(UserCommand::Edit { past, .. }, _)) =
            read(&format!("user edit eve --past {text}"))
        else {
            panic!("{text}")
        };
        assert_eq!(past, expected);
    }
    let wrong = read("user edit eve --past maybe").unwrap_err().to_string();
    assert!(wrong.contains("--past is `maybe`; expected yes or no"), "{wrong}");
}

#[test]
fn help_is_found_in_every_usual_spelling() {
    for (line, words) in [
        ("--help", &[][..]),
        ("-h", &[]),
        ("help", &[]),
        ("help user", &["user"]),
        ("user --help", &["user"]),
        ("user add --help", &["user", "add"]),
        ("help user add", &["user", "add"]),
        ("run -h", &["run"]),
    ] {
        let Ok(Command::Help(command)) = read(line) else { panic!("{line}") };
        assert_eq!(command.words, words, "{line}");
    }
}

#[test]
fn a_usage_error_offers_the_nearest_right_word() {
    for (line, expected) in [
        ("chekc", "did you mean `check`?"),
        ("usr list", "did you mean `user`?"),
        ("user ad eve", "did you mean `add`?"),
        ("add user eve", "unknown command `add`; did you mean `defender user add`?"),
        ("remove token panel", "did you mean `defender token remove`?"),
        ("--adress ::1", "did you mean `--address`?"),
        ("user add eve --rol admin", "did you mean `--role`?"),
        ("--port 70000", "--port is `70000`; expected a port from 0 to 65535"),
        ("--mode bth", "expected both, client or server"),
        ("--address here", "expected an IP address"),
        ("--address ::1,here", "expected an IP address"),
        ("certificate", "needs one of: show, renew, export"),
        ("certificate export jks", "takes [pem|der|mobileconfig]; not `jks`"),
        ("certificate renew --cas", "did you mean `--ca`?"),
        ("user add eve --role king", "--role is `king`; expected admin or viewer"),
        ("user add", "needs a NAME"),
        ("user", "add, edit, remove, list"),
        ("token add ha", "needs --user NAME"),
        ("token add ha --user eve --cameras front,", "names separated by commas"),
        ("run now", "takes no operand `now`"),
        ("--port", "--port needs a value"),
        ("-p 1 -p 2", "`-p` is given twice"),
        ("user add --role admin --role viewer eve", "`--role` is given twice"),
        ("--list-devices -p 1", "next to a flag that excludes it"),
        ("--debug=yes", "`--debug` takes no value"),
        ("-d check", "write the command before its flags: `defender check ...`"),
    ] {
        let error = read(line).map(|_| ()).expect_err(line).to_string();
        assert!(error.contains(expected), "{line}: {error}");
    }
}
