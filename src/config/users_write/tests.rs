use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::config::users_edit::NewUser;

const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$VVZ0Z1hXRmZ2bEhzM0RTVjZ2TmVxQ2lXVGVFTzBiRGE";
const NONE: Duration = Duration::ZERO;

fn add(username: &str) -> Change {
    Change::Add(NewUser { username: username.to_owned(), password_hash: HASH.to_owned(), ..NewUser::default() })
}

fn names(path: &Path) -> Vec<String> {
    let name = |user: &Json| user["username"].as_str().unwrap().to_owned();
    read_users(path).unwrap_or_else(|error| panic!("{error}")).written.iter().map(name).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn entries(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_new_file_is_its_owners_alone_and_an_old_one_keeps_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    assert!(change_users(&path, &add("one"), NONE).unwrap());
    assert_eq!(mode(&path), 0o600);
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert!(change_users(&path, &add("two"), NONE).unwrap());
    assert_eq!((mode(&path), names(&path)), (0o640, vec!["one".to_owned(), "two".to_owned()]));
    assert_eq!(entries(folder.path()), 1, "nothing is left beside it");
}

#[test]
fn links_are_followed_and_stay() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("real")).unwrap();
    fs::write(at("real/users.yaml"), "# here\n").unwrap();
    symlink("real/users.yaml", at("middle.yaml")).unwrap();
    symlink("middle.yaml", at("users.yaml")).unwrap();
    change_users(&at("users.yaml"), &add("one"), NONE).unwrap();
    assert!(fs::symlink_metadata(at("users.yaml")).unwrap().is_symlink());
    assert!(fs::read_to_string(at("real/users.yaml")).unwrap().starts_with("# here\n- username: one\n"));
    symlink("nowhere.yaml", at("dangling.yaml")).unwrap();
    assert!(matches!(change_users(&at("dangling.yaml"), &add("one"), NONE), Err(UsersFileError::Io { .. })));
}

#[test]
fn a_file_that_is_broken_stays_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    for (text, place) in [
        ("- username: a\n  password_hash: x\n oops", ":3:"),
        ("- username: a\n  password_hash: x\n  surprise: 1\n", ":3:3: unknown-key: "),
        ("- username: a\n  password_hash: x\n- username: a\n  password_hash: y\n", ":3:13: duplicate: "),
        ("users: []\n", ":1:1: wrong-type: "),
        ("- !tag x\n", ":1:8: tag: "),
    ] {
        fs::write(&path, text).unwrap();
        match change_users(&path, &add("new"), NONE) {
            Err(UsersFileError::Broken(problems)) => assert!(problems.to_string().contains(place), "{problems}"),
            other => panic!("{text}: {other:?}"),
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    fs::write(&path, b"- username: \xff\n").unwrap();
    assert!(matches!(change_users(&path, &add("new"), NONE), Err(UsersFileError::Broken(_))));
}

#[test]
fn what_the_reader_would_refuse_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    let user = |change: fn(&mut NewUser)| {
        let mut user = NewUser { username: "new".to_owned(), password_hash: HASH.to_owned(), ..NewUser::default() };
        change(&mut user);
        Change::Add(user)
    };
    for (change, about) in [
        (user(|user| user.username = String::new()), "username"),
        (user(|user| user.username = "a\nb".to_owned()), "username"),
        (user(|user| user.username = "x".repeat(257)), "username"),
        (user(|user| user.username = "client:new".to_owned()), "client:"),
        (user(|user| user.scopes = vec!["two words".to_owned()]), "scopes"),
        (user(|user| user.roles = vec![String::new()]), "roles"),
        (user(|user| user.email = Some("\u{7}".to_owned())), "email"),
        (user(|user| user.full_name = Some(String::new())), "full_name"),
    ] {
        match change_users(&path, &change, NONE) {
            Err(UsersFileError::Refused { message, .. }) => assert!(message.contains(about), "{message}"),
            other => panic!("{about}: {other:?}"),
        }
        assert!(!path.exists());
    }
}

#[test]
fn one_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    let other = File::open(folder.path()).unwrap();
    other.lock().unwrap();
    assert!(matches!(change_users(&path, &add("one"), NONE), Err(UsersFileError::Busy(_))));
    other.unlock().unwrap();
    std::thread::scope(|scope| {
        for number in 0..8 {
            let path = &path;
            scope.spawn(move || change_users(path, &add(&format!("user{number}")), Duration::from_mins(1)).unwrap());
        }
    });
    assert_eq!(names(&path).len(), 8, "none of them was lost");
}

#[test]
fn a_file_that_nobody_may_write_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    fs::write(&path, "[]\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
    let error = change_users(&path, &add("one"), NONE).unwrap_err();
    assert!(matches!(error, UsersFileError::NoWriter(_)) && error.to_string().contains("chmod u+w"), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "[]\n");
    assert_eq!(entries(folder.path()), 1);
}

/// A POSIX access list as the kernel has it: owner, one more user, group, mask, others.
fn access_list(user: u32, mask: u16) -> Vec<u8> {
    let entries = [(1_u16, 6_u16, u32::MAX), (2, 4, user), (4, 0, u32::MAX), (16, mask, u32::MAX), (32, 0, u32::MAX)];
    let entry = |(tag, may, id): (u16, u16, u32)| {
        [tag.to_le_bytes().as_slice(), &may.to_le_bytes(), &id.to_le_bytes()].concat()
    };
    [2_u32.to_le_bytes().to_vec(), entries.map(entry).concat()].concat()
}

fn attribute(path: &Path, name: &str) -> Option<Vec<u8>> {
    let mut value = vec![0; 1000];
    let length = rustix::fs::getxattr(path, name, &mut *value).ok()?;
    Some(value[..length].to_vec())
}

#[test]
fn access_lists_and_attributes_stay_and_none_come_in() {
    const ACCESS: &str = "system.posix_acl_access";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    let set = |path: &Path, name: &str, value: &[u8]| {
        rustix::fs::setxattr(path, name, value, rustix::fs::XattrFlags::empty()).unwrap();
    };
    fs::write(&path, "[]\n").unwrap();
    set(&path, "user.note", b"ops");
    set(&path, ACCESS, &access_list(1234, 4));
    assert!(change_users(&path, &add("one"), NONE).unwrap());
    assert_eq!(attribute(&path, "user.note").unwrap(), b"ops");
    assert_eq!((attribute(&path, ACCESS).unwrap(), mode(&path)), (access_list(1234, 4), 0o640));
    // Whom the folder lets read new files may not read this one.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "[]\n").unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    set(folder.path(), "system.posix_acl_default", &access_list(4321, 4));
    assert!(change_users(&path, &add("one"), NONE).unwrap());
    assert_eq!((attribute(&path, ACCESS), mode(&path)), (None, 0o640));
}

/// A command that was killed had no time to clear up.
#[test]
fn what_a_killed_command_left_is_cleared_up_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    let left = folder.path().join(".users.yaml.doorward");
    let elsewhere = folder.path().join("elsewhere");
    fs::write(&elsewhere, "not touched").unwrap();
    for link in [false, true] {
        if link {
            symlink(&elsewhere, &left).unwrap();
        } else {
            fs::write(&left, "half a fi").unwrap();
        }
        assert!(change_users(&path, &add(&format!("user{link}")), NONE).unwrap());
        assert!(fs::symlink_metadata(&left).is_err());
    }
    assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "not touched");
    assert_eq!((names(&path).len(), entries(folder.path())), (2, 2));
}

/// An editor asks for no lock.
#[test]
fn what_an_editor_saved_meanwhile_is_not_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("users.yaml");
    fs::write(&path, "[]\n").unwrap();
    let looked = Look::at(&path);
    fs::write(&path, "# saved by an editor\n").unwrap();
    assert!(matches!(put(&path, folder.path(), b"ours", looked), Err(UsersFileError::Changed(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "# saved by an editor\n");
    assert_eq!(entries(folder.path()), 1);
}

#[test]
fn where_the_users_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("doorward.yaml");
    let file = |name: &str| Some(UsersPlace::File(folder.path().join(name)));
    let environment = |name: &str| (name == "DIR").then(|| "etc".to_owned());
    for (text, expected) in [
        ("upstream: { url: x }\n", file("users.yaml")),
        ("", file("users.yaml")),
        ("users: { file: people.yaml }\nserver_keys: [{ env: NOT_HERE }]\n", file("people.yaml")),
        ("users: { file: \"${DIR}/people.yaml\" }\n", file("etc/people.yaml")),
        ("users: { postgres: { url: { env: NOT_HERE } } }\n", Some(UsersPlace::Database)),
        ("users: { postgres: null, file: people.yaml }\n", file("people.yaml")),
        ("users: { file: 1 }\n", None),
        ("users: { file: \"${NOT_HERE}\" }\n", None),
        ("users: [\n", None),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(users_place(&path, &environment).ok(), expected, "{text}");
    }
    assert!(users_place(&folder.path().join("absent.yaml"), &environment).is_err());
}
