//! What everybody may know of a device's problem who may see or hear it.

/// What is said of a device of the network.
const OF_NETWORK: &str = "it cannot be reached, or does not answer as it should";

/// A problem without the place where the device is, which stands before a colon and a blank. That of a device of the
/// network may name files and keys as well, and nothing of it is left.
pub(super) fn public(problem: String, is_of_network: bool) -> String {
    match problem.split_once(": ") {
        Some(_) if is_of_network => OF_NETWORK.to_owned(),
        Some((_, what)) => what.to_owned(),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_problem_names_no_place_no_file_and_no_key() {
        for (problem, is_of_network, expected) in [
            ("/dev/v4l/by-id/usb-SERIAL-1: unplugged", false, "unplugged"),
            ("/run/cam.sock: no program listens: start it", false, "no program listens: start it"),
            ("http://cam/a: /etc/login: the first line must be user:password", true, OF_NETWORK),
            ("attic:8443: its key is not known; write fingerprint = \"sha256:00\"", true, OF_NETWORK),
            ("stopped by ada", true, "stopped by ada"),
            ("no camera found", false, "no camera found"),
        ] {
            assert_eq!(public(problem.to_owned(), is_of_network), expected, "{problem}");
        }
    }
}
