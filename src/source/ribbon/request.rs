//! What the unit of a ribbon-cable camera is asked for, as a file that it reads at each connection. The unit takes
//! nothing but numbers from it.

use std::fmt::Write;
use std::io;
use std::path::Path;

use crate::base::disk;
use crate::source::settings::CameraSettings;

/// Writes the request of these settings, for the unit's own user to read.
///
/// # Errors
/// Why it cannot be written: without the package's unit or script nobody has made the folder.
pub(super) fn write(file: &Path, settings: &CameraSettings) -> io::Result<()> {
    disk::replace(file, text(settings).as_bytes(), 0o644)
}

fn text(settings: &CameraSettings) -> String {
    let CameraSettings { width, height, fps, quality, .. } = settings;
    let mut text = String::new();
    for (key, number) in
        [("width", *width), ("height", *height), ("fps", *fps), ("quality", u32::from(*quality))]
    {
        let _ = writeln!(text, "{key}={number}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::settings::testing;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_request_has_one_number_in_each_line() {
        assert_eq!(text(&testing::settings()), "width=160\nheight=120\nfps=20\nquality=80\n");
    }

    #[test]
    fn another_user_may_read_a_request() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("defender-ribbon");
        write(&file, &testing::settings()).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
        assert!(write(&folder.path().join("gone/file"), &testing::settings()).is_err());
    }
}
