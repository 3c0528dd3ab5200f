//! System users and groups, from /etc/passwd and /etc/group. Read here and not by libc: a static
//! binary has no name service switch, and a service's user is a local one.

use std::fs;
use std::path::Path;

use super::ConfineError;

/// The user a server started as root becomes when none is named.
pub const DEFAULT_USER: &str = "defender";

/// Groups that own cameras and sound cards; kept where the system has them.
const DEVICE_GROUPS: [&str; 2] = ["video", "audio"];

/// The number of the group `nogroup`, which owns nothing.
const NO_GROUP: u32 = 65_534;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// A system user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SystemUser {
    /// The name.
    pub name: String,
    /// Number of the user.
    pub uid: u32,
    /// Number of the user's own group.
    pub gid: u32,
    /// Numbers of the groups it acts with: its own, those that list it, and those of the devices.
    pub groups: Vec<u32>,
}

/// Who the server is to run as.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// Whom to become; `None` to stay what it is.
    pub user: Option<SystemUser>,
    /// What is probably not meant.
    pub warning: Option<String>,
}

/// Whom to become: the user that is `named`, else, for root, [`DEFAULT_USER`] where there is one.
///
/// # Errors
/// [`ConfineError::UnknownUser`]; [`ConfineError::Accounts`] where the system's lists cannot be read.
pub fn choose(named: Option<&str>) -> Result<Choice, ConfineError> {
    let uid = rustix::process::getuid().as_raw();
    if named.is_none() && uid != 0 {
        return Ok(Choice::default());
    }
    decide(named, uid, &read(PASSWD)?, &read(GROUP)?)
}

/// The system user of this number, with the groups that list it; for a number that /etc/passwd does not
/// have, one with the group `gid` alone, or none where that is root's.
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

/// The name of the user of this number; the number where there is none.
///
/// # Errors
/// [`ConfineError::Accounts`].
pub(super) fn name_of(uid: u32) -> Result<String, ConfineError> {
    Ok(name_in(&read(PASSWD)?, uid).map_or_else(|| uid.to_string(), str::to_owned))
}

/// Whether a number is a user of this user namespace. Files of root outside a namespace have a number
/// in it that nobody inside can be (user_namespaces(7)).
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

/// Lossy: a name in another encoding is none that could be asked for.
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
            "it stays root, which it need not be: make a system user with `useradd --system {DEFAULT_USER}`, \
             or name one with `user` in [server]"
        ))),
        (_, Some(user)) if user.uid == uid => Ok(Choice::default()),
        (_, Some(user)) if uid == 0 => Ok(Choice { user: Some(user), warning: None }),
        (_, Some(user)) => Ok(stay(format!(
            "user in [server] is `{}`, and only root can become another user: it stays the one who started it",
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
    fn root_becomes_the_named_user_with_the_groups_of_devices_and_its_own_and_no_others() {
        let defender =
            SystemUser { name: "defender".to_owned(), uid: 990, gid: 991, groups: vec![29, 44, 110, 991] };
        for named in [None, Some("defender")] {
            let choice = decided(named, 0);
            assert_eq!(choice, Choice { user: Some(defender.clone()), warning: None });
        }
        assert_eq!(decided(Some("eve"), 0).user.unwrap().groups, [27, 29, 44, 110, 1000]);
    }

    #[test]
    fn an_unknown_or_unreadable_user_that_is_named_is_an_error_for_everybody() {
        for uid in [0, 1000] {
            for name in ["nobody-here", "mallory", "broken", ""] {
                let error = decide(Some(name), uid, PASSWD, GROUP).unwrap_err();
                assert!(matches!(&error, ConfineError::UnknownUser(told) if told == name), "{error}");
            }
        }
    }

    #[test]
    fn who_cannot_or_need_not_change_stays_and_is_told_where_that_is_a_surprise() {
        assert_eq!(decided(Some("root"), 0), Choice::default());
        assert_eq!(decided(Some("eve"), 1000), Choice::default());
        let told = decided(Some("defender"), 1000);
        assert!(told.user.is_none() && told.warning.unwrap().contains("only root"));
        let told = decide(None, 0, "root:x:0:0::/:/bin/sh\n", "").unwrap();
        assert!(told.user.is_none() && told.warning.unwrap().contains("stays root"));
    }
}
