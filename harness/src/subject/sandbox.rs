//! The surroundings of one story: a folder of its own that is HOME, TMPDIR, XDG and `{state_dir}`, and a clean environment.

use std::{
    collections::BTreeMap,
    env, fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// How often another name is tried when one is taken.
const NAME_ATTEMPTS: u32 = 64;
/// How often a folder that something still writes into is removed again.
const REMOVE_ATTEMPTS: u32 = 5;
/// What lies in a sandbox: the variable that names it, and its folder.
const FOLDERS: &[(&str, &str)] = &[
    ("HOME", "home"),
    ("TMPDIR", "tmp"),
    ("XDG_STATE_HOME", "xdg/state"),
    ("XDG_CONFIG_HOME", "xdg/config"),
    ("XDG_DATA_HOME", "xdg/data"),
    ("XDG_CACHE_HOME", "xdg/cache"),
    ("XDG_RUNTIME_DIR", "xdg/run"),
];
/// Homes and caches of tools, and where they are under the author's HOME when their variable is unset. With HOME in the sandbox a
/// tool would otherwise download everything anew, or not find itself.
const TOOLS: &[(&str, Option<&str>)] = &[
    ("CARGO_HOME", Some(".cargo")),
    ("RUSTUP_HOME", Some(".rustup")),
    ("GOPATH", Some("go")),
    ("GOMODCACHE", Some("go/pkg/mod")),
    ("GOCACHE", Some(".cache/go-build")),
    ("JAVA_HOME", None),
    ("PYENV_ROOT", Some(".pyenv")),
    ("NVM_DIR", Some(".nvm")),
    ("npm_config_cache", Some(".npm")),
    ("MAVEN_OPTS", None),
];

/// A fresh folder `$TMPDIR/rg-XXXXXXXX`, removed when dropped.
#[derive(Debug)]
pub struct Sandbox {
    root: PathBuf,
    run_id: String,
    kept: bool,
}

impl Sandbox {
    /// Makes the folder (mode 0700) and what belongs into it.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    pub fn create() -> io::Result<Self> {
        let sandbox = Self::claim(&env::temp_dir())?;
        for (_, folder) in FOLDERS {
            fs::create_dir_all(sandbox.root.join(folder))?;
        }
        fs::create_dir_all(sandbox.state_dir())?;
        close_to_others(&sandbox.root.join("xdg/run"))?;
        Ok(sandbox)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }

    /// `{run_id}`: eight random characters `[a-z0-9]`, the first a letter.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// `{state_dir}`.
    #[must_use]
    pub fn state_dir(&self) -> PathBuf {
        self.root.join("state")
    }

    /// The clean environment: PATH, LANG, TZ, the sandbox's folders, tool caches and homes, and the variables named by `inherit`.
    #[must_use]
    pub fn env(&self, inherit: &[String]) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        out.insert("PATH".to_owned(), author("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".to_owned()));
        out.insert("LANG".to_owned(), author("LANG").unwrap_or_else(|| "C.UTF-8".to_owned()));
        out.insert("TZ".to_owned(), author("TZ").unwrap_or_else(|| "UTC".to_owned()));
        out.extend(FOLDERS.iter().map(|(name, folder)| ((*name).to_owned(), self.root.join(folder).to_string_lossy().into_owned())));
        out.extend(tools());
        out.extend(inherit.iter().filter_map(|name| Some((name.clone(), author(name)?))));
        out
    }

    /// Leaves the folder in place when dropped.
    pub fn keep(&mut self) {
        self.kept = true;
    }

    fn claim(parent: &Path) -> io::Result<Self> {
        let parent = fs::canonicalize(parent)?;
        let mut last = io::Error::other("no free name");
        for _ in 0..NAME_ATTEMPTS {
            let run_id = random_id();
            let root = parent.join(format!("rg-{run_id}"));
            match fs::create_dir(&root) {
                Ok(()) => {
                    close_to_others(&root)?;
                    return Ok(Self { root, run_id, kept: false });
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => last = error,
                Err(error) => return Err(error),
            }
        }
        Err(last)
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for _ in 0..REMOVE_ATTEMPTS {
            make_removable(&self.root);
            if fs::remove_dir_all(&self.root).is_ok() || !self.root.exists() {
                return;
            }
        }
    }
}

/// A variable of the author's environment; empty and non-Unicode ones count as unset.
fn author(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn tools() -> impl Iterator<Item = (String, String)> {
    let home = author("HOME").map(PathBuf::from);
    TOOLS.iter().filter_map(move |(name, default)| {
        let by_default = || Some(home.as_ref()?.join((*default)?)).filter(|path| path.is_dir());
        let value = author(name).or_else(|| Some(by_default()?.to_string_lossy().into_owned()))?;
        Some(((*name).to_owned(), value))
    })
}

fn random_id() -> String {
    const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut bits = rand::random::<u64>();
    (0..8)
        .map(|place| {
            // A letter first: the id ends up in names of databases and containers.
            let among = if place == 0 { 26 } else { 36 };
            let letter = LETTERS[usize::try_from(bits % among).unwrap_or(0)];
            bits /= among;
            char::from(letter)
        })
        .collect()
}

fn close_to_others(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))
}

/// Folders without write permission (Go's module cache, a careful subject) cannot be emptied: gives it back, never following links.
fn make_removable(root: &Path) {
    let mut left = vec![root.to_owned()];
    while let Some(folder) = left.pop() {
        let _ = close_to_others(&folder);
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        left.extend(entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sandbox_is_private_and_complete() {
        let sandbox = Sandbox::create().expect("created");
        let env = sandbox.env(&[]);
        for (name, _) in FOLDERS {
            assert!(Path::new(&env[*name]).is_dir(), "{name}");
            assert!(env[*name].starts_with(&*sandbox.path().to_string_lossy()), "{name}");
        }
        assert!(sandbox.state_dir().is_dir());
        assert_eq!(sandbox.run_id().len(), 8);
        assert!(sandbox.run_id().chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
        {
            assert_eq!(fs::metadata(sandbox.path()).expect("there").permissions().mode() & 0o777, 0o700);
        }
    }

    #[test]
    fn the_environment_is_clean_but_for_what_is_inherited() {
        let sandbox = Sandbox::create().expect("created");
        let env = sandbox.env(&["CARGO_MANIFEST_DIR".into(), "NOT_SET_ANYWHERE".into()]);
        assert!(env.contains_key("CARGO_MANIFEST_DIR"));
        assert!(!env.contains_key("NOT_SET_ANYWHERE"));
        assert!(!env.contains_key("CARGO_PKG_NAME"));
        assert!(!sandbox.env(&[]).contains_key("CARGO_MANIFEST_DIR"));
    }

    #[test]
    fn a_dropped_sandbox_is_gone_even_with_closed_folders_inside() {
        let sandbox = Sandbox::create().expect("created");
        let (root, deep) = (sandbox.path().to_owned(), sandbox.state_dir().join("a/b"));
        fs::create_dir_all(&deep).expect("made");
        fs::write(deep.join("file"), "x").expect("written");
        {
            fs::set_permissions(deep.join("file"), fs::Permissions::from_mode(0o400)).expect("set");
            fs::set_permissions(&deep, fs::Permissions::from_mode(0o000)).expect("set");
        }
        drop(sandbox);
        assert!(!root.exists());
    }

    #[test]
    fn a_kept_sandbox_stays() {
        let mut sandbox = Sandbox::create().expect("created");
        sandbox.keep();
        let root = sandbox.path().to_owned();
        drop(sandbox);
        assert!(root.exists());
        fs::remove_dir_all(root).expect("removed");
    }
}
