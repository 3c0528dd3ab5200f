//! Facts about sensors, found by their names.

/// Camera modules of Raspberry Pi by the chip that the kernel names: the module, and its largest picture
/// (raspberrypi.com/documentation, "Camera hardware").
const MODULES: [(&str, &str, (u32, u32)); 6] = [
    ("ov5647", "Camera Module 1", (2592, 1944)),
    ("imx219", "Camera Module 2", (3280, 2464)),
    ("imx708", "Camera Module 3", (4608, 2592)),
    ("imx477", "High Quality Camera", (4056, 3040)),
    ("imx500", "AI Camera", (4056, 3040)),
    ("imx296", "Global Shutter Camera", (1456, 1088)),
];

/// The chip in an entity's name, which is followed by variants and by its bus: `imx708` in `imx708_wide 10-001a`.
pub(super) fn chip(entity: &str) -> &str {
    entity.split([' ', '_']).next().unwrap_or(entity)
}

/// What an entity is, for people.
pub(super) fn describe(entity: &str) -> String {
    let chip = chip(entity);
    match MODULES.iter().find(|(known, ..)| *known == chip) {
        Some((_, module, (width, height))) => format!("{chip} ({module}, up to {width}x{height})"),
        None => chip.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_sensor_is_described_by_module_and_size() {
        assert_eq!(describe("imx219 10-0010"), "imx219 (Camera Module 2, up to 3280x2464)");
        assert_eq!(describe("imx708_wide_noir 4-001a"), "imx708 (Camera Module 3, up to 4608x2592)");
        assert_eq!(describe("ov9281 10-0060"), "ov9281");
        assert_eq!(describe(""), "");
    }
}
