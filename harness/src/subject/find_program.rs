//! Finding a program before it is started, so that a missing one is told clearly.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::{SpawnError, SpawnRequest};

/// The file that a request means: by PATH, or with a slash relative to its folder.
pub(super) fn find_program(request: &SpawnRequest) -> Result<PathBuf, SpawnError> {
    let name = request.name.clone();
    let program = request.argv.first().cloned().unwrap_or_default();
    if !request.cwd.is_dir() {
        return Err(SpawnError::NoFolder { name, cwd: request.cwd.clone() });
    }
    let candidates = candidates(request, &program);
    if let Some(found) = candidates.iter().find(|path| is_executable(path)) {
        return Ok(found.clone());
    }
    if candidates.iter().any(|path| path.is_file()) {
        return Err(SpawnError::NotExecutable { name, program });
    }
    let searched = if program.contains('/') { format!("at {}", request.cwd.join(&program).display()) } else { "in PATH".to_owned() };
    Err(SpawnError::NotFound { name, program, searched })
}

fn candidates(request: &SpawnRequest, program: &str) -> Vec<PathBuf> {
    if program.is_empty() {
        return Vec::new();
    }
    if program.contains('/') {
        return vec![request.cwd.join(program)];
    }
    let path = request.env.get("PATH").cloned().unwrap_or_default();
    std::env::split_paths(&path).map(|folder| request.cwd.join(folder).join(program)).collect()
}

fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
