//! A webcam made of software, which the guest's kernel takes for a USB device: the drivers `uvcvideo` and
//! `snd-usb-audio` bind to it. It is one process for each device; its end pulls the plug.
//!
//! - In the guest, where [`crate::usb`] starts it, it speaks USB/IP over a socket with the kernel's virtual host
//!   controller, `vhci-hcd`. (The kernel's own gadgets on `dummy_hcd` would not do: they need isochronous endpoints, and
//!   it has none for them.)
//! - On the host, where `tests/packaging/run` starts it, it speaks usbredir with qemu, which plugs it into the controller
//!   of a PCI bus. Libcamera takes only cameras below a device that the machine's firmware describes. The pictures are
//!   bulk transfers there.

mod audio;
mod bus;
mod camera;
mod descriptors;
mod picture;
mod usbip;
mod usbredir;
mod webcam;

pub use audio::TONE_HZ;
pub use webcam::run;

/// What a device is, as words of the environment variable [`Plan::VARIABLE`]: `port=0 serial=A1`.
pub struct Plan {
    /// Where it is plugged in, from 0.
    pub port: u32,
    /// Its serial number; the cheapest cameras have none.
    pub serial: Option<String>,
    /// The blue-yellow and red-cyan difference of its pictures, to tell two devices apart.
    pub chroma: (u8, u8),
    /// Whether it has a microphone.
    pub has_microphone: bool,
    /// A file that names what is wrong with every other frame, see [`camera::Defect`]; read before each frame.
    pub defect: Option<String>,
    /// The socket of qemu's `usb-redir`; else it is plugged into `vhci-hcd`.
    pub redirected_to: Option<String>,
}

impl Plan {
    pub const VARIABLE: &str = "USB_DEVICE";

    /// Whether pictures are bulk transfers, in place of isochronous ones.
    pub fn is_bulk(&self) -> bool {
        self.redirected_to.is_some()
    }

    /// The plan that the environment names.
    ///
    /// # Panics
    /// When a word of it is not known.
    pub fn of_the_environment() -> Self {
        let mut plan = Self {
            port: 0,
            serial: None,
            chroma: (128, 128),
            has_microphone: false,
            defect: None,
            redirected_to: None,
        };
        for word in std::env::var(Self::VARIABLE).unwrap_or_default().split_whitespace() {
            match word.split_once('=').unwrap_or((word, "")) {
                ("port", number) => plan.port = number.parse().expect("a number"),
                ("serial", text) => plan.serial = Some(text.to_owned()),
                ("red", _) => plan.chroma = (90, 200),
                ("blue", _) => plan.chroma = (200, 90),
                ("microphone", _) => plan.has_microphone = true,
                ("defect", path) => plan.defect = Some(path.to_owned()),
                ("redirect", path) => plan.redirected_to = Some(path.to_owned()),
                _ => panic!("unknown: {word}"),
            }
        }
        assert!(!(plan.is_bulk() && plan.has_microphone), "sound would need isochronous transfers");
        plan
    }
}
