//! Does one kind of work a given number of times, for something outside to count the instructions:
//! `bench/instructions` runs it, here and on an ARM board made of software.
//!
//!     work KIND TIMES [FILE]
//!
//! `pass-through` and `socket` take the length of a frame: `socket:40000` for one of 40 kB.
//!
//! `footage` makes so many segments of recordings in the folder FILE.
//!
//! `look` and `look-lit` look at 24 frames each time: a look at one takes more than at another.
//!
//! Kinds that begin with `jpeg-` write what they work on to FILE, for other programs to do the same; `record` records the
//! JPEGs in FILE, or 30 frames of 40 KB.
//!
//! It prints the nanoseconds a time took, which are instructions where the machine's clock counts
//! them (qemu's `-icount shift=0`).

mod look;
mod record;

use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use defender::codec::jpeg::{Encoder, Settings};
use defender::codec::{part, raw};
use defender::jpeg::coefficients::Reader;
use defender::jpeg::dc::{DcReader, Planes};
use defender::jpeg::edit::{Edit, Editor};
use defender::jpeg::header::Limits;
use defender::jpeg::mask::Mask;
use defender::jpeg::scan;
use defender::jpeg::scanner::Scanner;
use defender::jpeg::stamp::Stamp;
use defender::jpeg::stream::{JpegStream, MAX_PICTURE_BYTES};
use defender::jpeg::turn::Turn;
use defender::jpeg::variant::{Variant, VariantMaker};
use defender::media::Corner;
use defender::media::{Chroma, PixelFormat, Range601, RawImage, Scale, Timestamp};
use defender::media::{Flip, Rotation};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{CipherSuite, ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

const WIDTH: u32 = 1280;
const HEIGHT: u32 = 720;

const KINDS: &str = "yuyv, yuyv420, nv12, pass-through, socket, jpeg-dc, jpeg-all, jpeg-copy, jpeg-around, jpeg-right, jpeg-mask, \
                     jpeg-stamp, jpeg-half, jpeg-eighth, jpeg-quality, raw-mean, raw-half, look, look-lit, record, footage, aes128, chacha20 or password";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let times = arguments.get(1).and_then(|times| times.parse().ok());
    let (Some(kind), Some(times)) = (arguments.first(), times) else {
        eprintln!("usage: work KIND TIMES; KIND is {KINDS}");
        // Cargo runs every bench without arguments.
        return ExitCode::SUCCESS;
    };
    let (kind, length) = kind.split_once(':').unwrap_or((kind, ""));
    let frame_bytes = length.parse().unwrap_or(FRAME_BYTES);
    match kind {
        "yuyv" => encode(times, PixelFormat::Yuyv, Chroma::AsCaptured),
        "yuyv420" => encode(times, PixelFormat::Yuyv, Chroma::Quarter),
        "nv12" => encode(times, PixelFormat::Nv12, Chroma::AsCaptured),
        "raw-mean" => smaller(times, false),
        "raw-half" => smaller(times, true),
        "pass-through" => pass_through(times, frame_bytes, false),
        "socket" => pass_through(times, frame_bytes, true),
        "aes128" => encrypt(times, CipherSuite::TLS13_AES_128_GCM_SHA256),
        "chacha20" => encrypt(times, CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
        "password" => password(times),
        "look" => look(times, false),
        "look-lit" => look(times, true),
        "record" => {
            let mut recording = record::Recording::new(arguments.get(2).map(String::as_str));
            time(times, || recording.record());
        }
        "footage" => {
            let Some(folder) = arguments.get(2) else {
                eprintln!("usage: work footage TIMES FOLDER");
                return ExitCode::FAILURE;
            };
            record::footage(folder.as_ref(), times.into());
        }
        kind if kind.starts_with("jpeg-") => {
            let frame = jpeg_frame();
            if let Some(file) = arguments.get(2) {
                std::fs::write(file, &frame).expect("a file");
            }
            return coefficients(kind, times, &frame);
        }
        unknown => {
            eprintln!("work: unknown kind {unknown}; expected {KINDS}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn time(times: u32, mut work: impl FnMut()) {
    // The first time alone makes tables and takes memory.
    work();
    let start = Instant::now();
    (0..times).for_each(|_| work());
    println!("{}", start.elapsed().as_nanos() / u128::from(times.max(1)));
}

/// A motion detector's look at each frame of a film, in a steady light or in one that changes.
fn look(times: u32, is_lit: bool) {
    let mut watch = look::Watch::new(is_lit);
    time(times, || watch.look_at_all());
}

/// The next of numbers that look random (xorshift).
fn random(state: &mut u32) -> u32 {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    *state
}

/// A gradient with some noise, about as hard to encode as a room by day.
fn picture(format: PixelFormat) -> (u32, Vec<u8>) {
    let (row_bytes, bytes) = match format {
        PixelFormat::Yuyv => (WIDTH * 2, WIDTH * HEIGHT * 2),
        _ => (WIDTH, WIDTH * HEIGHT * 3 / 2),
    };
    let mut state = 0x9e37_79b9_u32;
    let data = (0..bytes).map(|at| ((at / 97) % 200 + 20 + random(&mut state) % 4) as u8);
    (row_bytes, data.collect())
}

fn encode(times: u32, format: PixelFormat, chroma: Chroma) {
    let (stride_bytes, data) = picture(format);
    let (width, height, range) = (WIDTH, HEIGHT, Range601::Limited);
    let image = RawImage { format, width, height, stride_bytes, range, data: &data };
    let mut encoder = Encoder::new(Settings { quality: 85, chroma, threads: 1 });
    let mut out = Vec::new();
    time(times, || {
        out.clear();
        encoder.encode(&image, &mut out).expect("the image is whole");
        black_box(&out);
    });
}

/// A raw picture made half as large, and encoded if `encodes`.
fn smaller(times: u32, encodes: bool) {
    // Nearly flat: all but the head of a frame is added below.
    let stride_bytes = WIDTH * 2;
    let data: Vec<u8> = (0..stride_bytes * HEIGHT).map(|at| (at / stride_bytes / 4) as u8).collect();
    let (format, range) = (PixelFormat::Yuyv, Range601::Limited);
    let image = RawImage { format, width: WIDTH, height: HEIGHT, stride_bytes, range, data: &data };
    let mut encoder = Encoder::new(Settings { quality: 50, chroma: Chroma::AsCaptured, threads: 1 });
    let (mut pixels, mut out) = (Vec::new(), Vec::new());
    time(times, || {
        let memory = std::mem::take(&mut pixels);
        let made = raw::shrink(black_box(&image), Scale::Half, Timestamp::from_micros(0), memory);
        let made = made.expect("the image is whole");
        if encodes {
            out.clear();
            encoder.encode(&made.image(), &mut out).expect("the image is whole");
        }
        black_box(&out);
        pixels = made.pixels;
    });
}

/// A camera's frame in 4:2:0.
fn jpeg_frame() -> Vec<u8> {
    let (stride_bytes, data) = picture(PixelFormat::Nv12);
    let (format, width, height, range) = (PixelFormat::Nv12, WIDTH, HEIGHT, Range601::Limited);
    let image = RawImage { format, width, height, stride_bytes, range, data: &data };
    let mut frame = Vec::new();
    let settings = Settings { quality: 75, chroma: Chroma::Quarter, threads: 1 };
    Encoder::new(settings).encode(&image, &mut frame).expect("the image is whole");
    frame
}

/// Work on the coefficients of a frame.
fn coefficients(kind: &str, times: u32, frame: &[u8]) -> ExitCode {
    let limits = Limits { max_pixels: WIDTH * HEIGHT };
    let mut out = Vec::new();
    let mask = Mask { polygons: vec![vec![(0.1, 0.1), (0.4, 0.15), (0.3, 0.5)]], level: 128 };
    let stamps = [Stamp { corner: Corner::TopLeft, width: 320, grey: vec![200; 320 * 24] }];
    let turned = |rotation| Edit { turn: Turn::new(rotation, Flip::None), ..Edit::default() };
    let edit = match kind {
        "jpeg-dc" => {
            let (mut reader, mut planes) = (DcReader::new(), Vec::new());
            time(times, || {
                reader.read(black_box(frame), limits, Planes::Luma, &mut planes).expect("a whole frame")
            });
            return ExitCode::SUCCESS;
        }
        "jpeg-all" => {
            let mut reader = Reader::new();
            time(times, || {
                black_box(reader.read(black_box(frame), limits).expect("a whole frame"));
            });
            return ExitCode::SUCCESS;
        }
        "jpeg-half" | "jpeg-eighth" | "jpeg-quality" => {
            let scale = match kind {
                "jpeg-half" => Scale::Half,
                "jpeg-eighth" => Scale::Eighth,
                _ => Scale::Whole,
            };
            let (mut maker, variant) = (VariantMaker::new(), Variant { scale, quality: Some(50) });
            time(times, || {
                out.clear();
                maker.make(black_box(frame), limits, &variant, &mut out).expect("a whole frame");
            });
            return ExitCode::SUCCESS;
        }
        "jpeg-copy" => Edit::default(),
        "jpeg-around" => turned(Rotation::Around),
        "jpeg-right" => turned(Rotation::Right),
        "jpeg-mask" => Edit { mask: Some(&mask), ..Edit::default() },
        "jpeg-stamp" => Edit { stamps: &stamps, ..Edit::default() },
        unknown => {
            eprintln!("work: unknown kind {unknown}; expected {KINDS}");
            return ExitCode::FAILURE;
        }
    };
    let mut editor = Editor::new();
    time(times, || {
        out.clear();
        editor.apply(black_box(frame), limits, &edit, &mut out).expect("a whole frame");
    });
    ExitCode::SUCCESS
}

/// A camera's JPEG, looked over and copied; one from a socket is first found in its stream, and then looked through for the
/// boundary of this server's streams. What the kernel copies is not counted, but by the byte here.
fn pass_through(times: u32, frame_bytes: usize, is_from_socket: bool) {
    // Nearly flat: all but the head of a frame is added below.
    let stride_bytes = WIDTH * 2;
    let data: Vec<u8> = (0..stride_bytes * HEIGHT).map(|at| (at / stride_bytes / 4) as u8).collect();
    let (format, range) = (PixelFormat::Yuyv, Range601::Limited);
    let image = RawImage { format, width: WIDTH, height: HEIGHT, stride_bytes, range, data: &data };
    let mut frame = Vec::new();
    let settings = Settings { quality: 20, chroma: Chroma::AsCaptured, threads: 1 };
    Encoder::new(settings).encode(&image, &mut frame).expect("the image is whole");
    let end = frame.len() - 2;
    assert!(end < frame_bytes, "a frame of {end} bytes");
    // Each frame of another length, as those of cameras. What is added is as dense as entropy-coded data.
    let frames: Vec<_> = (0..16)
        .map(|number| {
            let mut frame = frame.clone();
            let length = frame_bytes + number * 7919 % 1000 - end;
            frame.splice(end..end, entropy_coded(length));
            frame
        })
        .collect();
    let (mut scanner, mut out) = (Scanner::new(), Vec::new());
    let mut stream = JpegStream::new(MAX_PICTURE_BYTES);
    let mut pass = |frame: &[u8]| {
        out.clear();
        if is_from_socket {
            let mut rest = black_box(frame);
            while !rest.is_empty() {
                rest = &rest[stream.feed(rest, &mut |_| true)..];
            }
            let frame = stream.take().expect("a whole JPEG");
            let found = scanner.scan_split(frame).expect("a whole JPEG");
            scan::append_with_tables(frame, &found, &mut out);
            assert!(!part::holds_boundary(black_box(&out)));
            return;
        }
        let found = scanner.scan(black_box(frame)).expect("a whole JPEG");
        scan::append_with_tables(frame, &found, &mut out);
        black_box(&out);
    };
    // Until the camera is known.
    frames.iter().cycle().take(32).for_each(|frame| pass(frame));
    let mut frames = frames.iter().cycle();
    time(times, || pass(frames.next().expect("some")));
}

/// So many bytes of which each FF is followed by zero.
fn entropy_coded(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut bytes = Vec::with_capacity(length + 1);
    while bytes.len() < length {
        let byte = random(&mut state) as u8;
        bytes.push(byte);
        if byte == 0xFF {
            bytes.push(0);
        }
    }
    bytes[length - 1] = 0x55;
    bytes.truncate(length);
    bytes
}

/// The length of a camera's JPEG that is passed through or encrypted.
const FRAME_BYTES: usize = 100_000;

/// A frame of 100 kB into TLS records for one viewer.
fn encrypt(times: u32, suite: CipherSuite) {
    let (mut client, mut server) = handshake(suite);
    let frame = vec![0x55; FRAME_BYTES];
    server.set_buffer_limit(None);
    let mut records = Vec::new();
    time(times, || {
        use std::io::Write;
        records.clear();
        server.writer().write_all(&frame).expect("no limit");
        while server.wants_write() {
            server.write_tls(&mut records).expect("into memory");
        }
        black_box(&records);
    });
    client.send_close_notify();
}

/// A connection in memory whose two ends know nothing but `suite`.
fn handshake(suite: CipherSuite) -> (ClientConnection, ServerConnection) {
    let mut provider = ring::default_provider();
    provider.cipher_suites.retain(|offered| offered.suite() == suite);
    let provider: Arc<CryptoProvider> = Arc::new(provider);
    let own = rcgen::generate_simple_self_signed(["board".to_owned()]).expect("made");
    let mut roots = RootCertStore::empty();
    roots.add(own.cert.der().clone()).expect("a certificate");
    let key = PrivateKeyDer::try_from(own.signing_key.serialize_der()).expect("a key");
    let server =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().and_then(
            |builder| builder.with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key),
        );
    let client = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let client = client.expect("TLS 1.3").with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("board").expect("a name");
    let mut client = ClientConnection::new(Arc::new(client), name).expect("a client");
    let mut server = ServerConnection::new(Arc::new(server.expect("TLS 1.3"))).expect("a server");
    while client.is_handshaking() || server.is_handshaking() {
        carry(&mut client, &mut server);
        carry(&mut server, &mut client);
    }
    (client, server)
}

/// Takes what one end has to say to the other.
fn carry<A, B>(from: &mut rustls::ConnectionCommon<A>, to: &mut rustls::ConnectionCommon<B>) {
    let mut records = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut records).expect("into memory");
    }
    let mut unread = &records[..];
    while !unread.is_empty() {
        to.read_tls(&mut unread).expect("from memory");
        to.process_new_packets().expect("an honest peer");
    }
}

/// What one password costs to check, once its user is known.
fn password(times: u32) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("users");
    time(times, || {
        let change = defender::users::Change {
            password: Some("correct horse battery".to_owned().into()),
            ..Default::default()
        };
        defender::users::add(&path, "eve", &change).expect("added");
        std::fs::remove_file(&path).expect("removed");
    });
}
