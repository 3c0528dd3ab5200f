//! System users and groups, read from /etc/passwd and /etc/group. libc is not used for it: a static
//! binary has no name service switch, and a service's user is a local one.

use std::fs;
use std::path::Path;

use super::error::ConfineError;

/// The user that a server started as root becomes if the configuration names none.
pub const DEFAULT_USER: &str = "defender";

/// Groups that own cameras and sound cards; the server keeps those that the system has.
const DEVICE_GROUPS: [&str; 2] = ["video", "audio"];

/// The id of the group `nogroup`, which owns nothing.
const NO_GROUP: u32 = 65_534;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A system user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUser {
    /// Its name.
    pub name: String,
    /// Its id.
    pub uid: u32,
    /// The id of its primary group.
    pub gid: u32,
    /// The ids of all its groups: the primary one, those that list it, and those of the devices.
    pub groups: Vec<u32>,
}

/// Which user the server is to run as.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The user to become; `None` to stay the same user.
    pub user: Option<SystemUser>,
    /// What is probably a mistake.
    pub warning: Option<String>,
}

/// Chooses the user to become: the one that is `named`, else, as root, [`DEFAULT_USER`] if it exists.
///
/// # Errors
/// [`ConfineError::UnknownUser`]; [`ConfineError::Accounts`] if the system's lists cannot be read.
pub fn choose(named: Option<&str>) -> Result<Choice, ConfineError> {
    let uid = rustix::process::getuid().as_raw();
    if named.is_none() && uid != 0 {
        return Ok(Choice::default());
    }
    decide(named, uid, &read(PASSWD)?, &read(GROUP)?)
}

/// The system user of this id, with the groups that list it. An id that /etc/passwd does not have gets
/// the group `gid` alone, or `nogroup` in place of root's group.
///
/// # Errors
/// [`ConfineError::Accounts`].
pub(super) fn of_number(uid: u32, gid: u32) -> Result<SystemUser, ConfineError> {
    let (passwd, group) = (read(PASSWD)?, read(GROUP)?);
    let Some(name) = name_in(&passwd, uid) else {
        let gid = if gid == 0 { NO_GROUP } else { gid };
        return Ok(SystemUser { name: uid.to_string(), uid, gid, groups: vec![gid] });
    };
    let mut found =
        find_user(name, &passwd, &group).ok_or_else(|| ConfineError::UnknownUser(name.to_owned()))?;
    found.groups = groups_of(name, found.gid, &group, &[]);
    Ok(found)
}

/// The name of the user of this id; the id itself if there is none.
///
/// # Errors
/// [`ConfineError::Accounts`].
pub(super) fn name_of(uid: u32) -> Result<String, ConfineError> {
    Ok(name_in(&read(PASSWD)?, uid).map_or_else(|| uid.to_string(), str::to_owned))
}

/// Whether an id is a user of this user namespace. Files of root outside a namespace have an id in it
/// that no user inside can have (user_namespaces(7)).
pub(super) fn is_mapped(uid: u32) -> bool {
    let Ok(map) = fs::read_to_string("/proc/self/uid_map") else { return true };
    map.lines().any(|line| {
        let numbers: Vec<u64> = line.split_whitespace().filter_map(|number| number.parse().ok()).collect();
        let [first, _, count] = numbers[..] else { return true };
        (first..first + count).contains(&u64::from(uid))
    })
}

fn name_in(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then_some(name)
    })
}

/// Lossy: a name in another encoding can never be asked for.
fn read(path: &str) -> Result<String, ConfineError> {
    let bytes = fs::read(path).map_err(|error| ConfineError::Accounts(Path::new(path).into(), error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn decide(named: Option<&str>, uid: u32, passwd: &str, group: &str) -> Result<Choice, ConfineError> {
    let found = find_user(named.unwrap_or(DEFAULT_USER), passwd, group);
    let stay = |warning: String| Choice { user: None, warning: Some(warning) };
    match (named, found) {
        (Some(name), None) => Err(ConfineError::UnknownUser(name.to_owned())),
        (None, None) => Ok(stay(format!(
            "Defender stays root, which it does not need: create a system user with \
             `useradd --system {DEFAULT_USER}`, or name one with `user` in [server]"
        ))),
        (_, Some(user)) if user.uid == uid => Ok(Choice::default()),
        (_, Some(user)) if uid == 0 => Ok(Choice { user: Some(user), warning: None }),
        (_, Some(user)) => Ok(stay(format!(
            "user in [server] is `{}`, but only root can become another user: Defender runs as the user who \
             started it",
            user.name
        ))),
    }
}

/// A line of passwd is `name:password:uid:gid:...`.
fn find_user(name: &str, passwd: &str, group: &str) -> Option<SystemUser> {
    let mut fields = passwd.lines().map(|line| line.split(':')).find_map(|mut fields| {
        let is_it = fields.next() == Some(name);
        is_it.then_some(fields)
    })?;
    let uid = fields.nth(1)?.parse().ok()?;
    let gid = fields.next()?.parse().ok()?;
    Some(SystemUser { name: name.to_owned(), uid, gid, groups: groups_of(name, gid, group, &DEVICE_GROUPS) })
}

/// A line of group is `name:password:gid:user,user,...`. The groups in `more` are added.
fn groups_of(user: &str, own: u32, group: &str, more: &[&str]) -> Vec<u32> {
    let mut groups = vec![own];
    for line in group.lines() {
        let mut fields = line.split(':');
        let (name, gid, members) = (fields.next(), fields.nth(1), fields.next());
        let is_more = name.is_some_and(|name| more.contains(&name));
        let is_member = members.is_some_and(|members| members.split(',').any(|member| member == user));
        if let Some(gid) = gid.and_then(|gid| gid.parse().ok())
            && (is_more || is_member)
        {
            groups.push(gid);
        }
    }
    groups.sort_unstable();
    groups.dedup();
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken\nmallory:x:zero:0::/:/bin/sh\n\
                          defenders:x:7:7::/:/bin/false\ndefender:x:990:991::/var/lib/defender:/bin/false\n\
                          eve:x:1000:1000::/home/eve:/bin/sh\n";
    const GROUP: &str = "root:x:0:\naudio:x:29:pulse\nbroken\nssl-cert:x:110:eve,defender\n\
                         video:x:44:\nsudo:x:27:eve\ndefender:x:991:\n";

    fn decided(named: Option<&str>, uid: u32) -> Choice {
        decide(named, uid, PASSWD, GROUP).unwrap()
    }

    #[test]
    fn root_becomes_the_named_user_with_its_own_and_device_groups() {
        let defender =
            SystemUser { name: "defender".to_owned(), uid: 990, gid: 991, groups: vec![29, 44, 110, 991] };
        for named in [None, Some("defender")] {
            let choice = decided(named, 0);
            assert_eq!(choice, Choice { user: Some(defender.clone()), warning: None });
        }
        assert_eq!(decided(Some("eve"), 0).user.unwrap().groups, [27, 29, 44, 110, 1000]);
    }

    #[test]
    fn an_unknown_named_user_is_always_an_error() {
        for uid in [0, 1000] {
            for name in ["nobody-here", "mallory", "broken", ""] {
                let error = decide(Some(name), uid, PASSWD, GROUP).unwrap_err();
                assert!(matches!(&error, ConfineError::UnknownUser(user) if user == name), "{error}");
            }
        }
    }

    #[test]
    fn a_process_that_cannot_change_its_user_gets_a_warning() {
        assert_eq!(decided(Some("root"), 0), Choice::default());
        assert_eq!(decided(Some("eve"), 1000), Choice::default());
        let choice = decided(Some("defender"), 1000);
        assert!(choice.user.is_none() && choice.warning.unwrap().contains("only root"));
        let choice = decide(None, 0, "root:x:0:0::/:/bin/sh\n", "").unwrap();
        assert!(choice.user.is_none() && choice.warning.unwrap().contains("stays root"));
    }
}
