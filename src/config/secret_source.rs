//! Secrets: exactly one of the value, `{ env: NAME }` and `{ file: PATH }`.

use super::code::Code;
use super::field::Field;
use super::section::Section;
use crate::base::Secret;
use crate::keys::strength;

impl Field<'_> {
    /// A secret that keys something: strong, and used here only.
    pub(super) fn key_secret(&self) -> Option<Secret> {
        let secret = self.secret()?;
        if let Some(weakness) = strength::weakness(secret.expose()) {
            return self.refuse(Code::WeakSecret, weakness, "make one with `openssl rand -base64 48`");
        }
        self.refuse_second_use(&secret)?;
        Some(secret)
    }

    /// A private key's file, as it is.
    pub(super) fn private_file(&self) -> Option<Secret> {
        let path = self.file_path()?;
        self.reader().watch(&path);
        match self.reader().private_file(&path, SECRET_LIMIT) {
            Ok(bytes) => Some(Secret::new(bytes)),
            Err(error) => self.refuse(error.code(), &format!("cannot be used: {error}"), error.help()),
        }
    }

    /// One key for two purposes lets what was made for one pass in the other (RFC 8725 §3.1), and a leak of one is a
    /// leak of both.
    pub(super) fn refuse_second_use(&self, secret: &Secret) -> Option<()> {
        match self.reader().first_use(secret, self.path(), self.at()) {
            None => Some(()),
            Some((first, at)) => {
                let what = format!("holds the same key as `{first}` in line {}", at.line);
                self.refuse(Code::KeyReused, &what, "give every key one purpose and one algorithm")
            }
        }
    }

    /// A secret that is somebody else's to choose.
    pub(super) fn secret(&self) -> Option<Secret> {
        if self.is_map() {
            return self.section(|section| self.referenced(section))?;
        }
        if self.is_text() {
            return self.text().map(|text| Secret::new(text.as_bytes()));
        }
        self.wrong_type("a secret", SOURCES)
    }

    fn referenced(&self, section: &Section<'_>) -> Option<Secret> {
        match (section.field("env"), section.field("file")) {
            (Some(name), None) => name.variable(),
            (None, Some(file)) => file.private_file().map(|secret| without_newline(&secret)),
            _ => self.refuse(Code::BadSecretSource, "has not exactly one source", SOURCES),
        }
    }

    fn variable(&self) -> Option<Secret> {
        let name = self.text()?;
        match self.reader().environment().and_then(|environment| environment(&name)) {
            Some(value) => Some(Secret::new(value)),
            None => self.refuse(
                Code::UnsetVariable,
                "names a variable that the environment does not have",
                "set the variable; what stands here is its name, not the secret",
            ),
        }
    }
}

/// Editors and `echo` end a file with a newline that nobody means; any other byte is the secret's.
fn without_newline(secret: &Secret) -> Secret {
    let bytes = secret.expose();
    Secret::new(bytes.strip_suffix(b"\n").unwrap_or(bytes))
}

/// Bytes of a file with a secret or key: an RSA key of 16,384 bits has 13 KiB.
const SECRET_LIMIT: u64 = 64 * 1024;

const SOURCES: &str = "give one of: the secret itself, `{ env: NAME }`, `{ file: PATH }`";
